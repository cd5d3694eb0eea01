//! `/api/v1/admin`: the management API. What the console does, for programs: the same functions, typed.
//!
//! `table` is all there is; each operation names its scope ([`crate::tenancy::management::Scope`]), and no handler is
//! reached without a token that has it (`manager::Manager`).

mod api_keys;
mod audit;
mod branding;
mod clients;
mod domains;
mod invitations;
mod mail;
mod manager;
mod members;
mod operation;
mod organizations;
mod overview;
mod providers;
mod refusals;
mod rehearsal;
mod resources;
mod roles;
mod sessions;
mod signed_in;
mod table;
mod users;
mod workspaces;

use actix_web::HttpResponse;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};

use super::{describe, problem};
use crate::app::App;
use crate::tenancy::management;
use crate::web::cors::for_api_clients;
use crate::web::fault::{Fault, Refused};

/// Mounts every line of the table. Before the API that this stands within.
pub fn routes(cfg: &mut ServiceConfig) {
    let mut scope = web::scope(management::PATH).wrap(from_fn(for_api_clients));
    for path in super::table::paths_of(table::ROUTES) {
        let mut resource = web::resource(path);
        for route in table::ROUTES.iter().filter(|route| route.path == path) {
            resource = resource.route((route.to)());
        }
        let refuse = move || async move {
            problem::method_not_allowed(&super::table::methods_of(table::ROUTES, path))
        };
        scope = scope.service(resource.default_service(web::to(refuse)));
    }
    scope = scope.service(web::resource("/openapi.json").route(web::get().to(description)));
    let elsewhere = || async { Err::<HttpResponse, Refused>(Fault::NotFound.into()) };
    cfg.service(scope.default_service(web::to(elsewhere)));
}

/// `GET /api/v1/admin/openapi.json`. It says nothing of this instance but its address.
async fn description(app: Data<App>) -> HttpResponse {
    describe::document(&app, "Countersign management", management::PATH, table::ROUTES)
}
