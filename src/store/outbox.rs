//! Mail waiting to be sent, written in the transaction of its cause (AR-8).

use diesel::prelude::*;

use super::schema::outbox;
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::model::MessageId;

/// A message in the outbox.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = outbox)]
pub struct Message {
    pub id: MessageId,
    pub recipient: String,
    pub subject: String,
    pub body_text: String,
    pub body_html: String,
    pub created_at: Timestamp,
    /// When what it says is no longer true: it is not sent after that.
    pub expires_at: Option<Timestamp>,
    pub due_at: Timestamp,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub sent_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
}

pub fn insert(db: &mut Conn, message: &Message) -> Result<(), Error> {
    diesel::insert_into(outbox::table).values(message).execute(db)?;
    Ok(())
}

/// Up to `limit` messages that are to be sent now, in order of their time.
pub fn due(db: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<Message>, Error> {
    Ok(outbox::table
        .filter(outbox::due_at.le(now))
        .filter(outbox::sent_at.is_null())
        .filter(outbox::failed_at.is_null())
        // New mail before what was tried before: retries take the room that is left.
        .order((outbox::attempts.asc(), outbox::due_at.asc(), outbox::id.asc()))
        .limit(limit)
        .select(Message::as_select())
        .load(db)?)
}

/// Claims one try for this node: whoever sees `true` sends. If this node is lost while it sends, the next try is due
/// at `lost_at`.
pub fn claim(db: &mut Conn, message: &Message, lost_at: Timestamp) -> Result<bool, Error> {
    let unclaimed = outbox::table
        .filter(outbox::id.eq(message.id))
        .filter(outbox::attempts.eq(message.attempts))
        .filter(outbox::sent_at.is_null())
        .filter(outbox::failed_at.is_null());
    let claimed = diesel::update(unclaimed)
        .set((outbox::attempts.eq(message.attempts + 1), outbox::due_at.eq(lost_at)))
        .execute(db)?;
    Ok(claimed == 1)
}

/// Puts off when a message that is under way counts as lost.
pub fn hold(db: &mut Conn, id: MessageId, lost_at: Timestamp) -> Result<(), Error> {
    let under_way =
        outbox::table.find(id).filter(outbox::sent_at.is_null()).filter(outbox::failed_at.is_null());
    diesel::update(under_way).set(outbox::due_at.eq(lost_at)).execute(db)?;
    Ok(())
}

pub fn mark_sent(db: &mut Conn, id: MessageId, now: Timestamp) -> Result<(), Error> {
    diesel::update(outbox::table.find(id)).set(outbox::sent_at.eq(now)).execute(db)?;
    Ok(())
}

/// Notes a failed try, after which another is due at `due_at`.
pub fn postpone(db: &mut Conn, id: MessageId, reason: &str, due_at: Timestamp) -> Result<(), Error> {
    diesel::update(outbox::table.find(id).filter(outbox::sent_at.is_null()))
        .set((outbox::last_error.eq(reason), outbox::due_at.eq(due_at)))
        .execute(db)?;
    Ok(())
}

/// Notes that the message will not be sent.
pub fn mark_failed(db: &mut Conn, id: MessageId, reason: &str, now: Timestamp) -> Result<(), Error> {
    diesel::update(outbox::table.find(id).filter(outbox::sent_at.is_null()))
        .set((outbox::last_error.eq(reason), outbox::failed_at.eq(now)))
        .execute(db)?;
    Ok(())
}

/// Mail that has not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent {
    pub waiting: i64,
    pub failed: i64,
}

pub fn count_unsent(db: &mut Conn) -> Result<Unsent, Error> {
    let unsent = || outbox::table.filter(outbox::sent_at.is_null());
    Ok(Unsent {
        waiting: unsent().filter(outbox::failed_at.is_null()).count().get_result(db)?,
        failed: unsent().filter(outbox::failed_at.is_not_null()).count().get_result(db)?,
    })
}

/// Since when the oldest message waits that is still to be sent.
pub fn waits_since(db: &mut Conn) -> Result<Option<Timestamp>, Error> {
    let waiting = outbox::table.filter(outbox::sent_at.is_null()).filter(outbox::failed_at.is_null());
    Ok(waiting.order(outbox::created_at.asc()).select(outbox::created_at).first(db).optional()?)
}

/// The newest messages first: what the development mailbox shows.
pub fn newest(db: &mut Conn, limit: i64) -> Result<Vec<Message>, Error> {
    Ok(outbox::table
        .order((outbox::created_at.desc(), outbox::id.desc()))
        .limit(limit)
        .select(Message::as_select())
        .load(db)?)
}

/// Messages before this one, the newest first, of those that a filter lets through.
macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident($($filter:expr),*);)+) => {$(
        $(#[$doc])*
        pub fn $name(db: &mut Conn, before: Option<MessageId>, limit: i64) -> Result<Vec<Message>, Error> {
            let mut query = outbox::table.select(Message::as_select()).into_boxed();
            $(query = query.filter($filter);)*
            if let Some(before) = before {
                query = query.filter(outbox::id.lt(before));
            }
            Ok(query.order(outbox::id.desc()).limit(limit).load(db)?)
        }
    )+};
}

pages! {
    /// Any.
    before();
    waiting(outbox::sent_at.is_null(), outbox::failed_at.is_null());
    sent(outbox::sent_at.is_not_null());
    /// Dead letters.
    failed(outbox::failed_at.is_not_null());
}

/// Lets the message be sent now, whatever was tried before. `false` if it has left, or is no longer true.
pub fn send_again(db: &mut Conn, id: MessageId, now: Timestamp) -> Result<bool, Error> {
    let unsent = outbox::table
        .filter(outbox::id.eq(id))
        .filter(outbox::sent_at.is_null())
        .filter(outbox::expires_at.is_null().or(outbox::expires_at.gt(now)));
    let set = (outbox::failed_at.eq(None::<Timestamp>), outbox::attempts.eq(0_i64), outbox::due_at.eq(now));
    Ok(diesel::update(unsent).set(set).execute(db)? == 1)
}

pub fn find(db: &mut Conn, id: MessageId) -> Result<Option<Message>, Error> {
    Ok(outbox::table.find(id).select(Message::as_select()).first(db).optional()?)
}
