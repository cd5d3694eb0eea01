//! Making a signing key. RSA comes from OpenSSL through `josekit`, because `ring` does not generate RSA keys; the
//! elliptic curves come from `ring`, which reads only its own encoding of P-256 and Ed25519 keys.
//!
//! An RSA key takes up to a second of one core: callers make it on a blocking thread.

use std::fmt;

use josekit::jwk::KeyPair as _;
use josekit::jws::alg::rsassa::RsassaJwsAlgorithm;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::signer::Signer;
use crate::crypto::Random;
use crate::model::SigningAlg;

/// Our own RSA keys (TK-3).
const RSA_BITS: u32 = 3072;

/// A fresh key, before it is sealed.
pub struct Generated {
    /// The RFC 7638 thumbprint of the public half.
    pub kid: String,
    pub alg: SigningAlg,
    /// The public half as it will stand in the JWKS.
    pub public_jwk: Map<String, Value>,
    /// PKCS#8 DER.
    pub(super) private: Zeroizing<Vec<u8>>,
}

/// No key was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    #[error("keys for {0} are not made here; use RS256, ES256 or EdDSA")]
    Unsupported(SigningAlg),
    #[error("making a {0} key failed")]
    Failed(SigningAlg),
}

/// Makes a key for RS256 (3072 bits), ES256 or EdDSA.
///
/// # Errors
/// For PS256, which is verified but not made, and if the library fails.
pub fn generate(alg: SigningAlg, random: &Random) -> Result<Generated, GenerateError> {
    let private = private_key(alg, random)?;
    let (signer, public) = Signer::parse(alg, &private, random).ok_or(GenerateError::Failed(alg))?;
    let kid = signer.kid().to_owned();
    Ok(Generated { public_jwk: public.to_jwk(&kid, alg), kid, alg, private })
}

fn private_key(alg: SigningAlg, random: &Random) -> Result<Zeroizing<Vec<u8>>, GenerateError> {
    let failed = GenerateError::Failed(alg);
    let pkcs8 = match alg {
        SigningAlg::Rs256 => RsassaJwsAlgorithm::Rs256
            .generate_key_pair(RSA_BITS)
            .map(|pair| pair.to_der_private_key())
            .map_err(|_| failed)?,
        SigningAlg::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random.source())
            .map_err(|_| failed)?
            .as_ref()
            .to_vec(),
        SigningAlg::EdDsa => {
            Ed25519KeyPair::generate_pkcs8(random.source()).map_err(|_| failed)?.as_ref().to_vec()
        }
        SigningAlg::Ps256 => return Err(GenerateError::Unsupported(alg)),
    };
    Ok(Zeroizing::new(pkcs8))
}

/// Names the key; says nothing of the private half.
impl fmt::Debug for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generated({} {})", self.alg, self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_described_by_public_members_only() {
        let random = Random::system();
        for (alg, members) in [
            (SigningAlg::Rs256, &["e", "kty", "n", "kid", "use", "alg"][..]),
            (SigningAlg::Es256, &["crv", "kty", "x", "y", "kid", "use", "alg"]),
            (SigningAlg::EdDsa, &["crv", "kty", "x", "kid", "use", "alg"]),
        ] {
            let key = generate(alg, &random).unwrap();
            assert_eq!(key.public_jwk.keys().collect::<Vec<_>>(), members);
            assert_eq!(
                (&key.public_jwk["use"], &key.public_jwk["alg"]),
                (&"sig".into(), &alg.as_str().into())
            );
            assert_eq!(key.public_jwk["kid"], key.kid);
            assert_eq!(format!("{key:?}"), format!("Generated({alg} {})", key.kid));
            assert_ne!(generate(alg, &random).unwrap().kid, key.kid);
            assert_eq!(
                super::super::jwk::PublicKey::from_jwk(&key.public_jwk).unwrap().thumbprint(),
                key.kid
            );
        }
    }

    #[test]
    fn tk_3_rsa_keys_have_3072_bits_and_ps256_is_not_made() {
        use base64::Engine;
        let random = Random::system();
        let key = generate(SigningAlg::Rs256, &random).unwrap();
        let n =
            base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(key.public_jwk["n"].as_str().unwrap()).unwrap();
        assert_eq!((n.len(), n[0] >> 7), (384, 1));
        let refused = generate(SigningAlg::Ps256, &random).unwrap_err();
        assert_eq!(refused, GenerateError::Unsupported(SigningAlg::Ps256));
    }
}
