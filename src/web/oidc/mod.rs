//! The protocol's endpoints: discovery, authorization, tokens, userinfo, logout.
//!
//! Handlers extract, call one function of [`crate::grants`], and answer. The rules are in [`crate::protocol`].

mod authorize;
mod discovery;
mod end_session;
mod introspect;
mod par;
pub mod rehearsal;
mod revocations;
mod revoke;
mod token;
mod userinfo;

use authorize::validate;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig, get, post};

use crate::protocol::metadata::path;

use super::cors::{for_anyone, for_browser_clients};

pub use authorize::send_back;
pub use discovery::{Prepared, prepare};

/// Mounts the endpoints below the issuer's path.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource([path::OPENID_CONFIGURATION, path::OAUTH_METADATA])
                .wrap(from_fn(for_anyone))
                .route(get().to(discovery::metadata)),
        )
        .service(web::resource(path::JWKS).wrap(from_fn(for_anyone)).route(get().to(discovery::jwks)))
        .service(
            web::resource(path::REVOCATIONS).wrap(from_fn(for_anyone)).route(get().to(revocations::first)),
        )
        .service(
            web::resource(path::REVOCATION_LISTS)
                .wrap(from_fn(for_anyone))
                .route(get().to(revocations::lists)),
        )
        .service(
            web::resource("/revocations/{list:[0-9]{1,9}}")
                .wrap(from_fn(for_anyone))
                .route(get().to(revocations::further)),
        )
        .service(
            web::resource(path::AUTHORIZE)
                .route(get().to(authorize::by_query))
                .route(post().to(authorize::by_form)),
        )
        .service(web::resource("/oauth2/authorize/{request}").route(get().to(authorize::resume)))
        .service(web::resource(path::PAR).route(post().to(par::push)))
        .service(web::resource(path::TOKEN).wrap(from_fn(for_browser_clients)).route(post().to(token::token)))
        .service(
            web::resource(path::USERINFO)
                .wrap(from_fn(for_browser_clients))
                .route(get().to(userinfo::by_header))
                .route(post().to(userinfo::by_form)),
        )
        .service(web::resource(path::INTROSPECT).route(post().to(introspect::introspect)))
        .service(
            web::resource(path::REVOKE).wrap(from_fn(for_browser_clients)).route(post().to(revoke::revoke)),
        )
        .service(
            web::resource(path::LOGOUT)
                .route(get().to(end_session::by_query))
                .route(post().to(end_session::by_form)),
        )
        .service(
            web::resource("/logout").route(get().to(end_session::ask)).route(post().to(end_session::confirm)),
        );
}

/// Mounts discovery at the root of the host for an issuer with a path: there the path follows the well-known part
/// (RFC 8414 §3.1).
pub fn root_routes(config: &mut ServiceConfig, issuer_path: &str) {
    if !issuer_path.is_empty() {
        let below = [path::OPENID_CONFIGURATION, path::OAUTH_METADATA];
        config.service(
            web::resource(below.map(|well_known| format!("{well_known}{issuer_path}")))
                .wrap(from_fn(for_anyone))
                .route(get().to(discovery::metadata)),
        );
    }
}
