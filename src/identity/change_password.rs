//! A new password for somebody who is signed in and knows the old one.
//!
//! That the sign-in was just now is asked before ([`super::reauthentication`]). Who has no password yet, because they
//! sign in otherwise, sets their first one here.

use super::limits::{self, Bucket, Throttled};
use super::notice::Notices;
use super::password::{Busy, Verdict, Weak};
use super::session;
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::crypto::Secret;
use crate::mail::message::Happened;
use crate::model::explanation::Rule;
use crate::model::{AuditAction, GrantId, SessionId, UserId};
use crate::store::{self, Conn, grants, links, users};
use crate::tenancy::admission;
use crate::tenancy::users::check_password;

/// What was typed, and by whom.
pub struct Change {
    pub user: UserId,
    /// The session at work: it stays.
    pub session: SessionId,
    pub current: Secret,
    pub new: Secret,
    /// What an API's client holds that asks for this: it stays, too.
    pub grant: Option<GrantId>,
    /// Whether every other browser is signed out, and every application loses its access (SE-5).
    pub end_others: bool,
    pub notices: Notices,
}

/// Why the password stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("the current password is wrong")]
    WrongPassword,
    #[error("the new password cannot be taken")]
    Weak(Weak),
    #[error("too many tries")]
    Throttled(Throttled),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Whether the user has a password that can be asked for.
pub async fn has_password(app: &App, user: UserId) -> Result<bool, store::Error> {
    app.db.read(move |db| Ok(users::password(db, user)?.is_some())).await
}

/// Sets the new password.
pub async fn change(app: &App, change: Change, origin: &Origin) -> Result<(), ChangeError> {
    let (user, scribe, slip) = (change.user, app.scribe(origin), &origin.slip);
    let tries = (Bucket::new("password change", &[user.as_bytes()]), app.limits(origin).login_failures);
    let found = app.db.write(move |db| {
        if let Err(throttled) = limits::reserve(db, &[tries], scribe.now, &scribe.origin.slip)? {
            return Ok(Err(throttled));
        }
        let email = users::primary_email(db, user)?.map(|email| email.address);
        Ok(Ok((users::find(db, user)?, email, users::password(db, user)?)))
    });
    let (found, email, stored) = found.await?.map_err(ChangeError::Throttled)?;
    let found = found.ok_or_else(|| store::Error::broken("a session", "its user is gone"))?;
    if stored.is_some() && app.passwords.verify(&change.current, stored.as_deref()).await? == Verdict::Wrong {
        slip.concerns(user);
        slip.refuse(Rule::PasswordWrong);
        return Err(ChangeError::WrongPassword);
    }
    check_password(app, &change.new, &found.name, found.username.as_deref(), email.as_deref())
        .map_err(ChangeError::Weak)?;
    let phc = app.passwords.hash(&change.new).await?;
    let scribe = app.scribe(origin);
    let changed = app.db.write(move |db| {
        // Changed elsewhere, and with it this session ended, while the password was being compared?
        if users::password(db, user)? != stored {
            return Ok(false);
        }
        limits::refund(db, &[tries.0])?;
        settle(db, &change, &phc, &scribe)
    });
    if !changed.await? {
        return Err(ChangeError::WrongPassword);
    }
    app.mail_notify.notify_one();
    Ok(())
}

fn settle(db: &mut Conn, change: &Change, phc: &str, scribe: &Scribe) -> Result<bool, store::Error> {
    let Ok(admission) = admission::admit_user(db, change.user)? else { return Ok(false) };
    users::set_password(db, change.user, phc, scribe.now)?;
    links::void_of_user(db, change.user, scribe.now)?;
    if change.end_others {
        session::end_all(db, change.user, Some(change.session), scribe)?;
        grants::revoke_of_user_except(db, change.user, change.grant, scribe.now)?;
    }
    let event = Event::success(AuditAction::PasswordChanged).user(change.user).session(change.session);
    scribe.write(db, event.detail("others_ended", change.end_others))?;
    change.notices.tell(db, admission.user(), Happened::PasswordChanged, scribe)?;
    Ok(true)
}
