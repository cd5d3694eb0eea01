//! What every page with a passkey does: giving its script a challenge, and reading the answer.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::crypto::Secret;
use crate::identity::factor::passkey::{Answer, Challenge, PasskeyError};
use crate::protocol::Params;
use crate::web::failure::PageFailure;
use crate::web::respond;

use super::Visitor;

/// A challenge for the script.
pub fn challenge(made: Result<Challenge, PasskeyError>) -> Result<HttpResponse, PageFailure> {
    match made {
        Ok(challenge) => Ok(respond::json_no_store(StatusCode::OK, &challenge)),
        Err(PasskeyError::Store(error)) => Err(error.into()),
        Err(PasskeyError::Throttled(throttled)) => Err(throttled.into()),
        Err(PasskeyError::Gone | PasskeyError::Refused | PasskeyError::Unavailable) => {
            Err(PageFailure::NotFound)
        }
    }
}

/// The browser's answer, as the script filled it in.
pub fn answer_of(visitor: &Visitor, params: &Params) -> Answer {
    Answer {
        ceremony: Secret::from_text(params.get("ceremony").unwrap_or_default()),
        credential: params.get("credential").unwrap_or_default().to_owned(),
        browser: visitor.binding().clone(),
    }
}
