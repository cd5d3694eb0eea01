//! The audit as a ledger: events in one order, each with the digest of itself and of all before it, and now and then a
//! signed word on how far it goes. Whoever changes, removes or moves an event is found out (`countersign audit verify`).
//!
//! Events are written with what they tell of ([`crate::audit`]) and get their place a moment later ([`Keeper::extend`],
//! once a second on one node), so that transactions do not wait for one another. Until then, and after the last checkpoint,
//! only the database's own guard protects them. An address is in the chain by a salted digest, so that it can be
//! forgotten with its person.

mod verify;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::crypto::{Digest, Random};
use crate::keys::{Keyring, SignError};
use crate::model::SigningAlg;
use crate::store::audit::{self, Checkpoint, Event, Link};
use crate::store::{self, Conn, Db};

pub use verify::{Audit, Premises, Report, Span, Subject, check};

/// The first line of an export names it.
pub const FORMAT: &str = "countersign-audit-1";
/// The kind of token that a checkpoint is (TK-4).
pub const CHECKPOINT_TYP: &str = "audit-checkpoint+jwt";
/// That of access tokens, so that a published key of this kind is always there.
const ALG: SigningAlg = SigningAlg::Es256;
/// Events that get their places in one transaction.
const BATCH: i64 = 500;
/// A checkpoint is due after this, if there is anything new.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5 * 60);
/// For as long a checkpoint says of itself that it is good: longer than anybody keeps an audit.
const TEN_YEARS: i64 = 10 * 366 * 24 * 60 * 60;

/// Why the ledger was not extended, or not exported.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("no {ALG} key may sign at the moment")]
    NoKey,
    /// The chain goes on from this event, which is not there.
    #[error(
        "event {0} is not there, and has to stay as the link to those after it: choose the number of an event that is"
    )]
    NoLink(i64),
}

/// When a checkpoint is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    WhenDue,
    /// For an export, which it ends, and wherever a process ends that wrote events.
    Now,
}

/// What extends the ledger on this node.
#[derive(Clone, Copy)]
pub struct Keeper<'a> {
    pub db: &'a Db,
    pub keyring: &'a Keyring,
    pub issuer: &'a str,
    pub random: &'a Random,
    pub now: Timestamp,
}

impl Keeper<'_> {
    /// Gives every event that has none its place, and signs how far the ledger goes. Of several nodes that do this
    /// together one succeeds, and the others leave it to their next turn.
    pub async fn extend(&self, sealing: Sealing) -> Result<(), LedgerError> {
        loop {
            // Looked for first: nobody waits to write while nothing happens.
            if self.db.read(|db| audit::without_place(db, 1)).await?.is_empty() {
                return self.seal(sealing).await;
            }
            let random = self.random.clone();
            match self.db.write(move |db| place(db, &random)).await {
                Ok(BATCH) => {}
                Ok(_) | Err(store::Error::Taken(_)) => return self.seal(sealing).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn seal(&self, sealing: Sealing) -> Result<(), LedgerError> {
        let (head, last) = self.db.read(|db| Ok((audit::head(db)?, audit::newest_checkpoint(db)?))).await?;
        let Some((seq, chain)) = head else { return Ok(()) };
        let is_due = last.is_none_or(|last| {
            let is_late = self.now < last.at || self.now.since(last.at) >= CHECKPOINT_EVERY;
            seq > last.seq && (sealing == Sealing::Now || is_late)
        });
        if !is_due {
            return Ok(());
        }
        let iat = self.now.seconds();
        let claims =
            json!({ "iss": self.issuer, "iat": iat, "exp": iat + TEN_YEARS, "seq": seq, "chain": chain });
        let signer = self.keyring.signer(ALG, self.now).ok_or(LedgerError::NoKey)?;
        let checkpoint = Checkpoint { seq, at: self.now, token: signer.sign(CHECKPOINT_TYP, &claims)? };
        // In the log, which is kept elsewhere: who cuts off the end of the audit does not reach it.
        tracing::info!(seq, chain = chain.base64url(), "audit checkpoint");
        match self.db.write(move |db| audit::insert_checkpoint(db, &checkpoint)).await {
            // Made elsewhere at this moment.
            Ok(()) | Err(store::Error::Taken(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Gives a batch of events their places, and says how many. A place that a checkpoint names is never given twice: what
/// was there is missing, and the gap tells.
fn place(db: &mut Conn, random: &Random) -> Result<i64, store::Error> {
    let events = audit::without_place(db, BATCH)?;
    if events.is_empty() {
        return Ok(0);
    }
    let (mut seq, mut chain) = audit::head(db)?.unwrap_or((0, BEGINNING));
    if let Some(sealed) = audit::newest_checkpoint(db)?.filter(|sealed| sealed.seq > seq) {
        tracing::error!(seq, sealed = sealed.seq, "audit events that were there are missing");
        seq = sealed.seq;
    }
    for event in &events {
        seq += 1;
        let salt = event.ip.as_ref().map(|_| Digest::of(&random.bytes::<32>()));
        let ip_digest = salt.zip(event.ip.as_deref()).map(|(salt, ip)| salted(&salt, ip));
        let line = Line::of(event.clone(), Link { seq, salt, ip_digest, chain: BEGINNING });
        chain = line.chained(&chain);
        if !audit::place(db, event.id, &Link { seq, salt, ip_digest, chain })? {
            // Another node has placed it since; its transaction is the one that counts.
            return Err(store::Error::Taken(store::Unique::Other));
        }
    }
    Ok(i64::try_from(events.len()).unwrap_or(BATCH))
}

/// The chain before the first event.
const BEGINNING: Digest = Digest::ZERO;

fn salted(salt: &Digest, ip: &str) -> Digest {
    Digest::of(&[salt.as_bytes(), ip.as_bytes()].concat())
}

/// An event as a line of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: i64,
    id: String,
    /// In microseconds since 1970.
    at: i64,
    action: String,
    outcome: String,
    user: Option<String>,
    actor: Option<String>,
    client: Option<String>,
    session: Option<String>,
    organisation: Option<String>,
    request: Option<String>,
    /// JSON, as text.
    detail: String,
    ip: Option<String>,
    salt: Option<Digest>,
    ip_digest: Option<Digest>,
    chain: Digest,
}

impl Line {
    fn of(event: Event, link: Link) -> Self {
        Self {
            seq: link.seq,
            id: event.id.to_string(),
            at: event.at.micros(),
            action: event.action,
            outcome: event.outcome.to_string(),
            user: event.user_id.map(|id| id.to_string()),
            actor: event.actor_id.map(|id| id.to_string()),
            client: event.client_id.map(|id| id.to_string()),
            session: event.session_id.map(|id| id.to_string()),
            organisation: event.organisation_id.map(|id| id.to_string()),
            request: event.request_id,
            detail: event.detail,
            ip: event.ip,
            salt: link.salt,
            ip_digest: link.ip_digest,
            chain: link.chain,
        }
    }

    /// SHA-256 of the chain before the event, as 32 bytes, and the event as a JSON array without white space.
    fn chained(&self, before: &Digest) -> Digest {
        let Self { seq, id, at, action, outcome, user, actor, client, session, .. } = self;
        let Self { organisation, request, detail, ip_digest, .. } = self;
        let event = json!([
            seq,
            id,
            at,
            action,
            outcome,
            user,
            actor,
            client,
            session,
            organisation,
            request,
            ip_digest,
            detail
        ]);
        Digest::of(&[before.as_bytes(), event.to_string().as_bytes()].concat())
    }

    /// Whether the address is the one that the chain holds, or was forgotten with its salt.
    fn has_its_address(&self) -> bool {
        match (&self.ip, &self.salt, &self.ip_digest) {
            (Some(ip), Some(salt), Some(digest)) => salted(salt, ip) == *digest,
            (None, None, _) => true,
            _ => false,
        }
    }
}

/// The first line of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    issuer: String,
    /// The place before the first event, and the chain up to it.
    after: i64,
    chain: Digest,
    /// Every key that this instance had, as JWK Set: the published one knows no longer those that are retired.
    keys: Value,
}

/// A checkpoint as a line of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    checkpoint: String,
}

/// How far an export goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// To the newest checkpoint, so that it ends signed whatever other nodes write meanwhile.
    Signed,
    /// To the last event that has its place.
    Everything,
}

/// The chain up to this place.
///
/// # Errors
/// [`LedgerError::NoLink`] if no event has it.
pub async fn link(db: &Db, after: i64) -> Result<Digest, LedgerError> {
    if after == 0 {
        return Ok(BEGINNING);
    }
    let found = db.read(move |db| audit::placed(db, after - 1, 1)).await?;
    let found = found.first().filter(|(_, link)| link.seq == after);
    found.map(|(_, link)| link.chain).ok_or(LedgerError::NoLink(after))
}

/// Hands the lines of an export to `line`, from the event after this place on. Events at places that there are not
/// (0 and below) come first: the verifier is to see them.
///
/// # Errors
/// If the event at `after` is not there, the database cannot be read, or `line` fails.
pub async fn export<E: From<LedgerError>>(
    db: &Db,
    issuer: &str,
    after: i64,
    extent: Extent,
    mut line: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let chain = link(db, after).await?;
    let begun = db.read(|db| {
        let below = audit::placed(db, i64::MIN, BATCH)?.into_iter().take_while(|(_, link)| link.seq < 1);
        Ok((store::signing_keys::all(db)?, audit::newest_checkpoint(db)?, below.collect::<Vec<_>>()))
    });
    let (keys, newest, below) = begun.await.map_err(LedgerError::from)?;
    let keys: Vec<Value> = keys.iter().filter_map(|key| serde_json::from_str(&key.public_jwk).ok()).collect();
    let head = Head {
        format: FORMAT.to_owned(),
        issuer: issuer.to_owned(),
        after,
        chain,
        keys: json!({ "keys": keys }),
    };
    line(&written(&head))?;
    for (event, link) in below {
        line(&written(&Line::of(event, link)))?;
    }
    let end = match extent {
        Extent::Signed => newest.map_or(after, |newest| newest.seq),
        Extent::Everything => i64::MAX,
    };
    let mut reached = after;
    loop {
        let page = db.read(move |db| {
            // First: one that is made after the events were read vouches for events that came since.
            let newest = audit::newest_checkpoint(db)?;
            let mut events = audit::placed(db, reached, BATCH)?;
            events.retain(|(_, link)| link.seq <= end);
            let up_to = events.last().map_or(reached, |(_, link)| link.seq);
            Ok((newest, events, audit::checkpoints(db, reached, up_to)?))
        });
        let (newest, events, checkpoints) = page.await.map_err(LedgerError::from)?;
        let Some(last) = events.last().map(|(_, link)| link.seq) else {
            // What it vouches for was cut off, which the verifier is to see.
            return match newest.filter(|newest| newest.seq > reached && reached < end) {
                Some(newest) => line(&written(&Sealed { checkpoint: newest.token })),
                None => Ok(()),
            };
        };
        let mut checkpoints = checkpoints.into_iter().peekable();
        for (event, link) in events {
            let seq = link.seq;
            // Of a place that is missing: the verifier is to see that it was there.
            while let Some(sealed) = checkpoints.next_if(|sealed| sealed.seq < seq) {
                line(&written(&Sealed { checkpoint: sealed.token }))?;
            }
            line(&written(&Line::of(event, link)))?;
            if let Some(sealed) = checkpoints.next_if(|sealed| sealed.seq == seq) {
                line(&written(&Sealed { checkpoint: sealed.token }))?;
            }
        }
        reached = last;
    }
}

fn written(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("plain data is written")
}
