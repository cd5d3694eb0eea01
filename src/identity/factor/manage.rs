//! The factors that an account has: seeing them, taking them away, starting over (MF-4).

use super::{Enrolled, recovery};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::identity::notice::Notices;
use crate::identity::reauthentication::{self, Due};
use crate::identity::session::{self, SignedIn};
use crate::mail::message::{FactorKind, Happened};
use crate::model::{AuditAction, Language, PasskeyId, UserId};
use crate::protocol::acr::Acr;
use crate::store::passkeys::{self, Passkey};
use crate::store::users::User;
use crate::store::{self, Conn, factors, grants, users};
use crate::tenancy::admission::{self, Rules};

/// All that the security page shows.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Since when there is an authenticator application.
    pub totp_since: Option<Timestamp>,
    pub passkeys: Vec<Passkey>,
    pub recovery_codes: i64,
    /// Whether the account must keep at least one factor.
    pub is_required: bool,
}

/// Which factor is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Totp,
    Passkey(PasskeyId),
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    #[error(transparent)]
    Due(#[from] Due),
    #[error("the account must keep a second factor")]
    Required,
    #[error("there would be no way to sign in any more")]
    LastWayIn,
    #[error("there is no such factor")]
    Unknown,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The factors of this user.
pub async fn overview(app: &App, user: &User) -> Result<Overview, store::Error> {
    let (user, rules) = (user.clone(), Rules::of(&app.config));
    app.db
        .read(move |db| {
            Ok(Overview {
                totp_since: factors::totp(db, user.id)?.and_then(|totp| totp.confirmed_at),
                passkeys: passkeys::of_user(db, user.id)?,
                recovery_codes: factors::recovery_codes_left(db, user.id)?,
                is_required: admission::required_of(db, &user, None, rules)? == Acr::TwoFactors,
            })
        })
        .await
}

/// Takes a factor away, and ends whatever is signed in elsewhere (SE-5).
pub async fn remove(
    app: &App,
    account: &SignedIn,
    which: Which,
    notices: &Notices,
    origin: &Origin,
) -> Result<(), ManageError> {
    let notices = notices.clone();
    let (account, rules, scribe) = (account.clone(), Rules::of(&app.config), app.scribe(origin));
    let outcome = app.db.write(move |db| {
        let enrolled = Enrolled::of(db, account.user.id)?;
        match objection(db, &account, which, enrolled, rules, scribe.now)? {
            Some(objection) => Ok(Err(objection)),
            None => take_away(db, &account, which, enrolled, &notices, &scribe).map(Ok),
        }
    });
    outcome.await?
}

/// Why this factor stays.
fn objection(
    db: &mut Conn,
    account: &SignedIn,
    which: Which,
    enrolled: Enrolled,
    rules: Rules,
    now: Timestamp,
) -> Result<Option<ManageError>, store::Error> {
    let user = &account.user;
    if let Some(due) = reauthentication::due_in(db, user.id, account.session.id, now)? {
        return Ok(Some(due.into()));
    }
    let is_there = match which {
        Which::Totp => enrolled.totp,
        Which::Passkey(id) => passkeys::of_user(db, user.id)?.iter().any(|passkey| passkey.id == id),
    };
    if !is_there {
        return Ok(Some(ManageError::Unknown));
    }
    if enrolled.is_single() && admission::required_of(db, user, None, rules)? == Acr::TwoFactors {
        return Ok(Some(ManageError::Required));
    }
    let signs_in = matches!(which, Which::Passkey(_)) && enrolled.passkeys == 1;
    Ok((signs_in && !has_other_way_in(db, user.id)?).then_some(ManageError::LastWayIn))
}

fn take_away(
    db: &mut Conn,
    account: &SignedIn,
    which: Which,
    enrolled: Enrolled,
    notices: &Notices,
    scribe: &Scribe,
) -> Result<(), store::Error> {
    let (user, session) = (account.user.id, account.session.id);
    let kind = match which {
        Which::Totp => {
            factors::remove_totp(db, user)?;
            FactorKind::Totp
        }
        Which::Passkey(id) => {
            passkeys::remove(db, user, id)?;
            FactorKind::Passkey
        }
    };
    if enrolled.is_single() {
        factors::remove_recovery_codes(db, user)?;
    }
    session::end_all(db, user, Some(session), scribe)?;
    grants::revoke_of_user(db, user, scribe.now)?;
    notices.tell(db, &account.user, Happened::FactorRemoved { kind }, scribe)?;
    let event = Event::success(AuditAction::FactorRemoved).user(user).session(session);
    scribe.write(db, event.detail("kind", kind.as_str()))
}

/// A password, or an address that mail can be sent to.
fn has_other_way_in(db: &mut Conn, user: UserId) -> Result<bool, store::Error> {
    Ok(users::password(db, user)?.is_some() || users::primary_email(db, user)?.is_some())
}

/// Makes new recovery codes, which voids the old ones.
pub async fn regenerate(
    app: &App,
    account: &SignedIn,
    notices: &Notices,
    origin: &Origin,
) -> Result<Vec<Secret>, ManageError> {
    let (account, notices, scribe) = (account.clone(), notices.clone(), app.scribe(origin));
    let (user, session) = (account.user.id, account.session.id);
    app.db
        .write(move |db| {
            if let Some(due) = reauthentication::due_in(db, user, session, scribe.now)? {
                return Ok(Err(due.into()));
            }
            if !Enrolled::of(db, user)?.any() {
                return Ok(Err(ManageError::Unknown));
            }
            session::end_all(db, user, Some(session), &scribe)?;
            grants::revoke_of_user(db, user, scribe.now)?;
            let codes = recovery::replace(db, user, &scribe.random, scribe.now)?;
            let event = Event::success(AuditAction::RecoveryCodesMade).user(user).session(session);
            scribe.write(db, event)?;
            notices.tell(db, &account.user, Happened::RecoveryCodesMade, &scribe)?;
            Ok(Ok(codes))
        })
        .await?
}

/// An operator takes all factors away, for somebody who has lost them. The account must get new ones at its next
/// sign-in: it is never left with a password alone (MF-4).
pub async fn reset(app: &App, user: &User, origin: &Origin) -> Result<(), store::Error> {
    let (user, scribe) = (user.clone(), app.scribe(origin));
    let notices = Notices::of(app, Language::default());
    app.db
        .write(move |db| {
            factors::remove_totp(db, user.id)?;
            factors::remove_recovery_codes(db, user.id)?;
            passkeys::remove_all(db, user.id)?;
            factors::demand(db, user.id, scribe.now)?;
            session::end_all(db, user.id, None, &scribe)?;
            grants::revoke_of_user(db, user.id, scribe.now)?;
            notices.tell(db, &user, Happened::FactorsReset, &scribe)?;
            scribe.write(db, Event::success(AuditAction::FactorsReset).user(user.id))
        })
        .await
}
