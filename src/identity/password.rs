//! Passwords: what is accepted, how one is hashed and verified, and how many at once.
//!
//! Argon2id with the configured cost (PW-1). At most one job per core runs at a time, off the async threads; a
//! caller waits `PATIENCE` for its turn and is then told that the server is busy (PW-4).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use unicode_normalization::UnicodeNormalization;

use crate::config;
use crate::crypto::{Random, Secret};

/// How long a caller waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest password taken, in characters and in bytes (PW-2). A longer one is refused, never cut.
pub const MAX_CHARS: usize = 256;
const MAX_BYTES: usize = 1_024;

/// Fewer guesses than 10 to this power and a password is among the first that anyone tries (PW-3).
const MIN_GUESSES_LOG10: f64 = 8.0;

/// Every worker is busy: 503 with Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at the moment")]
pub struct Busy;

/// Why a new password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weak {
    TooShort {
        min: usize,
    },
    TooLong {
        max: usize,
    },
    /// A common password, or one made of the user's own words.
    Guessable,
}

/// Hashes and verifies passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    params: Params,
    places: Arc<Semaphore>,
    /// Callers that are served or wait.
    callers: AtomicUsize,
    cores: usize,
    min_length: usize,
    random: Random,
    /// Verified against when there is no account or no password, so that the answer takes as long (PW-6).
    dummy: String,
}

/// How much there is to hash at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub running: usize,
    pub waiting: usize,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Right,
    /// Right, and its hash is weaker than today's settings: store this one instead (PW-1).
    RightButOld {
        phc: String,
    },
    Wrong,
}

impl Passwords {
    pub fn new(settings: &config::Password, cores: usize, random: Random) -> Self {
        let params = Params::new(settings.memory_kib, settings.passes, settings.lanes, None)
            .expect("the configuration has checked the cost of Argon2");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let dummy = hash(&argon2, b"nobody has this password", &random);
        Self {
            argon2,
            params,
            places: Arc::new(Semaphore::new(cores.max(1))),
            callers: AtomicUsize::new(0),
            cores: cores.max(1),
            min_length: settings.min_length,
            random,
            dummy,
        }
    }

    /// Whether a new password may be used. `words` are the user's own: name, address, product.
    pub fn check_new(&self, password: &Secret, words: &[&str]) -> Result<(), Weak> {
        let text = normalise(password.expose());
        if text.chars().count() < self.min_length {
            return Err(Weak::TooShort { min: self.min_length });
        }
        if too_long(&text) {
            return Err(Weak::TooLong { max: MAX_CHARS });
        }
        // The estimate looks at the beginning only: its cost grows with the length, and a long text is no worse.
        let beginning: String = text.chars().take(64).collect();
        if zxcvbn::zxcvbn(&beginning, words).guesses_log10() < MIN_GUESSES_LOG10 {
            return Err(Weak::Guessable);
        }
        Ok(())
    }

    /// The PHC string to store.
    pub async fn hash(&self, password: &Secret) -> Result<String, Busy> {
        let (argon2, random) = (self.argon2.clone(), self.random.clone());
        let password = Secret::from_text(normalise(password.expose()));
        self.in_turn(move || hash(&argon2, password.expose().as_bytes(), &random)).await
    }

    /// Compares. `stored` is `None` when there is no account or it has no password: then nothing is ever right, and
    /// it takes as long to say so (PW-5, PW-6).
    pub async fn verify(&self, password: &Secret, stored: Option<&str>) -> Result<Verdict, Busy> {
        let text = normalise(password.expose());
        // Whatever was stored is not longer: refuse before it costs anything.
        if too_long(&text) {
            return Ok(Verdict::Wrong);
        }
        let exists = stored.is_some();
        let stored = stored.unwrap_or(&self.dummy).to_owned();
        let (argon2, params, random) = (self.argon2.clone(), self.params.clone(), self.random.clone());
        let password = Secret::from_text(text);
        self.in_turn(move || {
            let password = password.expose().as_bytes();
            let Ok(parsed) = PasswordHash::new(&stored) else { return Verdict::Wrong };
            if argon2.verify_password(password, &parsed).is_err() || !exists {
                return Verdict::Wrong;
            }
            match Params::try_from(&parsed) {
                Ok(old) if cost(&old) >= cost(&params) => Verdict::Right,
                _ => Verdict::RightButOld { phc: hash(&argon2, password, &random) },
            }
        })
        .await
    }

    pub fn load(&self) -> Load {
        let running = self.cores.saturating_sub(self.places.available_permits());
        let callers = self.callers.load(Ordering::Relaxed);
        Load { running, waiting: callers.saturating_sub(running) }
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _caller = Caller::new(&self.callers);
        let place = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| Busy)?
            .expect("the semaphore is never closed");
        let job = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        Ok(job.await.expect("hashing does not panic"))
    }
}

/// Counted while it lives.
struct Caller<'a>(&'a AtomicUsize);

impl<'a> Caller<'a> {
    fn new(callers: &'a AtomicUsize) -> Self {
        callers.fetch_add(1, Ordering::Relaxed);
        Self(callers)
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8], random: &Random) -> String {
    argon2
        .hash_password_with_salt(password, &random.bytes::<16>())
        .expect("Argon2 takes any password with these settings")
        .to_string()
}

fn cost(params: &Params) -> (u32, u32) {
    (params.m_cost(), params.t_cost())
}

/// The same password typed on two keyboards is the same text (PW-2).
fn normalise(text: &str) -> String {
    text.nfc().collect()
}

fn too_long(text: &str) -> bool {
    text.len() > MAX_BYTES || text.chars().count() > MAX_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(&config::Password::default(), 2, Random::system())
    }

    fn secret(text: &str) -> Secret {
        Secret::from_text(text)
    }

    #[tokio::test]
    async fn pw_1_hashes_are_argon2id_with_the_configured_cost_and_their_own_salt() {
        let passwords = passwords();
        let (one, two) = (
            passwords.hash(&secret("correct horse")).await.unwrap(),
            passwords.hash(&secret("correct horse")).await.unwrap(),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert_eq!(passwords.verify(&secret("correct horse"), Some(&one)).await, Ok(Verdict::Right));
        assert_eq!(passwords.verify(&secret("correct Horse"), Some(&one)).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn pw_1_a_cheaper_hash_is_replaced_when_it_is_next_seen() {
        let old = passwords();
        let stored = old.hash(&secret("correct horse")).await.unwrap();
        let dearer = config::Password { passes: 3, ..config::Password::default() };
        let new = Passwords::new(&dearer, 2, Random::system());
        let Ok(Verdict::RightButOld { phc }) = new.verify(&secret("correct horse"), Some(&stored)).await
        else {
            panic!("the old hash is not seen as old")
        };
        assert_eq!(new.verify(&secret("correct horse"), Some(&phc)).await, Ok(Verdict::Right));
    }

    #[tokio::test]
    async fn pw_5_an_account_without_a_password_matches_nothing() {
        let passwords = passwords();
        for attempt in ["", "nobody has this password", "x"] {
            assert_eq!(passwords.verify(&secret(attempt), None).await, Ok(Verdict::Wrong));
        }
    }

    #[test]
    fn pw_2_length_is_counted_in_characters_and_never_cut() {
        let passwords = passwords();
        let cases = [
            ("short", Err(Weak::TooShort { min: 12 })),
            ("vermilion tapir 42 dances", Ok(())),
            ("пурпурный тапир танцует", Ok(())),
        ];
        for (password, expected) in cases {
            assert_eq!(passwords.check_new(&secret(password), &[]), expected, "{password}");
        }
        let start = "vermilion tapir 42 dances ";
        let long = |length: usize| secret(&format!("{start}{}", "я".repeat(length - start.len())));
        assert_eq!(passwords.check_new(&long(256), &[]), Ok(()));
        assert_eq!(passwords.check_new(&long(257), &[]), Err(Weak::TooLong { max: 256 }));
    }

    #[test]
    fn pw_3_common_and_personal_passwords_are_refused() {
        let passwords = passwords();
        for common in ["password1234", "qwertyuiopas", "123456789012", "iloveyou1234", "letmeinletmein"] {
            assert_eq!(passwords.check_new(&secret(common), &[]), Err(Weak::Guessable), "{common}");
        }
        let own = ["ada.lovelace@example.com", "Ada Lovelace", "Countersign"];
        assert_eq!(passwords.check_new(&secret("countersign1"), &own), Err(Weak::Guessable));
        assert_eq!(passwords.check_new(&secret("adalovelace1"), &["adalovelace"]), Err(Weak::Guessable));
    }

    #[tokio::test]
    async fn pw_2_two_spellings_of_one_text_are_one_password() {
        let passwords = passwords();
        let stored = passwords.hash(&secret("caf\u{e9} au lait")).await.unwrap();
        assert_eq!(passwords.verify(&secret("cafe\u{301} au lait"), Some(&stored)).await, Ok(Verdict::Right));
    }
}
