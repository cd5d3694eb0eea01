//! A server of one test.

use std::net::TcpListener;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use countersign::app::{App, Opening};
use countersign::audit::Origin;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::crypto::Secret;
use countersign::model::{EmailAddress, UserId};
use countersign::store::{self, Conn};
use countersign::tenancy::users::{self, NewUser};
use countersign::web::server;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::browser::Browser;
use super::client::TestClient;
use super::database::{self, Database, START, TestDatabase};

/// The password of every user that [`TestApp::user`] makes.
pub const PASSWORD: &str = "vermilion tapir 42 dances";

/// How a server is started.
pub struct Settings {
    pub clock: Clock,
    issuer: Option<String>,
    adjust: Box<dyn FnOnce(&mut Config) + Send>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { clock: Clock::manual(START), issuer: None, adjust: Box::new(|_| {}) }
    }
}

impl Settings {
    /// Changes the configuration before the start.
    pub fn with(adjust: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        Self { adjust: Box::new(adjust), ..Self::default() }
    }

    /// The clock of a server that ran before.
    pub fn at(self, clock: &Clock) -> Self {
        Self { clock: clock.clone(), ..self }
    }

    /// Real time, for clients that look at their own clocks. The keys of the template are old by then and stay in use.
    pub fn real_time(self) -> Self {
        Self { clock: Clock::system(), ..self }
    }
}

/// A running server with its database. Stopped when dropped.
pub struct TestApp {
    pub app: Arc<App>,
    pub issuer: String,
    /// The issuer's path at the address that listens: another one than the issuer where a test chose its name.
    pub base: String,
    pub clock: Clock,
    pub database: TestDatabase,
    pub http: reqwest::Client,
    /// Where the console listens, if it has a listener of its own.
    pub console_at: Option<std::net::SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<std::io::Result<()>>>,
}

impl TestApp {
    pub async fn start(database: Database) -> Self {
        Self::start_with(database, Settings::default()).await
    }

    pub async fn start_with(database: Database, settings: Settings) -> Self {
        let database = TestDatabase::create(database).await;
        Self::serve(database, settings).await
    }

    /// Starts another server on a database that exists: a second node, or the same one after a restart.
    pub async fn serve(database: TestDatabase, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("the port is known").port();
        let mut config = database::config(&database.url, database.folder.path());
        let address = format!("http://localhost:{port}");
        let issuer = settings.issuer.as_ref().unwrap_or(&address);
        config.issuer = issuer.parse().expect("a loopback issuer");
        config.server.listen = listener.local_addr().expect("the address is known");
        config.server.workers = NonZeroUsize::new(2);
        config.database.pool = NonZeroU32::new(4).expect("four is not zero");
        // Scheduled rotation would replace the keys of the template under a clock that runs in real time.
        config.keys.rotate_every = Duration::from_secs(20 * 365 * 86_400);
        (settings.adjust)(&mut config);
        let issuer = config.issuer.as_str().to_owned();
        let base = format!("http://localhost:{port}{}", config.issuer.path());
        let clock = settings.clock;
        let app = App::open(config, clock.clone(), Opening::Create)
            .await
            .unwrap_or_else(|error| panic!("the server does not start: {error}"));
        let app = Arc::new(app);
        let console = app.config.server.console_listen.map(|at| TcpListener::bind(at).expect("a free port"));
        let console_at = console.as_ref().map(|console| console.local_addr().expect("the address is known"));
        let listeners = server::Listeners { console, ..listener.into() };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn({
            let app = Arc::clone(&app);
            async move {
                server::serve(app, listeners, async move {
                    let _ = stopped.await;
                })
                .await
            }
        });
        let http = http_client();
        Self { app, issuer, base, clock, database, http, console_at, stop: Some(stop), served: Some(served) }
    }

    /// Another node of the same instance, with the same clock.
    pub async fn another_node(&self) -> Self {
        let settings =
            Settings { clock: self.clock.clone(), issuer: Some(self.issuer.clone()), ..Settings::default() };
        Self::serve(TestDatabase::at(&self.database.url), settings).await
    }

    /// An address below the issuer, as it can be reached.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A verified user whose address is `NAME@example.com` and whose password is [`PASSWORD`].
    pub async fn user(&self, name: &str) -> UserId {
        self.user_with(name, |_| {}).await
    }

    pub async fn user_with(&self, name: &str, adjust: impl FnOnce(&mut NewUser)) -> UserId {
        let mut new = NewUser {
            email: EmailAddress::parse(&format!("{name}@example.com")).expect("an address"),
            email_verified: true,
            name: name.to_owned(),
            username: None,
            password: Some(Secret::from_text(PASSWORD)),
            instance_role: None,
            claims: std::collections::BTreeMap::new(),
        };
        adjust(&mut new);
        users::create(&self.app, new, &Origin::command_line()).await.expect("the user is made")
    }

    /// A confidential application that registered what most do. See [`TestClient`] for others.
    pub async fn client(&self, name: &str) -> TestClient {
        TestClient::register(self, name, |_| {}).await
    }

    /// A browser that nobody has used.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.issuer, &self.base)
    }

    /// A browser signed in as this user.
    pub async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(name).await;
        browser
    }

    /// Looks into the database, for what cannot be seen from outside.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl FnMut(&mut Conn) -> Result<T, store::Error> + Send + 'static,
    ) -> T {
        self.app.db.read(f).await.expect("the database answers")
    }

    /// The recorded actions, oldest first, as `action outcome`.
    pub async fn audit(&self) -> Vec<String> {
        let mut events = self.read(|db| store::audit::newest(db, 1_000)).await;
        events.reverse();
        events.into_iter().map(|event| format!("{} {}", event.action, event.outcome)).collect()
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Stops the server and gives its database back, for the next one.
    pub async fn stop(mut self) -> TestDatabase {
        self.shut_down().await;
        let replacement = TestDatabase::placeholder();
        std::mem::replace(&mut self.database, replacement)
    }

    async fn shut_down(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(served) = self.served.take() {
            served.await.expect("the server does not panic").expect("the server ends well");
        }
    }
}

/// No redirects are followed and no cookies kept: tests see every answer.
pub fn http_client() -> reqwest::Client {
    // The tests speak plain HTTP to loopback; a TLS stack must be named all the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .expect("an HTTP client")
}
