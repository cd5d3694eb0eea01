//! What the forms that make an account have in common: how they come back when something is wrong.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::config::RegistrationMode;
use crate::identity::limits::Throttled;
use crate::identity::link::AskError;
use crate::identity::password::{Busy, Weak};
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
            RegistrationError::Faulty(faults) => Complaint::faulty(faults),
            RegistrationError::Throttled(throttled) => Complaint::throttled(throttled),
            RegistrationError::Busy(busy) => Complaint::busy(busy),
        }))
    }
}

impl Complaint {
    /// Fields are wrong.
    pub fn faulty(faults: Faults) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, errors: field_errors(faults), ..Self::default() }
    }

    pub fn weak(weak: Weak) -> Self {
        Self::faulty(Faults { password: Some(weak), ..Faults::default() })
    }

    /// The password that the account has is another. The page says so beside its field.
    pub fn wrong_password() -> Self {
        Self::faulty(Faults::default())
    }

    /// The passkey was not taken.
    pub fn passkey() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, problem: Some(FormProblem::Passkey), ..Self::default() }
    }

    pub fn throttled(throttled: Throttled) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            problem: Some(FormProblem::Throttled { wait: throttled.retry_after }),
            failure: Some(throttled.into()),
            ..Self::default()
        }
    }

    pub fn busy(busy: Busy) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            problem: Some(FormProblem::Busy),
            failure: Some(busy.into()),
            ..Self::default()
        }
    }

    /// No mail was asked for.
    pub fn not_asked(error: AskError) -> Result<Self, PageFailure> {
        match error {
            AskError::BadEmail => {
                Ok(Self::faulty(Faults { email: Some(EmailFault::Invalid), ..Faults::default() }))
            }
            AskError::Throttled(throttled) => Ok(Self::throttled(throttled)),
            AskError::Store(error) => Err(error.into()),
        }
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
