//! The end of an account: everything that is theirs goes, and what is recorded keeps the id alone.
//!
//! The id is random and is given to nobody again (TK-8). Whatever was issued is dead from this moment on.

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::identity::link::stored_address;
use crate::identity::notice::Notices;
use crate::identity::session::{self, SignedIn};
use crate::mail::message::Happened;
use crate::model::{AuditAction, UserId};
use crate::store::organisations::Organisation;
use crate::store::users::User;
use crate::store::{self, Conn, api_keys, grants, memberships, organisations, personal, users};

/// Why the account stays.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// What was typed is not what had to be.
    #[error("the deletion was not confirmed")]
    NotConfirmed,
    #[error("others would be left without an administrator")]
    Needed(Needed),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Whom the account would leave without an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needed {
    ByInstance,
    /// An organisation that others belong to, by its name.
    ByOrganisation(String),
}

/// What somebody types to show that they mean this account: its address, or its name where there is none.
pub fn phrase(account: &SignedIn) -> &str {
    let name = &account.user.name;
    account.email.as_deref().or(account.user.username.as_deref()).unwrap_or(name)
}

/// Whether the account must stay for now, since others need it.
pub async fn needed(app: &App, user: &User) -> Result<Option<Needed>, store::Error> {
    let user = user.clone();
    app.db
        .read(move |db| {
            let belongs = belongs(db, user.id)?;
            who_needs(db, &user, Counts::WithOthers, &belongs)
        })
        .await
}

/// Deletes somebody's own account.
pub async fn delete(
    app: &App,
    account: &SignedIn,
    typed: &str,
    notices: Notices,
    origin: &Origin,
) -> Result<(), DeletionError> {
    if typed.trim().to_lowercase() != phrase(account).trim().to_lowercase() {
        return Err(DeletionError::NotConfirmed);
    }
    let (user, scribe) = (account.user.clone(), app.scribe(origin));
    app.db
        .write(move |db| {
            if let Some(needed) = needed_now(db, &user, Counts::WithOthers, scribe.now)? {
                return Ok(Err(DeletionError::Needed(needed)));
            }
            erase(db, &user, &notices, &scribe)?;
            Ok(Ok(()))
        })
        .await??;
    app.mail_notify.notify_one();
    Ok(())
}

/// Ends and removes all that is the user's, in the caller's transaction, and tells them a last time. `false` if there
/// is no such user any more.
pub fn erase(db: &mut Conn, user: &User, notices: &Notices, scribe: &Scribe) -> Result<bool, store::Error> {
    let email = users::primary_email(db, user.id)?;
    session::end_all(db, user.id, None, scribe)?;
    // What was issued stays in circulation until it expires: offline verifiers are told.
    grants::revoke_of_user(db, user.id, scribe.now)?;
    api_keys::revoke_tokens_of_creator(db, user.id, scribe.now)?;
    if !personal::erase(db, user.id)? {
        return Ok(false);
    }
    // From nowhere: the network address went with the account.
    let unplaced = Scribe { origin: Origin { ip: None, ..scribe.origin.clone() }, ..scribe.clone() };
    unplaced.write(db, Event::success(AuditAction::UserRemoved).user(user.id))?;
    if let Some(email) = email {
        notices.tell_at(db, &stored_address(&email.address)?, user, Happened::AccountDeleted, scribe)?;
    }
    Ok(true)
}

/// Whether the account must stay for now, asked of everything that it administers, which is locked: of two administrators
/// who leave at once, the second sees that the first has left.
pub fn needed_now(
    db: &mut Conn,
    user: &User,
    counts: Counts,
    now: Timestamp,
) -> Result<Option<Needed>, store::Error> {
    users::hold_admins(db)?;
    let belongs = belongs(db, user.id)?;
    for organisation in &belongs {
        organisations::lock(db, organisation.id, now)?;
    }
    who_needs(db, user, counts, &belongs)
}

/// Which organisations need an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// One that nobody else belongs to needs nobody.
    WithOthers,
    All,
}

/// In one order, whoever locks them.
fn belongs(db: &mut Conn, user: UserId) -> Result<Vec<Organisation>, store::Error> {
    let mut belongs: Vec<Organisation> =
        memberships::active_of_user(db, user)?.into_iter().map(|(_, organisation)| organisation).collect();
    belongs.sort_by_key(|organisation| organisation.id);
    Ok(belongs)
}

fn who_needs(
    db: &mut Conn,
    user: &User,
    counts: Counts,
    belongs: &[Organisation],
) -> Result<Option<Needed>, store::Error> {
    if user.is_admin() && !users::has_other_admin(db, user.id)? {
        return Ok(Some(Needed::ByInstance));
    }
    for organisation in belongs {
        let id = organisation.id;
        let counted = counts == Counts::All || memberships::list(db, id, None, 2)?.len() > 1;
        if counted && memberships::administers_alone(db, id, user.id)? {
            return Ok(Some(Needed::ByOrganisation(organisation.name.clone())));
        }
    }
    Ok(None)
}
