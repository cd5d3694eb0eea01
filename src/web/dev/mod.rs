//! Pages for developers, while the issuer is a plain http loopback address: never anywhere else.

pub mod app;
pub mod mail;

use actix_web::web::ServiceConfig;

pub use app::DevApp;

/// Mounts them. The caller has asked [`crate::config::Config::has_dev_pages`].
pub fn routes(config: &mut ServiceConfig) {
    config.configure(app::routes).configure(mail::routes);
}
