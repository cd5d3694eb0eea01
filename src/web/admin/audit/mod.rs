//! `/admin/audit`: what happened, found again by who, what, where and reference; and taken along as a file ([`export`]).
//! Administrators of an organisation have the same of what happened in it: which organisation that is, the route says,
//! whatever the address asks for.

mod export;

use actix_web::HttpResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::access::Console;
use super::list::{LIMIT, List};
use super::organisations::Tab;
use super::within::Within;
use super::{Route, named, table, words};
use crate::audit::told;
use crate::model::{AuditEventId, Outcome, UserId};
use crate::protocol::Params;
use crate::store::audit::{self, Event, Sought};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Pick, Place, Table};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/audit" instance see list;
    get "/admin/audit/export" instance see export::send;
    get "/admin/audit/{event}" instance see show;
    get "/admin/organizations/{organization}/audit" organisation see list;
    get "/admin/organizations/{organization}/audit/export" organisation see export::send;
    get "/admin/organizations/{organization}/audit/{event}" organisation see show;
};

const SOUGHT: &[&str] = &["user", "organization", "action", "outcome", "request"];

fn within(console: &Console) -> Within {
    Within::of(console, Place::Audit, Tab::Audit)
}

/// What the address asks for, of what may be seen here. Whom nobody knows did nothing: the list is empty, and says so.
async fn sought(console: &Console, within: &Within, query: &Params) -> Result<Sought, PageFailure> {
    let text = |name: &str| query.get(name).map(str::trim).filter(|text| !text.is_empty());
    let app = console.app();
    let user = match text("user") {
        Some(typed) => Some(named::user(app, within.only(), typed).await?.ok_or(PageFailure::NotFound)?),
        None => None,
    };
    let organisation = match (within.only(), text("organization")) {
        (Some(only), _) => Some(only),
        (None, Some(typed)) => Some(named::organisation(app, typed).await?.ok_or(PageFailure::NotFound)?),
        (None, None) => None,
    };
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
    let (within, query) = (within(&console), console.query()?);
    let path = within.path();
    let list = List::new(&path, &query, SOUGHT);
    let before = list.after::<AuditEventId>()?;
    let found = match sought(&console, &within, &query).await {
        Ok(sought) => {
            let sought = Sought { before, ..sought };
            Some(console.app().db.read(move |db| audit::search(db, &sought, LIMIT)).await?)
        }
        Err(PageFailure::NotFound) => None,
        Err(other) => return Err(other),
    };
    let wrong = found.is_none();
    let mut found = found.unwrap_or_default();
    let (next, first) = list.cut(&mut found, |event| event.id);
    let kept = SOUGHT.iter().filter_map(|name| Some((name, query.get(name)?)));
    let kept: Vec<String> = kept
        .map(|(name, value)| format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    Ok(console.show(|ui| {
        let complaint = match wrong {
            true => vec![("", ui.t("audit.bad_id").to_owned())],
            false => Vec::new(),
        };
        let export = |format: &str| format!("{path}/export?format={format}{}", kept.concat());
        let card = Card::plain("audit").form(seek(ui, &within).typed(Some(&query), &complaint));
        let card = match found.is_empty() {
            true => card.empty(ui.t("audit.none"), Some(Link::new(ui.t("audit.all"), &path))),
            false => card.table(events(ui, &within, &found).pages(next, first)).links(vec![
                Link::new(ui.t("audit.csv"), export("csv")),
                Link::new(ui.t("audit.jsonl"), export("jsonl")),
            ]),
        };
        let lead = ui.t(if within.one().is_some() { "audit.lead_of_one" } else { "audit.lead" });
        within.sheet(ui).lead(lead).card(card).maybe(within.one().is_none().then(|| proof(ui)))
    }))
}

/// The chain is the instance's, and is proven where its keys are.
fn proof(ui: &Ui<'_>) -> Card {
    Card::new("proof", ui.t("audit.proof")).text(ui.t("audit.proof_text")).code(
        ui.t("audit.proof_command"),
        "countersign audit export > audit.jsonl\ncountersign audit verify audit.jsonl --jwks jwks.json",
    )
}

fn seek(ui: &Ui<'_>, within: &Within) -> Form {
    let outcomes = vec![
        Pick::new("", ui.t("console.any")),
        Pick::new("success", ui.t("events.success")),
        Pick::new("failure", ui.t("events.failure")),
        Pick::new("denied", ui.t("events.denied")),
    ];
    let form = Form::search("seek", within.path(), ui.t("console.search"))
        .field(Field::new(Kind::Search, "request", ui.t("events.request")).hint(ui.t("audit.request_hint")))
        .field(Field::new(Kind::Search, "action", ui.t("events.action")).hint(ui.t("audit.action_hint")))
        .field(Field::new(Kind::Select(outcomes), "outcome", ui.t("events.outcome")))
        .field(Field::new(Kind::Search, "user", ui.t("audit.user")).hint(ui.t("explain.user_hint")));
    match within.one() {
        Some(_) => form,
        None => form.field(
            Field::new(Kind::Search, "organization", ui.t("audit.organisation"))
                .hint(ui.t("explain.organisation_hint")),
        ),
    }
}

fn events(ui: &Ui<'_>, within: &Within, found: &[Event]) -> Table {
    let head = [
        ui.t("events.at"),
        ui.t("events.action"),
        ui.t("events.outcome"),
        ui.t("audit.user"),
        ui.t("audit.actor"),
        ui.t("events.ip"),
        ui.t("events.request"),
    ];
    let path = within.path();
    let person = |id: Option<UserId>| match (id, within.one()) {
        (None, _) => Cell::Nothing,
        (Some(id), None) => Cell::link(short(&id.to_string()), format!("/admin/users/{id}")),
        // Whether they are members, their ids do not say; what they did here, the list does.
        (Some(id), Some(_)) => Cell::link(short(&id.to_string()), format!("{path}?user={id}")),
    };
    Table::new(ui.t("console.place.audit"), head).rows(found.iter().map(|event| {
        vec![
            Cell::link(ui.date(event.at), format!("{path}/{}", event.id)),
            Cell::code(&event.action),
            words::outcome(ui, event.outcome),
            person(event.user_id),
            person(event.actor_id),
            Cell::text(event.ip.clone().unwrap_or_default()),
            match &event.request_id {
                Some(request) => Cell::link(request, format!("{path}?request={request}")),
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
    let (within, id) = (within(&console), console.named::<AuditEventId>("event")?);
    let found = console.app().db.read(move |db| audit::find(db, id)).await?;
    // What happened elsewhere is as what never happened (OR-1).
    let event = found.filter(|event| within.one().is_none() || event.organisation_id == within.only());
    let event = event.ok_or(PageFailure::NotFound)?;
    Ok(console.show(|ui| {
        let text = serde_json::to_string_pretty(&told(&event)).expect("JSON is written");
        let mut links = Vec::new();
        if let Some(request) = &event.request_id {
            let path = within.path();
            links.push(Link::primary(ui.t("audit.same_request"), format!("{path}?request={request}")));
        }
        within
            .below(ui, &event.action)
            .card(Card::plain("event").text(ui.date(event.at)).code(ui.t("audit.event"), text).links(links))
    }))
}
