//! Counters of tries, shared by all nodes.

use diesel::prelude::*;

use super::schema::rate_limits;
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::crypto::Digest;

/// Where a counter stands after a try was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Tries in the running window, this one included.
    pub tries: i64,
    pub resets_at: Timestamp,
}

/// Counts a try before it is made (RL-2). A window begins with its first try and ends at `resets_at`.
pub fn count(db: &mut Conn, bucket: &Digest, now: Timestamp, resets_at: Timestamp) -> Result<Count, Error> {
    let (tries, resets_at) = upsert::count_try(db, bucket, now, resets_at)?;
    Ok(Count { tries, resets_at })
}

/// Where a counter stands, without counting.
pub fn look(db: &mut Conn, bucket: &Digest) -> Result<Option<Count>, Error> {
    let found: Option<(i64, Timestamp)> = rate_limits::table
        .find(bucket)
        .select((rate_limits::tries, rate_limits::resets_at))
        .first(db)
        .optional()?;
    Ok(found.map(|(tries, resets_at)| Count { tries, resets_at }))
}

/// Takes a counted try back, since it succeeded.
pub fn refund(db: &mut Conn, bucket: &Digest) -> Result<(), Error> {
    let counted = rate_limits::table.filter(rate_limits::bucket.eq(bucket)).filter(rate_limits::tries.gt(0));
    diesel::update(counted).set(rate_limits::tries.eq(rate_limits::tries - 1)).execute(db)?;
    Ok(())
}

/// Forgets all tries.
pub fn clear(db: &mut Conn, bucket: &Digest) -> Result<(), Error> {
    diesel::delete(rate_limits::table.find(bucket)).execute(db)?;
    Ok(())
}
