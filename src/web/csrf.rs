//! Whether a form was sent by our own page in this browser (CH-1).
//!
//! Two answers have to agree: the form carries a token that only this instance can make for this browser, and what
//! the browser itself says of the sender is not somebody else. Browsers that say nothing are judged by the token.

use actix_web::http::header::{HeaderMap, HeaderName, ORIGIN};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::crypto::{MasterKey, Secret, constant_time_eq};

/// The form field.
pub const FIELD: &str = "csrf";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The token of the forms of the browser that holds `binding`.
pub fn token(master: &MasterKey, binding: &Secret) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(master.tag(b"csrf", binding.expose().as_bytes()))
}

/// Whether the token is the one of this browser.
pub fn verify(master: &MasterKey, binding: &Secret, presented: &str) -> bool {
    constant_time_eq(token(master, binding).as_bytes(), presented.as_bytes())
}

/// Whether nothing that the browser says speaks against a sender on `ours`, the issuer's origin.
///
/// `Origin: null` comes from pages with `Referrer-Policy: no-referrer`, and from sandboxed strangers: it counts only
/// together with `Sec-Fetch-Site: same-origin` (CH-3).
pub fn is_sent_by(ours: &str, headers: &HeaderMap) -> bool {
    let (Ok(origin), Ok(site)) = (single(headers, &ORIGIN), single(headers, &SEC_FETCH_SITE)) else {
        return false;
    };
    is_led_by_us(headers)
        && match origin {
            None => true,
            Some("null") => site == Some("same-origin"),
            Some(origin) => origin == ours,
        }
}

/// Whether no page of another site led here: for a GET that leaves a trace. Browsers that say nothing are believed.
pub fn is_led_by_us(headers: &HeaderMap) -> bool {
    match single(headers, &SEC_FETCH_SITE) {
        Ok(None) => true,
        // `none` is the person: a reload or a restored tab. No page can cause it.
        Ok(Some(site)) => matches!(site, "same-origin" | "none"),
        Err(()) => false,
    }
}

/// The header's value; an error if it is there twice or no text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;

    #[test]
    fn ch_1_a_token_is_good_for_one_browser_of_one_instance() {
        let random = Random::system();
        let (ours, theirs) = (MasterKey::generate(&random), MasterKey::generate(&random));
        let (browser, other) = (Secret::generate(&random), Secret::generate(&random));
        let made = token(&ours, &browser);
        assert!(verify(&ours, &browser, &made));
        assert!(!verify(&ours, &other, &made));
        assert!(!verify(&theirs, &browser, &made));
        for wrong in ["", &made[1..], &format!("{made}="), &made.to_lowercase()] {
            assert!(!verify(&ours, &browser, wrong), "{wrong}");
        }
    }

    #[test]
    fn ch_1_ch_3_the_browser_must_not_name_another_sender() {
        let ours = "https://id.example.com";
        let cases: &[(&[&str], &[&str], bool)] = &[
            // Origin, Sec-Fetch-Site, accepted
            (&[ours], &["same-origin"], true),
            (&[ours], &[], true),
            (&[], &[], true),
            (&[], &["same-origin"], true),
            (&[], &["none"], true),
            (&["null"], &["same-origin"], true),
            (&["null"], &[], false),
            (&["null"], &["none"], false),
            (&["null"], &["cross-site"], false),
            (&[ours], &["cross-site"], false),
            (&[ours], &["same-site"], false),
            (&[], &["cross-site"], false),
            (&[], &["Same-Origin"], false),
            (&["https://evil.example"], &["same-origin"], false),
            (&["https://evil.example"], &[], false),
            (&["http://id.example.com"], &[], false),
            (&["https://id.example.com:8443"], &[], false),
            (&["https://id.example.com/"], &[], false),
            (&["https://id.example.com.evil.example"], &[], false),
            (&[""], &[], false),
            (&[ours, ours], &[], false),
            (&[ours], &["same-origin", "cross-site"], false),
            (&["https://\u{fc}.example"], &[], false),
        ];
        for (origins, sites, accepted) in cases {
            let mut headers = HeaderMap::new();
            origins.iter().for_each(|origin| headers.append(ORIGIN, origin.parse().unwrap()));
            sites.iter().for_each(|site| headers.append(SEC_FETCH_SITE, site.parse().unwrap()));
            assert_eq!(is_sent_by(ours, &headers), *accepted, "{origins:?} {sites:?}");
        }
    }
}
