//! Showing a second factor: to finish a sign-in that waits for it, or to raise a session to two factors (AZ-11).
//!
//! Tries are counted for the account, before they are judged, and only a right one is given back: five wrong ones
//! within a quarter of an hour are all that anybody gets, in however many browsers (MF-1).

use std::time::Duration;

use super::passkey::{self, Verified};
use super::{Enrolled, recovery, totp};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::config::Limit;
use crate::crypto::{MasterKey, Secret};
use crate::identity::limits::{self, Bucket, Throttled};
use crate::identity::reauthentication;
use crate::identity::session::{self, Arrival, Begun, Pending, SignedIn, Terms};
use crate::mail::message::Happened;
use crate::model::explanation::{Explanation, Rule};
use crate::model::{AuditAction, AuthMethod, UserId};
use crate::store::sessions::Session;
use crate::store::users::{self, User};
use crate::store::{self, Conn};
use crate::tenancy::admission::{self, Admission};

/// Wrong codes that an account may see.
pub(super) const WRONG_CODES: Limit = Limit { count: 5, per: Duration::from_secs(15 * 60) };

/// Who is to show a factor.
#[derive(Clone, Debug)]
pub enum Claimant {
    /// Who has the secret of a sign-in that waits.
    Pending(Secret),
    /// Who is signed in and is asked for more.
    SignedIn(Box<SignedIn>),
}

/// Whom the page speaks to, and what it can ask for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub user: User,
    pub email: Option<String>,
    pub enrolled: Enrolled,
}

/// What somebody shows.
#[derive(Clone, Debug)]
pub enum Shown {
    /// What an authenticator application says.
    Code(Secret),
    RecoveryCode(Secret),
    Passkey(Verified),
}

impl Shown {
    /// For whoever asks why it was refused.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Code(_) => "a code of an authenticator application",
            Self::RecoveryCode(_) => "a recovery code",
            Self::Passkey(_) => "a passkey of another account, or one that is gone",
        }
    }
}

/// Whoever it was has shown it.
#[derive(Clone, Debug)]
pub struct Passed {
    pub begun: Begun,
    pub remember: bool,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The sign-in has waited too long, or was finished; or the session has ended.
    #[error("nobody waits for a second factor here")]
    Gone,
    #[error("the code is wrong, or was used before")]
    Wrong,
    #[error("too many tries")]
    Throttled(Throttled),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Whom to ask for what; `None` if nobody waits.
pub async fn asked(app: &App, claimant: &Claimant) -> Result<Option<Asked>, store::Error> {
    let (claimant, now) = (claimant.clone(), app.clock.now());
    app.db
        .read(move |db| {
            let Some(stand) = Stand::of(db, &claimant, now)? else { return Ok(None) };
            let user = stand.admission().user().clone();
            let email = users::primary_email(db, user.id)?.map(|email| email.address);
            Ok(Some(Asked { enrolled: Enrolled::of(db, user.id)?, email, user }))
        })
        .await
}

/// Judges what was shown, and signs in or steps up whoever showed it.
pub async fn show(
    app: &App,
    claimant: &Claimant,
    shown: Shown,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Passed, FactorError> {
    let showing = Showing {
        claimant: claimant.clone(),
        shown,
        arrival,
        master: app.master.clone(),
        terms: [Terms::of(app, false), Terms::of(app, true)],
        scribe: app.scribe(origin),
    };
    let kind = showing.shown.kind();
    match app.db.write(move |db| showing.settle(db)).await? {
        Outcome::Passed(passed) => Ok(passed),
        Outcome::Gone => {
            origin.slip.refuse(Rule::FactorOver);
            Err(FactorError::Gone)
        }
        Outcome::Wrong => {
            origin.slip.refuse(Explanation::of(Rule::FactorWrong).with("shown", kind));
            Err(FactorError::Wrong)
        }
        Outcome::Throttled(throttled) => Err(FactorError::Throttled(throttled)),
    }
}

struct Showing {
    claimant: Claimant,
    shown: Shown,
    arrival: Arrival,
    master: MasterKey,
    /// Without and with "keep me signed in".
    terms: [Terms; 2],
    scribe: Scribe,
}

/// Committed whatever it is: a wrong try counts.
enum Outcome {
    Passed(Passed),
    Gone,
    Wrong,
    Throttled(Throttled),
}

impl Showing {
    fn settle(&self, db: &mut Conn) -> Result<Outcome, store::Error> {
        let now = self.scribe.now;
        let Some(stand) = Stand::of(db, &self.claimant, now)? else { return Ok(Outcome::Gone) };
        let user = stand.admission().user().id;
        self.scribe.origin.slip.concerns(user);
        let method = match &self.shown {
            Shown::Passkey(verified) if verified.user() == user => {
                passkey::note_use(db, verified, &self.scribe)?.then_some(AuthMethod::HardwareKey)
            }
            Shown::Passkey(_) => None,
            Shown::Code(code) => {
                match self.counted(db, user, |db| totp::spend(db, &self.master, user, code.expose(), now))? {
                    Ok(right) => right.then_some(AuthMethod::OneTimePassword),
                    Err(throttled) => return Ok(Outcome::Throttled(throttled)),
                }
            }
            Shown::RecoveryCode(code) => {
                match self.counted(db, user, |db| recovery::spend(db, user, code.expose(), now))? {
                    Ok(true) => {
                        self.tell_of_recovery(db, stand.admission().user())?;
                        Some(AuthMethod::OneTimePassword)
                    }
                    Ok(false) => None,
                    Err(throttled) => return Ok(Outcome::Throttled(throttled)),
                }
            }
        };
        let Some(method) = method else { return Ok(Outcome::Wrong) };
        let passed = stand.pass(db, method, &self.arrival, self.terms, &self.scribe)?;
        Ok(passed.map_or(Outcome::Gone, Outcome::Passed))
    }

    /// Counts a try before it is made, and gives it back if it was right.
    fn counted(
        &self,
        db: &mut Conn,
        user: UserId,
        spend: impl FnOnce(&mut Conn) -> Result<bool, store::Error>,
    ) -> Result<Result<bool, Throttled>, store::Error> {
        let (now, slip) = (self.scribe.now, &self.scribe.origin.slip);
        if let Err(throttled) = limits::reserve(db, &[(tries_of(user), WRONG_CODES)], now, slip)? {
            self.refused(db, user, "too many tries")?;
            return Ok(Err(throttled));
        }
        let right = spend(db)?;
        if right {
            limits::refund(db, &[tries_of(user)])?;
        } else {
            self.refused(db, user, "wrong code")?;
        }
        Ok(Ok(right))
    }

    /// Somebody got in without the factor itself: the owner is told (MF-3).
    fn tell_of_recovery(&self, db: &mut Conn, user: &User) -> Result<(), store::Error> {
        let left = store::factors::recovery_codes_left(db, user.id)?;
        self.arrival.notices.tell(db, user, Happened::RecoveryCodeUsed { left }, &self.scribe)?;
        self.scribe.write(db, Event::success(AuditAction::RecoveryCodeUsed).user(user.id))
    }

    fn refused(&self, db: &mut Conn, user: UserId, reason: &str) -> Result<(), store::Error> {
        self.scribe.write(db, Event::failure(AuditAction::FactorRefused).user(user).detail("reason", reason))
    }
}

/// A claimant who may go on at this moment.
pub(super) enum Stand {
    Pending(Pending, Admission),
    SignedIn(Session, Admission),
}

impl Stand {
    pub(super) fn of(
        db: &mut Conn,
        claimant: &Claimant,
        now: Timestamp,
    ) -> Result<Option<Self>, store::Error> {
        match claimant {
            Claimant::Pending(secret) => Ok(session::pending(db, secret, now)?
                .map(|(pending, admission)| Self::Pending(pending, admission))),
            Claimant::SignedIn(account) => {
                // By the secret: whoever else was stepped up meanwhile has another one (SE-2).
                let found = store::sessions::find_by_secret(db, &account.secret.digest())?;
                let Some((session, _)) = found.filter(|(session, _)| session.is_live(now)) else {
                    return Ok(None);
                };
                let admitted = admission::admit_user(db, session.user_id)?;
                Ok(admitted.ok().map(|admission| Self::SignedIn(session, admission)))
            }
        }
    }

    pub(super) fn admission(&self) -> &Admission {
        match self {
            Self::Pending(_, admission) | Self::SignedIn(_, admission) => admission,
        }
    }
}

impl Stand {
    /// What the account has, if a factor may be added to it from here: see [`super::enrol`].
    pub(super) fn enrolling(&self, db: &mut Conn, now: Timestamp) -> Result<Option<Enrolled>, store::Error> {
        let enrolled = Enrolled::of(db, self.admission().user().id)?;
        let may = match self {
            Self::Pending(..) => !enrolled.any(),
            Self::SignedIn(session, _) => {
                reauthentication::due_in(db, session.user_id, session.id, now)?.is_none()
            }
        };
        Ok(may.then_some(enrolled))
    }

    /// The factor was shown: signs in, or steps up. `None` if that came too late.
    pub(super) fn pass(
        &self,
        db: &mut Conn,
        shown: AuthMethod,
        arrival: &Arrival,
        terms: [Terms; 2],
        scribe: &Scribe,
    ) -> Result<Option<Passed>, store::Error> {
        let [_, remembered] = terms;
        Ok(match self {
            Self::Pending(pending, admission) => {
                let terms = terms[usize::from(pending.remember)];
                session::complete(db, pending, admission, shown, arrival, terms, scribe)?
                    .map(|begun| Passed { begun, remember: pending.remember })
            }
            Self::SignedIn(session, _) => session::step_up(db, session, shown, scribe)?
                .map(|begun| Passed { begun, remember: session.idle() == remembered.idle }),
        })
    }
}

/// Counts the tries of one account, whatever kind of code.
pub(super) fn tries_of(user: UserId) -> Bucket {
    Bucket::new("second factor", &[user.as_bytes()])
}
