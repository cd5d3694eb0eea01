//! The languages that people are spoken to in, and their texts.
//!
//! Decides which language suits a browser, and turns a key such as `login.title` into words. Every page and every
//! mail takes its words from here, so there is one mechanism and one place to add a language: a file beside
//! `templates/i18n/en.toml` and a variant of [`Language`]. Texts hold no markup; escaping is the template's work.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use time::OffsetDateTime;

use super::zone::{Local, Zone};
use crate::clock::Timestamp;

/// A language with a complete set of texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    #[default]
    English,
    German,
}

type Catalogue = HashMap<String, String>;

/// The texts of both languages: those of the pages for everybody, and those of the console, a file for each of its areas.
macro_rules! texts {
    ($($area:literal,)+) => {
        static ENGLISH: LazyLock<Catalogue> = texts!(@of "en" $($area)+);
        static GERMAN: LazyLock<Catalogue> = texts!(@of "de" $($area)+);
    };
    (@of $tag:literal $($area:literal)+) => {
        LazyLock::new(|| {
            let mut catalogue = Catalogue::new();
            add(&mut catalogue, include_str!(concat!("../../templates/i18n/", $tag, ".toml")));
            $(add(&mut catalogue, include_str!(concat!("../../templates/i18n/console/", $tag, "/", $area, ".toml")));)+
            catalogue
        })
    };
}

texts! {
    "clients",
    "explain",
    "findings",
    "frame",
    "operation",
    "organisations",
    "overview",
    "pictures",
    "providers",
    "resources",
    "setup",
    "signing_keys",
    "users",
}

impl Language {
    pub const ALL: &'static [Self] = &[Self::English, Self::German];

    /// The tag for `lang` attributes and `Content-Language` (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language of a tag such as `de`, `de-AT` or `DE_at`; the region does not matter to us.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.iter().copied().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The text of a key. A key that does not exist is shown as itself; a test proves that none is used.
    pub fn text(self, key: &'static str) -> &'static str {
        self.catalogue().get(key).map_or(key, String::as_str)
    }

    /// The text of a key with `{name}` replaced by its value.
    ///
    /// Values are put in once and never looked at again, so one that holds `{other}` stays as it is. Characters that
    /// turn the direction of the text around it (Unicode UAX 9 §2) are left out of values: a client named with them
    /// could make the sentence say something else.
    pub fn with<V: AsRef<str>>(self, key: &'static str, values: &[(&str, V)]) -> String {
        let mut rest = self.text(key);
        let mut filled = String::with_capacity(rest.len() + 32);
        while let Some((before, name, after)) = next_placeholder(rest) {
            filled.push_str(before);
            match values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => filled.extend(value.as_ref().chars().filter(|c| !turns_direction(*c))),
                None => filled.push_str(&rest[before.len()..rest.len() - after.len()]),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// A length of time in its largest fitting unit, rounded up: `15 minutes`, `30 Tagen` (German in the dative, as
    /// after „in“, „nach“ and „vor“).
    pub fn span(self, length: Duration) -> String {
        let seconds = length.as_secs() + u64::from(length.subsec_nanos() > 0);
        let (count, one, other) = match seconds {
            0..60 => (seconds.max(1), "time.second", "time.seconds"),
            60..3_600 => (seconds.div_ceil(60), "time.minute", "time.minutes"),
            3_600..86_400 => (seconds.div_ceil(3_600), "time.hour", "time.hours"),
            _ => (seconds.div_ceil(86_400), "time.day", "time.days"),
        };
        self.with(if count == 1 { one } else { other }, &[("count", &count.to_string())])
    }

    /// A day and a time of day, in UTC: nobody said where the reader is.
    pub fn date(self, at: Timestamp) -> String {
        self.date_in(at, None)
    }

    /// A day and a time of day as they are read in this zone.
    pub fn date_in(self, at: Timestamp, zone: Option<&Zone>) -> String {
        const MONTHS: [&str; 12] = [
            "time.month_1",
            "time.month_2",
            "time.month_3",
            "time.month_4",
            "time.month_5",
            "time.month_6",
            "time.month_7",
            "time.month_8",
            "time.month_9",
            "time.month_10",
            "time.month_11",
            "time.month_12",
        ];
        let local = zone.map_or_else(|| utc(at), |zone| zone.local(at));
        let Some(local) = local else { return at.rfc3339() };
        let month = self.text(MONTHS[usize::from(local.month) - 1]);
        let clock = format!("{:02}:{:02}", local.hour, local.minute);
        let (day, year) = (local.day.to_string(), local.year.to_string());
        let values =
            [("day", &*day), ("month", month), ("year", &*year), ("clock", &*clock), ("zone", &*local.zone)];
        self.with("time.date", &values)
    }

    fn catalogue(self) -> &'static Catalogue {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

fn utc(at: Timestamp) -> Option<Local> {
    let date = OffsetDateTime::from_unix_timestamp(at.seconds()).ok()?;
    Some(Local {
        year: i16::try_from(date.year()).ok()?,
        month: date.month().into(),
        day: date.day(),
        hour: date.hour(),
        minute: date.minute(),
        zone: "UTC".to_owned(),
    })
}

/// The language for a browser: the first of `ui_locales` that we have (OpenID Connect Core §3.1.2.1), else the best
/// of `Accept-Language` (RFC 9110 §12.5.4), else English.
pub fn negotiate<S: AsRef<str>>(ui_locales: &[S], accept_language: Option<&str>) -> Language {
    ui_locales
        .iter()
        .find_map(|tag| Language::of_tag(tag.as_ref()))
        .or_else(|| best_accepted(accept_language?))
        .unwrap_or_default()
}

/// The language with the highest weight; among equals the one that stands first. `*` speaks for every language that
/// the header does not name.
fn best_accepted(header: &str) -> Option<Language> {
    let ranges: Vec<(&str, u16)> = header.split(',').take(64).filter_map(weighted_range).collect();
    let mut best: Option<(u16, usize, Language)> = None;
    for &language in Language::ALL {
        let named = |(position, (range, weight)): (usize, &(&str, u16))| {
            (Language::of_tag(range) == Some(language)).then_some((*weight, position))
        };
        let wildcard = || ranges.iter().position(|(range, _)| *range == "*").map(|at| (ranges[at].1, at));
        let offer = ranges.iter().enumerate().filter_map(named).reduce(|a, b| if b.0 > a.0 { b } else { a });
        let Some((weight, position)) = offer.or_else(wildcard) else { continue };
        let better = best.is_none_or(|(w, p, _)| weight > w || (weight == w && position < p));
        if weight > 0 && better {
            best = Some((weight, position, language));
        }
    }
    best.map(|(_, _, language)| language)
}

/// `de;q=0.8` as (`de`, 800). A malformed weight makes the range worthless rather than wanted.
fn weighted_range(part: &str) -> Option<(&str, u16)> {
    let mut pieces = part.split(';').map(str::trim);
    let range = pieces.next().filter(|range| !range.is_empty())?;
    let weight = match pieces.find_map(|piece| piece.strip_prefix("q=").or_else(|| piece.strip_prefix("Q=")))
    {
        None => 1_000,
        Some(text) => parse_weight(text)?,
    };
    Some((range, weight))
}

/// `0.8` in thousandths. At most one digit before the point and three after it (RFC 9110 §12.4.2).
fn parse_weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 1 || fraction.len() > 3 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let weight = whole.parse::<u16>().ok()? * 1_000 + format!("{fraction:0<3}").parse::<u16>().ok()?;
    (weight <= 1_000).then_some(weight)
}

/// Text before the next `{name}`, the name, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

pub(super) fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Tables of tables of texts, with the names of the tables joined by dots.
fn add(catalogue: &mut Catalogue, source: &str) {
    let table =
        source.parse::<toml::Table>().expect("the texts are part of the program and a test reads them");
    flatten("", &table, catalogue);
}

fn flatten(prefix: &str, table: &toml::Table, into: &mut Catalogue) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, into),
            toml::Value::String(text) => {
                assert!(into.insert(key.clone(), text.clone()).is_none(), "{key} stands twice");
            }
            other => panic!("{key} is a {}, not a text", other.type_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_language_follows_ui_locales_then_weights() {
        use Language::{English, German};
        for (ui_locales, accept, expected) in [
            (&[][..], None, English),
            (&["de"], None, German),
            (&["fr", "de-AT", "en"], Some("en"), German),
            (&["fr"], Some("de"), German),
            (&[], Some("de-AT"), German),
            (&[], Some("DE-ch, en;q=0.9"), German),
            (&[], Some("en, de"), English),
            (&[], Some("de, en"), German),
            (&[], Some("en;q=0.2, de;q=0.9"), German),
            (&[], Some("en;q=0.9, de;q=0.1, de-DE"), German),
            (&[], Some("fr, es;q=0.9"), English),
            (&[], Some("en;q=0, *"), German),
            (&[], Some("de;q=0, *;q=0.5"), English),
            (&[], Some("*"), English),
            (&[], Some("de;q=7, en;q=0.1"), English),
            (&[], Some("de;q=abc"), English),
            (&[], Some(";;,,q=,de ; Q=0.5"), German),
            (&[], Some(""), English),
        ] {
            assert_eq!(negotiate(ui_locales, accept), expected, "{ui_locales:?} {accept:?}");
        }
    }

    #[test]
    fn values_are_put_in_once_and_cannot_turn_the_sentence() {
        let text = Language::English.with("login.to", &[("client", "{client}\u{202e}evil")]);
        assert_eq!(text, "to continue to {client}evil");
        assert_eq!(Language::English.with::<&str>("login.to", &[]), "to continue to {client}");
    }

    #[test]
    fn spans_round_up_to_their_largest_unit() {
        for (seconds, english, german) in [
            (0, "1 second", "1 Sekunde"),
            (59, "59 seconds", "59 Sekunden"),
            (61, "2 minutes", "2 Minuten"),
            (3_600, "1 hour", "1 Stunde"),
            (86_400, "1 day", "1 Tag"),
            (30 * 86_400, "30 days", "30 Tagen"),
        ] {
            let span = Duration::from_secs(seconds);
            assert_eq!(Language::English.span(span), english);
            assert_eq!(Language::German.span(span), german);
        }
    }

    #[test]
    fn all_languages_have_the_same_keys_and_placeholders() {
        let names = |text: &str| {
            let mut rest = text;
            let mut found = BTreeSet::new();
            while let Some((_, name, after)) = next_placeholder(rest) {
                found.insert(name.to_owned());
                rest = after;
            }
            found
        };
        let keys = |language: Language| language.catalogue().keys().collect::<BTreeSet<_>>();
        for &language in Language::ALL {
            assert_eq!(keys(language), keys(Language::English), "{language:?}");
            for (key, text) in language.catalogue() {
                assert_eq!(names(text), names(&Language::English.catalogue()[key]), "{language:?} {key}");
                assert!(!text.trim().is_empty(), "{language:?} {key} says nothing");
                assert!(!text.contains(['<', '>']), "{language:?} {key} holds markup");
            }
        }
    }

    #[test]
    fn every_key_that_is_used_exists_and_every_key_that_exists_is_used() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = String::new();
        for folder in ["templates", "src"] {
            read_all(&root.join(folder), &mut sources);
        }
        let literals: BTreeSet<&str> = sources.split('"').collect();
        for key in ENGLISH.keys() {
            assert!(literals.contains(key.as_str()), "{key} is never used");
        }
        for call in ["ui.t(\"", "ui.with(\"", "language.text(\"", "language.with(\""] {
            for after in sources.split(call).skip(1) {
                let key = after.split('"').next().unwrap();
                assert!(key.is_empty() || ENGLISH.contains_key(key), "{key} is used and does not exist");
            }
        }
    }

    fn read_all(folder: &Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read_all(&path, into);
            } else if matches!(path.extension().and_then(|e| e.to_str()), Some("rs" | "html" | "txt")) {
                into.push_str(&std::fs::read_to_string(&path).unwrap());
                into.push('\n');
            }
        }
    }
}
