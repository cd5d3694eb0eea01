//! Accepting an invitation to an organisation: with an account, or by making one behind the mailed link (OR-5).

use super::link::Tries;
use super::registration::{Choice, RegistrationError, Typed, check, join, taken_is_none};
use super::session::{Arrival, Begun, SignedIn, Terms};
use crate::app::App;
use crate::audit::{Origin, Scribe};
use crate::clock::Timestamp;
use crate::config::RegistrationMode;
use crate::crypto::Secret;
use crate::model::{AuthMethod, InvitationId, Standing, UserId};
use crate::store::organisations::Organisation;
use crate::store::{self, Conn};
use crate::tenancy::invitations::{self, InvitationError, Open};
use crate::tenancy::users::Prepared;

/// Where an address of ours got an invitation from: the mail, or a page that the mail led to.
#[derive(Clone, Debug)]
pub enum Reference {
    Mailed(Secret),
    /// No proof of anything: good only for whoever has proven to have the address.
    Known(InvitationId),
}

impl Reference {
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Mailed(Secret::from_text(text)), Self::Known)
    }
}

/// The invitation, with the account of this browser that may accept it. A wrong reference counts as a try.
pub async fn open(
    app: &App,
    reference: &Reference,
    accounts: &[SignedIn],
    origin: &Origin,
) -> Result<(Open, Option<SignedIn>), RegistrationError> {
    let (reference, accounts, now) = (reference.clone(), accounts.to_vec(), app.clock.now());
    let tries = Tries::of(app, origin);
    let found = app.db.write(move |db| {
        let found = match &reference {
            Reference::Mailed(secret) => by_mail(db, secret, &accounts, now)?,
            Reference::Known(id) => by_account(db, *id, &accounts, now)?,
        };
        match found {
            Some(found) => Ok(Ok(Some(found))),
            None => tries.missed(db, None, now),
        }
    });
    found.await??.ok_or(RegistrationError::LinkExpired)
}

type Found = Option<(Open, Option<SignedIn>)>;

fn by_mail(
    db: &mut Conn,
    secret: &Secret,
    accounts: &[SignedIn],
    now: Timestamp,
) -> Result<Found, store::Error> {
    let Some(open) = invitations::open(db, secret, now)? else { return Ok(None) };
    for account in accounts {
        if invitations::is_for(db, &open, account.user.id)? {
            return Ok(Some((open, Some(account.clone()))));
        }
    }
    Ok(Some((open, None)))
}

fn by_account(
    db: &mut Conn,
    id: InvitationId,
    accounts: &[SignedIn],
    now: Timestamp,
) -> Result<Found, store::Error> {
    for account in accounts {
        if let Some(open) = invitations::open_for(db, id, account.user.id, now)? {
            return Ok(Some((open, Some(account.clone()))));
        }
    }
    Ok(None)
}

/// The account joins the organisation.
pub async fn accept(
    app: &App,
    open: Open,
    account: &SignedIn,
    origin: &Origin,
) -> Result<(), RegistrationError> {
    join_stored(app, open, account.user.id, app.scribe(origin)).await
}

/// Whoever is signed in by an API joins, if the invitation is for an address that they have proven to have. A wrong
/// reference counts as a try.
pub async fn accept_as(
    app: &App,
    reference: &Reference,
    user: UserId,
    origin: &Origin,
) -> Result<Organisation, RegistrationError> {
    let (open, _) = open(app, reference, &[], origin).await?;
    let (organisation, scribe) = (open.organisation.clone(), app.scribe(origin));
    join_stored(app, open, user, scribe).await?;
    Ok(organisation)
}

async fn join_stored(app: &App, open: Open, user: UserId, scribe: Scribe) -> Result<(), RegistrationError> {
    let outcome = app.db.write(move |db| match invitations::accept_in(db, &open, user, &scribe) {
        Ok(_) => Ok(true),
        Err(InvitationError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    });
    if outcome.await? { Ok(()) } else { Err(RegistrationError::LinkExpired) }
}

/// Whether an invitation is enough to make an account here.
pub fn may_make_account(app: &App) -> bool {
    app.config.registration_mode() != RegistrationMode::Closed
}

/// Whoever opened the mailed link makes an account with the invited address, and joins. That the link was opened proves
/// the address (PW-13).
pub async fn join_with_account(
    app: &App,
    open: Open,
    choice: Choice,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Begun, RegistrationError> {
    if !may_make_account(app) {
        return Err(RegistrationError::LinkExpired);
    }
    let typed =
        Typed { name: choice.name, email: open.invitation.address.clone(), password: choice.password };
    let checked = check(app, &typed).map_err(RegistrationError::Faulty)?;
    let phc = app.passwords.hash(&checked.password).await?;
    let prepared = Prepared::with_hash(checked.email, checked.name, phc, None);
    let (scribe, terms) = (app.scribe(origin), Terms::of(app, false));
    let joined = app.db.write(move |db| {
        // Judged first, under the organisation's lock: an account is made only together with the membership.
        let held = store::organisations::lock(db, open.organisation.id, scribe.now)?;
        let still = store::invitations::find_open(db, &open.invitation.digest, scribe.now)?;
        if still.is_none() || held.is_none_or(|held| held.status != Standing::Active) {
            return Ok(Ok(None));
        }
        let Some(begun) = join(db, &prepared, &[AuthMethod::Mail], &arrival, terms, &scribe)? else {
            return Ok(Ok(None));
        };
        match invitations::accept_in(db, &open, begun.user, &scribe) {
            Ok(_) => Ok(Ok(Some(begun))),
            Err(InvitationError::Store(error)) => Err(error),
            // It was open a statement ago, under the lock that is still held. Nothing of this remains.
            Err(error) => Err(store::Error::broken("an invitation", error)),
        }
    });
    taken_is_none(joined.await)?.ok_or(RegistrationError::LinkExpired)
}
