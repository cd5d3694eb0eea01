//! Getting a second factor: confirmed by its first use, which signs in or steps up at once.
//!
//! Whoever has signed in just now may add one (SE-7). A sign-in that waits may get one only if the account has none yet: else the
//! password alone would be enough to replace the factor (MF-4).

use super::second::{Asked, Claimant, FactorError, Passed, Stand, WRONG_CODES, tries_of};
use super::{Enrolled, recovery, totp};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::crypto::{MasterKey, Secret};
use crate::identity::limits::{self, Throttled};
use crate::identity::notice::Notices;
use crate::identity::session::{self, Arrival, Terms};
use crate::mail::message::{FactorKind as Kind, Happened};
use crate::model::explanation::{Explanation, Rule};
use crate::model::{AuditAction, AuthMethod};
use crate::store::users::User;
use crate::store::{self, Conn, factors, grants, users};

/// Whom a factor would be added for; `None` if that is not to be done from here.
pub async fn asked(app: &App, claimant: &Claimant) -> Result<Option<Asked>, store::Error> {
    let (claimant, now) = (claimant.clone(), app.clock.now());
    app.db
        .read(move |db| {
            let Some(stand) = Stand::of(db, &claimant, now)? else { return Ok(None) };
            let Some(enrolled) = stand.enrolling(db, now)? else { return Ok(None) };
            let user = stand.admission().user().clone();
            let email = users::primary_email(db, user.id)?.map(|email| email.address);
            Ok(Some(Asked { user, email, enrolled }))
        })
        .await
}

/// A factor was added.
#[derive(Clone, Debug)]
pub struct Secured {
    pub passed: Passed,
    /// With the first factor there are recovery codes, to be shown this once.
    pub recovery_codes: Vec<Secret>,
}

/// Confirms the proposed authenticator application with its first code.
pub async fn confirm_totp(
    app: &App,
    claimant: &Claimant,
    code: Secret,
    arrival: Arrival,
    origin: &Origin,
) -> Result<Secured, FactorError> {
    let confirming = Confirming {
        claimant: claimant.clone(),
        code,
        arrival,
        master: app.master.clone(),
        terms: [Terms::of(app, false), Terms::of(app, true)],
        scribe: app.scribe(origin),
    };
    match app.db.write(move |db| confirming.settle(db)).await? {
        Outcome::Secured(secured) => Ok(secured),
        Outcome::Gone => {
            origin.slip.refuse(Rule::FactorOver);
            Err(FactorError::Gone)
        }
        Outcome::Wrong => {
            let told = Explanation::of(Rule::FactorWrong).with("shown", "a first code of a new application");
            origin.slip.refuse(told);
            Err(FactorError::Wrong)
        }
        Outcome::Throttled(throttled) => Err(FactorError::Throttled(throttled)),
    }
}

struct Confirming {
    claimant: Claimant,
    code: Secret,
    arrival: Arrival,
    master: MasterKey,
    terms: [Terms; 2],
    scribe: Scribe,
}

/// Committed whatever it is: a wrong try counts.
enum Outcome {
    Secured(Secured),
    Gone,
    Wrong,
    Throttled(Throttled),
}

impl Confirming {
    fn settle(&self, db: &mut Conn) -> Result<Outcome, store::Error> {
        let now = self.scribe.now;
        let Some(stand) = Stand::of(db, &self.claimant, now)? else { return Ok(Outcome::Gone) };
        let user = stand.admission().user().id;
        self.scribe.origin.slip.concerns(user);
        let Some(before) = stand.enrolling(db, now)? else { return Ok(Outcome::Gone) };
        let Some(proposed) = factors::totp(db, user)?.filter(|row| row.confirmed_at.is_none()) else {
            return Ok(Outcome::Gone);
        };
        if let Err(throttled) =
            limits::reserve(db, &[(tries_of(user), WRONG_CODES)], now, &self.scribe.origin.slip)?
        {
            return Ok(Outcome::Throttled(throttled));
        }
        let step = totp::matching_step(&proposed, &self.master, self.code.expose(), now)?;
        let Some(step) = step else { return Ok(Outcome::Wrong) };
        if !factors::confirm_totp(db, &proposed, step, now)? {
            return Ok(Outcome::Gone);
        }
        limits::refund(db, &[tries_of(user)])?;
        let passed = stand.pass(db, AuthMethod::OneTimePassword, &self.arrival, self.terms, &self.scribe)?;
        let Some(passed) = passed else { return Ok(Outcome::Gone) };
        let user = stand.admission().user();
        let recovery_codes =
            secure(db, &passed, user, before, Kind::Totp, &self.arrival.notices, &self.scribe)?;
        Ok(Outcome::Secured(Secured { passed, recovery_codes }))
    }
}

/// What follows from a factor that was added: its owner is told, and whatever else is signed in ends (SE-5). The first
/// one comes with recovery codes.
pub(super) fn secure(
    db: &mut Conn,
    passed: &Passed,
    user: &User,
    before: Enrolled,
    kind: Kind,
    notices: &Notices,
    scribe: &Scribe,
) -> Result<Vec<Secret>, store::Error> {
    let event = Event::success(AuditAction::FactorAdded).user(user.id).session(passed.begun.id);
    scribe.write(db, event.detail("kind", kind.as_str()))?;
    notices.tell(db, user, Happened::FactorAdded { kind }, scribe)?;
    session::end_all(db, user.id, Some(passed.begun.id), scribe)?;
    grants::revoke_of_user(db, user.id, scribe.now)?;
    if before.any() {
        return Ok(Vec::new());
    }
    recovery::replace(db, user.id, &scribe.random, scribe.now)
}
