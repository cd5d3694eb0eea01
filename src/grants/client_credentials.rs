//! `client_credentials`: a token for the client itself (RFC 6749 §4.4, TE-9). Touches no table.

use crate::app::App;
use crate::protocol::scope::ScopeSet;
use crate::protocol::targets::client_targets;
use crate::protocol::token::{TokenResponse, TokenType, client_scope};
use crate::protocol::{ErrorCode, OAuthError};
use crate::tenancy::admission;

use super::{Authenticated, Failure, issue, registry};

/// Issues. Scopes are capped by registration.
pub async fn issue(
    app: &App,
    client: &Authenticated,
    asked: Option<ScopeSet>,
    resources: &[String],
) -> Result<TokenResponse, Failure> {
    let admitted = admission::admit_client(client).map_err(|refusal| {
        OAuthError::new(ErrorCode::UnauthorizedClient, "this client may not use client_credentials")
            .with_hint(refusal.to_string())
            .because(refusal)
    })?;
    let known = app.resources().await?;
    let registry = registry(app, &known);
    let granted = client_scope(client, asked.as_ref(), &registry)?;
    let target = client_targets(&granted, resources, &registry)?;
    let token = issue::client_access_token(app, client, admitted, &target, app.clock.now())?;
    Ok(TokenResponse {
        issued_token_type: None,
        access_token: token.text,
        token_type: TokenType::Bearer,
        expires_in: token.expires_in,
        scope: target.scope,
        refresh_token: None,
        id_token: None,
    })
}
