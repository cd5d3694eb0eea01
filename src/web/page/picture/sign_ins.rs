//! Sign-ins over time by method, with those that failed on top.

use crate::model::AuthMethod;
use crate::usage::{Range, SignIns, Slot, Span};
use crate::web::ui::Ui;

use super::{Column, Columns, Paint, Picture, Series, scale, whole};

/// Columns of hours or days.
pub fn sign_ins(ui: &Ui<'_>, span: &Span, counted: &SignIns) -> Picture {
    let mut series: Vec<Series> = counted
        .by_method
        .iter()
        .filter_map(|(method, amounts)| {
            let (paint, name) = paint(*method)?;
            Some(Series { name: ui.t(name).to_owned(), paint, amounts: amounts.clone() })
        })
        .collect();
    let sum = |series: &[Series]| series.iter().flat_map(|one| &one.amounts).sum::<i64>();
    let good = sum(&series);
    let failed = counted.failed_by_method.iter().fold(vec![0; span.slots.len()], |mut all, (_, amounts)| {
        all.iter_mut().zip(amounts).for_each(|(all, amount)| *all += amount);
        all
    });
    let bad: i64 = failed.iter().sum();
    if bad > 0 {
        series.push(Series { name: ui.t("picture.failed").to_owned(), paint: Paint::Bad, amounts: failed });
    }
    let about = ui.with("picture.sign_ins_about", &[("good", whole(ui, good)), ("bad", whole(ui, bad))]);
    Columns {
        id: "sign-ins",
        title: ui.t("picture.sign_ins").to_owned(),
        about,
        empty: ui.t("picture.no_sign_ins").to_owned(),
        each: ui.t(if span.range == Range::Day { "picture.hour" } else { "picture.date" }).to_owned(),
        columns: columns(ui, span),
        series,
    }
    .draw(ui)
}

/// A column for each slot. Not each has words: a phone has room for five.
pub(super) fn columns(ui: &Ui<'_>, span: &Span) -> Vec<Column> {
    let count = span.slots.len();
    let column = |(at, slot): (usize, &Slot)| {
        let (name, is_marked) = match span.range {
            Range::Day => {
                (scale::day_and_hour(ui, slot.from), scale::hour_of_day(ui, slot.from).is_multiple_of(6))
            }
            Range::Week => (scale::day(ui, slot.from), (count - 1 - at).is_multiple_of(2)),
            Range::Month => (scale::day(ui, slot.from), (count - 1 - at) % 7 == 3),
        };
        let mark = || match span.range {
            Range::Day => scale::hour(ui, slot.from),
            Range::Week | Range::Month => scale::day(ui, slot.from),
        };
        Column { name, mark: is_marked.then(mark) }
    };
    span.slots.iter().enumerate().map(column).collect()
}

/// Each method keeps its paint, whatever others there are.
fn paint(method: AuthMethod) -> Option<(Paint, &'static str)> {
    match method {
        AuthMethod::Password => Some((Paint::One, "login.password")),
        AuthMethod::HardwareKey => Some((Paint::Two, "passkey.title")),
        AuthMethod::Mail => Some((Paint::Three, "method.mail")),
        AuthMethod::Federated => Some((Paint::Four, "method.provider")),
        AuthMethod::OneTimePassword => Some((Paint::Five, "method.code")),
        // Follows from the others.
        AuthMethod::MultiFactor => None,
    }
}
