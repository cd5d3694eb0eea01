//! Scopes: ordered sets of tokens (RFC 6749 §3.3). What a scope means is registered with a resource or, for
//! the standard ones, written in OpenID Connect Core §5.4 and §11.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ErrorCode, OAuthError};

pub const OPENID: &str = "openid";
pub const PROFILE: &str = "profile";
pub const EMAIL: &str = "email";
pub const ADDRESS: &str = "address";
pub const PHONE: &str = "phone";
/// Asks for a refresh token that outlives the session (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// Asks for the organisation that the user acts for, with the user's roles there, in ID token and userinfo.
pub const ORGANIZATIONS: &str = "organizations";

/// The scopes that the provider itself answers for.
pub const STANDARD: [&str; 7] = [OPENID, PROFILE, EMAIL, ADDRESS, PHONE, OFFLINE_ACCESS, ORGANIZATIONS];

pub fn is_standard(scope: &str) -> bool {
    STANDARD.contains(&scope)
}

/// Scopes without repetition, in the order in which they were asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(Vec<String>);

/// Why a text is not a scope value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadScope {
    #[error("scope holds characters that RFC 6749 section 3.3 does not allow")]
    Alphabet,
    #[error("scope holds more than {} items", ScopeSet::MAX_ITEMS)]
    TooMany,
}

impl From<BadScope> for OAuthError {
    fn from(bad: BadScope) -> Self {
        Self::new(ErrorCode::InvalidScope, bad.to_string())
    }
}

impl ScopeSet {
    /// The most scopes in one request (AZ-13).
    pub const MAX_ITEMS: usize = 50;

    /// Reads a space-separated list.
    pub fn parse(text: &str) -> Result<Self, BadScope> {
        let mut set = Self::default();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if !is_scope_token(token) {
                return Err(BadScope::Alphabet);
            }
            set.insert(token);
            if set.0.len() > Self::MAX_ITEMS {
                return Err(BadScope::TooMany);
            }
        }
        Ok(set)
    }

    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|known| known == scope)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Those for which `keep` holds, in the same order.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| keep(scope)).cloned().collect())
    }

    /// Those that `other` has too, in this set's order.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.filtered(|scope| other.contains(scope))
    }

    /// Those that `other` has not.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.filtered(|scope| !other.contains(scope))
    }

    /// These, and then those of `other` that are not among them.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope))
    }

    fn insert(&mut self, scope: &str) {
        if !self.contains(scope) {
            self.0.push(scope.to_owned());
        }
    }
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
pub fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// From scopes that were registered or parsed before. What is not a scope token is left out.
impl<'a> FromIterator<&'a str> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(scopes: I) -> Self {
        let mut set = Self::default();
        scopes.into_iter().filter(|scope| is_scope_token(scope)).for_each(|scope| set.insert(scope));
        set
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_is_kept_and_repetition_dropped() {
        let set = ScopeSet::parse("  openid email  openid api:read ").unwrap();
        assert_eq!(set.to_string(), "openid email api:read");
        assert_eq!(serde_json::to_string(&set).unwrap(), r#""openid email api:read""#);
        assert_eq!(serde_json::from_str::<ScopeSet>(r#""openid email api:read""#).unwrap(), set);
    }

    #[test]
    fn what_is_not_a_scope_is_refused() {
        for bad in ["a\"b", "a\\b", "a\tb", "ü", "a\nb", "\u{7f}"] {
            assert_eq!(ScopeSet::parse(bad), Err(BadScope::Alphabet), "{bad:?}");
        }
        let many = |n: usize| (0..n).map(|i| format!("s{i} ")).collect::<String>();
        assert_eq!(ScopeSet::parse(&many(50)).map(|set| set.len()), Ok(50));
        assert_eq!(ScopeSet::parse(&many(51)), Err(BadScope::TooMany));
    }

    #[test]
    fn set_operations() {
        let asked = ScopeSet::parse("openid email api:read").unwrap();
        let other = ScopeSet::parse("api:read openid phone").unwrap();
        assert_eq!(asked.intersection(&other).to_string(), "openid api:read");
        assert_eq!(asked.without(&other).to_string(), "email");
        assert_eq!(asked.union(&other).to_string(), "openid email api:read phone");
        assert!(!asked.is_subset_of(&other));
        assert!(ScopeSet::default().is_subset_of(&other));
    }

    proptest! {
        #[test]
        fn parsing_what_was_printed_gives_the_same_set(text in "[ -~]{0,80}") {
            if let Ok(set) = ScopeSet::parse(&text) {
                prop_assert_eq!(ScopeSet::parse(&set.to_string()), Ok(set));
            }
        }

        #[test]
        fn no_text_panics(text in ".*") {
            drop(ScopeSet::parse(&text));
        }
    }
}
