//! `/oauth2/authorize`: the request comes in, is checked, stored and given a handle; the handle's page says where the
//! browser goes next, as often as it comes back.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::Pkce;
use crate::crypto::{Digest, Secret};
use crate::grants::authorization::{self, Underway};
use crate::grants::{Failure, pushed};
use crate::identity::federation::providers;
use crate::identity::session;
use crate::keys::Expect;
use crate::model::{Client, RequestId};
use crate::protocol::authorize::{
    AuthorizationRequest, AuthorizeFailure, Channel, PkcePolicy, Policy, pushed_reference, pushed_uri,
    validate as check,
};
use crate::protocol::next_step::NextStep;
use crate::protocol::response::AuthorizationResponse;
use crate::protocol::targets::Registry;
use crate::protocol::tokens::{Audience, ID_TOKEN_TYP};
use crate::protocol::{OAuthError, Params};
use crate::signing::ALGORITHMS;
use crate::store;
use crate::web::cookies;
use crate::web::extract::{Browser, Caller, OptionalForm};
use crate::web::failure::PageFailure;
use crate::web::page::FormPostPage;
use crate::web::respond::{self, Csp, Frame};
use crate::web::visit::Visit;

/// The parameter with which an application names one of our identity providers, to spare its people a page.
const PROVIDER: &str = "provider";

/// `GET`: parameters in the query (RFC 6749 §3.1).
pub async fn by_query(
    app: Data<App>,
    request: HttpRequest,
    browser: Browser,
) -> Result<HttpResponse, PageFailure> {
    let params =
        Params::parse(request.query_string().as_bytes()).map_err(|error| refuse_page(&error.into()))?;
    let client = client_of(&app, &params, &request).await?;
    let (asked, pushed) = match (pushed_reference(&params), &client) {
        (Some(reference), Some(client)) if client.is_active() => {
            match pushed::resolve(&app, client, &reference).await {
                Ok((asked, digest)) => (asked, Some(digest)),
                Err(Failure::OAuth(error)) => return Err(refuse_page(&error)),
                Err(failure) => return Err(failure.into()),
            }
        }
        _ => match validate(&app, &params, client.as_deref(), Channel::Browser).await? {
            Ok(asked) => (asked, None),
            Err(failure) => return answer_failure(&app, &request, client.as_deref(), failure),
        },
    };
    let client = client.ok_or(PageFailure::NotFound)?;
    let hint = params.get(PROVIDER).map(str::to_owned);
    begin(&app, &client, &asked, &browser, pushed, hint).await
}

/// `POST`: parameters in the body (OpenID Connect Core §3.1.2.1).
///
/// The form comes from the application's site, so the browser brings no cookies of ours with it. The request is
/// therefore kept like a pushed one, and the browser comes back by GET with its reference (AZ-13).
pub async fn by_form(
    app: Data<App>,
    request: HttpRequest,
    OptionalForm(params): OptionalForm,
) -> Result<HttpResponse, PageFailure> {
    let params = params.unwrap_or_default();
    let client = client_of(&app, &params, &request).await?;
    if let (Some(reference), Some(client)) = (pushed_reference(&params), &client) {
        return Ok(respond::see_other(&by_reference(&app, client, &pushed_uri(&reference))));
    }
    let asked = match validate(&app, &params, client.as_deref(), Channel::Browser).await? {
        Ok(asked) => asked,
        Err(failure) => return answer_failure(&app, &request, client.as_deref(), failure),
    };
    let client = client.ok_or(PageFailure::NotFound)?;
    let kept = pushed::push(&app, &client, &asked).await?;
    Ok(respond::see_other(&by_reference(&app, &client, &kept.request_uri)))
}

fn by_reference(app: &App, client: &Client, request_uri: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &client.client_id)
        .append_pair("request_uri", request_uri)
        .finish();
    format!("{}/oauth2/authorize?{query}", app.config.issuer.path())
}

/// `GET /oauth2/authorize/{request}`: where the browser goes next. Pages come back here and nowhere else.
pub async fn resume(
    app: Data<App>,
    request: HttpRequest,
    id: Path<String>,
    browser: Browser,
    Caller(origin): Caller,
) -> Result<HttpResponse, PageFailure> {
    let id: RequestId = id.parse().map_err(|_| PageFailure::RequestExpired)?;
    let underway = authorization::find(&app, id, browser.binding.as_ref()).await?;
    origin.slip.concerns(underway.client.key);
    let accounts = session::resume(&app, &browser.sessions).await?;
    let step = authorization::step(&app, &underway, &accounts).await?;
    let base = app.config.issuer.path();
    let answer = match step {
        NextStep::Login { .. } => {
            let page = match wanted_provider(&app, &request).await? {
                Some(provider) => format!("/login/federation/{provider}"),
                None => "/login".to_owned(),
            };
            return Ok(respond::see_other(&format!("{base}{page}?request={id}")));
        }
        NextStep::Factor { session } => {
            return Ok(respond::see_other(&format!("{base}/login/factor?request={id}&session={session}")));
        }
        NextStep::Enrol { session } => {
            return Ok(respond::see_other(&format!("{base}/login/enrol?request={id}&session={session}")));
        }
        NextStep::ChooseAccount => {
            return Ok(respond::see_other(&format!("{base}/login/choose?request={id}")));
        }
        NextStep::Consent { .. } => return Ok(respond::see_other(&format!("{base}/consent?request={id}"))),
        NextStep::ChooseOrganisation { .. } => {
            return Ok(respond::see_other(&format!("{base}/login/organization?request={id}")));
        }
        NextStep::Issue { session, organisation } => {
            let account = accounts.iter().find(|account| account.session.id == session);
            let account =
                account.ok_or_else(|| PageFailure::Internal("a session went missing".to_owned()))?;
            authorization::issue_code(&app, &underway, account, organisation, &origin).await
        }
        NextStep::Refuse(error) => authorization::refuse(&app, &underway, &error, &origin).await,
    };
    Ok(send_back(&app, &request, &underway, answer?))
}

/// The identity provider that the application would have its people sign in with, if there is such a one. Only a
/// browser that has just begun names it: who comes back from there without being signed in sees the sign-in page.
async fn wanted_provider(app: &App, request: &HttpRequest) -> Result<Option<String>, store::Error> {
    let query = Params::parse(request.query_string().as_bytes()).unwrap_or_default();
    let Some(named) = query.get(PROVIDER) else { return Ok(None) };
    Ok(providers::find_active(app, named).await?.map(|found| found.settings.id))
}

/// Sends the browser back to the client with the answer.
pub fn send_back(
    app: &App,
    request: &HttpRequest,
    underway: &Underway,
    answer: AuthorizationResponse,
) -> HttpResponse {
    respond_with(app, request, &underway.client, answer, &underway.request.ui_locales)
}

async fn client_of(
    app: &App,
    params: &Params,
    request: &HttpRequest,
) -> Result<Option<std::sync::Arc<Client>>, PageFailure> {
    let Some(client_id) = params.get("client_id") else { return Ok(None) };
    let client = app.client(client_id).await?;
    if let Some(client) = &client {
        Visit::of(app, request).slip.concerns(client.key);
    }
    Ok(client)
}

/// Checks a request's parameters, whether they come through the browser or are pushed.
pub(in crate::web) async fn validate(
    app: &App,
    params: &Params,
    client: Option<&Client>,
    channel: Channel,
) -> Result<Result<AuthorizationRequest, AuthorizeFailure>, crate::store::Error> {
    let resources = app.resources().await?;
    let hint_subject = |hint: &str| verify_hint(app, client?, hint).map(|hint| hint.subject);
    let policy = Policy {
        registry: Registry { issuer: app.config.issuer.as_str(), resources: &resources },
        pkce: match app.config.protocol.pkce {
            Pkce::Required => PkcePolicy::Required,
            Pkce::Public => PkcePolicy::Public,
        },
        channel,
        hint_subject: &hint_subject,
    };
    Ok(check(params, client, &policy))
}

/// What a verified `id_token_hint` says.
pub(super) struct Hint {
    pub subject: String,
    pub session: Option<String>,
}

/// One of our ID tokens for this client; it may have expired (OpenID Connect Core §3.1.2.1).
pub(super) fn verify_hint(app: &App, client: &Client, hint: &str) -> Option<Hint> {
    let expect = Expect {
        types: &[ID_TOKEN_TYP],
        algs: &ALGORITHMS,
        issuer: app.config.issuer.as_str(),
        now: app.clock.now(),
        leeway: Duration::ZERO,
        check_expiry: false,
    };
    let claims = app.signing.keyring().verify(hint, &expect).ok()?.claims;
    let audience: Audience = serde_json::from_value(claims.get("aud")?.clone()).ok()?;
    let text = |name: &str| claims.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    audience.contains(&client.client_id).then_some(Hint { subject: text("sub")?, session: text("sid") })
}

async fn begin(
    app: &App,
    client: &Client,
    asked: &AuthorizationRequest,
    browser: &Browser,
    pushed: Option<Digest>,
    provider: Option<String>,
) -> Result<HttpResponse, PageFailure> {
    let (binding, is_new): (Secret, bool) = browser.binding_or_new(&app.random);
    let id = authorization::begin(app, client, asked, &binding, pushed).await?;
    let hint = provider.map(|provider| {
        let pair =
            url::form_urlencoded::Serializer::new(String::new()).append_pair(PROVIDER, &provider).finish();
        format!("?{pair}")
    });
    let (base, hint) = (app.config.issuer.path(), hint.unwrap_or_default());
    let mut response = respond::see_other(&format!("{base}/oauth2/authorize/{id}{hint}"));
    if is_new {
        cookies::add(&mut response, &cookies::binding(&app.config.issuer, &binding));
    }
    Ok(response)
}

/// An error before the redirect URI is known to be good is a page at this address; a later one goes to the client.
fn answer_failure(
    app: &App,
    request: &HttpRequest,
    client: Option<&Client>,
    failure: AuthorizeFailure,
) -> Result<HttpResponse, PageFailure> {
    match (failure, client) {
        (AuthorizeFailure::Redirect(redirect, error), Some(client)) => {
            let answer = authorization::refused(&redirect, &error, client.key, &Caller::of(request).0);
            Ok(respond_with(app, request, client, answer, &[]))
        }
        (failure, _) => Err(refuse_page(&failure.into_oauth_error())),
    }
}

/// Names the parameter that is wrong, so that a developer sees it at once.
fn refuse_page(error: &OAuthError) -> PageFailure {
    const NAMES: [&str; 3] = ["client_id", "redirect_uri", "request_uri"];
    let parameter = NAMES.into_iter().find(|name| error.description().contains(name));
    PageFailure::request(error, parameter)
}

fn respond_with(
    app: &App,
    request: &HttpRequest,
    client: &Client,
    answer: AuthorizationResponse,
    ui_locales: &[String],
) -> HttpResponse {
    match answer {
        AuthorizationResponse::Redirect(location) => respond::see_other(&location),
        AuthorizationResponse::FormPost { action, fields } => {
            let frame = Frame::new(app, request, None, ui_locales);
            let ui = frame.ui(None);
            let parameters: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let page =
                FormPostPage { ui: &ui, client_name: &client.name, action: &action, parameters: &parameters };
            respond::page(&ui, StatusCode::OK, &page, Csp::Flow)
        }
    }
}
