//! What the forms that make an account have in common: how they come back when something is wrong.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::config::RegistrationMode;
use crate::identity::password::Weak;
use crate::identity::registration::{EmailFault, Faults, NameFault, RegistrationError};
use crate::web::failure::PageFailure;
use crate::web::page::{FieldError, FieldErrors, FormProblem, LinkExpiredPage, LinkKind};
use crate::web::respond::Csp;

use super::Visitor;
use super::visitor::no_referrer;

/// Why there is no account yet.
pub enum Setback {
    /// The form comes back with what was typed, but for the password.
    Form(Complaint),
    /// There is nothing to fill in any more.
    LinkExpired,
}

/// What the form says.
#[derive(Debug)]
pub struct Complaint {
    pub status: StatusCode,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
    /// When to try again, if that is all there is to do.
    pub failure: Option<PageFailure>,
}

impl Setback {
    pub fn of(error: RegistrationError) -> Result<Self, PageFailure> {
        Ok(Self::Form(match error {
            RegistrationError::Store(error) => return Err(error.into()),
            RegistrationError::LinkExpired => return Ok(Self::LinkExpired),
            RegistrationError::Faulty(faults) => Complaint {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                errors: field_errors(faults),
                problem: None,
                failure: None,
            },
            RegistrationError::Throttled(throttled) => Complaint {
                status: StatusCode::TOO_MANY_REQUESTS,
                errors: FieldErrors::default(),
                problem: Some(FormProblem::Throttled { wait: throttled.retry_after }),
                failure: Some(throttled.into()),
            },
            RegistrationError::Busy(busy) => Complaint {
                status: StatusCode::SERVICE_UNAVAILABLE,
                errors: FieldErrors::default(),
                problem: Some(FormProblem::Busy),
                failure: Some(busy.into()),
            },
        }))
    }
}

impl Default for Complaint {
    /// Nothing is wrong: the form as it is shown first.
    fn default() -> Self {
        Self { status: StatusCode::OK, errors: FieldErrors::default(), problem: None, failure: None }
    }
}

fn field_errors(faults: Faults) -> FieldErrors {
    FieldErrors {
        name: faults.name.map(|fault| match fault {
            NameFault::Missing => FieldError::NameMissing,
            NameFault::TooLong => FieldError::NameTooLong,
        }),
        email: faults.email.map(|fault| match fault {
            EmailFault::Invalid => FieldError::EmailInvalid,
            EmailFault::Taken => FieldError::EmailTaken,
        }),
        password: faults.password.map(|weak| match weak {
            Weak::TooShort { min } => FieldError::PasswordTooShort { min },
            Weak::TooLong { .. } => FieldError::PasswordTooLong,
            Weak::Guessable => FieldError::PasswordEasyToGuess,
        }),
    }
}

/// The answer to a link that opens nothing, whatever the reason: 410, since it may have been good once.
pub fn link_expired(visitor: &Visitor, kind: LinkKind) -> HttpResponse {
    let frame = visitor.frame(None);
    let ui = frame.ui(None);
    let may_register = visitor.app.config.registration_mode() == RegistrationMode::Open;
    let page = LinkExpiredPage { ui: &ui, kind, may_register };
    no_referrer(visitor.show(&ui, StatusCode::GONE, &page, Csp::Own))
}
