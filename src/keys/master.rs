//! Where the master key comes from: a setting, or a file that the first start makes.
//!
//! What is sealed under it is left to [`crate::crypto`]. A master key that is lost cannot be replaced by a new one
//! without losing what was sealed: commands that expect sealed values call [`load_existing`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::crypto::{MasterKey, Random, Secret};

const FILE_NAME: &str = "master.key";

/// A key's 44 letters and a newline, and room for an editor's additions.
const MAX_FILE_BYTES: u64 = 1024;

/// The master key cannot be had. The text tells the operator what to do.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("the configured master key is refused: {0}")]
    Configured(WeakKey),
    #[error("the master key in {} is refused: {problem}", path.display())]
    File { path: PathBuf, problem: WeakKey },
    #[error("{} may be read by others (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("there is no master key: {} does not exist and none is configured", path.display())]
    Missing { path: PathBuf },
    #[error("cannot {act} {}: {source}", path.display())]
    Io { act: &'static str, path: PathBuf, source: io::Error },
}

/// What is wrong with a key's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    #[error("it must be base64 of exactly 32 random bytes; make one with: openssl rand -base64 32")]
    Shape,
    #[error("its bytes are not random; make one with: openssl rand -base64 32")]
    Guessable,
}

/// The configured master key, or the one in `dir`, or a new one that is stored in `dir`.
///
/// # Errors
/// If the key is weak or readable by others, or the file cannot be read or made.
pub fn load_or_create(
    dir: &Path,
    configured: Option<&Secret>,
    random: &Random,
) -> Result<MasterKey, MasterKeyError> {
    match load_existing(dir, configured) {
        Err(MasterKeyError::Missing { path }) => {
            create(dir, &path, random)?;
            load_existing(dir, None)
        }
        found => found,
    }
}

/// The configured master key, or the one in `dir`; never makes one.
///
/// # Errors
/// As [`load_or_create`], and [`MasterKeyError::Missing`].
pub fn load_existing(dir: &Path, configured: Option<&Secret>) -> Result<MasterKey, MasterKeyError> {
    match configured {
        Some(secret) => parse(secret.expose()).map_err(MasterKeyError::Configured),
        None => read(dir.join(FILE_NAME)),
    }
}

fn read(path: PathBuf) -> Result<MasterKey, MasterKeyError> {
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(MasterKeyError::Missing { path });
        }
        Err(source) => return Err(MasterKeyError::Io { act: "open", path, source }),
    };
    // Asked of the open file, not of the path: what was checked is what is read.
    let mode = match file.metadata() {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(source) => return Err(MasterKeyError::Io { act: "inspect", path, source }),
    };
    if mode & 0o077 != 0 {
        return Err(MasterKeyError::Exposed { path, mode });
    }
    let mut text = Zeroizing::new(String::new());
    match file.take(MAX_FILE_BYTES).read_to_string(&mut text) {
        Ok(_) => parse(&text).map_err(|problem| MasterKeyError::File { path, problem }),
        Err(source) => Err(MasterKeyError::Io { act: "read", path, source }),
    }
}

/// Makes the file whole or not at all.
///
/// The key is written to a file of its own and linked to its name, which fails if the name is taken. So two first
/// starts agree on one key, and one that dies half-way leaves no broken key behind (CR-1).
fn create(dir: &Path, path: &Path, random: &Random) -> Result<(), MasterKeyError> {
    let failed = |act, path: &Path| {
        let path = path.to_owned();
        move |source| MasterKeyError::Io { act, path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed("create", dir))?;
    let draft = dir.join(format!(".{FILE_NAME}.{}", BASE64_URL_SAFE_NO_PAD.encode(random.bytes::<9>())));
    let linked = write_draft(&draft, &MasterKey::generate(random)).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("create", path)(source));
        }
        _ => removed.map_err(failed("remove", &draft))?,
    }
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("write", dir))
}

fn write_draft(draft: &Path, key: &MasterKey) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    let text = Zeroizing::new(BASE64_STANDARD.encode(key.as_bytes()) + "\n");
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Takes either alphabet of base64, padded or not: what common tools print.
fn parse(text: &str) -> Result<MasterKey, WeakKey> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = text.trim();
    let decoded = [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(text).ok())
        .map(Zeroizing::new)
        .ok_or(WeakKey::Shape)?;
    let bytes: [u8; 32] = decoded.as_slice().try_into().map_err(|_| WeakKey::Shape)?;
    if is_guessable(&bytes) { Err(WeakKey::Guessable) } else { Ok(MasterKey::from_bytes(bytes)) }
}

/// What a person types or counts rather than draws: text, few different bytes, or even steps. A random key has
/// about 30 different bytes, and looks like this less than once in 10^13.
fn is_guessable(bytes: &[u8; 32]) -> bool {
    let mut different = bytes.to_vec();
    different.sort_unstable();
    different.dedup();
    let step = bytes[1].wrapping_sub(bytes[0]);
    let even_steps = bytes.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    different.len() < 16 || even_steps || bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    fn with_file(text: &str, mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        dir
    }

    fn random_text() -> String {
        BASE64_STANDARD.encode(MasterKey::generate(&Random::system()).as_bytes())
    }

    #[test]
    fn tk_9_the_first_start_makes_a_private_file_and_the_next_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("a/keys");
        let random = Random::system();
        assert!(matches!(load_existing(&dir, None), Err(MasterKeyError::Missing { .. })));
        assert!(!dir.exists(), "looking makes nothing");
        let first = load_or_create(&dir, None, &random).unwrap();
        assert_eq!(load_or_create(&dir, None, &random).unwrap().id(), first.id());
        assert_eq!(load_existing(&dir, None).unwrap().as_bytes(), first.as_bytes());

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join(FILE_NAME))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn tk_9_many_first_starts_agree_on_one_key() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("keys");
        let barrier = Barrier::new(16);
        let ids: Vec<String> = thread::scope(|scope| {
            let start = || {
                barrier.wait();
                load_or_create(&dir, None, &Random::system()).unwrap().id()
            };
            let starts: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn a_configured_key_comes_before_the_file_and_makes_none() {
        let home = tempfile::tempdir().unwrap();
        let text = random_text();
        let secret = Secret::from_text(&*text);
        let key = load_or_create(&home.path().join("keys"), Some(&secret), &Random::system()).unwrap();
        assert_eq!(BASE64_STANDARD.encode(key.as_bytes()), text);
        assert!(!home.path().join("keys").exists());
    }

    #[test]
    fn every_spelling_of_base64_is_read() {
        let bytes = *MasterKey::generate(&Random::system()).as_bytes();
        let standard = BASE64_STANDARD.encode(bytes);
        let url = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        for text in [standard.clone(), format!(" {standard}\r\n"), standard.replace('=', ""), url] {
            assert_eq!(parse(&text).unwrap().as_bytes(), &bytes, "{text}");
        }
    }

    #[test]
    fn tk_9_weak_keys_are_refused() {
        let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let count: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..32).map(|index| 250 - 7 * index).collect();
        let halves = [&MasterKey::generate(&Random::system()).as_bytes()[..8], &[0; 24]].concat();
        for (text, problem) in [
            ("", WeakKey::Shape),
            ("change-me", WeakKey::Shape),
            ("0123456789abcdef0123456789abcdef", WeakKey::Shape),
            (&"ab".repeat(32), WeakKey::Shape),
            (&encode(&[1; 31]), WeakKey::Shape),
            (&encode(&[1; 33]), WeakKey::Shape),
            (&encode(&[0; 32]), WeakKey::Guessable),
            (&encode(&count), WeakKey::Guessable),
            (&encode(&down), WeakKey::Guessable),
            (&encode(&halves), WeakKey::Guessable),
            (&encode(b"correct horse battery staple 42!"), WeakKey::Guessable),
        ] {
            assert_eq!(parse(text).unwrap_err(), problem, "{text}");
            let configured =
                load_existing(Path::new("/nowhere"), Some(&Secret::from_text(text))).unwrap_err();
            assert!(configured.to_string().contains("openssl rand -base64 32"), "{configured}");
        }
        for _ in 0..10_000 {
            assert!(!is_guessable(MasterKey::generate(&Random::system()).as_bytes()));
        }
    }

    #[test]
    fn tk_9_a_file_that_others_can_read_is_refused_with_the_remedy() {
        for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
            let dir = with_file(&random_text(), mode);
            let error = load_or_create(dir.path(), None, &Random::system()).unwrap_err();
            let expected = format!("chmod 600 {}", dir.path().join(FILE_NAME).display());
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
        for mode in [0o600, 0o400] {
            assert!(load_existing(with_file(&random_text(), mode).path(), None).is_ok());
        }
    }

    #[test]
    fn a_broken_file_is_reported_and_never_replaced() {
        for text in ["", "\n", "x", &random_text()[..20]] {
            let dir = with_file(text, 0o600);
            let error = load_or_create(dir.path(), None, &Random::system()).unwrap_err();
            assert!(matches!(error, MasterKeyError::File { problem: WeakKey::Shape, .. }), "{error}");
            assert_eq!(fs::read_to_string(dir.path().join(FILE_NAME)).unwrap(), text);
        }
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FILE_NAME)).unwrap();
        fs::set_permissions(dir.path().join(FILE_NAME), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(matches!(load_existing(dir.path(), None), Err(MasterKeyError::Io { act: "read", .. })));
    }
}
