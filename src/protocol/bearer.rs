//! Bearer tokens on their way in, and the challenge that answers a missing or bad one (RFC 6750).

use crate::crypto::Secret;

use super::{ErrorCode, OAuthError, Params};

/// The access token of a request, from the header or, for a POST, from the form body. Never from a query.
///
/// `None` means that no bearer token was presented: that is answered by a bare challenge.
pub fn extract(authorization: Option<&str>, form: Option<&Params>) -> Result<Option<Secret>, OAuthError> {
    let in_header = authorization.and_then(bearer);
    let in_form = form.and_then(|form| form.get("access_token"));
    match (in_header, in_form) {
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("the access token is sent in two ways")),
        (Some(token), None) | (None, Some(token)) if is_token(token) => Ok(Some(Secret::from_text(token))),
        (None, None) => Ok(None),
        _ => Err(OAuthError::new(ErrorCode::InvalidToken, "the access token is malformed")),
    }
}

/// The value of `WWW-Authenticate` (RFC 6750 §3). Without an error it only says what is expected here.
pub fn challenge(realm: &str, error: Option<&OAuthError>, scope: Option<&str>) -> String {
    let mut parts = vec![format!("realm=\"{realm}\"")];
    if let Some(error) = error {
        parts.push(format!("error=\"{}\"", error.code));
        if !error.description().is_empty() {
            parts.push(format!("error_description=\"{}\"", error.description()));
        }
    }
    parts.extend(scope.map(|scope| format!("scope=\"{scope}\"")));
    format!("Bearer {}", parts.join(", "))
}

/// What follows the scheme, whose case does not matter; `None` for another scheme.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

/// `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, no longer than what we read
/// (TK-12).
fn is_token(text: &str) -> bool {
    const MAX: usize = 16 * 1024;
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && text.len() <= MAX
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_one_way() {
        let form = Params::parse(b"access_token=t2").unwrap();
        let empty = Params::default();
        let ok = |text: &str| Ok(Some(Secret::from_text(text)));
        let cases = [
            (Some("Bearer t1.a-b_c~d+e/f=="), None, ok("t1.a-b_c~d+e/f==")),
            (Some("bEaReR t1"), Some(&empty), ok("t1")),
            (None, Some(&form), ok("t2")),
            (Some("Basic dDE="), Some(&form), ok("t2")),
            (None, None, Ok(None)),
            (None, Some(&empty), Ok(None)),
            (Some("Basic dDE="), None, Ok(None)),
            (Some("DPoP t1"), None, Ok(None)),
            (Some("Bearer t1"), Some(&form), Err(ErrorCode::InvalidRequest)),
            (Some("Bearer"), None, Err(ErrorCode::InvalidToken)),
            (Some("Bearer "), None, Err(ErrorCode::InvalidToken)),
            (Some("Bearer a b"), None, Err(ErrorCode::InvalidToken)),
            (Some("Bearer ==="), None, Err(ErrorCode::InvalidToken)),
            (Some("Bearer a\"b"), None, Err(ErrorCode::InvalidToken)),
        ];
        for (header, form, expected) in cases {
            assert_eq!(extract(header, form).map_err(|error| error.code), expected, "{header:?}");
        }
    }

    #[test]
    fn challenges() {
        let realm = "https://id.example.com";
        assert_eq!(challenge(realm, None, None), "Bearer realm=\"https://id.example.com\"");
        let error = OAuthError::new(ErrorCode::InsufficientScope, "needs \"openid\"");
        assert_eq!(
            challenge(realm, Some(&error), Some("openid")),
            "Bearer realm=\"https://id.example.com\", error=\"insufficient_scope\", \
             error_description=\"needs 'openid'\", scope=\"openid\""
        );
    }
}
