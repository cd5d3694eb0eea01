//! What periodic work needs: leases, versions of caches, and the sweep of expired rows.

use std::time::Duration;

use diesel::prelude::*;

use super::schema::*;
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{GrantId, InvitationId, MessageId, Place, RequestId, SessionId, Topic};

/// Takes or keeps the lease `name` until `until`. `false` if another holder has it (CR-8).
pub fn take_lease(
    db: &mut Conn,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    Ok(upsert::take_lease(db, name, holder, now, until)? == 1)
}

/// Gives the lease back, so that another node need not wait for it to expire.
pub fn release_lease(db: &mut Conn, name: &str, holder: &str) -> Result<(), Error> {
    let ours = leases::table.filter(leases::name.eq(name)).filter(leases::holder.eq(holder));
    diesel::delete(ours).execute(db)?;
    Ok(())
}

/// The version of every cache: a node whose copy is of another version reads again.
pub fn versions(db: &mut Conn) -> Result<Vec<(Topic, i64)>, Error> {
    Ok(versions::table.select((versions::topic, versions::value)).order(versions::topic.asc()).load(db)?)
}

/// The database's own clock, to compare with ours (CR-7).
pub fn database_time(db: &mut Conn) -> Result<Timestamp, Error> {
    use diesel::sql_types::Double;
    #[derive(QueryableByName)]
    struct Now {
        #[diesel(sql_type = Double)]
        now: f64,
    }
    const PG: &str = "SELECT EXTRACT(EPOCH FROM clock_timestamp())::double precision AS now";
    const SQLITE: &str = "SELECT (julianday('now') - 2440587.5) * 86400.0 AS now";
    let row = match db {
        Conn::Postgres(conn) => diesel::sql_query(PG).get_result::<Now>(conn)?,
        Conn::Sqlite(conn) => diesel::sql_query(SQLITE).get_result::<Now>(conn)?,
    };
    #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970 in microseconds fit for ages")]
    Ok(Timestamp((row.now * 1e6) as i64))
}

/// How long it is known what was counted: a year, and the month a year ago to compare with.
const KEEP_USAGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Most rows that one step of the sweep deletes (CR-11).
const BATCH: usize = 500;

/// Deletes rows whose time column is before `$before`, oldest first, by the column's index: as many as there is room
/// for in this step.
macro_rules! sweep {
    ($db:ident, $swept:ident, $table:ident, $key:ident: $type:ty, $by:ident, $before:expr) => {
        let room = i64::try_from(BATCH.saturating_sub($swept)).expect("a batch is small");
        if room > 0 {
            let keys: Vec<$type> = $table::table
                .filter($table::$by.lt($before))
                .order($table::$by.asc())
                .limit(room)
                .select($table::$key)
                .load($db)?;
            $swept += diesel::delete($table::table.filter($table::$key.eq_any(&keys))).execute($db)?;
        }
    };
}

/// One step of the sweep: deletes a batch of expired rows and says how many went. Nothing relies on it: expiry is
/// judged at use (AR-4). `keep_history` is before when finished mail is forgotten.
///
/// Tokens come before the grants that they would go with, so that a step deletes no more than its batch.
pub fn sweep_expired(db: &mut Conn, now: Timestamp, keep_history: Timestamp) -> Result<usize, Error> {
    let mut swept = 0;
    sweep!(db, swept, codes, digest: Digest, expires_at, keep_codes(now));
    sweep!(db, swept, refresh_tokens, digest: Digest, expires_at, now);
    sweep!(db, swept, grants, id: GrantId, expires_at, now);
    sweep!(db, swept, authorization_requests, id: RequestId, expires_at, now);
    sweep!(db, swept, pushed_requests, digest: Digest, expires_at, keep_codes(now));
    sweep!(db, swept, sessions, id: SessionId, expires_at, keep_history);
    sweep!(db, swept, pending_sign_ins, id: SessionId, expires_at, now);
    sweep!(db, swept, ceremonies, digest: Digest, expires_at, now);
    sweep!(db, swept, one_time_links, digest: Digest, expires_at, keep_history);
    sweep!(db, swept, upstream_logins, state_digest: Digest, expires_at, now);
    sweep!(db, swept, pending_links, browser_digest: Digest, expires_at, now);
    sweep!(db, swept, session_providers, session_id: SessionId, expires_at, keep_history);
    sweep!(db, swept, revocations, jti: String, expires_at, now);
    sweep!(db, swept, status_indices, place: Place, expires_at, now.minus(super::status::FALLOW));
    sweep!(db, swept, replays, digest: Digest, expires_at, now);
    sweep!(db, swept, idempotency_keys, digest: Digest, expires_at, now);
    sweep!(db, swept, rate_limits, bucket: Digest, resets_at, now);
    sweep!(db, swept, invitations, id: InvitationId, expires_at, keep_history);
    sweep!(db, swept, refusals, reference: String, expires_at, now);
    sweep!(db, swept, outbox, id: MessageId, created_at, keep_history);
    // All that has one hour goes together.
    sweep!(db, swept, usage_counts, hour: Timestamp, hour, now.minus(KEEP_USAGE));
    Ok(swept)
}

/// A spent code is remembered for a day, so that its replay still revokes what was issued from it (TE-3).
fn keep_codes(now: Timestamp) -> Timestamp {
    now.minus(Duration::from_secs(24 * 60 * 60))
}
