//! `/admin/dialects`: which login APIs are mounted, what each answers, and a [`trial`] of its calls.

mod operation;
mod trial;

use actix_web::HttpResponse;

use super::access::Console;
use super::{Route, table};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Link, Place, Sheet, Table, Tone};

pub const ROUTES: &[Route] = table! {
    get "/admin/dialects" instance see list;
    get "/admin/dialects/{dialect}" instance see show;
    get "/admin/dialects/{dialect}/try" instance change trial::form;
    post "/admin/dialects/{dialect}/try" instance change trial::send;
};

const PATH: &str = "/admin/dialects";

async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let app = console.app().clone();
    Ok(console.show(|ui| {
        let rows = app.dialects.iter().map(|mounted| {
            let name = &mounted.dialect.name;
            vec![
                Cell::link(name, format!("{PATH}/{name}")),
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
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
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
    let may = console.may_change();
    Ok(console.show(|ui| {
        let facts = vec![
            (ui.t("dialects.place").to_owned(), Cell::code(&base)),
            (ui.t("dialects.audience").to_owned(), Cell::code(&mounted.audience)),
            (ui.t("dialects.client").to_owned(), Cell::code(&mounted.client_id)),
            (ui.t("dialects.description").to_owned(), Cell::code(format!("{base}/openapi.json"))),
        ];
        let rows = mounted.dialect.endpoints.iter().map(|endpoint| {
            let path = endpoint.route.text();
            let named = format!("{} {path}", endpoint.method.as_str());
            let at_a_shell = call(&base, endpoint.method.as_str(), &path, endpoint.inputs.keys().copied());
            vec![
                match may {
                    true => Cell::link(&named, trial::path_of(&mounted.dialect.name, &named)),
                    false => Cell::code(&named),
                },
                Cell::tag(Tone::Plain, endpoint.action.as_str()),
                Cell::code(at_a_shell),
            ]
        });
        let head = [ui.t("dialects.call"), ui.t("dialects.does"), ui.t("dialects.shell")];
        Sheet::new(Place::Dialects, mounted.dialect.name.clone())
            .under(ui.t("console.place.dialects"), PATH)
            .card(Card::plain("dialect").facts(facts).links(match may {
                true => vec![Link::primary(ui.t("dialects.try"), format!("{PATH}/{wanted}/try"))],
                false => Vec::new(),
            }))
            .card(
                Card::new("calls", ui.t("dialects.calls"))
                    .hint(ui.t(if may { "dialects.calls_text" } else { "dialects.calls_seen" }))
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
