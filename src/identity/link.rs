//! One-time links as those meet them who ask for one or open one: how often, at what pace, and at what cost.
//!
//! Opening looks and spends nothing (PW-7); each kind of link says itself what spends it. Asking is answered the same,
//! after the same time, whoever has the address (PW-6).

use std::future::Future;
use std::time::Duration;

use super::device::KnownDevice;
use super::limits::{self, Bucket, Throttled};
use crate::app::App;
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::config::{Limit, Limits};
use crate::crypto::{Digest, Secret};
use crate::model::explanation::{Explanation, Rule, Slip};
use crate::model::{EmailAddress, LinkPurpose};
use crate::store::links::Link;
use crate::store::users::{self, Email, User};
use crate::store::{self, Conn, links};

/// Longer than it takes to find an account and to write a mail to it, and too short for a person to notice.
const PACE: Duration = Duration::from_millis(100);

/// Why a link opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Unknown, used, replaced, too old, or not good any more for another reason: one answer.
    #[error("the link does not work any more")]
    Expired,
    #[error("too many tries")]
    Throttled(Throttled),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Throttled> for LinkError {
    fn from(throttled: Throttled) -> Self {
        Self::Throttled(throttled)
    }
}

/// Why no mail was asked for. Says nothing of whether there is an account.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("this is not an e-mail address")]
    BadEmail,
    #[error("too many mails were asked for")]
    Throttled(Throttled),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Throttled> for AskError {
    fn from(throttled: Throttled) -> Self {
        Self::Throttled(throttled)
    }
}

/// Wrong links that one network address tried.
#[derive(Clone)]
pub(super) struct Tries {
    pub bucket: Bucket,
    pub limit: Limit,
    pub slip: Slip,
}

impl Tries {
    pub fn of(app: &App, origin: &Origin) -> Self {
        let bucket = Bucket::new("one-time link address", &[&limits::address_key(origin.ip)]);
        Self { bucket, limit: app.limits(origin).link_tries, slip: origin.slip.clone() }
    }

    /// Counts a wrong link. A right one is looked up first and never counted, so that nobody who guesses from the same
    /// network keeps its owner from it (RL-4): 256 random bits are not guessed.
    pub fn missed<T>(
        &self,
        db: &mut Conn,
        digest: Option<&Digest>,
        now: Timestamp,
    ) -> Result<Result<Option<T>, Throttled>, store::Error> {
        let known = digest.map(|digest| links::find(db, digest)).transpose()?.flatten();
        if let Some(user) = known.as_ref().and_then(|link| link.user_id) {
            self.slip.concerns(user);
        }
        self.slip.refuse(why_not(known.as_ref(), now));
        Ok(limits::reserve(db, &[(self.bucket, self.limit)], now, &self.slip)?.map(|()| None))
    }
}

/// Whoever holds the link is not told; whoever runs the instance is.
fn why_not(link: Option<&Link>, now: Timestamp) -> Explanation {
    let Some(link) = link else { return Explanation::of(Rule::Link).with("state", "unknown") };
    let told = Explanation::of(Rule::Link).with("for", link.purpose).with("made", link.created_at);
    match link.consumed_at {
        Some(at) => told.with("state", "used or replaced").with("seconds ago", now.since(at).as_secs()),
        None if link.expires_at <= now => {
            told.with("state", "expired").with("seconds ago", now.since(link.expires_at).as_secs())
        }
        None => told.with("state", "good, but not for this, or not in this browser"),
    }
}

/// The link with this secret, if it is good for one of the purposes. A wrong one counts as a try.
pub(super) async fn look(
    app: &App,
    token: &Secret,
    purposes: &'static [LinkPurpose],
    tries: Tries,
) -> Result<Link, LinkError> {
    let (digest, now) = (token.digest(), app.clock.now());
    let found = app.db.write(move |db| {
        for purpose in purposes {
            if let Some(link) = links::peek(db, &digest, *purpose, now)? {
                return Ok(Ok(Some(link)));
            }
        }
        tries.missed(db, Some(&digest), now)
    });
    found.await??.ok_or(LinkError::Expired)
}

/// Spends the link of this purpose. A wrong one counts as a try.
pub(super) fn spend(
    db: &mut Conn,
    token: &Secret,
    purpose: LinkPurpose,
    tries: &Tries,
    now: Timestamp,
) -> Result<Result<Option<Link>, Throttled>, store::Error> {
    let digest = token.digest();
    match links::consume(db, &digest, purpose, now)? {
        Some(link) => Ok(Ok(Some(link))),
        None => tries.missed(db, Some(&digest), now),
    }
}

/// Does the work at its own pace, but answers no sooner than [`PACE`].
pub(super) async fn paced<T>(work: impl Future<Output = T>) -> T {
    tokio::join!(work, tokio::time::sleep(PACE)).0
}

/// Counts one mail to the address, asked for from the network address (RL-3).
///
/// The owner's own device has a counter of its own, which strangers cannot fill, and one stranger alone makes up half of
/// what an address gets from anywhere, so that the owner on a new device is left the other half (RL-4).
pub(super) fn count_mail(
    db: &mut Conn,
    limits: &Limits,
    asked: &MailAsked<'_>,
    owner: Option<&User>,
    now: Timestamp,
) -> Result<Result<(), Throttled>, store::Error> {
    let to = asked.email.folded().as_bytes();
    let known = asked.device.filter(|device| owner.is_some_and(|owner| device.knows(owner.id)));
    let tries = match known {
        Some(device) => vec![(Bucket::new("mail to+device", &[to, device.id()]), limits.mail_per_address)],
        None => {
            let from = limits::address_key(asked.origin.ip);
            let anywhere = limits.mail_per_address;
            let anywhere = Limit { count: anywhere.count.saturating_mul(2), ..anywhere };
            vec![
                (Bucket::new("mail to from", &[to, &from]), limits.mail_per_address),
                (Bucket::new("mail to", &[to]), anywhere),
                (Bucket::new("mail asked for by address", &[&from]), limits.mail_per_ip),
            ]
        }
    };
    limits::reserve(db, &tries, now, &asked.origin.slip)
}

/// Who asks for a mail to where.
pub(super) struct MailAsked<'a> {
    pub email: &'a EmailAddress,
    pub device: Option<&'a KnownDevice>,
    pub origin: &'a Origin,
}

/// The stored address of an account that a link may be sent to: a verified one, or the primary one, which opening the
/// link verifies (PW-11, PW-13).
pub(super) fn reachable(
    db: &mut Conn,
    owner: &User,
    email: &EmailAddress,
) -> Result<Option<EmailAddress>, store::Error> {
    let may_be_sent_to = |stored: &Email| stored.verified_at.is_some() || stored.is_primary;
    users::emails(db, owner.id)?
        .into_iter()
        .find(|stored| stored.folded == email.folded() && may_be_sent_to(stored))
        .map(|stored| stored_address(&stored.address))
        .transpose()
}

/// An address as it is stored.
pub(super) fn stored_address(text: &str) -> Result<EmailAddress, store::Error> {
    EmailAddress::parse(text).map_err(|error| store::Error::broken("a user's address", error))
}
