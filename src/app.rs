//! The parts put together: what every use case may reach, made once at start-up.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::audit::{Origin, Scribe};
use crate::clock::Clock;
use crate::config::{Config, Limits, Loaded, Setting, Sources};
use crate::crypto::{MasterKey, Random};
use crate::dialect::{self, Dialects};
use crate::explain::Book;
use crate::identity::password::Passwords;
use crate::keys::{self, MasterKeyError};
use crate::ledger::{Keeper, LedgerError, Sealing};
use crate::mail;
use crate::metrics::Metrics;
use crate::model::{AuthMethod, Client, ClientKey, GrantType, Outcome, Resource};
use crate::outbound::{Outbound, OutboundError};
use crate::registry::{KeyUses, Registry};
use crate::signing::{Signing, SigningError};
use crate::status::{StatusError, StatusLists};
use crate::store::{self, DatabaseUrl, Db, OpenError, migrate};
use crate::tenancy::clients::ClientError;
use crate::tenancy::management;
use crate::usage::Usage;

/// A running instance. Shared by reference; everything that changes is inside the database or behind a lock.
pub struct App {
    pub config: Config,
    /// Where each setting came from, as far as it is known.
    pub sources: Sources,
    pub clock: Clock,
    pub random: Random,
    pub db: Db,
    pub master: MasterKey,
    pub signing: Signing,
    pub status_lists: StatusLists,
    pub registry: Registry,
    pub key_uses: KeyUses,
    /// Why requests were refused, before it is written.
    pub refusals: Book,
    pub passwords: Passwords,
    pub outbound: Outbound,
    /// Told when a message was put into the outbox, so that it leaves at once.
    pub mail_notify: Arc<Notify>,
    pub mail_worker: mail::Worker,
    pub metrics: Metrics,
    pub usage: Usage,
    /// Login APIs of other products that are answered here.
    pub dialects: Dialects,
}

/// Why an instance cannot start. Nothing listens yet when this is known.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    DatabaseUrl(String),
    #[error("cannot create {path}: {error}")]
    Folder { path: String, error: std::io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Status(#[from] StatusError),
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error(transparent)]
    Mail(#[from] mail::WorkerError),
    #[error("the dialects have problems:\n{0}")]
    Dialects(#[from] dialect::Problems),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// What [`App::open`] may create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Create the database, the schema, the master key and the signing keys if they are missing: `serve` and `init`.
    Create,
    /// Expect them: a command beside a server.
    Existing,
}

impl App {
    /// Opens everything that the configuration names.
    pub async fn open(config: Config, clock: Clock, opening: Opening) -> Result<Self, StartError> {
        let random = Random::system();
        // Before anything is created: a bad certificate file leaves nothing behind.
        let outbound = Outbound::new(&config.outbound)?;
        let dialects = Dialects::load(&config)?;
        let url = DatabaseUrl::parse(config.database.url.expose()).map_err(StartError::DatabaseUrl)?;
        let migrated = {
            let url = url.clone();
            tokio::task::spawn_blocking(move || bring_schema_up(&url, opening)).await
        };
        migrated.expect("opening the database does not panic")?;
        let db = Db::open(url, config.database.pool.get())?;
        let master = match opening {
            // A new master key would not open what the lost one has sealed, and would hide that it is lost.
            Opening::Create if !has_sealed_keys(&db).await? => {
                keys::load_or_create(&config.keys.dir, config.keys.master_key.as_ref(), &random)?
            }
            _ => keys::load_existing(&config.keys.dir, config.keys.master_key.as_ref())?,
        };
        let mail_notify = Arc::new(Notify::new());
        let mail_worker = mail::Worker::new(&config, db.clone(), clock.clone(), Arc::clone(&mail_notify))?;
        let signing = Signing::open(&db, &config, master.clone(), random.clone(), clock.clone()).await?;
        if opening == Opening::Create {
            signing.make_due_keys(&db).await?;
        }
        let status_lists = StatusLists::new(&config);
        if opening == Opening::Create {
            let random = random.clone();
            let provided = db.write(move |db| store::status::provide_clients(db, &random)).await;
            provided.map_err(OpenError::from)?;
            status_lists.refresh(&db, &signing.keyring(), clock.now()).await?;
        }
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let app = Self {
            passwords: Passwords::new(&config.password, cores, random.clone()),
            registry: Registry::with(vec![management::resource(&config.issuer)]),
            key_uses: KeyUses::default(),
            refusals: Book::default(),
            outbound,
            mail_notify,
            mail_worker,
            metrics: Metrics::default(),
            usage: Usage::default(),
            config,
            sources: Sources::default(),
            clock,
            random,
            db,
            master,
            signing,
            status_lists,
            dialects,
        };
        if opening == Opening::Create {
            dialect::prepare(&app).await?;
        }
        Ok(app)
    }

    /// Gives audit events their places in the ledger, and signs how far it goes.
    pub async fn extend_ledger(&self, sealing: Sealing) -> Result<(), LedgerError> {
        let keyring = self.signing.keyring();
        let keeper = Keeper {
            db: &self.db,
            keyring: &keyring,
            issuer: self.config.issuer.as_str(),
            random: &self.random,
            now: self.clock.now(),
        };
        keeper.extend(sealing).await
    }

    /// Every setting in force, with where it came from. Secrets read `(set)`.
    pub fn settings(&self) -> Vec<Setting> {
        Loaded { config: self.config.clone(), sources: self.sources.clone() }.settings()
    }

    /// For a use case that begins now.
    pub fn scribe(&self, origin: &Origin) -> Scribe {
        Scribe { now: self.clock.now(), random: self.random.clone(), origin: origin.clone() }
    }

    /// What tries from there are counted against.
    pub fn limits<'a>(&'a self, origin: &'a Origin) -> &'a Limits {
        origin.limits.as_deref().unwrap_or(&self.config.limits)
    }

    /// Counts a sign-in, for Prometheus and for the console.
    pub fn count_sign_in(&self, method: AuthMethod, outcome: Outcome) {
        self.metrics.sign_in(method, outcome);
        self.usage.sign_in(method, outcome, self.clock.now());
    }

    /// Counts a token, for Prometheus and for the console. A key of a machine needs no client.
    pub fn count_token(&self, grant: GrantType, client: Option<ClientKey>) {
        self.metrics.token_issued(grant);
        self.usage.token_issued(grant, client, self.clock.now());
    }

    /// The client that calls itself this, disabled or not.
    pub async fn client(&self, client_id: &str) -> Result<Option<Arc<Client>>, store::Error> {
        self.registry.client(&self.db, client_id).await
    }

    /// Every resource, disabled or not.
    pub async fn resources(&self) -> Result<Arc<Vec<Resource>>, store::Error> {
        self.registry.resources(&self.db).await
    }
}

fn bring_schema_up(url: &DatabaseUrl, opening: Opening) -> Result<(), StartError> {
    match opening {
        Opening::Create => {
            create_database_folder(url)?;
            migrate::run(url)?;
        }
        Opening::Existing => {
            if let DatabaseUrl::Sqlite(path) = url
                && !path.exists()
            {
                return Err(OpenError::Schema(format!(
                    "there is no database at {}: run `countersign init` or `countersign serve` first",
                    path.display()
                ))
                .into());
            }
            let state = migrate::state(url)?;
            if !state.unknown.is_empty() {
                return Err(OpenError::Newer(state.unknown.join(", ")).into());
            }
            if !state.pending.is_empty() {
                return Err(OpenError::Pending(state.pending.len()).into());
            }
        }
    }
    Ok(())
}

async fn has_sealed_keys(db: &Db) -> Result<bool, StartError> {
    let keys = db.read(store::signing_keys::all).await.map_err(OpenError::from)?;
    Ok(keys.iter().any(|key| key.revoked_at.is_none()))
}

/// Makes the folder of a SQLite file. Nobody else on the machine need read the database.
pub fn create_database_folder(url: &DatabaseUrl) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| StartError::Folder { path: folder.display().to_string(), error })
}
