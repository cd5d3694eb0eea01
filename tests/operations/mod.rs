//! What operators rely on, seen from outside: probes, metrics, logs, limits, keys, several nodes.

mod findings;
mod health;
mod keys;
mod ledger;
mod limits;
mod logs;
mod nodes;
mod usage;

use std::time::{Duration, Instant};

/// Waits for what another node notices within a moment.
async fn soon<F: Future<Output = bool>>(within: Duration, mut happens: impl FnMut() -> F) {
    let began = Instant::now();
    while !happens().await {
        assert!(began.elapsed() < within, "it did not happen within {within:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
