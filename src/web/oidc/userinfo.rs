//! `GET` and `POST /oauth2/userinfo` (OpenID Connect Core §5.3).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::grants::Failure;
use crate::grants::userinfo::{self, UserInfo};
use crate::model::explanation::Rule;
use crate::protocol::{ErrorCode, Params, bearer, scope};
use crate::web::extract::{BearerForm, Caller};
use crate::web::failure::ApiFailure;
use crate::web::respond;

use super::token::authorization;

/// The token in the `Authorization` header.
pub async fn by_header(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiFailure> {
    answer(&app, &request, None).await
}

/// The token in the header or in the form body (RFC 6750 §2.2).
pub async fn by_form(
    app: Data<App>,
    request: HttpRequest,
    BearerForm(params): BearerForm,
) -> Result<HttpResponse, ApiFailure> {
    answer(&app, &request, params.as_ref()).await
}

async fn answer(app: &App, request: &HttpRequest, form: Option<&Params>) -> Result<HttpResponse, ApiFailure> {
    let Caller(origin) = Caller::of(request);
    let outcome = match authorization(request).and_then(|header| bearer::extract(header, form)) {
        Ok(Some(token)) => userinfo::userinfo(app, &token, &origin).await,
        Ok(None) => {
            origin.slip.refuse(Rule::TokenMissing);
            return Ok(challenge(
                StatusCode::UNAUTHORIZED,
                bearer::challenge(app.config.issuer.as_str(), None, None),
            ));
        }
        Err(error) => Err(error.into()),
    };
    Ok(match outcome {
        Ok(UserInfo::Json(claims)) => respond::json_no_store(StatusCode::OK, &claims),
        Ok(UserInfo::Jwt(jwt)) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .content_type("application/jwt")
            .body(jwt),
        Err(Failure::OAuth(error)) => {
            if !origin.slip.is_refused() {
                origin.slip.refuse(error.explanation());
            }
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let needed = (error.code == ErrorCode::InsufficientScope).then_some(scope::OPENID);
            challenge(status, bearer::challenge(app.config.issuer.as_str(), Some(&error), needed))
        }
        Err(failure) => return Err(failure.into()),
    })
}

fn challenge(status: StatusCode, challenge: String) -> HttpResponse {
    let mut response = respond::json_no_store(status, &serde_json::json!({}));
    if let Ok(value) = challenge.parse() {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}
