//! Which client is calling, proven by its registered method and no other (CA-1).
//!
//! Secrets have 256 random bits, so they are compared as digests, not hashed with Argon2. Failures are counted for
//! each client and address; a right credential is never refused because of somebody else's failures.

use std::ops::Deref;
use std::sync::Arc;

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::clock::Timestamp;
use crate::crypto::{Digest, Secret, constant_time_eq};
use crate::identity::limits::{self, Bucket};
use crate::keys::{VerifyError, key_ids, peek_header, verify_with_jwks};
use crate::model::explanation::{Explanation, Rule};
use crate::model::{AuditAction, Client, SigningAlg};
use crate::protocol::assertion::{self, Audiences};
use crate::protocol::client_auth::Presented;
use crate::protocol::metadata::{ASSERTION_ALGS, path};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store;

use super::Failure;

/// A client that proved who it is; a public one named itself and can prove no more.
#[derive(Clone, Debug)]
pub struct Authenticated(Arc<Client>);

impl Deref for Authenticated {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.0
    }
}

impl Authenticated {
    /// A client that this instance itself acts as: there is nobody who could prove to be it.
    pub(super) fn ourselves(client: Arc<Client>) -> Self {
        Self(client)
    }
}

/// Authenticates the caller of the endpoint at `called` (a path below the issuer).
pub async fn authenticate(
    app: &App,
    presented: &Presented,
    called: &str,
    origin: &Origin,
) -> Result<Authenticated, Failure> {
    let client = app.client(presented.client_id()).await?;
    let verdict = match &client {
        Some(client) => check(app, client, presented, called).await,
        None => {
            let told = Explanation::of(Rule::ClientUnknown).with("client_id", presented.client_id());
            Err(failed("no client is called that").because(told).into())
        }
    };
    if let Some(client) = &client {
        origin.slip.concerns(client.key);
    }
    match (client, verdict) {
        (Some(client), Ok(())) => Ok(Authenticated(client)),
        (client, Err(Failure::OAuth(error))) => {
            Err(refuse(app, client.as_deref(), presented, error, origin).await)
        }
        (_, Err(other)) => Err(other),
        (None, Ok(())) => Err(Failure::Internal("a client that is not there cannot be right".to_owned())),
    }
}

/// For endpoints that public clients cannot use at all: introspection.
pub fn must_be_confidential(client: &Authenticated) -> Result<(), Failure> {
    if client.is_confidential() {
        return Ok(());
    }
    let told = Explanation::of(Rule::ClientMethod).with("registered", client.auth_method);
    Err(failed("a public client cannot authenticate").because(told).into())
}

async fn check(app: &App, client: &Client, presented: &Presented, called: &str) -> Result<(), Failure> {
    if !client.is_active() {
        return Err(failed("the client is disabled").because(Rule::ClientDisabled).into());
    }
    presented.check_method(client)?;
    match presented {
        Presented::None { .. } => Ok(()),
        Presented::Basic { secret, .. } | Presented::Post { secret, .. } => {
            check_secret(client, secret, app.clock.now()).map_err(Failure::from)
        }
        Presented::Assertion { jwt, .. } => check_assertion(app, client, jwt, called).await,
    }
}

/// Compares with every live secret, all of them each time (CA-2).
fn check_secret(client: &Client, secret: &Secret, now: Timestamp) -> Result<(), OAuthError> {
    let digest = secret.digest();
    let (mut right, mut was_right) = (false, false);
    for known in &client.secrets {
        let live = known.expires_at.is_none_or(|end| now < end);
        let same = constant_time_eq(known.digest.as_bytes(), digest.as_bytes());
        right |= same && live;
        was_right |= same && !live;
    }
    if right {
        return Ok(());
    }
    let live = client.secrets.iter().filter(|known| known.expires_at.is_none_or(|end| now < end)).count();
    let told = Explanation::of(Rule::ClientSecret)
        .with("presented", if was_right { "one that has expired" } else { "one that is not the client's" })
        .with("good secrets", live);
    Err(failed("the secret is wrong or has expired").because(told))
}

async fn check_assertion(app: &App, client: &Client, jwt: &Secret, called: &str) -> Result<(), Failure> {
    let now = app.clock.now();
    let one = client.assertion_alg.map(|alg| [alg]);
    let algs: &[SigningAlg] = one.as_ref().map_or(ASSERTION_ALGS, |alg| alg.as_slice());
    let claims = verify_signature(app, client, jwt, algs, now).await?;
    let issuer = &app.config.issuer;
    let (token_endpoint, called_endpoint) = (issuer.at(path::TOKEN), issuer.at(called));
    let endpoints = [token_endpoint.as_str(), called_endpoint.as_str()];
    let audiences = Audiences { issuer: issuer.as_str(), endpoints: &endpoints };
    let once = assertion::check_claims(&claims, client, audiences, now)?;
    let digest = Digest::of_parts(&[b"client assertion", client.client_id.as_bytes(), once.jti.as_bytes()]);
    let first = app.db.write(move |db| store::grants::present_once(db, &digest, once.expires_at)).await?;
    if first {
        Ok(())
    } else {
        Err(failed("the assertion was presented before").because(Rule::AssertionReused).into())
    }
}

/// With the registered keys; those behind a `jwks_uri` are fetched again when the key is not among them.
async fn verify_signature(
    app: &App,
    client: &Client,
    jwt: &Secret,
    algs: &[SigningAlg],
    now: Timestamp,
) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    let refuse = |error: VerifyError, jwks: &str| {
        Failure::from(failed(&error.to_string()).because(unverified(error, jwt, jwks)))
    };
    if let Some(jwks) = &client.jwks {
        return verify_with_jwks(jwt.expose(), jwks, algs).map_err(|error| refuse(error, jwks));
    }
    let Some(uri) = &client.jwks_uri else {
        let told = Explanation::of(Rule::ClientKeys).with("keys", "none are registered");
        return Err(failed("the client has no keys").because(told).into());
    };
    let mut known = String::new();
    for want_fresh in [false, true] {
        let jwks = app.outbound.client_jwks(uri, want_fresh, now).await.map_err(|error| {
            let told = Explanation::of(Rule::ClientKeys).with("jwks_uri", uri).with("error", &error);
            failed(&format!("its keys could not be fetched: {error}")).because(told)
        })?;
        match verify_with_jwks(jwt.expose(), &jwks, algs) {
            Err(VerifyError::UnknownKey) if !want_fresh => {}
            outcome => return outcome.map_err(|error| refuse(error, &jwks)),
        }
        known = jwks.to_string();
    }
    Err(refuse(VerifyError::UnknownKey, &known))
}

/// What is wrong with the signature: which key was asked for, and which there are.
fn unverified(error: VerifyError, jwt: &Secret, jwks: &str) -> Explanation {
    let rule = match error {
        VerifyError::UnknownKey => Rule::AssertionKey,
        VerifyError::BadSignature | VerifyError::WrongAlgorithm => Rule::AssertionSignature,
        _ => Rule::AssertionClaims,
    };
    let header = peek_header(jwt.expose());
    let told = Explanation::of(rule).with("reason", error);
    let told = told.with_id("key asked for", header.kid.as_deref().unwrap_or("none"));
    let told = told.with("algorithm", header.alg.as_deref().unwrap_or("none"));
    told.with_id("keys known", &key_ids(jwks).join(", "))
}

/// One text for every reason; the reason goes to the log and the audit.
fn failed(reason: &str) -> OAuthError {
    OAuthError::invalid_client("client authentication failed").with_hint(reason)
}

async fn refuse(
    app: &App,
    client: Option<&Client>,
    presented: &Presented,
    error: OAuthError,
    origin: &Origin,
) -> Failure {
    let scribe = app.scribe(origin);
    let limit = app.config.limits.client_secret_failures;
    let bucket = Bucket::new("client", &[presented.client_id().as_bytes(), &limits::address_key(origin.ip)]);
    let event = client.map(|client| {
        Event::denied(AuditAction::ClientRefused)
            .client(client.key)
            .detail("reason", error.hint().unwrap_or_else(|| error.description()))
    });
    let counted = app
        .db
        .write(move |db| {
            let counted = limits::reserve(db, &[(bucket, limit)], scribe.now, &scribe.origin.slip)?;
            // Beyond the limit nothing more is written, so that a flood does not fill the audit.
            if let (Ok(()), Some(event)) = (counted, event.clone()) {
                scribe.write(db, event)?;
            }
            Ok(counted)
        })
        .await;
    match counted {
        Ok(Ok(())) => error.into(),
        Ok(Err(throttled)) if error.code == ErrorCode::InvalidClient => {
            Failure::Throttled(throttled.retry_after)
        }
        Ok(Err(_)) => error.into(),
        Err(error) => error.into(),
    }
}
