//! `/admin/settings` and `/admin/dialects`: what is in force, where it comes from, and which login APIs are mounted.

use actix_web::HttpResponse;

use super::access::Console;
use super::{Route, table};
use crate::config::Source;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Place, Sheet, Table, Tone};

pub const ROUTES: &[Route] = table! {
    get "/admin/settings" instance see settings;
    get "/admin/dialects" instance see dialects;
    get "/admin/dialects/{dialect}" instance see dialect;
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

async fn dialects(console: Console) -> Result<HttpResponse, PageFailure> {
    let app = console.app().clone();
    Ok(console.show(|ui| {
        let rows = app.dialects.iter().map(|mounted| {
            let name = &mounted.dialect.name;
            vec![
                Cell::link(name, format!("/admin/dialects/{name}")),
                Cell::code(mounted.place()),
                Cell::text(mounted.dialect.endpoints.len().to_string()),
                Cell::code(&mounted.audience),
            ]
        });
        let head = [
            ui.t("dialects.name"),
            ui.t("dialects.place"),
            ui.t("dialects.endpoints"),
            ui.t("dialects.audience"),
        ];
        let card = Card::plain("dialects");
        let card = match app.dialects.iter().next().is_none() {
            true => card
                .empty(ui.t("dialects.none"), None)
                .code(ui.t("dialects.example"), "[[dialects]]\nuse = \"eden\"\npath = \"/eden\""),
            false => card.table(Table::new(ui.t("console.place.dialects"), head).rows(rows)),
        };
        Sheet::new(Place::Dialects, ui.t("console.place.dialects")).lead(ui.t("dialects.lead")).card(card)
    }))
}

/// One of them: what it answers, and each call ready to be tried at a shell.
async fn dialect(console: Console) -> Result<HttpResponse, PageFailure> {
    let wanted: String = console.named("dialect")?;
    let app = console.app().clone();
    let mounted = app.dialects.iter().find(|mounted| mounted.dialect.name == wanted);
    let mounted = mounted.ok_or(PageFailure::NotFound)?;
    let issuer = &app.config.issuer;
    let prefix = mounted.prefix(issuer);
    let base = match prefix.is_empty() {
        true => format!("https://{}", mounted.place()),
        false => format!("{}{prefix}", issuer.origin()),
    };
    Ok(console.show(|ui| {
        let facts = vec![
            (ui.t("dialects.place").to_owned(), Cell::code(&base)),
            (ui.t("dialects.audience").to_owned(), Cell::code(&mounted.audience)),
            (ui.t("dialects.client").to_owned(), Cell::code(&mounted.client_id)),
            (ui.t("dialects.description").to_owned(), Cell::code(format!("{base}/openapi.json"))),
        ];
        let rows = mounted.dialect.endpoints.iter().map(|endpoint| {
            let path = endpoint.route.text();
            vec![
                Cell::code(format!("{} {path}", endpoint.method.as_str())),
                Cell::tag(Tone::Plain, endpoint.action.as_str()),
                Cell::code(call(&base, endpoint.method.as_str(), &path, endpoint.inputs.keys().copied())),
            ]
        });
        let head = [ui.t("dialects.call"), ui.t("dialects.does"), ui.t("dialects.try")];
        Sheet::new(Place::Dialects, mounted.dialect.name.clone())
            .under(ui.t("console.place.dialects"), "/admin/dialects")
            .card(Card::plain("dialect").facts(facts))
            .card(
                Card::new("calls", ui.t("dialects.calls"))
                    .hint(ui.t("dialects.calls_text"))
                    .table(Table::new(ui.t("dialects.calls"), head).rows(rows)),
            )
    }))
}

/// The call at a shell; what it takes is to be filled in.
fn call<'a>(base: &str, method: &str, path: &str, inputs: impl Iterator<Item = &'a str>) -> String {
    let inputs: Vec<String> = inputs.map(|name| format!("\"{name}\": \"…\"")).collect();
    match (method, inputs.is_empty()) {
        ("GET" | "DELETE", _) | (_, true) => {
            format!("curl -X {method} -H 'Authorization: Bearer …' '{base}{path}'")
        }
        _ => format!(
            "curl -X {method} -H 'Content-Type: application/json' -d '{{{}}}' '{base}{path}'",
            inputs.join(", ")
        ),
    }
}
