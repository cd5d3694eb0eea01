//! For an API in Rust: is this access token good now? Offline, from the provider's keys and its status lists.
//!
//! Nothing here fetches. The API hands over the bytes of the JWKS and of the lists, by whatever HTTP client it has, and
//! a [`Rejection`] says when it needs them ([`Rejection::remedy`]). Built with `default-features = false, features =
//! ["verify"]`, the crate has none of the server's dependencies.
//!
//! ```
//! use std::time::Duration;
//! use countersign::clock::Timestamp;
//! use countersign::verify::{Rejection, Remedy, Rules, Unlisted, Verifier};
//!
//! # fn fetch(_: &str) -> Vec<u8> { br#"{"keys":[]}"#.to_vec() }
//! # fn check(token: &str, now: Timestamp) -> Result<(), Rejection> {
//! let mut verifier = Verifier::new(Rules {
//!     issuer: "https://id.example.com".to_owned(),
//!     audience: "https://api.example.com".to_owned(),
//!     ..Rules::default()
//! });
//! verifier.take_keys(&fetch(&verifier.jwks_uri()), now).expect("a JWK Set");
//! let claims = loop {
//!     match verifier.verify(token, now) {
//!         Ok(claims) => break claims,
//!         Err(rejection) => match rejection.remedy() {
//!             Remedy::FetchKeys => {
//!                 verifier.take_keys(&fetch(&verifier.jwks_uri()), now).expect("a JWK Set");
//!             }
//!             Remedy::FetchList(uri) => verifier.take_list(uri, &fetch(uri), now)?,
//!             Remedy::Refuse => return Err(rejection), // 401
//!         },
//!     }
//! };
//! assert!(claims.has_scope("calendar:read"));
//! // Now and then, beside the requests, so that none of them waits:
//! for uri in verifier.lists_due(now) {
//!     verifier.take_list(&uri, &fetch(&uri), now)?;
//! }
//! # Ok(())
//! # }
//! # assert!(check("x", Timestamp::from_seconds(0)).is_err());
//! ```

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::keys::{Expect, NotAKeySet, PublicKeys, VerifyError};
use crate::model::{Bits, ListClaims, Reference, STATUS_LIST_TYP, SigningAlg, StatusClaim};

const ACCESS_TOKEN_TYP: &str = "at+jwt";
/// Keys are not asked for again sooner than this because of a token that names an unknown one: anybody can write such
/// tokens.
const KEYS_AGAIN: Duration = Duration::from_secs(60);
/// No provider of ours has more lists than this in use.
const MAX_LISTS: usize = 256;

/// What an API demands.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Exactly as the provider's discovery document spells it.
    pub issuer: String,
    /// The API's own identifier, which a token must name.
    pub audience: String,
    pub algorithms: Vec<SigningAlg>,
    /// How far the clocks may be apart; at most 60 s.
    pub leeway: Duration,
    /// A list that was taken longer ago counts as absent. It also ends by its own `exp`.
    pub keep_lists: Duration,
    pub unlisted: Unlisted,
}

/// What becomes of a token whose list is absent or too old, or that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// Revoked tokens never pass; while the provider cannot be reached, neither do others.
    Refuse,
    /// Tokens pass until they expire; while the provider cannot be reached, so do revoked ones.
    Accept,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            algorithms: vec![SigningAlg::Es256],
            leeway: Duration::ZERO,
            keep_lists: Duration::from_secs(5 * 60),
            unlisted: Unlisted::Refuse,
        }
    }
}

/// Why a token, or a list, is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("it is not a token: {0}")]
    Invalid(#[from] VerifyError),
    #[error("the token names a key that is not known here: fetch the keys again")]
    UnknownKey,
    #[error("the token has expired: the client has to get a new one")]
    Expired,
    #[error("the token is for another API: the client has to ask for one with this API as its resource")]
    WrongAudience,
    #[error("the token was revoked: the user has to sign in again")]
    Revoked,
    #[error("whether the token was revoked is not known here: fetch {0}")]
    NeedsList(String),
    #[error("the token names no status list, so it could not be revoked")]
    Unlisted,
    #[error("this is not the status list {0}")]
    NotTheList(String),
    #[error("the status list {0} has expired")]
    ListExpired(String),
    #[error("a newer status list {0} is known already")]
    OlderList(String),
}

/// What to do about a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy<'a> {
    /// Fetch the JWKS, [take](Verifier::take_keys) it and verify once more.
    FetchKeys,
    /// Fetch this list, [take](Verifier::take_list) it and verify once more.
    FetchList(&'a str),
    /// Answer 401.
    Refuse,
}

impl Rejection {
    pub fn remedy(&self) -> Remedy<'_> {
        match self {
            Self::UnknownKey => Remedy::FetchKeys,
            Self::NeedsList(uri) => Remedy::FetchList(uri),
            _ => Remedy::Refuse,
        }
    }
}

/// The claims of a token that is good.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// The user (`usr_…`), or whatever acts for itself.
    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id")
    }

    pub fn has_scope(&self, scope: &str) -> bool {
        self.text("scope").is_some_and(|scopes| scopes.split(' ').any(|one| one == scope))
    }

    /// Any claim, as JSON.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

/// What an API holds: its rules, the provider's keys, the lists that its tokens name.
pub struct Verifier {
    rules: Rules,
    keys: PublicKeys,
    keys_at: Option<Timestamp>,
    lists: HashMap<String, List>,
}

struct List {
    bits: Bits,
    issued_at: i64,
    taken_at: Timestamp,
    due_at: Timestamp,
    ends_at: Timestamp,
}

impl Verifier {
    pub fn new(rules: Rules) -> Self {
        Self { rules, keys: PublicKeys::default(), keys_at: None, lists: HashMap::new() }
    }

    /// Where the provider's keys are.
    pub fn jwks_uri(&self) -> String {
        format!("{}/.well-known/jwks.json", self.rules.issuer.trim_end_matches('/'))
    }

    /// Takes the provider's keys, in place of those before.
    ///
    /// # Errors
    /// If it is no JWK Set; the keys before are kept then.
    pub fn take_keys(&mut self, jwks: &[u8], now: Timestamp) -> Result<(), NotAKeySet> {
        self.keys = PublicKeys::parse(jwks)?;
        self.keys_at = Some(now);
        Ok(())
    }

    /// Takes the list that was fetched from this address.
    ///
    /// # Errors
    /// If it is not that list, was not signed by the provider, or is no news; the list before is kept then.
    pub fn take_list(&mut self, uri: &str, jwt: &[u8], now: Timestamp) -> Result<(), Rejection> {
        let other = || Rejection::NotTheList(uri.to_owned());
        if !self.is_a_list(uri) {
            return Err(other());
        }
        let text = std::str::from_utf8(jwt).map_err(|_| other())?.trim();
        let verified = match self.keys.verify_list(text, &self.expect(&[STATUS_LIST_TYP], now)) {
            Ok(verified) => verified,
            Err(VerifyError::Expired) => return Err(Rejection::ListExpired(uri.to_owned())),
            Err(error) => return Err(self.rejection(error, now)),
        };
        let claims: ListClaims =
            serde_json::from_value(Value::Object(verified.claims)).map_err(|_| other())?;
        if claims.sub != uri {
            return Err(other());
        }
        if self.lists.get(uri).is_some_and(|known| known.issued_at > claims.iat) {
            return Err(Rejection::OlderList(uri.to_owned()));
        }
        let list = List {
            bits: Bits::decode(&claims.status_list).ok_or_else(other)?,
            issued_at: claims.iat,
            taken_at: now,
            due_at: now.plus(Duration::from_secs(claims.ttl)),
            ends_at: Timestamp::from_seconds(claims.exp),
        };
        if self.lists.len() >= MAX_LISTS {
            self.lists.retain(|_, list| now < list.ends_at);
        }
        self.lists.insert(uri.to_owned(), list);
        Ok(())
    }

    /// The lists that are held and ought to be fetched again.
    pub fn lists_due(&self, now: Timestamp) -> Vec<String> {
        let due = self.lists.iter().filter(|(_, list)| now < list.taken_at || list.due_at <= now);
        due.map(|(uri, _)| uri.clone()).collect()
    }

    /// Whether this access token is good.
    ///
    /// # Errors
    /// Says why not, and what could be done ([`Rejection::remedy`]).
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Rejection> {
        let verified = self
            .keys
            .verify(token, &self.expect(&[ACCESS_TOKEN_TYP], now))
            .map_err(|error| self.rejection(error, now))?;
        let claims = Claims(verified.claims);
        let named = match claims.get("aud") {
            Some(Value::String(one)) => *one == self.rules.audience,
            Some(Value::Array(many)) => many.iter().any(|one| *one == self.rules.audience),
            _ => false,
        };
        if !named {
            return Err(Rejection::WrongAudience);
        }
        self.check_status(&claims, now)?;
        Ok(claims)
    }

    fn check_status(&self, claims: &Claims, now: Timestamp) -> Result<(), Rejection> {
        let absent = |rejection| match self.rules.unlisted {
            Unlisted::Refuse => Err(rejection),
            Unlisted::Accept => Ok(()),
        };
        let Some(status) = claims.get("status") else { return absent(Rejection::Unlisted) };
        let Reference { idx, uri } = StatusClaim::deserialize(status)
            .map_err(|_| Rejection::Invalid(VerifyError::Malformed))?
            .status_list;
        if !self.is_a_list(&uri) {
            return Err(Rejection::NotTheList(uri));
        }
        match self.lists.get(&uri).filter(|list| list.holds(now, self.rules.keep_lists)) {
            Some(list) => match list.bits.get(idx) {
                Some(false) => Ok(()),
                Some(true) => Err(Rejection::Revoked),
                None => Err(Rejection::NotTheList(uri)),
            },
            // What was marked once stays marked while a token that names it lives.
            None if self.lists.get(&uri).is_some_and(|list| list.bits.get(idx) == Some(true)) => {
                Err(Rejection::Revoked)
            }
            None => absent(Rejection::NeedsList(uri)),
        }
    }

    /// Lists stand at the provider itself, and nowhere else may a token send this API.
    fn is_a_list(&self, uri: &str) -> bool {
        let below = uri.strip_prefix(self.rules.issuer.trim_end_matches('/'));
        below.and_then(|below| below.strip_prefix("/revocations")).is_some_and(|number| {
            number.is_empty()
                || number.strip_prefix('/').is_some_and(|n| {
                    !n.is_empty() && n.len() < 10 && n.bytes().all(|byte| byte.is_ascii_digit())
                })
        })
    }

    fn expect<'a>(&'a self, types: &'a [&'a str], now: Timestamp) -> Expect<'a> {
        Expect {
            types,
            algs: &self.rules.algorithms,
            issuer: &self.rules.issuer,
            now,
            leeway: self.rules.leeway,
            check_expiry: true,
        }
    }

    fn rejection(&self, error: VerifyError, now: Timestamp) -> Rejection {
        match error {
            VerifyError::UnknownKey if self.keys_at.is_none_or(|at| now.since(at) >= KEYS_AGAIN) => {
                Rejection::UnknownKey
            }
            VerifyError::Expired => Rejection::Expired,
            error => Rejection::Invalid(error),
        }
    }
}

impl List {
    fn holds(&self, now: Timestamp, keep: Duration) -> bool {
        now < self.ends_at && now.since(self.taken_at) < keep
    }
}
