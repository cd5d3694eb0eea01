//! A provider's JWKS as whoever verifies its tokens holds it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::json::parse_object;
use super::jwk::PublicKey;
use super::jws::Jws;
use super::verify::{Expect, Verified, VerifyError, verify_with};
use crate::model::SigningAlg;

/// A list of a million places of which each second one is marked has half of this.
const MAX_LIST_BYTES: usize = 512 * 1024;

/// The keys of a JWKS, by their `kid`.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys(HashMap<String, (SigningAlg, PublicKey)>);

/// Not a JWKS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK Set: expected a JSON object whose `keys` is a list of objects")]
pub struct NotAKeySet;

impl PublicKeys {
    /// Takes the signature keys that have a `kid` and an `alg`, as every key of ours has, and leaves out the others: a
    /// set may hold kinds of keys that are not known here (RFC 7517 §5).
    pub fn parse(jwks: &[u8]) -> Result<Self, NotAKeySet> {
        let mut set = parse_object(jwks).ok_or(NotAKeySet)?;
        let Some(Value::Array(keys)) = set.remove("keys") else { return Err(NotAKeySet) };
        let mut known = HashMap::new();
        for key in &keys {
            let jwk = key.as_object().ok_or(NotAKeySet)?;
            if let Some((kid, alg, key)) = usable(jwk) {
                known.insert(kid, (alg, key));
            }
        }
        Ok(Self(known))
    }

    /// Verifies a compact JWS by one of these keys.
    ///
    /// # Errors
    /// Says the first demand that the token does not meet. Claims are looked at only once the signature is good.
    pub fn verify(&self, token: &str, expect: &Expect<'_>) -> Result<Verified, VerifyError> {
        self.verify_parsed(&Jws::parse(token)?, expect)
    }

    /// The same of a status list, which may be longer than any token.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_list(&self, list: &str, expect: &Expect<'_>) -> Result<Verified, VerifyError> {
        self.verify_parsed(&Jws::parse_up_to(MAX_LIST_BYTES, list)?, expect)
    }

    fn verify_parsed(&self, jws: &Jws<'_>, expect: &Expect<'_>) -> Result<Verified, VerifyError> {
        verify_with(jws, expect, |kid| self.0.get(kid).map(|(alg, key)| (*alg, key)))
    }
}

fn usable(jwk: &Map<String, Value>) -> Option<(String, SigningAlg, PublicKey)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let alg = SigningAlg::parse(text("alg")?)?;
    let key = PublicKey::from_jwk(jwk).ok().filter(|key| key.fits(alg))?;
    Some((text("kid")?.to_owned(), alg, key))
}
