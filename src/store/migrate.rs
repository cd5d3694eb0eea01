//! Bringing the schema to the version that this build knows: forward only, once, under a lock (BU-3).

use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::conn::{Conn, DatabaseUrl, Mode};
use super::{Error, OpenError, roles};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Any number, the same for every node: the advisory lock that migrating nodes take in turn.
const PG_LOCK: i64 = 0x636f_756e_7465;

/// Migrations by name: those in the database and those of this build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaState {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
    /// In the database, but not known to this build: a newer version has been here.
    pub unknown: Vec<String>,
}

/// Reads the state without changing anything.
pub fn state(url: &DatabaseUrl) -> Result<SchemaState, OpenError> {
    match &mut Conn::open(url, Mode::Write)? {
        Conn::Postgres(conn) => read_state(conn),
        Conn::Sqlite(conn) => read_state(conn),
    }
}

/// Whether every migration of this build is in the database. More may be: a newer node came first (BU-3).
pub fn is_current(db: &mut Conn) -> Result<bool, Error> {
    #[derive(QueryableByName)]
    struct Applied {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    const QUERY: &str = "SELECT CAST(version AS TEXT) AS version FROM __diesel_schema_migrations";
    let applied: Vec<Applied> = match db {
        Conn::Postgres(conn) => diesel::sql_query(QUERY).load(conn)?,
        Conn::Sqlite(conn) => diesel::sql_query(QUERY).load(conn)?,
    };
    let known: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> =
        MIGRATIONS.migrations().map_err(|error| Error::broken("the embedded migrations", error))?;
    Ok(known.iter().all(|migration| {
        let version = migration.name().version().to_string();
        applied.iter().any(|applied| applied.version == version)
    }))
}

/// Applies what is pending and names it, and makes the rows that every instance has. Refuses a schema newer than
/// this build.
pub fn run(url: &DatabaseUrl) -> Result<Vec<String>, OpenError> {
    let mut conn = Conn::open(url, Mode::Write)?;
    // Held until the end: nodes that start together take turns. That of PostgreSQL goes with the connection.
    let _lock = lock(&mut conn, url)?;
    let applied = match &mut conn {
        Conn::Postgres(conn) => apply(conn)?,
        Conn::Sqlite(conn) => apply(conn)?,
    };
    roles::ensure_shipped(&mut conn)?;
    Ok(applied)
}

fn lock(conn: &mut Conn, url: &DatabaseUrl) -> Result<Option<std::fs::File>, OpenError> {
    match (conn, url) {
        (Conn::Postgres(conn), _) => {
            diesel::sql_query(format!("SELECT pg_advisory_lock({PG_LOCK})"))
                .execute(conn)
                .map_err(Error::from)?;
            Ok(None)
        }
        (Conn::Sqlite(_), DatabaseUrl::Sqlite(path)) => {
            let lock = std::fs::File::create(path.with_extension("migrate.lock"))
                .and_then(|file| file.lock().map(|()| file))
                .map_err(|error| {
                    OpenError::Schema(format!("cannot lock {} for migration: {error}", path.display()))
                })?;
            Ok(Some(lock))
        }
        (Conn::Sqlite(_), DatabaseUrl::Postgres(_)) => {
            Err(OpenError::Schema("a SQLite connection without a path".to_owned()))
        }
    }
}

fn apply<C, DB>(conn: &mut C) -> Result<Vec<String>, OpenError>
where
    C: MigrationHarness<DB>,
    DB: diesel::backend::Backend,
{
    let before = read_state(conn)?;
    if !before.unknown.is_empty() {
        return Err(OpenError::Newer(before.unknown.join(", ")));
    }
    conn.run_pending_migrations(MIGRATIONS).map_err(|error| OpenError::Schema(error.to_string()))?;
    Ok(before.pending)
}

fn read_state<C, DB>(conn: &mut C) -> Result<SchemaState, OpenError>
where
    C: MigrationHarness<DB>,
    DB: diesel::backend::Backend,
{
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| OpenError::Schema(error.to_string());
    let known: Vec<Box<dyn Migration<DB>>> = MIGRATIONS.migrations().map_err(failed)?;
    let known: Vec<String> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    let mut applied: Vec<String> =
        conn.applied_migrations().map_err(failed)?.iter().map(ToString::to_string).collect();
    applied.sort();
    Ok(SchemaState {
        pending: known.iter().filter(|version| !applied.contains(version)).cloned().collect(),
        unknown: applied.iter().filter(|version| !known.contains(version)).cloned().collect(),
        applied,
    })
}
