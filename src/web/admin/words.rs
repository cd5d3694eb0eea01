//! What several areas of the console say in the same way: events of the audit, and what is wrong with a field.

use crate::model::Outcome;
use crate::store::audit::Event;
use crate::web::page::admin::{Cell, Table, Tone};
use crate::web::ui::Ui;

/// Events of the audit, in the order given; `log` is the list that has the rest of each request.
pub fn events(ui: &Ui<'_>, caption: &str, events: &[Event], log: &str) -> Table {
    let head = [
        ui.t("events.at"),
        ui.t("events.action"),
        ui.t("events.outcome"),
        ui.t("events.ip"),
        ui.t("events.request"),
    ];
    Table::new(caption, head).rows(events.iter().map(|event| {
        vec![
            Cell::Time(event.at),
            Cell::code(&event.action),
            outcome(ui, event.outcome),
            Cell::text(event.ip.clone().unwrap_or_default()),
            match &event.request_id {
                Some(request) => Cell::link(request, format!("{log}?request={request}")),
                None => Cell::Nothing,
            },
        ]
    }))
}

pub fn outcome(ui: &Ui<'_>, outcome: Outcome) -> Cell {
    match outcome {
        Outcome::Success => Cell::tag(Tone::Good, ui.t("events.success")),
        Outcome::Failure => Cell::tag(Tone::Bad, ui.t("events.failure")),
        Outcome::Denied => Cell::tag(Tone::Bad, ui.t("events.denied")),
    }
}

/// The text of a key that is chosen before there is a language.
pub fn said(ui: &Ui<'_>, key: &'static str) -> String {
    ui.t(key).to_owned()
}
