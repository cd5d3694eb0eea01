//! Browsers signed in: beginning, recognising, ending.
//!
//! A browser holds one cookie with the secrets of its sessions, one for each account, the one used last first. A new
//! secret replaces the old one at every authentication (SE-2). What the secrets are worth is decided here at each
//! request, from stored times (AR-4).

use std::time::Duration;

use crate::app::App;
use crate::audit::{Event, Scribe};
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::model::{AuditAction, AuthMethod, SessionId, UserId};
use crate::store::sessions::Session;
use crate::store::users::User;
use crate::store::{self, Conn};
use crate::tenancy::admission::{self, Admission};

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
    let (secrets, now) = (secrets.to_vec(), app.clock.now());
    let signed_in = app.db.read(move |db| find_live(db, &secrets, now)).await?;
    let stale = now.minus(TOUCH_EVERY);
    if let Some(current) = signed_in.first().filter(|current| current.session.last_seen_at < stale) {
        let id = current.session.id;
        app.db.write(move |db| store::sessions::touch(db, id, stale, now)).await?;
    }
    Ok(signed_in)
}

fn find_live(db: &mut Conn, secrets: &[Secret], now: Timestamp) -> Result<Vec<SignedIn>, store::Error> {
    let mut live: Vec<SignedIn> = Vec::new();
    for secret in secrets.iter().take(ACCOUNTS) {
        let Some((session, methods)) = store::sessions::find_by_secret(db, &secret.digest())? else {
            continue;
        };
        if !session.is_live(now) || live.iter().any(|other| other.session.user_id == session.user_id) {
            continue;
        }
        if let Ok(admission) = admission::admit_user(db, session.user_id)? {
            let user = admission.user().clone();
            let email = store::users::primary_email(db, user.id)?.map(|email| email.address);
            live.push(SignedIn { secret: secret.clone(), session, methods, user, email });
        }
    }
    Ok(live)
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    pub idle: Duration,
    pub max: Duration,
}

impl Lifetime {
    /// As configured, with or without "remember me" (SE-4).
    pub fn of(app: &App, remember: bool) -> Self {
        let lifetimes = &app.config.lifetimes;
        match remember {
            true => Self { idle: lifetimes.remember, max: lifetimes.remember },
            false => Self { idle: lifetimes.session_idle, max: lifetimes.session_max },
        }
    }
}

/// A session just begun or renewed.
#[derive(Clone, Debug)]
pub struct Begun {
    pub id: SessionId,
    pub user: UserId,
    /// For the cookie.
    pub secret: Secret,
}

/// Signs the admitted user in: renews the session that this browser has for the account, or begins one.
pub fn begin(
    db: &mut Conn,
    admission: &Admission,
    methods: &[AuthMethod],
    present: &[Secret],
    lifetime: Lifetime,
    scribe: &Scribe,
) -> Result<Begun, store::Error> {
    let (user, now) = (admission.user().id, scribe.now);
    let secret = Secret::generate(&scribe.random);
    let expires_at = now.plus(lifetime.max);
    let renewed = match session_of(db, user, present, now)? {
        Some(id)
            if store::sessions::renew(db, id, &secret.digest(), expires_at, lifetime.idle, methods, now)? =>
        {
            Some(id)
        }
        _ => None,
    };
    let id = match renewed {
        Some(id) => id,
        None => {
            let session = Session {
                id: SessionId::new(now, &scribe.random),
                user_id: user,
                secret_digest: secret.digest(),
                created_at: now,
                auth_time: now,
                last_seen_at: now,
                expires_at,
                idle_limit: i64::try_from(lifetime.idle.as_micros()).unwrap_or(i64::MAX),
                ended_at: None,
                ip: scribe.origin.ip.map(|ip| ip.to_string()),
                user_agent: scribe.origin.user_agent.clone(),
            };
            store::sessions::insert(db, &session, methods)?;
            session.id
        }
    };
    let methods: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    scribe
        .write(db, Event::success(AuditAction::SignIn).user(user).session(id).detail("methods", methods))?;
    Ok(Begun { id, user, secret })
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

/// Ends all of a user's sessions but the one named.
pub fn end_all(
    db: &mut Conn,
    user: UserId,
    except: Option<SessionId>,
    scribe: &Scribe,
) -> Result<usize, store::Error> {
    let ended = store::sessions::end_all(db, user, except, scribe.now)?;
    for session in &ended {
        store::grants::revoke_of_session(db, *session, scribe.now)?;
        scribe.write(db, Event::success(AuditAction::SessionEnded).user(user).session(*session))?;
    }
    Ok(ended.len())
}
