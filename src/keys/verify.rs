//! Verifying the tokens that this instance signed: strictly, by explicit lists, with keys found by `kid` alone.
//!
//! What a verified token allows is left to [`crate::grants`]; whether its grant or session still lives, too.

use std::time::Duration;

use serde_json::{Map, Value};

use super::jwk::PublicKey;
use super::jws::Jws;
#[cfg(feature = "server")]
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

#[cfg(feature = "server")]
impl Keyring {
    /// Verifies a compact JWS that this instance signed.
    ///
    /// # Errors
    /// Says the first demand that the token does not meet. Claims are looked at only once the signature is good.
    pub fn verify(&self, token: &str, expect: &Expect<'_>) -> Result<Verified, VerifyError> {
        verify_with(&Jws::parse(token)?, expect, |kid| self.verifying_key(kid, expect.now))
    }
}

/// Verifies with the key that `find` knows by its id, and the one algorithm of that key.
pub(super) fn verify_with<'k>(
    jws: &Jws<'_>,
    expect: &Expect<'_>,
    find: impl FnOnce(&str) -> Option<(SigningAlg, &'k PublicKey)>,
) -> Result<Verified, VerifyError> {
    let header = accept_header(jws, expect)?;
    let (alg, key) = find(&header.kid).ok_or(VerifyError::UnknownKey)?;
    if alg != header.alg {
        return Err(VerifyError::WrongAlgorithm);
    }
    if !key.verify(alg, jws.signed, &jws.signature) {
        return Err(VerifyError::BadSignature);
    }
    let claims = jws.claims()?;
    check_claims(&claims, expect)?;
    Ok(Verified { header, claims })
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
    use josekit::jwk::KeyPair;
    use josekit::jwk::alg::rsa::RsaKeyPair;
    use josekit::jws::{HS256, JwsSigner, PS256};
    use serde_json::json;

    use super::super::fixture::{OURS, generated, keyring, open, sealed, signing_since};
    use super::super::schedule::KeyTimes;
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const ISSUER: &str = "https://id.example.com";
    const EXPECT: Expect<'_> = Expect {
        types: &["at+jwt"],
        algs: &OURS,
        issuer: ISSUER,
        now: NOW,
        leeway: Duration::ZERO,
        check_expiry: true,
    };

    fn claims() -> Value {
        json!({ "iss": ISSUER, "sub": "usr_1", "iat": NOW.seconds(), "exp": NOW.seconds() + 900 })
    }

    fn token(alg: SigningAlg) -> String {
        keyring(NOW).signer(alg, NOW).unwrap().sign("at+jwt", &claims()).unwrap()
    }

    /// A token with a header and payload of our choice, signed by our own ES256 key: what a flaw in issuing would
    /// make.
    fn signed_by_us(header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = ecdsa().sign(&ring::rand::SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    fn ecdsa() -> ring::signature::EcdsaKeyPair {
        let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let private = &generated(SigningAlg::Es256).private;
        ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, private, &ring::rand::SystemRandom::new())
            .unwrap()
    }

    fn es256_header() -> String {
        let kid = &generated(SigningAlg::Es256).kid;
        format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#)
    }

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn verify(token: &str) -> Result<Verified, VerifyError> {
        keyring(NOW).verify(token, &EXPECT)
    }

    fn verify_claims(claims: &Value) -> Result<Verified, VerifyError> {
        verify(&signed_by_us(&es256_header(), &claims.to_string()))
    }

    #[test]
    fn what_we_sign_we_believe() {
        for alg in OURS {
            let verified = verify(&token(alg)).unwrap();
            assert_eq!(Value::Object(verified.claims), claims());
            let kid = generated(alg).kid.clone();
            assert_eq!(verified.header, Header { alg, kid, typ: "at+jwt".to_owned() });
        }
        assert!(
            verify(&signed_by_us(&es256_header(), &claims().to_string())).is_ok(),
            "the tests' own signer"
        );
    }

    #[test]
    fn tk_1_the_algorithm_is_on_the_list_and_is_the_keys_own() {
        let rsa = generated(SigningAlg::Rs256);
        let parts = |alg: &str, kid: &str| {
            let header = format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"at+jwt"}}"#);
            format!("{}.{}", encode(header), encode(claims().to_string()))
        };
        for none in ["none", "None", "NONE", ""] {
            let unsigned = parts(none, &rsa.kid);
            assert_eq!(verify(&format!("{unsigned}.")), Err(VerifyError::WrongAlgorithm));
            assert_eq!(verify(&format!("{unsigned}.AAAA")), Err(VerifyError::WrongAlgorithm));
        }

        // HMAC with the public key as the secret (RFC 8725 §2.1).
        let public = serde_json::to_string(&rsa.public_jwk).unwrap();
        let n = BASE64_URL_SAFE_NO_PAD.decode(rsa.public_jwk["n"].as_str().unwrap()).unwrap();
        for secret in [public.as_bytes(), n.as_slice()] {
            let signed = parts("HS256", &rsa.kid);
            let mac = HS256.signer_from_bytes(secret).unwrap().sign(signed.as_bytes()).unwrap();
            assert_eq!(verify(&format!("{signed}.{}", encode(mac))), Err(VerifyError::WrongAlgorithm));
        }

        // A good PSS signature by the very key, which signs RS256 only.
        let signed = parts("PS256", &rsa.kid);
        let private = RsaKeyPair::from_der(&rsa.private).unwrap().to_jwk_private_key();
        let signature = PS256.signer_from_jwk(&private).unwrap().sign(signed.as_bytes()).unwrap();
        let pss = format!("{signed}.{}", encode(signature));
        assert_eq!(verify(&pss), Err(VerifyError::WrongAlgorithm));
        let expect = Expect { algs: &[SigningAlg::Ps256], ..EXPECT };
        assert_eq!(keyring(NOW).verify(&pss, &expect), Err(VerifyError::WrongAlgorithm));

        let only_rsa = Expect { algs: &[SigningAlg::Rs256], ..EXPECT };
        let token = token(SigningAlg::Es256);
        assert_eq!(keyring(NOW).verify(&token, &only_rsa), Err(VerifyError::WrongAlgorithm));
    }

    #[test]
    fn tk_2_the_key_is_found_by_kid_alone() {
        let ec = generated(SigningAlg::Es256);
        let (other, jwk) =
            (&generated(SigningAlg::EdDsa).kid, serde_json::to_string(&ec.public_jwk).unwrap());
        let kid = &ec.kid;
        for (more, expected) in [
            (String::new(), VerifyError::UnknownKey),
            (r#","kid":"""#.to_owned(), VerifyError::UnknownKey),
            (r#","kid":"../../etc/passwd""#.to_owned(), VerifyError::UnknownKey),
            (r#","kid":"x","jku":"https://evil.example""#.to_owned(), VerifyError::UnknownKey),
            (format!(r#","jwk":{jwk}"#), VerifyError::UnknownKey),
            (format!(r#","kid":"{other}""#), VerifyError::WrongAlgorithm),
            (format!(r#","kid":["{kid}"]"#), VerifyError::Malformed),
            (format!(r#","kid":"{kid}","crit":["exp"],"exp":1"#), VerifyError::Malformed),
            (format!(r#","kid":"{kid}","crit":[]"#), VerifyError::Malformed),
            (format!(r#","kid":"{kid}","zip":"DEF""#), VerifyError::Malformed),
        ] {
            let header = format!(r#"{{"alg":"ES256","typ":"at+jwt"{more}}}"#);
            assert_eq!(verify(&signed_by_us(&header, &claims().to_string())), Err(expected), "{header}");
        }

        // A foreign key that travels in the header signs nothing, even under a kid that is ours.
        let foreign = super::super::generate(SigningAlg::Es256, &crate::crypto::Random::system()).unwrap();
        let jwk = serde_json::to_string(&foreign.public_jwk).unwrap();
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","jwk":{jwk},"x5c":["AAAA"]}}"#);
        let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
        let rng = ring::rand::SystemRandom::new();
        let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, &foreign.private, &rng).unwrap();
        let forged = format!("{signed}.{}", encode(pair.sign(&rng, signed.as_bytes()).unwrap()));
        assert_eq!(verify(&forged), Err(VerifyError::BadSignature));
    }

    #[test]
    fn nothing_in_a_token_can_be_altered() {
        for alg in OURS {
            let token = token(alg);
            let parts: Vec<&str> = token.split('.').collect();
            let admin = claims().to_string().replace("usr_1", "usr_2");
            let altered = format!("{}.{}.{}", parts[0], encode(admin), parts[2]);
            assert_eq!(verify(&altered), Err(VerifyError::BadSignature));
            assert_eq!(verify(&format!("{}.{}.", parts[0], parts[1])), Err(VerifyError::BadSignature));
            for cut in 0..token.len() {
                assert!(verify(&token[..cut]).is_err(), "cut to {cut}");
            }
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
            for index in [0, bytes.len() / 2, bytes.len() - 1] {
                bytes[index] ^= 1;
                let flipped = format!("{}.{}.{}", parts[0], parts[1], encode(&bytes));
                assert_eq!(verify(&flipped), Err(VerifyError::BadSignature));
                bytes[index] ^= 1;
            }
        }
        // The signature of one token beside the claims of another.
        let (a, b) = (token(SigningAlg::Es256), token(SigningAlg::EdDsa));
        let swapped = format!("{}.{}", a.rsplit_once('.').unwrap().0, b.rsplit_once('.').unwrap().1);
        assert_eq!(verify(&swapped), Err(VerifyError::BadSignature));
    }

    #[test]
    fn tk_3_a_signature_of_zeros_is_refused() {
        let token = token(SigningAlg::Es256);
        let signed = token.rsplit_once('.').unwrap().0;
        assert_eq!(verify(&format!("{signed}.{}", encode([0; 64]))), Err(VerifyError::BadSignature));
    }

    #[test]
    fn tk_4_kinds_of_token_exclude_each_other() {
        let keyring = keyring(NOW);
        let signer = keyring.signer(SigningAlg::Es256, NOW).unwrap();
        for (typ, accepted, expected) in [
            ("at+jwt", &["at+jwt"][..], true),
            ("JWT", &["JWT"], true),
            ("JWT", &["at+jwt"], false),
            ("at+jwt", &["JWT"], false),
            ("AT+JWT", &["at+jwt"], false),
            ("logout+jwt", &["at+jwt", "JWT"], false),
            ("", &["at+jwt"], false),
            ("at+jwt", &[], false),
        ] {
            let token = signer.sign(typ, &claims()).unwrap();
            let found = keyring.verify(&token, &Expect { types: accepted, ..EXPECT }).map(drop);
            assert_eq!(
                found,
                if expected { Ok(()) } else { Err(VerifyError::WrongType) },
                "{typ} {accepted:?}"
            );
        }
        let untyped = es256_header().replace(r#","typ":"at+jwt""#, "");
        assert_eq!(verify(&signed_by_us(&untyped, &claims().to_string())), Err(VerifyError::WrongType));
    }

    #[test]
    fn tk_6_times_are_demanded_and_clocks_may_differ_by_a_minute() {
        let now = NOW.seconds();
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            verify_claims(&claims).map(drop)
        };
        let without = |name: &str| {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            verify_claims(&claims).map(drop)
        };
        for (found, expected) in [
            (without("exp"), Err(VerifyError::Malformed)),
            (without("iat"), Err(VerifyError::Malformed)),
            (without("iss"), Err(VerifyError::WrongIssuer)),
            (with("exp", json!("1900000000")), Err(VerifyError::Malformed)),
            (with("exp", json!(1.9e9)), Err(VerifyError::Malformed)),
            (with("exp", json!(null)), Err(VerifyError::Malformed)),
            (with("exp", json!(u64::MAX)), Err(VerifyError::Malformed)),
            (with("exp", json!(i64::MAX)), Ok(())),
            (with("exp", json!(now + 1)), Ok(())),
            (with("exp", json!(now)), Err(VerifyError::Expired)),
            (with("exp", json!(-1)), Err(VerifyError::Expired)),
            (with("iat", json!(now + 59)), Ok(())),
            (with("iat", json!(now + 60)), Err(VerifyError::NotYetValid)),
            (with("iat", json!(i64::MAX)), Err(VerifyError::NotYetValid)),
            (with("nbf", json!(now + 59)), Ok(())),
            (with("nbf", json!(now + 60)), Err(VerifyError::NotYetValid)),
            (with("nbf", json!("x")), Err(VerifyError::Malformed)),
            (with("iss", json!("https://id.example.com/")), Err(VerifyError::WrongIssuer)),
            (with("iss", json!([ISSUER])), Err(VerifyError::WrongIssuer)),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn tk_6_the_leeway_is_cut_to_a_minute_and_an_old_hint_may_be_asked_for() {
        let keyring = keyring(NOW.minus(Duration::from_secs(7200)));
        let expired = |ago: i64| {
            let mut claims = claims();
            claims["iat"] = json!(NOW.seconds() - 3600);
            claims["exp"] = json!(NOW.seconds() - ago);
            signed_by_us(&es256_header(), &claims.to_string())
        };
        let seconds = Duration::from_secs;
        for (ago, leeway, check_expiry, expected) in [
            (0, seconds(0), true, Err(VerifyError::Expired)),
            (9, seconds(10), true, Ok(())),
            (10, seconds(10), true, Err(VerifyError::Expired)),
            (59, seconds(3600), true, Ok(())),
            (60, seconds(3600), true, Err(VerifyError::Expired)),
            (60, seconds(0), false, Ok(())),
            (100_000, seconds(0), false, Ok(())),
        ] {
            let expect = Expect { leeway, check_expiry, ..EXPECT };
            assert_eq!(keyring.verify(&expired(ago), &expect).map(drop), expected, "{ago} s ago, {leeway:?}");
        }
        let mut endless = claims();
        endless.as_object_mut().unwrap().remove("exp");
        let hint = Expect { check_expiry: false, ..EXPECT };
        let token = signed_by_us(&es256_header(), &endless.to_string());
        assert_eq!(keyring.verify(&token, &hint), Err(VerifyError::Malformed));
    }

    #[test]
    fn tk_11_a_revoked_key_is_not_believed_and_a_retired_one_is_until_it_leaves() {
        let token = token(SigningAlg::Es256);
        let since = signing_since(NOW.minus(Duration::from_secs(90_000)));
        let random = crate::crypto::Random::system();
        let successor = super::super::generate(SigningAlg::Es256, &random).unwrap();
        let takes_over = signing_since(since.active_from.plus(Duration::from_secs(1)));
        let successor =
            super::super::seal_new(&successor, &super::super::fixture::master(), &random, takes_over);
        let with = |times| {
            let rows = vec![sealed(SigningAlg::Es256, times), successor.clone()];
            open(rows).unwrap().verify(&token, &EXPECT).map(drop)
        };
        let ago = |seconds| Some(NOW.minus(Duration::from_secs(seconds)));
        for (times, expected) in [
            (since, Ok(())),
            (KeyTimes { retired_at: Some(NOW), ..since }, Ok(())),
            (KeyTimes { retired_at: ago(3600), ..since }, Ok(())),
            (KeyTimes { retired_at: ago(3600 + 660), ..since }, Err(VerifyError::UnknownKey)),
            (KeyTimes { revoked_at: ago(1), ..since }, Err(VerifyError::UnknownKey)),
            (KeyTimes { revoked_at: Some(NOW), ..since }, Err(VerifyError::UnknownKey)),
            (KeyTimes { published_at: NOW.plus(Duration::from_secs(5)), ..since }, Ok(())),
        ] {
            assert_eq!(with(times), expected, "{times:?}");
        }
    }

    #[test]
    fn tk_12_only_the_strict_form_is_read() {
        let good = signed_by_us(&es256_header(), &claims().to_string());
        let parts: Vec<&str> = good.split('.').collect();
        let [header, payload, signature] = parts[..] else { panic!("a compact JWS has three parts") };
        let standard = |text: &str| text.replace('-', "+").replace('_', "/");
        // 64 bytes leave four unused bits in the last letter: another letter would decode to the same signature.
        let last = signature.chars().last().unwrap();
        let stray = char::from(u8::try_from(last).unwrap() + 1);
        for (name, token) in [
            ("empty", String::new()),
            ("dots", "..".to_owned()),
            ("two parts", format!("{header}.{payload}")),
            ("four parts", format!("{good}.{signature}")),
            ("five parts", format!("{good}.AAAA.AAAA")),
            (
                "padded header",
                format!("{}.{payload}.{signature}", BASE64_URL_SAFE.encode(es256_header() + " ")),
            ),
            ("padded signature", format!("{good}==")),
            ("stray bits", format!("{header}.{payload}.{}{stray}", &signature[..85])),
            ("line break", format!("{good}\n")),
            ("space before", format!(" {good}")),
            ("header is no object", format!("{}.{payload}.{signature}", encode("[]"))),
            ("header is no JSON", format!("{}.{payload}.{signature}", encode("{"))),
            ("header without alg", format!("{}.{payload}.{signature}", encode("{}"))),
            ("header with alg twice", signed_by_us(&es256_header().replace('}', r#","alg":"ES256"}"#), "{}")),
            ("claims are no object", signed_by_us(&es256_header(), "[]")),
            ("claims are no JSON", signed_by_us(&es256_header(), "{} {}")),
            (
                "claim twice",
                signed_by_us(&es256_header(), &claims().to_string().replace('}', r#","sub":"usr_2"}"#)),
            ),
            ("claim twice, escaped", {
                signed_by_us(&es256_header(), &claims().to_string().replace('}', r#","s\u0075b":"usr_2"}"#))
            }),
        ] {
            assert_eq!(verify(&token), Err(VerifyError::Malformed), "{name}");
        }
        assert!(verify(&good).is_ok());
        let plus = (0..200)
            .map(|_| signed_by_us(&es256_header(), &claims().to_string()))
            .find(|token| token.contains(['-', '_']))
            .unwrap();
        assert_eq!(verify(&standard(&plus)), Err(VerifyError::Malformed), "the other alphabet");
    }

    #[test]
    fn tk_12_long_tokens_are_not_looked_at() {
        let of_length = |padding: usize| {
            let mut claims = claims();
            claims["x"] = "x".repeat(padding).into();
            signed_by_us(&es256_header(), &claims.to_string())
        };
        let fits = (11_900..12_200).map(of_length).rfind(|token| token.len() <= 16 * 1024).unwrap();
        assert!(fits.len() > 16 * 1024 - 4 && verify(&fits).is_ok());
        assert_eq!(verify(&of_length(12_400)), Err(VerifyError::Malformed));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_verification_panic(text in "\\PC{0,200}", index in 0_usize..300, letter in "[A-Za-z0-9_.\\-=]") {
            proptest::prop_assert!(verify(&text).is_err());
            let mut token = signed_by_us(&es256_header(), &claims().to_string());
            let index = index % token.len();
            if token[index..=index] != letter {
                token.replace_range(index..=index, &letter);
                proptest::prop_assert!(verify(&token).is_err());
            }
        }
    }
}
