//! `POST /oauth2/revoke` (RFC 7009).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::crypto::Secret;
use crate::grants::revocation;
use crate::protocol::metadata::path;
use crate::web::extract::{Caller, OAuthForm};
use crate::web::failure::ApiFailure;
use crate::web::respond;

use super::token;

/// Makes a token dead. `token_type_hint` is only a hint, and nothing here needs it.
pub async fn revoke(
    app: Data<App>,
    request: HttpRequest,
    Caller(origin): Caller,
    OAuthForm(params): OAuthForm,
) -> Result<HttpResponse, ApiFailure> {
    let client = token::authenticate(&app, &request, &params, path::REVOKE, &origin).await?;
    let presented = Secret::from_text(params.require("token")?);
    revocation::revoke(&app, &client, &presented, &origin).await?;
    Ok(respond::json_no_store(StatusCode::OK, &serde_json::json!({})))
}
