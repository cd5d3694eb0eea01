//! Browsers signed in.

use std::time::Duration;

use diesel::prelude::*;

use super::schema::{session_methods, sessions, users};
use super::users::User;
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{AuthMethod, SessionId, UserId};

/// A browser signed in as one user.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub secret_digest: Digest,
    pub created_at: Timestamp,
    /// When the user last proved who they are.
    pub auth_time: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    /// Microseconds.
    pub idle_limit: i64,
    pub ended_at: Option<Timestamp>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

impl Session {
    /// Whether it still counts at `now`: not ended, not past its absolute end, not left unused too long (SE-4).
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at && now < self.last_seen_at.plus(self.idle())
    }

    /// How long it may lie unused.
    pub fn idle(&self) -> Duration {
        Duration::from_micros(self.idle_limit.unsigned_abs())
    }
}

pub fn insert(db: &mut Conn, session: &Session, methods: &[AuthMethod]) -> Result<(), Error> {
    diesel::insert_into(sessions::table).values(session).execute(db)?;
    add_methods(db, session.id, methods, session.auth_time)
}

/// The session whose secret this is, with what was proven in it. It may be ended or expired.
pub fn find_by_secret(db: &mut Conn, digest: &Digest) -> Result<Option<(Session, Vec<AuthMethod>)>, Error> {
    let session = sessions::table
        .filter(sessions::secret_digest.eq(digest))
        .select(Session::as_select())
        .first(db)
        .optional()?;
    session
        .map(|session| Ok((methods(db, session.id)?, session)))
        .transpose()
        .map(|found| found.map(|(m, s)| (s, m)))
}

pub fn find(db: &mut Conn, id: SessionId) -> Result<Option<Session>, Error> {
    Ok(sessions::table.find(id).select(Session::as_select()).first(db).optional()?)
}

/// What was proven in the session.
pub fn methods(db: &mut Conn, id: SessionId) -> Result<Vec<AuthMethod>, Error> {
    Ok(session_methods::table
        .filter(session_methods::session_id.eq(id))
        .order((session_methods::proven_at.asc(), session_methods::method.asc()))
        .select(session_methods::method)
        .load(db)?)
}

/// What was proven in each of these sessions.
pub fn methods_of(db: &mut Conn, ids: &[SessionId]) -> Result<Vec<(SessionId, AuthMethod)>, Error> {
    Ok(session_methods::table
        .filter(session_methods::session_id.eq_any(ids))
        .order((session_methods::proven_at.asc(), session_methods::method.asc()))
        .select((session_methods::session_id, session_methods::method))
        .load(db)?)
}

/// What was proven in the session, and when each.
pub fn proofs(db: &mut Conn, id: SessionId) -> Result<Vec<(AuthMethod, Timestamp)>, Error> {
    Ok(session_methods::table
        .filter(session_methods::session_id.eq(id))
        .order((session_methods::proven_at.asc(), session_methods::method.asc()))
        .select((session_methods::method, session_methods::proven_at))
        .load(db)?)
}

/// After the user proved who they are again: a new secret replaces the old one, which is dead from now on (SE-2).
/// `false` if the session has ended meanwhile.
pub fn renew(
    db: &mut Conn,
    id: SessionId,
    secret: &Digest,
    expires_at: Timestamp,
    idle_limit: Duration,
    methods: &[AuthMethod],
    now: Timestamp,
) -> Result<bool, Error> {
    let live = sessions::table.filter(sessions::id.eq(id)).filter(sessions::ended_at.is_null());
    let renewed = diesel::update(live)
        .set((
            sessions::secret_digest.eq(secret),
            sessions::auth_time.eq(now),
            sessions::last_seen_at.eq(now),
            sessions::expires_at.eq(expires_at),
            sessions::idle_limit.eq(i64::try_from(idle_limit.as_micros()).unwrap_or(i64::MAX)),
        ))
        .execute(db)?;
    if renewed == 1 {
        // `amr` states what this authentication was, not what an earlier one had been.
        diesel::delete(session_methods::table.filter(session_methods::session_id.eq(id))).execute(db)?;
        add_methods(db, id, methods, now)?;
    }
    Ok(renewed == 1)
}

/// Notes that what was proven in the session was proven then, and not when the session began or was renewed.
pub fn backdate(db: &mut Conn, id: SessionId, proven_at: Timestamp) -> Result<(), Error> {
    diesel::update(sessions::table.find(id)).set(sessions::auth_time.eq(proven_at)).execute(db)?;
    backdate_proofs(db, id, proven_at)
}

/// The same where nobody knows when: the session says when it began, and its proofs count as that old.
pub fn backdate_proofs(db: &mut Conn, id: SessionId, proven_at: Timestamp) -> Result<(), Error> {
    let proofs = session_methods::table.filter(session_methods::session_id.eq(id));
    diesel::update(proofs).set(session_methods::proven_at.eq(proven_at)).execute(db)?;
    Ok(())
}

/// After the user showed a further factor: a new secret, and one method more. `false` if the session has ended.
pub fn step_up(
    db: &mut Conn,
    id: SessionId,
    secret: &Digest,
    shown: AuthMethod,
    now: Timestamp,
) -> Result<bool, Error> {
    let live = sessions::table.filter(sessions::id.eq(id)).filter(sessions::ended_at.is_null());
    let set = (sessions::secret_digest.eq(secret), sessions::last_seen_at.eq(now));
    let stepped_up = diesel::update(live).set(set).execute(db)? == 1;
    if stepped_up {
        add_methods(db, id, &[shown], now)?;
    }
    Ok(stepped_up)
}

fn add_methods(db: &mut Conn, id: SessionId, methods: &[AuthMethod], now: Timestamp) -> Result<(), Error> {
    for method in methods {
        upsert::set_session_method(db, id, *method, now)?;
    }
    Ok(())
}

/// Notes that the session is in use, if that was last noted before `unless_since`: not at every request.
pub fn touch(db: &mut Conn, id: SessionId, unless_since: Timestamp, now: Timestamp) -> Result<(), Error> {
    let stale = sessions::table.filter(sessions::id.eq(id)).filter(sessions::last_seen_at.lt(unless_since));
    diesel::update(stale).set(sessions::last_seen_at.eq(now)).execute(db)?;
    Ok(())
}

/// Keeps the session from ending until this transaction does. `false` if it has ended.
pub fn hold(db: &mut Conn, id: SessionId) -> Result<bool, Error> {
    let live = sessions::table.filter(sessions::id.eq(id)).filter(sessions::ended_at.is_null());
    Ok(diesel::update(live).set(sessions::last_seen_at.eq(sessions::last_seen_at)).execute(db)? == 1)
}

/// Whether the user ever signed in from this address with a client that calls itself this.
pub fn was_seen(
    db: &mut Conn,
    user: UserId,
    ip: Option<&str>,
    user_agent: Option<&str>,
) -> Result<bool, Error> {
    let mut earlier = sessions::table.filter(sessions::user_id.eq(user)).select(sessions::id).into_boxed();
    earlier = match ip {
        Some(ip) => earlier.filter(sessions::ip.eq(ip.to_owned())),
        None => earlier.filter(sessions::ip.is_null()),
    };
    earlier = match user_agent {
        Some(agent) => earlier.filter(sessions::user_agent.eq(agent.to_owned())),
        None => earlier.filter(sessions::user_agent.is_null()),
    };
    Ok(earlier.first::<SessionId>(db).optional()?.is_some())
}

/// Ends one session. `false` if it had ended before.
pub fn end(db: &mut Conn, id: SessionId, now: Timestamp) -> Result<bool, Error> {
    let live = sessions::table.filter(sessions::id.eq(id)).filter(sessions::ended_at.is_null());
    Ok(diesel::update(live).set(sessions::ended_at.eq(now)).execute(db)? == 1)
}

/// Ends all of a user's sessions but the one named, and names those that ended.
pub fn end_all(
    db: &mut Conn,
    user: UserId,
    except: Option<SessionId>,
    now: Timestamp,
) -> Result<Vec<SessionId>, Error> {
    let live: Vec<SessionId> = sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at.is_null())
        .select(sessions::id)
        .load(db)?;
    let mut ended = Vec::new();
    for id in live {
        if Some(id) != except && end(db, id, now)? {
            ended.push(id);
        }
    }
    Ok(ended)
}

/// A user's sessions that have not ended or expired, the one used last first. Idle ones are for the caller to drop.
pub fn list_for_user(db: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<Session>, Error> {
    Ok(sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .order((sessions::last_seen_at.desc(), sessions::id.desc()))
        .select(Session::as_select())
        .load(db)?)
}

/// Up to `limit` sessions that have not ended or expired, with whose they are, the newest first, before the one named.
pub fn newest_live(
    db: &mut Conn,
    before: Option<SessionId>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<(Session, User)>, Error> {
    let mut query = sessions::table
        .inner_join(users::table.on(users::id.eq(sessions::user_id)))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .select((Session::as_select(), User::as_select()))
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(sessions::id.lt(before));
    }
    Ok(query.order(sessions::id.desc()).limit(limit).load(db)?)
}

/// How many sessions count at `now`.
pub fn count_live(db: &mut Conn, now: Timestamp) -> Result<i64, Error> {
    Ok(sessions::table
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .filter((sessions::last_seen_at + sessions::idle_limit).gt(now.micros()))
        .count()
        .get_result(db)?)
}

/// The same for everybody, at most a thousand of them.
pub fn list_all(db: &mut Conn, now: Timestamp) -> Result<Vec<Session>, Error> {
    Ok(sessions::table
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .order((sessions::last_seen_at.desc(), sessions::id.desc()))
        .limit(1_000)
        .select(Session::as_select())
        .load(db)?)
}
