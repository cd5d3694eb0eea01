//! Recovery codes: each stands in once for a second factor that is lost (MF-3).

use crate::clock::Timestamp;
use crate::crypto::{Digest, Random, Secret};
use crate::model::UserId;
use crate::store::{self, Conn, factors};

/// How many there are in a set.
pub const CODES: usize = 10;

/// Crockford's base 32, in lower case: without letters that look alike.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Makes a set, which voids the one before. Shown once: only digests are kept.
pub(super) fn replace(
    db: &mut Conn,
    user: UserId,
    random: &Random,
    now: Timestamp,
) -> Result<Vec<Secret>, store::Error> {
    let codes: Vec<Secret> = (0..CODES).map(|_| make(random)).collect();
    let digests: Vec<Digest> = codes.iter().filter_map(|code| digest(user, code.expose())).collect();
    factors::replace_recovery_codes(db, user, &digests, now)?;
    Ok(codes)
}

/// Spends a code. `false` if it is none of the user's, or was spent before.
pub(super) fn spend(db: &mut Conn, user: UserId, code: &str, now: Timestamp) -> Result<bool, store::Error> {
    match digest(user, code) {
        Some(digest) => factors::spend_recovery_code(db, user, &digest, now),
        None => Ok(false),
    }
}

/// 80 random bits as four groups of four letters.
fn make(random: &Random) -> Secret {
    let mut text = String::with_capacity(19);
    // Each byte gives one letter; the three bits too many are thrown away.
    for (at, byte) in random.bytes::<16>().into_iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte & 31)]));
    }
    Secret::from_text(text)
}

/// What is stored of a code: people type capitals, spaces, and the letters that the alphabet leaves out.
fn digest(user: UserId, code: &str) -> Option<Digest> {
    let mut plain = String::with_capacity(16);
    for letter in code.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        plain.push(match letter.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            letter if letter.is_ascii() && ALPHABET.contains(&(letter as u8)) => letter,
            _ => return None,
        });
    }
    (plain.len() == 16).then(|| Digest::of_parts(&[b"recovery code", user.as_bytes(), plain.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mf_3_a_code_has_80_bits_and_is_read_as_people_type_it() {
        let random = Random::system();
        let user = UserId::new(Timestamp(0), &random);
        let code = make(&random);
        let groups: Vec<&str> = code.expose().split('-').collect();
        assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 4), "four groups of four");
        assert_ne!(code, make(&random));
        let stored = digest(user, "01ab-cdef-ghjk-mnpq");
        assert!(stored.is_some());
        for typed in
            ["01abcdefghjkmnpq", " 01AB CDEF GHJK MNPQ ", "oIab-cdef-ghjk-mnpq", "OLAB-CDEF-GHJK-MNPQ"]
        {
            assert_eq!(digest(user, typed), stored, "{typed}");
        }
        assert_ne!(digest(UserId::new(Timestamp(0), &random), "01ab-cdef-ghjk-mnpq"), stored);
        for none in
            ["", "01ab-cdef-ghjk-mnp", "01ab-cdef-ghjk-mnpqq", "01ab-cdef-ghjk-mnpu", "01ab-cdef-ghjk-mnpü"]
        {
            assert_eq!(digest(user, none), None, "{none}");
        }
    }
}
