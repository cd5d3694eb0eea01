//! Reading a compact JWS strictly (RFC 7515 §5.2, §7.1), before anything in it is believed.
//!
//! Which key and which algorithm may verify it is left to the callers, [`super::verify`] and
//! [`super::client_keys`]. The header is asked for `alg`, `kid` and `typ` only: members that carry or point at a
//! key (`jwk`, `jku`, `x5u`, `x5c`) have no reader here (TK-2).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json::parse_object;
use super::verify::VerifyError;

/// Nothing longer is looked at (TK-12).
pub(super) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A compact JWS taken apart; nothing of it is verified yet.
pub(super) struct Jws<'a> {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
    /// What the signature is over: header and payload as they were sent.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Jws<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, VerifyError> {
        Self::parse_up_to(MAX_TOKEN_BYTES, token)
    }

    /// The same of something that may be longer than a token.
    pub(super) fn parse_up_to(most: usize, token: &'a str) -> Result<Self, VerifyError> {
        if token.len() > most {
            return Err(VerifyError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(VerifyError::Malformed)?;
        let header = parse_object(&decode(header)?).ok_or(VerifyError::Malformed)?;
        // No extension is understood here, so none that must be understood can be accepted (RFC 7515 §4.1.11).
        if header.contains_key("crit") || header.contains_key("zip") {
            return Err(VerifyError::Malformed);
        }
        Ok(Self {
            alg: text(&header, "alg")?.ok_or(VerifyError::Malformed)?,
            kid: text(&header, "kid")?,
            typ: text(&header, "typ")?,
            signed: signed.as_bytes(),
            signature: decode(signature)?,
            payload: decode(payload)?,
        })
    }

    /// The payload as claims. To be asked only after the signature was found good.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, VerifyError> {
        parse_object(&self.payload).ok_or(VerifyError::Malformed)
    }
}

/// What the header of a token says of its key, before anything of it is believed: for those who ask why it was refused.
#[cfg(feature = "server")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peeked {
    pub kid: Option<String>,
    pub alg: Option<String>,
}

/// Looks at a header. Of what is no JWS nothing is said.
#[cfg(feature = "server")]
pub fn peek_header(token: &str) -> Peeked {
    let header = token.split('.').next().filter(|_| token.len() <= MAX_TOKEN_BYTES);
    let header = header.and_then(|part| decode(part).ok()).and_then(|bytes| parse_object(&bytes));
    let text = |name: &str| header.as_ref()?.get(name)?.as_str().map(str::to_owned);
    Peeked { kid: text("kid"), alg: text("alg") }
}

/// The engine is strict: no padding, no foreign letters, no stray bits at the end.
fn decode(part: &str) -> Result<Vec<u8>, VerifyError> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| VerifyError::Malformed)
}

fn text(header: &Map<String, Value>, name: &str) -> Result<Option<String>, VerifyError> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(VerifyError::Malformed),
    }
}
