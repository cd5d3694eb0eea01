//! Errors as clients read them: a registered code and a description that is safe to send.
//!
//! What the operator reads is a separate field that no serialisation contains. Where an error goes (page,
//! redirect, JSON, challenge) is decided by who receives it.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::model::explanation::{Explanation, Rule};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// The error codes that this provider answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant,)+ }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as registered with IANA.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    // RFC 6749 §4.1.2.1 and §5.2
    InvalidRequest = "invalid_request",
    InvalidClient = "invalid_client",
    InvalidGrant = "invalid_grant",
    UnauthorizedClient = "unauthorized_client",
    UnsupportedGrantType = "unsupported_grant_type",
    UnsupportedResponseType = "unsupported_response_type",
    InvalidScope = "invalid_scope",
    AccessDenied = "access_denied",
    ServerError = "server_error",
    TemporarilyUnavailable = "temporarily_unavailable",
    // RFC 6750 §3.1
    InvalidToken = "invalid_token",
    InsufficientScope = "insufficient_scope",
    // RFC 7009 §2.2.1
    UnsupportedTokenType = "unsupported_token_type",
    // RFC 8707 §2
    InvalidTarget = "invalid_target",
    // OpenID Connect Core §3.1.2.6
    LoginRequired = "login_required",
    InteractionRequired = "interaction_required",
    ConsentRequired = "consent_required",
    AccountSelectionRequired = "account_selection_required",
    /// Also the answer to a pushed request that is unknown, expired or spent (RFC 9126 §4).
    InvalidRequestUri = "invalid_request_uri",
    InvalidRequestObject = "invalid_request_object",
    RequestNotSupported = "request_not_supported",
    RequestUriNotSupported = "request_uri_not_supported",
    RegistrationNotSupported = "registration_not_supported",
    /// OpenID Connect Core Error Code unmet_authentication_requirements 1.0 §2.
    UnmetAuthenticationRequirements = "unmet_authentication_requirements",
    // RFC 7591 §3.2.2
    InvalidRedirectUri = "invalid_redirect_uri",
    InvalidClientMetadata = "invalid_client_metadata",
}

impl ErrorCode {
    /// The HTTP status where the answer is JSON or a challenge: token, PAR, introspection, revocation,
    /// userinfo.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

impl ErrorCode {
    /// The rule that stands for the code where nothing is known beyond it.
    const fn rule(self) -> Rule {
        match self {
            Self::InvalidRequest | Self::InvalidRedirectUri | Self::InvalidClientMetadata => Rule::Parameter,
            Self::InvalidClient => Rule::ClientProof,
            Self::UnauthorizedClient | Self::UnsupportedGrantType => Rule::GrantType,
            Self::UnsupportedResponseType => Rule::Response,
            Self::InvalidScope | Self::InsufficientScope => Rule::Scope,
            Self::InvalidTarget => Rule::Resource,
            Self::InvalidToken | Self::UnsupportedTokenType => Rule::TokenMalformed,
            Self::LoginRequired
            | Self::InteractionRequired
            | Self::ConsentRequired
            | Self::AccountSelectionRequired => Rule::InteractionNeeded,
            Self::InvalidRequestUri => Rule::PushedRequest,
            Self::InvalidRequestObject
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported
            | Self::RegistrationNotSupported => Rule::RequestObject,
            Self::UnmetAuthenticationRequirements => Rule::Acr,
            Self::ServerError => Rule::Internal,
            Self::TemporarilyUnavailable => Rule::Busy,
            Self::InvalidGrant | Self::AccessDenied => Rule::Other,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error for a client, and what its operator should know beside it.
///
/// Serialised, it is exactly `error` and `error_description` (RFC 6749 §5.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct OAuthError {
    pub code: ErrorCode,
    // Boxes keep the many results that carry an error small.
    description: Box<str>,
    untold: Option<Box<Untold>>,
}

/// What is never sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Untold {
    hint: Option<Box<str>>,
    explanation: Option<Explanation>,
}

impl OAuthError {
    /// The longest description sent; a parameter's name that a stranger chose may be part of it.
    const MAX_DESCRIPTION: usize = 300;

    /// An error with a description for the client's developer.
    pub fn new(code: ErrorCode, description: impl AsRef<str>) -> Self {
        Self { code, description: sanitise(description.as_ref()).into(), untold: None }
    }

    pub fn invalid_request(description: impl AsRef<str>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    pub fn invalid_client(description: impl AsRef<str>) -> Self {
        Self::new(ErrorCode::InvalidClient, description)
    }

    pub fn invalid_grant(description: impl AsRef<str>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// Adds what only the operator reads, in the log. It is never sent.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Box<str>>) -> Self {
        self.untold().hint = Some(hint.into());
        self
    }

    /// Adds which rule refused, with the facts, for whoever is asked why. It is never sent.
    #[must_use]
    pub fn because(mut self, explanation: impl Into<Explanation>) -> Self {
        self.untold().explanation = Some(explanation.into());
        self
    }

    /// Which rule refused. Where nobody said more, what its code and its texts tell.
    pub fn explanation(&self) -> Explanation {
        match self.untold.as_ref().and_then(|untold| untold.explanation.as_ref()) {
            Some(explanation) => explanation.clone(),
            None => {
                let plain = Explanation::of(self.code.rule()).with("error", self.code);
                let told = [("description", self.description()), ("reason", self.hint().unwrap_or_default())];
                told.into_iter()
                    .filter(|(_, text)| !text.is_empty())
                    .fold(plain, |plain, (name, text)| plain.with(name, text))
            }
        }
    }

    /// The same, told with the reference by which an operator finds the reason.
    #[must_use]
    pub fn referring_to(&self, reference: &str) -> Self {
        let told = match self.description.is_empty() {
            true => format!("reference {reference}"),
            false => format!("{} (reference {reference})", self.description),
        };
        // The description alone was cut to its length before.
        let description = told.chars().map(allowed).collect::<String>().into();
        Self { description, ..self.clone() }
    }

    fn untold(&mut self) -> &mut Untold {
        self.untold.get_or_insert_default()
    }

    /// Safe to send: only characters of RFC 6749 §5.2.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// For the log.
    pub fn hint(&self) -> Option<&str> {
        self.untold.as_ref().and_then(|untold| untold.hint.as_deref())
    }

    pub const fn status(&self) -> u16 {
        self.code.status()
    }
}

impl Serialize for OAuthError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("OAuthError", 2)?;
        out.serialize_field("error", self.code.as_str())?;
        if self.description.is_empty() {
            out.skip_field("error_description")?;
        } else {
            out.serialize_field("error_description", &*self.description)?;
        }
        out.end()
    }
}

/// Only %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2): neither quotes nor backslashes nor line ends.
fn sanitise(text: &str) -> String {
    text.chars().take(OAuthError::MAX_DESCRIPTION).map(allowed).collect()
}

fn allowed(c: char) -> char {
    match c {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => c,
        c if c.is_whitespace() => ' ',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_reads_code_and_description_only() {
        let error = OAuthError::invalid_grant("the code is \"spent\"")
            .with_hint("digest 12ab")
            .because(Explanation::of(Rule::CodeSpent).with("spent", "a minute ago"));
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"error":"invalid_grant","error_description":"the code is 'spent'"}"#
        );
        let bare = OAuthError::new(ErrorCode::ServerError, "");
        assert_eq!(serde_json::to_string(&bare).unwrap(), r#"{"error":"server_error"}"#);
    }

    #[test]
    fn the_reason_is_the_one_given_or_what_the_texts_tell() {
        let plain = OAuthError::new(ErrorCode::InvalidTarget, "no such resource").with_hint("typed");
        let told = plain.explanation();
        assert_eq!((told.rule, told.fact("error")), (Rule::Resource, Some("invalid_target")));
        assert_eq!(
            (told.fact("description"), told.fact("reason")),
            (Some("no such resource"), Some("typed"))
        );
        assert_eq!(plain.because(Rule::Membership).explanation(), Explanation::of(Rule::Membership));
    }

    #[test]
    fn a_reference_stands_behind_the_description() {
        let of = |text: &str| OAuthError::invalid_grant(text).referring_to("k7f2-9q3m-x4tz").to_string();
        assert_eq!(of("it is spent"), "invalid_grant: it is spent (reference k7f2-9q3m-x4tz)");
        assert_eq!(of(""), "invalid_grant: reference k7f2-9q3m-x4tz");
    }

    #[test]
    fn statuses() {
        let cases = [
            (ErrorCode::InvalidRequest, 400),
            (ErrorCode::InvalidGrant, 400),
            (ErrorCode::InvalidClient, 401),
            (ErrorCode::InvalidToken, 401),
            (ErrorCode::InsufficientScope, 403),
            (ErrorCode::ServerError, 500),
            (ErrorCode::TemporarilyUnavailable, 503),
        ];
        for (code, status) in cases {
            assert_eq!(OAuthError::new(code, "").status(), status, "{code}");
        }
    }

    proptest::proptest! {
        #[test]
        fn descriptions_keep_to_the_alphabet_of_rfc_6749(text in ".*") {
            let error = OAuthError::invalid_request(&text);
            proptest::prop_assert!(error.description().len() <= OAuthError::MAX_DESCRIPTION);
            let allowed = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            proptest::prop_assert!(error.description().bytes().all(allowed));
        }
    }
}
