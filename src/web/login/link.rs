//! `/register/{token}`: what the links of registrations and invitations open. Looking spends nothing (PW-7).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;

use crate::config::RegistrationMode;
use crate::crypto::Secret;
use crate::identity::registration::{self, Choice, Opened, RegistrationError};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{InvitePage, LinkKind, RegisterConfirmPage};
use crate::web::respond::Csp;

use super::Visitor;
use super::joining::{Complaint, Setback, link_expired};
use super::visitor::{Welcome, no_referrer, retry_after};

/// `GET /register/{token}`.
pub async fn show(visitor: Visitor, token: Path<String>) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    match registration::open(&visitor.app, &token, visitor.browser.binding.as_ref(), &visitor.origin).await {
        Ok(Opened::Registration { email }) => Ok(confirmation(&visitor, &token, &email)),
        Ok(Opened::Invitation { email }) => {
            Ok(invitation(&visitor, &token, &email, "", Complaint::default()))
        }
        Err(error) => no_link(&visitor, error),
    }
}

/// `POST /register/{token}`.
pub async fn submit(
    visitor: Visitor,
    token: Path<String>,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    match registration::open(&visitor.app, &token, visitor.browser.binding.as_ref(), &visitor.origin).await {
        Ok(Opened::Registration { .. }) => confirm(&visitor, &token).await,
        Ok(Opened::Invitation { email }) => {
            let name = params.get("name").unwrap_or_default();
            let password = Secret::from_text(params.get("password").unwrap_or_default());
            accept(&visitor, &token, &email, name, password).await
        }
        Err(error) => no_link(&visitor, error),
    }
}

async fn confirm(visitor: &Visitor, token: &Secret) -> Result<HttpResponse, PageFailure> {
    let others = visitor.accounts().await?;
    let browser = visitor.browser.binding.as_ref();
    let joined =
        match registration::confirm(&visitor.app, token, browser, visitor.arrival(), &visitor.origin).await {
            Ok(joined) => joined,
            Err(error) => return no_link(visitor, error),
        };
    // Only in the browser that began the request (PW-9); elsewhere the person is signed in and that is all.
    let id = joined.request.map(|id| id.to_string());
    let underway = visitor.underway_if_any(id.as_deref()).await?;
    let (begun, underway) = (&joined.begun, underway.as_ref());
    Ok(visitor.welcome(Welcome { begun, others: &others, remember: false, underway }, "/").await)
}

async fn accept(
    visitor: &Visitor,
    token: &Secret,
    email: &str,
    name: &str,
    password: Secret,
) -> Result<HttpResponse, PageFailure> {
    let others = visitor.accounts().await?;
    let choice = Choice { name: name.to_owned(), password };
    let accepted = registration::accept(&visitor.app, token, choice, visitor.arrival(), &visitor.origin);
    match accepted.await {
        Ok(begun) => {
            let welcome = Welcome { begun: &begun, others: &others, remember: false, underway: None };
            Ok(visitor.welcome(welcome, "/").await)
        }
        Err(error) => Ok(match Setback::of(error)? {
            Setback::Form(complaint) => invitation(visitor, token, email, name, complaint),
            Setback::LinkExpired => link_expired(visitor, LinkKind::Invite),
        }),
    }
}

fn confirmation(visitor: &Visitor, token: &Secret, email: &str) -> HttpResponse {
    let frame = visitor.frame(None);
    let ui = frame.ui(None);
    let page = RegisterConfirmPage { ui: &ui, token: token.expose(), email };
    // The way back to the application may follow this form.
    no_referrer(visitor.show(&ui, StatusCode::OK, &page, Csp::Flow))
}

fn invitation(
    visitor: &Visitor,
    token: &Secret,
    email: &str,
    name: &str,
    complaint: Complaint,
) -> HttpResponse {
    let frame = visitor.frame(None);
    let ui = frame.ui(None);
    let page = InvitePage {
        ui: &ui,
        token: token.expose(),
        email,
        name,
        errors: complaint.errors,
        problem: complaint.problem,
        min_length: visitor.app.config.password.min_length,
    };
    let response = visitor.show(&ui, complaint.status, &page, Csp::Own);
    no_referrer(retry_after(response, complaint.failure.as_ref()))
}

fn no_link(visitor: &Visitor, error: RegistrationError) -> Result<HttpResponse, PageFailure> {
    match Setback::of(error)? {
        Setback::Form(Complaint { failure: Some(failure), .. }) => Err(failure),
        Setback::Form(_) | Setback::LinkExpired => {
            let open = visitor.app.config.registration_mode() == RegistrationMode::Open;
            Ok(link_expired(visitor, if open { LinkKind::Register } else { LinkKind::Invite }))
        }
    }
}
