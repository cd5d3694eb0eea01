//! `/admin/settings`: what is in force, and where it comes from.

use actix_web::HttpResponse;

use super::access::Console;
use super::{Route, table};
use crate::config::Source;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Place, Sheet, Table};

pub const ROUTES: &[Route] = table! {
    get "/admin/settings" instance see settings;
};

async fn settings(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let words = query.get("q").unwrap_or_default().to_lowercase();
    let mut found = console.app().settings();
    found.retain(|one| words.split_whitespace().all(|word| one.key.contains(word)));
    Ok(console.show(|ui| {
        let rows = found.iter().map(|one| {
            let source = match &one.source {
                Source::Default => Cell::text(ui.t("settings.default")),
                source => Cell::code(source.to_string()),
            };
            vec![Cell::code(&one.key), Cell::text(&one.value), source]
        });
        let head = [ui.t("settings.name"), ui.t("settings.value"), ui.t("settings.source")];
        let seek = Form::search("seek", "/admin/settings", ui.t("console.search"))
            .field(Field::new(Kind::Search, "q", ui.t("settings.name")))
            .typed(Some(&query), &[]);
        let card = Card::plain("settings").form(seek);
        let card = match found.is_empty() {
            true => {
                card.empty(ui.t("settings.none"), Some(Link::new(ui.t("settings.all"), "/admin/settings")))
            }
            false => card.table(Table::new(ui.t("console.place.settings"), head).rows(rows)),
        };
        Sheet::new(Place::Settings, ui.t("console.place.settings")).lead(ui.t("settings.lead")).card(card)
    }))
}
