//! `POST /oauth2/token`.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::audit::Origin;
use crate::crypto::Secret;
use crate::grants::{self, Authenticated, token_exchange};
use crate::model::GrantType;
use crate::protocol::client_auth::Presented;
use crate::protocol::metadata::path;
use crate::protocol::token::{TokenRequest, TokenResponse};
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::web::extract::{self, Caller, OAuthForm};
use crate::web::failure::ApiFailure;
use crate::web::respond;

/// The token endpoint (RFC 6749 §3.2, OpenID Connect Core §3.1.3).
pub async fn token(
    app: Data<App>,
    request: HttpRequest,
    Caller(origin): Caller,
    OAuthForm(params): OAuthForm,
) -> Result<HttpResponse, ApiFailure> {
    let tokens = if params.get("grant_type") == Some(GrantType::TokenExchange.as_str()) {
        exchange_key(&app, &request, &params, &origin).await?
    } else {
        let client = authenticate(&app, &request, &params, path::TOKEN, &origin).await?;
        let asked = TokenRequest::parse(&params)?;
        grants::exchange(&app, &client, asked, &origin).await?
    };
    Ok(respond::json_no_store(StatusCode::OK, &tokens))
}

/// An API key for a token (RFC 8693). The key comes as `subject_token`, with or without a client that authenticates, or
/// alone in `X-API-Key`: a header that authenticates, beside another way of doing so, would be two credentials at once
/// (RFC 6749 §2.3, §5.2: `invalid_request`). At the other grants a key is no credential, and the header is not read: a
/// gateway in front may have one of this name for itself.
async fn exchange_key(
    app: &App,
    request: &HttpRequest,
    params: &Params,
    origin: &Origin,
) -> Result<TokenResponse, ApiFailure> {
    let TokenRequest::TokenExchange { key, scope, resources } = TokenRequest::parse(params)? else {
        return Err(OAuthError::invalid_request("grant_type is not that of an exchange").into());
    };
    let in_header = extract::one(request.headers(), "x-api-key")?.map(Secret::from_text);
    let names_client = ["client_id", "client_secret", "client_assertion", "client_assertion_type"]
        .iter()
        .any(|name| params.get(name).is_some());
    let has_client = authorization(request)?.is_some() || names_client;
    let key = match (key, in_header) {
        (Some(_), Some(_)) => return Err(OAuthError::invalid_request("the key is sent in two ways").into()),
        (None, Some(_)) if has_client => {
            let text = "X-API-Key stands alone: a client that authenticates sends the key as subject_token";
            return Err(OAuthError::invalid_request(text).into());
        }
        (Some(key), None) | (None, Some(key)) => key,
        (None, None) => return Err(OAuthError::invalid_request("subject_token is missing").into()),
    };
    let client = match has_client {
        true => Some(authenticate(app, request, params, path::TOKEN, origin).await?),
        false => None,
    };
    let presented = token_exchange::Presented { key, scope, resources };
    Ok(token_exchange::exchange(app, client.as_ref(), presented, origin).await?)
}

/// The client of a request to an endpoint that clients authenticate at.
pub(super) async fn authenticate(
    app: &App,
    request: &HttpRequest,
    params: &Params,
    called: &str,
    origin: &Origin,
) -> Result<Authenticated, ApiFailure> {
    let header = authorization(request)?;
    let failed = |failure: ApiFailure| match header {
        // RFC 6749 §5.2: who tried Basic is told so.
        Some(_) if failure.error().code == ErrorCode::InvalidClient => {
            failure.with_challenge(format!("Basic realm=\"{}\"", app.config.issuer.as_str()))
        }
        _ => failure,
    };
    let presented = Presented::read(header, params).map_err(|error| failed(error.into()))?;
    grants::client_auth::authenticate(app, &presented, called, origin)
        .await
        .map_err(|error| failed(error.into()))
}

/// The `Authorization` header: one, and text.
pub(super) fn authorization(request: &HttpRequest) -> Result<Option<&str>, OAuthError> {
    extract::one(request.headers(), "authorization")
}
