//! Connections shared by many callers, and running one transaction on one of them.
//!
//! Serves all of PostgreSQL and the reads of SQLite. A bounded number of callers hold blocking threads; the others
//! wait their turn without one, and give up after [`PATIENCE`] (CR-3).

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::Error;
use super::conn::{Conn, DatabaseUrl, Mode, PATIENCE};

/// Connections to one database.
pub(super) struct Pool {
    connections: r2d2::Pool<Manager>,
    places: Arc<Semaphore>,
    size: u32,
}

struct Manager {
    url: DatabaseUrl,
    mode: Mode,
}

/// A connection, and whether its peer was found to be gone.
struct Pooled {
    conn: Conn,
    dead: bool,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled, Error> {
        Ok(Pooled { conn: Conn::open(&self.url, self.mode)?, dead: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Error> {
        if pooled.conn.answers() {
            Ok(())
        } else {
            Err(Error::Unavailable("the connection was lost".to_owned()))
        }
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.dead || std::thread::panicking()
    }
}

/// `r2d2` reports each failed attempt here; callers get an error of their own.
#[derive(Debug)]
struct Quiet;

impl r2d2::HandleError<Error> for Quiet {
    fn handle_error(&self, error: Error) {
        tracing::warn!(%error, "a database connection could not be made");
    }
}

impl Pool {
    pub(super) fn new(url: DatabaseUrl, mode: Mode, size: u32) -> Self {
        let connections = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(PATIENCE)
            // A ping at each checkout would cost a round trip; a dead connection is recognised when it fails.
            .test_on_check_out(false)
            .error_handler(Box::new(Quiet))
            .build_unchecked(Manager { url, mode });
        Self { connections, places: Arc::new(Semaphore::new(size as usize)), size }
    }

    /// Runs `f` in one transaction on a blocking thread.
    pub(super) async fn run<T, F>(&self, mode: Mode, mut f: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        let busy = |_| Error::Unavailable("all its connections are busy".to_owned());
        // One end for the wait and the work together: a caller that has waited does not wait as long again.
        let end = Instant::now() + PATIENCE;
        let place = timeout_at(end, Arc::clone(&self.places).acquire_owned()).await.map_err(busy)?;
        let (connections, size) = (self.connections.clone(), self.size);
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            transact(&connections, size, mode, &mut f)
        });
        match timeout_at(end, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panicked)) => Err(Error::Broken("a query panicked".to_owned())),
            Err(_elapsed) => Err(Error::Unavailable("it did not answer in time".to_owned())),
        }
    }
}

/// Tries again where that is safe: nothing was committed, and either the connection was stale (the database had
/// restarted or failed over) or PostgreSQL asks for a retry (serialization, deadlock; at most 3 times, CR-2).
fn transact<T>(
    connections: &r2d2::Pool<Manager>,
    size: u32,
    mode: Mode,
    f: &mut impl FnMut(&mut Conn) -> Result<T, Error>,
) -> Result<T, Error> {
    let (mut stale, mut retries) = (0, 0);
    loop {
        let mut pooled = connections.get().map_err(|error| Error::Unavailable(error.to_string()))?;
        match attempt(&mut pooled.conn, mode, f) {
            Ok(value) => return Ok(value),
            Err(Failed::AtCommit(error)) => {
                pooled.dead = !pooled.conn.answers();
                return Err(error);
            }
            Err(Failed::Before(error @ Error::Unavailable(_))) => {
                pooled.dead = is_read_only(&error) || !pooled.conn.answers();
                match pooled.dead {
                    true if stale <= size => stale += 1,
                    false if asks_for_retry(&error) && retries < 3 => retries += 1,
                    _ => return Err(error),
                }
            }
            Err(Failed::Before(error)) => return Err(error),
        }
    }
}

enum Failed {
    Before(Error),
    /// Whether it was committed is not known: never tried again.
    AtCommit(Error),
}

fn attempt<T>(
    conn: &mut Conn,
    mode: Mode,
    f: &mut impl FnMut(&mut Conn) -> Result<T, Error>,
) -> Result<T, Failed> {
    conn.begin(mode).map_err(Failed::Before)?;
    match f(conn) {
        Ok(value) => conn.commit().map(|()| value).map_err(Failed::AtCommit),
        Err(error) => {
            if let Err(rollback) = conn.rollback() {
                // The connection is gone; the caller finds that out by asking it.
                tracing::debug!(error = %rollback, "a rollback failed");
            }
            Err(Failed::Before(error))
        }
    }
}

fn asks_for_retry(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("could not serialize access") || text.contains("deadlock detected")
}

/// After a failover an old connection may still reach the former primary (CR-4).
fn is_read_only(error: &Error) -> bool {
    error.to_string().contains("read-only transaction")
}
