//! Verifying the tokens that this instance signed: strictly, by explicit lists, with keys found by `kid` alone.
//!
//! What a verified token allows is left to [`crate::grants`]; whether its grant or session still lives, too.

use std::time::Duration;

use serde_json::{Map, Value};

use super::jws::Jws;
use super::keyring::Keyring;
use crate::clock::Timestamp;
use crate::model::SigningAlg;

/// No caller may allow a greater difference of clocks (TK-6).
const MAX_SKEW: Duration = Duration::from_secs(60);

/// Why a token is refused. For logs and for choosing an answer; clients learn no more than `invalid_token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token's algorithm is not accepted here")]
    WrongAlgorithm,
    #[error("the token's key is unknown, or no longer trusted")]
    UnknownKey,
    #[error("the token's signature is wrong")]
    BadSignature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is from the future")]
    NotYetValid,
    #[error("the token is of another kind")]
    WrongType,
    #[error("the token is from another issuer")]
    WrongIssuer,
}

/// What a caller demands of a token.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The kinds accepted, as `typ` spells them (TK-4).
    pub types: &'a [&'a str],
    /// The algorithms accepted (TK-1).
    pub algs: &'a [SigningAlg],
    pub issuer: &'a str,
    pub now: Timestamp,
    /// How long past its `exp` a token is still taken; more than 60 s is cut to 60 s.
    pub leeway: Duration,
    /// Off only for an `id_token_hint`, which may be old (OpenID Connect RP-Initiated Logout §4). An `exp` must be
    /// there all the same.
    pub check_expiry: bool,
}

/// The header of a token whose signature is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub alg: SigningAlg,
    pub kid: String,
    pub typ: String,
}

/// A token that passed every demand.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub header: Header,
    pub claims: Map<String, Value>,
}

impl Keyring {
    /// Verifies a compact JWS that this instance signed.
    ///
    /// # Errors
    /// Says the first demand that the token does not meet. Claims are looked at only once the signature is good.
    pub fn verify(&self, token: &str, expect: &Expect<'_>) -> Result<Verified, VerifyError> {
        let jws = Jws::parse(token)?;
        let header = accept_header(&jws, expect)?;
        let key = self.verifying_key(&header.kid, expect.now).ok_or(VerifyError::UnknownKey)?;
        if key.alg() != header.alg {
            return Err(VerifyError::WrongAlgorithm);
        }
        if !key.verify(jws.signed, &jws.signature) {
            return Err(VerifyError::BadSignature);
        }
        let claims = jws.claims()?;
        check_claims(&claims, expect)?;
        Ok(Verified { header, claims })
    }
}

fn accept_header(jws: &Jws<'_>, expect: &Expect<'_>) -> Result<Header, VerifyError> {
    let typ =
        jws.typ.clone().filter(|typ| expect.types.contains(&typ.as_str())).ok_or(VerifyError::WrongType)?;
    let alg = accept_alg(&jws.alg, expect.algs)?;
    let kid = jws.kid.clone().ok_or(VerifyError::UnknownKey)?;
    Ok(Header { alg, kid, typ })
}

/// The header's algorithm, if it is on the list. `none` and HMAC are not even words here (TK-1).
pub(super) fn accept_alg(alg: &str, accepted: &[SigningAlg]) -> Result<SigningAlg, VerifyError> {
    SigningAlg::parse(alg).filter(|alg| accepted.contains(alg)).ok_or(VerifyError::WrongAlgorithm)
}

fn check_claims(claims: &Map<String, Value>, expect: &Expect<'_>) -> Result<(), VerifyError> {
    if claims.get("iss").and_then(Value::as_str) != Some(expect.issuer) {
        return Err(VerifyError::WrongIssuer);
    }
    let time = |name| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Timestamp::from_seconds).map(Some).ok_or(VerifyError::Malformed),
    };
    let (exp, iat) =
        (time("exp")?.ok_or(VerifyError::Malformed)?, time("iat")?.ok_or(VerifyError::Malformed)?);
    if expect.check_expiry && exp.plus(expect.leeway.min(MAX_SKEW)) <= expect.now {
        return Err(VerifyError::Expired);
    }
    let from_future = expect.now.plus(MAX_SKEW);
    if iat >= from_future || time("nbf")?.is_some_and(|nbf| nbf >= from_future) {
        return Err(VerifyError::NotYetValid);
    }
    Ok(())
}
