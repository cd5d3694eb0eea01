//! Signing in with a password.
//!
//! Tries are counted before they are made, an unknown account costs as much time as a known one, and every failure
//! has the same answer (PW-6). Failures from strangers never stop the owner who comes from a known device (RL-4), and
//! failures from one network address never stop somebody at another: it makes up half of what an account may take.

use std::time::Duration;

use super::device::KnownDevice;
use super::limits::{self, Bucket, Throttled};
use super::password::{Busy, Verdict};
use super::session::{self, Arrival, Begun, Terms};
use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::config::{Limit, Limits};
use crate::crypto::Secret;
use crate::model::explanation::{Explanation, Rule, Slip};
use crate::model::{AuditAction, AuthMethod, EmailAddress, Outcome, UserId};
use crate::store::{self, Conn, users};
use crate::tenancy::admission;

const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// What somebody typed, and where.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// A user name or an address.
    pub login: String,
    pub password: Secret,
    /// "Keep me signed in".
    pub remember: bool,
    pub arrival: Arrival,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such account, no password, wrong password, disabled: one answer for all.
    #[error("the user name or the password is wrong")]
    BadCredentials,
    #[error("too many tries")]
    Throttled(Throttled),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Signs in whoever knows the password.
pub async fn with_password(app: &App, attempt: Attempt, origin: &Origin) -> Result<Begun, SignInError> {
    let (scribe, login) = (app.scribe(origin), attempt.login.clone());
    let reserved = {
        let trying = Trying {
            login: attempt.login.clone(),
            device: attempt.arrival.device.clone(),
            address: limits::address_key(scribe.origin.ip),
            limits: app.limits(origin).clone(),
            slip: origin.slip.clone(),
            now: scribe.now,
        };
        app.db.write(move |db| trying.reserve(db)).await?
    };
    let (candidate, counted) = reserved.map_err(|throttled| {
        app.count_sign_in(AuthMethod::Password, Outcome::Denied);
        SignInError::Throttled(throttled)
    })?;
    let stored = candidate.as_ref().and_then(|candidate| candidate.phc.as_deref());
    let verdict = app.passwords.verify(&attempt.password, stored).await?;
    let terms = Terms::for_arrival(app, &attempt.arrival, attempt.remember);
    // The moment of the sign-in is when the password was found right, not when it was sent.
    let scribe = Scribe { now: app.clock.now(), ..scribe };
    let reason = reason(candidate.as_ref(), &login);
    let settled = app
        .db
        .write(move |db| match (&candidate, &verdict) {
            (Some(candidate), Verdict::Right | Verdict::RightButOld { .. }) => {
                succeed(db, candidate, &verdict, &counted, &attempt.arrival, terms, &scribe)
            }
            _ => {
                let why = "wrong password or no such account";
                fail(db, candidate.as_ref(), &counted, why, reason.clone(), &scribe).map(|()| None)
            }
        })
        .await?;
    let outcome = if settled.is_some() { Outcome::Success } else { Outcome::Failure };
    app.count_sign_in(AuthMethod::Password, outcome);
    settled.ok_or(SignInError::BadCredentials)
}

/// Forgets the failures that keep the owner out here, who has proven otherwise to be one and knows the password.
pub(super) fn forgive(db: &mut Conn, user: UserId, origin: &Origin) -> Result<(), store::Error> {
    Buckets::of_user(user, limits::address_key(origin.ip)).forget(db)
}

/// The account that was named, if there is one.
#[derive(Clone, Debug)]
struct Candidate {
    user: UserId,
    phc: Option<String>,
}

/// How this attempt is counted.
#[derive(Clone, Debug)]
struct Counted {
    by: Buckets,
    /// What one address may take of the failures that the account may have.
    share: Limit,
}

/// Half, so that one address alone never locks others out.
fn share_of(per_account: Limit) -> Limit {
    Limit { count: (per_account.count / 2).max(1), ..per_account }
}

/// What an attempt is counted by.
#[derive(Clone, Debug)]
struct Buckets {
    /// The account, however it was named (PW-12); or, in the one form in which names are compared, a name that none has.
    account: Vec<u8>,
    address: Vec<u8>,
}

impl Buckets {
    fn of_user(user: UserId, address: Vec<u8>) -> Self {
        Self { account: [b"account ".as_slice(), user.as_bytes()].concat(), address }
    }

    fn of_nobody(login: &str, address: Vec<u8>) -> Self {
        let name = match EmailAddress::parse(login) {
            Ok(email) => email.folded().to_owned(),
            Err(_) => users::fold_username(login),
        };
        Self { account: [b"name ".as_slice(), name.as_bytes()].concat(), address }
    }

    fn account_and_address(&self) -> Bucket {
        Bucket::new("login account+address", &[&self.account, &self.address])
    }

    /// The same for as long as the account itself counts.
    fn share(&self) -> Bucket {
        Bucket::new("login account+address share", &[&self.account, &self.address])
    }

    fn address(&self) -> Bucket {
        Bucket::new("login address", &[&self.address])
    }

    fn account(&self) -> Bucket {
        Bucket::new("login account", &[&self.account])
    }

    fn pause(&self) -> Bucket {
        Bucket::new("login pause", &[&self.account])
    }

    /// The owner was here.
    fn forget(&self, db: &mut Conn) -> Result<(), store::Error> {
        let buckets = [self.account_and_address(), self.share(), self.account(), self.pause()];
        limits::clear(db, &buckets)
    }

    fn device(&self, device: &KnownDevice) -> Bucket {
        Bucket::new("login account+device", &[&self.account, device.id()])
    }
}

/// An attempt before the password is compared.
struct Trying {
    login: String,
    device: Option<KnownDevice>,
    address: Vec<u8>,
    limits: Limits,
    slip: Slip,
    now: Timestamp,
}

impl Trying {
    /// Counts the attempt, and finds the account that it is about.
    fn reserve(
        &self,
        db: &mut Conn,
    ) -> Result<Result<(Option<Candidate>, Counted), Throttled>, store::Error> {
        let (limits, now) = (&self.limits, self.now);
        let user = users::find_by_login(db, &self.login)?.map(|user| user.id);
        if let Some(user) = user {
            self.slip.concerns(user);
        }
        let by = match user {
            Some(user) => Buckets::of_user(user, self.address.clone()),
            None => Buckets::of_nobody(&self.login, self.address.clone()),
        };
        let counted = Counted { by, share: share_of(limits.login_per_account) };
        let known = self.device.as_ref().filter(|device| user.is_some_and(|user| device.knows(user)));
        let tries = match known {
            // The owner's own device has a counter of its own, which strangers cannot fill.
            Some(device) => vec![(counted.by.device(device), limits.login_failures)],
            None => vec![
                (counted.by.account_and_address(), limits.login_failures),
                (counted.by.share(), counted.share),
                (counted.by.address(), limits.login_per_address),
                (counted.by.account(), limits.login_per_account),
            ],
        };
        // What is refused for the pause is not made, and so not counted.
        if known.is_none()
            && !limits.are_lifted()
            && let Some(retry_after) = limits::running(db, counted.by.pause(), now)?
        {
            let told = Explanation::of(Rule::Throttled)
                .with("counted by", "login pause")
                .with("seconds to wait", retry_after.as_secs());
            self.slip.refuse(told);
            return Ok(Err(Throttled { retry_after }));
        }
        if let Err(throttled) = limits::reserve(db, &tries, now, &self.slip)? {
            return Ok(Err(throttled));
        }
        let Some(user) = user else { return Ok(Ok((None, counted))) };
        Ok(Ok((Some(Candidate { phc: users::password(db, user)?, user }), counted)))
    }
}

/// Which of the failures it was that have one answer. A name that no account has may be a password in the wrong field.
fn reason(candidate: Option<&Candidate>, login: &str) -> Explanation {
    match candidate {
        Some(Candidate { phc: Some(_), .. }) => Rule::PasswordWrong.into(),
        Some(_) => Rule::PasswordUnset.into(),
        None => {
            let typed = match EmailAddress::parse(login) {
                Ok(email) => email.as_str().to_owned(),
                Err(_) => "no e-mail address".to_owned(),
            };
            Explanation::of(Rule::AccountUnknown).with("typed", typed)
        }
    }
}

fn succeed(
    db: &mut Conn,
    candidate: &Candidate,
    verdict: &Verdict,
    counted: &Counted,
    arrival: &Arrival,
    terms: Terms,
    scribe: &Scribe,
) -> Result<Option<Begun>, store::Error> {
    // The password may have been changed, and with it all sessions ended, while it was being compared.
    if users::password(db, candidate.user)? != candidate.phc {
        let why = "the password was changed meanwhile";
        let told = Explanation::of(Rule::PasswordWrong).with("reason", why);
        fail(db, Some(candidate), counted, why, told, scribe)?;
        return Ok(None);
    }
    let admission = match admission::admit_user(db, candidate.user)? {
        Ok(admission) => admission,
        Err(refusal) => {
            fail(db, Some(candidate), counted, &refusal.to_string(), refusal.into(), scribe)?;
            return Ok(None);
        }
    };
    limits::refund(db, &[counted.by.address()])?;
    counted.by.forget(db)?;
    if let (Verdict::RightButOld { phc: new }, Some(old)) = (verdict, &candidate.phc) {
        users::upgrade_password(db, candidate.user, old, new)?;
    }
    session::begin(db, &admission, &[AuthMethod::Password], arrival, terms, scribe).map(Some)
}

fn fail(
    db: &mut Conn,
    candidate: Option<&Candidate>,
    counted: &Counted,
    reason: &str,
    told: Explanation,
    scribe: &Scribe,
) -> Result<(), store::Error> {
    scribe.origin.slip.refuse(told);
    // More than one address has been wrong about this account: each further failure adds a pause, wherever it is from.
    let beyond = limits::tries(db, counted.by.account())? - i64::from(counted.share.count);
    if beyond > 0 {
        let exponent = u32::try_from(beyond.min(10)).unwrap_or(10);
        let pause = Duration::from_secs(2_u64.pow(exponent)).min(LONGEST_PAUSE);
        let once = Limit { count: 1, per: pause };
        // Counting begins the pause; whether it is full does not matter, and is not why this try failed.
        let _ = limits::reserve(db, &[(counted.by.pause(), once)], scribe.now, &Slip::default())?;
    }
    let user = candidate.map(|candidate| candidate.user);
    scribe.write(db, Event::failure(AuditAction::SignIn).user(user).detail("reason", reason))
}
