//! The answer of the authorization endpoint: a code or an error, on its way to a checked address.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::crypto::Secret;

use super::OAuthError;
use super::redirect::ClientRedirect;

/// How the answer reaches the client. There is no `fragment`: no token ever comes from this endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    #[default]
    Query,
    /// OAuth 2.0 Form Post Response Mode §2.
    FormPost,
}

impl ResponseMode {
    pub const ALL: [Self; 2] = [Self::Query, Self::FormPost];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// What the browser is to do. It holds a code, so its `Debug` prints none of it.
#[derive(Clone, PartialEq, Eq)]
pub enum AuthorizationResponse {
    /// `303 See Other` to this address.
    Redirect(String),
    /// A page with a form that posts these fields.
    FormPost { action: String, fields: Vec<(&'static str, String)> },
}

impl AuthorizationResponse {
    /// Success (RFC 6749 §4.1.2).
    pub fn code(redirect: &ClientRedirect, code: &Secret) -> Self {
        Self::with(redirect, vec![("code", code.expose().to_owned())])
    }

    /// Failure (RFC 6749 §4.1.2.1).
    pub fn error(redirect: &ClientRedirect, error: &OAuthError) -> Self {
        let mut fields = vec![("error", error.code.as_str().to_owned())];
        if !error.description().is_empty() {
            fields.push(("error_description", error.description().to_owned()));
        }
        Self::with(redirect, fields)
    }

    /// `state` as it was sent, and always `iss` (RFC 9207 §2).
    fn with(redirect: &ClientRedirect, mut fields: Vec<(&'static str, String)>) -> Self {
        fields.extend(redirect.state().map(|state| ("state", state.to_owned())));
        fields.push(("iss", redirect.issuer().to_owned()));
        match redirect.mode() {
            ResponseMode::Query => Self::Redirect(append_query(redirect.uri(), &fields)),
            ResponseMode::FormPost => Self::FormPost { action: redirect.uri().to_owned(), fields },
        }
    }
}

impl fmt::Debug for AuthorizationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redirect(_) => "Redirect(…)",
            Self::FormPost { .. } => "FormPost(…)",
        })
    }
}

/// The registered address with its own query kept, letter by letter (RFC 6749 §3.1.2).
///
/// It is not parsed and written again: the client compares what it receives with what it registered.
fn append_query(uri: &str, fields: &[(&'static str, String)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let joint = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, own)) if own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{joint}{query}")
}

/// The same way of adding to a registered address, for other answers that carry only `state` back, such as
/// RP-Initiated Logout §3.
pub fn with_state(uri: &str, state: Option<&str>) -> String {
    match state {
        Some(state) => append_query(uri, &[("state", state.to_owned())]),
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::fixtures::client;
    use crate::protocol::{ErrorCode, Params};

    fn redirect(uri: &str, state: Option<&str>, mode: ResponseMode) -> ClientRedirect {
        let mut client = client();
        client.redirect_uris = vec![uri.to_owned()];
        ClientRedirect::check(&client, uri, state, mode, "https://id.example.com").unwrap()
    }

    #[test]
    fn az_7_iss_is_in_every_answer_and_state_comes_back_whole() {
        let state = "ü &=+%\"<>".repeat(90);
        let to = redirect("https://app.example.com/cb", Some(&state), ResponseMode::Query);
        let error = OAuthError::new(ErrorCode::AccessDenied, "no");
        for answer in [
            AuthorizationResponse::code(&to, &Secret::from_text("c0de")),
            AuthorizationResponse::error(&to, &error),
        ] {
            let AuthorizationResponse::Redirect(url) = answer else { panic!("a redirect") };
            let params = Params::parse(url.split_once('?').unwrap().1.as_bytes()).unwrap();
            assert_eq!(params.get("iss"), Some("https://id.example.com"));
            assert_eq!(params.get("state"), Some(state.as_str()));
            assert_eq!(params.get("code").is_some(), params.get("error").is_none());
        }
    }

    #[test]
    fn a_registered_query_is_kept() {
        let cases = [
            ("https://a.example/cb", "https://a.example/cb?code=c&iss=https%3A%2F%2Fid.example.com"),
            ("https://a.example/cb?", "https://a.example/cb?code=c&iss=https%3A%2F%2Fid.example.com"),
            (
                "https://a.example/cb?x=%20Y",
                "https://a.example/cb?x=%20Y&code=c&iss=https%3A%2F%2Fid.example.com",
            ),
            ("com.example.app:/cb", "com.example.app:/cb?code=c&iss=https%3A%2F%2Fid.example.com"),
        ];
        for (uri, expected) in cases {
            let to = redirect(uri, None, ResponseMode::Query);
            let answer = AuthorizationResponse::code(&to, &Secret::from_text("c"));
            assert_eq!(answer, AuthorizationResponse::Redirect(expected.to_owned()), "{uri}");
        }
    }

    #[test]
    fn form_post_gives_the_same_fields() {
        let to = redirect("https://a.example/cb?x=1", Some("s"), ResponseMode::FormPost);
        let answer = AuthorizationResponse::code(&to, &Secret::from_text("c"));
        assert_eq!(format!("{answer:?}"), "FormPost(…)");
        assert_eq!(
            answer,
            AuthorizationResponse::FormPost {
                action: "https://a.example/cb?x=1".to_owned(),
                fields: vec![
                    ("code", "c".to_owned()),
                    ("state", "s".to_owned()),
                    ("iss", "https://id.example.com".to_owned())
                ],
            }
        );
    }
}
