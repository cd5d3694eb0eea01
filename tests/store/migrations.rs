//! The schema is brought up once, by whoever comes first, and never by a version that does not know it (BU-3).

use std::path::Path;

use countersign::app::{App, Opening, StartError};
use countersign::clock::Clock;
use countersign::store::{DatabaseUrl, Db, OpenError, migrate};

use super::Store;
use crate::on_both_databases;
use crate::support::{START, TestDatabase, config};

fn url(database: &TestDatabase) -> DatabaseUrl {
    DatabaseUrl::parse(&database.url).expect("an address")
}

async fn bring_up(url: &DatabaseUrl) -> Result<Vec<String>, OpenError> {
    let url = url.clone();
    tokio::task::spawn_blocking(move || migrate::run(&url)).await.expect("no panic")
}

async fn state(url: &DatabaseUrl) -> migrate::SchemaState {
    let url = url.clone();
    let state = tokio::task::spawn_blocking(move || migrate::state(&url)).await.expect("no panic");
    state.expect("the state is readable")
}

async fn open(database: &TestDatabase, opening: Opening) -> Result<App, StartError> {
    App::open(config(&database.url, Path::new(database.folder.path())), Clock::manual(START), opening).await
}

on_both_databases! {
    async fn the_schema_is_brought_up_once(database) {
        let database = TestDatabase::empty(database).await;
        let url = url(&database);
        let before = state(&url).await;
        assert!(before.applied.is_empty() && before.pending.len() >= 5, "{before:?}");
        assert_eq!(bring_up(&url).await.expect("it migrates"), before.pending);
        assert!(bring_up(&url).await.expect("there is nothing to do").is_empty());
        let after = state(&url).await;
        assert_eq!((after.applied, after.pending, after.unknown), (before.pending, vec![], vec![]));
        let db = Db::open(url, 2).expect("it opens");
        assert!(db.read(migrate::is_current).await.expect("it is read"));
    }

    async fn bu_3_several_that_start_together_migrate_once(database) {
        let database = TestDatabase::empty(database).await;
        let url = url(&database);
        let all = futures_util::future::join_all((0..6).map(|_| bring_up(&url))).await;
        let mut applied: Vec<usize> = all.into_iter().map(|one| one.expect("nobody fails").len()).collect();
        applied.sort_unstable();
        let known = state(&url).await.applied.len();
        assert_eq!(applied, [0, 0, 0, 0, 0, known]);
    }

    async fn tk_10_nodes_that_start_together_on_nothing_make_one_set_of_keys(database) {
        let database = TestDatabase::empty(database).await;
        let (one, two, three) = tokio::join!(
            open(&database, Opening::Create),
            open(&database, Opening::Create),
            open(&database, Opening::Create),
        );
        let one = one.unwrap_or_else(|error| panic!("{error}"));
        assert!(two.is_ok() && three.is_ok(), "every node starts");
        let keys = one.db.read(countersign::store::signing_keys::all).await.expect("the keys are read");
        let mut algs: Vec<_> = keys.iter().map(|key| key.alg.as_str()).collect();
        algs.sort_unstable();
        assert_eq!(algs, ["ES256", "EdDSA", "RS256"]);
    }

    async fn tk_10_nodes_that_replace_a_key_together_make_one(database) {
        let store = Store::open(database).await;
        let nodes: Vec<App> = futures_util::future::join_all((0..6).map(|_| open(&store.database, Opening::Existing)))
            .await
            .into_iter()
            .map(|node| node.unwrap_or_else(|error| panic!("{error}")))
            .collect();
        let live = "signing_keys WHERE alg = 'EdDSA' AND revoked_at IS NULL";
        for _ in 0..5 {
            store.sql("UPDATE signing_keys SET revoked_at = 1 WHERE alg = 'EdDSA'").await.expect("it is revoked");
            let made = nodes.iter().map(|node| node.signing.make_due_keys(&node.db));
            for made in futures_util::future::join_all(made).await {
                made.expect("a node makes keys or finds them made");
            }
            assert_eq!(store.count(live).await, 1);
        }
    }

    async fn bu_3_a_schema_from_the_future_is_refused(database) {
        let store = Store::open(database).await;
        store.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000001')").await.expect("it is inserted");
        let url = store.db.url().clone();
        assert_eq!(state(&url).await.unknown, ["99991231000001"]);
        assert!(matches!(bring_up(&url).await, Err(OpenError::Newer(version)) if version.contains("99991231000001")));
        for opening in [Opening::Create, Opening::Existing] {
            let Err(error) = open(&store.database, opening).await else { panic!("it starts") };
            assert!(error.to_string().contains("start the newer version"), "{error}");
        }
        // A node that already runs goes on: the newer one came first in a rolling upgrade.
        assert!(store.read(migrate::is_current).await);
    }

    async fn bu_3_a_schema_from_the_past_is_noticed(database) {
        let store = Store::open(database).await;
        store.sql("DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)").await.expect("it is deleted");
        assert!(!store.read(migrate::is_current).await);
        let Err(error) = open(&store.database, Opening::Existing).await else { panic!("it starts") };
        assert!(error.to_string().contains("countersign migrate"), "{error}");
    }
}

#[test]
fn bu_5_a_mistyped_address_never_becomes_an_empty_database() {
    for text in [
        "",
        "sqlite:",
        "data/test.db",
        "postgress://localhost/x",
        "mysql://localhost/x",
        "SQLITE:x",
        ":memory:",
    ] {
        assert!(DatabaseUrl::parse(text).is_err(), "{text:?}");
    }
    let url = DatabaseUrl::parse("postgres://ada:hunter2@localhost/x").unwrap();
    assert_eq!(format!("{url:?}"), "PostgreSQL");
}
