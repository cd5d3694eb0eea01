//! The conversation with a provider: its metadata, its keys, the way there, the exchange of a code.
//!
//! Everything goes through [`crate::outbound`], whose copies of metadata and keys last an hour, and a day while the
//! provider is away (FE-11).

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreErrorResponseType};
use openidconnect::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, IssuerUrl,
    JsonWebKeySet, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse, TokenUrl,
};
use serde::Deserialize;
use url::Url;

use super::authority::{Authority, Rule};
use super::token::{self, Fault, Kind, NonceCheck, Proven};
use super::{Attempt, FederationError};
use crate::app::App;
use crate::config::Provider;
use crate::crypto::Secret;
use crate::outbound::{FetchError, Networks};

/// What a provider says of itself (OpenID Connect Discovery §3), as far as we use it.
#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// A provider's metadata, and how its tokens' issuer is known.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    metadata: Metadata,
    rule: Rule,
}

impl From<FetchError> for FederationError {
    fn from(error: FetchError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<Fault> for FederationError {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault.to_string())
    }
}

/// The provider's metadata, if it is by the issuer that is configured.
pub(super) async fn documents(app: &App, settings: &Provider) -> Result<Documents, FederationError> {
    let authority = Authority::of(settings);
    let url = authority.metadata_url();
    let text = app.outbound.provider_document(networks(settings), &url, false, app.clock.now()).await?;
    let metadata: Metadata = serde_json::from_str(&text)
        .map_err(|error| FederationError::Unavailable(format!("its metadata: {error}")))?;
    let rule = authority.rule(&metadata.issuer).ok_or_else(|| {
        FederationError::Unavailable("its metadata is by another issuer than the configured one".to_owned())
    })?;
    Ok(Documents { metadata, rule })
}

impl Documents {
    /// The issuer that it announces.
    pub(super) fn issuer(&self) -> &str {
        &self.metadata.issuer
    }

    pub(super) fn authorization_endpoint(&self) -> &str {
        &self.metadata.authorization_endpoint
    }

    /// Whether the answer is this provider's: wrong where it names another, and where the provider promised to name
    /// itself and did not (RFC 9207 §2.4, FE-3).
    pub(super) fn check_response_issuer(
        &self,
        settings: &Provider,
        iss: Option<&str>,
    ) -> Result<(), FederationError> {
        match iss {
            Some(iss) if !self.rule.may_answer(settings, iss) => {
                Err(FederationError::Refused("the answer is from another issuer".to_owned()))
            }
            None if self.metadata.authorization_response_iss_parameter_supported => {
                Err(FederationError::Refused("the answer does not name its issuer".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// No sign-in at a provider is older.
const ANY_AGE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Where the browser goes, with everything that only its return can match.
pub(super) fn authorization_url(
    app: &App,
    settings: &Provider,
    documents: &Documents,
    attempt: &Attempt,
    anew: bool,
) -> Result<Url, FederationError> {
    let endpoint = address(&documents.metadata.authorization_endpoint, settings)?;
    let verifier = PkceCodeVerifier::new(attempt.verifier.expose().to_owned());
    let scopes = ["profile", "email"].into_iter().chain(settings.scopes.iter().map(String::as_str));
    let state = CsrfToken::new(attempt.state.expose().to_owned());
    let nonce = Nonce::new(attempt.nonce.expose().to_owned());
    let client = CoreClient::new(
        ClientId::new(settings.client_id.clone()),
        issuer(&documents.metadata.issuer)?,
        JsonWebKeySet::default(),
    )
    .set_auth_uri(AuthUrl::from_url(endpoint))
    .set_redirect_uri(callback(app, settings)?);
    let mut request = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
        .add_scopes(scopes.filter(|scope| *scope != "openid").map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        // Whoever names an age gets `auth_time` (OpenID Connect Core §3.1.2.1): when the provider asked.
        .set_max_age(if anew { Duration::ZERO } else { ANY_AGE });
    if anew {
        request = request.add_prompt(CoreAuthPrompt::Login);
    }
    let (url, _, _) = request.url();
    Ok(url)
}

/// What a code was exchanged for.
pub(super) struct Tokens {
    pub id_token: String,
    access_token: Secret,
}

/// The tokens for a code.
pub(super) async fn exchange(
    app: &App,
    settings: &Provider,
    documents: &Documents,
    code: &str,
    verifier: &Secret,
) -> Result<Tokens, FederationError> {
    let endpoint = address(&documents.metadata.token_endpoint, settings)?;
    let mut client = CoreClient::new(
        ClientId::new(settings.client_id.clone()),
        issuer(&documents.metadata.issuer)?,
        JsonWebKeySet::default(),
    )
    .set_auth_type(auth_type(&documents.metadata))
    .set_redirect_uri(callback(app, settings)?)
    .set_token_uri(TokenUrl::from_url(endpoint));
    if let Some(secret) = &settings.client_secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
    }
    let http = |request: HttpRequest| app.outbound.fetch_in(networks(settings), request);
    let answer = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
        .request_async(&http)
        .await
        .map_err(|error| match error {
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::ServerResponse(answer) => {
                let said = format!("the token endpoint said {}", answer.error());
                match answer.error() {
                    CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                        FederationError::ClientRefused(said)
                    }
                    _ => FederationError::Refused(said),
                }
            }
            RequestTokenError::Parse(error, _) => {
                FederationError::Unavailable(format!("the token endpoint's answer: {error}"))
            }
            RequestTokenError::Other(error) => FederationError::Unavailable(error),
        })?;
    let id_token =
        answer.id_token().ok_or_else(|| FederationError::Refused("there is no ID token".to_owned()))?;
    Ok(Tokens {
        id_token: id_token.to_string(),
        access_token: Secret::from_text(answer.access_token().secret().as_str()),
    })
}

/// Proves what is said of whom a code was given for.
pub(super) async fn proven(
    app: &App,
    settings: &Provider,
    documents: &Documents,
    tokens: &Tokens,
    nonce: NonceCheck,
) -> Result<Proven, FederationError> {
    let mut proven = prove(app, settings, documents, &tokens.id_token, nonce, Kind::FromCode).await?;
    if let (true, Some(endpoint)) = (proven.lacks_address(settings), &documents.metadata.userinfo_endpoint) {
        let request = Request::get(address(endpoint, settings)?.as_str())
            .header(AUTHORIZATION, format!("Bearer {}", tokens.access_token.expose()))
            .body(Vec::new())
            .map_err(|error| FederationError::Unavailable(format!("its userinfo: {error}")))?;
        let answer = app.outbound.fetch_in(networks(settings), request).await?;
        if answer.status() != StatusCode::OK {
            return Err(FederationError::Unavailable(format!("userinfo answered with {}", answer.status())));
        }
        proven.add_userinfo(answer.body())?;
    }
    Ok(proven)
}

/// Proves a token with the provider's keys. A key that the copy lacks is looked for in a fresh one, which is asked
/// for once a minute at most (FE-11).
pub(super) async fn prove(
    app: &App,
    settings: &Provider,
    documents: &Documents,
    token: &str,
    nonce: NonceCheck,
    kind: Kind,
) -> Result<Proven, FederationError> {
    let now = app.clock.now();
    let attempt = |jwks: &Arc<str>| token::verify(settings, &documents.rule, jwks, token, &nonce, kind, now);
    let mut outcome = attempt(&jwks(app, settings, documents, false).await?);
    if let Err(Fault::UnknownKey(_)) = outcome {
        outcome = attempt(&jwks(app, settings, documents, true).await?);
    }
    Ok(outcome?)
}

/// Whether everything that a sign-in will need is there: the endpoints, and keys.
pub(super) async fn check(
    app: &App,
    settings: &Provider,
    documents: &Documents,
) -> Result<(), FederationError> {
    address(&documents.metadata.authorization_endpoint, settings)?;
    address(&documents.metadata.token_endpoint, settings)?;
    let jwks = jwks(app, settings, documents, false).await?;
    serde_json::from_str::<KeySet>(&jwks)
        .map_err(|error| FederationError::Unavailable(format!("its keys: {error}")))
        .and_then(|set| match set.keys.is_empty() {
            true => Err(FederationError::Unavailable("its key set is empty".to_owned())),
            false => Ok(()),
        })
}

/// As much of a JWK Set as tells that it is one.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

async fn jwks(
    app: &App,
    settings: &Provider,
    documents: &Documents,
    want_fresh: bool,
) -> Result<Arc<str>, FederationError> {
    let uri = &documents.metadata.jwks_uri;
    Ok(app.outbound.provider_document(networks(settings), uri, want_fresh, app.clock.now()).await?)
}

fn networks(settings: &Provider) -> Networks {
    Networks::of(settings.allow_private_network)
}

/// Our secret goes in the header, unless the provider takes it in the body alone.
fn auth_type(metadata: &Metadata) -> AuthType {
    let takes = |method: &str| {
        metadata.token_endpoint_auth_methods_supported.as_ref().map(|all| all.iter().any(|one| one == method))
    };
    match (takes("client_secret_basic"), takes("client_secret_post")) {
        (Some(false), Some(true)) => AuthType::RequestBody,
        _ => AuthType::BasicAuth,
    }
}

/// One callback for each provider, so that an answer is never taken for another's (FE-3).
fn callback(app: &App, settings: &Provider) -> Result<RedirectUrl, FederationError> {
    RedirectUrl::new(app.config.issuer.at(&format!("/login/federation/{}/callback", settings.id)))
        .map_err(|error| FederationError::Unavailable(format!("our own address: {error}")))
}

/// An endpoint that a browser or we may be sent to. Where we connect to is checked again when we do (SS-1).
fn address(endpoint: &str, settings: &Provider) -> Result<Url, FederationError> {
    let bad = || FederationError::Unavailable("an endpoint in its metadata is no https address".to_owned());
    let url = Url::parse(endpoint).map_err(|_| bad())?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if settings.allow_private_network => Ok(url),
        _ => Err(bad()),
    }
}

fn issuer(text: &str) -> Result<IssuerUrl, FederationError> {
    IssuerUrl::new(text.to_owned())
        .map_err(|error| FederationError::Unavailable(format!("its issuer: {error}")))
}
