//! Which scripts of other origins may read our answers (CH-4, RFC 9700 §2.6).
//!
//! Everybody may read discovery and the JWKS. The token, userinfo and revocation endpoints are open to the origins
//! of the redirect URIs that active public clients registered; errors included, so that a developer sees them. Never
//! with credentials, never on a page. An endpoint asks for it: `.wrap(from_fn(cors::for_browser_clients))`.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

use super::visit::app;

/// For discovery and the JWKS.
pub async fn for_anyone(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let any = HeaderValue::from_static("*");
    if is_preflight(&request) {
        return Ok(request.into_response(preflight(Some(any), USUAL)));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
    Ok(response)
}

/// For the token, userinfo and revocation endpoints.
pub async fn for_browser_clients(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    for_registered(USUAL, request, next).await
}

/// For the API of applications of the same house.
pub async fn for_api_clients(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let sent = Sent {
        methods: "GET, POST, PUT, PATCH, DELETE",
        headers: "Authorization, Content-Type, Idempotency-Key, X-Organization-ID, X-Workspace-ID",
    };
    for_registered(sent, request, next).await
}

/// What a script may send.
#[derive(Clone, Copy)]
struct Sent {
    methods: &'static str,
    headers: &'static str,
}

const USUAL: Sent = Sent { methods: "GET, POST", headers: "Authorization, Content-Type" };

async fn for_registered(
    sent: Sent,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let allowed = match request.headers().get(ORIGIN) {
        Some(origin) => allow(&request, origin).await,
        None => None,
    };
    if is_preflight(&request) {
        return Ok(request.into_response(preflight(allowed, sent)));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed =
            HeaderValue::from_static("WWW-Authenticate, Retry-After, X-Request-Id, Idempotency-Replayed");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    Ok(response)
}

/// The origin, if a public client registered it. While the database cannot say so, nobody did.
async fn allow(request: &ServiceRequest, origin: &HeaderValue) -> Option<HeaderValue> {
    let text = origin.to_str().ok()?;
    let app = app(request.request());
    match app.registry.browser_origins(&app.db).await {
        Ok(origins) => origins.contains(text).then(|| origin.clone()),
        Err(error) => {
            app.metrics.database_error(&error);
            tracing::warn!(%error, "the origins of browser clients could not be read");
            None
        }
    }
}

fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(allowed: Option<HeaderValue>, sent: Sent) -> HttpResponse {
    let mut answer = HttpResponse::NoContent().finish();
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(sent.methods));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(sent.headers));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    answer
}
