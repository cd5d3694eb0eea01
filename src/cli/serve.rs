//! `countersign serve`: the provider itself, until it is told to stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Shell, logging};
use crate::app::{App, Opening, create_database_folder};
use crate::audit::Origin;
use crate::clock::Clock;
use crate::config::Loaded;
use crate::identity::federation::providers;
use crate::ledger::Sealing;
use crate::store::{self, DatabaseUrl};
use crate::tenancy::links;
use crate::web;
use crate::web::server::Listeners;

pub async fn run(shell: &Shell) -> Result<(), Failure> {
    let Loaded { config, sources } = shell.load()?;
    let _log = logging::start(&config.log).map_err(Failure::Failed)?;
    let stopped = stop_signal()?;
    let url = DatabaseUrl::parse(config.database.url.expose()).map_err(Failure::Failed)?;
    create_database_folder(&url)?;
    let _lock = store::lock_for_serving(&url)?;
    let listener = bind("server.listen", config.server.listen)?;
    let metrics = config.server.metrics_listen.map(|at| bind("server.metrics_listen", at)).transpose()?;
    let console = config.server.console_listen.map(|at| bind("server.console_listen", at)).transpose()?;

    let mut app = App::open(config, Clock::system(), Opening::Create).await?;
    app.sources = sources;
    // Of providers that were taken out of the configuration while nobody served (FE-10).
    providers::end_of_removed(&app, &Origin::system()).await?;
    sign_audit(&app).await;
    let link = links::first_administrator(&app).await?;
    let link = link.map(|secret| app.config.issuer.at(&format!("/setup/{}", secret.expose())));
    let at = (listener.local_addr()?, console.as_ref().map(TcpListener::local_addr).transpose()?);
    match show_banner(shell, &app, at, link) {
        // Started by something that does not read: the server is what was asked for.
        Ok(()) | Err(Failure::ReaderGone) => {}
        Err(failure) => return Err(failure),
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        issuer = app.config.issuer.as_str(),
        listen = %listener.local_addr()?,
        database = app.config.database.label(),
        "serving"
    );
    let listeners = Listeners { main: listener, metrics, console };
    let app = Arc::new(app);
    let ended = web::server::serve(Arc::clone(&app), listeners, stopped).await;
    sign_audit(&app).await;
    ended.map_err(|error| Failure::Failed(format!("the server ended: {error}")))?;
    tracing::info!("stopped");
    Ok(())
}

/// At the start, what a node left that was killed; at the stop, what was written since the last checkpoint. Events that
/// nobody signs for long are a fault to `countersign audit verify`.
async fn sign_audit(app: &App) {
    if let Err(error) = app.extend_ledger(Sealing::Now).await {
        tracing::warn!(%error, "the audit is not signed up to its end");
    }
}

/// Ready when the process is asked to stop. It listens from now on, so that no signal is lost while starting.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("stop what listens there, or set {setting} to another address")
            }
            io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 need a privilege; set {setting} to another, or grant it")
            }
            _ => format!("look at {setting}"),
        };
        Failure::Failed(format!("cannot listen on {address}: {error}; {what}"))
    })
}

/// What somebody who started the server by hand needs next. The set-up link is shown here and nowhere else: the log
/// never has it (LO-2).
fn show_banner(
    shell: &Shell,
    app: &App,
    (listen, console): (SocketAddr, Option<SocketAddr>),
    link: Option<String>,
) -> Result<(), Failure> {
    let config = &app.config;
    let demonstration = config.has_dev_pages().then(|| config.issuer.at("/dev/app"));
    let keys = match config.keys.master_key {
        Some(_) => "as configured".to_owned(),
        None => config.keys.dir.display().to_string(),
    };
    let value = json!({
        "issuer": config.issuer.as_str(),
        "listen": listen.to_string(),
        "console_listen": console.map(|at| at.to_string()),
        "database": config.database.label(),
        "keys": keys,
        "setup_link": link,
        "demonstration": demonstration,
    });
    if shell.out.json {
        return shell.out.value(&value);
    }
    let mut facts = vec![
        ("Address", config.issuer.to_string()),
        ("Listening on", listen.to_string()),
        ("Database", config.database.label()),
        ("Master key", keys),
    ];
    if let Some(console) = console {
        facts.insert(2, ("Console on", console.to_string()));
    }
    if let Some(demonstration) = demonstration {
        facts.push(("Demonstration", demonstration));
    }
    shell.out.line(&format!("Countersign {}\n", env!("CARGO_PKG_VERSION")))?;
    shell.out.facts(&facts, &value)?;
    if let Some(link) = link {
        let until = app.clock.now().plus(config.lifetimes.setup).rfc3339();
        shell.out.line(&format!(
            "\nThere is no administrator yet. This link makes the first one, once, until {until}:\n\n  {link}"
        ))?;
    }
    shell.out.line("")
}
