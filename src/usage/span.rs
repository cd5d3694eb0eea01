//! The time that is looked at, cut into the hours or days of whoever looks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::model::Zone;
use crate::store::usage::Count;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How far back one looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    #[default]
    Day,
    Week,
    Month,
}

impl Range {
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// As it stands in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.as_str() == text)
    }
}

/// One column of a picture: an hour, or a day of the reader's calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Slots without gaps between them, the oldest first. There is one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub range: Range,
    pub slots: Vec<Slot>,
}

impl Span {
    /// Up to the end of the hour that is running. Days are those of the zone, or of UTC.
    ///
    /// Hours are counted from whole hours of UTC: where midnight is at half past one of them, that hour belongs to the day
    /// on which it began.
    pub fn last(range: Range, now: Timestamp, zone: Option<&Zone>) -> Self {
        let end = hour_of(now).plus(HOUR);
        let mut slots: Vec<Slot> = Vec::new();
        let (mut until, mut day) = (end, None);
        while until.micros() > 0 {
            let from = until.minus(HOUR);
            let today = match range {
                Range::Day => None,
                Range::Week | Range::Month => Some(date(from, zone)),
            };
            let is_full = slots.len() == Self::count(range);
            match slots.last_mut().filter(|_| today.is_some() && today == day) {
                Some(slot) => slot.from = from,
                None if is_full => break,
                None => slots.push(Slot { from, until }),
            }
            (until, day) = (from, today);
        }
        if slots.is_empty() {
            slots.push(Slot { from: end.minus(HOUR), until: end });
        }
        slots.reverse();
        Self { range, slots }
    }

    const fn count(range: Range) -> usize {
        match range {
            Range::Day => 24,
            Range::Week => 7,
            Range::Month => 30,
        }
    }

    pub fn from(&self) -> Timestamp {
        self.slots.first().expect("a span has a slot").from
    }

    /// Not itself within the span.
    pub fn to(&self) -> Timestamp {
        self.slots.last().expect("a span has a slot").until
    }

    pub fn holds(&self, at: Timestamp) -> bool {
        self.from() <= at && at < self.to()
    }

    /// The counts by their labels, each with an amount for every slot.
    pub(super) fn lines<'c>(
        &self,
        counts: impl IntoIterator<Item = &'c Count>,
    ) -> BTreeMap<String, Vec<i64>> {
        let mut lines: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for count in counts {
            let slot = self.slots.partition_point(|slot| slot.until <= count.hour);
            if self.holds(count.hour) {
                lines.entry(count.label.clone()).or_insert_with(|| vec![0; self.slots.len()])[slot] +=
                    count.amount;
            }
        }
        lines
    }
}

/// When the hour began that is running then.
pub fn hour_of(at: Timestamp) -> Timestamp {
    const MICROS: i64 = 3_600_000_000;
    Timestamp(at.micros() - at.micros().rem_euclid(MICROS))
}

/// The day of the zone's calendar, or of UTC's.
fn date(at: Timestamp, zone: Option<&Zone>) -> (i16, u8, u8) {
    let utc = || Zone::parse("UTC").and_then(|utc| utc.local(at));
    match zone.map_or_else(utc, |zone| zone.local(at)) {
        Some(local) => (local.year, local.month, local.day),
        None => (0, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UsageKind;

    fn at(text: &str) -> Timestamp {
        let format = &time::format_description::well_known::Rfc3339;
        Timestamp::from_seconds(time::OffsetDateTime::parse(text, format).unwrap().unix_timestamp())
    }

    fn starts(span: &Span) -> Vec<String> {
        span.slots.iter().map(|slot| slot.from.rfc3339()).collect()
    }

    #[test]
    fn a_day_is_its_last_24_hours_with_the_one_that_runs() {
        let span = Span::last(Range::Day, at("2026-03-12T14:05:00Z"), None);
        assert_eq!(span.slots.len(), 24);
        assert_eq!((span.from(), span.to()), (at("2026-03-11T15:00:00Z"), at("2026-03-12T15:00:00Z")));
        let whole = Span::last(Range::Day, at("2026-03-12T14:00:00Z"), None);
        assert_eq!(whole, span, "an hour begins with its first moment");
    }

    #[test]
    fn days_are_the_readers_and_may_have_23_hours() {
        let vienna = Zone::parse("Europe/Vienna").unwrap();
        // Clocks went forward on the 29th.
        let span = Span::last(Range::Week, at("2026-03-30T10:00:00Z"), Some(&vienna));
        assert_eq!(
            starts(&span)[3..],
            ["2026-03-26T23:00:00Z", "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]
        );
        assert_eq!(span.slots.len(), 7);
        assert_eq!(Span::last(Range::Month, at("2026-03-30T10:00:00Z"), None).slots.len(), 30);
        assert!(span.slots.windows(2).all(|two| two[0].until == two[1].from), "no gap");
    }

    #[test]
    fn the_first_hours_of_the_epoch_are_a_span_too() {
        for now in [Timestamp(0), Timestamp(-1), Timestamp(1)] {
            assert!(Span::last(Range::Month, now, None).holds(now), "{now:?}");
        }
    }

    #[test]
    fn a_count_stands_in_the_slot_of_its_hour_and_nowhere_if_outside() {
        let span = Span::last(Range::Week, at("2026-03-12T14:05:00Z"), None);
        let count = |hour: &str| Count {
            kind: UsageKind::SignIn,
            hour: at(hour),
            label: "pwd".to_owned(),
            client: None,
            amount: 2,
        };
        let counts = [
            count("2026-03-05T23:00:00Z"),
            count("2026-03-06T00:00:00Z"),
            count("2026-03-12T00:00:00Z"),
            count("2026-03-12T14:00:00Z"),
            count("2026-03-12T15:00:00Z"),
        ];
        assert_eq!(span.lines(&counts)["pwd"], [2, 0, 0, 0, 0, 0, 4]);
    }
}
