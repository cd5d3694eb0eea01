//! Sealing: AES-256-GCM under the master key, or under a key derived from a secret that only its holder has.
//!
//! A sealed value is `nonce (12 bytes) ‖ ciphertext ‖ tag`, and is bound to a context (what it is and whose), so
//! that a sealed value moved to another row does not open there.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::hmac;
use zeroize::Zeroizing;

use super::{Digest, Random};

/// The value does not open: another key sealed it, it was altered, or it belongs to another context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open with this key")]
pub struct SealError;

/// The instance's master key: 32 random bytes that stay outside the database (TK-9).
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn generate(random: &Random) -> Self {
        Self::from_bytes(random.bytes())
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Names the key without revealing it; stored beside what it sealed, so that a wrong master key is recognised
    /// at start-up.
    pub fn id(&self) -> String {
        Digest::of_parts(&[b"countersign master key id", self.0.as_slice()]).base64url()[..16].to_owned()
    }

    /// Seals `plain` for `context`.
    pub fn seal(&self, random: &Random, context: &[u8], plain: &[u8]) -> Vec<u8> {
        seal(&self.derive(b"seal"), random, context, plain)
    }

    pub fn unseal(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        unseal(&self.derive(b"seal"), context, sealed)
    }

    /// A tag that only this instance can make: for values that travel through a browser and come back
    /// (HMAC-SHA256 under a key for `purpose` alone).
    pub fn tag(&self, purpose: &[u8], message: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.derive(purpose).as_slice());
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&key, message).as_ref());
        tag
    }

    fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        derive(self.0.as_slice(), purpose)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

/// Seals under a key derived from `secret`, so that only who presents the secret again can open it (TE-5).
/// `secret` must itself be unguessable.
pub fn seal_with(secret: &[u8], random: &Random, context: &[u8], plain: &[u8]) -> Vec<u8> {
    seal(&derive(secret, b"receipt"), random, context, plain)
}

/// Opens what [`seal_with`] sealed.
pub fn unseal_with(secret: &[u8], context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    unseal(&derive(secret, b"receipt"), context, sealed)
}

fn derive(secret: &[u8], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let info = [b"countersign ", purpose];
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
        .extract(secret)
        .expand(&info, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .expect("32 bytes is a length that HKDF-SHA256 can give");
    key
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes"))
}

fn seal(key: &[u8; 32], random: &Random, context: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce = random.bytes::<NONCE_LEN>();
    let mut body = plain.to_vec();
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut body)
        .expect("AES-GCM seals any text shorter than 64 GiB");
    [nonce.as_slice(), &body].concat()
}

fn unseal(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
    let mut body = Zeroizing::new(body.to_vec());
    let plain = cipher(key)
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut body)
        .map_err(|_| SealError)?
        .len();
    body.truncate(plain);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_key_and_context() {
        let random = Random::system();
        let key = MasterKey::generate(&random);
        let sealed = key.seal(&random, b"signing key k1", b"private");
        assert_eq!(key.unseal(b"signing key k1", &sealed).unwrap().as_slice(), b"private");
        assert_eq!(key.unseal(b"signing key k2", &sealed), Err(SealError));
        assert_eq!(MasterKey::generate(&random).unseal(b"signing key k1", &sealed), Err(SealError));
        for cut in 0..sealed.len() {
            assert_eq!(key.unseal(b"signing key k1", &sealed[..cut]), Err(SealError));
        }
    }

    #[test]
    fn te_5_a_receipt_opens_with_the_token_that_sealed_it() {
        let random = Random::system();
        let sealed = seal_with(b"old token", &random, b"refresh", b"new token");
        assert_eq!(unseal_with(b"old token", b"refresh", &sealed).unwrap().as_slice(), b"new token");
        assert_eq!(unseal_with(b"other token", b"refresh", &sealed), Err(SealError));
    }

    #[test]
    fn tags_differ_by_purpose_and_the_key_prints_its_id_only() {
        let key = MasterKey::generate(&Random::system());
        assert_ne!(key.tag(b"csrf", b"x"), key.tag(b"device", b"x"));
        assert_eq!(format!("{key:?}"), format!("MasterKey({})", key.id()));
    }
}
