//! `/setup/{token}`: the first administrator (AD-1), with a password or with a passkey.
//!
//! The passkey's form has no fields of its own: its script takes over what was typed for the other one. When something
//! typed is wrong, the script sends the form without an answer, and the page comes back and says what.

use actix_web::HttpResponse;
use actix_web::web::Path;

use crate::crypto::Secret;
use crate::identity::factor::passkey::{self, PasskeyError};
use crate::identity::registration::{RegistrationError, Typed};
use crate::identity::setup::{self, Installed, PasskeySetUpError, Person};
use crate::protocol::Params;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{LinkKind, SetupPage};
use crate::web::respond::Csp;

use super::Visitor;
use super::ceremony::{answer_of, challenge};
use super::joining::{Complaint, Setback, link_expired};
use super::visitor::{Welcome, no_referrer, retry_after};

/// The first steps; where the console has a listener of its own, the one step that is not in it.
fn next(visitor: &Visitor) -> &'static str {
    match visitor.app.config.server.console_listen {
        None => "/admin/setup",
        Some(_) => "/account/security",
    }
}

/// `GET /setup/{token}`.
pub async fn show(visitor: Visitor, token: Path<String>) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    match setup::open(&visitor.app, &token, &visitor.origin).await {
        Ok(()) => Ok(form(&visitor, &token, &Params::default(), Complaint::default())),
        Err(RegistrationError::Throttled(throttled)) => Err(throttled.into()),
        Err(error) => come_back(&visitor, &token, &Params::default(), error),
    }
}

/// `POST /setup/{token}`.
pub async fn submit(
    visitor: Visitor,
    token: Path<String>,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    let text = |name| params.get(name).unwrap_or_default().to_owned();
    let typed =
        Typed { name: text("name"), email: text("email"), password: Secret::from_text(text("password")) };
    match setup::first_administrator(&visitor.app, &token, &typed, visitor.arrival(), &visitor.origin).await {
        Ok(installed) => welcome(&visitor, &installed).await,
        Err(error) => come_back(&visitor, &token, &params, error),
    }
}

/// `POST /setup/{token}/passkey/options`.
pub async fn passkey_options(
    visitor: Visitor,
    token: Path<String>,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    let (app, binding) = (&visitor.app, visitor.binding());
    challenge(match setup::passkey_challenge(app, &token, person(&params), binding, &visitor.origin).await {
        Ok(challenge) => Ok(challenge),
        Err(PasskeySetUpError::Passkey(error)) => Err(error),
        Err(PasskeySetUpError::Registration(RegistrationError::Store(error))) => Err(error.into()),
        Err(PasskeySetUpError::Registration(RegistrationError::Throttled(throttled))) => {
            Err(PasskeyError::Throttled(throttled))
        }
        // The page that comes back when the form is sent says what is wrong.
        Err(PasskeySetUpError::Registration(_)) => Err(PasskeyError::Gone),
    })
}

/// `POST /setup/{token}/passkey`.
pub async fn submit_passkey(
    visitor: Visitor,
    token: Path<String>,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    let (answer, arrival) = (answer_of(&visitor, &params), visitor.arrival());
    let made = setup::first_administrator_with_passkey(
        &visitor.app,
        &token,
        person(&params),
        &answer,
        arrival,
        &visitor.origin,
    );
    match made.await {
        Ok(installed) => welcome(&visitor, &installed).await,
        Err(PasskeySetUpError::Registration(error)) => come_back(&visitor, &token, &params, error),
        Err(PasskeySetUpError::Passkey(PasskeyError::Store(error))) => Err(error.into()),
        Err(PasskeySetUpError::Passkey(PasskeyError::Throttled(throttled))) => Err(throttled.into()),
        Err(PasskeySetUpError::Passkey(
            PasskeyError::Refused | PasskeyError::Gone | PasskeyError::Unavailable,
        )) => Ok(form(&visitor, &token, &params, Complaint::passkey())),
    }
}

fn person(params: &Params) -> Person<'_> {
    Person { name: params.get("name").unwrap_or_default(), email: params.get("email").unwrap_or_default() }
}

/// Whoever administers now is signed in, and sees the recovery codes if there are any.
async fn welcome(visitor: &Visitor, installed: &Installed) -> Result<HttpResponse, PageFailure> {
    let others = visitor.accounts().await?;
    let welcome = Welcome { begun: &installed.begun, others: &others, remember: false, underway: None };
    Ok(visitor.welcome_with_codes(welcome, &installed.recovery_codes, next(visitor)).await)
}

fn come_back(
    visitor: &Visitor,
    token: &Secret,
    typed: &Params,
    error: RegistrationError,
) -> Result<HttpResponse, PageFailure> {
    Ok(match Setback::of(error)? {
        Setback::Form(complaint) => form(visitor, token, typed, complaint),
        Setback::LinkExpired => link_expired(visitor, LinkKind::Setup),
    })
}

fn form(visitor: &Visitor, token: &Secret, typed: &Params, complaint: Complaint) -> HttpResponse {
    let frame = visitor.frame(None);
    let ui = frame.ui(None);
    let page = SetupPage {
        ui: &ui,
        token: token.expose(),
        name: typed.get("name").unwrap_or_default(),
        email: typed.get("email").unwrap_or_default(),
        errors: complaint.errors,
        problem: complaint.problem,
        min_length: visitor.app.config.password.min_length,
        can_passkey: passkey::is_available(&visitor.app.config),
    };
    let response = visitor.show(&ui, complaint.status, &page, Csp::Own);
    no_referrer(retry_after(response, complaint.failure.as_ref()))
}
