//! What handlers answer when they cannot do what was asked: one type for pages, one for programs.
//!
//! A [`PageFailure`] says what happened; [`super::observe`] makes a page of it in the visitor's language, with the
//! request's reference. An [`ApiFailure`] is its own answer. In both, what the operator reads stays in the log.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

use crate::grants::Failure;
use crate::grants::authorization::Lost;
use crate::identity::limits::Throttled;
use crate::identity::password::Busy;
use crate::model::explanation::{Explanation, Rule};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store;

use super::page::Problem;
use super::respond;
use super::visit::Reference;

/// When to come back while the database is away (CR-3).
const DATABASE_AWAY: Duration = Duration::from_secs(5);
/// When to come back while every password worker is busy (PW-4).
const WORKERS_BUSY: Duration = Duration::from_secs(2);

/// Why a person gets an error page instead of what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PageFailure {
    /// An authorization or logout request that must not be answered by a redirect (RFC 6749 §4.1.2.1). The
    /// description is shown to the developer.
    #[error("{code}: {description}")]
    BadRequest {
        code: ErrorCode,
        parameter: Option<&'static str>,
        description: String,
        /// For those who are asked why; never shown.
        told: Box<Explanation>,
    },
    /// The stored authorization request is over, or belongs to another browser.
    #[error("the request has expired or belongs to another browser")]
    RequestExpired,
    /// The form is not from our page in this browser (CH-1).
    #[error("the form was refused")]
    FormExpired,
    /// What a form of ours sent is larger than any of them takes.
    #[error("what was sent is too large")]
    TooLarge,
    /// A form of ours arrived cut short, or with what is no text.
    #[error("the form cannot be read: {0}")]
    Unreadable(String),
    /// Something is done at this address, and a page of another site led to it.
    #[error("led here by another site")]
    FromElsewhere,
    #[error("forbidden")]
    Forbidden,
    #[error("not found")]
    NotFound,
    #[error("the method is not allowed")]
    MethodNotAllowed,
    #[error("too many requests")]
    Throttled { retry_after: Duration },
    /// Every worker is busy.
    #[error("busy")]
    Busy,
    /// A defect of ours. The text is for the log.
    #[error("{0}")]
    Internal(String),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl PageFailure {
    /// A refused request, with the parameter that is at fault if it is a single one.
    pub fn request(error: &OAuthError, parameter: Option<&'static str>) -> Self {
        let (description, told) = (error.description().to_owned(), Box::new(error.explanation()));
        Self::BadRequest { code: error.code, parameter, description, told }
    }

    /// What the page says.
    pub fn problem(&self) -> Problem<'_> {
        match self {
            Self::BadRequest { code, parameter, description, .. } => Problem::Request {
                code: code.as_str(),
                parameter: *parameter,
                detail: Some(description.as_str()).filter(|text| !text.is_empty()),
            },
            Self::RequestExpired => Problem::RequestExpired,
            Self::FormExpired => Problem::FormExpired,
            Self::TooLarge => Problem::TooLarge,
            Self::Unreadable(_) => Problem::Unreadable,
            Self::FromElsewhere => Problem::FromElsewhere,
            Self::Forbidden => Problem::Forbidden,
            Self::NotFound => Problem::NotFound,
            Self::MethodNotAllowed => Problem::MethodNotAllowed,
            Self::Throttled { retry_after } => Problem::TooManyRequests { wait: *retry_after },
            Self::Busy | Self::Store(store::Error::Unavailable(_)) => Problem::Unavailable,
            Self::Internal(_) | Self::Store(store::Error::Taken(_) | store::Error::Broken(_)) => {
                Problem::Internal
            }
        }
    }

    /// Which rule it is, where nobody has said more. A page that is not there is refused to nobody.
    pub fn explanation(&self) -> Option<Explanation> {
        Some(match self {
            Self::NotFound | Self::MethodNotAllowed => return None,
            Self::BadRequest { told, .. } => (**told).clone(),
            Self::RequestExpired => Rule::RequestOver.into(),
            Self::FormExpired | Self::FromElsewhere => Rule::FormExpired.into(),
            Self::TooLarge | Self::Unreadable(_) => Rule::Parameter.into(),
            Self::Forbidden => Rule::Permission.into(),
            Self::Throttled { .. } => Rule::Throttled.into(),
            Self::Busy => Rule::Busy.into(),
            Self::Store(store::Error::Unavailable(_)) => Rule::Database.into(),
            Self::Internal(_) | Self::Store(_) => Rule::Internal.into(),
        })
    }

    /// For `Retry-After`.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } => Some(*retry_after),
            Self::Busy => Some(WORKERS_BUSY),
            Self::Store(store::Error::Unavailable(_)) => Some(DATABASE_AWAY),
            _ => None,
        }
    }
}

impl From<Failure> for PageFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::OAuth(error) => Self::request(&error, None),
            Failure::Throttled(retry_after) => Self::Throttled { retry_after },
            Failure::Store(error) => error.into(),
            Failure::Busy(_) => Self::Busy,
            Failure::Internal(reason) => Self::Internal(reason),
        }
    }
}

impl From<Lost> for PageFailure {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Unknown | Lost::Completed => Self::RequestExpired,
            Lost::Store(error) => error.into(),
        }
    }
}

impl From<Throttled> for PageFailure {
    fn from(throttled: Throttled) -> Self {
        Self::Throttled { retry_after: throttled.retry_after }
    }
}

impl From<Busy> for PageFailure {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl ResponseError for PageFailure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The status alone: the page needs the request, which is not known here.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// An error as JSON for a client (RFC 6749 §5.2), with everything around it.
#[derive(Debug)]
pub struct ApiFailure {
    error: OAuthError,
    status: StatusCode,
    challenge: Option<String>,
    retry_after: Option<Duration>,
    /// What the database said. For the log.
    cause: Option<store::Error>,
    /// Worded for who speaks no OAuth: a proxy, or whoever is behind it.
    is_problem: bool,
}

impl ApiFailure {
    pub fn new(error: OAuthError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { error, status, challenge: None, retry_after: None, cause: None, is_problem: false }
    }

    /// Too many tries (RL-1): says nothing of whether this one would have been good.
    pub fn throttled(retry_after: Duration) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(retry_after),
            ..Self::new(OAuthError::new(ErrorCode::TemporarilyUnavailable, "too many attempts"))
        }
    }

    /// Another status than the error code's own.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// A `WWW-Authenticate` header (RFC 6749 §5.2, RFC 6750 §3).
    #[must_use]
    pub fn with_challenge(self, challenge: impl Into<String>) -> Self {
        Self { challenge: Some(challenge.into()), ..self }
    }

    /// As problem details (RFC 9457) instead of an OAuth error.
    #[must_use]
    pub fn as_problem(self) -> Self {
        Self { is_problem: true, ..self }
    }

    /// What the client reads.
    pub fn error(&self) -> &OAuthError {
        &self.error
    }

    /// Which rule it is, where nobody has said more.
    pub fn explanation(&self) -> Explanation {
        match &self.cause {
            Some(store::Error::Unavailable(_)) => Rule::Database.into(),
            Some(_) => Rule::Internal.into(),
            None if self.status == StatusCode::TOO_MANY_REQUESTS => Rule::Throttled.into(),
            None => self.error.explanation(),
        }
    }

    /// What the database said, if it is at fault.
    pub fn cause(&self) -> Option<&store::Error> {
        self.cause.as_ref()
    }
}

impl From<OAuthError> for ApiFailure {
    fn from(error: OAuthError) -> Self {
        Self::new(error)
    }
}

/// An outage is never a statement about a credential: clients would drop good sessions (CR-3).
impl From<store::Error> for ApiFailure {
    fn from(cause: store::Error) -> Self {
        let away = matches!(cause, store::Error::Unavailable(_));
        let code = if away { ErrorCode::TemporarilyUnavailable } else { ErrorCode::ServerError };
        Self {
            retry_after: away.then_some(DATABASE_AWAY),
            cause: Some(cause),
            ..Self::new(OAuthError::new(code, ""))
        }
    }
}

impl From<Throttled> for ApiFailure {
    fn from(throttled: Throttled) -> Self {
        Self::throttled(throttled.retry_after)
    }
}

impl fmt::Display for ApiFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl From<Failure> for ApiFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::OAuth(error) => error.into(),
            Failure::Throttled(retry_after) => Self::throttled(retry_after),
            Failure::Store(error) => error.into(),
            Failure::Busy(_) => Self {
                retry_after: Some(WORKERS_BUSY),
                ..Self::new(OAuthError::new(ErrorCode::TemporarilyUnavailable, ""))
            },
            Failure::Internal(reason) => store::Error::Broken(reason).into(),
        }
    }
}

impl ResponseError for ApiFailure {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.answer(None)
    }
}

impl ApiFailure {
    /// The answer, with the reference by which an operator finds out why as one more member (RFC 6749 §5.2 allows it).
    pub fn answer(&self, reference: Option<&Reference>) -> HttpResponse {
        let (code, detail) = (self.error.code.as_str(), self.error.description());
        let mut body = match self.is_problem {
            true => respond::problem_details(self.status, code, detail),
            false => serde_json::to_value(&self.error).expect("an error is two texts"),
        };
        if let Some(reference) = reference {
            body["reference"] = reference.as_str().into();
        }
        let mut answer = match self.is_problem {
            true => respond::problem(&body),
            false => respond::json_no_store(self.status, &body),
        };
        if let Some(challenge) = self.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after {
            answer.headers_mut().insert(RETRY_AFTER, respond::seconds(wait));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::http::header::CACHE_CONTROL;

    use super::*;

    fn unavailable() -> store::Error {
        store::Error::Unavailable("connection refused: db.internal".to_owned())
    }

    #[actix_web::test]
    async fn cr_3_an_outage_is_503_and_never_about_the_credential() {
        let answer = ApiFailure::from(unavailable()).error_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), "5");
        assert_eq!(answer.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        let body = to_bytes(answer.into_body()).await.unwrap();
        assert_eq!(body, r#"{"error":"temporarily_unavailable"}"#, "LO-3: nothing of the database");

        let broken = ApiFailure::from(store::Error::Broken("column x".to_owned()));
        assert_eq!(broken.status_code(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(broken.error().code, ErrorCode::ServerError);
    }

    #[actix_web::test]
    async fn cr_3_a_proxy_reads_problem_details_with_the_same_status_and_wait() {
        for (failure, status, wait) in [
            (ApiFailure::from(unavailable()), StatusCode::SERVICE_UNAVAILABLE, "5"),
            (ApiFailure::throttled(Duration::from_secs(9)), StatusCode::TOO_MANY_REQUESTS, "9"),
        ] {
            let answer = failure.as_problem().error_response();
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), wait);
            assert_eq!(answer.headers().get("content-type").unwrap(), "application/problem+json");
            let body = to_bytes(answer.into_body()).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["status"], status.as_u16());
            assert!(!body.to_string().contains("db.internal"), "LO-3: {body}");
        }
    }

    #[test]
    fn a_challenge_and_another_status_go_with_the_error() {
        let answer = ApiFailure::new(OAuthError::invalid_client("unknown client"))
            .with_challenge("Basic realm=\"countersign\"")
            .error_response();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers().get(WWW_AUTHENTICATE).unwrap(), "Basic realm=\"countersign\"");

        let answer = ApiFailure::throttled(Duration::from_millis(1_500)).error_response();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), "2");
    }

    #[test]
    fn pages_have_the_status_of_what_happened() {
        let wait = Duration::from_secs(7);
        let request = PageFailure::request(&OAuthError::invalid_request("no"), Some("redirect_uri"));
        for (failure, status, retry_after) in [
            (request, 400, None),
            (PageFailure::RequestExpired, 400, None),
            (PageFailure::FormExpired, 403, None),
            (PageFailure::TooLarge, 413, None),
            (PageFailure::Unreadable(String::new()), 400, None),
            (PageFailure::FromElsewhere, 403, None),
            (PageFailure::NotFound, 404, None),
            (PageFailure::Throttled { retry_after: wait }, 429, Some(wait)),
            (PageFailure::Internal("x".to_owned()), 500, None),
            (PageFailure::Busy, 503, Some(WORKERS_BUSY)),
            (PageFailure::Store(unavailable()), 503, Some(DATABASE_AWAY)),
            (PageFailure::Store(store::Error::Broken(String::new())), 500, None),
        ] {
            assert_eq!(failure.status_code().as_u16(), status, "{failure}");
            assert_eq!(failure.retry_after(), retry_after, "{failure}");
        }
    }
}
