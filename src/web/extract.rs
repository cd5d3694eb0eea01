//! What a handler can ask for in its signature, so that the signature shows what was checked before its first line.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;

use crate::audit::{By, Origin};
use crate::config::Issuer;
use crate::crypto::{MasterKey, Random, Secret};
use crate::identity::device::KnownDevice;
use crate::protocol::{Bounds, OAuthError, ParamError, Params, bearer};

use super::cookies::{self, Name};
use super::csrf;
use super::failure::{ApiFailure, PageFailure};
use super::visit::{Visit, app};

/// The longest text of a browser that is kept.
const USER_AGENT_LENGTH: usize = 256;
/// How long a body may take (HL-1).
const BODY_TIME: Duration = Duration::from_secs(15);

/// Who calls, for the audit and the limits.
#[derive(Clone, Debug)]
pub struct Caller(pub Origin);

impl Caller {
    pub fn of(request: &HttpRequest) -> Self {
        let visit = Visit::of(app(request), request);
        Self(Origin {
            ip: visit.ip,
            user_agent: request.headers().get(USER_AGENT).map(|value| readable(value.as_bytes())),
            request_id: visit.reference.to_string(),
            limits: None,
            claim: None,
            by: By::default(),
            slip: visit.slip,
        })
    }
}

/// Without control characters (CH-5), not longer than needed.
fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(USER_AGENT_LENGTH).collect()
}

impl FromRequest for Caller {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// What the browser's cookies say. Never fails: what does not read is not there.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Ties forms and authorization requests to this browser.
    pub binding: Option<Secret>,
    /// What may be sessions, the current one first. [`crate::identity::session::resume`] knows their worth.
    pub sessions: Vec<Secret>,
    /// What may be a sign-in that waits for its second factor.
    pub pending: Option<Secret>,
    pub device: Option<KnownDevice>,
}

impl Browser {
    fn read(request: &HttpRequest, issuer: &Issuer, master: &MasterKey) -> Self {
        let cookie = |name| cookies::read(request.headers(), issuer, name);
        Self {
            binding: cookie(Name::Browser).and_then(|value| cookies::read_secrets(value).pop()),
            sessions: cookie(Name::Sessions).map(cookies::read_secrets).unwrap_or_default(),
            pending: cookie(Name::Pending).and_then(|value| cookies::read_secrets(value).pop()),
            device: cookie(Name::Devices).and_then(|value| KnownDevice::from_cookie(master, value)),
        }
    }

    fn of(request: &HttpRequest) -> Self {
        let app = app(request);
        Self::read(request, &app.config.issuer, &app.master)
    }

    /// The browser's binding, and whether it was made just now: then the answer must set it.
    pub fn binding_or_new(&self, random: &Random) -> (Secret, bool) {
        match &self.binding {
            Some(binding) => (binding.clone(), false),
            None => (Secret::generate(random), true),
        }
    }
}

impl FromRequest for Browser {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// What a caller of an API presents: from headers alone, and one thing at a time (AK-1).
#[derive(Clone, Debug)]
pub enum Credential {
    Bearer(Secret),
    /// `X-API-Key`.
    ApiKey(Secret),
}

impl Credential {
    /// Reads the headers. `None` if neither is there.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, OAuthError> {
        let authorization = one(headers, "authorization")?;
        match (authorization, one(headers, "x-api-key")?) {
            (Some(_), Some(_)) => Err(OAuthError::invalid_request(
                "Authorization and X-API-Key are both there: send one of them",
            )),
            (None, Some(key)) => Ok(Some(Self::ApiKey(Secret::from_text(key)))),
            (authorization, None) => Ok(bearer::extract(authorization, None)?.map(Self::Bearer)),
        }
    }
}

/// The header: one, and text.
pub fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, OAuthError> {
    let mut all = headers.get_all(name);
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(header), None) => header
            .to_str()
            .map(Some)
            .map_err(|_| OAuthError::invalid_request(format!("the header {name} is not ASCII text"))),
        (Some(_), Some(_)) => Err(OAuthError::invalid_request(format!("the header {name} is there twice"))),
    }
}

/// The parameters of a POST from a client: from the body alone (AZ-6, HL-2).
#[derive(Clone, Debug)]
pub struct OAuthForm(pub Params);

impl FromRequest for OAuthForm {
    type Error = ApiFailure;
    type Future = LocalBoxFuture<'static, Result<Self, ApiFailure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !request.query_string().is_empty() {
                let error = OAuthError::invalid_request("parameters belong in the body, not in the address");
                return Err(error.into());
            }
            let body = read_form(&request, payload, &Bounds::STRICT).await?;
            Ok(Self(Params::parse(&body).map_err(OAuthError::from)?))
        })
    }
}

/// The fields of one of our own forms, sent by our own page in this browser (CH-1).
#[derive(Clone, Debug)]
pub struct PageForm(pub Params);

impl FromRequest for PageForm {
    type Error = PageFailure;
    type Future = LocalBoxFuture<'static, Result<Self, PageFailure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { Ok(Self(read_own(&request, payload, &Bounds::STRICT).await?)) })
    }
}

/// The same of the console, where a field may be as long as its own check is to see it.
#[derive(Clone, Debug)]
pub struct ConsoleForm(pub Params);

impl FromRequest for ConsoleForm {
    type Error = PageFailure;
    type Future = LocalBoxFuture<'static, Result<Self, PageFailure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { Ok(Self(read_own(&request, payload, &Bounds::GENEROUS).await?)) })
    }
}

async fn read_own(request: &HttpRequest, payload: Payload, bounds: &Bounds) -> Result<Params, PageFailure> {
    let app = app(request);
    if !csrf::is_sent_by(&app.config.issuer.origin(), request.headers()) {
        return Err(PageFailure::FormExpired);
    }
    let body = read_form(request, payload, bounds).await.map_err(|error| match error {
        BodyError::TooLarge => PageFailure::TooLarge,
        other => PageFailure::Unreadable(other.description().to_owned()),
    })?;
    let params = Params::parse_within(&body, bounds).map_err(not_taken)?;
    match (Browser::of(request).binding, params.get(csrf::FIELD)) {
        (Some(binding), Some(token)) if csrf::verify(&app.master, &binding, token) => Ok(params),
        _ => Err(PageFailure::FormExpired),
    }
}

/// What a page of ours was sent and does not take: no application has a part in it.
pub fn not_taken(error: ParamError) -> PageFailure {
    match error {
        ParamError::TooMuch | ParamError::TooLong(_) => PageFailure::TooLarge,
        other => PageFailure::Unreadable(other.to_string()),
    }
}

/// The parameters of a POST that other sites may send here, and that may come without any body.
#[derive(Clone, Debug)]
pub struct OptionalForm(pub Option<Params>);

impl FromRequest for OptionalForm {
    type Error = PageFailure;
    type Future = LocalBoxFuture<'static, Result<Self, PageFailure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !request.headers().contains_key(CONTENT_TYPE) {
                return Ok(Self(None));
            }
            let body = read_form(&request, payload, &Bounds::STRICT).await?;
            let params =
                Params::parse(&body).map_err(|error| PageFailure::request(&OAuthError::from(error), None))?;
            Ok(Self(Some(params)))
        })
    }
}

/// The form that may carry an access token beside the header (RFC 6750 §2.2). A body of another kind carries none.
#[derive(Clone, Debug)]
pub struct BearerForm(pub Option<Params>);

impl FromRequest for BearerForm {
    type Error = ApiFailure;
    type Future = LocalBoxFuture<'static, Result<Self, ApiFailure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            match read_form(&request, payload, &Bounds::STRICT).await {
                Ok(body) => Ok(Self(Some(Params::parse(&body).map_err(OAuthError::from)?))),
                Err(BodyError::NotAForm) => Ok(Self(None)),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyError {
    NotAForm,
    TooLarge,
    TooSlow,
    Broken,
}

impl BodyError {
    const fn status(self) -> StatusCode {
        match self {
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::NotAForm => "the body must be application/x-www-form-urlencoded in UTF-8",
            Self::TooLarge => "the body is longer than 64 KiB",
            Self::TooSlow => "the body took longer than 15 seconds",
            Self::Broken => "the body ended too early",
        }
    }
}

impl From<BodyError> for ApiFailure {
    fn from(error: BodyError) -> Self {
        Self::new(OAuthError::invalid_request(error.description())).with_status(error.status())
    }
}

/// For a person there is one page for all of these.
impl From<BodyError> for PageFailure {
    fn from(error: BodyError) -> Self {
        Self::request(&OAuthError::invalid_request(error.description()), None)
    }
}

async fn read_form(request: &HttpRequest, payload: Payload, bounds: &Bounds) -> Result<Vec<u8>, BodyError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_form) {
        return Err(BodyError::NotAForm);
    }
    tokio::time::timeout(BODY_TIME, collect(payload, bounds.total)).await.map_err(|_| BodyError::TooSlow)?
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn is_form(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn forms_are_recognised_by_their_content_type() {
        for (text, form) in [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-URLencoded", true),
            ("application/x-www-form-urlencoded; charset=UTF-8", true),
            ("application/x-www-form-urlencoded;charset=\"utf-8\"", true),
            ("application/x-www-form-urlencoded; charset=iso-8859-1", false),
            ("application/json", false),
            ("multipart/form-data; boundary=x", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_form(text), form, "{text}");
        }
    }

    #[test]
    fn ak_1_one_credential_comes_in_one_header() {
        let read = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            Credential::read(&headers)
        };
        assert!(matches!(read(&[]), Ok(None)));
        assert!(matches!(read(&[("authorization", "Basic eDp5")]), Ok(None)));
        assert!(
            matches!(read(&[("authorization", "bearer t")]), Ok(Some(Credential::Bearer(t))) if t.expose() == "t")
        );
        assert!(matches!(read(&[("x-api-key", "k")]), Ok(Some(Credential::ApiKey(k))) if k.expose() == "k"));
        for wrong in [
            &[("authorization", "Bearer t"), ("x-api-key", "k")][..],
            &[("authorization", "Basic eDp5"), ("x-api-key", "k")],
            &[("x-api-key", "k"), ("x-api-key", "k")],
            &[("authorization", "Bearer t"), ("authorization", "Bearer t")],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn ch_5_the_name_of_a_browser_has_no_control_characters_and_an_end() {
        assert_eq!(readable(b"Mozilla/5.0\r\n\x1b[31m \xff"), "Mozilla/5.0[31m \u{fffd}");
        assert_eq!(readable(&[b'x'; 5_000]).len(), USER_AGENT_LENGTH);
    }
}
