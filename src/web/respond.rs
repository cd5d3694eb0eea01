//! How answers leave: pages with their policies, redirects, JSON that nobody keeps.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, LOCATION, PRAGMA, RETRY_AFTER,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use crate::app::App;
use crate::crypto::Secret;
use crate::model::language::negotiate;
use crate::model::{Language, Zone};
use crate::tenancy::branding::Brand;

use super::csrf;
use super::failure::PageFailure;
use super::page::{ErrorPage, Page};
use super::ui::Ui;
use super::visit::{Reference, Visit};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Where a page stands, which decides what its forms may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Csp {
    /// Our own matters: its forms stay here, and no other window has a hand on it.
    Own,
    /// One of our own whose form ends at another site, at an identity provider: browsers apply `form-action` to the whole
    /// chain of redirects after a form.
    Outward,
    /// Part of a running authorization request. Browsers apply `form-action` to the whole chain of redirects after
    /// a form, so it is left out: the way back to the application ends there (CH-2). Applications that sign in
    /// through a pop-up keep their hold on the window (CH-3).
    Flow,
}

/// What a request's pages are shown with: language, form token and the names of this instance.
///
/// Lives as long as the handler; [`Frame::ui`] is what a page takes.
#[derive(Debug)]
pub struct Frame<'a> {
    language: Language,
    base: &'a str,
    product: &'a str,
    csrf: String,
    zone: Option<Zone>,
    reference: Option<Reference>,
    brand: Option<Brand>,
}

impl<'a> Frame<'a> {
    /// For this visitor. `binding` is the browser's: without one the pages have no forms. `ui_locales` are the
    /// languages that the running authorization request asks for.
    pub fn new(app: &'a App, request: &HttpRequest, binding: Option<&Secret>, ui_locales: &[String]) -> Self {
        let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let visit = Visit::of(app, request);
        Self {
            // Everybody who is refused sees one, whatever the reason: it says nothing of it (PW-6).
            reference: visit.slip.is_refused().then_some(visit.reference),
            csrf: binding.map(|binding| csrf::token(&app.master, binding)).unwrap_or_default(),
            ..Self::plain(app, negotiate(ui_locales, accepted))
        }
    }

    fn plain(app: &'a App, language: Language) -> Self {
        Self {
            language,
            base: app.config.issuer.path(),
            product: &app.config.branding.product_name,
            csrf: String::new(),
            zone: None,
            reference: None,
            brand: None,
        }
    }

    /// Times are shown as they are read in this zone.
    #[must_use]
    pub fn in_zone(self, zone: Option<Zone>) -> Self {
        Self { zone, ..self }
    }

    /// Looks as the organisation chose that the page is about.
    #[must_use]
    pub fn branded(self, brand: Option<Brand>) -> Self {
        Self { brand, ..self }
    }

    /// For a page; `account` is who is signed in, as the header shows it.
    pub fn ui<'s>(&'s self, account: Option<&'s str>) -> Ui<'s> {
        Ui {
            language: self.language,
            base: self.base,
            csrf: &self.csrf,
            product: self.product,
            account,
            zone: self.zone.as_ref(),
            reference: self.reference.as_ref().map(Reference::as_str),
            brand: self.brand.as_ref(),
        }
    }
}

/// A page with the headers of CH-2 and CH-3. Nobody stores it.
pub fn page(ui: &Ui<'_>, status: StatusCode, page: &impl Page, csp: Csp) -> HttpResponse {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => return HttpResponse::from_error(PageFailure::Internal(error.to_string())),
    };
    let opener = if csp == Csp::Flow { "unsafe-none" } else { "same-origin" };
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_LANGUAGE, ui.lang()))
        .insert_header((CONTENT_SECURITY_POLICY, policy(csp, &page.image_origins(), page.connects())))
        .insert_header((COOP, opener))
        .insert_header((CACHE_CONTROL, NO_STORE))
        .body(html)
}

fn policy(csp: Csp, image_origins: &[String], connects: bool) -> String {
    let mut policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'".to_owned();
    for origin in image_origins {
        policy.push(' ');
        policy.push_str(origin);
    }
    if connects {
        policy.push_str("; connect-src 'self'");
    }
    if csp == Csp::Own {
        policy.push_str("; form-action 'self'");
    }
    policy.push_str("; frame-ancestors 'none'; base-uri 'none'");
    policy
}

/// The page of a failure.
pub fn error_page(
    app: &App,
    accept_language: Option<&HeaderValue>,
    reference: &Reference,
    failure: &PageFailure,
) -> HttpResponse {
    let accepted = accept_language.and_then(|value| value.to_str().ok());
    let frame = Frame::plain(app, negotiate::<&str>(&[], accepted));
    let (ui, problem) = (frame.ui(None), failure.problem());
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer =
        page(&ui, status, &ErrorPage { ui: &ui, problem, reference: reference.as_str() }, Csp::Own);
    if let Some(wait) = failure.retry_after() {
        answer.headers_mut().insert(RETRY_AFTER, seconds(wait));
    }
    answer
}

/// To another address, by GET whatever the request was (RFC 9110 §15.4.4).
pub fn see_other(location: &str) -> HttpResponse {
    match HeaderValue::from_str(location) {
        Ok(location) => HttpResponse::SeeOther()
            .insert_header((LOCATION, location))
            .insert_header((CACHE_CONTROL, NO_STORE))
            .finish(),
        Err(_) => HttpResponse::from_error(PageFailure::Internal(
            "an address to go to cannot stand in a header".to_owned(),
        )),
    }
}

/// An answer that no cache keeps.
pub fn no_store(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CACHE_CONTROL, NO_STORE));
    answer
}

/// JSON that no cache keeps (RFC 6749 §5.1).
pub fn json_no_store(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, NO_STORE))
        .insert_header((PRAGMA, HeaderValue::from_static("no-cache")))
        .json(value)
}

/// The members of problem details (RFC 9457).
pub fn problem_details(status: StatusCode, code: &str, detail: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
    })
}

/// Problem details as an answer of their own status.
pub fn problem(details: &serde_json::Value) -> HttpResponse {
    let status = details["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let mut answer = json_no_store(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), details);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer
}

/// What may stand in the value of a header as it is; everything else is percent-encoded, as UTF-8.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'"').add(b',').add(b';').add(b'\\');

/// Somebody's own text as the value of a header, or as part of one: whoever reads it decodes it, and can split lists first.
pub fn in_header(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Whole seconds, rounded up, for `Retry-After`.
pub(super) fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ch_2_the_policy_names_what_a_page_may_load_and_where_its_forms_go() {
        assert_eq!(
            policy(Csp::Own, &[], false),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'"
        );
        assert_eq!(
            policy(Csp::Outward, &[], false),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; \
             base-uri 'none'"
        );
        assert_eq!(
            policy(Csp::Flow, &["https://cdn.example.org".to_owned()], true),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https://cdn.example.org; \
             connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
    }

    #[test]
    fn a_redirect_is_303_and_no_header_can_be_smuggled_in() {
        let answer = see_other("/auth/oauth2/authorize/arq_1");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers().get(LOCATION).unwrap(), "/auth/oauth2/authorize/arq_1");
        let answer = see_other("/\r\nSet-Cookie: a=b");
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.headers().is_empty());
    }
}
