//! The only SQL. One code path over SQLite (embedded, the default) and PostgreSQL (several nodes).
//!
//! Functions here take `&mut Conn` first, are synchronous, and say in their name what changes. Callers open the
//! transaction with [`Db::read`] or [`Db::write`]; nothing slow happens inside. An `Err` rolls back, so an outcome
//! that must survive (a replay that revokes, an attempt that counts) is an `Ok` value. Races are settled by the row
//! count of one conditional statement, never by reading first (AR-1).

mod conn;
mod error;
pub mod migrate;
mod pool;
mod schema;
mod types;
mod upsert;
mod writer;

pub mod api_keys;
pub mod audit;
pub mod authorization;
pub mod branding;
pub mod clients;
pub mod consents;
pub mod console;
pub mod domains;
pub mod factors;
pub mod federation;
pub mod grants;
pub mod idempotency;
pub mod invitations;
pub mod jobs;
pub mod limits;
pub mod links;
pub mod memberships;
pub mod organisations;
pub mod outbox;
pub mod passkeys;
pub mod pending;
pub mod personal;
pub mod refusals;
pub mod resources;
pub mod roles;
pub mod sessions;
pub mod signing_keys;
pub mod status;
pub mod usage;
pub mod users;

use std::sync::Arc;

use diesel::Connection;
use diesel::result::Error as DieselError;

pub use conn::{Conn, DatabaseUrl};
pub use error::{Error, Unique};

use conn::Mode;
use pool::Pool;
use writer::Writer;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Database(#[from] Error),
    #[error("the database has migrations that this version does not know ({0}): start the newer version")]
    Newer(String),
    #[error("{0} migrations are pending: run `countersign migrate`")]
    Pending(usize),
    #[error("{0}")]
    Schema(String),
    #[error("another process serves {0} already: stop it first, or use PostgreSQL for several nodes")]
    InUse(String),
}

/// The database. Cheap to clone; every clone shares the same connections.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    url: DatabaseUrl,
    pool: Pool,
    /// SQLite only: PostgreSQL settles many writers itself.
    writer: Option<Writer>,
}

impl Db {
    /// Opens the database with `connections` connections. The schema must be current: see [`migrate`].
    pub fn open(url: DatabaseUrl, connections: u32) -> Result<Self, OpenError> {
        let (writer, mode) = match &url {
            DatabaseUrl::Postgres(_) => (None, Mode::Write),
            DatabaseUrl::Sqlite(_) => (Some(Writer::start(url.clone())?), Mode::Read),
        };
        Ok(Self(Arc::new(Inner { pool: Pool::new(url.clone(), mode, connections), url, writer })))
    }

    pub fn url(&self) -> &DatabaseUrl {
        &self.0.url
    }

    /// Runs `f` in one read transaction: all its queries see the same moment. It may run again if a connection
    /// turned out to be stale.
    pub async fn read<T, F>(&self, f: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        self.0.pool.run(Mode::Read, f).await
    }

    /// Runs `f` in one write transaction, committed when it returns `Ok` and this returns. It may run again if
    /// nothing was committed.
    pub async fn write<T, F>(&self, f: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        match &self.0.writer {
            Some(writer) => writer.run(f).await,
            None => self.0.pool.run(Mode::Write, f).await,
        }
    }
}

/// What `f` comes to, with everything that it wrote taken back: for telling what would happen.
pub fn rehearse<T>(db: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<T, Error>) -> Result<T, Error> {
    let mut outcome = None;
    let undone = db.transaction::<(), DieselError, _>(|db| {
        outcome = Some(f(db));
        Err(DieselError::RollbackTransaction)
    });
    match (undone, outcome) {
        (Err(DieselError::RollbackTransaction), Some(outcome)) => outcome,
        (Err(error), _) => Err(error.into()),
        (Ok(()), _) => Err(Error::Broken("what was only tried was kept".to_owned())),
    }
}

/// A lock that makes one process the server of a SQLite file (CR-2). The command line works beside it.
///
/// Held until dropped; the operating system drops it with the process, however that ends.
pub fn lock_for_serving(url: &DatabaseUrl) -> Result<Option<std::fs::File>, OpenError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(None) };
    let lock = path.with_extension("lock");
    let file = std::fs::File::create(&lock)
        .map_err(|error| OpenError::Schema(format!("cannot create {}: {error}", lock.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(path.display().to_string())),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(OpenError::Schema(format!("cannot lock {}: {error}", lock.display())))
        }
    }
}
