//! Durations as people write them: `"10s"`, `"15m"`, `"1h30m"`, `"90d"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads one or more `number unit` pairs without spaces. A number without its unit is refused: nobody can tell
/// seconds from minutes.
pub fn parse(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let (_, seconds) = UNITS.iter().find(|(letter, _)| *letter == unit)?;
        total = total.checked_add(number.checked_mul(*seconds)?)?;
        rest = &rest[digits + unit.len_utf8()..];
    }
    (!text.is_empty()).then(|| Duration::from_secs(total))
}

/// The shortest text that [`parse`] reads back as the same whole seconds.
pub fn text(duration: Duration) -> String {
    let mut left = duration.as_secs();
    let mut text = String::new();
    for (letter, seconds) in UNITS {
        if left >= seconds {
            text.push_str(&format!("{}{letter}", left / seconds));
            left %= seconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let written = String::deserialize(deserializer)?;
    parse(&written).ok_or_else(|| {
        D::Error::custom(format_args!(
            "`{written}` is not a duration: write a number and a unit (s, m, h, d), such as `90s` or `1h30m`"
        ))
    })
}

pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*duration))
}

/// The same where a duration may be left out.
pub mod optional {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let cases = [
            ("0s", Some(0)),
            ("10s", Some(10)),
            ("15m", Some(900)),
            ("24h", Some(86_400)),
            ("90d", Some(7_776_000)),
            ("1h30m", Some(5_400)),
            ("1d2h3m4s", Some(93_784)),
            ("", None),
            ("15", None),
            ("m", None),
            ("15 m", None),
            ("-1s", None),
            ("1.5h", None),
            ("1w", None),
            ("1é", None),
            ("18446744073709551615s", Some(u64::MAX)),
            ("18446744073709551616s", None),
            ("18446744073709551615m", None),
            ("18446744073709551615s1s", None),
        ];
        for (written, seconds) in cases {
            assert_eq!(parse(written), seconds.map(Duration::from_secs), "{written:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_whole_seconds_read_back(seconds: u64) {
            let duration = Duration::from_secs(seconds);
            proptest::prop_assert_eq!(parse(&text(duration)), Some(duration));
        }

        #[test]
        fn no_text_panics(written in ".*") {
            let _ = parse(&written);
        }
    }
}
