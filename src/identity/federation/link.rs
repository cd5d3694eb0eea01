//! Linking who somebody is elsewhere to an account, and unlinking.
//!
//! Both sides are proven in one browser: the provider's answer, and a sign-in to the account after it (FE-7) or a
//! signed-in session that asked for it (FE-9).

use super::FederationError;
use super::admit::insert_link;
use super::providers::{self, Upstream};
use super::token::Person;
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::identity::notice::Notices;
use crate::identity::session::{self, Arrival, Begun};
use crate::mail::message::Happened;
use crate::model::{AuditAction, FederatedIdentityId, SessionId, UserId};
use crate::store::{self, Conn, federation as rows, passkeys, users};

/// A link that waits for a sign-in in this browser.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What people call the provider.
    pub provider: String,
    /// What the provider calls the person: the address that an account has.
    pub account: String,
}

/// What this browser is to sign in for, if a link waits in it.
pub async fn waiting(app: &App, binding: Option<&Secret>) -> Result<Option<Waiting>, store::Error> {
    let Some(binding) = binding else { return Ok(None) };
    let (browser, now) = (binding.digest(), app.clock.now());
    let Some(pending) = app.db.read(move |db| rows::pending(db, &browser, now)).await? else {
        return Ok(None);
    };
    let upstream = providers::find_active(app, &pending.provider_id).await?;
    Ok(upstream
        .map(|upstream| Waiting { provider: upstream.settings.label(), account: pending.label.clone() }))
}

/// Drops the link that waits in this browser: somebody signs in who was not shown it. Whoever left it there may be
/// another (FE-7).
pub async fn forget(app: &App, binding: Option<&Secret>) -> Result<(), store::Error> {
    let Some(binding) = binding else { return Ok(()) };
    let (browser, now) = (binding.digest(), app.clock.now());
    if app.db.read(move |db| rows::pending(db, &browser, now)).await?.is_some() {
        app.db.write(move |db| rows::remove_pending(db, &browser)).await?;
    }
    Ok(())
}

/// After a sign-in: makes the link that waits in this browser, if it is for this account and the sign-in is complete.
///
/// Whoever signs in to another account has not proven the one that is to be linked; the link goes on waiting.
pub async fn complete(
    app: &App,
    binding: Option<&Secret>,
    begun: &Begun,
    notices: Notices,
    origin: &Origin,
) -> Result<bool, store::Error> {
    let Some(binding) = binding else { return Ok(false) };
    let (browser, user, now) = (binding.digest(), begun.user, app.clock.now());
    let waits =
        app.db.read(move |db| Ok(rows::pending(db, &browser, now)?.is_some_and(|p| p.user_id == user)));
    // The account is not proven before its second factor is.
    if begun.awaiting_factor || !waits.await? {
        return Ok(false);
    }
    let active = providers::active(app).await?;
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            let Some(pending) = rows::pending(db, &browser, scribe.now)?.filter(|p| p.user_id == user) else {
                return Ok(false);
            };
            rows::remove_pending(db, &browser)?;
            let Some(upstream) = active.iter().find(|one| one.settings.id == pending.provider_id) else {
                return Ok(false);
            };
            let is_known =
                rows::find_identity(db, &pending.provider_id, &pending.issuer, &pending.subject)?.is_some();
            if is_known || !upstream.is_still_active(db)? {
                return Ok(false);
            }
            let rows::PendingLink { provider_id, issuer, subject, label, .. } = pending;
            insert_link(db, user, provider_id, issuer, subject, label, &scribe)?;
            let what = Happened::IdentityLinked { provider: &upstream.settings.label() };
            tell(db, user, &notices, what, &scribe)?;
            Ok(true)
        })
        .await
}

/// Links what a signed-in user went to the provider for. The browser must still be signed in as that user.
pub(super) async fn to_account(
    app: &App,
    upstream: &Upstream,
    person: Person,
    user: UserId,
    arrival: &Arrival,
    origin: &Origin,
) -> Result<(), FederationError> {
    let accounts = session::resume(app, &arrival.present).await?;
    if !accounts.iter().any(|account| account.user.id == user) {
        return Err(FederationError::Stale);
    }
    let (upstream, notices, scribe) = (upstream.clone(), arrival.notices.clone(), app.scribe(origin));
    let linked = app.db.write(move |db| {
        if !upstream.is_still_active(db)? {
            return Ok(Err(FederationError::NoSuchProvider));
        }
        let provider = upstream.settings.id.clone();
        match rows::find_identity(db, &provider, &person.issuer, &person.subject)? {
            Some(known) if known.user_id == user => Ok(Ok(())),
            Some(_) => Ok(Err(FederationError::LinkedElsewhere)),
            None => {
                let (issuer, subject) = (person.issuer.clone(), person.subject.clone());
                insert_link(db, user, provider, issuer, subject, person.label(), &scribe)?;
                let what = Happened::IdentityLinked { provider: &upstream.settings.label() };
                tell(db, user, &notices, what, &scribe)?;
                Ok(Ok(()))
            }
        }
    });
    match linked.await {
        Err(store::Error::Taken(_)) => Err(FederationError::LinkedElsewhere),
        other => other?,
    }
}

/// A linked identity, as the account page shows it.
#[derive(Clone, Debug)]
pub struct Linked {
    pub id: FederatedIdentityId,
    /// What people call the provider; its id if it is there no more.
    pub provider: String,
    /// Whether people can sign in with it now.
    pub active: bool,
    /// What the provider called the person last.
    pub label: String,
    pub since: Timestamp,
    pub last_used_at: Timestamp,
}

/// Who the user is elsewhere.
pub async fn list(app: &App, user: UserId) -> Result<Vec<Linked>, store::Error> {
    let active = providers::active(app).await?;
    let identities = app.db.read(move |db| rows::identities_of(db, user)).await?;
    let shown = |identity: rows::Identity| {
        let upstream = active.iter().find(|upstream| upstream.settings.id == identity.provider_id);
        Linked {
            id: identity.id,
            provider: upstream.map_or(identity.provider_id, |upstream| upstream.settings.label()),
            active: upstream.is_some(),
            label: identity.label,
            since: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    };
    Ok(identities.into_iter().map(shown).collect())
}

/// Why a link was not removed.
#[derive(Debug, thiserror::Error)]
pub enum UnlinkError {
    #[error("this is no identity of the user")]
    NoSuchIdentity,
    /// Nothing would be left to sign in with (FE-9).
    #[error("it is the only way to sign in to the account")]
    LastWay,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Removes a link, and ends what began with it but the session at work. The caller has asked for the password, or
/// whatever else there is, again (FE-9).
pub async fn unlink(
    app: &App,
    user: UserId,
    at_work: SessionId,
    identity: FederatedIdentityId,
    notices: Notices,
    origin: &Origin,
) -> Result<(), UnlinkError> {
    let active = providers::active(app).await?;
    let scribe = app.scribe(origin);
    app.db
        .write(move |db| {
            let all = rows::identities_of(db, user)?;
            let Some(found) = all.iter().find(|one| one.id == identity) else {
                return Ok(Err(UnlinkError::NoSuchIdentity));
            };
            if !has_other_way(db, user, identity, &all, &active)? {
                return Ok(Err(UnlinkError::LastWay));
            }
            rows::remove_identity(db, user, identity)?;
            let others = providers::OthersOf { user, but: at_work };
            providers::end_what_rests_on(db, &found.provider_id, Some(others), &scribe)?;
            let event = Event::success(AuditAction::IdentityUnlinked).user(user);
            scribe.write(db, event.detail("provider", found.provider_id.as_str()))?;
            let upstream = active.iter().find(|one| one.settings.id == found.provider_id);
            let provider =
                upstream.map_or_else(|| found.provider_id.clone(), |upstream| upstream.settings.label());
            tell(db, user, &notices, Happened::IdentityUnlinked { provider: &provider }, &scribe)?;
            Ok(Ok(()))
        })
        .await?
}

/// Whether the user can sign in without this identity: with a password or a passkey, or through another provider. An
/// address does not count: often it is only known, and verified, by the word of the provider that is unlinked.
fn has_other_way(
    db: &mut Conn,
    user: UserId,
    without: FederatedIdentityId,
    all: &[rows::Identity],
    active: &[Upstream],
) -> Result<bool, store::Error> {
    let another = all
        .iter()
        .any(|one| one.id != without && active.iter().any(|known| known.settings.id == one.provider_id));
    Ok(another || users::password(db, user)?.is_some() || !passkeys::of_user(db, user)?.is_empty())
}

/// Tells the owner of the account (LO-4).
fn tell(
    db: &mut Conn,
    user: UserId,
    notices: &Notices,
    what: Happened<'_>,
    scribe: &Scribe,
) -> Result<(), store::Error> {
    match users::find(db, user)? {
        Some(user) => notices.tell(db, &user, what, scribe),
        None => Ok(()),
    }
}
