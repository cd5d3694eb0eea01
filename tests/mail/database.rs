//! Databases for tests: a new SQLite file, and a new PostgreSQL database where `COUNTERSIGN_TEST_POSTGRES` names a
//! server.

use countersign::config::Config;
use countersign::crypto::{Random, Secret};
use countersign::store::{DatabaseUrl, Db, migrate};
use diesel::{Connection, PgConnection, RunQueryDsl};

/// A migrated database of its own, removed with this value if it is a file. PostgreSQL's end with their server.
pub struct Database {
    url: String,
    _folder: tempfile::TempDir,
}

impl Database {
    /// One of each kind that can be had.
    pub fn each() -> Vec<Self> {
        let mut all = vec![Self::sqlite()];
        if let Ok(server) = std::env::var("COUNTERSIGN_TEST_POSTGRES") {
            all.push(Self::postgres(&server));
        }
        all
    }

    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::migrated(format!("sqlite:{}", folder.path().join("test.db").display()), folder)
    }

    fn postgres(server: &str) -> Self {
        let random = Random::system().bytes::<8>().map(|byte| format!("{byte:02x}")).concat();
        let name = format!("test_{random}");
        let mut admin = PgConnection::establish(server).unwrap();
        diesel::sql_query(format!("CREATE DATABASE {name}")).execute(&mut admin).unwrap();
        let mut url = url::Url::parse(server).unwrap();
        url.set_path(&name);
        Self::migrated(url.into(), tempfile::tempdir().unwrap())
    }

    fn migrated(url: String, folder: tempfile::TempDir) -> Self {
        migrate::run(&DatabaseUrl::parse(&url).unwrap()).unwrap();
        Self { url, _folder: folder }
    }

    /// As one node opens it.
    pub fn open(&self) -> Db {
        Db::open(DatabaseUrl::parse(&self.url).unwrap(), 5).unwrap()
    }

    /// The default configuration on this database.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.database.url = Secret::from_text(&self.url);
        config
    }
}
