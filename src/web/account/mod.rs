//! The account area: what somebody signed in sees and changes of their own account.
//!
//! One file for each page. A page that shows asks who is signed in with `owner`; one that changes what matters asks
//! with [`Visitor::confirmed`], which wants a proof of just now (SE-7).

mod addresses;
mod api_keys;
mod applications;
mod data;
mod overview;
mod password;
mod profile;
pub mod providers;
mod security;
mod sessions;

use actix_web::web::{ServiceConfig, post, resource};
use actix_web::{HttpResponse, Route};

use crate::identity::reauthentication;
use crate::identity::session::SignedIn;
use crate::store;
use crate::web::login::read;
use crate::web::login::visitor::{Visitor, proof_page};
use crate::web::page::Section;

/// Mounts the pages below the issuer's path.
pub fn routes(config: &mut ServiceConfig) {
    let change = |path: &str, handler: Route| (path.to_owned(), handler);
    let pages = [
        resource("/account").route(read().to(overview::show)),
        resource("/account/profile").route(read().to(profile::show)).route(post().to(profile::change)),
        resource("/account/addresses").route(read().to(addresses::show)).route(post().to(addresses::add)),
        resource("/account/email")
            .route(read().to(addresses::show_replacing))
            .route(post().to(addresses::replace)),
        resource("/account/password").route(read().to(password::show)).route(post().to(password::change)),
        resource("/account/security").route(read().to(security::show)),
        resource("/account/providers").route(read().to(providers::show)),
        resource("/account/sessions").route(read().to(sessions::show)),
        resource("/account/applications").route(read().to(applications::show)),
        resource("/account/api-keys").route(read().to(api_keys::show)).route(post().to(api_keys::create)),
        resource("/account/data").route(read().to(data::show)).route(post().to(data::export)),
        resource("/account/delete").route(read().to(data::show_end)).route(post().to(data::delete)),
    ];
    for page in pages {
        config.service(page);
    }
    let acts = [
        change("/account/addresses/primary", post().to(addresses::make_primary)),
        change("/account/addresses/remove", post().to(addresses::remove)),
        change("/account/addresses/resend", post().to(addresses::resend)),
        change("/account/security/remove", post().to(security::remove)),
        change("/account/security/recovery-codes", post().to(security::new_codes)),
        change("/account/providers/link", post().to(providers::link)),
        change("/account/providers/unlink", post().to(providers::unlink)),
        change("/account/sessions/end", post().to(sessions::end)),
        change("/account/sessions/end-all", post().to(sessions::end_elsewhere)),
        change("/account/applications/remove", post().to(applications::remove)),
        change("/account/api-keys/rotate", post().to(api_keys::rotate)),
        change("/account/api-keys/revoke", post().to(api_keys::revoke)),
    ];
    for (path, route) in acts {
        config.service(resource(path).route(route));
    }
}

/// Whose account this is, or the way to the sign-in page, which comes back to this page.
async fn owner(visitor: &Visitor, page: Section) -> Result<Result<SignedIn, HttpResponse>, store::Error> {
    let current = visitor.accounts().await?.into_iter().next();
    Ok(current.ok_or_else(|| match page {
        Section::Overview => visitor.go("/login"),
        page => visitor.go(&format!("/login?next={}", page.path())),
    }))
}

/// Where whoever is here proves it anew before anything on this page can be changed, if that is due (SE-7).
async fn confirmation(
    visitor: &Visitor,
    account: &SignedIn,
    page: Section,
) -> Result<Option<String>, store::Error> {
    let due = reauthentication::due(&visitor.app, account).await?;
    Ok(due
        .map(|due| format!("{}{}", visitor.app.config.issuer.path(), proof_page(due, account, page.path()))))
}
