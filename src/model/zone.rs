//! Time zones by their IANA names, and what a clock there shows.
//!
//! The data comes with the program: a machine may have none, or an old one.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::clock::Timestamp;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The names that are offered: zones of places. The database also knows historical abbreviations and fixed offsets.
static OFFERED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut names: Vec<String> =
        ZONES.available().map(|name| name.to_string()).filter(|name| is_place(name)).collect();
    names.sort_unstable();
    names
});

const REGIONS: [&str; 10] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
];

/// A zone of the IANA database.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

/// What calendar and clock show in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    pub year: i16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    /// What the zone calls itself at that time: `CET`, `+0530`.
    pub zone: String,
}

impl Zone {
    /// By its name, in whatever case.
    pub fn parse(name: &str) -> Option<Self> {
        let zone = ZONES.get(name).ok().filter(|zone| !zone.is_unknown())?;
        zone.iana_name().is_some().then_some(Self(zone))
    }

    /// The name as the database writes it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Every zone that somebody may live in, in order.
    pub fn offered() -> &'static [String] {
        &OFFERED
    }

    /// What is read there at this moment; `None` outside of the years that a calendar has.
    pub fn local(&self, at: Timestamp) -> Option<Local> {
        let moment = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
        let (clock, offset) = (self.0.to_datetime(moment), self.0.to_offset_info(moment));
        let part = |number: i8| u8::try_from(number).ok();
        Some(Local {
            year: clock.year(),
            month: part(clock.month())?,
            day: part(clock.day())?,
            hour: part(clock.hour())?,
            minute: part(clock.minute())?,
            zone: offset.abbreviation().to_owned(),
        })
    }
}

fn is_place(name: &str) -> bool {
    name == "UTC" || name.split_once('/').is_some_and(|(region, _)| REGIONS.contains(&region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_name_and_nothing_else_is_one() {
        for (typed, name) in [
            ("Europe/Vienna", "Europe/Vienna"),
            ("europe/vienna", "Europe/Vienna"),
            ("UTC", "UTC"),
            ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
            ("Etc/GMT+5", "Etc/GMT+5"),
        ] {
            assert_eq!(Zone::parse(typed).as_ref().map(Zone::name), Some(name), "{typed}");
        }
        let long = "a/".repeat(5_000);
        for bad in [
            "",
            " ",
            "Vienna",
            "Europe/Vienna\0",
            "../etc/passwd",
            "/etc/localtime",
            "+02:00",
            "Etc/Unknown",
            &long,
        ] {
            assert_eq!(Zone::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_offered_zones_are_places_and_all_of_them_parse() {
        let offered = Zone::offered();
        assert!(offered.len() > 300 && offered.is_sorted(), "{}", offered.len());
        for name in offered {
            assert_eq!(Zone::parse(name).as_ref().map(Zone::name), Some(name.as_str()));
        }
        assert!(!offered.iter().any(|name| name == "EST5EDT" || name.starts_with("Etc/")));
    }

    #[test]
    fn a_clock_shows_summer_and_winter() {
        let shown = |zone: &str, seconds| {
            let local = Zone::parse(zone).unwrap().local(Timestamp::from_seconds(seconds)).unwrap();
            format!(
                "{}-{}-{} {}:{:02} {}",
                local.year, local.month, local.day, local.hour, local.minute, local.zone
            )
        };
        // 2026-03-12 14:05 and 2026-07-12 23:05 UTC
        assert_eq!(shown("Europe/Vienna", 1_773_324_300), "2026-3-12 15:05 CET");
        assert_eq!(shown("Europe/Vienna", 1_783_897_500), "2026-7-13 1:05 CEST");
        assert_eq!(shown("Asia/Kolkata", 1_773_324_300), "2026-3-12 19:35 IST");
        assert_eq!(Zone::parse("UTC").unwrap().local(Timestamp(i64::MAX)), None);
    }
}
