//! The one writer of a SQLite database.
//!
//! SQLite has one write lock. Instead of letting threads fight for it, one thread takes queued jobs, runs up to
//! [`BATCH`] of them in one transaction, each in a savepoint of its own, commits once (one flush to disk), and only
//! then answers: many times the throughput at the same durability. If the commit fails, every job of the batch
//! fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Error;
use super::conn::{Conn, DatabaseUrl, Mode, PATIENCE};

/// How many jobs share a commit at most.
const BATCH: usize = 64;
/// How many jobs may wait. More than this cannot be answered in time anyway.
const QUEUE: usize = 1_024;

/// The way to the writer thread. When the last copy is dropped the thread ends.
pub(super) struct Writer {
    jobs: SyncSender<Box<dyn Job>>,
}

/// A closure in the queue. It runs at least once and is settled exactly once.
trait Job: Send {
    /// Whether what it did may be committed.
    fn run(&mut self, conn: &mut Conn) -> bool;
    /// Answers the caller: with its own result, or with the reason why the commit did not happen.
    fn settle(self: Box<Self>, failure: Option<Error>);
}

struct Queued<F, T> {
    f: F,
    result: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Job for Queued<F, T>
where
    F: FnMut(&mut Conn) -> Result<T, Error> + Send,
    T: Send,
{
    fn run(&mut self, conn: &mut Conn) -> bool {
        self.result.insert((self.f)(conn)).is_ok()
    }

    fn settle(self: Box<Self>, failure: Option<Error>) {
        let result = match (failure, self.result) {
            // Its own error stands whatever became of the others.
            (_, Some(Err(error))) => Err(error),
            (Some(failure), _) => Err(failure),
            (None, Some(Ok(value))) => Ok(value),
            (None, None) => Err(Error::Broken("a write was settled before it ran".to_owned())),
        };
        // A caller that no longer waits has been told that the outcome is unknown.
        drop(self.reply.send(result));
    }
}

impl Writer {
    /// Opens the database and starts the thread.
    pub(super) fn start(url: DatabaseUrl) -> Result<Self, Error> {
        let conn = Conn::open(&url, Mode::Write)?;
        let (jobs, queue) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || Worker { url, conn: Some(conn) }.work(&queue))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { jobs })
    }

    pub(super) async fn run<T, F>(&self, f: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Box::new(Queued { f, result: None, reply })).map_err(|error| {
            Error::Unavailable(match error {
                TrySendError::Full(_) => "too many writes are waiting".to_owned(),
                TrySendError::Disconnected(_) => "the writer has stopped".to_owned(),
            })
        })?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_dropped)) => Err(Error::Unavailable("the writer has stopped".to_owned())),
            Err(_elapsed) => Err(Error::Unavailable("the write did not finish in time".to_owned())),
        }
    }
}

struct Worker {
    url: DatabaseUrl,
    conn: Option<Conn>,
}

enum Failed {
    Database(String),
    /// The job at this place panicked; the connection is in an unknown state.
    Panicked(usize),
}

impl Worker {
    fn work(mut self, queue: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(BATCH - 1));
            self.settle_batch(batch);
        }
    }

    fn settle_batch(&mut self, mut batch: Vec<Box<dyn Job>>) {
        while !batch.is_empty() {
            match self.commit_batch(&mut batch) {
                Ok(()) => batch.drain(..).for_each(|job| job.settle(None)),
                // The others did nothing wrong: they run again, without it (CR-10).
                Err(Failed::Panicked(place)) => {
                    self.conn = None;
                    batch.remove(place).settle(Some(Error::Broken("a write panicked".to_owned())));
                }
                Err(Failed::Database(reason)) => {
                    self.conn = None;
                    tracing::error!(%reason, jobs = batch.len(), "a batch of writes was not committed");
                    batch.drain(..).for_each(|job| job.settle(Some(Error::Unavailable(reason.clone()))));
                }
            }
        }
    }

    fn commit_batch(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Failed> {
        let database = |error: Error| Failed::Database(error.to_string());
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(Conn::open(&self.url, Mode::Write).map_err(database)?),
        };
        conn.begin(Mode::Write).map_err(database)?;
        for (place, job) in batch.iter_mut().enumerate() {
            conn.savepoint().map_err(database)?;
            match catch_unwind(AssertUnwindSafe(|| job.run(conn))) {
                Ok(true) => conn.commit().map_err(database)?,
                Ok(false) => conn.rollback().map_err(database)?,
                Err(_panic) => return Err(Failed::Panicked(place)),
            }
        }
        conn.commit().map_err(database)
    }
}
