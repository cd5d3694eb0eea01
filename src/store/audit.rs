//! Security events, written in the transaction of what they tell of (LO-1).

use diesel::prelude::*;

use super::schema::{audit_checkpoints, audit_events};
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{AuditAction, AuditEventId, ClientKey, OrganisationId, Outcome, SessionId, UserId};

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

/// Which events are sought.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    pub user: Option<UserId>,
    pub organisation: Option<OrganisationId>,
    /// An action, or with a dot at its end all that begin so.
    pub action: Option<String>,
    pub outcome: Option<Outcome>,
    pub request: Option<String>,
    /// Only those before this one.
    pub before: Option<AuditEventId>,
}

/// Up to `limit` events, the newest first.
pub fn search(db: &mut Conn, sought: &Sought, limit: i64) -> Result<Vec<Event>, Error> {
    let Some(group) = sought.action.as_deref().filter(|action| action.ends_with('.')) else {
        return search_action(db, sought, sought.action.as_deref(), limit);
    };
    // Each action by its index, so that no more is sorted than is shown.
    let mut found = Vec::new();
    for action in AuditAction::ALL.iter().map(|action| action.as_str()) {
        if action.starts_with(group) {
            found.extend(search_action(db, sought, Some(action), limit)?);
        }
    }
    found.sort_unstable_by_key(|event: &Event| std::cmp::Reverse((event.at, event.id)));
    found.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(found)
}

/// The same of one action, or of all.
fn search_action(
    db: &mut Conn,
    sought: &Sought,
    action: Option<&str>,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    let Some(events) = filtered(db, sought, action)? else { return Ok(Vec::new()) };
    let events = events.order((audit_events::at.desc(), audit_events::id.desc())).limit(limit);
    Ok(events.select(Event::as_select()).load(db)?)
}

/// How many events are found, counted no further than `most`.
pub fn count(db: &mut Conn, sought: &Sought, most: i64) -> Result<i64, Error> {
    let group = sought.action.as_deref().filter(|action| action.ends_with('.'));
    let Some(group) = group else { return count_action(db, sought, sought.action.as_deref(), most) };
    let mut found = 0;
    for action in AuditAction::ALL.iter().map(|action| action.as_str()) {
        if action.starts_with(group) {
            found += count_action(db, sought, Some(action), most - found)?;
        }
    }
    Ok(found)
}

fn count_action(db: &mut Conn, sought: &Sought, action: Option<&str>, most: i64) -> Result<i64, Error> {
    let Some(events) = filtered(db, sought, action)? else { return Ok(0) };
    let ids: Vec<AuditEventId> = events.limit(most).select(audit_events::id).load(db)?;
    Ok(i64::try_from(ids.len()).unwrap_or(most))
}

/// How many events a ledger has after this place, counted no further than `most`; also those that have no place yet.
pub fn count_after(db: &mut Conn, after: i64, most: i64) -> Result<i64, Error> {
    let placed = audit_events::table.filter(audit_events::seq.gt(after)).select(audit_events::id).limit(most);
    let placed: Vec<AuditEventId> = placed.load(db)?;
    let others = audit_events::table.filter(audit_events::seq.is_null()).select(audit_events::id).limit(most);
    let others: Vec<AuditEventId> = others.load(db)?;
    Ok(i64::try_from(placed.len() + others.len()).unwrap_or(most).min(most))
}

type Filtered<'q> = audit_events::BoxedQuery<'q, <Conn as diesel::Connection>::Backend>;

/// The events of one action, or of all; `None` if they were to come before one that is not there.
fn filtered<'q>(
    db: &mut Conn,
    sought: &'q Sought,
    action: Option<&'q str>,
) -> Result<Option<Filtered<'q>>, Error> {
    let mut events = audit_events::table.into_boxed();
    if let Some(user) = sought.user {
        events = events.filter(audit_events::user_id.eq(user));
    }
    if let Some(organisation) = sought.organisation {
        events = events.filter(audit_events::organisation_id.eq(organisation));
    }
    if let Some(outcome) = sought.outcome {
        events = events.filter(audit_events::outcome.eq(outcome));
    }
    if let Some(request) = &sought.request {
        events = events.filter(audit_events::request_id.eq(request));
    }
    if let Some(action) = action {
        events = events.filter(audit_events::action.eq(action));
    }
    if let Some(before) = sought.before {
        // Ids begin with their time, so the later condition follows from the first and keeps to the index.
        let at =
            audit_events::table.find(before).select(audit_events::at).first::<Timestamp>(db).optional()?;
        let Some(at) = at else { return Ok(None) };
        let same = audit_events::at.eq(at).and(audit_events::id.lt(before));
        events = events.filter(audit_events::at.le(at)).filter(audit_events::at.lt(at).or(same));
    }
    Ok(Some(events))
}

pub fn find(db: &mut Conn, id: AuditEventId) -> Result<Option<Event>, Error> {
    Ok(audit_events::table.find(id).select(Event::as_select()).first(db).optional()?)
}

/// The place of an event in the chain: made and judged by [`crate::ledger`].
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// From 1, without a gap.
    pub seq: i64,
    /// Forgotten with the person.
    pub salt: Option<Digest>,
    /// Of the address, with the salt.
    pub ip_digest: Option<Digest>,
    /// Of the event and the chain before it.
    pub chain: Digest,
}

/// Up to `limit` events that have no place yet, the oldest first.
pub fn without_place(db: &mut Conn, limit: i64) -> Result<Vec<Event>, Error> {
    Ok(audit_events::table
        .filter(audit_events::seq.is_null())
        .order((audit_events::at.asc(), audit_events::id.asc()))
        .limit(limit)
        .select(Event::as_select())
        .load(db)?)
}

/// How many events have no place yet, and when the oldest of them happened.
pub fn waiting(db: &mut Conn) -> Result<(i64, Option<Timestamp>), Error> {
    let oldest = without_place(db, 1)?.first().map(|event| event.at);
    let waiting = audit_events::table.filter(audit_events::seq.is_null()).count().get_result(db)?;
    Ok((waiting, oldest))
}

/// Gives the event its place. `false` if it has one.
pub fn place(db: &mut Conn, id: AuditEventId, link: &Link) -> Result<bool, Error> {
    let unplaced = audit_events::table.filter(audit_events::id.eq(id)).filter(audit_events::seq.is_null());
    let set = (
        audit_events::seq.eq(link.seq),
        audit_events::salt.eq(link.salt),
        audit_events::ip_digest.eq(link.ip_digest),
        audit_events::chain.eq(link.chain),
    );
    Ok(diesel::update(unplaced).set(set).execute(db)? == 1)
}

/// The last place that is taken, with the chain up to it. What stands before the first place counts for nothing.
pub fn head(db: &mut Conn) -> Result<Option<(i64, Digest)>, Error> {
    let placed = audit_events::table.filter(audit_events::seq.gt(0)).order(audit_events::seq.desc());
    let columns = (audit_events::seq.assume_not_null(), audit_events::chain.assume_not_null());
    Ok(placed.select(columns).first(db).optional()?)
}

/// Up to `limit` events after this place, in order.
pub fn placed(db: &mut Conn, after: i64, limit: i64) -> Result<Vec<(Event, Link)>, Error> {
    type Row = (Event, (i64, Option<Digest>, Option<Digest>, Digest));
    let rows: Vec<Row> = audit_events::table
        .filter(audit_events::seq.gt(after))
        .order(audit_events::seq.asc())
        .limit(limit)
        .select((
            Event::as_select(),
            (
                audit_events::seq.assume_not_null(),
                audit_events::salt,
                audit_events::ip_digest,
                audit_events::chain.assume_not_null(),
            ),
        ))
        .load(db)?;
    let link = |(seq, salt, ip_digest, chain)| Link { seq, salt, ip_digest, chain };
    Ok(rows.into_iter().map(|(event, columns)| (event, link(columns))).collect())
}

/// The chain at a moment, signed.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_checkpoints)]
pub struct Checkpoint {
    pub seq: i64,
    pub at: Timestamp,
    /// A JWS in compact form.
    pub token: String,
}

pub fn insert_checkpoint(db: &mut Conn, checkpoint: &Checkpoint) -> Result<(), Error> {
    diesel::insert_into(audit_checkpoints::table).values(checkpoint).execute(db)?;
    Ok(())
}

pub fn newest_checkpoint(db: &mut Conn) -> Result<Option<Checkpoint>, Error> {
    let newest = audit_checkpoints::table.order(audit_checkpoints::seq.desc());
    Ok(newest.select(Checkpoint::as_select()).first(db).optional()?)
}

/// The checkpoints after this place and up to that one, in order.
pub fn checkpoints(db: &mut Conn, after: i64, up_to: i64) -> Result<Vec<Checkpoint>, Error> {
    Ok(audit_checkpoints::table
        .filter(audit_checkpoints::seq.gt(after))
        .filter(audit_checkpoints::seq.le(up_to))
        .order(audit_checkpoints::seq.asc())
        .select(Checkpoint::as_select())
        .load(db)?)
}
