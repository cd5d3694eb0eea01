//! A database for each test, copied from a template that is made once in the process.
//!
//! The template has the schema and signing keys (an RSA key takes a while to make), sealed under a master key that
//! the tests know.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use countersign::app::{App, Opening};
use countersign::clock::{Clock, Timestamp};
use countersign::config::Config;
use countersign::crypto::{Random, Secret};
use countersign::store::{DatabaseUrl, Db};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tokio::sync::OnceCell;

/// Seals the keys of every test database: 32 random bytes in base64, made anew in each process.
pub fn master_key() -> Secret {
    static KEY: OnceLock<String> = OnceLock::new();
    let key = KEY.get_or_init(|| BASE64_STANDARD.encode(Random::system().bytes::<32>()));
    Secret::from_text(key.as_str())
}

/// When the keys of the template were made, and when the hand-moved clocks start.
pub const START: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// One test's database. Dropped with the test.
pub struct TestDatabase {
    pub url: String,
    /// SQLite's files, and whatever else the test puts there.
    pub folder: tempfile::TempDir,
    postgres: Option<String>,
}

impl TestDatabase {
    pub async fn create(database: Database) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        match database {
            Database::Sqlite => {
                static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();
                let template = TEMPLATE.get_or_init(sqlite_template).await;
                let path = folder.path().join("test.db");
                std::fs::copy(template, &path).expect("the template can be copied");
                Self { url: format!("sqlite:{}", path.display()), folder, postgres: None }
            }
            Database::Postgres => {
                static TEMPLATE: OnceCell<String> = OnceCell::const_new();
                let template = TEMPLATE.get_or_init(postgres_template).await.clone();
                let name = fresh_name();
                let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
                tokio::task::spawn_blocking(move || on_server(&sql)).await.expect("no panic");
                Self { url: server_url(&name), folder, postgres: Some(name) }
            }
        }
    }

    /// One without even a schema.
    pub async fn empty(database: Database) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        match database {
            Database::Sqlite => Self {
                url: format!("sqlite:{}", folder.path().join("test.db").display()),
                folder,
                postgres: None,
            },
            Database::Postgres => {
                let name = fresh_name();
                let sql = format!("CREATE DATABASE {name}");
                tokio::task::spawn_blocking(move || on_server(&sql)).await.expect("no panic");
                Self { url: server_url(&name), folder, postgres: Some(name) }
            }
        }
    }

    /// One that exists, and that is not dropped with this.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), folder: tempfile::tempdir().expect("a temporary folder"), postgres: None }
    }

    /// Stands in for one that was taken away.
    pub(super) fn placeholder() -> Self {
        Self::at("")
    }

    /// As one more node opens it.
    pub fn open(&self) -> Db {
        let url = DatabaseUrl::parse(&self.url).expect("the address of a database");
        Db::open(url, 5).expect("the database opens")
    }

    /// The settings that open it.
    pub fn config(&self) -> Config {
        config(&self.url, self.folder.path())
    }

    /// Where SQLite's file is.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite:").map(Path::new)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(name) = &self.postgres {
            on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// The settings that open a template or a copy of it.
pub fn config(url: &str, folder: &Path) -> Config {
    let mut config = Config::default();
    config.database.url = Secret::from_text(url);
    config.keys.dir = folder.join("keys");
    config.keys.master_key = Some(master_key());
    config
}

async fn sqlite_template() -> PathBuf {
    // Kept for the life of the process: every test copies it.
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let path = folder.join("template.db");
    fill(&format!("sqlite:{}", path.display()), &folder).await;
    // The write-ahead log is folded into the file, which is all that gets copied.
    let mut conn =
        diesel::SqliteConnection::establish(&path.display().to_string()).expect("the template opens");
    conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").expect("the log is folded in");
    path
}

async fn postgres_template() -> String {
    let name = fresh_name();
    let sql = format!("CREATE DATABASE {name}");
    tokio::task::spawn_blocking(move || on_server(&sql)).await.expect("no panic");
    let folder = tempfile::tempdir().expect("a temporary folder");
    fill(&server_url(&name), folder.path()).await;
    // No connection may be left on a template.
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    );
    tokio::task::spawn_blocking(move || on_server(&sql)).await.expect("no panic");
    name
}

async fn fill(url: &str, folder: &Path) {
    let app = App::open(config(url, folder), Clock::manual(START), Opening::Create).await;
    drop(app.unwrap_or_else(|error| panic!("the template database cannot be made: {error}")));
    // The connections of the pool close on threads of their own.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn admin_url() -> String {
    std::env::var("COUNTERSIGN_TEST_POSTGRES")
        .expect("COUNTERSIGN_TEST_POSTGRES names a PostgreSQL server: run `bash tests/run.sh`")
}

fn server_url(name: &str) -> String {
    let url = admin_url();
    let (server, _) = url.rsplit_once('/').expect("the address ends in a database");
    format!("{server}/{name}")
}

fn on_server(sql: &str) {
    let mut conn = PgConnection::establish(&admin_url()).expect("the PostgreSQL of the tests answers");
    conn.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}
