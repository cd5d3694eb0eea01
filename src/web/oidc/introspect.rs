//! `POST /oauth2/introspect` (RFC 7662).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::crypto::Secret;
use crate::grants::{client_auth, introspection};
use crate::protocol::metadata::path;
use crate::web::extract::{Caller, OAuthForm};
use crate::web::failure::ApiFailure;
use crate::web::respond;

use super::token;

/// Says whether a token is active, to whom it concerns (IR-1).
pub async fn introspect(
    app: Data<App>,
    request: HttpRequest,
    Caller(origin): Caller,
    OAuthForm(params): OAuthForm,
) -> Result<HttpResponse, ApiFailure> {
    let caller = token::authenticate(&app, &request, &params, path::INTROSPECT, &origin).await?;
    client_auth::must_be_confidential(&caller)?;
    let presented = Secret::from_text(params.require("token")?);
    let answer = introspection::introspect(&app, &caller, &presented, &origin).await?;
    Ok(respond::json_no_store(StatusCode::OK, &answer))
}
