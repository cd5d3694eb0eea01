//! One connection, to either database, and how a transaction on it begins and ends.

use std::path::PathBuf;
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, Connection, SimpleConnection, TransactionManager};
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;

use super::Error;

/// A connection to PostgreSQL or SQLite. Queries are written once for both.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Postgres(String),
    Sqlite(PathBuf),
}

/// Never prints the URL of a server: it may hold a password.
impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Postgres(_) => f.write_str("PostgreSQL"),
            Self::Sqlite(path) => write!(f, "SQLite at {}", path.display()),
        }
    }
}

impl DatabaseUrl {
    /// `postgres://…`, `postgresql://…` or `sqlite:PATH`. Anything else is refused: a mistyped address never becomes
    /// an empty SQLite file (BU-5).
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err("the database URL must be sqlite:PATH or postgres://user@host/database".to_owned()),
        }
    }
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// How long a connection attempt, and a lost peer, may hold us up.
const CONNECT_SECONDS: u32 = 2;

impl Conn {
    pub(super) fn open(url: &DatabaseUrl, mode: Mode) -> Result<Self, Error> {
        match url {
            DatabaseUrl::Postgres(url) => Self::open_postgres(url),
            DatabaseUrl::Sqlite(path) => Self::open_sqlite(&path.to_string_lossy(), mode),
        }
    }

    fn open_postgres(url: &str) -> Result<Self, Error> {
        let mut patient = url.to_owned();
        for (key, value) in [
            ("connect_timeout", CONNECT_SECONDS.to_string()),
            ("tcp_user_timeout", "3000".to_owned()),
            ("application_name", "countersign".to_owned()),
        ] {
            if !url.contains(&format!("{key}=")) {
                patient.push(if patient.contains('?') { '&' } else { '?' });
                patient.push_str(&format!("{key}={value}"));
            }
        }
        let mut conn =
            PgConnection::establish(&patient).map_err(|error| Error::Unavailable(error.to_string()))?;
        // What was acknowledged must survive (CR-2), and no statement outlives the caller's patience by much (CR-3).
        conn.batch_execute(
            "SET synchronous_commit = on; SET statement_timeout = '5s'; SET client_min_messages = warning",
        )?;
        Ok(Self::Postgres(conn))
    }

    /// `synchronous=FULL`: a code that was redeemed before a power cut must not be redeemable after it (CR-2).
    fn open_sqlite(path: &str, mode: Mode) -> Result<Self, Error> {
        let mut conn =
            SqliteConnection::establish(path).map_err(|error| Error::Unavailable(error.to_string()))?;
        conn.batch_execute(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )?;
        if mode == Mode::Read {
            conn.batch_execute("PRAGMA query_only = ON")?;
        }
        Ok(Self::Sqlite(conn))
    }

    /// Begins a transaction. On SQLite a write takes the lock at once: one that read first and then wrote would be
    /// refused under concurrency, however long it waited.
    pub(super) fn begin(&mut self, mode: Mode) -> Result<(), Error> {
        match self {
            Self::Postgres(conn) => {
                let sql = match mode {
                    // One snapshot for all the statements of a read.
                    Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
                };
                AnsiTransactionManager::begin_transaction_sql(conn, sql)?;
            }
            Self::Sqlite(conn) => {
                let sql = match mode {
                    Mode::Read => "BEGIN",
                    Mode::Write => "BEGIN IMMEDIATE",
                };
                AnsiTransactionManager::begin_transaction_sql(conn, sql)?;
            }
        }
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), Error> {
        Ok(<Self as Connection>::TransactionManager::commit_transaction(self)?)
    }

    /// Rolls back to where the innermost transaction began.
    pub(super) fn rollback(&mut self) -> Result<(), Error> {
        Ok(<Self as Connection>::TransactionManager::rollback_transaction(self)?)
    }

    /// Begins a savepoint inside a running transaction.
    pub(super) fn savepoint(&mut self) -> Result<(), Error> {
        Ok(<Self as Connection>::TransactionManager::begin_transaction(self)?)
    }

    /// Whether the peer still answers, outside a transaction.
    pub(super) fn answers(&mut self) -> bool {
        self.batch_execute("SELECT 1").is_ok()
    }
}

/// How long anyone waits for a connection or for a queued write before the answer is 503 (CR-3: at most 3 s).
pub(super) const PATIENCE: Duration = Duration::from_millis(2_800);
