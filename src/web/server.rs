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
use super::{health, oidc, routes, tls};

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

/// Serves until `shutdown` is ready, then finishes what is under way and returns.
///
/// The listeners are bound already: whoever calls knows the port, and a port that is taken is known before anything
/// else happens. `metrics_listener` is the one of `server.metrics_listen`.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
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

    let main = main_server(&shared, listener, tls)?;
    let metrics = metrics_listener.map(|listener| metrics_server(&shared, listener)).transpose()?;
    let handles: Vec<_> =
        std::iter::once(&main).chain(&metrics).map(actix_web::dev::Server::handle).collect();
    let jobs = Jobs::start(&app);
    let mut running = tokio::spawn(main);
    let metrics = metrics.map(tokio::spawn);

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
    drop(metrics);
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

fn main_server(
    shared: &Shared,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
) -> io::Result<actix_web::dev::Server> {
    let workers = shared.app.config.server.workers;
    let factory = {
        let shared = shared.clone();
        move || {
            actix_web::App::new()
                .configure(|cfg| shared.give(cfg))
                .configure(|cfg| shared.app.dialects.routes(cfg, &shared.app.config.issuer))
                .configure(|cfg| routes(cfg, &shared.app.config))
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
