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
         put that master key back; what it sealed cannot be read without it"
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
struct Key {
    signer: Signer,
    public: PublicKey,
    /// Settled ([`schedule::settle`]).
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
        let mut keys = Vec::new();
        for alg in SigningAlg::ALL {
            let line: Vec<&SealedKey> = rows.iter().filter(|row| row.alg == *alg).collect();
            let settled = schedule::settle(&line.iter().map(|row| row.times).collect::<Vec<_>>());
            let trusted = line.into_iter().zip(settled).filter(|(_, times)| times.revoked_at.is_none());
            for (row, times) in trusted {
                keys.push(Key::open(row, times, master, random)?);
            }
        }
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
        let of_alg = self.keys.iter().filter(|key| key.alg() == alg);
        let may_sign = of_alg.filter(|key| key.times.may_sign(now));
        may_sign.max_by_key(|key| key.times.place_in_line()).map(|key| &key.signer)
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

    /// What the keys are called, for whoever looks why a token is refused.
    pub fn key_ids(&self) -> Vec<&str> {
        self.by_kid.keys().map(AsRef::as_ref).collect()
    }

    /// The key with this id, if its signatures are believed at `now`.
    pub(super) fn verifying_key(&self, kid: &str, now: Timestamp) -> Option<(SigningAlg, &PublicKey)> {
        self.by_kid
            .get(kid)
            .map(|&index| &self.keys[index])
            .filter(|key| key.times.may_verify(now, &self.policy))
            .map(|key| (key.alg(), &key.public))
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
    fn open(
        row: &SealedKey,
        times: KeyTimes,
        master: &MasterKey,
        random: &Random,
    ) -> Result<Self, KeyringError> {
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
        Ok(Self { signer, public, times })
    }

    fn alg(&self) -> SigningAlg {
        self.signer.alg()
    }

    fn jwk(&self) -> Map<String, Value> {
        self.public.to_jwk(self.signer.kid(), self.alg())
    }

    fn order(&self) -> (SigningAlg, Timestamp, &str) {
        (self.alg(), self.times.active_from, self.signer.kid())
    }
}

#[cfg(test)]
mod tests {
    use josekit::jwk::Jwk;
    use josekit::jws::{ES256, EdDSA, JwsVerifier, RS256};

    use super::super::fixture::{self, OURS, POLICY, generated, keyring, open, sealed, signing_since};
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn hours(hours: u64) -> Duration {
        Duration::from_secs(hours * 3600)
    }

    fn kids(keyring: &Keyring, now: Timestamp) -> Vec<String> {
        let jwks: Value = serde_json::from_slice(&keyring.jwks(now).body).unwrap();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    fn josekit_verifier(jwk: &Value) -> Box<dyn JwsVerifier> {
        let jwk = Jwk::from_map(jwk.as_object().unwrap().clone()).unwrap();
        match jwk.algorithm().unwrap() {
            "RS256" => Box::new(RS256.verifier_from_jwk(&jwk).unwrap()),
            "ES256" => Box::new(ES256.verifier_from_jwk(&jwk).unwrap()),
            _ => Box::new(EdDSA.verifier_from_jwk(&jwk).unwrap()),
        }
    }

    #[test]
    fn another_library_verifies_our_tokens_with_our_jwks() {
        let keyring = keyring(NOW);
        let jwks: Value = serde_json::from_slice(&keyring.jwks(NOW).body).unwrap();
        for (alg, jwk) in OURS.iter().zip(jwks["keys"].as_array().unwrap()) {
            let signer = keyring.signer(*alg, NOW).unwrap();
            assert_eq!((signer.alg(), signer.kid()), (*alg, generated(*alg).kid.as_str()));
            let token = signer.sign("at+jwt", &json!({ "sub": "usr_é", "n": 1 })).unwrap();
            let (claims, header) =
                josekit::jwt::decode_with_verifier(&token, josekit_verifier(jwk).as_ref()).unwrap();
            assert_eq!(claims.subject(), Some("usr_é"));
            assert_eq!(
                Value::Object(header.claims_set().clone()),
                json!({ "alg": alg.as_str(), "kid": signer.kid(), "typ": "at+jwt" })
            );
        }
    }

    #[test]
    fn the_jwks_has_public_members_only_and_a_strong_etag() {
        let document = keyring(NOW).jwks(NOW);
        let text = std::str::from_utf8(&document.body).unwrap();
        for private in [r#""d""#, r#""p""#, r#""q""#, r#""dp""#, r#""dq""#, r#""qi""#] {
            assert!(!text.contains(private), "{private}");
        }
        assert!(document.etag.starts_with('"') && document.etag.ends_with('"') && document.etag.len() == 45);
        let mut rows: Vec<_> = OURS.iter().map(|alg| sealed(*alg, signing_since(NOW))).collect();
        rows.reverse();
        assert_eq!(open(rows).unwrap().jwks(NOW), document, "every node says the same");
        assert_eq!(open(vec![]).unwrap().jwks(NOW).body.as_ref(), br#"{"keys":[]}"#);
    }

    #[test]
    fn tk_10_the_jwks_follows_the_schedule_back_and_forth() {
        let [old, new] =
            [(), ()].map(|()| super::super::generate(SigningAlg::Es256, &Random::system()).unwrap());
        let switch = NOW.plus(hours(48));
        let old_times = KeyTimes { retired_at: Some(switch), ..signing_since(NOW) };
        let new_times =
            KeyTimes { published_at: switch.minus(hours(24)), active_from: switch, ..signing_since(NOW) };
        let seal = |key, times| seal_new(key, &fixture::master(), &Random::system(), times);
        let keyring = open(vec![seal(&old, old_times), seal(&new, new_times)]).unwrap();
        let (o, n) = (old.kid.as_str(), new.kid.as_str());
        for (at, published, signer, max_age) in [
            (0, &[o][..], o, hours(1)),
            (23, &[o], o, hours(1)),
            (24, &[o, n], o, hours(1)),
            (47, &[o, n], o, hours(1)),
            (48, &[o, n], n, hours(1)),
            (49, &[o, n], n, Duration::from_secs(660)),
            (50, &[n], n, hours(1)),
            // A clock that was set back.
            (24, &[o, n], o, hours(1)),
            (0, &[o], o, hours(1)),
        ] {
            let now = NOW.plus(hours(at));
            assert_eq!(kids(&keyring, now), published, "after {at} hours");
            assert_eq!(keyring.signer(SigningAlg::Es256, now).unwrap().kid(), signer, "after {at} hours");
            assert_eq!(keyring.jwks(now).max_age, max_age, "after {at} hours");
        }
        let half_past = |at| NOW.plus(hours(at)).plus(Duration::from_secs(1800));
        assert_eq!(keyring.jwks(half_past(23)).max_age, Duration::from_secs(1800));
        let (before, after) = (keyring.jwks(half_past(24)), keyring.jwks(half_past(25)));
        assert!(Arc::ptr_eq(&before.body, &after.body), "prepared once between two changes");
    }

    #[test]
    fn only_keys_that_exist_sign() {
        let rows = vec![sealed(SigningAlg::Es256, signing_since(NOW))];
        let keyring = open(rows).unwrap();
        assert!(keyring.signer(SigningAlg::Es256, NOW).is_some());
        assert!(keyring.signer(SigningAlg::Es256, NOW.minus(hours(1))).is_none());
        for missing in [SigningAlg::Rs256, SigningAlg::Ps256, SigningAlg::EdDsa] {
            assert!(keyring.signer(missing, NOW).is_none());
        }
        assert_eq!(format!("{keyring:?}"), format!("[Signer(ES256 {})]", generated(SigningAlg::Es256).kid));
    }

    #[test]
    fn tk_9_the_wrong_master_key_is_named() {
        let row = sealed(SigningAlg::Es256, signing_since(NOW));
        let other = MasterKey::from_bytes([8; 32]);
        let error = Keyring::open(vec![row.clone()], &other, &Random::system(), POLICY).unwrap_err();
        assert_eq!(
            error,
            KeyringError::WrongMasterKey {
                kid: row.kid.clone(),
                sealed_under: fixture::master().id(),
                given: other.id()
            }
        );
        // Pretending does not help.
        let renamed = SealedKey { master_key_id: other.id(), ..row.clone() };
        let error = Keyring::open(vec![renamed], &other, &Random::system(), POLICY).unwrap_err();
        assert_eq!(error, KeyringError::Unopenable { kid: row.kid.clone() });
        // A key that was given up does not stand in the way.
        let times = KeyTimes { revoked_at: Some(NOW), ..row.times };
        let given_up = SealedKey { times, ..row };
        assert!(Keyring::open(vec![given_up], &other, &Random::system(), POLICY).is_ok());
    }

    #[test]
    fn tk_9_rows_that_were_altered_do_not_open() {
        let times = signing_since(NOW);
        let ec = sealed(SigningAlg::Es256, times);
        let ed = sealed(SigningAlg::EdDsa, times);
        let other = super::super::generate(SigningAlg::Es256, &Random::system()).unwrap();
        let other = seal_new(&other, &fixture::master(), &Random::system(), times);
        let mut flipped = ec.sealed.clone();
        flipped[20] ^= 1;
        for (name, row) in [
            ("sealed for another kid", SealedKey { sealed: other.sealed.clone(), ..ec.clone() }),
            ("kid of another", SealedKey { kid: other.kid.clone(), ..ec.clone() }),
            ("public key of another", SealedKey { public_jwk: other.public_jwk.clone(), ..ec.clone() }),
            ("public key unreadable", SealedKey { public_jwk: "{".to_owned(), ..ec.clone() }),
            ("another algorithm", SealedKey { alg: SigningAlg::EdDsa, ..ec.clone() }),
            ("an algorithm that is not made here", SealedKey { alg: SigningAlg::Ps256, ..ec.clone() }),
            ("a flipped bit", SealedKey { sealed: flipped, ..ec.clone() }),
            ("nothing", SealedKey { sealed: vec![], ..ec.clone() }),
        ] {
            assert!(open(vec![ed.clone(), row]).is_err(), "{name}");
        }
        let repeated = open(vec![ec.clone(), ec.clone()]).unwrap_err();
        assert_eq!(repeated, KeyringError::Repeated { kid: ec.kid });
    }

    #[test]
    fn a_keyring_is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Keyring>();
    }
}
