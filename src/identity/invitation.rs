//! Accepting an invitation to an organisation: with an account, or by making one behind the mailed link (OR-5).

use super::link::Tries;
use super::registration::{Choice, RegistrationError, Typed, check, join, taken_is_none};
use super::session::{Arrival, Begun, SignedIn, Terms};
use crate::app::App;
use crate::audit::Origin;
use crate::config::RegistrationMode;
use crate::crypto::Secret;
use crate::model::{AuthMethod, InvitationId, Standing};
use crate::store;
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
        if let Err(throttled) = tries.count(db, now)? {
            return Ok(Err(throttled));
        }
        let open = match &reference {
            Reference::Mailed(secret) => invitations::open(db, secret, now)?.map(|open| (open, None)),
            Reference::Known(_) => None,
        };
        let id = match (&reference, &open) {
            (Reference::Known(id), _) => Some(*id),
            (_, Some((open, _))) => Some(open.invitation.id),
            _ => None,
        };
        let mut found = open;
        for account in id.iter().flat_map(|_| &accounts) {
            if let Some(id) = id
                && let Some(open) = invitations::open_for(db, id, account.user.id, now)?
            {
                found = Some((open, Some(account.clone())));
                break;
            }
        }
        if found.is_some() {
            tries.refund(db)?;
        }
        Ok(Ok(found))
    });
    found.await??.ok_or(RegistrationError::LinkExpired)
}

/// The account joins the organisation.
pub async fn accept(
    app: &App,
    open: Open,
    account: &SignedIn,
    origin: &Origin,
) -> Result<(), RegistrationError> {
    let (user, scribe) = (account.user.id, app.scribe(origin));
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
    let prepared = Prepared::with_hash(checked.email, checked.name, phc, false);
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
