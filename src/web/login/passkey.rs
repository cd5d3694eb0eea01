//! `/login/passkey`: signing in with a passkey and nothing else (MF-2).
//!
//! The script asks for a challenge and sends the browser's answer back as a form, so that the way on is the same as
//! after a password.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::identity::factor::passkey::{self, PasskeyError};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::LoginProblem;

use super::Visitor;
use super::ceremony::{answer_of, challenge};
use super::situation::{Form, Situation};

/// `POST /login/passkey/options`.
pub async fn options(visitor: Visitor, _: PageForm) -> Result<HttpResponse, PageFailure> {
    challenge(passkey::begin_sign_in(&visitor.app, visitor.binding(), &visitor.origin).await)
}

/// `POST /login/passkey`.
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let mut situation = Situation::of(&visitor, &params).await?;
    situation.settle_link(&visitor, &params).await?;
    let answer = answer_of(&visitor, &params);
    match passkey::sign_in(&visitor.app, &answer, &visitor.arrival(), false, &visitor.origin).await {
        Ok(begun) => Ok(situation.welcome(&visitor, &begun, false).await),
        Err(PasskeyError::Store(error)) => Err(error.into()),
        Err(PasskeyError::Throttled(throttled)) => Err(throttled.into()),
        Err(PasskeyError::Refused | PasskeyError::Gone | PasskeyError::Unavailable) => {
            let form = Form { username: "", remember: false, problem: Some(LoginProblem::Passkey) };
            Ok(situation.page(&visitor, StatusCode::UNAUTHORIZED, &form))
        }
    }
}
