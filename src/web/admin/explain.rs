//! `/admin/explain`: why a request was refused, found by the reference that the visitor was shown; and the latest
//! refusals. Administrators of an organisation find what was refused in it.

use actix_web::HttpResponse;

use super::access::Console;
use super::list::{LIMIT, List};
use super::named;
use super::organisations::Tab;
use super::within::Within;
use super::{Route, table, words};
use crate::explain::{self, After, Explained, Sought, Told};
use crate::model::explanation::Rule;
use crate::model::{RefusalKind, UserId, phrase};
use crate::protocol::Params;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Pick, Place, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/explain" instance see list;
    get "/admin/explain/{reference}" instance see show;
    get "/admin/organizations/{organization}/explain" organisation see list;
    get "/admin/organizations/{organization}/explain/{reference}" organisation see show;
};

const SOUGHT: &[&str] = &["kind", "rule", "client", "user", "organization"];

fn within(console: &Console) -> Within {
    Within::of(console, Place::Explain, Tab::Explain)
}

async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let (within, query) = (within(&console), console.query()?);
    if let Some(written) = query.get("reference").map(str::trim).filter(|text| !text.is_empty()) {
        return searched(&console, &within, written).await;
    }
    let path = within.path();
    let list = List::new(&path, &query, SOUGHT);
    let after = list.after::<After>()?;
    let sought = sought(&console, &within, &query).await?;
    let is_known = sought.is_some();
    let mut found = match sought {
        Some(sought) => explain::recent(console.app(), sought, after, LIMIT).await?,
        None => Vec::new(),
    };
    let (next, first) = list.cut(&mut found, After::of);
    Ok(console.show(|ui| {
        let card =
            Card::new("latest", ui.t("explain.latest")).form(seek(ui, &within).typed(Some(&query), &[]));
        let card = match found.is_empty() {
            // Which applications there are, an organisation's administrators are not told.
            true if !is_known && within.only().is_none() => card.empty(ui.t("explain.nobody"), None),
            true => card.empty(ui.t("explain.none"), None),
            false => card.table(latest(ui, &within, &found).pages(next, first)),
        };
        within.sheet(ui).lead(ui.t("explain.lead")).card(by_reference(ui, &within, None)).card(card)
    }))
}

/// A reference was typed: on to what is known of it.
async fn searched(console: &Console, within: &Within, written: &str) -> Result<HttpResponse, PageFailure> {
    match explain::find(console.app(), written, within.only()).await? {
        Some(found) => Ok(console.go(&format!("{}/{}", within.path(), found.told.reference))),
        None => Ok(console.show(|ui| {
            within.sheet(ui).lead(ui.t("explain.lead")).card(by_reference(ui, within, Some(written)))
        })),
    }
}

fn by_reference(ui: &Ui<'_>, within: &Within, unknown: Option<&str>) -> Card {
    let field =
        Field::new(Kind::Search, "reference", ui.t("error.reference")).hint(ui.t("explain.reference_hint"));
    let form = Form::search("find", within.path(), ui.t("explain.find"))
        .field(field.value(unknown.unwrap_or_default()));
    let card = Card::plain("by-reference");
    match unknown {
        Some(_) => card.form(form).empty(ui.t("explain.unknown"), None),
        None => card.form(form),
    }
}

/// What is looked for; `None` for what nobody can have.
async fn sought(console: &Console, within: &Within, query: &Params) -> Result<Option<Sought>, PageFailure> {
    let text = |name: &str| query.get(name).map(str::trim).filter(|text| !text.is_empty());
    let app = console.app();
    let client = match text("client") {
        Some(typed) => named::client(app, typed).await?.map(Some),
        None => Some(None),
    };
    let user = match text("user") {
        Some(typed) => named::user(app, within.only(), typed).await?.map(Some),
        None => Some(None),
    };
    let organisation = match text("organization") {
        Some(typed) => named::organisation(app, typed).await?.map(Some),
        None => Some(None),
    };
    let (Some(client), Some(user), Some(organisation)) = (client, user, organisation) else {
        return Ok(None);
    };
    Ok(Some(Sought {
        kind: text("kind").and_then(RefusalKind::parse),
        rule: text("rule").map(str::to_owned),
        client,
        user,
        organisation: within.only().or(organisation),
    }))
}

fn seek(ui: &Ui<'_>, within: &Within) -> Form {
    let any = || Pick::new("", ui.t("console.any"));
    let kinds = std::iter::once(any())
        .chain(RefusalKind::ALL.iter().map(|kind| Pick::new(kind.as_str(), word(ui, *kind))))
        .collect();
    let rules = std::iter::once(any())
        .chain(Rule::ALL.iter().map(|rule| Pick::new(rule.as_str(), ui.t(rule.says()))))
        .collect();
    let form = Form::search("seek", within.path(), ui.t("console.search"))
        .field(Field::new(Kind::Select(kinds), "kind", ui.t("explain.wanted")))
        .field(Field::new(Kind::Select(rules), "rule", ui.t("explain.rule_word")))
        .field(Field::new(Kind::Search, "client", ui.t("explain.client")).hint(ui.t("explain.client_hint")))
        .field(Field::new(Kind::Search, "user", ui.t("explain.user")).hint(ui.t("explain.user_hint")));
    match within.only() {
        Some(_) => form,
        None => form.field(
            Field::new(Kind::Search, "organization", ui.t("explain.organisation"))
                .hint(ui.t("explain.organisation_hint")),
        ),
    }
}

fn latest(ui: &Ui<'_>, within: &Within, found: &[Told]) -> Table {
    let head = [
        ui.t("events.at"),
        ui.t("explain.wanted"),
        ui.t("explain.why"),
        ui.t("explain.client"),
        ui.t("explain.user"),
        ui.t("error.reference"),
    ];
    Table::new(ui.t("explain.latest"), head).rows(found.iter().map(|told| {
        vec![
            Cell::Time(told.at),
            Cell::text(word(ui, told.kind)),
            Cell::text(ui.t(told.rule.says())),
            client(within, told),
            person(within, told.user, None),
            Cell::link(&told.reference, format!("{}/{}", within.path(), told.reference)),
        ]
    }))
}

fn word(ui: &Ui<'_>, kind: RefusalKind) -> &'static str {
    ui.t(match kind {
        RefusalKind::SignIn => "explain.kind.sign_in",
        RefusalKind::Authorize => "explain.kind.authorize",
        RefusalKind::Token => "explain.kind.token",
        RefusalKind::Client => "explain.kind.client",
        RefusalKind::Api => "explain.kind.api",
    })
}

/// The application, with the way to it for those who may go there.
fn client(within: &Within, told: &Told) -> Cell {
    match (&told.client, within.one()) {
        (Some(client), None) => Cell::link(&client.name, format!("/admin/clients/{}", client.client_id)),
        (Some(client), Some(_)) => Cell::text(&client.name),
        (None, _) => Cell::Nothing,
    }
}

/// The person; within an organisation its members alone have a page and a name.
fn person(within: &Within, user: Option<UserId>, called: Option<&str>) -> Cell {
    let Some(id) = user else { return Cell::Nothing };
    match (within.only(), called) {
        (None, called) => {
            Cell::link(called.map_or_else(|| id.to_string(), str::to_owned), format!("/admin/users/{id}"))
        }
        (Some(of), Some(called)) => Cell::link(called, format!("{}/{id}", Tab::Members.path(of))),
        (Some(_), None) => Cell::code(id.to_string()),
    }
}

async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let within = within(&console);
    let reference: String = console.named("reference")?;
    let found = explain::find(console.app(), &reference, within.only()).await?;
    let found = found.ok_or(PageFailure::NotFound)?;
    Ok(console.show(|ui| explained(ui, &within, &found)))
}

fn explained(ui: &Ui<'_>, within: &Within, found: &Explained) -> Sheet {
    let Explained { told, account, organisation, events } = found;
    let called = account.as_ref().map(|account| account.email.as_deref().unwrap_or(&account.name));
    let about = [
        (ui.t("events.at"), Cell::Time(told.at)),
        (ui.t("explain.wanted"), Cell::text(word(ui, told.kind))),
        (ui.t("explain.rule_word"), Cell::code(told.rule.as_str())),
        (ui.t("explain.client"), client(within, told)),
        (ui.t("explain.user"), person(within, told.user, called)),
        (ui.t("explain.organisation"), Cell::text(organisation.clone().unwrap_or_default())),
        (ui.t("explain.route"), Cell::code(format!("{} → {}", told.route, told.status))),
    ];
    let about = about.map(|(name, cell)| (name.to_owned(), cell)).to_vec();
    let reason = Card::plain("reason")
        .item(crate::web::page::admin::Item::Note(Tone::Bad, ui.t(told.rule.says()).to_owned()))
        .text(ui.t(told.rule.advice()))
        .facts(about);
    let facts = told.facts.iter().map(|fact| {
        let name = phrase::name_of(&fact.name).map_or(&*fact.name, |key| ui.t(key));
        // Words of ours are text, what came with the request is shown letter by letter.
        let value = phrase::value_of(&fact.name, &fact.value);
        (name.to_owned(), value.map_or_else(|| Cell::code(&fact.value), |key| Cell::text(ui.t(key))))
    });
    let facts = match told.facts.is_empty() {
        true => None,
        false => Some(Card::new("facts", ui.t("explain.facts")).facts(facts.collect())),
    };
    // What else the request did may be of other organisations.
    let recorded = match events.is_empty() || within.only().is_some() {
        true => None,
        false => Some(
            Card::new("recorded", ui.t("explain.recorded"))
                .table(words::events(ui, ui.t("explain.recorded"), events, Place::Audit.path()))
                .links(vec![Link::new(
                    ui.t("audit.same_request"),
                    format!("/admin/audit?request={}", told.reference),
                )]),
        ),
    };
    within.below(ui, &told.reference).card(reason).maybe(facts).maybe(recorded)
}
