//! The signing keys on a time line: published, signing, retired, revoked.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::signing::{KeyLine, KeyState};
use crate::web::ui::Ui;

use super::{Paint, Picture, Stretch, Table, TimeLine, TimeRow};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How far one looks, back and ahead.
const FAR: Duration = Duration::from_secs(200 * 24 * 60 * 60);
/// What is to come has room, even if nothing is known of it.
const AHEAD: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long one still sees a key that has gone.
const AFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const PUBLISHED: Paint = Paint::Three;
const SIGNS: Paint = Paint::One;
const RETIRED: Paint = Paint::Two;

/// Keys that have not been gone for long, one row each.
pub fn key_line(ui: &Ui<'_>, keys: &[KeyLine], now: Timestamp) -> Picture {
    let shown: Vec<&KeyLine> =
        keys.iter().filter(|key| gone_at(key).is_none_or(|gone| now.since(gone) < AFTER)).collect();
    let signing = shown.iter().filter(|key| key.state == KeyState::Signing).count();
    let from =
        shown.iter().map(|key| key.published_at).min().unwrap_or(now).max(now.minus(FAR)).min(now.minus(DAY));
    let ends = shown.iter().flat_map(|key| [key.leaves_at, Some(key.expected_until)]).flatten();
    let to = ends.max().unwrap_or(now).min(now.plus(FAR)).max(now.plus(AHEAD));
    let counts = [("signing", signing.to_string()), ("count", shown.len().to_string())];
    TimeLine {
        id: "keys",
        title: ui.t("picture.keys").to_owned(),
        about: ui.with("picture.keys_about", &counts),
        empty: ui.t("picture.no_keys").to_owned(),
        now,
        from,
        to,
        rows: shown.iter().map(|key| row(ui, key, now, to)).collect(),
        legend: legend(ui, &shown),
        table: table(ui, &shown),
    }
    .draw(ui)
}

fn gone_at(key: &KeyLine) -> Option<Timestamp> {
    key.revoked_at.or(key.leaves_at)
}

fn row(ui: &Ui<'_>, key: &KeyLine, now: Timestamp, to: Timestamp) -> TimeRow {
    let start: String = key.kid.chars().take(8).collect();
    let name = format!("{} · {start}… · {}", key.alg, ui.t(state(key.state)));
    let end = key.revoked_at.unwrap_or(to);
    let signs_until = key.signs_until.unwrap_or_else(|| key.expected_until.max(now));
    // What is known, and what follows if nobody does anything.
    let known = key.signs_until.unwrap_or(now.max(key.signs_from));
    let stretches = [
        (key.published_at, key.signs_from, PUBLISHED, "picture.key_published"),
        (key.signs_from, known, SIGNS, "picture.key_signs"),
        (known, signs_until, Paint::Faint, "picture.key_expected"),
        (signs_until, key.leaves_at.unwrap_or(signs_until), RETIRED, "picture.key_retired"),
    ];
    let mut stretches: Vec<Stretch> = stretches
        .into_iter()
        .map(|(from, until, paint, what)| {
            let until = until.min(end);
            let hint = format!("{}: {} – {}", ui.t(what), ui.date(from), ui.date(until));
            Stretch { from, until, paint, hint }
        })
        .filter(|stretch| stretch.from < stretch.until)
        .collect();
    if let Some(at) = key.revoked_at {
        let hint = format!("{}: {}", ui.t("picture.key_revoked"), ui.date(at));
        stretches.push(Stretch { from: at, until: at.plus(DAY), paint: Paint::Bad, hint });
    }
    TimeRow { name, stretches }
}

fn legend(ui: &Ui<'_>, keys: &[&KeyLine]) -> Vec<(Paint, String)> {
    let mut legend = vec![
        (PUBLISHED, ui.t("picture.key_published").to_owned()),
        (SIGNS, ui.t("picture.key_signs").to_owned()),
        (Paint::Faint, ui.t("picture.key_expected").to_owned()),
        (RETIRED, ui.t("picture.key_retired").to_owned()),
    ];
    if keys.iter().any(|key| key.revoked_at.is_some()) {
        legend.push((Paint::Bad, ui.t("picture.key_revoked").to_owned()));
    }
    legend
}

fn table(ui: &Ui<'_>, keys: &[&KeyLine]) -> Table {
    let head = [
        "picture.key",
        "picture.algorithm",
        "picture.state",
        "picture.published",
        "picture.signs_from",
        "picture.signs_until",
        "picture.leaves",
    ];
    let date = |at: Option<Timestamp>| at.map_or_else(|| "–".to_owned(), |at| ui.date(at));
    let row = |key: &&KeyLine| {
        let cells = vec![
            key.alg.to_string(),
            ui.t(state(key.state)).to_owned(),
            ui.date(key.published_at),
            ui.date(key.signs_from),
            date(key.revoked_at.or(key.signs_until)),
            date(gone_at(key)),
        ];
        (key.kid.clone(), cells)
    };
    Table { head: head.map(|key| ui.t(key).to_owned()).to_vec(), rows: keys.iter().map(row).collect() }
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Waiting => "picture.state_waiting",
        KeyState::Signing => "picture.state_signing",
        KeyState::Retired => "picture.state_retired",
        KeyState::Gone => "picture.state_gone",
        KeyState::Revoked => "picture.state_revoked",
    }
}
