//! `POST /oauth2/par` (RFC 9126).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::grants::pushed;
use crate::protocol::authorize::{AuthorizeFailure, Channel};
use crate::protocol::metadata::path;
use crate::web::extract::{Caller, OAuthForm};
use crate::web::failure::ApiFailure;
use crate::web::respond;

use super::{authorize, token};

/// Keeps a validated request until the browser brings its reference.
pub async fn push(
    app: Data<App>,
    request: HttpRequest,
    Caller(origin): Caller,
    OAuthForm(params): OAuthForm,
) -> Result<HttpResponse, ApiFailure> {
    let client = token::authenticate(&app, &request, &params, path::PAR, &origin).await?;
    let asked = authorize::validate(&app, &params, Some(&client), Channel::Pushed)
        .await?
        .map_err(AuthorizeFailure::into_oauth_error)?;
    let pushed = pushed::push(&app, &client, &asked).await?;
    Ok(respond::json_no_store(StatusCode::CREATED, &pushed))
}
