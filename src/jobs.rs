//! What runs beside the requests: caches that follow the database, the sweep of expired rows, keys made when due,
//! another look at proven domains, counts written, the comparison of clocks, and the [worker](crate::mail::worker) that sends mail.
//!
//! A job that fails says so once, tries again, and says when it works again; an outage of the database ends none of
//! them (CR-3). Nothing relies on a job having run: expiry is judged at use (AR-4).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::clock::Timestamp;
use crate::crypto::Random;
use crate::explain;
use crate::ledger::{LedgerError, Sealing};
use crate::model::Topic;
use crate::registry::leases::WINDOW;
use crate::signing::SigningError;
use crate::status::StatusError;
use crate::store;
use crate::tenancy::domain_watch;

/// A failed job is tried again after this, or at its next turn if that is sooner.
const RETRY: Duration = Duration::from_secs(5);
/// Between two batches of the sweep, so that others get to the database (CR-11).
const SWEEP_PAUSE: Duration = Duration::from_millis(100);
/// Longer than the time between two sweeps: one node keeps the work while it lives, and another takes over within a
/// minute of its death (CR-8).
const SWEEP_LEASE: Duration = Duration::from_secs(60);
/// How long ended sessions, used links and finished mail are kept for those who ask what happened.
const KEEP_HISTORY: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A difference between the clocks that is worth a warning (CR-7).
const SKEW: Duration = Duration::from_secs(30);

/// The jobs of one process.
pub struct Jobs {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Jobs {
    /// Starts all of them on the present runtime. Each has its first turn now.
    pub fn start(app: &Arc<App>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for job in Job::all(&app.random) {
            tasks.spawn(job.work(Arc::clone(app), Stop(stopped.clone())));
        }
        tasks.spawn(app.mail_worker.clone().run(stopped));
        Self { tasks, stop }
    }

    /// Lets each finish what it is at, and returns when all have ended.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a job did not end as it should");
            }
        }
    }
}

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Status(#[from] StatusError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Tells a job to end.
#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits; `false` when it is time to stop.
    async fn pause(&mut self, length: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(length) => true,
            _ = self.0.wait_for(|stopped| *stopped) => false,
        }
    }
}

/// What there is to do, with what it remembers from turn to turn.
enum Job {
    /// Notices what other nodes and the command line changed.
    Watch { seen: HashMap<Topic, i64> },
    /// Deletes what has expired, on one node at a time.
    Sweep { holder: String },
    /// Makes successors of signing keys.
    MakeKeys,
    /// Keeps the status lists up to date.
    ListRevocations,
    /// Leases places for busy clients' own tokens.
    LeasePlaces,
    /// Writes when API keys were used.
    NoteKeyUses,
    /// Writes what was counted.
    WriteUsage,
    /// Writes why requests were refused.
    KeepReasons,
    /// Gives audit events their places in the ledger.
    ExtendLedger,
    /// Asks whether proven domains are so still.
    LookAtDomains,
    /// Measures how far our clock is from the database's.
    CompareClocks,
}

impl Job {
    fn all(random: &Random) -> [Self; 11] {
        let holder = format!("{:016x}", u64::from_be_bytes(random.bytes()));
        [
            Self::Watch { seen: HashMap::new() },
            Self::Sweep { holder },
            Self::MakeKeys,
            Self::ListRevocations,
            Self::LeasePlaces,
            Self::NoteKeyUses,
            Self::WriteUsage,
            Self::KeepReasons,
            Self::ExtendLedger,
            Self::LookAtDomains,
            Self::CompareClocks,
        ]
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Watch { .. } => "watch",
            Self::Sweep { .. } => "sweep",
            Self::MakeKeys => "make keys",
            Self::ListRevocations => "list revocations",
            Self::LeasePlaces => "lease places",
            Self::NoteKeyUses => "note key uses",
            Self::WriteUsage => "write usage",
            Self::KeepReasons => "keep reasons",
            Self::ExtendLedger => "extend ledger",
            Self::LookAtDomains => "look at domains",
            Self::CompareClocks => "compare clocks",
        }
    }

    const fn every(&self) -> Duration {
        match self {
            Self::Watch { .. }
            | Self::LeasePlaces
            | Self::NoteKeyUses
            | Self::KeepReasons
            | Self::ExtendLedger => Duration::from_secs(1),
            Self::ListRevocations => Duration::from_millis(500),
            Self::WriteUsage => Duration::from_secs(10),
            Self::Sweep { .. } | Self::LookAtDomains | Self::CompareClocks => Duration::from_secs(60),
            Self::MakeKeys => Duration::from_secs(60 * 60),
        }
    }

    /// Until told to stop.
    async fn work(mut self, app: Arc<App>, mut stop: Stop) {
        let mut failing = false;
        loop {
            let result = self.take_turn(&app, &mut stop).await;
            match (&result, failing) {
                (Ok(()), true) => tracing::info!(job = self.name(), "works again"),
                (Ok(()), false) => {}
                (Err(error), true) => tracing::debug!(job = self.name(), %error, "failed again"),
                (Err(error), false) => tracing::warn!(job = self.name(), %error, "failed, is tried again"),
            }
            failing = result.is_err();
            let wait = if failing { RETRY.min(self.every()) } else { self.every() };
            if !stop.pause(wait).await {
                break;
            }
        }
        if self.holds_something()
            && let Err(error) = self.take_turn(&app, &mut stop).await
        {
            tracing::warn!(job = self.name(), %error, "failed at the end; what waited is lost");
        }
    }

    /// Whether something is in memory only until its turn, so that it needs one at the end.
    const fn holds_something(&self) -> bool {
        matches!(self, Self::NoteKeyUses | Self::WriteUsage)
    }

    async fn take_turn(&mut self, app: &App, stop: &mut Stop) -> Result<(), JobError> {
        match self {
            Self::Watch { seen } => Ok(watch_versions(app, seen).await?),
            Self::Sweep { holder } => Ok(sweep(app, holder, stop).await?),
            Self::MakeKeys => Ok(app.signing.make_due_keys(&app.db).await?),
            Self::LeasePlaces => Ok(lease_places(app).await?),
            Self::NoteKeyUses => Ok(note_key_uses(app).await?),
            Self::WriteUsage => Ok(app.usage.write(&app.db).await?),
            Self::KeepReasons => Ok(explain::write(app).await?),
            Self::ExtendLedger => Ok(app.extend_ledger(Sealing::WhenDue).await?),
            Self::LookAtDomains => Ok(domain_watch::look_again(app).await?),
            Self::ListRevocations => Ok(list_revocations(app).await?),
            Self::CompareClocks => Ok(compare_clocks(app).await?),
        }
    }
}

/// Drops or reads again what has changed since the last look. Keys that could not be read are tried again.
async fn watch_versions(app: &App, seen: &mut HashMap<Topic, i64>) -> Result<(), SigningError> {
    for (topic, version) in app.db.read(store::jobs::versions).await? {
        if seen.get(&topic) == Some(&version) {
            continue;
        }
        match topic {
            Topic::Keys => app.signing.reload(&app.db).await?,
            Topic::Clients | Topic::Resources => app.registry.forget(topic),
        }
        seen.insert(topic, version);
    }
    Ok(())
}

/// Deletes batch after batch while there is something to delete and no other node does it.
async fn sweep(app: &App, holder: &str, stop: &mut Stop) -> Result<(), store::Error> {
    while sweep_batch(app, holder).await? > 0 && stop.pause(SWEEP_PAUSE).await {}
    Ok(())
}

async fn sweep_batch(app: &App, holder: &str) -> Result<usize, store::Error> {
    let (holder, now) = (holder.to_owned(), app.clock.now());
    app.db
        .write(move |db| {
            if !store::jobs::take_lease(db, "sweep", &holder, now, now.plus(SWEEP_LEASE))? {
                return Ok(0);
            }
            store::jobs::sweep_expired(db, now, now.minus(KEEP_HISTORY))
        })
        .await
}

async fn note_key_uses(app: &App) -> Result<(), store::Error> {
    let uses = app.key_uses.take();
    if uses.is_empty() {
        return Ok(());
    }
    app.db.write(move |db| store::api_keys::note_uses(db, &uses)).await
}

async fn lease_places(app: &App) -> Result<(), store::Error> {
    let due = app.registry.leases.due(app.clock.now());
    if due.is_empty() {
        return Ok(());
    }
    let resources = app.resources().await?;
    let lives = resources.iter().filter_map(|resource| resource.access_ttl);
    let longest = lives.fold(app.config.lifetimes.access, Duration::max);
    for (client, count) in due {
        let good_until = app.clock.now().plus(WINDOW).plus(longest);
        let random = app.random.clone();
        let leased = app.db.write(move |db| store::status::lease(db, client, count, good_until, &random));
        app.registry.leases.give(client, leased.await?, good_until);
    }
    Ok(())
}

async fn list_revocations(app: &App) -> Result<(), StatusError> {
    app.status_lists.refresh(&app.db, &app.signing.keyring(), app.clock.now()).await?;
    app.metrics.set_revoked_tokens(app.status_lists.marked());
    Ok(())
}

async fn compare_clocks(app: &App) -> Result<(), store::Error> {
    let theirs = app.db.read(store::jobs::database_time).await?;
    let ahead = milliseconds_ahead(app.clock.now(), theirs);
    app.metrics.set_clock_skew(ahead);
    if u128::from(ahead.unsigned_abs()) > SKEW.as_millis() {
        tracing::warn!(milliseconds = ahead, "this node's clock is ahead of the database's by this much");
    }
    Ok(())
}

fn milliseconds_ahead(ours: Timestamp, theirs: Timestamp) -> i64 {
    ours.micros().saturating_sub(theirs.micros()) / 1_000
}
