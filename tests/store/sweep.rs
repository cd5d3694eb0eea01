//! The sweep takes what has expired, in batches, and nothing else (AR-4, CR-11).

use std::time::{Duration, Instant};

use countersign::store::{authorization, grants, jobs, limits};

use super::{DAY, Store, a_code, a_grant, a_refresh_token, a_request, later};
use crate::on_both_databases;
use crate::support::{Database, START};

/// `SELECT` of `count` numbers `n`.
fn numbers(database: Database, count: usize) -> String {
    match database {
        Database::Sqlite => format!(
            "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count}) SELECT n FROM series"
        ),
        Database::Postgres => format!("SELECT n FROM generate_series(1, {count}) AS series(n)"),
    }
}

/// 32 bytes made of the number `n`.
fn digest(database: Database) -> &'static str {
    match database {
        Database::Sqlite => "CAST(printf('%032d', n) AS BLOB)",
        Database::Postgres => "convert_to(lpad(CAST(n AS TEXT), 32, '0'), 'UTF8')",
    }
}

on_both_databases! {
    async fn ar_4_only_what_has_expired_goes(database) {
        let store = Store::open(database).await;
        let (user, client, grant) = store.granted().await;
        let now = later(7 * 86_400);
        // One of each kind that is over, and one that is not.
        let (old, random) = (now.minus(DAY).minus(Duration::from_secs(1)), store.random.clone());
        let mut ended = a_grant(&random, user, client.key, None);
        ended.expires_at = old;
        let (ended_id, live_id) = (ended.id, grant.id);
        store.sql(format!("UPDATE grants SET expires_at = {}", now.plus(DAY).micros())).await.expect("the grant lives on");
        let digests: Vec<_> = (0..14).map(|_| store.digest()).collect();
        let kept = digests.clone();
        store.write(move |db| {
            grants::insert(db, &ended)?;
            grants::insert_refresh(db, &countersign::store::grants::RefreshToken { digest: digests[0], expires_at: now.plus(DAY), ..a_refresh_token(&random, ended.id) })?;
            for (index, expires_at) in [(1, old), (2, now)] {
                let token = countersign::store::grants::RefreshToken { digest: digests[index], expires_at, ..a_refresh_token(&random, live_id) };
                grants::insert_refresh(db, &token)?;
            }
            // A code that has just expired is remembered, so that its replay still revokes (TE-3).
            for (index, expires_at) in [(3, old), (4, now.minus(Duration::from_secs(60)))] {
                let code = countersign::store::authorization::Code { digest: digests[index], expires_at, ..a_code(&random, live_id) };
                authorization::insert_code(db, &code)?;
            }
            let mut request = a_request(&random, client.key);
            request.expires_at = old;
            authorization::insert_request(db, &request)?;
            grants::present_once(db, &digests[5], old)?;
            grants::present_once(db, &digests[6], now.plus(DAY))?;
            grants::revoke_access_token(db, "old", old, old)?;
            grants::revoke_access_token(db, "new", now.plus(DAY), old)?;
            limits::count(db, &digests[7], old, old)?;
            limits::count(db, &digests[8], now, now.plus(DAY))?;
            Ok(())
        }).await;

        let swept = store.write(move |db| jobs::sweep_expired(db, now, now.minus(30 * DAY))).await;
        assert_eq!(swept, 7, "grant, refresh token, code, request, replay, revocation, limit");
        assert_eq!(store.write(move |db| jobs::sweep_expired(db, now, now.minus(30 * DAY))).await, 0);
        let there = store.read(move |db| {
            Ok((
                [ended_id, live_id].map(|id| grants::find(db, id).is_ok_and(|found| found.is_some())),
                [0, 1, 2].map(|at| grants::find_refresh(db, &kept[at]).is_ok_and(|found| found.is_some())),
                [3, 4].map(|at| authorization::find_code(db, &kept[at]).is_ok_and(|found| found.is_some())),
                [grants::is_revoked(db, "old")?, grants::is_revoked(db, "new")?],
                [7, 8].map(|at| limits::look(db, &kept[at]).is_ok_and(|found| found.is_some())),
            ))
        }).await;
        assert_eq!(there, ([false, true], [false, false, true], [false, true], [false, true], [false, true]));
        assert_eq!((store.count("users").await, store.count("clients").await, store.count("replays").await), (1, 1, 1));
    }

    async fn cr_11_many_rows_go_in_batches_that_hold_nobody_up(database) {
        const ROWS: usize = 3_000;
        let store = Store::open(database).await;
        let (_, client, _) = store.granted().await;
        let (numbers, digest) = (numbers(database, ROWS), digest(database));
        store.sql(format!("UPDATE grants SET expires_at = {}", later(86_400_000).micros())).await.expect("the grant lives on");
        for insert in [
            format!("INSERT INTO replays (digest, expires_at) SELECT {digest}, n FROM ({numbers}) AS all_of_them"),
            format!("INSERT INTO rate_limits (bucket, tries, resets_at) SELECT {digest}, 1, n FROM ({numbers}) AS all_of_them"),
            format!("INSERT INTO revocations (jti, revoked_at, expires_at) SELECT CAST(n AS TEXT), 0, n FROM ({numbers}) AS all_of_them"),
            format!("INSERT INTO refresh_tokens (digest, grant_id, created_at, expires_at) SELECT {digest}, (SELECT id FROM grants), 0, n FROM ({numbers}) AS all_of_them"),
            format!("INSERT INTO pushed_requests (digest, client_id, request, created_at, expires_at) SELECT {digest}, (SELECT id FROM clients), '{{}}', 0, n FROM ({numbers}) AS all_of_them"),
        ] {
            store.sql(insert.as_str()).await.unwrap_or_else(|error| panic!("{insert}: {error}"));
        }
        let oldest_first = store.write(|db| jobs::sweep_expired(db, START, START)).await;
        assert!(oldest_first > 0 && oldest_first <= 1_000, "a batch is bounded: {oldest_first}");
        let (mut batches, mut slowest) = (1, Duration::ZERO);
        loop {
            let began = Instant::now();
            let swept = store.write(|db| jobs::sweep_expired(db, START, START)).await;
            slowest = slowest.max(began.elapsed());
            if swept == 0 {
                break;
            }
            batches += 1;
        }
        assert!(batches >= 15, "{batches}");
        assert!(slowest < Duration::from_millis(1_000), "{slowest:?}");
        for table in ["replays", "rate_limits", "revocations", "refresh_tokens", "pushed_requests"] {
            assert_eq!(store.count(table).await, 0, "{table}");
        }
        assert!(store.read(move |db| countersign::store::clients::find(db, client.key)).await.is_some());
    }

    async fn cr_11_the_oldest_go_first(database) {
        let store = Store::open(database).await;
        let (numbers, digest) = (numbers(database, 1_500), digest(database));
        store.sql(format!("INSERT INTO replays (digest, expires_at) SELECT {digest}, n FROM ({numbers}) AS all_of_them")).await.expect("rows");
        store.write(|db| jobs::sweep_expired(db, START, START)).await;
        let left = store.texts("SELECT CAST(min(expires_at) AS TEXT) AS text FROM replays").await;
        let count = store.count("replays").await;
        assert_eq!(left, [(1_500 - count + 1).to_string()]);
    }
}
