//! What no handler needs to look at: requests that are too large, malformed, compressed or of no known method
//! (HL-1, HL-2, HL-3).
//!
//! Some limits hold earlier: the server gives a header 5 seconds and 96 fields, and refuses conflicting lengths
//! while it parses. Bodies are bounded where they are read ([`super::extract`]).

use actix_web::http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::http::{ConnectionType, Method, StatusCode, Uri};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::respond;

const MAX_URL: usize = 8 * 1024;
const MAX_HEADERS: usize = 32 * 1024;
const MAX_FIELDS: usize = 100;
/// The longest body of any endpoint.
pub const MAX_BODY: usize = 256 * 1024;

/// Why a request goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Method,
    LongUrl,
    LargeHeaders,
    MalformedUrl,
    Compressed,
    LargeBody,
}

/// Looks at a request before it is routed.
pub fn check(request: &HttpRequest) -> Result<(), Refusal> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if !is_known(method) {
        return Err(Refusal::Method);
    }
    check_url(uri)?;
    check_headers(headers)
}

fn is_known(method: &Method) -> bool {
    [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS, Method::PUT, Method::PATCH, Method::DELETE]
        .contains(method)
}

fn check_url(uri: &Uri) -> Result<(), Refusal> {
    if uri.path_and_query().is_some_and(|target| target.as_str().len() > MAX_URL) {
        return Err(Refusal::LongUrl);
    }
    if is_readable(uri.path()) { Ok(()) } else { Err(Refusal::MalformedUrl) }
}

/// Whether the path decodes to text without control characters. A query is judged where it is read.
fn is_readable(path: &str) -> bool {
    if !path.contains('%') {
        return true;
    }
    let bytes = path.as_bytes();
    let escapes_are_whole = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let decoded =
        || url::form_urlencoded::parse(bytes).all(|(name, value)| is_text(&name) && is_text(&value));
    escapes_are_whole && decoded()
}

/// The decoder writes U+FFFD where the bytes were no UTF-8.
fn is_text(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)
}

fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let (mut fields, mut bytes) = (0, 0);
    for (name, value) in headers {
        fields += 1;
        // `: ` and the end of the line.
        bytes += name.as_str().len() + value.len() + 4;
    }
    if fields > MAX_FIELDS || bytes > MAX_HEADERS {
        return Err(Refusal::LargeHeaders);
    }
    if headers.get_all(CONTENT_ENCODING).any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::Compressed);
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY) { Err(Refusal::LargeBody) } else { Ok(()) }
}

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::LongUrl => StatusCode::URI_TOO_LONG,
            Self::LargeHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::MalformedUrl => StatusCode::BAD_REQUEST,
            Self::Compressed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::LargeBody => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Method => "the method is not known here",
            Self::LongUrl => "the address is longer than 8 KiB",
            Self::LargeHeaders => "the headers are longer than 32 KiB or more than 100",
            Self::MalformedUrl => "the address is not valid percent-encoded UTF-8",
            Self::Compressed => "compressed bodies are not taken",
            Self::LargeBody => "the body is too long",
        }
    }

    /// The answer, after which the connection closes: what follows on it may be the rest of the same attempt.
    pub fn answer(self) -> HttpResponse {
        let body = json!({ "error": "invalid_request", "error_description": self.description() });
        let mut answer = respond::json_no_store(self.status(), &body);
        if self == Self::Method {
            let allowed = "GET, HEAD, POST, OPTIONS".parse().expect("the list is ASCII");
            answer.headers_mut().insert(ALLOW, allowed);
        }
        answer.head_mut().set_connection_type(ConnectionType::Close);
        answer
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn hl_1_hl_2_hl_3_what_is_refused_before_any_handler() {
        let get = |uri: &str| TestRequest::with_uri(uri);
        let post = || TestRequest::post().uri("/oauth2/token");
        let long = |length: usize| format!("/{}", "a".repeat(length - 1));
        let fields = |count: usize| {
            (0..count).fold(get("/"), |request, at| request.insert_header((format!("x-{at}"), "1")))
        };
        let cases = [
            (get("/login?a=b%00"), Ok(())),
            (get("/register/abc%2Fdef"), Ok(())),
            (get("/%C3%BC"), Ok(())),
            (get("/a+b"), Ok(())),
            (get("/%00"), Err(Refusal::MalformedUrl)),
            (get("/login%0d%0a"), Err(Refusal::MalformedUrl)),
            (get("/%"), Err(Refusal::MalformedUrl)),
            (get("/%2"), Err(Refusal::MalformedUrl)),
            (get("/%zz"), Err(Refusal::MalformedUrl)),
            (get("/%ff"), Err(Refusal::MalformedUrl)),
            (get(&long(8192)), Ok(())),
            (get(&long(8193)), Err(Refusal::LongUrl)),
            (get(&format!("/?{}", "a".repeat(8192))), Err(Refusal::LongUrl)),
            (get("/").method(Method::TRACE), Err(Refusal::Method)),
            (get("/").method(Method::CONNECT), Err(Refusal::Method)),
            (get("/").method(Method::from_bytes(b"PROPFIND").unwrap()), Err(Refusal::Method)),
            (get("/").method(Method::DELETE), Ok(())),
            (fields(100), Ok(())),
            (fields(101), Err(Refusal::LargeHeaders)),
            (get("/").insert_header(("cookie", "a".repeat(32 * 1024))), Err(Refusal::LargeHeaders)),
            (get("/").insert_header(("cookie", "a".repeat(31 * 1024))), Ok(())),
            (post().insert_header(("content-encoding", "gzip")), Err(Refusal::Compressed)),
            (post().insert_header(("content-encoding", "identity")), Ok(())),
            (post().insert_header(("content-length", "262144")), Ok(())),
            (post().insert_header(("content-length", "262145")), Err(Refusal::LargeBody)),
        ];
        for (request, expected) in cases {
            let request = request.to_http_request();
            assert_eq!(check(&request), expected, "{request:?}");
        }
    }

    #[test]
    fn a_refusal_closes_the_connection_and_says_why() {
        for (refusal, status) in [
            (Refusal::Method, 405),
            (Refusal::LongUrl, 414),
            (Refusal::LargeHeaders, 431),
            (Refusal::MalformedUrl, 400),
            (Refusal::Compressed, 415),
            (Refusal::LargeBody, 413),
        ] {
            let answer = refusal.answer();
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(answer.head().connection_type(), ConnectionType::Close);
            assert_eq!(answer.headers().contains_key(ALLOW), refusal == Refusal::Method);
        }
    }
}
