//! Public keys as JWK members (RFC 7517, RFC 7518 §6, RFC 8037 §2), their thumbprints, and signatures by them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Map, Value};

#[cfg(feature = "server")]
use crate::crypto::Digest;
use crate::model::SigningAlg;

const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key of a kind that we verify with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point: `4 ‖ x ‖ y`.
    P256 {
        point: [u8; 65],
    },
    Ed25519 {
        x: [u8; 32],
    },
}

impl PublicKey {
    /// Reads the members that make the key; what is wrong with them is said for whoever registers it.
    pub(super) fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, String> {
        match text(jwk, "kty")? {
            "RSA" => Self::rsa(bytes(jwk, "n")?, bytes(jwk, "e")?),
            "EC" => match text(jwk, "crv")? {
                "P-256" => Self::p256(&bytes(jwk, "x")?, &bytes(jwk, "y")?),
                other => Err(format!("the curve {other:.20} is not supported; use P-256")),
            },
            "OKP" => match text(jwk, "crv")? {
                "Ed25519" => Self::ed25519(&bytes(jwk, "x")?),
                other => Err(format!("the curve {other:.20} is not supported; use Ed25519")),
            },
            "oct" => Err("symmetric keys (kty oct) are refused; register a public key".to_owned()),
            other => Err(format!("the key type {other:.20} is not supported; use RSA, EC or OKP")),
        }
    }

    pub(super) fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, String> {
        if n.first() == Some(&0) || e.first() == Some(&0) {
            return Err("n and e must not begin with a zero byte (RFC 7518 §6.3.1)".to_owned());
        }
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(format!("an RSA key must have 2048 to 8192 bits; this one has {bits}"));
        }
        let odd = e.last().is_some_and(|last| last % 2 == 1);
        if !odd || e == [1] || e.len() > 4 {
            return Err("the RSA exponent e must be odd, at least 3 and below 2^32".to_owned());
        }
        Ok(Self::Rsa { n, e })
    }

    fn p256(x: &[u8], y: &[u8]) -> Result<Self, String> {
        if x.len() != 32 || y.len() != 32 {
            return Err("x and y of a P-256 key have 32 bytes each".to_owned());
        }
        let mut point = [4; 65];
        point[1..33].copy_from_slice(x);
        point[33..].copy_from_slice(y);
        Ok(Self::P256 { point })
    }

    pub(super) fn ed25519(x: &[u8]) -> Result<Self, String> {
        Ok(Self::Ed25519 { x: x.try_into().map_err(|_| "x of an Ed25519 key has 32 bytes".to_owned())? })
    }

    /// Whether this key can make signatures of this algorithm (TK-1).
    pub(super) fn fits(&self, alg: SigningAlg) -> bool {
        match self {
            Self::Rsa { .. } => matches!(alg, SigningAlg::Rs256 | SigningAlg::Ps256),
            Self::P256 { .. } => alg == SigningAlg::Es256,
            Self::Ed25519 { .. } => alg == SigningAlg::EdDsa,
        }
    }

    /// Whether `signature` is this key's, by `alg`, over `message`. `ring` refuses points off the curve and an
    /// `r` or `s` of zero (TK-3).
    pub(super) fn verify(&self, alg: SigningAlg, message: &[u8], signature: &[u8]) -> bool {
        let rsa: &signature::RsaParameters = match (alg, self) {
            (SigningAlg::Rs256, Self::Rsa { .. }) => &RSA_PKCS1_2048_8192_SHA256,
            (SigningAlg::Ps256, Self::Rsa { .. }) => &RSA_PSS_2048_8192_SHA256,
            (SigningAlg::Es256, Self::P256 { point }) => {
                return UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
                    .is_ok();
            }
            (SigningAlg::EdDsa, Self::Ed25519 { x }) => {
                return UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok();
            }
            _ => return false,
        };
        let Self::Rsa { n, e } = self else { return false };
        RsaPublicKeyComponents { n, e }.verify(rsa, message, signature).is_ok()
    }
}

/// What a signing key shows of itself.
#[cfg(feature = "server")]
impl PublicKey {
    /// From `4 ‖ x ‖ y`.
    pub(super) fn p256_point(point: &[u8]) -> Result<Self, String> {
        match point {
            [4, xy @ ..] if xy.len() == 64 => Self::p256(&xy[..32], &xy[32..]),
            _ => Err("not an uncompressed P-256 point".to_owned()),
        }
    }

    /// The RFC 7638 thumbprint: SHA-256 over the required members in the order of their names.
    pub(super) fn thumbprint(&self) -> String {
        let members: Vec<_> =
            self.members().iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
        Digest::of(format!("{{{}}}", members.join(",")).as_bytes()).base64url()
    }

    /// The whole public JWK of a signing key: required members, `kid`, `use` and `alg`, nothing else.
    pub(super) fn to_jwk(&self, kid: &str, alg: SigningAlg) -> Map<String, Value> {
        let labels = [("kid", kid), ("use", "sig"), ("alg", alg.as_str())];
        let labels = labels.map(|(name, value)| (name, value.to_owned()));
        self.members()
            .into_iter()
            .chain(labels)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    }

    /// The required members, in the order of their names (RFC 7638 §3.2, RFC 8037 §2).
    fn members(&self) -> Vec<(&'static str, String)> {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa { n, e } => vec![("e", encode(e)), ("kty", "RSA".to_owned()), ("n", encode(n))],
            Self::P256 { point } => vec![
                ("crv", "P-256".to_owned()),
                ("kty", "EC".to_owned()),
                ("x", encode(&point[1..33])),
                ("y", encode(&point[33..])),
            ],
            Self::Ed25519 { x } => {
                vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", encode(x))]
            }
        }
    }
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    jwk.get(name).and_then(Value::as_str).ok_or_else(|| format!("the member {name} is missing or not text"))
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text(jwk, name)?)
        .map_err(|_| format!("the member {name} is not base64url without padding"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::json::parse_object;

    fn key(jwk: &str) -> Result<PublicKey, String> {
        PublicKey::from_jwk(&parse_object(jwk.as_bytes()).unwrap())
    }

    #[test]
    fn thumbprints_are_those_of_the_specifications() {
        // RFC 7638 §3.1 and RFC 8037 appendix A.3.
        let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        let ed = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for (jwk, thumbprint) in [
            (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (ed, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ] {
            assert_eq!(key(jwk).unwrap().thumbprint(), thumbprint);
        }
    }

    #[test]
    fn tk_3_weak_and_misshapen_keys_are_refused() {
        let rsa = |n: &[u8], e: &[u8]| {
            let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
            key(&format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, encode(n), encode(e)))
        };
        assert!(rsa(&[0xff; 256], &[1, 0, 1]).is_ok());
        assert!(rsa(&[0x7f; 256], &[1, 0, 1]).unwrap_err().contains("2047"));
        assert!(rsa(&[0xff; 128], &[1, 0, 1]).unwrap_err().contains("1024"));
        assert!(rsa(&[0xff; 1025], &[1, 0, 1]).is_err());
        assert!(rsa(&[], &[1, 0, 1]).is_err());
        assert!(rsa(&[&[0], [0xff; 256].as_slice()].concat(), &[1, 0, 1]).is_err());
        for e in [&[1][..], &[2], &[], &[1, 0, 0, 0, 1], &[0, 3]] {
            assert!(rsa(&[0xff; 256], e).is_err(), "{e:?}");
        }
        for jwk in [
            r#"{"kty":"oct","k":"AAAA"}"#,
            r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="}"#,
            r#"{"kty":"OKP","crv":"Ed25519"}"#,
            r#"{"kty":["RSA"]}"#,
            "{}",
        ] {
            assert!(key(jwk).is_err(), "{jwk}");
        }
    }

    #[test]
    fn tk_3_zero_signatures_and_points_off_the_curve_are_refused() {
        let off_curve = PublicKey::P256 { point: [4; 65] };
        let random = ring::rand::SystemRandom::new();
        let pkcs8 =
            signature::EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .unwrap();
        let pair = signature::EcdsaKeyPair::from_pkcs8(
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            pkcs8.as_ref(),
            &random,
        )
        .unwrap();
        let good = PublicKey::p256_point(signature::KeyPair::public_key(&pair).as_ref()).unwrap();
        let made = pair.sign(&random, b"message").unwrap();
        assert!(good.verify(SigningAlg::Es256, b"message", made.as_ref()));
        assert!(!off_curve.verify(SigningAlg::Es256, b"message", made.as_ref()));

        let zero_r = [[0; 32].as_slice(), &made.as_ref()[32..]].concat();
        let zero_s = [&made.as_ref()[..32], [0; 32].as_slice()].concat();
        for bad in [vec![0; 64], zero_r, zero_s, vec![], made.as_ref()[..63].to_vec()] {
            assert!(!good.verify(SigningAlg::Es256, b"message", &bad));
            assert!(!good.verify(SigningAlg::Es256, b"", &bad));
        }
    }
}
