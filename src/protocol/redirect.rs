//! Redirect URIs: which may be registered, when a presented one is a registered one, and the proof that it
//! was checked.

use std::fmt;

use url::Url;

use crate::model::{ApplicationType, Client};

use super::response::ResponseMode;
use super::{OAuthError, difference};

/// Proof that the browser may be sent back to the client, and how.
///
/// Built only by [`ClientRedirect::check`], so an error found before the redirect URI is known to be
/// registered cannot become a redirect (RFC 6749 §4.1.2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRedirect {
    uri: String,
    state: Option<String>,
    mode: ResponseMode,
    issuer: String,
}

impl ClientRedirect {
    /// Compares the presented URI with the client's registered ones (AZ-1, AZ-2).
    pub fn check(
        client: &Client,
        redirect_uri: &str,
        state: Option<&str>,
        mode: ResponseMode,
        issuer: &str,
    ) -> Result<Self, OAuthError> {
        let registered =
            client.redirect_uris.iter().any(|uri| matches(uri, redirect_uri, client.application_type));
        if !registered {
            return Err(OAuthError::invalid_request("redirect_uri is not registered for this client")
                .because(difference::explain(redirect_uri, &client.redirect_uris)));
        }
        Ok(Self {
            uri: redirect_uri.to_owned(),
            state: state.map(str::to_owned),
            mode,
            issuer: issuer.to_owned(),
        })
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    pub fn mode(&self) -> ResponseMode {
        self.mode
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// Without the state, which is the client's secret against forged responses.
impl fmt::Debug for ClientRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientRedirect({} {})", self.mode.as_str(), self.uri)
    }
}

/// Whether the presented URI is the registered one: the same string, without any decoding (RFC 9700 §2.1).
///
/// Only a native client's `http://127.0.0.1` and `http://[::1]` may name another port, which its operating
/// system chose (RFC 8252 §7.3).
pub fn matches(registered: &str, presented: &str, kind: ApplicationType) -> bool {
    if registered == presented {
        return true;
    }
    kind == ApplicationType::Native
        && match (without_loopback_port(registered), without_loopback_port(presented)) {
            (Some(registered), Some(presented)) => registered == presented,
            _ => false,
        }
}

/// Host and the rest after the port of a loopback address by number; `None` for everything else.
fn without_loopback_port(uri: &str) -> Option<(&'static str, &str)> {
    let (host, rest) = ["http://127.0.0.1", "http://[::1]"]
        .into_iter()
        .find_map(|host| uri.strip_prefix(host).map(|rest| (host, rest)))?;
    let rest = match rest.strip_prefix(':') {
        Some(with_port) => {
            let digits = with_port.bytes().take_while(u8::is_ascii_digit).count();
            let (port, rest) = with_port.split_at(digits);
            port.parse::<u16>().ok().filter(|port| *port > 0)?;
            rest
        }
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

/// Why an address is not registered, for the person who registers it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("it is empty or longer than {} characters", MAX_ADDRESS)]
    Length,
    #[error("it holds the character {0}")]
    Character(String),
    #[error("wildcards are refused: register each address")]
    Wildcard,
    #[error("it has a fragment")]
    Fragment,
    #[error("it is not an absolute URI")]
    Relative,
    #[error("plain http is for localhost, 127.0.0.1 and [::1] only; use https")]
    PlainHttp,
    #[error("its scheme is not in lower case")]
    SchemeCase,
    #[error("the scheme {0} is refused")]
    Scheme(String),
    #[error("a web application's address starts with https (private schemes are for native ones)")]
    PrivateOnWeb,
    #[error("it is not a URL: {0}")]
    NotUrl(url::ParseError),
    #[error("it holds a user name or password")]
    User,
    #[error("its host holds an escape")]
    HostEscape,
    #[error("it names no host")]
    NoHost,
    #[error("its scheme is malformed")]
    MalformedScheme,
    #[error("the private scheme {0} is not a reversed domain name such as com.example.app")]
    SchemeName(String),
    #[error("after the scheme a path is expected, as in com.example.app:/callback")]
    PrivatePath,
    #[error("it holds a broken percent-escape")]
    Escape,
    #[error("it holds an escaped control character")]
    EscapedControl,
    #[error("its path holds . or .. segments")]
    Dots,
}

const MAX_ADDRESS: usize = 2048;

/// Whether a client of this kind may register the URI; otherwise the reason (AZ-3).
pub fn check_registration(uri: &str, kind: ApplicationType) -> Result<(), BadAddress> {
    check_characters(uri)?;
    let (scheme, rest) = uri.split_once(':').ok_or(BadAddress::Relative)?;
    match scheme {
        "https" => check_web_address(uri),
        "http" if is_loopback(rest) => check_web_address(uri),
        "http" => Err(BadAddress::PlainHttp),
        _ if scheme.bytes().any(|b| b.is_ascii_uppercase()) => Err(BadAddress::SchemeCase),
        "javascript" | "data" | "file" | "blob" | "vbscript" | "about" => {
            Err(BadAddress::Scheme(scheme.to_owned()))
        }
        _ if kind == ApplicationType::Web => Err(BadAddress::PrivateOnWeb),
        _ => check_private_scheme(scheme, rest),
    }?;
    check_path(rest)
}

/// What the checks of characters leave is a string that no reader decodes in two ways.
fn check_characters(uri: &str) -> Result<(), BadAddress> {
    if uri.is_empty() || uri.len() > MAX_ADDRESS {
        return Err(BadAddress::Length);
    }
    if let Some(bad) = uri.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(BadAddress::Character(format!("U+{:04X}", u32::from(bad))));
    }
    match uri.chars().find(|c| r##"*#\"<>^`{|}"##.contains(*c)) {
        Some('*') => Err(BadAddress::Wildcard),
        Some('#') => Err(BadAddress::Fragment),
        Some(other) => Err(BadAddress::Character(other.to_string())),
        None => Ok(()),
    }
}

fn check_web_address(uri: &str) -> Result<(), BadAddress> {
    let parsed = Url::parse(uri).map_err(BadAddress::NotUrl)?;
    let authority = authority(uri.split_once(':').map_or("", |(_, rest)| rest));
    if authority.contains('@') {
        return Err(BadAddress::User);
    }
    if authority.contains('%') {
        return Err(BadAddress::HostEscape);
    }
    // `https:/host` and `https:host` are read as `https://host` by browsers, and not by everybody else.
    if authority.is_empty() || parsed.host_str().is_none_or(str::is_empty) {
        return Err(BadAddress::NoHost);
    }
    Ok(())
}

/// RFC 8252 §7.1: a reverse domain name, so that two applications do not choose the same by accident.
fn check_private_scheme(scheme: &str, rest: &str) -> Result<(), BadAddress> {
    let well_formed = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+.-".contains(&b));
    if !well_formed {
        return Err(BadAddress::MalformedScheme);
    }
    if !scheme.contains('.') {
        return Err(BadAddress::SchemeName(scheme.to_owned()));
    }
    if !rest.starts_with('/') || authority(rest).contains('@') {
        return Err(BadAddress::PrivatePath);
    }
    Ok(())
}

/// No dot segments, however they are spelled, and no escapes that are broken or hide control characters.
fn check_path(after_scheme: &str) -> Result<(), BadAddress> {
    let decoded = percent_decoded(after_scheme).ok_or(BadAddress::Escape)?;
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(BadAddress::EscapedControl);
    }
    let path = after_scheme.split('?').next().unwrap_or_default();
    let path = percent_decoded(path).unwrap_or_default();
    let dots = path.split(|b| matches!(b, b'/' | b'\\')).any(|segment| segment == b"." || segment == b"..");
    if dots { Err(BadAddress::Dots) } else { Ok(()) }
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '%' {
            let high = rest.next()?.to_digit(16)?;
            let low = rest.next()?.to_digit(16)?;
            out.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            out.push(u8::try_from(c).ok()?);
        }
    }
    Some(out)
}

/// The part between `//` and the path; empty if there is none.
fn authority(after_scheme: &str) -> &str {
    after_scheme.strip_prefix("//").and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default()
}

fn is_loopback(after_scheme: &str) -> bool {
    let authority = authority(after_scheme);
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
        authority.strip_prefix(host).is_some_and(|port| {
            port.is_empty()
                || port.strip_prefix(':').and_then(|p| p.parse::<u16>().ok()).is_some_and(|p| p > 0)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    use ApplicationType::{Native, Web};

    #[test]
    fn az_2_compared_as_a_string() {
        let registered = "https://app.example.com/cb?tenant=1";
        assert!(matches(registered, registered, Web));
        let others = [
            "https://app.example.com/cb",
            "https://app.example.com/cb?tenant=1&x=2",
            "https://app.example.com/cb/?tenant=1",
            "https://APP.example.com/cb?tenant=1",
            "https://app.example.com:443/cb?tenant=1",
            "https://app.example.com/%63b?tenant=1",
            "https://app.example.com/x/../cb?tenant=1",
            "https://app.example.com@evil.example/cb?tenant=1",
            "http://app.example.com/cb?tenant=1",
            "",
        ];
        for presented in others {
            assert!(!matches(registered, presented, Web), "{presented}");
            assert!(!matches(registered, presented, Native), "{presented}");
        }
    }

    #[test]
    fn az_2_a_native_clients_loopback_port_is_free() {
        let cases = [
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", true),
            ("http://127.0.0.1:8000/cb", "http://127.0.0.1:49152/cb", true),
            ("http://127.0.0.1:8000/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]/cb", "http://[::1]:1/cb", true),
            ("http://127.0.0.1", "http://127.0.0.1:5", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb2", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb?x=1", false),
            ("http://127.0.0.1/cb", "http://[::1]/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false),
            ("http://127.0.0.1", "http://127.0.0.1@evil.example", false),
            ("http://localhost/cb", "http://localhost:49152/cb", false),
            ("https://127.0.0.1/cb", "https://127.0.0.1:49152/cb", false),
        ];
        for (registered, presented, same) in cases {
            assert_eq!(matches(registered, presented, Native), same, "{presented}");
            assert!(!matches(registered, presented, Web), "{presented}");
        }
    }

    #[test]
    fn az_3_what_may_be_registered() {
        let both = [
            "https://app.example.com/cb",
            "https://app.example.com",
            "https://app.example.com:8443/cb?dummy1=lorem&dummy2=ipsum",
            "https://app.example.com/a%20b/.well-known/x..y",
            "http://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:9/cb",
        ];
        for uri in both {
            assert_eq!(check_registration(uri, Web), Ok(()), "{uri}");
            assert_eq!(check_registration(uri, Native), Ok(()), "{uri}");
        }
        for uri in ["com.example.app:/cb", "com.example.app://cb", "com.example.app:/"] {
            assert_eq!(check_registration(uri, Native), Ok(()), "{uri}");
            assert!(check_registration(uri, Web).is_err(), "{uri}");
        }
    }

    #[test]
    fn az_3_what_may_not_be_registered() {
        let bad = [
            "",
            "/cb",
            "app.example.com/cb",
            "//app.example.com/cb",
            "https:",
            "https:app.example.com/cb",
            "https:/app.example.com/cb",
            "https:///cb",
            "https://",
            "https://user@app.example.com/cb",
            "https://user:password@app.example.com/cb",
            "https://@app.example.com/cb",
            "https://app.example.com/cb#",
            "https://app.example.com/cb#x",
            "https://*.example.com/cb",
            "https://app.example.com/*",
            "https://app.example.com\\@evil.example/cb",
            "https://app.example.com/a b",
            "https://app.example.com/a\tb",
            "https://app.example.com/a\r\nb",
            "https://app.example.com/\0",
            "https://bücher.example/cb",
            "https://app.example.com/../cb",
            "https://app.example.com/./cb",
            "https://app.example.com/..",
            "https://app.example.com/%2e%2E/cb",
            "https://app.example.com/.%2e/cb",
            "https://app.example.com/a%2f..%2fcb",
            "https://app.example.com/a%5c..%5Ccb",
            "https://app.example.com/%00",
            "https://app.example.com/%0d%0a",
            "https://app.example.com/?x=%0a",
            "https://app.example.com/%",
            "https://app.example.com/%zz",
            "https://app.example.com:99999/cb",
            "https://app.ex%61mple.com/cb",
            "http://app.example.com/cb",
            "http://localhost.evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1@evil.example/cb",
            "http://localhost:80@evil.example/cb",
            "http://127.1/cb",
            "http://0.0.0.0/cb",
            "HTTPS://app.example.com/cb",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "blob:https://app.example.com/x",
            "vbscript:x",
            "about:blank",
            "myapp:/cb",
            "com.example.app:",
            "com.example.app:cb",
            "com.example.app://user@cb",
            "1com.example:/cb",
            ".com.example:/cb",
            ":/cb",
        ];
        for uri in bad {
            for kind in [Web, Native] {
                assert!(check_registration(uri, kind).is_err(), "{uri:?} {kind}");
            }
        }
        assert!(check_registration(&format!("https://a.example/{}", "x".repeat(2048)), Web).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(a in ".*", b in ".*") {
            drop(check_registration(&a, Native));
            let _ = matches(&a, &b, Native);
        }

        #[test]
        fn az_2_a_web_clients_match_is_equality(a in "[a-z:/.@%0-9]{0,12}", b in "[a-z:/.@%0-9]{0,12}") {
            prop_assert_eq!(matches(&a, &b, Web), a == b);
        }

        #[test]
        fn az_2_a_match_never_changes_the_host(tail in "[ -~]{0,30}") {
            let presented = format!("http://127.0.0.1{tail}");
            if matches("http://127.0.0.1:1234/cb", &presented, Native) {
                let url = Url::parse(&presented).unwrap();
                prop_assert_eq!(url.host_str(), Some("127.0.0.1"));
                prop_assert_eq!(url.path(), "/cb");
            }
        }

        #[test]
        fn az_3_what_is_accepted_has_no_credentials_and_no_fragment(
            uri in "(https|http|com\\.x):[/a-z.@:%#?0-9\\\\]{0,24}",
        ) {
            if check_registration(&uri, Native).is_ok() {
                let url = Url::parse(&uri).unwrap();
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(url.fragment().is_none());
            }
        }
    }
}
