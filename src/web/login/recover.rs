//! `/recover`: a forgotten password. Asking has one answer for all (PW-6), looking spends nothing (PW-7).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;

use crate::crypto::Secret;
use crate::grants::authorization::Underway;
use crate::identity::link::LinkError;
use crate::identity::recovery::{self, Asked, RegisteredRedirect, Reset, ResetError};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{LinkKind, LinkSentPage, RecoverPage, ResetDonePage, ResetPage, SentKind};
use crate::web::respond::Csp;

use super::Visitor;
use super::joining::{Complaint, link_expired};
use super::visitor::{no_referrer, retry_after};

/// `GET /recover`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let underway = visitor.underway_if_any(params.get("request")).await?;
    form(&visitor, underway.as_ref(), "", Complaint::default()).await
}

/// `POST /recover`.
pub async fn ask(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let underway = visitor.underway_if_any(params.get("request")).await?;
    let email = params.get("email").unwrap_or_default();
    if let Some(provider) = visitor.provider_of(email).await? {
        return Ok(visitor.go_to_provider(&provider, underway.as_ref()));
    }
    let frame = visitor.frame(underway.as_ref());
    let ui = frame.ui(None);
    let asked = Asked {
        email: email.to_owned(),
        language: ui.language,
        device: visitor.browser.device.clone(),
        request: underway.as_ref().map(|underway| underway.row.id),
        return_to: None,
    };
    match recovery::request(&visitor.app, asked, &visitor.origin).await {
        Ok(()) => {
            let page = LinkSentPage {
                ui: &ui,
                kind: SentKind::Reset,
                email: email.trim(),
                lasts: visitor.app.config.lifetimes.reset,
                for_developers: visitor.app.config.has_dev_pages(),
            };
            Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
        }
        Err(error) => form(&visitor, underway.as_ref(), email, Complaint::not_asked(error)?).await,
    }
}

/// `GET /recover/{token}`.
pub async fn open(visitor: Visitor, token: Path<String>) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    match recovery::open(&visitor.app, &token, &visitor.origin).await {
        Ok(opened) => Ok(reset_form(&visitor, &token, &opened.email, Complaint::default())),
        Err(error) => no_link(&visitor, error),
    }
}

/// `POST /recover/{token}`.
pub async fn reset(
    visitor: Visitor,
    token: Path<String>,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    let password = Secret::from_text(params.get("password").unwrap_or_default());
    let (notices, origin) = (visitor.notices(), &visitor.origin);
    let complaint = match recovery::reset(&visitor.app, &token, &password, notices, origin).await {
        Ok(reset) => return done(&visitor, &reset).await,
        Err(ResetError::Link(error)) => return no_link(&visitor, error),
        Err(ResetError::Weak(weak)) => Complaint::weak(weak),
        Err(ResetError::Busy(busy)) => Complaint::busy(busy),
    };
    match recovery::open(&visitor.app, &token, &visitor.origin).await {
        Ok(opened) => Ok(reset_form(&visitor, &token, &opened.email, complaint)),
        Err(error) => no_link(&visitor, error),
    }
}

async fn done(visitor: &Visitor, reset: &Reset) -> Result<HttpResponse, PageFailure> {
    // Only in the browser that began the request (PW-9).
    let id = reset.request.map(|id| id.to_string());
    let underway = visitor.underway_if_any(id.as_deref()).await?;
    let frame = visitor.frame(underway.as_ref());
    let ui = frame.ui(None);
    let page = ResetDonePage {
        ui: &ui,
        request: id.as_deref().filter(|_| underway.is_some()),
        return_to: reset.return_to.as_ref().map(RegisteredRedirect::as_str),
    };
    Ok(no_referrer(visitor.show(&ui, StatusCode::OK, &page, Csp::Own)))
}

async fn form(
    visitor: &Visitor,
    underway: Option<&Underway>,
    email: &str,
    complaint: Complaint,
) -> Result<HttpResponse, PageFailure> {
    let frame = visitor.frame(underway);
    let ui = frame.ui(None);
    let request = underway.map(|underway| underway.row.id.to_string());
    let page = RecoverPage {
        ui: &ui,
        request: request.as_deref(),
        email,
        errors: complaint.errors,
        problem: complaint.problem,
    };
    let csp = visitor.csp_of_addresses().await?;
    Ok(retry_after(visitor.show(&ui, complaint.status, &page, csp), complaint.failure.as_ref()))
}

fn reset_form(visitor: &Visitor, token: &Secret, email: &str, complaint: Complaint) -> HttpResponse {
    let frame = visitor.frame(None);
    let ui = frame.ui(None);
    let page = ResetPage {
        ui: &ui,
        token: token.expose(),
        email,
        errors: complaint.errors,
        problem: complaint.problem,
        min_length: visitor.app.config.password.min_length,
    };
    let response = visitor.show(&ui, complaint.status, &page, Csp::Own);
    no_referrer(retry_after(response, complaint.failure.as_ref()))
}

fn no_link(visitor: &Visitor, error: LinkError) -> Result<HttpResponse, PageFailure> {
    match error {
        LinkError::Expired => Ok(link_expired(visitor, LinkKind::Reset)),
        LinkError::Throttled(throttled) => Err(throttled.into()),
        LinkError::Store(error) => Err(error.into()),
    }
}
