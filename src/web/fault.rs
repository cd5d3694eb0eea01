//! Why a call of a login API is refused: a closed set of errors, in which everything ends that a use case refuses.
//!
//! A dialect gives its own words to them; [`super::api`] words them as problems.

use std::fmt;
use std::time::Duration;

use crate::grants::Failure;
use crate::grants::first_party::{Denied, Elsewhere, SignInDenied};
use crate::identity::account::profile::ProfileError;
use crate::identity::change_password::ChangeError;
use crate::identity::federation::FederationError;
use crate::identity::link::{AskError, LinkError};
use crate::identity::password::Weak;
use crate::identity::recovery::ResetError;
use crate::identity::registration::{EmailFault, Faults, RegistrationError};
use crate::identity::sign_in::SignInError;
use crate::model::explanation::{Explanation, Rule};
use crate::store;
use crate::tenancy::api_keys::present::KeyRefused;

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
    /// Whoever changes what matters proves first who they are (SE-7).
    ReauthenticationRequired = "reauthentication_required", 403, "Sign in again first: the last time is too long ago.";
    /// What is asked for cannot stand beside what is there.
    Conflict = "conflict", 409, "This cannot be done as things stand.";
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
    /// Read, and not to be done as it is.
    InvalidValue = "invalid_value", 422, "A value cannot be taken.";
    IdempotencyKeyReused = "idempotency_key_reused", 422, "This idempotency key was sent with another request.";
    InProgress = "in_progress", 409, "The first request with this idempotency key has not been answered.";
    RateLimited = "rate_limited", 429, "Too many attempts. Try again later.";
    NotFound = "not_found", 404, "There is nothing here.";
    MethodNotAllowed = "method_not_allowed", 405, "This method is not allowed here.";
    RequestTimeout = "request_timeout", 408, "The body took too long.";
    BodyTooLarge = "body_too_large", 413, "The body is too long.";
    UriTooLong = "uri_too_long", 414, "The address is too long.";
    UnsupportedMediaType = "unsupported_media_type", 415, "The body is of a type that is not taken here.";
    HeadersTooLarge = "headers_too_large", 431, "The headers are too long.";
    Internal = "internal", 500, "Something went wrong here.";
    Unavailable = "unavailable", 503, "The service is busy. Try again soon.";
}

impl Fault {
    /// Which rule it is, where nobody has said more.
    pub const fn rule(self) -> Rule {
        match self {
            // Who judged a password has said so.
            Self::InvalidCredentials => Rule::CredentialsMissing,
            Self::WrongPassword => Rule::PasswordWrong,
            Self::FactorRequired => Rule::FactorMissing,
            Self::TokenMissing => Rule::TokenMissing,
            Self::TokenInvalid => Rule::TokenRevoked,
            Self::TokenExpired => Rule::TokenExpired,
            Self::ApiKeyInvalid => Rule::ApiKey,
            Self::Forbidden => Rule::Permission,
            Self::ReauthenticationRequired => Rule::Reauthentication,
            Self::OrganisationDenied | Self::OrganisationMismatch => Rule::Membership,
            Self::LinkExpired => Rule::Link,
            Self::RedirectRefused => Rule::RedirectUri,
            Self::ProviderRefused => Rule::ProviderToken,
            Self::AccountExists => Rule::ProviderAccount,
            Self::RegistrationClosed => Rule::WayClosed,
            Self::RateLimited => Rule::Throttled,
            Self::Internal => Rule::Internal,
            Self::Unavailable => Rule::Busy,
            Self::Conflict
            | Self::OrganisationMalformed
            | Self::InvalidRequest
            | Self::TwoCredentials
            | Self::WeakPassword
            | Self::InvalidValue
            | Self::IdempotencyKeyReused
            | Self::InProgress
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::RequestTimeout
            | Self::BodyTooLarge
            | Self::UriTooLong
            | Self::UnsupportedMediaType
            | Self::HeadersTooLarge => Rule::Parameter,
        }
    }
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

impl Refused {
    /// Which rule it is, where nobody has said more.
    pub fn explanation(&self) -> Explanation {
        let told = Explanation::of(self.fault.rule()).with("error", self.fault.as_str());
        self.detail.iter().fold(told, |told, detail| told.with("detail", detail))
    }
}

/// For the log.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, &self.detail) {
            (Some(told), _) | (None, Some(told)) => write!(f, "{}: {told}", self.fault.as_str()),
            (None, None) => f.write_str(self.fault.as_str()),
        }
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

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotAMember => Fault::OrganisationDenied.into(),
            Denied::NotThisWay => {
                Self::with_detail(Fault::Forbidden, "This way of signing in is not allowed here.")
            }
            Denied::FactorMissing => Fault::FactorRequired.into(),
            Denied::NotAdmitted(_) | Denied::Invalid => Fault::TokenInvalid.into(),
            Denied::Expired => Fault::TokenExpired.into(),
            Denied::Failed(failure) => failure.into(),
        }
    }
}

impl From<SignInDenied> for Refused {
    fn from(denied: SignInDenied) -> Self {
        match denied {
            SignInDenied::SignIn(error) => error.into(),
            SignInDenied::Denied(denied) => denied.into(),
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error.into(),
            Failure::Busy(_) => Self::busy(),
            Failure::Throttled(wait) => Self::throttled(wait),
            Failure::OAuth(_) => Fault::TokenInvalid.into(),
            Failure::Internal(cause) => Self::internal(cause),
        }
    }
}

impl From<Elsewhere> for Refused {
    fn from(_: Elsewhere) -> Self {
        Fault::OrganisationMismatch.into()
    }
}

impl From<SignInError> for Refused {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::BadCredentials => Fault::InvalidCredentials.into(),
            SignInError::Throttled(throttled) => Self::throttled(throttled.retry_after),
            SignInError::Busy(_) => Self::busy(),
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<LinkError> for Refused {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Expired => Fault::LinkExpired.into(),
            LinkError::Throttled(throttled) => Self::throttled(throttled.retry_after),
            LinkError::Store(error) => error.into(),
        }
    }
}

impl From<FederationError> for Refused {
    fn from(error: FederationError) -> Self {
        match error {
            FederationError::AccountExists | FederationError::LinkedElsewhere => Fault::AccountExists.into(),
            FederationError::Unavailable(_) => Self::busy(),
            FederationError::Throttled(throttled) => Self::throttled(throttled.retry_after),
            FederationError::Store(error) => error.into(),
            FederationError::NoSuchProvider
            | FederationError::Stale
            | FederationError::Denied(_)
            | FederationError::Refused(_)
            | FederationError::ClientRefused(_)
            | FederationError::NoAccount
            | FederationError::NotInvited => Fault::ProviderRefused.into(),
        }
    }
}

impl From<RegistrationError> for Refused {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Faulty(faults) => faulty(faults),
            RegistrationError::LinkExpired => Fault::LinkExpired.into(),
            RegistrationError::Throttled(throttled) => Self::throttled(throttled.retry_after),
            RegistrationError::Busy(_) => Self::busy(),
            RegistrationError::Store(error) => error.into(),
        }
    }
}

fn faulty(faults: Faults) -> Refused {
    match (faults.email, faults.name, faults.password) {
        (Some(EmailFault::Taken), ..) => Fault::AccountExists.into(),
        (Some(EmailFault::Invalid), ..) => {
            Refused::with_detail(Fault::InvalidRequest, "`email` must be an e-mail address.")
        }
        (None, Some(_), _) => {
            Refused::with_detail(Fault::InvalidRequest, "`name` must have 1 to 200 characters.")
        }
        (None, None, Some(weak)) => Refused::with_detail(Fault::WeakPassword, weakness(weak)),
        (None, None, None) => Fault::InvalidRequest.into(),
    }
}

/// What is wrong with a new password, for people.
fn weakness(weak: Weak) -> String {
    match weak {
        Weak::TooShort { min } => format!("The password must have {min} characters or more."),
        Weak::TooLong { max } => format!("The password must have at most {max} characters."),
        Weak::Guessable => "The password is too easy to guess.".to_owned(),
    }
}

impl From<AskError> for Refused {
    fn from(error: AskError) -> Self {
        match error {
            AskError::BadEmail => {
                Self::with_detail(Fault::InvalidRequest, "`email` must be an e-mail address.")
            }
            AskError::Throttled(throttled) => Self::throttled(throttled.retry_after),
            AskError::Store(error) => error.into(),
        }
    }
}

impl From<ResetError> for Refused {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::Weak(weak) => Self::with_detail(Fault::WeakPassword, weakness(weak)),
            ResetError::Link(error) => error.into(),
            ResetError::Busy(_) => Self::busy(),
        }
    }
}

impl From<ChangeError> for Refused {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::WrongPassword => Fault::WrongPassword.into(),
            ChangeError::Weak(weak) => Self::with_detail(Fault::WeakPassword, weakness(weak)),
            ChangeError::Throttled(throttled) => Self::throttled(throttled.retry_after),
            ChangeError::Busy(_) => Self::busy(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<ProfileError> for Refused {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Store(error) => error.into(),
            other => Self::with_detail(Fault::InvalidRequest, format!("{other}.")),
        }
    }
}

impl From<KeyRefused> for Refused {
    fn from(refused: KeyRefused) -> Self {
        match refused {
            KeyRefused::Invalid => Fault::ApiKeyInvalid.into(),
            KeyRefused::Throttled(wait) => Self::throttled(wait),
            KeyRefused::Store(error) => error.into(),
        }
    }
}
