//! What users allowed clients, remembered: scopes, and claims asked for by name.

use diesel::prelude::*;

use super::schema::consents;
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::model::{ClientKey, UserId};

/// The items that the user allowed this client.
pub fn items(db: &mut Conn, user: UserId, client: ClientKey) -> Result<Vec<String>, Error> {
    Ok(consents::table
        .filter(consents::user_id.eq(user))
        .filter(consents::client_id.eq(client))
        .order(consents::item.asc())
        .select(consents::item)
        .load(db)?)
}

/// Remembers that the user allowed these items.
pub fn remember(
    db: &mut Conn,
    user: UserId,
    client: ClientKey,
    items: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    for item in items {
        upsert::insert_consent(db, user, client, item, now)?;
    }
    Ok(())
}

/// Forgets all that the user allowed this client. `false` if there was nothing.
pub fn forget(db: &mut Conn, user: UserId, client: ClientKey) -> Result<bool, Error> {
    let theirs = consents::table.filter(consents::user_id.eq(user)).filter(consents::client_id.eq(client));
    Ok(diesel::delete(theirs).execute(db)? > 0)
}
