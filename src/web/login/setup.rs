//! `/setup/{token}`: the first administrator (AD-1).

use actix_web::HttpResponse;
use actix_web::web::Path;

use crate::crypto::Secret;
use crate::identity::registration::{RegistrationError, Typed};
use crate::identity::setup;
use crate::protocol::Params;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{LinkKind, SetupPage};
use crate::web::respond::Csp;

use super::Visitor;
use super::joining::{Complaint, Setback, link_expired};
use super::visitor::{Welcome, no_referrer, retry_after};

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
    let others = visitor.accounts().await?;
    let text = |name| params.get(name).unwrap_or_default().to_owned();
    let typed =
        Typed { name: text("name"), email: text("email"), password: Secret::from_text(text("password")) };
    match setup::first_administrator(&visitor.app, &token, &typed, visitor.arrival(), &visitor.origin).await {
        Ok(begun) => {
            let welcome = Welcome { begun: &begun, others: &others, remember: false, underway: None };
            Ok(visitor.welcome(welcome, "/admin/setup").await)
        }
        Err(error) => come_back(&visitor, &token, &params, error),
    }
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
    };
    let response = visitor.show(&ui, complaint.status, &page, Csp::Own);
    no_referrer(retry_after(response, complaint.failure.as_ref()))
}
