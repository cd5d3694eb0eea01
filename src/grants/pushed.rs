//! Pushed authorization requests (RFC 9126, TE-11).

use crate::app::App;
use crate::crypto::{Digest, Secret};
use crate::model::explanation::{Explanation, Rule};
use crate::model::{Client, ClientKey};
use crate::protocol::authorize::{AuthorizationRequest, pushed_uri};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::{self, authorization};

use super::Failure;

/// A reference to a pushed request.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Pushed {
    pub request_uri: String,
    /// Seconds.
    pub expires_in: u64,
}

/// Keeps a validated request for the browser that will bring its reference.
pub async fn push(app: &App, client: &Client, request: &AuthorizationRequest) -> Result<Pushed, Failure> {
    let reference = Secret::generate(&app.random);
    let (now, life) = (app.clock.now(), app.config.lifetimes.par);
    let row = authorization::Pushed {
        digest: reference.digest(),
        client_id: client.key,
        request: serde_json::to_string(request).expect("an authorization request is plain data"),
        created_at: now,
        expires_at: now.plus(life),
        consumed_at: None,
    };
    app.db.write(move |db| authorization::insert_pushed(db, &row)).await?;
    Ok(Pushed { request_uri: pushed_uri(&reference), expires_in: life.as_secs() })
}

/// The request behind one of our references, if it is of this client and not used up. It is used up when its
/// authorization completes, so that a page may be loaded again before.
pub async fn resolve(
    app: &App,
    client: &Client,
    reference: &Secret,
) -> Result<(AuthorizationRequest, Digest), Failure> {
    let invalid = || OAuthError::new(ErrorCode::InvalidRequestUri, "request_uri is unknown, used or expired");
    let (digest, client, now) = (reference.digest(), client.key, app.clock.now());
    let found = app.db.read(move |db| authorization::find_pushed(db, &digest, client, now)).await?;
    let Some(row) = found else { return Err(invalid().because(why_not(app, digest, client).await?).into()) };
    let request = serde_json::from_str(&row.request)
        .map_err(|error| store::Error::broken("a pushed authorization request", error))?;
    Ok((request, digest))
}

/// Whoever holds the reference learns one answer for all; whoever runs the instance, which it was.
async fn why_not(app: &App, digest: Digest, client: ClientKey) -> Result<Explanation, store::Error> {
    let now = app.clock.now();
    let found = app.db.read(move |db| authorization::look_at_pushed(db, &digest)).await?;
    let told = Explanation::of(Rule::PushedRequest);
    Ok(match found {
        None => told.with("state", "unknown"),
        Some(row) if row.client_id != client => told.with("state", "pushed by another client"),
        Some(row) => match row.consumed_at {
            Some(at) => told.with("state", "used").with("seconds ago", now.since(at).as_secs()),
            None => told
                .with("state", "expired")
                .with("seconds ago", now.since(row.expires_at).as_secs())
                .with("lasts seconds", row.expires_at.since(row.created_at).as_secs()),
        },
    })
}
