//! Security events, written in the transaction of what they tell of (LO-1).

use diesel::prelude::*;

use super::schema::audit_events;
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::model::{AuditEventId, ClientKey, OrganisationId, Outcome, SessionId, UserId};

/// One event, as stored.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_events)]
pub struct Event {
    pub id: AuditEventId,
    pub at: Timestamp,
    pub action: String,
    pub outcome: Outcome,
    pub user_id: Option<UserId>,
    pub actor_id: Option<UserId>,
    pub client_id: Option<ClientKey>,
    pub session_id: Option<SessionId>,
    pub ip: Option<String>,
    pub request_id: Option<String>,
    /// JSON without secrets.
    pub detail: String,
    pub organisation_id: Option<OrganisationId>,
}

pub fn insert(db: &mut Conn, event: &Event) -> Result<(), Error> {
    diesel::insert_into(audit_events::table).values(event).execute(db)?;
    Ok(())
}

/// Up to `limit` events of these kinds about the user since then, the newest first.
pub fn of_user(
    db: &mut Conn,
    user: UserId,
    actions: &[&str],
    since: Timestamp,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    Ok(audit_events::table
        .filter(audit_events::user_id.eq(user))
        .filter(audit_events::at.gt(since))
        .filter(audit_events::action.eq_any(actions))
        .order((audit_events::at.desc(), audit_events::id.desc()))
        .limit(limit)
        .select(Event::as_select())
        .load(db)?)
}

/// Up to `limit` events, the newest first.
pub fn newest(db: &mut Conn, limit: i64) -> Result<Vec<Event>, Error> {
    Ok(audit_events::table
        .order((audit_events::at.desc(), audit_events::id.desc()))
        .limit(limit)
        .select(Event::as_select())
        .load(db)?)
}
