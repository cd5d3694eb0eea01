//! The short name of an organisation, a workspace or a role: what people type and APIs compare.

use std::fmt;

/// One spelling only: letters are folded to lower case (`TestOrg` and `testorg` are the same).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

/// A text that cannot be a short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a short name has 1 to {MAX} letters (a-z), digits or any of . _ - and begins with a letter or digit; it must \
     not look like an id"
)]
pub struct BadSlug;

const MAX: usize = 64;

/// What fits, for those who describe it. Upper case is taken, and folded.
pub const PATTERN: &str = "^(?!org_|wsp_|rol_)[a-z0-9][a-z0-9._-]{0,63}$";

/// What our own ids begin with, so that an id is never taken for a name.
const IDS: [&str; 3] = ["org_", "wsp_", "rol_"];

impl Slug {
    pub fn parse(text: &str) -> Result<Self, BadSlug> {
        let folded = text.trim().to_ascii_lowercase();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let good = (1..=MAX).contains(&folded.len())
            && folded.bytes().all(allowed)
            && folded.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !IDS.iter().any(|prefix| folded.starts_with(prefix));
        if good { Ok(Self(folded)) } else { Err(BadSlug) }
    }

    /// What of a person's or organisation's name can stand in a short name, followed by `suffix`.
    pub fn from_name(name: &str, suffix: &str) -> Result<Self, BadSlug> {
        let mut words: Vec<String> = name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        words.push(suffix.to_owned());
        let joined = words.join("-");
        // The end tells two of one name apart, so the beginning gives way.
        Self::parse(joined[joined.len().saturating_sub(MAX)..].trim_start_matches('-'))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Slug {
    type Err = BadSlug;
    fn from_str(text: &str) -> Result<Self, BadSlug> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_have_one_spelling() {
        for (typed, stored) in
            [("acme", "acme"), (" TestOrg ", "testorg"), ("a.b_c-1", "a.b_c-1"), ("9", "9")]
        {
            assert_eq!(Slug::parse(typed).unwrap().as_str(), stored);
        }
        let long = "a".repeat(65);
        for bad in
            ["", " ", "a b", "-a", "_a", "é", "a/b", "a\nb", "org_1", "ORG_1", "wsp_x", "a\u{0}", &long]
        {
            assert_eq!(Slug::parse(bad), Err(BadSlug), "{bad:?}");
        }
    }

    #[test]
    fn a_name_becomes_a_short_name() {
        let long = format!("{}-x1", "b".repeat(61));
        for (name, slug) in [
            ("Ada Lovelace", "ada-lovelace-x1"),
            ("  Ünal & Söhne  ", "nal-s-hne-x1"),
            ("李", "x1"),
            ("", "x1"),
            ("b".repeat(80).as_str(), &long),
        ] {
            assert_eq!(Slug::from_name(name, "x1").unwrap().as_str(), slug);
        }
    }
}
