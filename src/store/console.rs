//! Sessions that were let into the console (AD-2).

use diesel::prelude::*;

use super::schema::console_visits;
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::model::SessionId;

/// When the session was let in, and last used there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = console_visits)]
pub struct Visit {
    pub opened_at: Timestamp,
    pub seen_at: Timestamp,
}

pub fn visit(db: &mut Conn, session: SessionId) -> Result<Option<Visit>, Error> {
    Ok(console_visits::table.find(session).select(Visit::as_select()).first(db).optional()?)
}

/// Begins a visit, in the place of the one before.
pub fn open(db: &mut Conn, session: SessionId, now: Timestamp) -> Result<(), Error> {
    upsert::open_console(db, session, now)?;
    Ok(())
}

/// Notes that the visit goes on.
pub fn touch(db: &mut Conn, session: SessionId, now: Timestamp) -> Result<(), Error> {
    diesel::update(console_visits::table.find(session)).set(console_visits::seen_at.eq(now)).execute(db)?;
    Ok(())
}
