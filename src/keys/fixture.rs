//! Keys for tests, here and in the layers above: made once, because an RSA key takes its time.

use std::sync::OnceLock;
use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::crypto::{MasterKey, Random};
use crate::model::SigningAlg;

/// The algorithms that we sign with.
pub(crate) const OURS: [SigningAlg; 3] = [SigningAlg::Rs256, SigningAlg::Es256, SigningAlg::EdDsa];

pub(crate) const POLICY: KeyPolicy = KeyPolicy {
    rotate_every: Duration::from_secs(90 * 86_400),
    publish_ahead: Duration::from_secs(86_400),
    longest_token_life: Duration::from_secs(3_600),
};

/// One key for each of [`OURS`], the same for the whole test run.
pub(crate) fn generated(alg: SigningAlg) -> &'static Generated {
    static KEYS: [OnceLock<Generated>; 3] = [const { OnceLock::new() }; 3];
    let index = OURS.iter().position(|ours| *ours == alg).unwrap();
    KEYS[index].get_or_init(|| generate(alg, &Random::system()).unwrap())
}

pub(crate) fn master() -> MasterKey {
    MasterKey::from_bytes([7; 32])
}

/// The times of a key that signs since `now`.
pub(crate) fn signing_since(now: Timestamp) -> KeyTimes {
    KeyTimes { created_at: now, published_at: now, active_from: now, retired_at: None, revoked_at: None }
}

pub(crate) fn sealed(alg: SigningAlg, times: KeyTimes) -> SealedKey {
    seal_new(generated(alg), &master(), &Random::system(), times)
}

pub(crate) fn open(rows: Vec<SealedKey>) -> Result<Keyring, KeyringError> {
    Keyring::open(rows, &master(), &Random::system(), POLICY)
}

/// A keyring that signs with each of [`OURS`] since `now`.
pub(crate) fn keyring(now: Timestamp) -> Keyring {
    open(OURS.iter().map(|alg| sealed(*alg, signing_since(now))).collect()).unwrap()
}
