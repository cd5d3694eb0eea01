//! `/dev/app`: a demonstration application. It exists only while the issuer is a plain http loopback address.
//!
//! It uses this provider as any application outside would: through HTTP, with the `openidconnect` crate, knowing
//! nothing but the issuer and its own client credentials. Its sessions are in memory and few.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreJsonWebKey, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, JsonWebKey, JsonWebKeyId, LogoutRequest, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl,
    RefreshToken, Scope, TokenResponse,
};
use serde_json::Value;

use crate::app::App;
use crate::audit::Origin;
use crate::crypto::{Digest, Secret};
use crate::model::ClientAuthMethod;
use crate::protocol::registration::ClientMetadata;
use crate::tenancy::clients::{self, BroughtSecret, Change, ClientError, NewClient, Terms};
use crate::web::cookies;
use crate::web::extract::{Browser, Caller, PageForm};
use crate::web::failure::PageFailure;
use crate::web::page::{DevAppPage, DevAppState, DevTokens, DevVerification};
use crate::web::respond::{self, Csp, Frame};

/// What the application calls itself.
const CLIENT_ID: &str = clients::DEMONSTRATION;
const COOKIE: &str = "dev-app";
/// More browsers than this are not remembered.
const SESSIONS: usize = 100;

/// The application's memory.
#[derive(Default)]
pub struct DevApp {
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    by_cookie: HashMap<Digest, State>,
    oldest_first: VecDeque<Digest>,
}

/// Where one browser stands with the application.
#[derive(Clone)]
enum State {
    Started { state: String, nonce: String, verifier: String },
    SignedIn(Box<SignedIn>),
    Failed(String),
}

#[derive(Clone)]
struct SignedIn {
    id_token: Vec<(String, String)>,
    id_token_hint: String,
    userinfo: Vec<(String, String)>,
    access_header: String,
    access_claims: String,
    verification: Result<(String, String), String>,
    refresh_token: Option<String>,
    refreshed: u32,
    problem: Option<String>,
}

/// Mounts the application.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/dev/app", web::get().to(show))
        .route("/dev/app/login", web::post().to(login))
        .route("/dev/app/callback", web::get().to(callback))
        .route("/dev/app/refresh", web::post().to(refresh))
        .route("/dev/app/logout", web::post().to(logout));
}

/// What the browser holds.
async fn show(app: Data<App>, dev: Data<DevApp>, request: HttpRequest, browser: Browser) -> HttpResponse {
    let (binding, is_new) = browser.binding_or_new(&app.random);
    let frame = Frame::new(&app, &request, Some(&binding), &[]);
    let ui = frame.ui(None);
    let held = cookie(&request).and_then(|cookie| dev.find(&cookie));
    let state = match &held {
        Some(State::SignedIn(signed_in)) => DevAppState::SignedIn(signed_in.shown()),
        Some(State::Failed(problem)) => DevAppState::SignedOut { problem: Some(problem) },
        Some(State::Started { .. }) | None => DevAppState::SignedOut { problem: None },
    };
    // The form leads away from our own pages and back.
    let mut response = respond::page(&ui, StatusCode::OK, &DevAppPage { ui: &ui, state }, Csp::Flow);
    if is_new {
        cookies::add(&mut response, &cookies::binding(&app.config.issuer, &binding));
    }
    response
}

/// Sends the browser to the provider.
async fn login(
    app: Data<App>,
    dev: Data<DevApp>,
    Caller(origin): Caller,
    _form: PageForm,
) -> Result<HttpResponse, PageFailure> {
    register(&app, &origin).await?;
    let cookie = Secret::generate(&app.random);
    let location = match client(&app).await {
        Ok(client) => {
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            let (url, state, nonce) = client
                .oidc
                .authorize_url(
                    CoreAuthenticationFlow::AuthorizationCode,
                    CsrfToken::new_random,
                    Nonce::new_random,
                )
                .add_scopes(["profile", "email", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
                .set_pkce_challenge(challenge)
                .url();
            let started = State::Started {
                state: state.secret().clone(),
                nonce: nonce.secret().clone(),
                verifier: verifier.secret().clone(),
            };
            dev.keep(&cookie, started);
            url.to_string()
        }
        Err(problem) => {
            dev.keep(&cookie, State::Failed(problem));
            home(&app)
        }
    };
    let mut response = respond::see_other(&location);
    cookies::add(&mut response, &session_cookie(&app, &cookie));
    Ok(response)
}

/// The provider sent the browser back.
async fn callback(app: Data<App>, dev: Data<DevApp>, request: HttpRequest) -> HttpResponse {
    if let Some(cookie) = cookie(&request)
        && let Some(State::Started { state, nonce, verifier }) = dev.find(&cookie)
    {
        let query: HashMap<String, String> =
            url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        let outcome = finish(&app, &query, &state, nonce, verifier).await;
        dev.keep(
            &cookie,
            outcome.map_or_else(State::Failed, |signed_in| State::SignedIn(Box::new(signed_in))),
        );
    }
    respond::see_other(&home(&app))
}

async fn finish(
    app: &App,
    query: &HashMap<String, String>,
    state: &str,
    nonce: String,
    verifier: String,
) -> Result<SignedIn, String> {
    if query.get("state").map(String::as_str) != Some(state) {
        return Err("the answer carries another state than the request did".to_owned());
    }
    if query.get("iss").map(String::as_str) != Some(app.config.issuer.as_str()) {
        return Err("the answer is from another issuer (RFC 9207)".to_owned());
    }
    if let Some(error) = query.get("error") {
        let description = query.get("error_description").map(String::as_str).unwrap_or_default();
        return Err(format!("{error}: {description}"));
    }
    let code = query.get("code").ok_or("the answer carries neither a code nor an error")?;
    let client = client(app).await?;
    let tokens = client
        .oidc
        .exchange_code(AuthorizationCode::new(code.clone()))
        .map_err(text)?
        .set_pkce_verifier(PkceCodeVerifier::new(verifier))
        .request_async(&client.http)
        .await
        .map_err(text)?;
    let id_token = tokens.id_token().ok_or("there is no ID token")?;
    id_token.claims(&client.oidc.id_token_verifier(), &Nonce::new(nonce)).map_err(text)?;
    let mut signed_in = SignedIn {
        id_token: rows(&payload(&id_token.to_string())?),
        id_token_hint: id_token.to_string(),
        userinfo: Vec::new(),
        access_header: String::new(),
        access_claims: String::new(),
        verification: Err(String::new()),
        refresh_token: tokens.refresh_token().map(|token| token.secret().clone()),
        refreshed: 0,
        problem: None,
    };
    signed_in.take_access_token(&client, tokens.access_token()).await?;
    Ok(signed_in)
}

/// Trades the refresh token for new tokens.
async fn refresh(app: Data<App>, dev: Data<DevApp>, request: HttpRequest, _form: PageForm) -> HttpResponse {
    if let Some(cookie) = cookie(&request)
        && let Some(State::SignedIn(mut signed_in)) = dev.find(&cookie)
    {
        signed_in.problem = renew(&app, &mut signed_in).await.err();
        dev.keep(&cookie, State::SignedIn(signed_in));
    }
    respond::see_other(&home(&app))
}

async fn renew(app: &App, signed_in: &mut SignedIn) -> Result<(), String> {
    let held = signed_in.refresh_token.clone().ok_or("there is no refresh token")?;
    let client = client(app).await?;
    let tokens = client
        .oidc
        .exchange_refresh_token(&RefreshToken::new(held))
        .map_err(text)?
        .request_async(&client.http)
        .await
        .map_err(text)?;
    signed_in.refresh_token = tokens.refresh_token().map(|token| token.secret().clone());
    if let Some(id_token) = tokens.id_token() {
        // A refreshed ID token has no nonce (OpenID Connect Core §12.2).
        let any_nonce = |_: Option<&Nonce>| Ok(());
        id_token.claims(&client.oidc.id_token_verifier(), any_nonce).map_err(text)?;
        signed_in.id_token = rows(&payload(&id_token.to_string())?);
        signed_in.id_token_hint = id_token.to_string();
    }
    signed_in.take_access_token(&client, tokens.access_token()).await?;
    signed_in.refreshed += 1;
    Ok(())
}

/// Forgets the tokens and signs out at the provider, too (OpenID Connect RP-Initiated Logout 1.0).
async fn logout(
    app: Data<App>,
    dev: Data<DevApp>,
    request: HttpRequest,
    _form: PageForm,
) -> Result<HttpResponse, PageFailure> {
    let held = cookie(&request).and_then(|cookie| dev.take(&cookie));
    let Some(State::SignedIn(signed_in)) = held else { return Ok(respond::see_other(&home(&app))) };
    let leave = client(&app).await.and_then(|client| client.leave(&app, &signed_in.id_token_hint));
    let mut response = respond::see_other(&leave.map_err(PageFailure::Internal)?);
    let mut gone = Cookie::build(COOKIE, "").path("/dev/app").finish();
    gone.make_removal();
    cookies::add(&mut response, &gone);
    Ok(response)
}

/// The `openidconnect` client, as discovery made it.
struct Client {
    oidc: openidconnect::core::CoreClient<
        EndpointSet,
        EndpointNotSet,
        EndpointNotSet,
        EndpointNotSet,
        EndpointMaybeSet,
        EndpointMaybeSet,
    >,
    keys: Vec<CoreJsonWebKey>,
    end_session: openidconnect::EndSessionUrl,
    http: Http,
}

/// Knows nothing but the issuer, the client's own credentials and its address.
async fn client(app: &App) -> Result<Client, String> {
    let http = Http::new()?;
    let issuer = IssuerUrl::new(app.config.issuer.as_str().to_owned()).map_err(text)?;
    let metadata = ProviderMetadataWithLogout::discover_async(issuer.clone(), &http).await.map_err(text)?;
    let end_session = metadata
        .additional_metadata()
        .end_session_endpoint
        .clone()
        .ok_or("the provider has no end_session_endpoint")?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.map_err(text)?;
    let keys = metadata.jwks().keys().clone();
    let redirect = RedirectUrl::new(app.config.issuer.at("/dev/app/callback")).map_err(text)?;
    let oidc = openidconnect::core::CoreClient::from_provider_metadata(
        metadata,
        ClientId::new(CLIENT_ID.to_owned()),
        Some(ClientSecret::new(secret(app).expose().to_owned())),
    )
    .set_redirect_uri(redirect);
    Ok(Client { oidc, keys, end_session, http })
}

impl Client {
    fn leave(&self, app: &App, id_token_hint: &str) -> Result<String, String> {
        let back = PostLogoutRedirectUrl::new(app.config.issuer.at("/dev/app")).map_err(text)?;
        let hint: openidconnect::core::CoreIdToken =
            id_token_hint.parse().map_err(|error: serde_json::Error| text(error))?;
        let request: LogoutRequest = LogoutRequest::from(self.end_session.clone());
        Ok(request.set_id_token_hint(&hint).set_post_logout_redirect_uri(back).http_get_url().to_string())
    }

    /// What an API does: the key by its id from the JWKS, the signature, and nothing asked of anybody.
    fn verify_offline(&self, token: &str) -> Result<(String, String), String> {
        let (signed, signature) = token.rsplit_once('.').ok_or("not a JWT")?;
        let header = part(token, 0)?;
        let member = |name: &str| header.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (alg, kid) = (member("alg"), member("kid"));
        if member("typ") != "at+jwt" || alg != "ES256" {
            return Err(format!("unexpected type or algorithm: {header}"));
        }
        let key = self
            .keys
            .iter()
            .find(|key| key.key_id() == Some(&JsonWebKeyId::new(kid.clone())))
            .ok_or_else(|| format!("the JWKS has no key {kid}"))?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(text)?;
        key.verify_signature(&CoreJwsSigningAlgorithm::EcdsaP256Sha256, signed.as_bytes(), &signature)
            .map_err(text)?;
        Ok((alg, kid))
    }
}

impl SignedIn {
    async fn take_access_token(&mut self, client: &Client, token: &AccessToken) -> Result<(), String> {
        let userinfo: CoreUserInfoClaims = client
            .oidc
            .user_info(token.clone(), None)
            .map_err(text)?
            .request_async(&client.http)
            .await
            .map_err(text)?;
        self.userinfo = rows(&serde_json::to_value(userinfo).map_err(text)?);
        self.verification = client.verify_offline(token.secret());
        self.access_header = indented(&part(token.secret(), 0)?);
        self.access_claims = indented(&payload(token.secret())?);
        Ok(())
    }

    fn shown(&self) -> DevTokens<'_> {
        DevTokens {
            id_token: &self.id_token,
            userinfo: &self.userinfo,
            access_header: &self.access_header,
            access_claims: &self.access_claims,
            verification: match &self.verification {
                Ok((alg, kid)) => DevVerification::Verified { alg, kid },
                Err(reason) => DevVerification::Failed { reason },
            },
            may_refresh: self.refresh_token.is_some(),
            refreshed: self.refreshed,
            problem: self.problem.as_deref(),
        }
    }
}

/// The application's registration, made or brought up to date: the issuer's address may have changed.
async fn register(app: &App, origin: &Origin) -> Result<(), PageFailure> {
    let (callback, page) = (app.config.issuer.at("/dev/app/callback"), app.config.issuer.at("/dev/app"));
    let outcome = match app.client(CLIENT_ID).await? {
        Some(client) if client.redirect_uris == [callback.clone()] => return Ok(()),
        Some(_) => {
            let change = Change {
                redirect_uris: Some(vec![callback]),
                post_logout_redirect_uris: Some(vec![page]),
                ..Change::default()
            };
            clients::change(app, CLIENT_ID, change, origin).await.map(|_| ())
        }
        None => clients::create(app, registration(app, &callback, &page), origin).await.map(|_| ()),
    };
    match outcome {
        Err(ClientError::Store(error)) => Err(error.into()),
        Err(error) => Err(PageFailure::Internal(error.to_string())),
        Ok(()) => Ok(()),
    }
}

fn registration(app: &App, callback: &str, page: &str) -> NewClient {
    let metadata = serde_json::json!({
        "client_name": "Demonstration application",
        "redirect_uris": [callback],
        "post_logout_redirect_uris": [page],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": ClientAuthMethod::SecretBasic.as_str(),
    });
    NewClient {
        metadata: ClientMetadata::parse(metadata.to_string().as_bytes()).expect("our own metadata is good"),
        client_id: Some(CLIENT_ID.to_owned()),
        secret: Some(BroughtSecret { secret: secret(app), expires_at: None }),
        terms: Terms::default(),
    }
}

/// The application's secret: the same after a restart, and nobody else's to know.
fn secret(app: &App) -> Secret {
    Secret::from_text(
        BASE64_URL_SAFE_NO_PAD.encode(app.master.tag(b"demonstration client", CLIENT_ID.as_bytes())),
    )
}

fn home(app: &App) -> String {
    format!("{}/dev/app", app.config.issuer.path())
}

fn cookie(request: &HttpRequest) -> Option<Secret> {
    request.cookie(COOKIE).map(|cookie| Secret::from_text(cookie.value()))
}

fn session_cookie(app: &App, secret: &Secret) -> Cookie<'static> {
    Cookie::build(COOKIE, secret.expose().to_owned())
        .path(home(app))
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

impl DevApp {
    fn find(&self, cookie: &Secret) -> Option<State> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).by_cookie.get(&cookie.digest()).cloned()
    }

    fn take(&self, cookie: &Secret) -> Option<State> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).by_cookie.remove(&cookie.digest())
    }

    fn keep(&self, cookie: &Secret, state: State) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = cookie.digest();
        if sessions.by_cookie.insert(digest, state).is_none() {
            sessions.oldest_first.push_back(digest);
        }
        while sessions.oldest_first.len() > SESSIONS {
            if let Some(oldest) = sessions.oldest_first.pop_front() {
                sessions.by_cookie.remove(&oldest);
            }
        }
    }
}

/// Carries the `openidconnect` crate's requests. To our own loopback address only: an application outside would use
/// whatever HTTP client it has.
struct Http(reqwest::Client);

impl Http {
    fn new() -> Result<Self, String> {
        let tls =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(text)?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()
            .map(Self)
            .map_err(text)
    }
}

impl<'c> openidconnect::AsyncHttpClient<'c> for Http {
    type Error = openidconnect::HttpClientError<reqwest::Error>;
    type Future = futures_util::future::BoxFuture<'c, Result<openidconnect::HttpResponse, Self::Error>>;

    fn call(&'c self, request: openidconnect::HttpRequest) -> Self::Future {
        Box::pin(async move {
            let boxed = |error| openidconnect::HttpClientError::Reqwest(Box::new(error));
            let request = reqwest::Request::try_from(request).map_err(boxed)?;
            let response = self.0.execute(request).await.map_err(boxed)?;
            let mut answer = openidconnect::http::Response::builder().status(response.status());
            for (name, value) in response.headers() {
                answer = answer.header(name, value);
            }
            let body = response.bytes().await.map_err(boxed)?.to_vec();
            answer.body(body).map_err(openidconnect::HttpClientError::Http)
        })
    }
}

fn text(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn part(jwt: &str, index: usize) -> Result<Value, String> {
    let part = jwt.split('.').nth(index).ok_or("not a JWT")?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).map_err(text)?).map_err(text)
}

fn payload(jwt: &str) -> Result<Value, String> {
    part(jwt, 1)
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn rows(claims: &Value) -> Vec<(String, String)> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    claims
        .as_object()
        .map(|members| members.iter().map(|(name, value)| (name.clone(), shown(value))).collect())
        .unwrap_or_default()
}
