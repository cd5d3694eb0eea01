//! Second factors that are not keys: authenticator applications and recovery codes; and who must have one.

use diesel::prelude::*;

use super::schema::{factor_demands, recovery_codes, totp_credentials as totp};
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::UserId;

/// The secret that a user shares with an authenticator application.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = totp)]
pub struct Totp {
    pub user_id: UserId,
    pub sealed: Vec<u8>,
    pub last_step: i64,
    pub created_at: Timestamp,
    pub confirmed_at: Option<Timestamp>,
}

pub fn totp(db: &mut Conn, user: UserId) -> Result<Option<Totp>, Error> {
    Ok(totp::table.find(user).select(Totp::as_select()).first(db).optional()?)
}

/// Keeps a secret that is not confirmed yet, instead of an earlier one. `false` if a confirmed one stands there.
pub fn propose_totp(db: &mut Conn, proposed: &Totp) -> Result<bool, Error> {
    let unconfirmed = totp::table.find(proposed.user_id).filter(totp::confirmed_at.is_null());
    diesel::delete(unconfirmed).execute(db)?;
    if totp(db, proposed.user_id)?.is_some() {
        return Ok(false);
    }
    diesel::insert_into(totp::table).values(proposed).execute(db)?;
    Ok(true)
}

/// The first code was right: from now on the secret counts. `false` if another proposal, or confirmation, was first.
pub fn confirm_totp(db: &mut Conn, proposed: &Totp, step: i64, now: Timestamp) -> Result<bool, Error> {
    let waiting = totp::table
        .find(proposed.user_id)
        .filter(totp::confirmed_at.is_null())
        .filter(totp::sealed.eq(&proposed.sealed));
    let set = (totp::confirmed_at.eq(now), totp::last_step.eq(step));
    Ok(diesel::update(waiting).set(set).execute(db)? == 1)
}

/// Spends a time step: `false` if it, or a later one, was spent before (MF-1).
pub fn spend_step(db: &mut Conn, user: UserId, step: i64) -> Result<bool, Error> {
    let unspent =
        totp::table.find(user).filter(totp::confirmed_at.is_not_null()).filter(totp::last_step.lt(step));
    Ok(diesel::update(unspent).set(totp::last_step.eq(step)).execute(db)? == 1)
}

pub fn remove_totp(db: &mut Conn, user: UserId) -> Result<bool, Error> {
    Ok(diesel::delete(totp::table.find(user)).execute(db)? == 1)
}

/// Voids the codes of before and keeps new ones.
pub fn replace_recovery_codes(
    db: &mut Conn,
    user: UserId,
    digests: &[Digest],
    now: Timestamp,
) -> Result<(), Error> {
    remove_recovery_codes(db, user)?;
    for digest in digests {
        diesel::insert_into(recovery_codes::table)
            .values((
                recovery_codes::digest.eq(digest),
                recovery_codes::user_id.eq(user),
                recovery_codes::created_at.eq(now),
            ))
            .execute(db)?;
    }
    Ok(())
}

pub fn remove_recovery_codes(db: &mut Conn, user: UserId) -> Result<(), Error> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(db)?;
    Ok(())
}

/// Spends a recovery code, if it is one of the user's and nobody has (AR-1).
pub fn spend_recovery_code(
    db: &mut Conn,
    user: UserId,
    digest: &Digest,
    now: Timestamp,
) -> Result<bool, Error> {
    let unused = recovery_codes::table
        .find(digest)
        .filter(recovery_codes::user_id.eq(user))
        .filter(recovery_codes::used_at.is_null());
    Ok(diesel::update(unused).set(recovery_codes::used_at.eq(now)).execute(db)? == 1)
}

/// Whether a recovery code of the user's was spent since then.
pub fn recovery_code_used_since(db: &mut Conn, user: UserId, since: Timestamp) -> Result<bool, Error> {
    let used = recovery_codes::table
        .filter(recovery_codes::user_id.eq(user))
        .filter(recovery_codes::used_at.ge(since))
        .select(recovery_codes::digest);
    Ok(used.first::<Digest>(db).optional()?.is_some())
}

/// How many recovery codes are left.
pub fn recovery_codes_left(db: &mut Conn, user: UserId) -> Result<i64, Error> {
    Ok(recovery_codes::table
        .filter(recovery_codes::user_id.eq(user))
        .filter(recovery_codes::used_at.is_null())
        .count()
        .get_result(db)?)
}

/// From now on the account must have a second factor.
pub fn demand(db: &mut Conn, user: UserId, now: Timestamp) -> Result<(), Error> {
    if !is_demanded(db, user)? {
        diesel::insert_into(factor_demands::table)
            .values((factor_demands::user_id.eq(user), factor_demands::created_at.eq(now)))
            .execute(db)?;
    }
    Ok(())
}

/// Whether this account must have a second factor, whatever its client and role.
pub fn is_demanded(db: &mut Conn, user: UserId) -> Result<bool, Error> {
    Ok(diesel::select(diesel::dsl::exists(factor_demands::table.find(user))).get_result(db)?)
}
