//! Refusals as problems (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::web::fault::{Fault, Refused};
use crate::web::respond;

/// 400 is for what cannot be read as the description has it; for what can, and cannot be done, it is 422 here.
fn status(fault: Fault) -> u16 {
    match fault {
        Fault::WeakPassword | Fault::WrongPassword | Fault::LinkExpired | Fault::RedirectRefused => 422,
        other => other.status(),
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(status(self.fault)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let code = self.fault.as_str();
        let mut body = json!({
            "type": format!("urn:countersign:problem:{code}"),
            "title": self.fault.message(),
            "status": status(self.fault),
            "code": code,
        });
        if let Some(detail) = &self.detail {
            body["detail"] = json!(detail);
        }
        let mut answer = respond::json_no_store(self.status_code(), &body);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, respond::seconds(wait));
        }
        // Never `Basic`: a browser would ask for a password itself.
        if matches!(
            self.fault,
            Fault::TokenMissing | Fault::TokenInvalid | Fault::TokenExpired | Fault::ApiKeyInvalid
        ) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

/// For a method that this path does not have.
pub fn method_not_allowed(methods: &[String]) -> HttpResponse {
    let mut answer = Refused::from(Fault::MethodNotAllowed).error_response();
    let allowed = methods.join(", ");
    answer.headers_mut().insert(ALLOW, allowed.parse().expect("methods are ASCII"));
    answer
}
