//! The end of an account: everything that is theirs goes, and what is recorded keeps the id alone.
//!
//! The id is random and is given to nobody again (TK-8). Whatever was issued is dead from this moment on.

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::identity::link::stored_address;
use crate::identity::notice::Notices;
use crate::identity::session::{self, SignedIn};
use crate::mail::message::Happened;
use crate::model::AuditAction;
use crate::store::users::User;
use crate::store::{self, Conn, api_keys, grants, personal, users};

/// Why the account stays.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// What was typed is not what had to be.
    #[error("the deletion was not confirmed")]
    NotConfirmed,
    #[error("nobody else administers this instance")]
    LastAdministrator,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What somebody types to show that they mean this account: its address, or its name where there is none.
pub fn phrase(account: &SignedIn) -> &str {
    let name = &account.user.name;
    account.email.as_deref().or(account.user.username.as_deref()).unwrap_or(name)
}

/// Whether the account must stay because nobody else administers this instance.
pub async fn is_last_administrator(app: &App, user: &User) -> Result<bool, store::Error> {
    let user = user.clone();
    app.db.read(move |db| is_last(db, &user)).await
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
            users::hold_admins(db)?;
            if is_last(db, &user)? {
                return Ok(Err(DeletionError::LastAdministrator));
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

fn is_last(db: &mut Conn, user: &User) -> Result<bool, store::Error> {
    Ok(user.is_admin && !users::has_other_admin(db, user.id)?)
}
