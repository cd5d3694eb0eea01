//! `/forward-auth`: a proxy asks about each request before it lets it pass (nginx `auth_request`, Traefik, Caddy, Envoy).
//!
//! What is demanded stands in the address, which the proxy's configuration writes. From the client come its credential
//! and nothing else: no header that says where the request was going is read (AR-3), and no body. What
//! [`crate::grants::forward`] decides is told in headers.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::app::App;
use crate::grants::Failure;
use crate::grants::forward::{self, Denied, Identity, Passed, Presented};
use crate::protocol::demands::Demands;
use crate::protocol::{ErrorCode, OAuthError, bearer};

use super::extract::{Browser, Caller, Credential};
use super::failure::ApiFailure;
use super::respond::{self, in_header};

const PATH: &str = "/forward-auth";

/// Any method: the request that is asked about has one of its own.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource(PATH).to(by_query))
        .service(web::resource("/forward-auth/{demands}/-{target:.*}").to(by_path));
}

/// The demands stand in the query.
async fn by_query(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    browser: Browser,
) -> Result<HttpResponse, ApiFailure> {
    answer(&app, &request, request.query_string(), &caller, browser).await
}

/// The demands stand in the path, for proxies that add the address which the client asked for (Envoy). What follows them,
/// with its query, is the client's and is not looked at.
async fn by_path(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    browser: Browser,
) -> Result<HttpResponse, ApiFailure> {
    let below =
        request.path().strip_prefix(app.config.issuer.path()).and_then(|path| path.strip_prefix(PATH));
    let demands = below.and_then(|rest| rest.split('/').nth(1)).unwrap_or_default();
    answer(&app, &request, demands, &caller, browser).await
}

async fn answer(
    app: &App,
    request: &HttpRequest,
    demands: &str,
    caller: &Caller,
    browser: Browser,
) -> Result<HttpResponse, ApiFailure> {
    let demands = match Demands::parse(demands) {
        Ok(demands) => demands,
        Err(error) => {
            app.metrics.forwarded("none", "malformed");
            return Ok(malformed(&error));
        }
    };
    let presented = match presented(request.headers(), browser) {
        Ok(presented) => presented,
        Err(error) if error.code == ErrorCode::InvalidToken => {
            app.metrics.forwarded("token", "unauthenticated");
            return Ok(refusal(app, &Denied::Invalid, &demands));
        }
        Err(error) => {
            app.metrics.forwarded("none", "malformed");
            return Ok(malformed(&error));
        }
    };
    let credential = match &presented {
        Some(Presented::Token(_)) => "token",
        Some(Presented::Key(_)) => "api_key",
        Some(Presented::Browser(_)) => "session",
        None => "none",
    };
    let examined = match presented {
        Some(presented) => forward::examine(app, presented, &demands, &caller.0).await,
        None => Err(Denied::Missing),
    };
    app.metrics.forwarded(credential, outcome(&examined));
    match examined {
        Ok(passed) => Ok(passing(&passed)),
        Err(Denied::Failed(Failure::OAuth(error))) => Ok(malformed(&error)),
        // 429 and 503, with `Retry-After`: a proxy that passes answers on passes these, too; nginx makes 500 of them.
        Err(Denied::Failed(failure)) => Err(ApiFailure::from(failure).as_problem()),
        Err(denied) => Ok(refusal(app, &denied, &demands)),
    }
}

/// One credential. The cookie counts only where no other is there, so that nobody passes as whoever happens to be signed in
/// by a header that is of another kind.
fn presented(headers: &HeaderMap, browser: Browser) -> Result<Option<Presented>, OAuthError> {
    Ok(match Credential::read(headers)? {
        Some(Credential::Bearer(token)) => Some(Presented::Token(token)),
        Some(Credential::ApiKey(key)) => Some(Presented::Key(key)),
        None if headers.contains_key(AUTHORIZATION) || browser.sessions.is_empty() => None,
        None => Some(Presented::Browser(browser.sessions)),
    })
}

fn outcome(examined: &Result<Passed, Denied>) -> &'static str {
    match examined {
        Ok(_) => "passed",
        Err(denied) => match status(denied) {
            StatusCode::UNAUTHORIZED => "unauthenticated",
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::BAD_REQUEST => "malformed",
            _ => "failed",
        },
    }
}

fn status(denied: &Denied) -> StatusCode {
    match denied {
        Denied::Missing | Denied::Invalid | Denied::Expired => StatusCode::UNAUTHORIZED,
        Denied::Organisation | Denied::Role | Denied::Scope | Denied::Factor => StatusCode::FORBIDDEN,
        Denied::Demands(_) => StatusCode::BAD_REQUEST,
        Denied::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Each header is there in any case, if need be empty, so that a proxy which copies them overwrites what a client sent by
/// the same name.
fn passing(passed: &Passed) -> HttpResponse {
    let Identity { subject, email, name, organisation, roles, scope, client } = &passed.identity;
    let optional = |text: &Option<String>| text.as_deref().map(in_header).unwrap_or_default();
    let roles: Vec<String> = roles.iter().map(|role| in_header(role)).collect();
    let mut answer = respond::no_store(StatusCode::OK).finish();
    for (header, value) in [
        ("x-auth-user", in_header(subject)),
        ("x-auth-email", optional(email)),
        ("x-auth-name", optional(name)),
        ("x-auth-organization", organisation.map(|id| id.to_string()).unwrap_or_default()),
        ("x-auth-roles", roles.join(",")),
        ("x-auth-scope", scope.to_string()),
        ("x-auth-client", optional(client)),
    ] {
        let value =
            HeaderValue::from_str(&value).expect("what is encoded and what are scopes is visible ASCII");
        answer.headers_mut().insert(HeaderName::from_static(header), value);
    }
    if let Some(token) = &passed.token {
        let value = format!("Bearer {}", token.expose()).parse().expect("a JWT is ASCII");
        answer.headers_mut().insert(AUTHORIZATION, value);
    }
    answer
}

fn malformed(error: &OAuthError) -> HttpResponse {
    problem(StatusCode::BAD_REQUEST, error.code.as_str(), error.description(), None)
}

fn refusal(app: &App, denied: &Denied, demands: &Demands) -> HttpResponse {
    let issuer = app.config.issuer.as_str();
    let (status, detail) = (status(denied), denied.to_string());
    // RFC 6750 §3.1: who brought nothing is told no error.
    let code = match denied {
        Denied::Missing => None,
        Denied::Invalid | Denied::Expired => Some(ErrorCode::InvalidToken),
        Denied::Scope => Some(ErrorCode::InsufficientScope),
        Denied::Demands(_) | Denied::Failed(_) => Some(ErrorCode::InvalidRequest),
        Denied::Organisation | Denied::Role | Denied::Factor => Some(ErrorCode::AccessDenied),
    };
    let login =
        (status == StatusCode::UNAUTHORIZED).then(|| format!("{}/login", issuer.trim_end_matches('/')));
    let word = code.map_or("login_required", ErrorCode::as_str);
    let mut answer = problem(status, word, &detail, login);
    if status == StatusCode::UNAUTHORIZED || matches!(denied, Denied::Scope) {
        let error = code.map(|code| OAuthError::new(code, &detail));
        let scope = demands.scope.to_string();
        let needed = matches!(denied, Denied::Scope).then_some(scope.as_str());
        if let Ok(challenge) = bearer::challenge(issuer, error.as_ref(), needed).parse() {
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
    }
    answer
}

/// With the page at which a browser signs in, where that would help.
fn problem(status: StatusCode, code: &str, detail: &str, login: Option<String>) -> HttpResponse {
    let mut details = respond::problem_details(status, code, detail);
    if let Some(login) = login {
        details["login"] = json!(login);
    }
    respond::problem(&details)
}
