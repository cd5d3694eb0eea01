//! The cookies: what they are called, what they look like on the wire, and how they are read.
//!
//! On https every name has the prefix `__Host-`, so that no other host and no plain http page can set one (SE-1). On
//! a loopback http issuer, where a browser would refuse `Secure`, the same names stand without it. What a cookie is
//! worth is decided by those who read it.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::{COOKIE, HeaderMap};

use crate::config::Issuer;
use crate::crypto::{MasterKey, Secret};
use crate::identity::device::KnownDevice;
use crate::identity::session::{ACCOUNTS, PATIENCE};

/// How long a browser remembers that it is a known device.
const DEVICE_LIFE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Between the secrets of several sessions; not in the alphabet of a secret.
const SEPARATOR: char = '.';

/// What a cookie is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A random value that ties forms and authorization requests to the browser, before anybody is signed in.
    Browser,
    /// The secrets of the browser's sessions.
    Sessions,
    /// The secret of a sign-in that waits for its second factor (SE-3).
    Pending,
    /// The accounts that have signed in from here before.
    Devices,
}

impl Name {
    /// The name on the wire.
    pub fn as_str(self, issuer: &Issuer) -> &'static str {
        match (self, issuer.is_https()) {
            (Self::Browser, true) => "__Host-cs-browser",
            (Self::Browser, false) => "cs-browser",
            (Self::Sessions, true) => "__Host-cs-sessions",
            (Self::Sessions, false) => "cs-sessions",
            (Self::Pending, true) => "__Host-cs-pending",
            (Self::Pending, false) => "cs-pending",
            (Self::Devices, true) => "__Host-cs-devices",
            (Self::Devices, false) => "cs-devices",
        }
    }
}

/// Ties the browser to `secret` until it is closed.
pub fn binding(issuer: &Issuer, secret: &Secret) -> Cookie<'static> {
    build(issuer, Name::Browser, secret.expose().to_owned())
}

/// The browser's sessions, the current one first. With `remember` they outlive the browser for that long; without
/// any session the cookie is removed.
pub fn sessions(issuer: &Issuer, secrets: &[Secret], remember: Option<Duration>) -> Cookie<'static> {
    if secrets.is_empty() {
        return removal(issuer, Name::Sessions);
    }
    let values: Vec<&str> = secrets.iter().take(ACCOUNTS).map(Secret::expose).collect();
    let mut cookie = build(issuer, Name::Sessions, values.join(&SEPARATOR.to_string()));
    if let Some(life) = remember {
        cookie.set_max_age(max_age(life));
    }
    cookie
}

/// A sign-in that waits for its second factor.
pub fn pending(issuer: &Issuer, secret: &Secret) -> Cookie<'static> {
    let mut cookie = build(issuer, Name::Pending, secret.expose().to_owned());
    cookie.set_max_age(max_age(PATIENCE));
    cookie
}

/// The accounts known from this browser.
pub fn devices(issuer: &Issuer, master: &MasterKey, device: &KnownDevice) -> Cookie<'static> {
    let mut cookie = build(issuer, Name::Devices, device.to_cookie(master));
    cookie.set_max_age(max_age(DEVICE_LIFE));
    cookie
}

/// Makes the browser forget the cookie.
pub fn removal(issuer: &Issuer, name: Name) -> Cookie<'static> {
    let mut cookie = build(issuer, name, String::new());
    cookie.set_max_age(time::Duration::ZERO);
    cookie
}

/// Puts the cookie into the answer.
pub fn add(response: &mut HttpResponse, cookie: &Cookie<'_>) {
    response.add_cookie(cookie).expect("our cookies are made of header characters");
}

fn build(issuer: &Issuer, name: Name, value: String) -> Cookie<'static> {
    Cookie::build(name.as_str(issuer), value)
        .path("/")
        .http_only(true)
        .secure(issuer.is_https())
        .same_site(SameSite::Lax)
        .finish()
}

fn max_age(life: Duration) -> time::Duration {
    time::Duration::seconds(i64::try_from(life.as_secs()).unwrap_or(i64::MAX))
}

/// The value of the first cookie of this name.
pub fn read<'a>(headers: &'a HeaderMap, issuer: &Issuer, name: Name) -> Option<&'a str> {
    let wanted = name.as_str(issuer);
    headers
        .get_all(COOKIE)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

/// The secrets in a cookie's value. What is not shaped like a secret of ours is left out: it was not made here.
pub fn read_secrets(value: &str) -> Vec<Secret> {
    value.split(SEPARATOR).filter(|part| is_secret(part)).take(ACCOUNTS).map(Secret::from_text).collect()
}

/// 256 bits in base64url.
fn is_secret(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::clock::Timestamp;
    use crate::crypto::Random;
    use crate::model::UserId;

    fn issuer(text: &str) -> Issuer {
        text.parse().unwrap()
    }

    #[test]
    fn se_1_cookies_on_https_are_host_only_secure_and_unreachable_for_scripts() {
        let random = Random::system();
        let secret = Secret::generate(&random);
        let (public, loopback) = (issuer("https://id.example.com/auth"), issuer("http://localhost:8080"));
        assert_eq!(
            binding(&public, &secret).to_string(),
            format!("__Host-cs-browser={}; HttpOnly; SameSite=Lax; Secure; Path=/", secret.expose())
        );
        assert_eq!(
            binding(&loopback, &secret).to_string(),
            format!("cs-browser={}; HttpOnly; SameSite=Lax; Path=/", secret.expose())
        );
        let remembered = sessions(&public, &[secret.clone(), secret.clone()], Some(Duration::from_secs(60)));
        assert!(remembered.to_string().ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"));
        assert!(!sessions(&public, &[secret], None).to_string().contains("Max-Age"));
        let gone = "__Host-cs-sessions=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0";
        assert_eq!(sessions(&public, &[], None).to_string(), gone);
    }

    #[test]
    fn se_1_the_largest_cookies_stay_below_4096_bytes() {
        let random = Random::system();
        let (public, master) = (issuer("https://id.example.com"), MasterKey::generate(&random));
        let secrets: Vec<Secret> = (0..20).map(|_| Secret::generate(&random)).collect();
        let mut device = KnownDevice::fresh(&random);
        (0..20).for_each(|at| device.remember(UserId::new(Timestamp(at), &random)));
        for cookie in [sessions(&public, &secrets, Some(Duration::MAX)), devices(&public, &master, &device)] {
            assert!(cookie.to_string().len() < 4096);
        }
    }

    #[test]
    fn what_was_set_is_read_and_anything_else_is_left_out() {
        let random = Random::system();
        let public = issuer("https://id.example.com");
        let (one, two) = (Secret::generate(&random), Secret::generate(&random));
        let set = sessions(&public, &[one.clone(), two.clone()], None);
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("cs-sessions=x; other; __Host-cs-browser=b"));
        let line = format!("a=b; {}; __Host-cs-sessions=later", set.stripped());
        headers.append(COOKIE, line.parse().unwrap());
        let value = read(&headers, &public, Name::Sessions).unwrap();
        assert_eq!(read_secrets(value), [one, two]);
        assert_eq!(read(&headers, &public, Name::Browser), Some("b"));
        assert_eq!(read(&headers, &public, Name::Devices), None);
        for odd in ["", ".", "short", &"ü".repeat(22), &format!("{}%", "a".repeat(42))] {
            assert!(read_secrets(odd).is_empty(), "{odd}");
        }
        assert_eq!(read_secrets(&[value; 9].join(".")).len(), ACCOUNTS);
    }
}
