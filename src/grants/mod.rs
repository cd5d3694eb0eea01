//! Issuing, rotating and revoking tokens. One file per grant; [`exchange`] is the token endpoint's one way in.
//!
//! A grant is settled in one write transaction (redeem or rotate, insert, audit), then the tokens are signed. A
//! replay is an `Ok` outcome of that transaction, so that the revocation which it causes is committed.

pub mod authorization;
pub mod authorization_code;
pub mod client_auth;
pub mod client_credentials;
pub mod first_party;
pub mod forward;
pub mod given;
pub mod introspection;
mod issue;
pub mod pushed;
pub mod refresh_token;
pub mod rehearsal;
pub mod revocation;
pub mod token_exchange;
pub mod userinfo;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::identity::password::Busy;
use crate::keys::SignError;
use crate::model::{AuditAction, AuthMethod, WorkspaceId};
use crate::protocol::authorize::grant_type_missing;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::scope::ScopeSet;
use crate::protocol::targets::Registry;
use crate::protocol::token::{TokenRequest, TokenResponse};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store;
use crate::tenancy::admission::Refusal;

pub use client_auth::Authenticated;

/// Why a client does not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// 429 with this as Retry-After.
    #[error("too many tries")]
    Throttled(Duration),
    /// 503 if the database is away; never a false denial (CR-3).
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Busy(#[from] Busy),
    /// A defect of ours: 500.
    #[error("{0}")]
    Internal(String),
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// The token endpoint: what the client presented against what it gets.
pub async fn exchange(
    app: &App,
    client: &Authenticated,
    request: TokenRequest,
    origin: &Origin,
) -> Result<TokenResponse, Failure> {
    let grant_type = request.grant_type();
    let answer = settle(app, client, request, origin).await;
    match &answer {
        Ok(_) => app.count_token(grant_type, Some(client.key)),
        Err(Failure::OAuth(error)) => app.metrics.token_refused(error.code),
        Err(_) => {}
    }
    answer
}

async fn settle(
    app: &App,
    client: &Authenticated,
    request: TokenRequest,
    origin: &Origin,
) -> Result<TokenResponse, Failure> {
    let grant_type = request.grant_type();
    if !client.may_use(grant_type) {
        let text = format!("this client is not registered for the grant type {grant_type}");
        let missing = grant_type_missing(client, grant_type);
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, text).because(missing).into());
    }
    match request {
        TokenRequest::AuthorizationCode { code, redirect_uri, verifier, resources } => {
            let presented = authorization_code::Presented { code, redirect_uri, verifier, resources };
            authorization_code::redeem(app, client, presented, origin).await
        }
        TokenRequest::RefreshToken { token, scope, resources } => {
            refresh_token::rotate(app, client, refresh_token::Presented { token, scope, resources }, origin)
                .await
        }
        TokenRequest::ClientCredentials { scope, resources } => {
            client_credentials::issue(app, client, scope, &resources).await
        }
        TokenRequest::TokenExchange { .. } => {
            Err(Failure::Internal("an exchange begins with a key, not with a client".to_owned()))
        }
    }
}

/// What was granted at one authorization: the immutable document of a row of `grants`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Detail {
    pub scope: ScopeSet,
    /// The resources asked for at the authorization endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    #[serde(default, skip_serializing_if = "ClaimsRequest::is_empty")]
    pub claims: ClaimsRequest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    pub acr: String,
    pub methods: Vec<AuthMethod>,
    /// The workspace within the grant's organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
}

impl Detail {
    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a grant's detail is plain data")
    }

    fn parse(json: &str) -> Result<Self, store::Error> {
        serde_json::from_str(json).map_err(|error| store::Error::broken("a grant's detail", error))
    }
}

/// What the grant would have been good for, refused: the client learns no more than that it is not (AR-2).
fn not_admitted(refusal: Refusal) -> OAuthError {
    OAuthError::invalid_grant("the grant is not valid any more")
        .with_hint(refusal.to_string())
        .because(refusal)
}

fn registry<'a>(app: &'a App, resources: &'a [crate::model::Resource]) -> Registry<'a> {
    Registry { issuer: app.config.issuer.as_str(), resources }
}

/// A refused token request, for the audit.
fn refused(client: &Authenticated, grant: &str, error: &OAuthError) -> Event {
    Event::denied(AuditAction::TokenRefused)
        .client(client.key)
        .detail("grant_type", grant)
        .detail("error", error.code.as_str())
        .detail("reason", error.hint().unwrap_or_else(|| error.description()))
}
