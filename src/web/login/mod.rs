//! The pages for people on their way in: landing, sign-in, account chooser, consent, registration, set-up.
//!
//! A page that belongs to an authorization request changes what is stored and goes back to that request's address,
//! where [`crate::grants::authorization::step`] says what comes next. No page chooses for itself.

mod ceremony;
mod chooser;
mod claim;
mod consent;
mod enrol;
mod factor;
pub mod federation;
mod invitation;
pub mod joining;
mod landing;
mod link;
mod magic;
mod next;
mod organisation;
mod passkey;
mod recover;
mod register;
mod setup;
mod sign_in;
mod situation;
mod verify_email;
pub mod visitor;

use actix_web::Route;
use actix_web::guard::{Any, Get, Head};
use actix_web::web::{ServiceConfig, get, post, resource, route};

use visitor::Visitor;

/// Mounts the pages below the issuer's path.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource(["", "/"]).route(read().to(landing::show)))
        .service(resource("/login").route(read().to(sign_in::show)).route(post().to(sign_in::submit)))
        .configure(factors)
        .service(resource("/login/magic").route(read().to(magic::back)).route(post().to(magic::ask)))
        .service(
            resource("/login/magic/{token}").route(read().to(magic::show)).route(post().to(magic::redeem)),
        )
        .service(resource("/login/code").route(read().to(magic::back)).route(post().to(magic::submit_code)))
        .service(resource("/login/federation/{provider}").route(get().to(federation::start)))
        .service(
            resource("/login/federation/{provider}/callback")
                .route(get().to(federation::callback))
                .route(post().to(federation::callback_by_form)),
        )
        .service(resource("/login/choose").route(read().to(chooser::show)).route(post().to(chooser::submit)))
        .service(
            resource("/login/organization")
                .route(read().to(organisation::show))
                .route(post().to(organisation::submit)),
        )
        .service(resource("/consent").route(read().to(consent::show)).route(post().to(consent::submit)))
        .service(
            resource("/invitation/{reference}")
                .route(read().to(invitation::show))
                .route(post().to(invitation::submit)),
        )
        .service(resource("/register").route(read().to(register::show)).route(post().to(register::submit)))
        .service(resource("/register/{token}").route(read().to(link::show)).route(post().to(link::submit)))
        .service(resource("/setup/{token}").route(read().to(setup::show)).route(post().to(setup::submit)))
        .service(resource("/setup/{token}/passkey").route(post().to(setup::submit_passkey)))
        .service(resource("/setup/{token}/passkey/options").route(post().to(setup::passkey_options)))
        .service(resource("/recover").route(read().to(recover::show)).route(post().to(recover::ask)))
        .service(
            resource("/recover/{token}").route(read().to(recover::open)).route(post().to(recover::reset)),
        )
        .service(
            resource("/verify-email/{token}")
                .route(read().to(verify_email::show))
                .route(post().to(verify_email::confirm)),
        );
}

/// Passkeys and second factors.
fn factors(config: &mut ServiceConfig) {
    config
        .service(resource("/login/passkey").route(post().to(passkey::submit)))
        .service(resource("/login/passkey/options").route(post().to(passkey::options)))
        .service(resource("/login/factor").route(read().to(factor::show)).route(post().to(factor::submit)))
        .service(resource("/login/factor/passkey/options").route(post().to(factor::passkey_options)))
        .service(resource("/login/enrol").route(read().to(enrol::show)))
        .service(
            resource("/login/enrol/totp")
                .route(read().to(enrol::show_totp))
                .route(post().to(enrol::confirm_totp)),
        )
        .service(resource("/login/enrol/totp/start").route(post().to(enrol::start_totp)))
        .service(resource("/login/enrol/passkey").route(post().to(enrol::add_passkey)))
        .service(resource("/login/enrol/passkey/options").route(post().to(enrol::passkey_options)));
}

/// What looks and changes nothing.
pub fn read() -> Route {
    route().guard(Any(Get()).or(Head()))
}
