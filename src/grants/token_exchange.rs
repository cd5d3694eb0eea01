//! Token exchange (RFC 8693), of API keys alone: a long-lived key for a short token, so that the API behind it verifies
//! offline and never sees the key.
//!
//! The key is the credential. A client may authenticate beside it, and must then be registered for the grant type; the
//! token names it. The token is the machine's own: its `sub` (`svc_…`) is no user's (TE-9).

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::clock::Timestamp;
use crate::crypto::Secret;
use crate::model::{AuditAction, GrantType, Place};
use crate::protocol::authorize::grant_type_missing;
use crate::protocol::scope::ScopeSet;
use crate::protocol::targets::{Registry, Target, client_targets};
use crate::protocol::token::{ACCESS_TOKEN_TYPE, TokenResponse, TokenType, beyond};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::{self, Conn, api_keys};
use crate::tenancy::admission::{self, KeyAdmission, Refusal};
use crate::tenancy::api_keys::present::{self, KeyRefused};

use super::{Authenticated, Failure, issue, not_admitted, registry};

/// What is presented.
#[derive(Clone, Debug)]
pub struct Presented {
    pub key: Secret,
    /// `None` means all that the key allows.
    pub scope: Option<ScopeSet>,
    pub resources: Vec<String>,
}

/// Exchanges the key for an access token.
pub async fn exchange(
    app: &App,
    client: Option<&Authenticated>,
    presented: Presented,
    origin: &Origin,
) -> Result<TokenResponse, Failure> {
    let answer = settle(app, client, presented, origin).await;
    match &answer {
        Ok(_) => app.count_token(GrantType::TokenExchange, client.map(|client| client.key)),
        Err(Failure::OAuth(error)) => app.metrics.token_refused(error.code),
        Err(_) => {}
    }
    answer
}

async fn settle(
    app: &App,
    client: Option<&Authenticated>,
    presented: Presented,
    origin: &Origin,
) -> Result<TokenResponse, Failure> {
    if let Some(client) = client.filter(|client| !client.may_use(GrantType::TokenExchange)) {
        let text = "this client is not registered for token exchange";
        let told = grant_type_missing(client, GrantType::TokenExchange);
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, text).because(told).into());
    }
    let admitted = present::authenticate(app, &presented.key, origin).await?;
    let known = app.resources().await?;
    let target = target(app, &admitted, presented.scope.as_ref(), &presented.resources, &known)?;
    let scribe = app.scribe(origin);
    let expires_at = expiry(app, &admitted, &target, scribe.now);
    let (key, audience) = (admitted.key().clone(), target.audience.clone());
    let client_key = client.map(|client| client.key);
    let taken = app
        .db
        .write(move |db| {
            let place = match take_place(db, key.clone(), expires_at, &scribe)? {
                Ok(place) => place,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut event = Event::success(AuditAction::TokenIssued)
                .user(key.created_by)
                .organisation(key.organisation_id)
                .detail("grant_type", "token_exchange")
                .detail("key", key.id.to_string())
                .detail("audience", audience.clone());
            if let Some(client) = client_key {
                event = event.client(client);
            }
            scribe.write(db, event)?;
            Ok(Ok((place, scribe.now)))
        })
        .await?;
    let (place, now) = taken.map_err(not_admitted)?;
    let client_id = client.map(|client| client.client_id.as_str());
    let issuing =
        issue::KeyIssuing { admitted: &admitted, client_id, place, target: &target, expires_at, now };
    let token = issue::key_access_token(app, &issuing)?;
    Ok(TokenResponse {
        access_token: token.text,
        issued_token_type: Some(ACCESS_TOKEN_TYPE.to_owned()),
        token_type: TokenType::Bearer,
        expires_in: token.expires_in,
        scope: target.scope,
        refresh_token: None,
        id_token: None,
    })
}

impl From<KeyRefused> for Failure {
    fn from(refused: KeyRefused) -> Self {
        match refused {
            KeyRefused::Invalid => OAuthError::invalid_grant("the API key is not valid").into(),
            KeyRefused::Throttled(retry_after) => Self::Throttled(retry_after),
            KeyRefused::Store(error) => error.into(),
        }
    }
}

/// A place in the status list, if the key is still good: what was read before may have changed since.
fn take_place(
    db: &mut Conn,
    key: api_keys::ApiKey,
    expires_at: Timestamp,
    scribe: &Scribe,
) -> Result<Result<Place, Refusal>, store::Error> {
    let id = key.id;
    if !api_keys::hold(db, id)? {
        return Ok(Err(Refusal::KeyOver));
    }
    if let Err(refusal) = admission::admit_api_key(db, key, scribe.now)? {
        return Ok(Err(refusal));
    }
    store::status::take(db, id.as_bytes(), expires_at, &scribe.random).map(Ok)
}

/// A token for what stands behind a proxy.
#[derive(Clone, Debug)]
pub struct Fresh {
    pub token: Secret,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A token of the key for whoever was just found to present it, for what stands behind a proxy; `None` if the key has
/// ended meanwhile.
pub(super) async fn token_of_key(
    app: &App,
    admitted: &KeyAdmission,
    target: &Target,
    origin: &Origin,
) -> Result<Option<Fresh>, Failure> {
    let scribe = app.scribe(origin);
    let (key, now) = (admitted.key().clone(), scribe.now);
    let expires_at = expiry(app, admitted, target, now);
    let taken = app.db.write(move |db| take_place(db, key.clone(), expires_at, &scribe)).await?;
    let Ok(place) = taken else { return Ok(None) };
    let issuing = issue::KeyIssuing { admitted, client_id: None, place, target, expires_at, now };
    let token = Secret::from_text(issue::key_access_token(app, &issuing)?.text);
    Ok(Some(Fresh { token, issued_at: now, expires_at: Timestamp::from_seconds(expires_at.seconds()) }))
}

/// Scopes that no registered API calls its own: they are the organisation's permissions, and concern every addressee.
pub(super) fn permissions(granted: &ScopeSet, registry: &Registry<'_>) -> ScopeSet {
    granted.filtered(|scope| !registry.knows_scope(scope))
}

/// The addressees, and what of the key's scopes concerns them.
///
/// A product's login API that is mounted here may be one: it takes the key itself, too, whatever its scopes.
fn target(
    app: &App,
    admitted: &KeyAdmission,
    asked: Option<&ScopeSet>,
    resources: &[String],
    known: &[crate::model::Resource],
) -> Result<Target, OAuthError> {
    let granted = match asked {
        None => admitted.scopes().clone(),
        Some(asked) if asked.is_subset_of(admitted.scopes()) => asked.clone(),
        Some(asked) => {
            let text = "scope holds what the key does not allow";
            let told = beyond(asked, admitted.scopes());
            return Err(OAuthError::new(ErrorCode::InvalidScope, text).because(told));
        }
    };
    let registry = registry(app, known);
    let permissions = permissions(&granted, &registry);
    let is_product = |named: &&String| registry.find(named).is_none() && app.dialects.serves(named);
    let (mut products, others): (Vec<&String>, Vec<&String>) = resources.iter().partition(is_product);
    products.sort_unstable();
    products.dedup();
    let products = products.into_iter().cloned();
    if others.is_empty() && !resources.is_empty() {
        return Ok(Target { audience: products.collect(), scope: permissions, access_ttl: None });
    }
    let others: Vec<String> = others.into_iter().cloned().collect();
    let mut target = client_targets(&granted, &others, &registry)?;
    target.audience.extend(products);
    Ok(Target { scope: target.scope.union(&permissions), ..target })
}

/// No token of a key outlives it.
fn expiry(app: &App, admitted: &KeyAdmission, target: &Target, now: Timestamp) -> Timestamp {
    let usual = app.config.api_keys.token;
    let end = now.plus(target.access_ttl.map_or(usual, |ttl| ttl.min(usual)));
    admitted.key().expires_at.map_or(end, |key_ends| key_ends.min(end))
}
