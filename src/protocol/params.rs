//! Parameters of a request, from a query or a form body: decoded strictly, bounded, each at most once.
//!
//! One source at a time: nothing here merges a query with a body (AZ-6). Which parameters a request needs is
//! decided by whoever reads them.

use std::fmt;

use super::OAuthError;

/// The decoded parameters of one request, without those that came without a value (RFC 6749 §3.1).
///
/// Its `Debug` prints names only, since values may be secrets (LO-2).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

/// Why a query or body is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    #[error("the parameters are too long together, or too many")]
    TooMuch,
    #[error("the parameters are not valid application/x-www-form-urlencoded UTF-8")]
    Malformed,
    #[error("the parameter {0} is not valid percent-encoded UTF-8")]
    BadValue(String),
    #[error("the parameter {0} is there more than once")]
    Repeated(String),
    #[error("the parameter {0} is too long")]
    TooLong(String),
}

impl From<ParamError> for OAuthError {
    fn from(error: ParamError) -> Self {
        Self::invalid_request(error.to_string())
    }
}

/// How much of a query or body is taken, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The whole of it.
    pub total: usize,
    /// Parameters, with those that have no value.
    count: usize,
    name: usize,
    value: fn(&str) -> usize,
}

impl Bounds {
    /// What strangers may send: as long as each parameter can be of use (HL-1, AZ-13).
    pub const STRICT: Self = Self { total: Params::MAX_TOTAL, count: 100, name: 128, value: max_len };
    /// Forms of the console, from somebody who was let in: so long that each field's own check answers, beside what was
    /// typed. A box to tick may have an identifier of up to 2 KiB in its name.
    pub const GENEROUS: Self = Self { total: 256 * 1024, count: 1_000, name: 2_100, value: |_| 64 * 1024 };
}

impl Params {
    /// The longest query or body (HL-1).
    pub const MAX_TOTAL: usize = 64 * 1024;
    /// The one parameter that may be repeated (RFC 8707 §2).
    const REPEATABLE: &str = "resource";
    const MAX_REPEATS: usize = 16;

    /// Decodes `application/x-www-form-urlencoded` text of a stranger.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParamError> {
        Self::parse_within(bytes, &Bounds::STRICT)
    }

    /// Decodes `application/x-www-form-urlencoded` text.
    pub fn parse_within(bytes: &[u8], bounds: &Bounds) -> Result<Self, ParamError> {
        if bytes.len() > bounds.total {
            return Err(ParamError::TooMuch);
        }
        let mut seen: Vec<(String, String)> = Vec::new();
        for piece in bytes.split(|b| *b == b'&').filter(|piece| !piece.is_empty()) {
            let (name, value) = match piece.iter().position(|b| *b == b'=') {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, &[][..]),
            };
            let name = form_decode(name).ok_or(ParamError::Malformed)?;
            if name.len() > bounds.name {
                return Err(ParamError::TooMuch);
            }
            let Some(value) = form_decode(value) else { return Err(ParamError::BadValue(name)) };
            if value.len() > (bounds.value)(&name) {
                return Err(ParamError::TooLong(name));
            }
            let before = seen.iter().filter(|(known, _)| *known == name).count();
            if before >= if name == Self::REPEATABLE { Self::MAX_REPEATS } else { 1 } {
                return Err(ParamError::Repeated(name));
            }
            if seen.len() >= bounds.count {
                return Err(ParamError::TooMuch);
            }
            seen.push((name, value));
        }
        // Removed last, so that `state=&state=x` is seen as the repetition it is.
        seen.retain(|(_, value)| !value.is_empty());
        Ok(Self(seen))
    }

    /// The parameter's value, if it was sent with one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The parameter's value, or the error that names what is missing.
    pub fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// All values of a parameter, in the order sent.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The longest value of each parameter (AZ-13). Tokens and assertions are as long as the JWTs that we read
/// (TK-12).
fn max_len(name: &str) -> usize {
    match name {
        // Whatever is presented as a token gets the answer that an unknown one gets (IR-1, RFC 7009 §2.2).
        "token" => Params::MAX_TOTAL,
        "client_assertion" | "request" | "access_token" => 16 * 1024,
        // What an authenticator answers, with a certificate if it insists.
        "credential" => 16 * 1024,
        "id_token_hint" => 8 * 1024,
        "claims" => 4 * 1024,
        "state" | "redirect_uri" | "post_logout_redirect_uri" | "request_uri" | "resource" => 2 * 1024,
        // Longer than any password that is taken, so that the form can say so (PW-2).
        "password" => 2 * 1024,
        "nonce" | "scope" => 1024,
        _ => 512,
    }
}

/// Decodes one name or value strictly: a broken escape, text that is not UTF-8 and NUL are `None`.
pub(super) fn form_decode(bytes: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            other => *other,
        });
    }
    String::from_utf8(out).ok().filter(|text| !text.contains('\0'))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Params, ParamError> {
        Params::parse(text.as_bytes())
    }

    #[test]
    fn values_are_decoded_and_empty_ones_absent() {
        let params = parse("a=1+2%2B3&b=&c&&=x&d=%C3%BC&resource=x&resource=y").unwrap();
        assert_eq!(params.get("a"), Some("1 2+3"));
        assert_eq!(params.get("b"), None);
        assert_eq!(params.get("c"), None);
        assert_eq!(params.get("d"), Some("ü"));
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(params.require("b").unwrap_err().to_string(), "invalid_request: b is missing");
    }

    #[test]
    fn az_6_a_repeated_parameter_is_refused_by_name() {
        for text in ["state=a&state=b", "state=&state=b", "st%61te=a&state=a", "foo=1&foo=1"] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, ParamError::Repeated(_)), "{text}");
        }
        let error = OAuthError::from(parse("state=a&state=b").unwrap_err());
        assert_eq!(error.to_string(), "invalid_request: the parameter state is there more than once");
    }

    #[test]
    fn hl_3_malformed_text_is_refused() {
        for bad in ["a=%", "a=%2", "a=%zz", "a=%+1", "a=%ff", "a=%00", "a=%C3", "a=\0"] {
            assert_eq!(parse(bad), Err(ParamError::BadValue("a".into())), "{bad:?}");
        }
        assert_eq!(parse("%=1"), Err(ParamError::Malformed));
        assert_eq!(Params::parse(b"a=\xff"), Err(ParamError::BadValue("a".into())));
    }

    #[test]
    fn az_13_values_are_bounded() {
        let cases = [
            ("state", 2048),
            ("nonce", 1024),
            ("claims", 4096),
            ("scope", 1024),
            ("redirect_uri", 2048),
            ("client_assertion", 16384),
            ("id_token_hint", 8192),
            ("code_verifier", 512),
            ("anything", 512),
        ];
        for (name, limit) in cases {
            assert!(parse(&format!("{name}={}", "x".repeat(limit))).is_ok(), "{name}");
            assert_eq!(
                parse(&format!("{name}={}", "x".repeat(limit + 1))),
                Err(ParamError::TooLong(name.to_owned()))
            );
        }
        assert_eq!(parse(&"x".repeat(Params::MAX_TOTAL + 1)), Err(ParamError::TooMuch));
        let many: String = (0..101).map(|i| format!("p{i}=1&")).collect();
        assert_eq!(parse(&many), Err(ParamError::TooMuch));
        assert!(parse(&"resource=x&".repeat(16)).is_ok());
        assert_eq!(parse(&"resource=x&".repeat(17)), Err(ParamError::Repeated("resource".into())));
    }

    #[test]
    fn the_console_takes_more_and_has_bounds_too() {
        let parse = |text: &str| Params::parse_within(text.as_bytes(), &Bounds::GENEROUS);
        let of = |name: usize, value: usize| format!("{}={}", "n".repeat(name), "x".repeat(value));
        assert!(parse(&of(2_100, 64 * 1024)).is_ok());
        assert!(matches!(parse(&of(1, 64 * 1024 + 1)), Err(ParamError::TooLong(_))));
        assert_eq!(parse(&of(2_101, 1)), Err(ParamError::TooMuch));
        let many = |count: usize| (0..count).map(|at| format!("p{at}=1&")).collect::<String>();
        assert!(parse(&many(1_000)).is_ok());
        assert_eq!(parse(&many(1_001)), Err(ParamError::TooMuch));
        let full: String = (0..4).map(|at| format!("p{at}={}&", "x".repeat(64 * 1024))).collect();
        assert_eq!(parse(&full), Err(ParamError::TooMuch));
        assert_eq!(parse("a=%00"), Err(ParamError::BadValue("a".into())));
        assert!(matches!(parse("a=1&a=2"), Err(ParamError::Repeated(_))));
    }

    #[test]
    fn lo_2_debug_prints_names_only() {
        let params = parse("client_secret=hunter2&code=abc").unwrap();
        assert_eq!(format!("{params:?}"), r#"{"client_secret", "code"}"#);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(Params::parse(&bytes));
        }

        #[test]
        fn what_was_encoded_comes_back(value in "[^\0]{1,200}") {
            let text = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("claims", &value)
                .finish();
            let params = parse(&text).unwrap();
            prop_assert_eq!(params.get("claims"), Some(value.as_str()));
        }
    }
}
