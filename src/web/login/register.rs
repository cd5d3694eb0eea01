//! `/register`: the form that asks for a link. The answer is the same whoever has the address (PW-6).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::config::RegistrationMode;
use crate::crypto::Secret;
use crate::grants::authorization::Underway;
use crate::identity::registration::{self, Asked, Typed};
use crate::protocol::Params;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{RegisterPage, RegisterSentPage};
use crate::web::respond::Csp;

use super::Visitor;
use super::joining::{Complaint, Setback};
use super::visitor::retry_after;

/// `GET /register`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    only_if_open(&visitor)?;
    let underway = visitor.underway_if_any(visitor.query()?.get("request")).await?;
    form(&visitor, underway.as_ref(), &Params::default(), Complaint::default()).await
}

/// `POST /register`.
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    only_if_open(&visitor)?;
    let underway = visitor.underway_if_any(params.get("request")).await?;
    if let Some(provider) = visitor.provider_of(params.get("email").unwrap_or_default()).await? {
        return Ok(visitor.go_to_provider(&provider, underway.as_ref()));
    }
    let frame = visitor.frame(underway.as_ref());
    let ui = frame.ui(None);
    let text = |name| params.get(name).unwrap_or_default().to_owned();
    let asked = Asked {
        typed: Typed {
            name: text("name"),
            email: text("email"),
            password: Secret::from_text(text("password")),
        },
        language: ui.language,
        request: underway.as_ref().map(|underway| underway.row.id),
        browser: visitor.browser.binding.clone(),
    };
    match registration::request(&visitor.app, asked, &visitor.origin).await {
        Ok(()) => {
            let page = RegisterSentPage {
                ui: &ui,
                email: params.get("email").unwrap_or_default().trim(),
                lasts: visitor.app.config.lifetimes.verify,
                for_developers: visitor.app.config.has_dev_pages(),
            };
            Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
        }
        Err(error) => match Setback::of(error)? {
            Setback::Form(complaint) => form(&visitor, underway.as_ref(), &params, complaint).await,
            Setback::LinkExpired => Err(PageFailure::NotFound),
        },
    }
}

/// Where nobody may register there is no such page.
fn only_if_open(visitor: &Visitor) -> Result<(), PageFailure> {
    match visitor.app.config.registration_mode() {
        RegistrationMode::Open => Ok(()),
        RegistrationMode::Invited | RegistrationMode::Closed => Err(PageFailure::NotFound),
    }
}

async fn form(
    visitor: &Visitor,
    underway: Option<&Underway>,
    typed: &Params,
    complaint: Complaint,
) -> Result<HttpResponse, PageFailure> {
    let frame = visitor.frame(underway);
    let ui = frame.ui(None);
    let request = underway.map(|underway| underway.row.id.to_string());
    let page = RegisterPage {
        ui: &ui,
        request: request.as_deref(),
        name: typed.get("name").unwrap_or_default(),
        email: typed.get("email").unwrap_or_default(),
        errors: complaint.errors,
        problem: complaint.problem,
        min_length: visitor.app.config.password.min_length,
    };
    let csp = visitor.csp_of_addresses().await?;
    Ok(retry_after(visitor.show(&ui, complaint.status, &page, csp), complaint.failure.as_ref()))
}
