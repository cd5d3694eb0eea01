//! Insert-or-update: the only statements that must be compiled for each database by themselves.
//!
//! Diesel's enum connection has no `ON CONFLICT`; one source is therefore compiled once for each backend.

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;

use super::idempotency::Held;
use super::refusals::Refusal;
use super::schema::*;
use super::usage::Count;
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::role::Shipped;
use crate::model::{AuthMethod, ClientKey, Place, RoleId, SessionId, Topic, UserId};

macro_rules! for_each_backend {
    ($(fn $name:ident($conn:ident $(, $arg:ident: $type:ty)*) -> $out:ty $body:block)+) => {
        mod postgres {
            use super::*;
            type Backend = diesel::pg::PgConnection;
            $(pub(super) fn $name($conn: &mut Backend $(, $arg: $type)*) -> QueryResult<$out> $body)+
        }
        mod sqlite {
            use super::*;
            type Backend = diesel::sqlite::SqliteConnection;
            $(pub(super) fn $name($conn: &mut Backend $(, $arg: $type)*) -> QueryResult<$out> $body)+
        }
        $(pub(super) fn $name(conn: &mut Conn $(, $arg: $type)*) -> Result<$out, Error> {
            Ok(match conn {
                Conn::Postgres(conn) => postgres::$name(conn $(, $arg)*)?,
                Conn::Sqlite(conn) => sqlite::$name(conn $(, $arg)*)?,
            })
        })+
    };
}

for_each_backend! {
    fn bump_version(conn, topic: Topic) -> usize {
        diesel::insert_into(versions::table)
            .values((versions::topic.eq(topic), versions::value.eq(1_i64)))
            .on_conflict(versions::topic)
            .do_update()
            .set(versions::value.eq(versions::value + 1_i64))
            .execute(conn)
    }

    // Counts one try in the window that is running, or begins a new window if the old one is over.
    fn count_try(conn, bucket: &Digest, now: Timestamp, resets_at: Timestamp) -> (i64, Timestamp) {
        diesel::insert_into(rate_limits::table)
            .values((rate_limits::bucket.eq(bucket), rate_limits::tries.eq(1_i64), rate_limits::resets_at.eq(resets_at)))
            .on_conflict(rate_limits::bucket)
            .do_update()
            .set((
                rate_limits::tries
                    .eq(case_when(rate_limits::resets_at.le(now), 1_i64.into_sql::<BigInt>()).otherwise(rate_limits::tries + 1_i64)),
                rate_limits::resets_at.eq(
                    case_when(rate_limits::resets_at.le(now), excluded(rate_limits::resets_at))
                        .otherwise(rate_limits::resets_at)
                ),
            ))
            .returning((rate_limits::tries, rate_limits::resets_at))
            .get_result(conn)
    }

    fn add_usage(conn, count: &Count, client: &[u8]) -> usize {
        diesel::insert_into(usage_counts::table)
            .values((
                usage_counts::kind.eq(count.kind),
                usage_counts::hour.eq(count.hour),
                usage_counts::label.eq(&count.label),
                usage_counts::client_id.eq(client),
                usage_counts::amount.eq(count.amount),
            ))
            .on_conflict((usage_counts::kind, usage_counts::hour, usage_counts::label, usage_counts::client_id))
            .do_update()
            .set(usage_counts::amount.eq(usage_counts::amount + excluded(usage_counts::amount)))
            .execute(conn)
    }

    fn take_lease(conn, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> usize {
        let taken = diesel::insert_into(leases::table)
            .values((leases::name.eq(name), leases::holder.eq(holder), leases::expires_at.eq(until)))
            .on_conflict(leases::name)
            .do_update()
            .set((leases::holder.eq(holder), leases::expires_at.eq(until)));
        FilterDsl::filter(taken, leases::holder.eq(holder).or(leases::expires_at.le(now))).execute(conn)
    }

    fn insert_refusal(conn, row: &Refusal) -> usize {
        diesel::insert_into(refusals::table).values(row).on_conflict_do_nothing().execute(conn)
    }

    fn insert_replay(conn, digest: &Digest, expires_at: Timestamp) -> usize {
        diesel::insert_into(replays::table)
            .values((replays::digest.eq(digest), replays::expires_at.eq(expires_at)))
            .on_conflict_do_nothing()
            .execute(conn)
    }

    fn insert_idempotency_key(conn, row: &Held) -> usize {
        diesel::insert_into(idempotency_keys::table).values(row).on_conflict_do_nothing().execute(conn)
    }

    fn insert_revocation(conn, jti: &str, now: Timestamp, expires_at: Timestamp) -> usize {
        diesel::insert_into(revocations::table)
            .values((
                revocations::jti.eq(jti),
                revocations::revoked_at.eq(now),
                revocations::expires_at.eq(expires_at),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
    }

    fn insert_status_index(conn, place: Place, owner: &[u8], expires_at: Timestamp) -> usize {
        diesel::insert_into(status_indices::table)
            .values((
                status_indices::place.eq(place),
                status_indices::owner.eq(owner),
                status_indices::expires_at.eq(expires_at),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
    }

    fn insert_consent(conn, user: UserId, client: ClientKey, item: &str, now: Timestamp) -> usize {
        diesel::insert_into(consents::table)
            .values((
                consents::user_id.eq(user),
                consents::client_id.eq(client),
                consents::item.eq(item),
                consents::granted_at.eq(now),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
    }

    fn set_session_method(conn, session: SessionId, method: AuthMethod, now: Timestamp) -> usize {
        diesel::insert_into(session_methods::table)
            .values((
                session_methods::session_id.eq(session),
                session_methods::method.eq(method),
                session_methods::proven_at.eq(now),
            ))
            .on_conflict((session_methods::session_id, session_methods::method))
            .do_update()
            .set(session_methods::proven_at.eq(now))
            .execute(conn)
    }

    fn set_session_provider(conn, session: SessionId, provider: &str, expires_at: Timestamp) -> usize {
        diesel::insert_into(session_providers::table)
            .values((
                session_providers::session_id.eq(session),
                session_providers::provider_id.eq(provider),
                session_providers::expires_at.eq(expires_at),
            ))
            .on_conflict(session_providers::session_id)
            .do_update()
            .set((session_providers::provider_id.eq(provider), session_providers::expires_at.eq(expires_at)))
            .execute(conn)
    }

    fn open_console(conn, session: SessionId, now: Timestamp) -> usize {
        diesel::insert_into(console_visits::table)
            .values((
                console_visits::session_id.eq(session),
                console_visits::opened_at.eq(now),
                console_visits::seen_at.eq(now),
            ))
            .on_conflict(console_visits::session_id)
            .do_update()
            .set((console_visits::opened_at.eq(now), console_visits::seen_at.eq(now)))
            .execute(conn)
    }

    fn set_user_claim(conn, user: UserId, name: &str, value: &str) -> usize {
        diesel::insert_into(user_claims::table)
            .values((user_claims::user_id.eq(user), user_claims::name.eq(name), user_claims::value.eq(value)))
            .on_conflict((user_claims::user_id, user_claims::name))
            .do_update()
            .set(user_claims::value.eq(value))
            .execute(conn)
    }

    fn insert_shipped_role(conn, role: &Shipped) -> usize {
        diesel::insert_into(roles::table)
            .values((
                roles::id.eq(role.id()),
                roles::key.eq(role.key),
                roles::name.eq(role.name),
                roles::rank.eq(role.rank),
                roles::require_mfa.eq(false),
                roles::created_at.eq(0_i64),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
    }

    fn insert_permission(conn, role: RoleId, permission: &str) -> usize {
        diesel::insert_into(role_permissions::table)
            .values((role_permissions::role_id.eq(role), role_permissions::permission.eq(permission)))
            .on_conflict_do_nothing()
            .execute(conn)
    }

    fn set_password(conn, user: UserId, phc: &str, now: Timestamp) -> usize {
        diesel::insert_into(password_credentials::table)
            .values((
                password_credentials::user_id.eq(user),
                password_credentials::phc.eq(phc),
                password_credentials::changed_at.eq(now),
            ))
            .on_conflict(password_credentials::user_id)
            .do_update()
            .set((password_credentials::phc.eq(phc), password_credentials::changed_at.eq(now)))
            .execute(conn)
    }
}
