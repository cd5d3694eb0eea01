//! The signing keys of this node: opened from the database, made when they are due, rotated, revoked.
//!
//! The rules of the schedule are in [`crate::keys::schedule`]; every node obeys the stored times. A change bumps
//! the version row of [`Topic::Keys`](crate::model::Topic::Keys), and [`crate::jobs`] calls [`Signing::reload`] on
//! every node.

mod lines;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::audit::{Event, Origin, Scribe};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::crypto::{MasterKey, Random};
use crate::keys::{
    GenerateError, KeyPolicy, KeyTimes, Keyring, KeyringError, SealedKey, generate, plan_rotation,
    rotation_due, seal_new,
};
use crate::model::{AuditAction, SigningAlg};
use crate::store::signing_keys::{self, SigningKey};
use crate::store::{self, Db};

pub use lines::{KeyLine, KeyState, lines};

/// The algorithms that we sign with. PS256 is accepted from clients only.
pub const ALGORITHMS: [SigningAlg; 3] = [SigningAlg::Rs256, SigningAlg::Es256, SigningAlg::EdDsa];

/// No access token lives longer than this, whatever its resource says; keys stay published accordingly.
pub const LONGEST_TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why the keys are not ready.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error("no live signing key is called {0}: `countersign keys list` shows them")]
    NoSuchKey(String),
}

/// The settings that the schedule needs.
pub fn policy(config: &Config) -> KeyPolicy {
    KeyPolicy {
        rotate_every: config.keys.rotate_every,
        publish_ahead: config.keys.publish_ahead,
        longest_token_life: LONGEST_TOKEN_LIFE.max(config.lifetimes.access).max(config.lifetimes.id_token),
    }
}

/// The keys of this node and what is needed to make more.
pub struct Signing {
    current: RwLock<Arc<Keyring>>,
    master: MasterKey,
    random: Random,
    clock: Clock,
    policy: KeyPolicy,
}

impl Signing {
    /// Opens the stored keys without making any.
    pub async fn open(
        db: &Db,
        config: &Config,
        master: MasterKey,
        random: Random,
        clock: Clock,
    ) -> Result<Self, SigningError> {
        let policy = policy(config);
        let rows = db.read(signing_keys::all).await?;
        let keyring = Keyring::open(rows.into_iter().map(sealed).collect(), &master, &random, policy)?;
        Ok(Self { current: RwLock::new(Arc::new(keyring)), master, random, clock, policy })
    }

    /// The keys as they are now.
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the stored keys again.
    pub async fn reload(&self, db: &Db) -> Result<(), SigningError> {
        let rows = db.read(signing_keys::all).await?;
        let keyring =
            Keyring::open(rows.into_iter().map(sealed).collect(), &self.master, &self.random, self.policy)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
        Ok(())
    }

    /// Makes every key that is due: the first ones, scheduled successors, and those that replace a revoked one.
    /// Two nodes that do this together make one key, not two.
    pub async fn make_due_keys(&self, db: &Db) -> Result<(), SigningError> {
        let rows = db.read(signing_keys::all).await?;
        let now = self.clock.now();
        let mut made = Vec::new();
        for alg in ALGORITHMS {
            if rotation_due(now, &self.policy, &times_of(&rows, alg)) {
                made.push(std::thread::spawn({
                    let random = self.random.clone();
                    move || generate(alg, &random)
                }));
            }
        }
        if made.is_empty() {
            return Ok(());
        }
        // An RSA key takes a moment; its thread is awaited off the async ones.
        let generated = tokio::task::spawn_blocking(move || {
            made.into_iter()
                .map(|thread| thread.join().expect("making a key does not panic"))
                .collect::<Result<Vec<_>, _>>()
        })
        .await
        .expect("waiting for a thread does not panic")?;
        let (master, random, policy) = (self.master.clone(), self.random.clone(), self.policy);
        let scribe = Scribe { now, random: random.clone(), origin: Origin::system() };
        db.write(move |db| {
            signing_keys::lock(db)?;
            let rows = signing_keys::all(db)?;
            for key in &generated {
                let times = times_of(&rows, key.alg);
                if rotation_due(now, &policy, &times) {
                    let plan = plan_rotation(now, policy.publish_ahead, &times);
                    let sealed = seal_new(key, &master, &random, plan.new);
                    add(db, sealed, plan.retire_others_at, &scribe, AuditAction::KeyCreated)?;
                }
            }
            Ok(())
        })
        .await?;
        self.reload(db).await
    }

    /// Publishes a successor now; it signs after `publish_ahead`, when the present key retires. Answers its `kid`.
    pub async fn rotate(&self, db: &Db, alg: SigningAlg, scribe: Scribe) -> Result<String, SigningError> {
        let random = self.random.clone();
        let key = tokio::task::spawn_blocking(move || generate(alg, &random))
            .await
            .expect("making a key does not panic")?;
        let (master, random, ahead) = (self.master.clone(), self.random.clone(), self.policy.publish_ahead);
        let kid = key.kid.clone();
        db.write(move |db| {
            signing_keys::lock(db)?;
            let rows = signing_keys::all(db)?;
            let plan = plan_rotation(scribe.now, ahead, &times_of(&rows, alg));
            let sealed = seal_new(&key, &master, &random, plan.new);
            add(db, sealed, plan.retire_others_at, &scribe, AuditAction::KeyRotated)
        })
        .await?;
        self.reload(db).await?;
        Ok(kid)
    }

    /// Withdraws a key at once and makes a successor if none is left to sign (TK-11).
    pub async fn revoke(&self, db: &Db, kid: &str, scribe: Scribe) -> Result<(), SigningError> {
        let asked = kid.to_owned();
        let revoked = db
            .write(move |db| {
                let revoked = signing_keys::revoke(db, &asked, scribe.now)?;
                if revoked {
                    scribe
                        .write(db, Event::success(AuditAction::KeyRevoked).detail("kid", asked.as_str()))?;
                }
                Ok(revoked)
            })
            .await?;
        if !revoked {
            return Err(SigningError::NoSuchKey(kid.to_owned()));
        }
        self.make_due_keys(db).await?;
        self.reload(db).await
    }
}

/// Stores a key; the ones before it retire at the planned time.
fn add(
    db: &mut store::Conn,
    key: SealedKey,
    retire_others_at: Option<Timestamp>,
    scribe: &Scribe,
    action: AuditAction,
) -> Result<(), store::Error> {
    let row = row(key);
    signing_keys::insert(db, &row)?;
    if let Some(at) = retire_others_at {
        signing_keys::retire_others(db, row.alg, &row.kid, at)?;
    }
    scribe.write(
        db,
        Event::success(action)
            .detail("kid", row.kid.as_str())
            .detail("alg", row.alg.as_str())
            .detail("active_from", row.active_from.rfc3339()),
    )
}

/// The times of the keys of one algorithm.
pub fn times_of(rows: &[SigningKey], alg: SigningAlg) -> Vec<KeyTimes> {
    rows.iter().filter(|row| row.alg == alg).map(times).collect()
}

fn times(row: &SigningKey) -> KeyTimes {
    KeyTimes {
        created_at: row.created_at,
        published_at: row.published_at,
        active_from: row.active_from,
        retired_at: row.retired_at,
        revoked_at: row.revoked_at,
    }
}

fn sealed(row: SigningKey) -> SealedKey {
    SealedKey {
        times: times(&row),
        kid: row.kid,
        alg: row.alg,
        public_jwk: row.public_jwk,
        sealed: row.sealed,
        master_key_id: row.master_key_id,
    }
}

fn row(key: SealedKey) -> SigningKey {
    SigningKey {
        kid: key.kid,
        alg: key.alg,
        public_jwk: key.public_jwk,
        sealed: key.sealed,
        master_key_id: key.master_key_id,
        created_at: key.times.created_at,
        published_at: key.times.published_at,
        active_from: key.times.active_from,
        retired_at: key.times.retired_at,
        revoked_at: key.times.revoked_at,
    }
}

/// What an operator sees of a key.
#[derive(Clone, Debug, serde::Serialize)]
pub struct KeySummary {
    pub kid: String,
    pub alg: SigningAlg,
    /// `waiting`, `signing`, `retired` or `revoked`.
    pub state: &'static str,
    pub published_at: String,
    pub active_from: String,
    pub retired_at: Option<String>,
    pub revoked_at: Option<String>,
}

/// Every stored key with its state at `now`.
pub fn summarise(rows: &[SigningKey], now: Timestamp) -> Vec<KeySummary> {
    let mut signing: BTreeMap<&str, &str> = BTreeMap::new();
    for alg in ALGORITHMS {
        let of_alg: Vec<&SigningKey> = rows.iter().filter(|row| row.alg == alg).collect();
        let times: Vec<KeyTimes> = of_alg.iter().map(|row| times(row)).collect();
        if let Some(index) = crate::keys::schedule::signing_key(&times, now) {
            signing.insert(alg.as_str(), &of_alg[index].kid);
        }
    }
    rows.iter()
        .map(|row| KeySummary {
            state: if row.revoked_at.is_some() {
                "revoked"
            } else if signing.get(row.alg.as_str()) == Some(&row.kid.as_str()) {
                "signing"
            } else if row.active_from > now {
                "waiting"
            } else {
                "retired"
            },
            kid: row.kid.clone(),
            alg: row.alg,
            published_at: row.published_at.rfc3339(),
            active_from: row.active_from.rfc3339(),
            retired_at: row.retired_at.map(Timestamp::rfc3339),
            revoked_at: row.revoked_at.map(Timestamp::rfc3339),
        })
        .collect()
}
