//! `[[dialects]]`: login APIs of other products that are answered here, and what each takes from its file otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::sections::write;
use super::{Issuer, Limit, Limits, duration};
use crate::crypto::Secret;
use crate::model::FirstSignIn;

/// Shorter ones can be guessed where no limit stands in the way.
const SHORTEST_SECRET: usize = 16;

/// Where our own pages and endpoints are, and where some may be: no dialect may stand in front of them.
const OWN_PATHS: &[&str] = &[
    "oauth2",
    ".well-known",
    "login",
    "logout",
    "register",
    "setup",
    "account",
    "consent",
    "invitation",
    "invite",
    "assets",
    "dev",
    "admin",
    "branding",
    "api",
    "recover",
    "reset",
    "forward-auth",
    "revocations",
    "verify-email",
    // At the root of the host, whatever the issuer is.
    "metrics",
    "livez",
    "healthz",
    "readyz",
    "favicon.ico",
    "robots.txt",
];

/// One of `[[dialects]]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// The name of one that ships with the program: `countersign dialect list`.
    #[serde(default, rename = "use")]
    pub shipped: Option<String>,
    /// The file that describes it, instead of `use`.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The path that it answers below, such as `/eden`.
    #[serde(default)]
    pub path: Option<String>,
    /// The host that it answers at, instead of `path`.
    #[serde(default)]
    pub host: Option<String>,
    /// The client that its tokens are issued to, made at start. Unset: `dialect:` and its name.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The `aud` of its tokens. Unset: the address that it is mounted at.
    #[serde(default)]
    pub audience: Option<String>,
    /// Lifetimes other than its file's: `access_ttl`, `refresh_ttl`, `session_ttl`, `magic_ttl`.
    #[serde(default)]
    pub tokens: Lives,
    /// Its words for roles, added to its file's: `admin = "ADMIN"`; `"*"` for every other role.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// Limits other than its file's, by their names in `[limits]`.
    #[serde(default)]
    pub limits: BTreeMap<String, Limit>,
    /// Browser applications that may call it: `origins = ["https://app.example.com"]`.
    #[serde(default)]
    pub cors: Cors,
    /// Addresses that mails and providers may lead back to.
    #[serde(default)]
    pub redirect_urls: Vec<String>,
    /// The page of the product's that mailed sign-in links lead to, with `token` for `magic_link.redeem`: one of
    /// `redirect_urls`. Unset: a page of ours, which signs in here.
    #[serde(default)]
    pub magic_link_page: Option<String>,
    /// What becomes of people whom a provider vouches for and who have no account.
    #[serde(default)]
    pub first_sign_in: Option<FirstSignIn>,
    /// Lifts its limits for tests; only where the issuer is a loopback address.
    #[serde(default, serialize_with = "write::optional_secret")]
    pub system_secret: Option<Secret>,
    /// A file that holds the secret.
    #[serde(default)]
    pub system_secret_file: Option<PathBuf>,
}

/// `tokens` of a dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lives {
    #[serde(with = "duration::optional")]
    pub access_ttl: Option<Duration>,
    #[serde(with = "duration::optional")]
    pub refresh_ttl: Option<Duration>,
    #[serde(with = "duration::optional")]
    pub session_ttl: Option<Duration>,
    #[serde(with = "duration::optional")]
    pub magic_ttl: Option<Duration>,
}

/// `cors` of a dialect.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    pub origins: Vec<String>,
}

impl Dialect {
    /// Every setting that must not be used as it is, with the reason.
    pub(super) fn problems(&self, issuer: &Issuer) -> Vec<(&'static str, String)> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        let mut refuse = |field: &'static str, reason: String| found.push((field, reason));
        if self.shipped.is_some() == self.file.is_some() {
            refuse(
                "use",
                "names a dialect that ships, or `file` names one of yours: exactly one of the two".to_owned(),
            );
        }
        match (&self.path, &self.host) {
            (Some(path), None) => {
                check_mount_path(path).unwrap_or_else(|reason| refuse("path", format!("`{path}` {reason}")));
            }
            (None, Some(host)) => {
                check_mount_host(host, issuer)
                    .unwrap_or_else(|reason| refuse("host", format!("`{host}` {reason}")));
            }
            (Some(_), Some(_)) => refuse("host", "stands beside `path`; keep one of the two".to_owned()),
            (None, None) => {}
        }
        for origin in &self.cors.origins {
            if !is_origin(origin) {
                let reason =
                    "is no origin: write it like `https://app.example.com`, without a path, and no `*`";
                refuse("cors", format!("`{origin}` {reason}"));
            }
        }
        for url in &self.redirect_urls {
            check_redirect_url(url)
                .unwrap_or_else(|reason| refuse("redirect_urls", format!("`{url}` {reason}")));
        }
        if let Some(audience) = &self.audience
            && !Url::parse(audience).is_ok_and(|url| url.fragment().is_none())
        {
            refuse("audience", "must be an absolute URI without a fragment".to_owned());
        }
        for (name, limit) in &self.limits {
            if !Limits::names().contains(&name.as_str()) {
                refuse("limits", format!("`{name}` is none of {}", Limits::names().join(", ")));
            } else if limit.count == 0 || limit.per.is_zero() {
                refuse("limits", format!("`{name}` must allow 1 or more in 1s or more"));
            }
        }
        if let Some(reason) = self.secret_problem(issuer) {
            refuse("system_secret", reason.to_owned());
        }
        found
    }

    /// No secret lifts limits on a public issuer (LG-4).
    fn secret_problem(&self, issuer: &Issuer) -> Option<&'static str> {
        let secret = self.system_secret.as_ref()?;
        if !issuer.is_loopback() {
            return Some("lifts limits, and the issuer is no loopback address; remove it");
        }
        (secret.expose().len() < SHORTEST_SECRET).then_some("must have 16 characters or more")
    }
}

/// Which dialects stand where another does, by their places in the list.
pub(super) fn clashes(dialects: &[Dialect]) -> Vec<(usize, &'static str, String)> {
    let (mut places, mut found) = (BTreeSet::new(), Vec::new());
    for (index, dialect) in dialects.iter().enumerate() {
        for (field, place) in [("path", &dialect.path), ("host", &dialect.host)] {
            let Some(place) = place else { continue };
            if !places.insert((field, place.to_ascii_lowercase())) {
                found.push((index, field, format!("`{place}` is where another dialect is mounted")));
            }
        }
    }
    found
}

/// A path within an API: `/` and words.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
            && word != "."
            && word != ".."
    };
    let rest = path.strip_prefix('/').ok_or("must begin with `/`")?;
    if path.len() > 200 || !rest.split('/').all(is_word) {
        return Err(
            "must be words of letters, digits and - _ . ~ behind slashes, without a slash at the end",
        );
    }
    Ok(())
}

/// The path that an API is mounted at.
pub fn check_mount_path(path: &str) -> Result<(), &'static str> {
    check_path(path)?;
    let first = path.split('/').nth(1).unwrap_or_default();
    if OWN_PATHS.contains(&first) {
        return Err("is where our own pages and endpoints are");
    }
    Ok(())
}

/// A host's name.
pub fn check_host(host: &str) -> Result<(), &'static str> {
    let is_name = matches!(Host::parse(host), Ok(Host::Domain(name)) if name == host);
    if is_name { Ok(()) } else { Err("must be a host's name in small letters, without scheme and port") }
}

fn check_mount_host(host: &str, issuer: &Issuer) -> Result<(), &'static str> {
    check_host(host)?;
    if issuer.url().host_str() == Some(host) {
        return Err("is the issuer's own host; mount the dialect at a `path`");
    }
    Ok(())
}

/// An address that a browser may be sent to: https, or http on this machine.
pub fn check_redirect_url(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is no address; write it like `https://app.example.com/back`")?;
    let is_local = || match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_local());
    if !is_safe || url.fragment().is_some() || !url.username().is_empty() || text.contains('*') {
        return Err("must be https (or http on localhost), without user, fragment and `*`");
    }
    Ok(())
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(dialect: &Dialect, issuer: &str) -> Vec<&'static str> {
        dialect.problems(&issuer.parse().unwrap()).into_iter().map(|(field, _)| field).collect()
    }

    fn eden() -> Dialect {
        Dialect { shipped: Some("eden".to_owned()), path: Some("/eden".to_owned()), ..Dialect::default() }
    }

    #[test]
    fn a_dialect_says_which_and_where() {
        const LOCAL: &str = "http://localhost:8080";
        type Change = fn(&mut Dialect);
        let cases: [(Change, &[&str]); 15] = [
            (|_| {}, &[]),
            (|d| d.shipped = None, &["use"]),
            (|d| d.file = Some("x.toml".into()), &["use"]),
            (|d| d.host = Some("api.example.com".to_owned()), &["host"]),
            (|d| (d.path, d.host) = (None, Some("api.example.com".to_owned())), &[]),
            (|d| (d.path, d.host) = (None, Some("localhost".to_owned())), &["host"]),
            (|d| (d.path, d.host) = (None, Some("API.example.com:80".to_owned())), &["host"]),
            (|d| d.path = Some("/oauth2".to_owned()), &["path"]),
            (|d| d.path = Some("/invitation/x".to_owned()), &["path"]),
            (|d| d.path = Some("/".to_owned()), &["path"]),
            (|d| d.path = Some("/a/../b".to_owned()), &["path"]),
            (|d| d.cors.origins = vec!["*".to_owned(), "https://app.example.com".to_owned()], &["cors"]),
            (|d| d.redirect_urls = vec!["http://evil.example/".to_owned()], &["redirect_urls"]),
            (|d| d.audience = Some("eden".to_owned()), &["audience"]),
            (
                |d| d.limits.extend([("logins".to_owned(), Limit { count: 1, per: Duration::from_secs(1) })]),
                &["limits"],
            ),
        ];
        for (index, (change, fields)) in cases.into_iter().enumerate() {
            let mut dialect = eden();
            change(&mut dialect);
            assert_eq!(problems(&dialect, LOCAL), fields, "case {index}");
        }
    }

    #[test]
    fn lg_4_a_secret_that_lifts_limits_is_for_a_loopback_issuer_only() {
        let with = |secret: &str| Dialect { system_secret: Some(Secret::from_text(secret)), ..eden() };
        let good = with("sixteen letters!");
        assert!(problems(&good, "http://localhost:8080").is_empty());
        assert!(problems(&good, "http://127.0.0.1:8080").is_empty());
        assert_eq!(problems(&good, "https://id.example.com"), ["system_secret"]);
        assert_eq!(problems(&with("short"), "http://localhost:8080"), ["system_secret"]);
    }

    #[test]
    fn two_dialects_cannot_stand_at_one_place() {
        let elsewhere = Dialect { path: Some("/other".to_owned()), ..eden() };
        assert!(clashes(&[eden(), elsewhere.clone()]).is_empty());
        let found = clashes(&[eden(), elsewhere, eden()]);
        assert_eq!(found.iter().map(|(index, field, _)| (*index, *field)).collect::<Vec<_>>(), [(2, "path")]);
    }
}
