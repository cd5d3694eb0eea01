//! The console at `/admin`: everything of the instance to look at and to change, without scripts.
//!
//! `ROUTES` is all there is: each line says what the route needs, and no handler can be reached without having been
//! let in for that ([`access`]). One file for each area; what is done is done by the functions that the command line and
//! the management API call.

pub mod access;
mod audit;
mod clients;
mod dialects;
mod explain;
mod front;
mod keys;
mod list;
mod mail;
mod named;
mod organisations;
mod providers;
mod resources;
mod sessions;
mod settings;
mod setup;
mod upload;
mod users;
mod within;
mod words;

use actix_web::Route as Handler;
use actix_web::web::{ServiceConfig, resource};

use crate::tenancy::console::Need;

/// One route.
pub struct Route {
    /// `get` or `post`.
    pub method: &'static str,
    /// Below the issuer's path.
    pub path: &'static str,
    pub need: Need,
    to: fn() -> Handler,
}

/// `get "/admin/users" instance see users::list;`
macro_rules! table {
    ($($method:ident $path:literal $area:ident $act:ident $to:path;)*) => {
        &[$($crate::web::admin::Route {
            method: stringify!($method),
            path: $path,
            need: $crate::tenancy::console::Need {
                act: table!(@act $act),
                area: table!(@area $area),
            },
            to: || table!(@method $method).to($to),
        },)*]
    };
    (@act see) => { $crate::tenancy::console::Act::See };
    (@act change) => { $crate::tenancy::console::Act::Change };
    (@act destroy) => { $crate::tenancy::console::Act::Destroy };
    (@area front) => { $crate::tenancy::console::Area::Front };
    (@area instance) => { $crate::tenancy::console::Area::Instance };
    (@area organisation) => { $crate::tenancy::console::Area::Organisation };
    (@area tenant) => { $crate::tenancy::console::Area::Tenant };
    (@method get) => { $crate::web::login::read() };
    (@method post) => { actix_web::web::post() };
}
use table;

/// Every area's routes.
const AREAS: &[&[Route]] = &[
    audit::ROUTES,
    dialects::ROUTES,
    explain::ROUTES,
    front::ROUTES,
    mail::ROUTES,
    organisations::list::ROUTES,
    organisations::show::ROUTES,
    organisations::members::ROUTES,
    organisations::invitations::ROUTES,
    organisations::roles::ROUTES,
    organisations::workspaces::ROUTES,
    organisations::domains::ROUTES,
    organisations::api_keys::ROUTES,
    organisations::branding::ROUTES,
    sessions::ROUTES,
    settings::ROUTES,
    setup::ROUTES,
    users::ROUTES,
    clients::ROUTES,
    providers::ROUTES,
    resources::ROUTES,
    keys::ROUTES,
];

/// Everything that the console answers.
pub fn all() -> impl Iterator<Item = &'static Route> {
    AREAS.iter().flat_map(|area| area.iter())
}

/// Mounts the console below the issuer's path. Words before what stands for any word: `/new` is no user.
pub fn routes(config: &mut ServiceConfig) {
    let mut paths: Vec<&str> = all().map(|route| route.path).collect();
    paths.sort_unstable_by_key(|path| words_first(path));
    paths.dedup();
    for path in paths {
        let mut found = resource(path);
        for route in all().filter(|route| route.path == path) {
            found = found.route((route.to)());
        }
        config.service(found);
    }
}

/// The parts of a path, in an order in which a word comes before what stands for any.
fn words_first(path: &str) -> Vec<(bool, &str)> {
    path.split('/').map(|part| (part.starts_with('{'), part)).collect()
}

/// What the route needs; `None` for what is no route of the console.
fn need_of(method: &str, path: &str) -> Option<Need> {
    let method = if method.eq_ignore_ascii_case("HEAD") { "get" } else { method };
    all()
        .find(|route| route.path == path && route.method.eq_ignore_ascii_case(method))
        .map(|route| route.need)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::console::{Act, Area};

    #[test]
    fn ad_3_looking_changes_nothing_and_changing_is_sent_by_a_form() {
        for route in all() {
            let place = route.path.starts_with("/admin");
            assert!(place, "{} is no place of the console", route.path);
            if route.method == "post" {
                assert_ne!(
                    route.need.act,
                    Act::See,
                    "{} is sent by a form: it changes something",
                    route.path
                );
            }
            let of_one = route.path.contains("{organization}");
            let area = route.need.area;
            assert_eq!(of_one, matches!(area, Area::Organisation | Area::Tenant), "{}", route.path);
        }
    }

    #[test]
    fn a_word_comes_before_what_stands_for_any() {
        let mut paths = ["/a/{b}/{c}", "/a/{b}", "/a/{b}/new", "/a/new", "/a/{b}/{c}/x"];
        paths.sort_unstable_by_key(|path| words_first(path));
        assert_eq!(paths, ["/a/new", "/a/{b}", "/a/{b}/new", "/a/{b}/{c}", "/a/{b}/{c}/x"]);
    }

    #[test]
    fn each_route_stands_once() {
        let mut seen: Vec<(&str, &str)> = all().map(|route| (route.method, route.path)).collect();
        let before = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), before);
    }
}
