//! Passkeys, and the challenges that wait for an answer.

use diesel::prelude::*;

use super::schema::{ceremonies, passkeys};
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{CeremonyPurpose, PasskeyId, UserId};

/// A key pair whose private half an authenticator of the user has.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = passkeys)]
pub struct Passkey {
    pub id: PasskeyId,
    pub user_id: UserId,
    pub credential_id: Vec<u8>,
    /// JSON as the library of the ceremonies writes it.
    pub credential: String,
    /// How often the authenticator says it has signed; zero if it does not count.
    pub counter: i64,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

pub fn insert(db: &mut Conn, passkey: &Passkey) -> Result<(), Error> {
    diesel::insert_into(passkeys::table).values(passkey).execute(db)?;
    Ok(())
}

/// A user's passkeys in order of registration.
pub fn of_user(db: &mut Conn, user: UserId) -> Result<Vec<Passkey>, Error> {
    Ok(passkeys::table
        .filter(passkeys::user_id.eq(user))
        .order(passkeys::id.asc())
        .select(Passkey::as_select())
        .load(db)?)
}

pub fn find_by_credential(db: &mut Conn, credential_id: &[u8]) -> Result<Option<Passkey>, Error> {
    Ok(passkeys::table
        .filter(passkeys::credential_id.eq(credential_id))
        .select(Passkey::as_select())
        .first(db)
        .optional()?)
}

/// Notes a use. `false` if the passkey is gone, or its counter has moved on to `counter` or beyond meanwhile: then
/// this signature is an old one, or there are two of the key (MF-2).
pub fn note_use(
    db: &mut Conn,
    id: PasskeyId,
    credential: &str,
    counter: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    let mut current = diesel::update(passkeys::table.find(id))
        .set((
            passkeys::credential.eq(credential),
            passkeys::counter.eq(counter),
            passkeys::last_used_at.eq(now),
        ))
        .into_boxed();
    current = match counter {
        0 => current.filter(passkeys::counter.eq(0)),
        _ => current.filter(passkeys::counter.lt(counter)),
    };
    Ok(current.execute(db)? == 1)
}

pub fn remove(db: &mut Conn, user: UserId, id: PasskeyId) -> Result<bool, Error> {
    let own = passkeys::table.find(id).filter(passkeys::user_id.eq(user));
    Ok(diesel::delete(own).execute(db)? == 1)
}

pub fn remove_all(db: &mut Conn, user: UserId) -> Result<usize, Error> {
    Ok(diesel::delete(passkeys::table.filter(passkeys::user_id.eq(user))).execute(db)?)
}

/// A challenge that was given to a browser.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = ceremonies)]
pub struct Ceremony {
    pub digest: Digest,
    pub purpose: CeremonyPurpose,
    pub browser_digest: Digest,
    pub user_id: Option<UserId>,
    /// JSON as the library of the ceremonies writes it.
    pub state: String,
    pub expires_at: Timestamp,
}

pub fn begin_ceremony(db: &mut Conn, ceremony: &Ceremony) -> Result<(), Error> {
    diesel::insert_into(ceremonies::table).values(ceremony).execute(db)?;
    Ok(())
}

/// Takes the challenge away, whatever becomes of the answer: it is good once (AR-1).
pub fn take_ceremony(
    db: &mut Conn,
    digest: &Digest,
    purpose: CeremonyPurpose,
    browser: &Digest,
    now: Timestamp,
) -> Result<Option<Ceremony>, Error> {
    let waiting = ceremonies::table
        .filter(ceremonies::digest.eq(digest))
        .filter(ceremonies::purpose.eq(purpose))
        .filter(ceremonies::browser_digest.eq(browser))
        .filter(ceremonies::expires_at.gt(now));
    Ok(diesel::delete(waiting).returning(ceremonies::all_columns).get_result(db).optional()?)
}
