//! Why a call of a dialect is refused: the closed set of errors that a dialect gives words to.

use std::time::Duration;

use crate::store;

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $message:literal;)+) => {
        /// An error that a dialect may word. Each has a status and a message, where the dialect says nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($(#[$doc])* $variant,)+ }

        impl Fault {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in `[errors]`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

faults! {
    /// Unknown account, wrong password, disabled account: one answer for all (PW-6).
    InvalidCredentials = "invalid_credentials", 401, "The user name or the password is wrong.";
    /// A second factor is owed, which this API cannot ask for (MF-5).
    FactorRequired = "factor_required", 403, "A second factor is needed: sign in on the website.";
    TokenMissing = "token_missing", 401, "A token is needed.";
    /// Malformed, foreign, revoked, signed out.
    TokenInvalid = "token_invalid", 401, "The token is not valid.";
    /// Signed by us and past its time (LG-5).
    TokenExpired = "token_expired", 401, "The token has expired.";
    ApiKeyInvalid = "api_key_invalid", 401, "The API key is not valid.";
    Forbidden = "forbidden", 403, "This is not allowed.";
    /// Unknown organisation, or one that the caller does not belong to: one answer (OR-1).
    OrganisationDenied = "organisation_denied", 403, "There is no such organisation for this account.";
    OrganisationMalformed = "organisation_malformed", 400, "This is no organisation's or workspace's id.";
    /// Named by a header, and not the one that the token is for.
    OrganisationMismatch = "organisation_mismatch", 400, "The token is for another organisation or workspace.";
    InvalidRequest = "invalid_request", 400, "The request cannot be read, or lacks a field.";
    /// A token and an API key at once.
    TwoCredentials = "two_credentials", 400, "Send either a token or an API key.";
    WeakPassword = "weak_password", 400, "The new password cannot be taken.";
    WrongPassword = "wrong_password", 400, "The current password is wrong.";
    /// A link that is used, replaced, too old or unknown.
    LinkExpired = "link_expired", 400, "The link does not work any more.";
    RedirectRefused = "redirect_refused", 400, "This address is not registered for this application.";
    /// The provider's token proves nobody to us, or whoever it proves may not come.
    ProviderRefused = "provider_refused", 401, "The provider's token is not accepted.";
    /// An account has the address and must be linked to by its owner (FE-7).
    AccountExists = "account_exists", 409, "An account with this address exists: sign in to it to link the two.";
    RegistrationClosed = "registration_closed", 403, "Registration is closed.";
    RateLimited = "rate_limited", 429, "Too many attempts. Try again later.";
    NotFound = "not_found", 404, "There is nothing here.";
    MethodNotAllowed = "method_not_allowed", 405, "This method is not allowed here.";
    RequestTimeout = "request_timeout", 408, "The body took too long.";
    BodyTooLarge = "body_too_large", 413, "The body is too long.";
    UnsupportedMediaType = "unsupported_media_type", 415, "The body is of a type that is not taken here.";
    HeadersTooLarge = "headers_too_large", 431, "The headers are too long.";
    Internal = "internal", 500, "Something went wrong here.";
    Unavailable = "unavailable", 503, "The service is busy. Try again soon.";
}

/// A refusal on its way to becoming an answer.
#[derive(Debug)]
pub struct Refused {
    pub fault: Fault,
    /// What exactly, where that may be told. A template calls it `detail`.
    pub detail: Option<String>,
    pub retry_after: Option<Duration>,
    /// What the database or the signer said. For the log.
    pub cause: Option<String>,
}

/// When to come back while the database is away or every password worker is busy (CR-3, PW-4).
const SOON: Duration = Duration::from_secs(5);

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, detail: None, retry_after: None, cause: None }
    }
}

impl Refused {
    pub fn with_detail(fault: Fault, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..fault.into() }
    }

    pub fn throttled(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Fault::RateLimited.into() }
    }

    pub fn busy() -> Self {
        Self { retry_after: Some(SOON), ..Fault::Unavailable.into() }
    }

    pub fn internal(cause: impl ToString) -> Self {
        Self { cause: Some(cause.to_string()), ..Fault::Internal.into() }
    }
}

/// An outage is never a statement about a credential (CR-3).
impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        match &error {
            store::Error::Unavailable(_) => Self { cause: Some(error.to_string()), ..Self::busy() },
            _ => Self::internal(error),
        }
    }
}
