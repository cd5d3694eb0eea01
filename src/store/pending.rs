//! Sign-ins that wait for a second factor (SE-3). Nothing here is a session.

use diesel::prelude::*;

use super::schema::pending_sign_ins as pending;
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{SessionId, UserId};

/// Somebody who has shown one factor and owes another.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = pending)]
pub struct PendingSignIn {
    /// Of the session that it becomes.
    pub id: SessionId,
    pub user_id: UserId,
    pub secret_digest: Digest,
    /// JSON that the sign-in itself wrote.
    pub proven: String,
    pub remember: bool,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

pub fn insert(db: &mut Conn, row: &PendingSignIn) -> Result<(), Error> {
    diesel::insert_into(pending::table).values(row).execute(db)?;
    Ok(())
}

/// The one with this secret, if it still waits.
pub fn find(db: &mut Conn, secret: &Digest, now: Timestamp) -> Result<Option<PendingSignIn>, Error> {
    Ok(pending::table
        .filter(pending::secret_digest.eq(secret))
        .filter(pending::expires_at.gt(now))
        .select(PendingSignIn::as_select())
        .first(db)
        .optional()?)
}

/// Takes it away, if nobody has (AR-1).
pub fn take(db: &mut Conn, id: SessionId) -> Result<bool, Error> {
    Ok(diesel::delete(pending::table.find(id)).execute(db)? == 1)
}

pub fn remove_of_user(db: &mut Conn, user: UserId) -> Result<(), Error> {
    diesel::delete(pending::table.filter(pending::user_id.eq(user))).execute(db)?;
    Ok(())
}
