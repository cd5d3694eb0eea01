//! The signing keys of this instance, opened once and shared: who signs, what the JWKS says, who is believed.
//!
//! A [`Keyring`] does not change. When a key is stored or its times change, a new one is opened from the rows; the
//! passing of time alone needs no new one, because every answer is computed for a `now`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::generate::Generated;
use super::json::parse_object;
use super::jwk::PublicKey;
use super::schedule::{self, KeyPolicy, KeyTimes};
use super::signer::Signer;
use crate::clock::Timestamp;
use crate::crypto::{Digest, MasterKey, Random};
use crate::model::SigningAlg;

/// A signing key at rest: what a row of `signing_keys` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    pub kid: String,
    pub alg: SigningAlg,
    /// JSON of the public JWK.
    pub public_jwk: String,
    /// The private key (PKCS#8 DER), sealed for this `kid` under the master key.
    pub sealed: Vec<u8>,
    /// Which master key sealed it ([`MasterKey::id`]).
    pub master_key_id: String,
    pub times: KeyTimes,
}

/// Why the stored keys cannot be used. Each of these stops start-up (TK-9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error(
        "signing key {kid} is sealed under master key {sealed_under}, but the master key given is {given}; \
         restore the right master key, or revoke the signing keys and let new ones be made"
    )]
    WrongMasterKey { kid: String, sealed_under: String, given: String },
    #[error("signing key {kid} is damaged: its sealed private key does not open")]
    Unopenable { kid: String },
    #[error("signing key {kid} is damaged: {what}")]
    Damaged { kid: String, what: &'static str },
    #[error("signing key {kid} is stored twice")]
    Repeated { kid: String },
}

/// The JWKS, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksDocument {
    pub body: Arc<[u8]>,
    /// Strong, with its quotation marks (RFC 9110 §8.8.3). The same on every node that serves the same keys.
    pub etag: Arc<str>,
    /// For `Cache-Control`.
    pub max_age: Duration,
}

/// Every signing key that is not revoked, opened.
pub struct Keyring {
    /// In the order of the JWKS.
    keys: Vec<Key>,
    by_kid: HashMap<String, usize>,
    policy: KeyPolicy,
    prepared: Mutex<Option<Prepared>>,
}

/// One opened key.
pub(super) struct Key {
    signer: Signer,
    public: PublicKey,
    times: KeyTimes,
}

/// The JWKS as it is from one change of the schedule to the next.
struct Prepared {
    body: Arc<[u8]>,
    etag: Arc<str>,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// Seals a fresh key for storing.
pub fn seal_new(generated: &Generated, master: &MasterKey, random: &Random, times: KeyTimes) -> SealedKey {
    SealedKey {
        kid: generated.kid.clone(),
        alg: generated.alg,
        public_jwk: Value::Object(generated.public_jwk.clone()).to_string(),
        sealed: master.seal(random, &seal_context(&generated.kid), &generated.private),
        master_key_id: master.id(),
        times,
    }
}

/// What the sealed private key is bound to. The `kid` is the thumbprint of the public half, so the sealed value
/// opens beside its own public key only.
fn seal_context(kid: &str) -> Vec<u8> {
    [b"signing key ", kid.as_bytes()].concat()
}

impl Keyring {
    /// Opens the stored keys. Revoked ones are left closed: they neither sign nor verify, and may have been sealed
    /// under a master key that is lost.
    ///
    /// # Errors
    /// If a key was sealed under another master key, or is not what was stored. One bad key is enough: a node that
    /// serves fewer keys than its neighbours would refuse their tokens.
    pub fn open(
        rows: Vec<SealedKey>,
        master: &MasterKey,
        random: &Random,
        policy: KeyPolicy,
    ) -> Result<Self, KeyringError> {
        let trusted = rows.iter().filter(|row| row.times.revoked_at.is_none());
        let mut keys: Vec<Key> =
            trusted.map(|row| Key::open(row, master, random)).collect::<Result<_, _>>()?;
        // The same order on every node, so that the ETag is the same. RS256 comes first: a verifier that ignores
        // `kid` and takes the first key has the best chance with it.
        keys.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut by_kid = HashMap::new();
        for (index, key) in keys.iter().enumerate() {
            let kid = key.signer.kid().to_owned();
            if by_kid.insert(kid.clone(), index).is_some() {
                return Err(KeyringError::Repeated { kid });
            }
        }
        Ok(Self { keys, by_kid, policy, prepared: Mutex::new(None) })
    }

    /// The key that signs with `alg` at `now`. `None` only while no key for it exists.
    pub fn signer(&self, alg: SigningAlg, now: Timestamp) -> Option<&Signer> {
        let of_alg: Vec<&Key> = self.keys.iter().filter(|key| key.alg() == alg).collect();
        schedule::signing_key(of_alg.iter().map(|key| &key.times), now).map(|index| &of_alg[index].signer)
    }

    /// The public keys that verifiers must know at `now` (RFC 7517 §5), prepared once per change.
    pub fn jwks(&self, now: Timestamp) -> JwksDocument {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let current = match prepared.take() {
            Some(current) if current.holds(now) => current,
            _ => self.prepare(now),
        };
        let max_age = schedule::max_age(current.until, now, &self.policy);
        let document = JwksDocument { body: current.body.clone(), etag: current.etag.clone(), max_age };
        *prepared = Some(current);
        document
    }

    /// The key with this id, if its signatures are believed at `now`.
    pub(super) fn verifying_key(&self, kid: &str, now: Timestamp) -> Option<&Key> {
        self.by_kid
            .get(kid)
            .map(|&index| &self.keys[index])
            .filter(|key| key.times.may_verify(now, &self.policy))
    }

    fn prepare(&self, now: Timestamp) -> Prepared {
        let published = self.keys.iter().filter(|key| key.times.is_published(now, &self.policy));
        let body: Arc<[u8]> =
            json!({ "keys": published.map(Key::jwk).collect::<Vec<_>>() }).to_string().into_bytes().into();
        Prepared {
            etag: format!("\"{}\"", Digest::of(&body).base64url()).into(),
            body,
            from: now,
            until: schedule::next_change(self.keys.iter().map(|key| &key.times), now, &self.policy),
        }
    }
}

/// Names the keys; says nothing of their private halves.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.signer)).finish()
    }
}

impl Prepared {
    fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

impl Key {
    fn open(row: &SealedKey, master: &MasterKey, random: &Random) -> Result<Self, KeyringError> {
        let kid = || row.kid.clone();
        if row.master_key_id != master.id() {
            let (sealed_under, given) = (row.master_key_id.clone(), master.id());
            return Err(KeyringError::WrongMasterKey { kid: kid(), sealed_under, given });
        }
        let private = master
            .unseal(&seal_context(&row.kid), &row.sealed)
            .map_err(|_| KeyringError::Unopenable { kid: kid() })?;
        let damaged = |what| KeyringError::Damaged { kid: kid(), what };
        let (signer, public) = Signer::parse(row.alg, &private, random)
            .ok_or_else(|| damaged("its private key is not one for its algorithm"))?;
        let stored = parse_object(row.public_jwk.as_bytes()).and_then(|jwk| PublicKey::from_jwk(&jwk).ok());
        if signer.kid() != row.kid || stored.as_ref() != Some(&public) {
            return Err(damaged("its public key does not belong to its private key"));
        }
        Ok(Self { signer, public, times: row.times })
    }

    pub(super) fn alg(&self) -> SigningAlg {
        self.signer.alg()
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify(self.alg(), message, signature)
    }

    fn jwk(&self) -> Map<String, Value> {
        self.public.to_jwk(self.signer.kid(), self.alg())
    }

    fn order(&self) -> (SigningAlg, Timestamp, &str) {
        (self.alg(), self.times.active_from, self.signer.kid())
    }
}
