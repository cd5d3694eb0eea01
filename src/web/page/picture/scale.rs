//! Round numbers for a scale, and times for an axis.

use crate::clock::Timestamp;
use crate::model::zone::Local;
use crate::model::{Language, Zone};
use crate::web::ui::Ui;

/// Numbers from nought up to what holds `most`, in steps that people count in: 1, 2 or 5 of a power of ten. Three to six
/// of them.
pub(super) fn ticks(most: i64) -> Vec<i64> {
    let most = most.max(1);
    let mut power = 1_i64;
    loop {
        for step in [1, 2, 5].map(|digit| power.saturating_mul(digit)) {
            // Rounded up without overflow.
            let count = most / step + i64::from(most % step != 0);
            if count <= 5 {
                return (0..=count.max(2)).map(|tick| step.saturating_mul(tick)).collect();
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Few letters: `200`, `15k`, `1.5M`.
pub(super) fn short(ui: &Ui<'_>, number: i64) -> String {
    let (unit, letter) = match number {
        1_000_000_000.. => (1_000_000_000, "G"),
        1_000_000.. => (1_000_000, "M"),
        10_000.. => (1_000, "k"),
        _ => return number.to_string(),
    };
    let tenths = number / (unit / 10) % 10;
    let point = match ui.language {
        Language::English => '.',
        Language::German => ',',
    };
    match tenths {
        0 => format!("{}{letter}", number / unit),
        _ => format!("{}{point}{tenths}{letter}", number / unit),
    }
}

fn local(at: Timestamp, zone: Option<&Zone>) -> Option<Local> {
    match zone {
        Some(zone) => zone.local(at),
        None => Zone::parse("UTC")?.local(at),
    }
}

/// `14:00`.
pub(super) fn hour(ui: &Ui<'_>, at: Timestamp) -> String {
    local(at, ui.zone).map_or_else(|| at.rfc3339(), |local| format!("{:02}:{:02}", local.hour, local.minute))
}

/// Which hour of the day it is.
pub(super) fn hour_of_day(ui: &Ui<'_>, at: Timestamp) -> u8 {
    local(at, ui.zone).map_or(0, |local| local.hour)
}

/// `12 Mar` or `12.3.`
pub(super) fn day(ui: &Ui<'_>, at: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "picture.month_1",
        "picture.month_2",
        "picture.month_3",
        "picture.month_4",
        "picture.month_5",
        "picture.month_6",
        "picture.month_7",
        "picture.month_8",
        "picture.month_9",
        "picture.month_10",
        "picture.month_11",
        "picture.month_12",
    ];
    let Some(local) = local(at, ui.zone) else { return at.rfc3339() };
    let month = ui.t(MONTHS[usize::from(local.month.clamp(1, 12)) - 1]);
    ui.with("picture.day", &[("day", local.day.to_string().as_str()), ("month", month)])
}

/// `12 Mar, 14:00`.
pub(super) fn day_and_hour(ui: &Ui<'_>, at: Timestamp) -> String {
    format!("{}, {}", day(ui, at), hour(ui, at))
}
