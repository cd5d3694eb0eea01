//! Calls that are made once however often they are sent (`Idempotency-Key`).
//!
//! A key is held by one call at a time, and the conditions in the statements decide which (AR-1). What a call makes and
//! that it made it commit together ([`confirm`]), so a key that is taken over from a call that died makes nothing twice.

use diesel::prelude::*;

use super::schema::idempotency_keys as keys;
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::crypto::Digest;

/// A key that is held, or whose call was answered.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = keys)]
pub struct Held {
    /// Of the caller and the key.
    pub digest: Digest,
    /// Of the request.
    pub fingerprint: Digest,
    /// The call that holds it.
    pub holder: Digest,
    pub held_until: Timestamp,
    pub made_at: Option<Timestamp>,
    /// Sealed.
    pub answer: Option<Vec<u8>>,
    pub expires_at: Timestamp,
}

/// What stands in the way of a call, if anything does.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// The call goes ahead.
    Now,
    /// Another call has the key: it is at it, was answered, or made something and could not say so.
    Before(Held),
}

/// Takes the key for the call, if nobody has it: neither a call that is at it, nor one that made something.
pub fn take(db: &mut Conn, call: &Held, now: Timestamp) -> Result<Taken, Error> {
    if upsert::insert_idempotency_key(db, call)? == 1 {
        return Ok(Taken::Now);
    }
    let given_up = keys::expires_at.le(now).or(keys::made_at
        .is_null()
        .and(keys::held_until.le(now))
        .and(keys::fingerprint.eq(call.fingerprint)));
    let taken = diesel::update(keys::table.find(call.digest).filter(given_up))
        .set((
            keys::fingerprint.eq(call.fingerprint),
            keys::holder.eq(call.holder),
            keys::held_until.eq(call.held_until),
            keys::made_at.eq(None::<Timestamp>),
            keys::answer.eq(None::<Vec<u8>>),
            keys::expires_at.eq(call.expires_at),
        ))
        .execute(db)?;
    if taken == 1 {
        return Ok(Taken::Now);
    }
    // Whoever had it may have let it go between the two statements: then the call tries once more.
    let found = keys::table.find(call.digest).select(Held::as_select()).first(db).optional()?;
    match found {
        Some(held) => Ok(Taken::Before(held)),
        None => Ok(match upsert::insert_idempotency_key(db, call)? {
            1 => Taken::Now,
            _ => Taken::Before(call.clone()),
        }),
    }
}

/// Says, in the transaction that makes the thing, that it is made. `false` if another call has the key by now.
pub fn confirm(db: &mut Conn, digest: &Digest, holder: &Digest, now: Timestamp) -> Result<bool, Error> {
    let held = keys::table.find(digest).filter(keys::holder.eq(holder));
    Ok(diesel::update(held).set(keys::made_at.eq(now)).execute(db)? == 1)
}

/// Keeps the answer for those who ask again.
pub fn answer(db: &mut Conn, digest: &Digest, holder: &Digest, sealed: &[u8]) -> Result<(), Error> {
    let held = keys::table.find(digest).filter(keys::holder.eq(holder));
    diesel::update(held).set(keys::answer.eq(sealed)).execute(db)?;
    Ok(())
}

/// Lets go of a key by which nothing was made.
pub fn release(db: &mut Conn, digest: &Digest, holder: &Digest) -> Result<(), Error> {
    let held = keys::table.find(digest).filter(keys::holder.eq(holder)).filter(keys::made_at.is_null());
    diesel::delete(held).execute(db)?;
    Ok(())
}
