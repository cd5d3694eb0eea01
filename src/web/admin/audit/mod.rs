//! `/admin/audit`: what happened, found again by who, what, where and reference; and taken along as a file.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use serde_json::Value;

use super::access::Console;
use super::list::{LIMIT, List};
use super::{Route, table, words};
use crate::app::App;
use crate::audit::told;
use crate::model::{AuditEventId, OrganisationId, Outcome, UserId};
use crate::protocol::Params;
use crate::store;
use crate::store::audit::{self, Event, Sought};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Pick, Place, Sheet, Table};
use crate::web::respond;
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/audit" instance see list;
    get "/admin/audit/export" instance see export;
    get "/admin/audit/{event}" instance see show;
};

const PATH: &str = "/admin/audit";
const SOUGHT: &[&str] = &["user", "organization", "action", "outcome", "request"];
/// Events that are read at a time for a file.
const BATCH: i64 = 500;

fn sought(query: &Params) -> Result<Sought, PageFailure> {
    let text = |name: &str| query.get(name).map(str::trim).filter(|text| !text.is_empty());
    // What is no id is nobody's: the list is empty, and says so.
    let user = text("user").map(|id| id.parse::<UserId>().map_err(|_| PageFailure::NotFound)).transpose()?;
    let organisation = text("organization")
        .map(|id| id.parse::<OrganisationId>().map_err(|_| PageFailure::NotFound))
        .transpose()?;
    Ok(Sought {
        user,
        organisation,
        action: text("action").map(str::to_owned),
        outcome: text("outcome").and_then(Outcome::parse),
        request: text("request").map(str::to_owned),
        before: None,
    })
}

async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let list = List::new(PATH, &query, SOUGHT);
    let found = match (sought(&query), list.after::<AuditEventId>()?) {
        (Ok(sought), before) => {
            let sought = Sought { before, ..sought };
            Ok(console.app().db.read(move |db| audit::search(db, &sought, LIMIT)).await?)
        }
        (Err(error), _) => Err(error),
    };
    let wrong = found.is_err();
    let mut found = found.unwrap_or_default();
    let (next, first) = list.cut(&mut found, |event| event.id);
    let kept: Vec<String> = SOUGHT
        .iter()
        .filter_map(|name| Some((name, query.get(name)?)))
        .map(|(name, value)| {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            format!("&{name}={value}")
        })
        .collect();
    Ok(console.show(|ui| {
        let complaint = match wrong {
            true => vec![("", ui.t("audit.bad_id").to_owned())],
            false => Vec::new(),
        };
        let export = |format: &str| format!("{PATH}/export?format={format}{}", kept.concat());
        let card = Card::plain("audit").form(seek(ui).typed(Some(&query), &complaint));
        let card = match found.is_empty() {
            true => card.empty(ui.t("audit.none"), Some(Link::new(ui.t("audit.all"), PATH))),
            false => card.table(events(ui, &found).pages(next, first)).links(vec![
                Link::new(ui.t("audit.csv"), export("csv")),
                Link::new(ui.t("audit.jsonl"), export("jsonl")),
            ]),
        };
        Sheet::new(Place::Audit, ui.t("console.place.audit")).lead(ui.t("audit.lead")).card(card).card(
            Card::new("proof", ui.t("audit.proof")).text(ui.t("audit.proof_text")).code(
                ui.t("audit.proof_command"),
                "countersign audit export > audit.jsonl\ncountersign audit verify audit.jsonl",
            ),
        )
    }))
}

fn seek(ui: &Ui<'_>) -> Form {
    let outcomes = vec![
        Pick::new("", ui.t("console.any")),
        Pick::new("success", ui.t("events.success")),
        Pick::new("failure", ui.t("events.failure")),
        Pick::new("denied", ui.t("events.denied")),
    ];
    Form::search("seek", PATH, ui.t("console.search"))
        .field(Field::new(Kind::Search, "request", ui.t("events.request")).hint(ui.t("audit.request_hint")))
        .field(Field::new(Kind::Search, "action", ui.t("events.action")).hint(ui.t("audit.action_hint")))
        .field(Field::new(Kind::Select(outcomes), "outcome", ui.t("events.outcome")))
        .field(Field::new(Kind::Search, "user", ui.t("audit.user")))
        .field(Field::new(Kind::Search, "organization", ui.t("audit.organisation")))
}

fn events(ui: &Ui<'_>, found: &[Event]) -> Table {
    let head = [
        ui.t("events.at"),
        ui.t("events.action"),
        ui.t("events.outcome"),
        ui.t("audit.user"),
        ui.t("audit.actor"),
        ui.t("events.ip"),
        ui.t("events.request"),
    ];
    let person = |id: Option<UserId>| match id {
        Some(id) => Cell::link(short(&id.to_string()), format!("/admin/users/{id}")),
        None => Cell::Nothing,
    };
    Table::new(ui.t("console.place.audit"), head).rows(found.iter().map(|event| {
        vec![
            Cell::link(ui.date(event.at), format!("{PATH}/{}", event.id)),
            Cell::code(&event.action),
            words::outcome(ui, event.outcome),
            person(event.user_id),
            person(event.actor_id),
            Cell::text(event.ip.clone().unwrap_or_default()),
            match &event.request_id {
                Some(request) => Cell::link(request, format!("{PATH}?request={request}")),
                None => Cell::Nothing,
            },
        ]
    }))
}

/// The end of an id, which differs most.
fn short(id: &str) -> String {
    let end: String = id.chars().skip(id.chars().count().saturating_sub(8)).collect();
    format!("…{end}")
}

async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let id: AuditEventId = console.named("event")?;
    let found = console.app().db.read(move |db| audit::find(db, id)).await?;
    let event = found.ok_or(PageFailure::NotFound)?;
    Ok(console.show(|ui| {
        let text = serde_json::to_string_pretty(&told(&event)).expect("JSON is written");
        let mut links = Vec::new();
        if let Some(request) = &event.request_id {
            links.push(Link::primary(ui.t("audit.same_request"), format!("{PATH}?request={request}")));
        }
        Sheet::new(Place::Audit, event.action.clone())
            .under(ui.t("console.place.audit"), PATH)
            .card(Card::plain("event").text(ui.date(event.at)).code(ui.t("audit.event"), text).links(links))
    }))
}

const COLUMNS: [&str; 12] = [
    "id",
    "at",
    "action",
    "outcome",
    "user",
    "actor",
    "client",
    "session",
    "organization",
    "ip",
    "request",
    "detail",
];

/// `GET /admin/audit/export`: everything that the filter lets through, the newest first, as it is read.
async fn export(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let sought = sought(&query)?;
    let is_csv = match query.get("format") {
        Some("csv") => true,
        Some("jsonl") => false,
        _ => return Err(PageFailure::NotFound),
    };
    let (kind, name) = match is_csv {
        true => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        false => ("application/x-ndjson", "attachment; filename=\"audit.jsonl\""),
    };
    let head = if is_csv { format!("{}\r\n", COLUMNS.join(",")) } else { String::new() };
    let begun = stream::once(async move { Ok::<_, store::Error>(Bytes::from(head)) });
    let rest = stream::try_unfold((console.app().clone(), Some(sought)), move |(app, sought)| async move {
        let Some(sought) = sought else { return Ok(None) };
        next_part(app, sought, is_csv).await
    });
    Ok(respond::no_store(actix_web::http::StatusCode::OK)
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(stream::StreamExt::chain(begun, rest)))
}

type Rest = (Data<App>, Option<Sought>);

async fn next_part(
    app: Data<App>,
    sought: Sought,
    is_csv: bool,
) -> Result<Option<(Bytes, Rest)>, store::Error> {
    let asked = sought.clone();
    let found = app.db.read(move |db| audit::search(db, &asked, BATCH)).await?;
    let Some(last) = found.last() else { return Ok(None) };
    let is_full = i64::try_from(found.len()).is_ok_and(|length| length == BATCH);
    let onward = is_full.then_some(Sought { before: Some(last.id), ..sought });
    let lines: String = found.iter().map(|event| line(&told(event), is_csv)).collect();
    Ok(Some((Bytes::from(lines), (app, onward))))
}

fn line(told: &Value, is_csv: bool) -> String {
    if !is_csv {
        return format!("{told}\n");
    }
    let cells = COLUMNS.map(|column| match &told[column] {
        Value::Null => String::new(),
        Value::String(text) => cell(text),
        other => cell(&other.to_string()),
    });
    format!("{}\r\n", cells.join(","))
}

/// A cell of RFC 4180. What a spreadsheet would take for a formula is marked as text.
fn cell(text: &str) -> String {
    let text = match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_whatever_it_begins_with() {
        for (text, written) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("", ""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
