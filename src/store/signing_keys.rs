//! Signing keys at rest: sealed, with the times that every node obeys.

use diesel::prelude::*;

use super::schema::signing_keys;
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::model::{SigningAlg, Topic};

/// A signing key as stored.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
pub struct SigningKey {
    pub kid: String,
    pub alg: SigningAlg,
    pub public_jwk: String,
    pub sealed: Vec<u8>,
    pub master_key_id: String,
    pub created_at: Timestamp,
    pub published_at: Timestamp,
    pub active_from: Timestamp,
    pub retired_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

pub fn all(db: &mut Conn) -> Result<Vec<SigningKey>, Error> {
    Ok(signing_keys::table
        .order((signing_keys::created_at.asc(), signing_keys::kid.asc()))
        .select(SigningKey::as_select())
        .load(db)?)
}

/// Lets one transaction at a time decide about keys, on all nodes: what [`all`] says after this stays true until the
/// commit. On PostgreSQL two nodes would otherwise each find that a key is due, and each make one.
pub fn lock(db: &mut Conn) -> Result<(), Error> {
    upsert::bump_version(db, Topic::Keys)?;
    Ok(())
}

pub fn insert(db: &mut Conn, key: &SigningKey) -> Result<(), Error> {
    diesel::insert_into(signing_keys::table).values(key).execute(db)?;
    upsert::bump_version(db, Topic::Keys)?;
    Ok(())
}

/// Lets every key of this algorithm that has no end yet sign no longer than until `at`, except the one named.
pub fn retire_others(db: &mut Conn, alg: SigningAlg, except: &str, at: Timestamp) -> Result<usize, Error> {
    let others = signing_keys::table
        .filter(signing_keys::alg.eq(alg))
        .filter(signing_keys::kid.ne(except))
        .filter(signing_keys::retired_at.is_null().or(signing_keys::retired_at.gt(at)))
        .filter(signing_keys::revoked_at.is_null());
    let retired = diesel::update(others).set(signing_keys::retired_at.eq(at)).execute(db)?;
    upsert::bump_version(db, Topic::Keys)?;
    Ok(retired)
}

/// Withdraws a key at once: nothing that it signed counts any more (TK-11). `false` if there is no such live key.
pub fn revoke(db: &mut Conn, kid: &str, now: Timestamp) -> Result<bool, Error> {
    let live =
        signing_keys::table.filter(signing_keys::kid.eq(kid)).filter(signing_keys::revoked_at.is_null());
    let revoked = diesel::update(live).set(signing_keys::revoked_at.eq(now)).execute(db)?;
    upsert::bump_version(db, Topic::Keys)?;
    Ok(revoked == 1)
}
