//! A private key ready to sign: parsed once, used many times.
//!
//! RS256 is signed by OpenSSL through `josekit` (twice as fast as `ring`), the elliptic curves by `ring`.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use josekit::jws::JwsSigner;
use josekit::jws::alg::rsassa::{RsassaJwsAlgorithm, RsassaJwsSigner};
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use serde::Serialize;

use super::jwk::PublicKey;
use crate::crypto::Random;
use crate::model::SigningAlg;

/// A token could not be signed. The reason is for the operator, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("the claims cannot be written as JSON: {0}")]
    Claims(#[from] serde_json::Error),
    #[error("the signing key {kid} refuses to sign")]
    Key { kid: String },
}

/// One of our signing keys.
pub struct Signer {
    kid: String,
    alg: SigningAlg,
    key: PrivateKey,
    random: Random,
}

enum PrivateKey {
    Rsa(Box<RsassaJwsSigner>),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

#[derive(Serialize)]
struct JoseHeader<'a> {
    alg: SigningAlg,
    kid: &'a str,
    typ: &'a str,
}

impl Signer {
    /// Parses a private key (PKCS#8 DER), and says which public key is its other half. `None` if it is not a key
    /// for this algorithm.
    pub(super) fn parse(alg: SigningAlg, pkcs8: &[u8], random: &Random) -> Option<(Self, PublicKey)> {
        let (key, public) = match alg {
            SigningAlg::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                let signer = RsassaJwsAlgorithm::Rs256.signer_from_der(pkcs8).ok()?;
                (PrivateKey::Rsa(Box::new(signer)), PublicKey::rsa(n, e).ok()?)
            }
            SigningAlg::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, random.source())
                    .ok()?;
                let public = PublicKey::p256_point(pair.public_key().as_ref()).ok()?;
                (PrivateKey::P256(Box::new(pair)), public)
            }
            SigningAlg::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let public = PublicKey::ed25519(pair.public_key().as_ref()).ok()?;
                (PrivateKey::Ed25519(Box::new(pair)), public)
            }
            // Accepted from clients, not made here.
            SigningAlg::Ps256 => return None,
        };
        Some((Self { kid: public.thumbprint(), alg, key, random: random.clone() }, public))
    }

    /// The key's id: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm that the key signs with.
    pub fn alg(&self) -> SigningAlg {
        self.alg
    }

    /// Signs the claims into a compact JWS whose header is `alg`, `kid` and `typ` (RFC 7515 §7.1).
    ///
    /// # Errors
    /// If the claims are not writable as JSON, or the key refuses.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let header = serde_json::to_vec(&JoseHeader { alg: self.alg, kid: &self.kid, typ })?;
        let claims = serde_json::to_vec(claims)?;
        let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 520);
        BASE64_URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let refused = || SignError::Key { kid: self.kid.clone() };
        match &self.key {
            PrivateKey::Rsa(signer) => signer.sign(message).map_err(|_| refused()),
            PrivateKey::P256(pair) => pair
                .sign(self.random.source(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| refused()),
            PrivateKey::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// Names the key; says nothing of the private half.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} {})", self.alg, self.kid)
    }
}
