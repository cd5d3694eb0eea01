//! The server: its listeners, its limits, how it begins and how it ends.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{HttpServer, web};

use crate::app::App;
use crate::jobs::Jobs;

use super::dev::DevApp;
use super::health::Readiness;
use super::lifecycle::Lifecycle;
use super::observe::observe;
use super::{Listener, health, oidc, routes, tls};

/// How long a client may take for a request's header (HL-1).
const HEADER_TIME: Duration = Duration::from_secs(5);
/// How long a connection may wait for its next request.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client may take to close its side.
const GOODBYE: Duration = Duration::from_secs(2);
/// Connections at a time for each worker.
const CONNECTIONS: usize = 4_096;
/// How long requests under way may take to finish (CR-9).
const FINISH: Duration = Duration::from_secs(25);
/// How long a public instance goes on taking connections once it is not ready any more, so that what stands in front
/// has noticed before the first one is refused.
const NOTICE: Duration = Duration::from_secs(3);

/// What is listened on. All are bound already: whoever calls knows the ports, and one that is taken is known before
/// anything else happens.
pub struct Listeners {
    pub main: TcpListener,
    /// Of `server.metrics_listen`.
    pub metrics: Option<TcpListener>,
    /// Of `server.console_listen`.
    pub console: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(main: TcpListener) -> Self {
        Self { main, metrics: None, console: None }
    }
}

/// Serves until `shutdown` is ready, then finishes what is under way and returns.
pub async fn serve(
    app: Arc<App>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let tls = app.config.server.tls.as_ref().map(tls::load).transpose()?;
    let lifecycle = web::Data::new(Lifecycle::default());
    let shared = Shared {
        app: web::Data::from(Arc::clone(&app)),
        lifecycle: lifecycle.clone(),
        readiness: web::Data::new(Readiness::default()),
        discovery: web::Data::new(oidc::prepare(&app)),
        dev: web::Data::new(DevApp::default()),
    };

    let Listeners { main, metrics, console } = listeners;
    let main = page_server(&shared, main, tls.clone(), Listener::Main)?;
    let metrics = metrics.map(|listener| metrics_server(&shared, listener)).transpose()?;
    let console =
        console.map(|listener| page_server(&shared, listener, tls, Listener::Console)).transpose()?;
    let handles: Vec<_> =
        std::iter::once(&main).chain(&metrics).chain(&console).map(actix_web::dev::Server::handle).collect();
    let jobs = Jobs::start(&app);
    let mut running = tokio::spawn(main);
    let beside: Vec<_> = metrics.into_iter().chain(console).map(tokio::spawn).collect();

    let ended = tokio::select! {
        ended = &mut running => Some(ended),
        () = shutdown => None,
    };
    lifecycle.stop();
    if ended.is_none() {
        tracing::info!("stopping: requests under way are finished");
        if !app.config.issuer.is_loopback() {
            tokio::time::sleep(NOTICE).await;
        }
    }
    let stopped = async {
        for handle in &handles {
            handle.stop(true).await;
        }
    };
    // Idle connections would be waited for; nothing is lost when they close with the process.
    tokio::select! {
        () = stopped => {}
        () = lifecycle.quiet() => {}
        () = tokio::time::sleep(FINISH) => tracing::warn!("requests were still under way at the end"),
    }
    jobs.stop().await;
    drop(beside);
    match ended {
        None => Ok(()),
        Some(Ok(Ok(()))) => Err(io::Error::other("the server ended by itself")),
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => Err(io::Error::other(error)),
    }
}

/// What every worker has.
#[derive(Clone)]
struct Shared {
    app: web::Data<App>,
    lifecycle: web::Data<Lifecycle>,
    readiness: web::Data<Readiness>,
    discovery: web::Data<oidc::Prepared>,
    dev: web::Data<DevApp>,
}

impl Shared {
    fn give(&self, cfg: &mut web::ServiceConfig) {
        cfg.app_data(self.app.clone())
            .app_data(self.lifecycle.clone())
            .app_data(self.readiness.clone())
            .app_data(self.discovery.clone())
            .app_data(self.dev.clone());
    }
}

fn page_server(
    shared: &Shared,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    which: Listener,
) -> io::Result<actix_web::dev::Server> {
    let workers = shared.app.config.server.workers;
    let factory = {
        let shared = shared.clone();
        move || {
            actix_web::App::new()
                .configure(|cfg| shared.give(cfg))
                .configure(|cfg| shared.app.dialects.routes(cfg, &shared.app.config.issuer))
                .configure(|cfg| routes(cfg, &shared.app.config, which))
                .wrap(from_fn(observe))
        }
    };
    let mut server = HttpServer::new(factory)
        .disable_signals()
        .client_request_timeout(HEADER_TIME)
        .client_disconnect_timeout(GOODBYE)
        .keep_alive(KEEP_ALIVE)
        .max_connections(CONNECTIONS)
        .shutdown_timeout(FINISH.as_secs());
    if let Some(workers) = workers {
        server = server.workers(workers.get());
    }
    Ok(match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    }
    .run())
}

/// Metrics and probes on a listener of their own (AD-5).
fn metrics_server(shared: &Shared, listener: TcpListener) -> io::Result<actix_web::dev::Server> {
    let shared = shared.clone();
    let factory = move || {
        actix_web::App::new()
            .configure(|cfg| shared.give(cfg))
            .configure(health::routes)
            .configure(health::metrics_routes)
            .wrap(from_fn(observe))
    };
    Ok(HttpServer::new(factory)
        .disable_signals()
        .workers(1)
        .client_request_timeout(HEADER_TIME)
        .client_disconnect_timeout(GOODBYE)
        .keep_alive(KEEP_ALIVE)
        .max_connections(64)
        .shutdown_timeout(FINISH.as_secs())
        .listen(listener)?
        .run())
}
