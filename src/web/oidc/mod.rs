//! The protocol's endpoints: discovery, authorization, tokens, userinfo, logout.
//!
//! Handlers extract, call one function of [`crate::grants`], and answer. The rules are in [`crate::protocol`].

mod authorize;
mod discovery;
mod end_session;
mod introspect;
mod par;
mod revoke;
mod token;
mod userinfo;

use actix_web::web::{self, ServiceConfig};

use crate::protocol::metadata::path;

pub use discovery::prepare;

/// Mounts the endpoints below the issuer's path.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route(path::OPENID_CONFIGURATION, web::get().to(discovery::metadata))
        .route(path::OAUTH_METADATA, web::get().to(discovery::metadata))
        .route(path::JWKS, web::get().to(discovery::jwks))
        .service(
            web::resource(path::AUTHORIZE)
                .route(web::get().to(authorize::by_query))
                .route(web::post().to(authorize::by_form)),
        )
        .route("/oauth2/authorize/{request}", web::get().to(authorize::resume))
        .route(path::PAR, web::post().to(par::push))
        .route(path::TOKEN, web::post().to(token::token))
        .service(
            web::resource(path::USERINFO)
                .route(web::get().to(userinfo::by_header))
                .route(web::post().to(userinfo::by_form)),
        )
        .route(path::INTROSPECT, web::post().to(introspect::introspect))
        .route(path::REVOKE, web::post().to(revoke::revoke))
        .service(
            web::resource(path::LOGOUT)
                .route(web::get().to(end_session::by_query))
                .route(web::post().to(end_session::by_form)),
        )
        .service(
            web::resource("/logout")
                .route(web::get().to(end_session::ask))
                .route(web::post().to(end_session::confirm)),
        );
}
