//! Verifying what a client signed with its own key (`private_key_jwt`, OpenID Connect Core §9), and checking the
//! keys that a client registers.
//!
//! Only the signature is settled here. Audience, lifetime and single use of an assertion (CA-3) are left to the
//! client authentication that calls this; fetching a `jwks_uri`, to the outbound HTTP client.

use serde_json::{Map, Value};

use super::json::parse_object;
use super::jwk::PublicKey;
use super::jws::Jws;
use super::verify::{VerifyError, accept_alg};
use crate::model::SigningAlg;

/// The kinds of JWT that an assertion may call itself; mostly it says nothing (RFC 7523, draft-ietf-oauth-rfc7523bis
/// §3.1). Anything else is some other token, signed for another purpose (TK-4).
const ASSERTION_TYPES: &[&str] = &["JWT", "client-authentication+jwt"];

/// The members of private and symmetric keys (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const MAX_JWKS_BYTES: usize = 64 * 1024;
const MAX_KEYS: usize = 50;

/// Verifies a client's JWT against its JWK Set, and gives its claims.
///
/// The key is the one named by `kid`, or without a `kid` the only one that fits the algorithm: several candidates
/// are never tried in turn (TK-2).
///
/// # Errors
/// Says why the signature is not accepted; [`VerifyError::UnknownKey`] means that the set may have to be fetched
/// again.
pub fn verify_with_jwks(
    token: &str,
    jwks: &str,
    algs: &[SigningAlg],
) -> Result<Map<String, Value>, VerifyError> {
    let jws = Jws::parse(token)?;
    if jws.typ.as_deref().is_some_and(|typ| !is_assertion_type(typ)) {
        return Err(VerifyError::WrongType);
    }
    let alg = accept_alg(&jws.alg, algs)?;
    let set = read_set(jwks).map_err(|_| VerifyError::UnknownKey)?;
    let key = find_key(&set, jws.kid.as_deref(), alg).ok_or(VerifyError::UnknownKey)?;
    if !key.verify(alg, jws.signed, &jws.signature) {
        return Err(VerifyError::BadSignature);
    }
    jws.claims()
}

/// Checks a JWK Set that a client registers; the error says what to change.
///
/// # Errors
/// If it is not a set of public keys with at least one that we can verify with, or two keys share a `kid`.
pub fn check_jwks_registration(text: &str) -> Result<(), String> {
    let set = read_set(text)?;
    if set.is_empty() || set.len() > MAX_KEYS {
        return Err(format!("a JWK Set holds 1 to {MAX_KEYS} keys; this one holds {}", set.len()));
    }
    let mut kids = Vec::new();
    let mut usable = false;
    for (index, jwk) in set.iter().enumerate() {
        usable |= check_key(jwk).map_err(|problem| format!("key {}: {problem}", index + 1))?;
        if let Some(kid) = jwk.get("kid") {
            let kid = kid.as_str().ok_or_else(|| format!("key {}: kid must be text", index + 1))?;
            if kids.contains(&kid) {
                return Err(format!("two keys share the kid {kid:.60}"));
            }
            kids.push(kid);
        }
    }
    if usable { Ok(()) } else { Err("the JWK Set has no key for signatures".to_owned()) }
}

/// Whether the key is one for signatures; an error if it must not be registered at all.
fn check_key(jwk: &Map<String, Value>) -> Result<bool, String> {
    if jwk.get("kty").and_then(Value::as_str) == Some("oct") {
        return Err("symmetric keys (kty oct) are refused; register a public key".to_owned());
    }
    if let Some(member) = PRIVATE_MEMBERS.iter().find(|member| jwk.contains_key(**member)) {
        return Err(format!(
            "it contains the private member {member}: this key is now compromised; make a new one and register its \
             public half only"
        ));
    }
    if !is_for_signatures(jwk) {
        return Ok(false);
    }
    let key = PublicKey::from_jwk(jwk)?;
    match jwk.get("alg") {
        None => Ok(true),
        Some(alg) => match alg.as_str().and_then(SigningAlg::parse) {
            Some(alg) if key.fits(alg) => Ok(true),
            _ => Err("its alg is not RS256, PS256, ES256 or EdDSA, or does not fit its kty".to_owned()),
        },
    }
}

fn read_set(text: &str) -> Result<Vec<Map<String, Value>>, String> {
    if text.len() > MAX_JWKS_BYTES {
        return Err(format!("a JWK Set has at most {MAX_JWKS_BYTES} bytes"));
    }
    let not_a_set =
        || "not a JWK Set: expected a JSON object, without repeated members, whose keys is a list of objects";
    let mut set = parse_object(text.as_bytes()).ok_or_else(not_a_set)?;
    let Some(Value::Array(keys)) = set.remove("keys") else { return Err(not_a_set().to_owned()) };
    keys.into_iter()
        .map(|key| match key {
            Value::Object(members) => Ok(members),
            _ => Err(not_a_set().to_owned()),
        })
        .collect()
}

fn find_key(set: &[Map<String, Value>], kid: Option<&str>, alg: SigningAlg) -> Option<PublicKey> {
    let mut fitting = set
        .iter()
        .filter(|jwk| kid.is_none() || jwk.get("kid").and_then(Value::as_str) == kid)
        .filter(|jwk| is_for_signatures(jwk) && jwk.get("alg").is_none_or(|named| named == alg.as_str()))
        .filter_map(|jwk| PublicKey::from_jwk(jwk).ok())
        .filter(|key| key.fits(alg));
    let key = fitting.next()?;
    fitting.next().is_none().then_some(key)
}

/// What the key says of its purpose (RFC 7517 §4.2, §4.3). Saying nothing allows both.
fn is_for_signatures(jwk: &Map<String, Value>) -> bool {
    let by_use = jwk.get("use").is_none_or(|purpose| purpose == "sig");
    let by_ops = jwk.get("key_ops").is_none_or(|ops| {
        ops.as_array().is_some_and(|ops| ops.iter().any(|operation| operation == "verify"))
    });
    by_use && by_ops
}

/// A media type is compared without regard to case, and may leave out `application/` (RFC 7515 §4.1.9).
fn is_assertion_type(typ: &str) -> bool {
    let lower = typ.to_ascii_lowercase();
    let name = lower.strip_prefix("application/").unwrap_or(&lower);
    ASSERTION_TYPES.iter().any(|accepted| accepted.eq_ignore_ascii_case(name))
}
