//! `/api/v1`: the JSON API for applications of the same house.
//!
//! Bodies are read into types that know their fields and take no others; errors are problems (RFC 9457) with codes that
//! stay. No cookie is read or set, so no other site can act through a browser. Tokens are made by
//! [`crate::grants::first_party`], as those of the dialects are. `table` is the one list of what there is: it is mounted,
//! and described to others.

mod account;
pub mod admin;
mod ask;
mod caller;
mod describe;
mod invitations;
mod keys;
mod members;
mod once;
mod organizations;
mod page;
mod problem;
mod refuse;
mod roles;
mod session;
mod table;
mod tell;
mod typed;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::cors::for_api_clients;
use super::fault::{Fault, Refused};
use crate::config::Issuer;

/// Where it is, below the issuer's path.
const BASE: &str = "/api/v1";

/// Mounts every line of the table.
pub fn routes(cfg: &mut ServiceConfig) {
    let mut scope = web::scope(BASE).wrap(from_fn(for_api_clients));
    for path in table::paths() {
        let mut resource = web::resource(path);
        for route in table::ROUTES.iter().filter(|route| route.path == path) {
            resource = resource.route((route.to)());
        }
        let refuse = move || async move { problem::method_not_allowed(&table::methods(path)) };
        scope = scope.service(resource.default_service(web::to(refuse)));
    }
    scope = scope.service(web::resource("/openapi.json").route(web::get().to(describe::describe)));
    let elsewhere = || async { Err::<HttpResponse, Refused>(Fault::NotFound.into()) };
    cfg.service(scope.default_service(web::to(elsewhere)));
}

/// The problem for what no handler gets to see.
pub fn refuse(request: &HttpRequest, issuer: &Issuer, status: u16) -> Option<HttpResponse> {
    let rest = request.path().strip_prefix(issuer.path())?.strip_prefix(BASE)?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let fault = match status {
        400 => Fault::InvalidRequest,
        414 => Fault::UriTooLong,
        405 => Fault::MethodNotAllowed,
        413 => Fault::BodyTooLarge,
        415 => Fault::UnsupportedMediaType,
        431 => Fault::HeadersTooLarge,
        _ => return None,
    };
    Some(Refused::from(fault).error_response())
}
