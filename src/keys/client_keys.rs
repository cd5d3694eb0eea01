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

/// What the keys of a set that are for signatures are called.
pub fn key_ids(jwks: &str) -> Vec<String> {
    let set = read_set(jwks).unwrap_or_default();
    let kid =
        |jwk: &Map<String, Value>| jwk.get("kid").and_then(Value::as_str).unwrap_or("one without").to_owned();
    set.iter().filter(|jwk| is_for_signatures(jwk)).map(kid).collect()
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use josekit::jwk::alg::ec::EcCurve;
    use josekit::jwk::alg::ed::EdCurve;
    use josekit::jwk::{Jwk, KeyPair};
    use josekit::jws::{ES256, ES384, EdDSA, HS256, JwsSigner, PS256, RS256};
    use serde_json::json;

    use super::*;

    const ALL: &[SigningAlg] = SigningAlg::ALL;

    /// A client's key, as josekit makes it.
    struct ClientKey {
        jwk: Jwk,
        sign: Box<dyn JwsSigner>,
    }

    impl ClientKey {
        fn new(alg: SigningAlg) -> Self {
            match alg {
                SigningAlg::Rs256 => Self::rsa(2048, false),
                SigningAlg::Ps256 => Self::rsa(2048, true),
                SigningAlg::Es256 => {
                    let pair = ES256.generate_key_pair().unwrap();
                    let sign = Box::new(ES256.signer_from_der(pair.to_der_private_key()).unwrap());
                    Self { jwk: pair.to_jwk_public_key(), sign }
                }
                SigningAlg::EdDsa => {
                    let pair = EdDSA.generate_key_pair(EdCurve::Ed25519).unwrap();
                    let sign = Box::new(EdDSA.signer_from_der(pair.to_der_private_key()).unwrap());
                    Self { jwk: pair.to_jwk_public_key(), sign }
                }
            }
        }

        fn rsa(bits: u32, pss: bool) -> Self {
            let pair = josekit::jwk::alg::rsa::RsaKeyPair::generate(bits).unwrap();
            let jwk = pair.to_jwk_private_key();
            let sign: Box<dyn JwsSigner> = if pss {
                Box::new(PS256.signer_from_jwk(&jwk).unwrap())
            } else {
                Box::new(RS256.signer_from_jwk(&jwk).unwrap())
            };
            Self { jwk: pair.to_jwk_public_key(), sign }
        }

        fn public(&self, labels: Value) -> Value {
            let mut members: Map<String, Value> = self.jwk.as_ref().clone();
            for label in ["kid", "use", "alg", "key_ops"] {
                members.remove(label);
            }
            members.extend(labels.as_object().unwrap().clone());
            Value::Object(members)
        }

        fn token(&self, header: Value) -> String {
            let claims = json!({ "iss": "calendar", "sub": "calendar", "jti": "1" });
            let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", encode(&header), encode(&claims));
            let signature = self.sign.sign(signed.as_bytes()).unwrap();
            format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
        }
    }

    fn set(keys: &[Value]) -> String {
        json!({ "keys": keys }).to_string()
    }

    #[test]
    fn tk_3_all_four_algorithms_are_verified_with_or_without_a_kid() {
        for alg in ALL {
            let key = ClientKey::new(*alg);
            let jwks = set(&[key.public(json!({ "kid": "k1", "use": "sig", "alg": alg.as_str() }))]);
            assert_eq!(check_jwks_registration(&jwks), Ok(()), "{alg}");
            for header in [
                json!({ "alg": alg.as_str(), "kid": "k1" }),
                json!({ "alg": alg.as_str() }),
                json!({ "alg": alg.as_str(), "kid": "k1", "typ": "JWT" }),
                json!({ "alg": alg.as_str(), "typ": "client-authentication+jwt" }),
                json!({ "alg": alg.as_str(), "typ": "application/Client-Authentication+JWT" }),
            ] {
                let claims = verify_with_jwks(&key.token(header.clone()), &jwks, &[*alg]).unwrap();
                assert_eq!(claims["sub"], "calendar", "{header}");
            }
            let token = key.token(json!({ "alg": alg.as_str(), "kid": "k1" }));
            let (signed, signature) = token.rsplit_once('.').unwrap();
            let altered = format!("{}A.{signature}", &signed[..signed.len() - 1]);
            assert!(verify_with_jwks(&altered, &jwks, ALL).is_err());
            assert_eq!(verify_with_jwks(&format!("{signed}."), &jwks, ALL), Err(VerifyError::BadSignature));
        }
    }

    #[test]
    fn tk_1_the_algorithm_is_on_the_list_and_fits_the_key() {
        let rsa = ClientKey::new(SigningAlg::Rs256);
        let public = rsa.public(json!({ "kid": "k1" }));
        let jwks = set(std::slice::from_ref(&public));
        let token = rsa.token(json!({ "alg": "RS256", "kid": "k1" }));
        assert!(verify_with_jwks(&token, &jwks, ALL).is_ok());
        assert_eq!(verify_with_jwks(&token, &jwks, &[SigningAlg::Ps256]), Err(VerifyError::WrongAlgorithm));
        assert_eq!(verify_with_jwks(&token, &jwks, &[]), Err(VerifyError::WrongAlgorithm));
        for (alg, expected) in [
            ("none", VerifyError::WrongAlgorithm),
            ("HS256", VerifyError::WrongAlgorithm),
            ("RS512", VerifyError::WrongAlgorithm),
            ("ES256", VerifyError::UnknownKey),
            ("EdDSA", VerifyError::UnknownKey),
            ("PS256", VerifyError::BadSignature),
        ] {
            let token = rsa.token(json!({ "alg": alg, "kid": "k1" }));
            assert_eq!(verify_with_jwks(&token, &jwks, ALL), Err(expected), "{alg}");
        }
        // HMAC with what is public as the secret.
        for secret in [jwks.clone(), public.to_string(), public["n"].as_str().unwrap().to_owned()] {
            let hmac = ClientKey {
                jwk: Jwk::new("oct"),
                sign: Box::new(HS256.signer_from_bytes(secret.as_bytes()).unwrap()),
            };
            let token = hmac.token(json!({ "alg": "HS256", "kid": "k1" }));
            assert_eq!(verify_with_jwks(&token, &jwks, ALL), Err(VerifyError::WrongAlgorithm));
            let oct =
                set(&[json!({ "kty": "oct", "kid": "k1", "k": BASE64_URL_SAFE_NO_PAD.encode(&secret) })]);
            assert_eq!(verify_with_jwks(&token, &oct, ALL), Err(VerifyError::WrongAlgorithm));
        }
        let bound = set(&[rsa.public(json!({ "kid": "k1", "alg": "PS256" }))]);
        assert_eq!(verify_with_jwks(&token, &bound, ALL), Err(VerifyError::UnknownKey));
    }

    #[test]
    fn tk_2_one_key_is_chosen_and_others_are_not_tried() {
        let [ours, other, rsa] =
            [SigningAlg::Es256, SigningAlg::Es256, SigningAlg::Rs256].map(ClientKey::new);
        let labelled = |key: &ClientKey, labels: Value| key.public(labels);
        let named = json!({ "alg": "ES256", "kid": "a" });
        let unnamed = json!({ "alg": "ES256" });
        let (a, b) = (json!({ "kid": "a" }), json!({ "kid": "b" }));
        for (name, header, keys, expected) in [
            ("by kid", &named, vec![labelled(&other, b.clone()), labelled(&ours, a.clone())], Ok(())),
            (
                "the kid's key is another",
                &named,
                vec![labelled(&other, a.clone())],
                Err(VerifyError::BadSignature),
            ),
            ("unknown kid", &named, vec![labelled(&ours, b.clone())], Err(VerifyError::UnknownKey)),
            ("kid asked, none named", &named, vec![labelled(&ours, json!({}))], Err(VerifyError::UnknownKey)),
            ("kid is of another type", &named, vec![labelled(&rsa, a.clone())], Err(VerifyError::UnknownKey)),
            (
                "same kid, two types",
                &named,
                vec![labelled(&rsa, a.clone()), labelled(&ours, a.clone())],
                Ok(()),
            ),
            (
                "the only key that fits",
                &unnamed,
                vec![labelled(&rsa, a.clone()), labelled(&ours, b.clone())],
                Ok(()),
            ),
            (
                "two fit",
                &unnamed,
                vec![labelled(&ours, a.clone()), labelled(&other, b.clone())],
                Err(VerifyError::UnknownKey),
            ),
            (
                "the other is for encryption",
                &unnamed,
                vec![labelled(&ours, a.clone()), labelled(&other, json!({ "use": "enc" }))],
                Ok(()),
            ),
            (
                "for encryption",
                &named,
                vec![labelled(&ours, json!({ "kid": "a", "use": "enc" }))],
                Err(VerifyError::UnknownKey),
            ),
            (
                "for another operation",
                &named,
                vec![labelled(&ours, json!({ "kid": "a", "key_ops": ["encrypt"] }))],
                Err(VerifyError::UnknownKey),
            ),
            (
                "for verifying",
                &named,
                vec![labelled(&ours, json!({ "kid": "a", "key_ops": ["verify"] }))],
                Ok(()),
            ),
            ("no key", &named, vec![], Err(VerifyError::UnknownKey)),
        ] {
            assert_eq!(
                verify_with_jwks(&ours.token(header.clone()), &set(&keys), ALL).map(drop),
                expected,
                "{name}"
            );
        }
        // A key that the token brings along is not looked at.
        let header = json!({ "alg": "ES256", "kid": "a", "jwk": ours.public(json!({})), "jku": "https://evil.example" });
        let jwks = set(&[other.public(a)]);
        assert_eq!(verify_with_jwks(&ours.token(header), &jwks, ALL), Err(VerifyError::BadSignature));
        let critical = json!({ "alg": "ES256", "kid": "b", "crit": ["b64"], "b64": true });
        let jwks = set(&[ours.public(b)]);
        assert_eq!(verify_with_jwks(&ours.token(critical), &jwks, ALL), Err(VerifyError::Malformed));
        for unreadable in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#] {
            let token = ours.token(json!({ "alg": "ES256" }));
            assert_eq!(verify_with_jwks(&token, unreadable, ALL), Err(VerifyError::UnknownKey));
        }
    }

    #[test]
    fn tk_3_weak_keys_and_zero_signatures_are_refused() {
        let weak = ClientKey::rsa(2048, false);
        let mut public = weak.public(json!({ "kid": "k1" }));
        let short = josekit::jwk::alg::rsa::RsaKeyPair::generate(1024).unwrap().to_jwk_public_key();
        public["n"] = short.parameter("n").unwrap().clone();
        let jwks = set(&[public]);
        let token = weak.token(json!({ "alg": "RS256", "kid": "k1" }));
        assert_eq!(verify_with_jwks(&token, &jwks, ALL), Err(VerifyError::UnknownKey));
        assert!(check_jwks_registration(&jwks).unwrap_err().contains("1024"));

        let ec = ClientKey::new(SigningAlg::Es256);
        let jwks = set(&[ec.public(json!({}))]);
        let token = ec.token(json!({ "alg": "ES256" }));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let zero = [0; 32];
        for forged in
            [[zero, zero].concat(), [&zero, &signature[32..]].concat(), [&signature[..32], &zero].concat()]
        {
            let forged = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(forged));
            assert_eq!(verify_with_jwks(&forged, &jwks, ALL), Err(VerifyError::BadSignature));
        }
        let mut off_curve = ec.public(json!({}));
        off_curve["y"] = off_curve["x"].clone();
        assert_eq!(verify_with_jwks(&token, &set(&[off_curve]), ALL), Err(VerifyError::BadSignature));
    }

    #[test]
    fn tk_4_a_token_of_another_kind_is_no_assertion() {
        let key = ClientKey::new(SigningAlg::Es256);
        let jwks = set(&[key.public(json!({}))]);
        for typ in ["at+jwt", "dpop+jwt", "logout+jwt", "oauth-authz-req+jwt", "text/JWT", ""] {
            let token = key.token(json!({ "alg": "ES256", "typ": typ }));
            assert_eq!(verify_with_jwks(&token, &jwks, ALL), Err(VerifyError::WrongType), "{typ}");
        }
    }

    #[test]
    fn a_set_that_cannot_serve_is_refused_with_the_reason() {
        let ec = ClientKey::new(SigningAlg::Es256);
        let p384 = ES384.generate_key_pair().unwrap();
        assert_eq!(p384.curve(), EcCurve::P384);
        let private = Value::Object(ES256.generate_key_pair().unwrap().to_jwk_private_key().as_ref().clone());
        let public = |labels| ec.public(labels);
        for (name, text, reason) in [
            ("not JSON", "x".to_owned(), "not a JWK Set"),
            ("one key, no set", public(json!({})).to_string(), "not a JWK Set"),
            ("repeated member", r#"{"keys":[{"kty":"EC","kty":"EC"}]}"#.to_owned(), "not a JWK Set"),
            ("a key that is no object", r#"{"keys":["x"]}"#.to_owned(), "not a JWK Set"),
            ("no key", set(&[]), "1 to 50 keys"),
            ("too many", set(&vec![public(json!({})); 51]), "1 to 50 keys"),
            ("too long", format!("{}{}", set(&[public(json!({}))]), " ".repeat(70_000)), "at most"),
            ("private", set(&[public(json!({})), private]), "key 2: it contains the private member d"),
            ("private RSA member", set(&[public(json!({ "qi": "AA" }))]), "private member qi"),
            ("symmetric", set(&[json!({ "kty": "oct", "k": "AAAA" })]), "symmetric"),
            (
                "curve",
                set(&[Value::Object(p384.to_jwk_public_key().as_ref().clone())]),
                "the curve P-384 is not supported",
            ),
            ("no kty", set(&[json!({})]), "the member kty is missing"),
            ("alg of another type", set(&[public(json!({ "alg": "RS256" }))]), "alg"),
            ("unknown alg", set(&[public(json!({ "alg": "HS256" }))]), "alg"),
            ("encryption only", set(&[public(json!({ "use": "enc" }))]), "no key for signatures"),
            (
                "kid twice",
                set(&[public(json!({ "kid": "a" })), public(json!({ "kid": "a" }))]),
                "share the kid a",
            ),
            ("kid is no text", set(&[public(json!({ "kid": 1 }))]), "kid must be text"),
        ] {
            let refused = check_jwks_registration(&text).unwrap_err();
            assert!(refused.contains(reason), "{name}: {refused}");
        }
        let both = set(&[
            public(json!({ "kid": "s" })),
            public(json!({ "kid": "e", "use": "enc", "alg": "ECDH-ES" })),
        ]);
        assert_eq!(check_jwks_registration(&both), Ok(()));
    }
}
