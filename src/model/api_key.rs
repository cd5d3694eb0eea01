//! The text of an API key: a prefix to recognise it by, 178 random bits, a checksum (AK-1).
//!
//! The checksum tells a typing error from a wrong key, and a scanner of leaked secrets a key from a word, without
//! asking anybody. Only the digest of the whole is stored.

use crate::crypto::{Digest, Random, Secret};

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62³⁰ are more than 2¹⁷⁸.
const RANDOM: usize = 30;
const CHECKSUM: usize = 6;
/// How much of a key may be shown later: with a usual prefix, four random letters.
const HINT: usize = 4;
const MAX_PREFIX: usize = 32;

/// Whether keys may begin with this: letters, digits, `_` and `-`.
pub fn is_prefix(prefix: &str) -> bool {
    prefix.len() <= MAX_PREFIX
        && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// A fresh key that begins with this.
pub fn generate(prefix: &str, random: &Random) -> Secret {
    let mut text = String::with_capacity(prefix.len() + RANDOM + CHECKSUM);
    text.push_str(prefix);
    text.extend((0..RANDOM).map(|_| letter(random)));
    let checksum = checksum(&text);
    text.push_str(&checksum);
    Secret::from_text(text)
}

/// The beginning of a key, for lists.
pub fn hint(key: &Secret) -> String {
    let text = key.expose();
    let shown = text.len().saturating_sub(RANDOM + CHECKSUM) + HINT;
    text.chars().take(shown).collect()
}

/// Whether the text has the form of a key, whatever it begins with, and its checksum is right.
pub fn is_well_formed(key: &Secret) -> bool {
    let text = key.expose();
    if !text.is_ascii() || text.len() < RANDOM + CHECKSUM {
        return false;
    }
    let (body, given) = text.split_at(text.len() - CHECKSUM);
    let (prefix, random) = body.split_at(body.len() - RANDOM);
    is_prefix(prefix) && random.bytes().all(|b| b.is_ascii_alphanumeric()) && checksum(body) == given
}

/// Each letter equally likely: numbers beyond the last whole round are drawn again.
fn letter(random: &Random) -> char {
    loop {
        let [drawn] = random.bytes::<1>();
        if drawn < 248 {
            return char::from(LETTERS[usize::from(drawn % 62)]);
        }
    }
}

fn checksum(body: &str) -> String {
    let digest = Digest::of(body.as_bytes());
    digest.as_bytes().iter().take(CHECKSUM).map(|byte| char::from(LETTERS[usize::from(byte % 62)])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ak_1_a_key_has_its_prefix_its_randomness_and_a_checksum() {
        let random = Random::system();
        for prefix in ["cs_k_", "tl_k_", "", "a-b"] {
            let key = generate(prefix, &random);
            assert!(key.expose().starts_with(prefix) && is_well_formed(&key));
            assert_eq!(key.expose().len(), prefix.len() + 36);
            assert_eq!(hint(&key).len(), prefix.len() + 4);
        }
        let keys: HashSet<String> = (0..500).map(|_| generate("", &random).expose().to_owned()).collect();
        assert_eq!(keys.len(), 500);
        let letters: HashSet<char> = keys.iter().flat_map(|key| key.chars()).collect();
        assert_eq!(letters.len(), 62, "every letter comes up");
    }

    #[test]
    fn ak_1_a_typing_error_shows() {
        let key = generate("cs_k_", &Random::system());
        let text = key.expose();
        for at in 0..text.len() {
            let mut wrong = text.to_owned().into_bytes();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            let wrong = String::from_utf8(wrong).unwrap();
            // One in 62⁶ would pass by chance.
            assert!(!is_well_formed(&Secret::from_text(wrong)), "letter {at}");
        }
        for bad in ["", "cs_k_", &text[1..], &format!("{text}0"), &format!(" {text}"), &format!("ü{text}")] {
            assert!(!is_well_formed(&Secret::from_text(bad)), "{bad:?}");
        }
    }
}
