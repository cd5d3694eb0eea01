//! What every page needs: the language, the addresses, the form token, the name of the product.
//!
//! Which language and which account is decided by the handler; [`crate::model::language`] holds the words.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::model::Zone;
pub use crate::model::language::{Language, negotiate};
use crate::tenancy::branding::Brand;

use super::{assets, branding};

/// The surroundings of one answer, handed to every page.
#[derive(Clone, Copy, Debug)]
pub struct Ui<'a> {
    pub language: Language,
    /// The issuer's path without a slash at its end: empty, or `/auth`. In front of every link.
    pub base: &'a str,
    /// The token that every form carries (CH-1). Empty on pages that have no form.
    pub csrf: &'a str,
    /// What this instance calls itself.
    pub product: &'a str,
    /// Who is signed in, as the header shows it: a name or an address.
    pub account: Option<&'a str>,
    /// The zone in which times are shown, if the reader chose one; else UTC.
    pub zone: Option<&'a Zone>,
    /// What was asked for is refused: by this an operator finds out why.
    pub reference: Option<&'a str>,
    /// How the organisation looks that the page is about.
    pub brand: Option<&'a Brand>,
}

impl Ui<'_> {
    /// The text of a key.
    pub fn t(&self, key: &'static str) -> &'static str {
        self.language.text(key)
    }

    /// The text of a key with `{name}` replaced by its value. The template escapes the result.
    pub fn with<V: AsRef<str>>(&self, key: &'static str, values: &[(&str, V)]) -> String {
        self.language.with(key, values)
    }

    /// For the `lang` attribute.
    pub fn lang(&self) -> &'static str {
        self.language.tag()
    }

    /// The address of an embedded asset.
    pub fn asset(&self, name: &'static str) -> String {
        format!("{}{}", self.base, assets::asset_url(name))
    }

    /// The organisation's style sheet, read after ours.
    pub fn brand_style(&self) -> Option<String> {
        self.brand.and_then(branding::style_path).map(|path| format!("{}{path}", self.base))
    }

    /// The organisation's logo.
    pub fn brand_logo(&self) -> Option<String> {
        self.brand.and_then(branding::logo_path).map(|path| format!("{}{path}", self.base))
    }

    /// Whose pages these are, as the header says it.
    pub fn brand_name(&self) -> &str {
        self.brand.map_or(self.product, |brand| &brand.name)
    }

    /// A length of time in words.
    pub fn span(&self, length: Duration) -> String {
        self.language.span(length)
    }

    /// How long ago something was, or its date when that is more than a month.
    pub fn ago(&self, at: Timestamp, now: Timestamp) -> String {
        const MINUTE: u64 = 60;
        const DAY: u64 = 24 * 60 * MINUTE;
        let (seconds, unit) = match now.since(at).as_secs() {
            0..MINUTE => return self.t("time.just_now").to_owned(),
            seconds @ MINUTE..3_600 => (seconds, MINUTE),
            seconds @ 3_600..DAY => (seconds, 3_600),
            seconds if seconds < 31 * DAY => (seconds, DAY),
            _ => return self.date(at),
        };
        let whole = Duration::from_secs(seconds - seconds % unit);
        self.with("time.ago", &[("span", &self.span(whole))])
    }

    /// A day and a time of day, in the reader's zone.
    pub fn date(&self, at: Timestamp) -> String {
        self.language.date_in(at, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ui(language: Language) -> Ui<'static> {
        Ui {
            language,
            base: "/auth",
            csrf: "",
            product: "Countersign",
            account: None,
            zone: None,
            reference: None,
            brand: None,
        }
    }

    #[test]
    fn times_read_as_people_say_them() {
        let now = Timestamp::from_seconds(1_773_324_300); // 2026-03-12 14:05 UTC
        for (before, english, german) in [
            (0, "just now", "gerade eben"),
            (90, "1 minute ago", "vor 1 Minute"),
            (7_300, "2 hours ago", "vor 2 Stunden"),
            (86_400 * 3, "3 days ago", "vor 3 Tagen"),
            (86_400 * 40, "31 January 2026, 14:05 UTC", "31. Januar 2026, 14:05 UTC"),
        ] {
            let at = now.minus(Duration::from_secs(before));
            assert_eq!(ui(Language::English).ago(at, now), english);
            assert_eq!(ui(Language::German).ago(at, now), german);
        }
        assert_eq!(ui(Language::English).ago(now.plus(Duration::from_secs(9)), now), "just now");
        assert!(!ui(Language::English).date(Timestamp(i64::MAX)).is_empty());
    }

    #[test]
    fn every_link_stands_below_the_issuers_path() {
        let address = ui(Language::English).asset("app.css");
        assert!(address.starts_with("/auth/assets/") && address.ends_with("/app.css"), "{address}");
    }
}
