//! Whether this process is about to end, and how many requests it is still answering (CR-9).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How long nothing must have been under way before the process may end: answers are still being written after
/// their handlers have returned.
const QUIET: Duration = Duration::from_millis(250);

/// Shared by the workers of one server.
#[derive(Debug, Default)]
pub struct Lifecycle {
    stopping: AtomicBool,
    in_flight: AtomicUsize,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub struct InFlight<'a>(&'a Lifecycle);

impl Lifecycle {
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(self)
    }

    /// From now on this node is not ready, and every answer closes its connection.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Returns when no request has been under way for a moment.
    pub async fn quiet(&self) {
        const STEP: Duration = Duration::from_millis(25);
        let mut quiet = Duration::ZERO;
        while quiet < QUIET {
            tokio::time::sleep(STEP).await;
            quiet = if self.in_flight.load(Ordering::Acquire) == 0 { quiet + STEP } else { Duration::ZERO };
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
