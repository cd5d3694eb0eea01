//! HTTP. Handlers extract, call one function, and answer; what is right is decided below.
//!
//! - Around every request: [`server`], [`observe`], [`guard`], [`lifecycle`], [`tls`].
//! - What handlers ask for: [`extract`], from [`cookies`], [`csrf`], [`client_ip`], [`visit`]; [`call`].
//! - What handlers answer: [`respond`] with a [`page`], [`failure`], [`fault`], [`cors`].
//! - What answers by itself: [`health`], [`assets`], [`forward_auth`].
//! - The areas: [`oidc`], [`login`], [`account`], [`admin`], [`api`], [`dev`].
//!
//! Each area has a `routes` that [`routes`] mounts below the issuer's path.

pub mod account;
pub mod admin;
pub mod api;
pub mod assets;
pub mod branding;
pub mod call;
pub mod client_ip;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod dev;
pub mod extract;
pub mod failure;
pub mod fault;
pub mod forward_auth;
pub mod guard;
pub mod health;
pub mod json;
pub mod lifecycle;
pub mod login;
pub mod observe;
pub mod oidc;
pub mod page;
pub mod respond;
pub mod server;
pub mod tls;
pub mod ui;
pub mod visit;

use actix_web::web::{self, ServiceConfig};

use crate::config::Config;

/// Which of our listeners a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// For everybody.
    Main,
    /// For whoever runs the instance: it answers the rest as well, since they sign in there too (AD-5).
    Console,
}

/// Everything that a listener answers.
///
/// All of it stands below the issuer's path, save what has its place at the root of a host whatever the issuer is:
/// probes, the icon, the word to robots. A scope takes every path below it, so those come first.
pub fn routes(cfg: &mut ServiceConfig, config: &Config, listener: Listener) {
    let base = config.issuer.path();
    cfg.configure(health::routes)
        .configure(assets::root_routes)
        .configure(|cfg| oidc::root_routes(cfg, base));
    cfg.service(web::scope(base).configure(|cfg| below_issuer(cfg, config, listener)));
}

fn below_issuer(cfg: &mut ServiceConfig, config: &Config, listener: Listener) {
    if !config.issuer.path().is_empty() {
        cfg.configure(health::routes);
    }
    if config.metrics_on_main_listener() {
        cfg.configure(health::metrics_routes);
    }
    cfg.configure(assets::routes).configure(branding::routes);
    cfg.configure(oidc::routes).configure(login::routes).configure(account::routes);
    if listener == Listener::Console || config.server.console_listen.is_none() {
        cfg.configure(admin::routes).configure(api::admin::routes);
    }
    cfg.configure(api::routes).configure(forward_auth::routes);
    if config.has_dev_pages() {
        cfg.configure(dev::routes);
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
