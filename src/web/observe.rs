//! Around every request: its reference, one line in the log, its counters, the headers that every answer has, a
//! page or JSON for what went wrong, and a 500 for a handler that panicked (CR-10).
//!
//! The log has the route's pattern, never the path or the query; nothing of cookies and bodies (LO-2).

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use futures_util::FutureExt;
use serde_json::json;

use crate::app::App;
use crate::explain::Noted;
use crate::model::RefusalKind;
use crate::model::explanation::Explanation;
use crate::protocol::metadata::path;

use super::failure::{ApiFailure, PageFailure};
use super::fault::{Fault, Refused};
use super::guard::Refusal;
use super::lifecycle::Lifecycle;
use super::visit::Visit;
use super::{api, guard, respond};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Two years (CH-3). Other hosts below this one are not ours to decide for.
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// What is remembered of a request, since its handler takes it.
struct Seen {
    app: web::Data<App>,
    visit: Visit,
    started: Instant,
    method: &'static str,
    wants_html: bool,
    accept_language: Option<HeaderValue>,
    stopping: bool,
}

/// The middleware.
pub async fn observe(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let lifecycle = request.app_data::<web::Data<Lifecycle>>().expect("every server has one").clone();
    let _in_flight = lifecycle.enter();
    let seen = Seen::of(&request, lifecycle.is_stopping());
    if let Err(refusal) = guard::check(request.request()) {
        let answer = seen.finish(seen.worded(request.request(), refusal), None);
        return Ok(request.into_response(answer));
    }
    if request.method() == Method::HEAD {
        // Answered as GET; the server leaves the body away (RFC 9110 §9.3.2).
        request.head_mut().method = Method::GET;
    }
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(Ok(response)) => {
            let route = response.request().match_pattern();
            let (request, answer) = response.into_parts();
            let answer = seen.finish(answer.map_into_boxed_body(), route.as_deref());
            Ok(ServiceResponse::new(request, answer))
        }
        Ok(Err(error)) => Err(seen.without_request(HttpResponse::from_error(error))),
        Err(_panic) => {
            seen.app.metrics.panic();
            let failure = PageFailure::Internal("the handler panicked".to_owned());
            Err(seen.without_request(HttpResponse::from_error(failure)))
        }
    }
}

impl Seen {
    fn of(request: &ServiceRequest, stopping: bool) -> Self {
        let app = super::visit::app(request.request()).clone();
        let accept = request.headers().get(ACCEPT);
        Self {
            visit: Visit::of(&app, request.request()),
            app,
            started: Instant::now(),
            method: method_name(request.method()),
            wants_html: accept.is_some_and(accepts_html),
            accept_language: request.headers().get(ACCEPT_LANGUAGE).cloned(),
            stopping,
        }
    }

    /// A refusal in the words of the API that was called, if one was; for a person a page, where they can do something.
    fn worded(&self, request: &HttpRequest, refusal: Refusal) -> HttpResponse {
        let (app, usual) = (&self.app, refusal.answer());
        let status = usual.status().as_u16();
        let of_api = api::refuse(request, &app.config.issuer, status)
            .or_else(|| app.dialects.refuse(request, &app.config.issuer, status));
        let is_for_people = self.wants_html && refusal == Refusal::LargeBody;
        let of_page = || is_for_people.then(|| HttpResponse::from_error(PageFailure::TooLarge));
        match of_api.or_else(of_page) {
            Some(answer) => with_headers_of(&usual, answer),
            None => usual,
        }
    }

    /// The request is gone, but its answer is like any other.
    fn without_request(&self, answer: HttpResponse) -> Error {
        InternalError::from_response("answered without its request", self.finish(answer, None)).into()
    }

    /// Makes the answer complete, writes the line and counts.
    fn finish(&self, answer: HttpResponse, route: Option<&str>) -> HttpResponse {
        self.note(&answer, route.unwrap_or("none"));
        self.keep_reason(&answer, route.unwrap_or("none"));
        let mut answer = self.explain(answer);
        self.add_headers(answer.headers_mut());
        if self.stopping {
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
        answer
    }

    fn note(&self, answer: &HttpResponse, route: &str) {
        let (status, took) = (answer.status().as_u16(), self.started.elapsed());
        self.app.metrics.request(route, self.method, status, took);
        let error = answer.error();
        let page = error.and_then(|error| error.as_error::<PageFailure>());
        let api = error.and_then(|error| error.as_error::<ApiFailure>());
        let cause = match page {
            Some(PageFailure::Store(cause)) => Some(cause),
            _ => api.and_then(ApiFailure::cause),
        };
        if let Some(cause) = cause {
            self.app.metrics.database_error(cause);
        }
        let reference = self.visit.reference.as_str();
        if let (Some(error), true) = (error, status >= 500) {
            let cause: &dyn std::fmt::Display = match cause {
                Some(cause) => cause,
                None => error,
            };
            tracing::error!(request_id = reference, route, %cause, "a request failed");
        }
        let refused = error.and_then(|error| error.as_error::<Refused>());
        let refusal = page
            .map(ToString::to_string)
            .or_else(|| api.map(ToString::to_string))
            .or_else(|| refused.map(|refused| refused.fault.as_str().to_owned()));
        let hint = api.and_then(|failure| failure.error().hint());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "countersign::request",
                    method = self.method,
                    route,
                    status,
                    ms = took.as_secs_f64() * 1e3,
                    request_id = reference,
                    ip = self.visit.ip.map(tracing::field::display),
                    refusal,
                    hint,
                )
            };
        }
        // Probes come every second and say the same.
        if is_probe(route) { line!(debug) } else { line!(info) }
    }

    /// Keeps why the request was refused, if it was: by whoever knows best, and else by what the answer says.
    fn keep_reason(&self, answer: &HttpResponse, route: &str) {
        let error = answer.error();
        let slip = &self.visit.slip;
        let of_answer = || {
            let error = error?;
            let page = error.as_error::<PageFailure>().and_then(PageFailure::explanation);
            let api = || error.as_error::<ApiFailure>().map(ApiFailure::explanation);
            let call = || error.as_error::<Refused>().and_then(explanation_of_call);
            page.or_else(api).or_else(call)
        };
        let Some(explanation) = slip.explanation().or_else(of_answer) else { return };
        let noted = Noted {
            reference: self.visit.reference.to_string(),
            at: self.app.clock.now(),
            endpoint: endpoint(route),
            explanation,
            concerned: slip.concerned(),
            route: route.to_owned(),
            status: answer.status().as_u16(),
        };
        if !self.app.refusals.note(noted) {
            self.app.metrics.explanation_dropped();
        }
    }

    /// Gives an answer without words its page or its JSON.
    fn explain(&self, answer: HttpResponse) -> HttpResponse {
        let error = answer.error();
        if error.is_some_and(|error| error.as_error::<Refused>().is_some()) {
            return answer;
        }
        if let Some(failure) = error.and_then(|error| error.as_error::<ApiFailure>()) {
            let told = failure.answer(Some(&self.visit.reference));
            return with_headers_of(&answer, told);
        }
        if let Some(failure) = error.and_then(|error| error.as_error::<PageFailure>()) {
            let page = self.page(failure);
            return with_headers_of(&answer, page);
        }
        let unexplained = error.is_some() || is_empty(&answer);
        let failure = match answer.status() {
            StatusCode::NOT_FOUND => PageFailure::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => PageFailure::MethodNotAllowed,
            status if status.is_server_error() => PageFailure::Internal(String::new()),
            _ => return answer,
        };
        if !unexplained {
            return answer;
        }
        let explained = if self.wants_html {
            self.page(&failure)
        } else {
            respond::json_no_store(answer.status(), &json!({ "error": failure.problem().code() }))
        };
        with_headers_of(&answer, explained)
    }

    fn page(&self, failure: &PageFailure) -> HttpResponse {
        respond::error_page(&self.app, self.accept_language.as_ref(), &self.visit.reference, failure)
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // A page whose address holds a token says `no-referrer` itself.
        if !headers.contains_key(REFERRER_POLICY) {
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        }
        if self.app.config.issuer.is_https() {
            headers.insert(STRICT_TRANSPORT_SECURITY, TWO_YEARS);
        }
        if let Ok(reference) = HeaderValue::from_str(self.visit.reference.as_str()) {
            headers.insert(REQUEST_ID, reference);
        }
    }
}

/// `answer`, with what an earlier form of it said in headers: `Allow`, cookies, CORS, the end of the connection.
fn with_headers_of(earlier: &HttpResponse, mut answer: HttpResponse) -> HttpResponse {
    if earlier.head().connection_type() == ConnectionType::Close {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    let missing: Vec<_> =
        earlier.headers().iter().filter(|(name, _)| !answer.headers().contains_key(*name)).collect();
    for (name, value) in missing {
        answer.headers_mut().append(name.clone(), value.clone());
    }
    answer
}

/// A call of our own API. What is not there is refused to nobody.
fn explanation_of_call(refused: &Refused) -> Option<Explanation> {
    let is_absence = matches!(refused.fault, Fault::NotFound | Fault::MethodNotAllowed);
    (!is_absence).then(|| refused.explanation())
}

/// What an endpoint is there for.
fn endpoint(route: &str) -> RefusalKind {
    const WAYS_IN: [&str; 6] = ["/login", "/register", "/recover", "/setup", "/invitation", "/verify-email"];
    if [path::AUTHORIZE, path::PAR, "/consent"].iter().any(|path| route.contains(path)) {
        RefusalKind::Authorize
    } else if route.contains(path::TOKEN) {
        RefusalKind::Token
    } else if WAYS_IN.iter().any(|way| route.contains(way)) {
        RefusalKind::SignIn
    } else {
        RefusalKind::Api
    }
}

fn is_empty(answer: &HttpResponse) -> bool {
    matches!(answer.body().size(), BodySize::None | BodySize::Sized(0))
}

fn accepts_html(accept: &HeaderValue) -> bool {
    accept.to_str().is_ok_and(|accept| accept.contains("text/html"))
}

fn is_probe(route: &str) -> bool {
    ["/livez", "/readyz", "/healthz", "/metrics"].iter().any(|probe| route.ends_with(probe))
}

/// A label: a stranger's own words for a method are `other`.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
