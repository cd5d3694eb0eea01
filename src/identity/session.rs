//! Browsers signed in: beginning, recognising, ending.
//!
//! A browser holds one cookie with the secrets of its sessions, one for each account, the one used last first. A new
//! secret replaces the old one at every authentication (SE-2). What the secrets are worth is decided here at each
//! request, from stored times (AR-4).
//!
//! Whoever owes a second factor is not signed in: such a sign-in waits in another table and another cookie, and only
//! the page that asks for the factor knows how to find it (SE-3).

use std::time::Duration;

use crate::app::App;
use crate::audit::{Event, Scribe};
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::mail::message::Happened;
use crate::model::{AuditAction, AuthMethod, FirstSignIn, SessionId, UserId};
use crate::protocol::acr::{Acr, acr_for};
use crate::store::pending::PendingSignIn;
use crate::store::sessions::Session;
use crate::store::users::User;
use crate::store::{self, Conn};
use crate::tenancy::admission::{self, Admission, Rules};

use super::device::KnownDevice;
use super::factor::Enrolled;
use super::notice::Notices;

/// Accounts that one browser may be signed in to. A further one takes the place of the one used longest ago.
pub const ACCOUNTS: usize = 5;

/// Use of a session is noted once in this time, not at each request.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// An account that this browser is signed in to.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub secret: Secret,
    pub session: Session,
    pub methods: Vec<AuthMethod>,
    pub user: User,
    /// For showing which account this is.
    pub email: Option<String>,
}

/// The accounts that the browser's secrets stand for, in the browser's order. Secrets that are worth nothing (any
/// more) are left out, and so are accounts that may not be signed in now (AR-2).
pub async fn resume(app: &App, secrets: &[Secret]) -> Result<Vec<SignedIn>, store::Error> {
    if secrets.is_empty() {
        return Ok(Vec::new());
    }
    let (secrets, now, rules) = (secrets.to_vec(), app.clock.now(), Rules::of(&app.config));
    let signed_in = app.db.read(move |db| find_live(db, &secrets, rules, now)).await?;
    let stale = now.minus(TOUCH_EVERY);
    if let Some(current) = signed_in.first().filter(|current| current.session.last_seen_at < stale) {
        let id = current.session.id;
        app.db.write(move |db| store::sessions::touch(db, id, stale, now)).await?;
    }
    Ok(signed_in)
}

fn find_live(
    db: &mut Conn,
    secrets: &[Secret],
    rules: Rules,
    now: Timestamp,
) -> Result<Vec<SignedIn>, store::Error> {
    let mut live: Vec<SignedIn> = Vec::new();
    for secret in secrets.iter().take(ACCOUNTS) {
        let Some((session, methods)) = store::sessions::find_by_secret(db, &secret.digest())? else {
            continue;
        };
        if !session.is_live(now) || live.iter().any(|other| other.session.user_id == session.user_id) {
            continue;
        }
        if let Ok(admission) = admission::admit_user(db, session.user_id)? {
            // The account must have shown more than it did, since it became an administrator's or was reset.
            if acr_for(&methods) < admission::required_of(db, admission.user(), None, rules)? {
                continue;
            }
            let user = admission.user().clone();
            let email = store::users::primary_email(db, user.id)?.map(|email| email.address);
            live.push(SignedIn { secret: secret.clone(), session, methods, user, email });
        }
    }
    Ok(live)
}

/// How long a sign-in waits for its second factor.
pub const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What a sign-in happens under.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// "Keep me signed in".
    pub remember: bool,
    pub idle: Duration,
    pub max: Duration,
    pub rules: Rules,
}

impl Terms {
    /// Of somebody who arrives: as the API has it that they come by, or as configured (SE-4).
    pub fn for_arrival(app: &App, arrival: &Arrival, remember: bool) -> Self {
        match arrival.api {
            Some(api) => {
                Self { remember: false, idle: api.session, max: api.session, rules: Rules::of(&app.config) }
            }
            None => Self::of(app, remember),
        }
    }

    /// As configured, with or without "remember me" (SE-4).
    pub fn of(app: &App, remember: bool) -> Self {
        let lifetimes = &app.config.lifetimes;
        let (idle, max) = match remember {
            true => (lifetimes.remember, lifetimes.remember),
            false => (lifetimes.session_idle, lifetimes.session_max),
        };
        Self { remember, idle, max, rules: Rules::of(&app.config) }
    }
}

/// The browser that comes with a proof of who is there.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The session secrets that it has.
    pub present: Vec<Secret>,
    /// Who signed in from it before.
    pub device: Option<KnownDevice>,
    /// For telling the owner of a browser that the account was never used in (LO-4).
    pub notices: Notices,
    /// Where no browser comes but the client of a login API, which keeps no cookies.
    pub api: Option<Api>,
}

/// How people arrive by a login API.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// How long the session lasts. Its tokens are what is used, so it has no idle time.
    pub session: Duration,
    /// What becomes of people whom a provider vouches for and who have no account; `None`: as the provider has it.
    pub first_sign_in: Option<FirstSignIn>,
}

/// A session just begun or renewed; or a sign-in that will be one.
#[derive(Clone, Debug)]
pub struct Begun {
    /// If a factor is owed there is no session yet by this name.
    pub id: SessionId,
    pub user: UserId,
    /// For the cookie: of the sessions, or if a factor is owed, of its own.
    pub secret: Secret,
    /// Whether a second factor is owed before anybody is signed in.
    pub awaiting_factor: bool,
}

/// Signs the admitted user in, or lets them wait for their second factor. The one way in: every sign-in ends here.
///
/// A second factor is owed by an account that has one (PW-10) or must have one (MF-5), unless these methods are two
/// factors already. Otherwise the session that this browser has for the account is renewed, or a new one begins.
pub fn begin(
    db: &mut Conn,
    admission: &Admission,
    methods: &[AuthMethod],
    arrival: &Arrival,
    terms: Terms,
    scribe: &Scribe,
) -> Result<Begun, store::Error> {
    if acr_for(methods) < Acr::TwoFactors {
        let user = admission.user();
        let required = admission::required_of(db, user, None, terms.rules)?;
        if required == Acr::TwoFactors || Enrolled::of(db, user.id)?.any() {
            return wait_for_factor(db, admission, methods, terms, scribe);
        }
    }
    let id = SessionId::new(scribe.now, &scribe.random);
    open(db, admission, id, methods, arrival, terms, scribe)
}

fn wait_for_factor(
    db: &mut Conn,
    admission: &Admission,
    methods: &[AuthMethod],
    terms: Terms,
    scribe: &Scribe,
) -> Result<Begun, store::Error> {
    let (user, now) = (admission.user().id, scribe.now);
    let secret = Secret::generate(&scribe.random);
    let id = SessionId::new(now, &scribe.random);
    store::pending::insert(
        db,
        &PendingSignIn {
            id,
            user_id: user,
            secret_digest: secret.digest(),
            proven: serde_json::to_string(methods).expect("methods are plain words"),
            remember: terms.remember,
            created_at: now,
            expires_at: now.plus(PATIENCE),
        },
    )?;
    let event = Event::success(AuditAction::FactorAwaited).user(user);
    scribe.write(db, event.detail("methods", words(methods)))?;
    Ok(Begun { id, user, secret, awaiting_factor: true })
}

/// A sign-in that waits for its second factor.
#[derive(Clone, Debug)]
pub struct Pending {
    pub id: SessionId,
    pub methods: Vec<AuthMethod>,
    pub remember: bool,
}

/// The sign-in that waits under this secret, if its user may still be signed in.
pub fn pending(
    db: &mut Conn,
    secret: &Secret,
    now: Timestamp,
) -> Result<Option<(Pending, Admission)>, store::Error> {
    let Some(row) = store::pending::find(db, &secret.digest(), now)? else { return Ok(None) };
    let Ok(admission) = admission::admit_user(db, row.user_id)? else { return Ok(None) };
    let methods = serde_json::from_str(&row.proven)
        .map_err(|error| store::Error::broken("what a sign-in has proven", error))?;
    Ok(Some((Pending { id: row.id, methods, remember: row.remember }, admission)))
}

/// The factor was shown: the sign-in becomes a session. `None` if it did so before.
pub fn complete(
    db: &mut Conn,
    pending: &Pending,
    admission: &Admission,
    shown: AuthMethod,
    arrival: &Arrival,
    terms: Terms,
    scribe: &Scribe,
) -> Result<Option<Begun>, store::Error> {
    if !store::pending::take(db, pending.id)? {
        return Ok(None);
    }
    let mut methods = pending.methods.clone();
    methods.push(shown);
    open(db, admission, pending.id, &methods, arrival, terms, scribe).map(Some)
}

/// A further factor was shown within a session: a new secret replaces the old one (SE-2). When the user signed in
/// stays what it was. `None` if the session has ended meanwhile.
pub fn step_up(
    db: &mut Conn,
    session: &Session,
    shown: AuthMethod,
    scribe: &Scribe,
) -> Result<Option<Begun>, store::Error> {
    let secret = Secret::generate(&scribe.random);
    if !store::sessions::step_up(db, session.id, &secret.digest(), shown, scribe.now)? {
        return Ok(None);
    }
    let event = Event::success(AuditAction::SteppedUp).user(session.user_id).session(session.id);
    scribe.write(db, event.detail("method", shown.as_str()))?;
    Ok(Some(Begun { id: session.id, user: session.user_id, secret, awaiting_factor: false }))
}

fn open(
    db: &mut Conn,
    admission: &Admission,
    new: SessionId,
    methods: &[AuthMethod],
    arrival: &Arrival,
    terms: Terms,
    scribe: &Scribe,
) -> Result<Begun, store::Error> {
    let (user, now) = (admission.user().id, scribe.now);
    let secret = Secret::generate(&scribe.random);
    let expires_at = now.plus(terms.max);
    let renewed = match session_of(db, user, &arrival.present, now)? {
        Some(id)
            if store::sessions::renew(db, id, &secret.digest(), expires_at, terms.idle, methods, now)? =>
        {
            Some(id)
        }
        _ => None,
    };
    let id = match renewed {
        Some(id) => id,
        None => {
            tell_of_new_device(db, admission.user(), arrival, scribe)?;
            let session = Session {
                id: new,
                user_id: user,
                secret_digest: secret.digest(),
                created_at: now,
                auth_time: now,
                last_seen_at: now,
                expires_at,
                idle_limit: i64::try_from(terms.idle.as_micros()).unwrap_or(i64::MAX),
                ended_at: None,
                ip: scribe.origin.ip.map(|ip| ip.to_string()),
                user_agent: scribe.origin.user_agent.clone(),
            };
            store::sessions::insert(db, &session, methods)?;
            end_crowded_out(db, user, &arrival.present, scribe)?;
            session.id
        }
    };
    store::users::note_sign_in(db, user, now)?;
    let event = Event::success(AuditAction::SignIn).user(user).session(id);
    scribe.write(db, event.detail("methods", words(methods)))?;
    Ok(Begun { id, user, secret, awaiting_factor: false })
}

/// A browser holds so many accounts: when one more begins, the one used longest ago ends, since nothing stands for it
/// any more.
fn end_crowded_out(
    db: &mut Conn,
    user: UserId,
    present: &[Secret],
    scribe: &Scribe,
) -> Result<(), store::Error> {
    let mut others: Vec<Session> = Vec::new();
    for secret in present {
        if let Some((session, _)) = store::sessions::find_by_secret(db, &secret.digest())?
            && session.is_live(scribe.now)
            && session.user_id != user
        {
            others.push(session);
        }
    }
    for session in others.iter().skip(ACCOUNTS - 1) {
        end(db, session.id, session.user_id, scribe)?;
    }
    Ok(())
}

/// Tells the owner when the account, used elsewhere before, begins in a browser that does not know it (LO-4).
fn tell_of_new_device(
    db: &mut Conn,
    user: &User,
    arrival: &Arrival,
    scribe: &Scribe,
) -> Result<(), store::Error> {
    let known = match arrival.api {
        None => arrival.device.as_ref().is_some_and(|device| device.knows(user.id)),
        // Without cookies, a client is known by what it calls itself and where it is.
        Some(_) => {
            let (ip, agent) =
                (scribe.origin.ip.map(|ip| ip.to_string()), scribe.origin.user_agent.as_deref());
            store::sessions::was_seen(db, user.id, ip.as_deref(), agent)?
        }
    };
    if known || user.last_sign_in_at.is_none() {
        return Ok(());
    }
    arrival.notices.tell(db, user, Happened::NewDevice, scribe)
}

fn words(methods: &[AuthMethod]) -> Vec<&'static str> {
    methods.iter().map(|method| method.as_str()).collect()
}

fn session_of(
    db: &mut Conn,
    user: UserId,
    present: &[Secret],
    now: Timestamp,
) -> Result<Option<SessionId>, store::Error> {
    for secret in present {
        if let Some((session, _)) = store::sessions::find_by_secret(db, &secret.digest())?
            && session.user_id == user
            && session.is_live(now)
        {
            return Ok(Some(session.id));
        }
    }
    Ok(None)
}

/// Ends a session with the grants that end with it. `false` if it had ended before.
pub fn end(db: &mut Conn, session: SessionId, user: UserId, scribe: &Scribe) -> Result<bool, store::Error> {
    let ended = store::sessions::end(db, session, scribe.now)?;
    if ended {
        store::grants::revoke_of_session(db, session, scribe.now)?;
        scribe.write(db, Event::success(AuditAction::SessionEnded).user(user).session(session))?;
    }
    Ok(ended)
}

/// Ends all of a user's sessions but the one named, and every sign-in that waits for a factor.
pub fn end_all(
    db: &mut Conn,
    user: UserId,
    except: Option<SessionId>,
    scribe: &Scribe,
) -> Result<usize, store::Error> {
    store::pending::remove_of_user(db, user)?;
    let ended = store::sessions::end_all(db, user, except, scribe.now)?;
    for session in &ended {
        store::grants::revoke_of_session(db, *session, scribe.now)?;
        scribe.write(db, Event::success(AuditAction::SessionEnded).user(user).session(*session))?;
    }
    Ok(ended.len())
}
