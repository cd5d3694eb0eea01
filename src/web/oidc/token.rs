//! `POST /oauth2/token`.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::audit::Origin;
use crate::grants::{self, Authenticated};
use crate::protocol::client_auth::Presented;
use crate::protocol::metadata::path;
use crate::protocol::token::TokenRequest;
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::web::extract::{Caller, OAuthForm};
use crate::web::failure::ApiFailure;
use crate::web::respond;

/// The token endpoint (RFC 6749 §3.2, OpenID Connect Core §3.1.3).
pub async fn token(
    app: Data<App>,
    request: HttpRequest,
    Caller(origin): Caller,
    OAuthForm(params): OAuthForm,
) -> Result<HttpResponse, ApiFailure> {
    let client = authenticate(&app, &request, &params, path::TOKEN, &origin).await?;
    let asked = TokenRequest::parse(&params)?;
    let tokens = grants::exchange(&app, &client, asked, &origin).await?;
    Ok(respond::json_no_store(StatusCode::OK, &tokens))
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
    let mut headers = request.headers().get_all("authorization");
    match (headers.next(), headers.next()) {
        (None, _) => Ok(None),
        (Some(header), None) => header
            .to_str()
            .map(Some)
            .map_err(|_| OAuthError::invalid_request("the Authorization header is not ASCII text")),
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("there is more than one Authorization header")),
    }
}
