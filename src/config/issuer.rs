//! The issuer: the one address that names this instance in every token (OpenID Connect Discovery §3).
//!
//! Verifiers compare it byte for byte, so it is kept as it was written, and a spelling that a URL parser would
//! change is refused rather than changed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use url::{Host, Url};

/// An absolute https URL (http on a loopback host) without query, fragment, user or trailing slash.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

/// Why a text cannot be the issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIssuer {
    /// Not an absolute http or https URL.
    #[error("is not an absolute http or https URL; write it like `https://id.example.com`")]
    NotAUrl,
    /// `user:password@`.
    #[error("holds a user name or password; remove them")]
    UserInfo,
    /// `?…` or `#…`, even empty.
    #[error("has a query or fragment; remove it")]
    QueryOrFragment,
    /// A slash at the end.
    #[error("ends in `/`; remove the trailing slash")]
    TrailingSlash,
    /// A default port, upper case, dot segments, …; holds the plain form.
    #[error("is not in its one plain form, and verifiers compare it byte for byte; write `{0}`")]
    OtherSpelling(String),
    /// http where others can read along.
    #[error("uses http on a public host; use https (http is for localhost and loopback addresses)")]
    PublicHttp,
}

impl Issuer {
    /// Byte for byte as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same address, parsed. Its path is `/` where the issuer has none.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The path below which everything is served: empty, or such as `/id`.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// Scheme, host and port: what a browser sends as `Origin`.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The address of `path` (which starts with `/`) below the issuer.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether cookies can be `Secure` and prefixed `__Host-`.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the host can only be this machine: `localhost` and names below it, 127.0.0.0/8, `[::1]`.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl FromStr for Issuer {
    type Err = BadIssuer;

    fn from_str(text: &str) -> Result<Self, BadIssuer> {
        let url = Url::parse(text).map_err(|_| BadIssuer::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(BadIssuer::NotAUrl);
        }
        // Before anything that repeats the text: a password must not reach a message.
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return Err(BadIssuer::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadIssuer::QueryOrFragment);
        }
        if text.ends_with('/') {
            return Err(BadIssuer::TrailingSlash);
        }
        let plain = url.as_str().trim_end_matches('/');
        if plain != text || url.path().contains("//") {
            return Err(BadIssuer::OtherSpelling(plain.to_owned()));
        }
        let issuer = Self { text: text.to_owned(), url };
        if !issuer.is_https() && !issuer.is_loopback() {
            return Err(BadIssuer::PublicHttp);
        }
        Ok(issuer)
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.text)
    }
}

impl<'de> Deserialize<'de> for Issuer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Issuer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_kept_byte_for_byte() {
        let cases = [
            // issuer, path, origin, loopback
            ("https://id.example.com", "", "https://id.example.com", false),
            ("https://example.com/id", "/id", "https://example.com", false),
            ("https://example.com:8443/a/b", "/a/b", "https://example.com:8443", false),
            ("http://localhost:8080", "", "http://localhost:8080", true),
            ("http://id.localhost", "", "http://id.localhost", true),
            ("http://127.8.9.1:1", "", "http://127.8.9.1:1", true),
            ("http://[::1]:8080/id", "/id", "http://[::1]:8080", true),
            ("https://localhost", "", "https://localhost", true),
            ("https://xn--bcher-kva.example", "", "https://xn--bcher-kva.example", false),
        ];
        for (text, path, origin, loopback) in cases {
            let issuer: Issuer = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(issuer.as_str(), text);
            assert_eq!(issuer.path(), path, "{text}");
            assert_eq!(issuer.origin(), origin, "{text}");
            assert_eq!(issuer.is_loopback(), loopback, "{text}");
            assert_eq!(issuer.is_https(), text.starts_with("https:"), "{text}");
            assert_eq!(issuer.at("/oauth2/token"), format!("{text}/oauth2/token"));
        }
    }

    #[test]
    fn bu_5_other_spellings_are_refused() {
        use BadIssuer::*;
        let other = |text: &str| OtherSpelling(text.to_owned());
        let cases = [
            ("", NotAUrl),
            ("id.example.com", NotAUrl),
            ("localhost:8080", NotAUrl),
            ("ftp://example.com", NotAUrl),
            ("https://", NotAUrl),
            ("https://u:p@example.com", UserInfo),
            ("https://@example.com", UserInfo),
            ("https://example.com?a", QueryOrFragment),
            ("https://example.com?", QueryOrFragment),
            ("https://example.com#", QueryOrFragment),
            ("https://example.com/", TrailingSlash),
            ("https://example.com/id/", TrailingSlash),
            ("https://Example.com", other("https://example.com")),
            ("HTTPS://example.com", other("https://example.com")),
            ("https://example.com:443", other("https://example.com")),
            ("http://localhost:80", other("http://localhost")),
            ("https://example.com/a/../b", other("https://example.com/b")),
            ("https://example.com/./b", other("https://example.com/b")),
            ("https://example.com/b/..", other("https://example.com")),
            ("https://example.com//b", other("https://example.com//b")),
            ("https:example.com", other("https://example.com")),
            (" https://example.com", other("https://example.com")),
            ("https://exa\nmple.com", other("https://example.com")),
            ("https://bücher.example", other("https://xn--bcher-kva.example")),
            ("http://127.1", other("http://127.0.0.1")),
            ("https://example.com\\a", other("https://example.com/a")),
            ("http://id.example.com", PublicHttp),
            ("http://localhost.example.com", PublicHttp),
            ("http://10.0.0.1", PublicHttp),
            ("http://0.0.0.0:8080", PublicHttp),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Issuer>(), Err(expected), "{text:?}");
        }
    }
}
