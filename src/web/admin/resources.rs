//! `/admin/resources`: the APIs that access tokens are for, their scopes, and how such an API verifies a token.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;

use super::access::{Change, Console};
use super::{Route, table};
use crate::config::duration;
use crate::model::{Resource, ResourceId, Status};
use crate::tenancy::clients::{self, Related};
use crate::tenancy::resources::{self, NewResource, ResourceChange, ResourceError};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Field, Form, Kind, Link, Place, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/resources" instance see list;
    get "/admin/resources/new" instance change new;
    post "/admin/resources/new" instance change create;
    get "/admin/resources/{resource}" instance see show;
    get "/admin/resources/{resource}/edit" instance change edit;
    post "/admin/resources/{resource}/edit" instance change save;
    get "/admin/resources/{resource}/disable" instance destroy ask_disable;
    post "/admin/resources/{resource}/disable" instance destroy disable;
    post "/admin/resources/{resource}/enable" instance change enable;
    get "/admin/resources/{resource}/remove" instance destroy ask_remove;
    post "/admin/resources/{resource}/remove" instance destroy remove;
};

const PATH: &str = "/admin/resources";

fn path_of(id: ResourceId) -> String {
    format!("{PATH}/{id}")
}

fn failure(error: ResourceError) -> PageFailure {
    match error {
        ResourceError::NoSuchResource => PageFailure::NotFound,
        ResourceError::Store(error) => error.into(),
        other => PageFailure::Internal(other.to_string()),
    }
}

/// The resource that the path names.
async fn found(console: &Console) -> Result<Resource, PageFailure> {
    let which: ResourceId = console.named("resource")?;
    let which = which.to_string();
    let found = console.app().db.read(move |db| resources::find(db, &which)).await?;
    found.ok_or(PageFailure::NotFound)
}

fn about(ui: &Ui<'_>, resource: &Resource, title: impl Into<String>) -> Sheet {
    Sheet::new(Place::Resources, title)
        .under(ui.t("console.place.resources"), PATH)
        .under(&resource.name, path_of(resource.id))
}

fn state(ui: &Ui<'_>, status: Status) -> Cell {
    match status {
        Status::Active => Cell::tag(Tone::Good, ui.t("resources.active")),
        Status::Disabled => Cell::tag(Tone::Bad, ui.t("resources.disabled")),
    }
}

/// `GET /admin/resources`: all of them, for there are tens.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let sought = query.get("q").unwrap_or_default().to_lowercase();
    let all = console.app().db.read(crate::store::resources::all).await?;
    let has_any = !all.is_empty();
    let is_sought = |resource: &Resource| {
        let scopes = resource.scopes.keys().map(String::as_str).collect::<Vec<_>>().join(" ");
        let text = format!("{} {} {scopes}", resource.name, resource.identifier).to_lowercase();
        sought.split_whitespace().all(|word| text.contains(word))
    };
    let found: Vec<Resource> = all.into_iter().filter(is_sought).collect();
    let may = console.may_change();
    Ok(console.show(|ui| {
        let make = Link::primary(ui.t("resources.new"), "/admin/resources/new");
        let sheet =
            Sheet::new(Place::Resources, ui.t("console.place.resources")).lead(ui.t("resources.lead"));
        if !has_any {
            return sheet.card(Card::plain("resources").empty(ui.t("resources.none"), may.then_some(make)));
        }
        let seek = Form::search("seek", PATH, ui.t("console.search"))
            .field(Field::new(Kind::Search, "q", ui.t("resources.seek")))
            .typed(Some(&query), &[]);
        let links = if may { vec![make] } else { Vec::new() };
        let card = Card::plain("resources").links(links).form(seek);
        sheet.card(match found.is_empty() {
            true => card.empty(ui.t("resources.none_found"), Some(Link::new(ui.t("resources.all"), PATH))),
            false => {
                let head = [
                    ui.t("resources.name"),
                    ui.t("resources.identifier"),
                    ui.t("resources.scopes"),
                    ui.t("resources.state"),
                ];
                card.table(
                    Table::new(ui.t("console.place.resources"), head)
                        .rows(found.iter().map(|resource| row(ui, resource))),
                )
            }
        })
    }))
}

fn row(ui: &Ui<'_>, resource: &Resource) -> Vec<Cell> {
    vec![
        Cell::link(&resource.name, path_of(resource.id)),
        Cell::code(&resource.identifier),
        scopes_cell(resource.scopes.keys()),
        state(ui, resource.status),
    ]
}

fn scopes_cell<'s>(scopes: impl Iterator<Item = &'s String>) -> Cell {
    let scopes: Vec<Cell> = scopes.map(Cell::code).collect();
    if scopes.is_empty() { Cell::Nothing } else { Cell::Many(scopes) }
}

/// `GET /admin/resources/new`.
async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    Ok(console.show(|ui| new_sheet(ui, new_form(ui))))
}

fn new_sheet(ui: &Ui<'_>, form: Form) -> Sheet {
    Sheet::new(Place::Resources, ui.t("resources.new"))
        .under(ui.t("console.place.resources"), PATH)
        .lead(ui.t("resources.new_lead"))
        .card(Card::plain("form-card").form(form))
}

fn new_form(ui: &Ui<'_>) -> Form {
    let form = Form::new("new-resource", "/admin/resources/new", ui.t("resources.create"))
        .field(Field::text("name", ui.t("resources.name")).hint(ui.t("resources.name_hint")).required())
        .field(
            Field::text("identifier", ui.t("resources.identifier"))
                .hint(ui.t("resources.identifier_hint"))
                .required(),
        );
    with_common(ui, form).cancel(PATH)
}

fn with_common(ui: &Ui<'_>, form: Form) -> Form {
    form.field(
        Field::new(Kind::Lines, "scopes", ui.t("resources.scopes")).hint(ui.t("resources.scopes_hint")),
    )
    .field(Field::text("access_ttl", ui.t("resources.life")).hint(ui.t("resources.life_hint")))
}

/// What is typed in the fields that can change.
struct Wanted {
    name: String,
    scopes: BTreeMap<String, String>,
    access_ttl: Option<Duration>,
}

/// `None` for a life that is none.
fn wanted(change: &Change) -> Option<Wanted> {
    let access_ttl = match change.text("access_ttl").trim() {
        "" => None,
        text => Some(duration::parse(text)?),
    };
    let scopes: BTreeMap<String, String> = change
        .text("scopes")
        .lines()
        .map(|line| line.split_once('=').unwrap_or((line, "")))
        .map(|(scope, description)| (scope.trim().to_owned(), description.trim().to_owned()))
        .filter(|(scope, description)| !scope.is_empty() || !description.is_empty())
        .collect();
    Some(Wanted { name: change.text("name").to_owned(), scopes, access_ttl })
}

/// The field that an error is about, and what is said of it.
fn wrong(ui: &Ui<'_>, error: &ResourceError) -> Option<(&'static str, String)> {
    let text = |key: &'static str| ui.t(key).to_owned();
    let of = |key: &'static str, scope: &str| ui.with(key, &[("scope", scope)]);
    Some(match error {
        ResourceError::BadIdentifier => ("identifier", text("resources.bad_identifier")),
        ResourceError::IsIssuer => ("identifier", text("resources.is_issuer")),
        ResourceError::Taken => ("identifier", text("resources.taken")),
        ResourceError::BadName => ("name", text("resources.bad_name")),
        ResourceError::BadScope(scope) => ("scopes", of("resources.bad_scope", scope)),
        ResourceError::StandardScope(scope) => ("scopes", of("resources.standard_scope", scope)),
        ResourceError::OwnScope(scope) => ("scopes", of("resources.own_scope", scope)),
        ResourceError::BadDescription(scope) => ("scopes", of("resources.bad_description", scope)),
        ResourceError::BadLifetime => ("access_ttl", text("resources.bad_life")),
        ResourceError::NoSuchResource | ResourceError::Store(_) => return None,
    })
}

/// `POST /admin/resources/new`.
async fn create(change: Change) -> Result<HttpResponse, PageFailure> {
    let made = match wanted(&change) {
        Some(Wanted { name, scopes, access_ttl }) => {
            let identifier = change.text("identifier").trim().to_owned();
            let new = NewResource { identifier, name, scopes, access_ttl };
            resources::create(change.app(), new, &change.origin).await
        }
        None => Err(ResourceError::BadLifetime),
    };
    match made {
        Ok(resource) => Ok(change.done(&path_of(resource.id), "created")),
        Err(error) => match change.say(|ui| wrong(ui, &error)) {
            Some(wrong) => {
                Ok(change.again(|ui| new_sheet(ui, new_form(ui).typed(Some(&change.typed), &[wrong]))))
            }
            None => Err(failure(error)),
        },
    }
}

/// `GET /admin/resources/{resource}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let resource = found(&console).await?;
    let related = clients::of_resource(console.app(), &resource).await?;
    let (may, issuer) = (console.may_change(), console.app().config.issuer.as_str());
    let usual = console.app().config.lifetimes.access;
    Ok(console.show(|ui| {
        let snippets = snippets(&resource, issuer);
        let verify = Card::new("verify", ui.t("resources.verify")).text(ui.t("resources.verify_text"));
        Sheet::new(Place::Resources, &resource.name)
            .under(ui.t("console.place.resources"), PATH)
            .card(overview(ui, &resource, usual, may))
            .card(scopes(ui, &resource, may))
            .card(applications(ui, &related, may))
            .card(snippets.into_iter().fold(verify, |card, (title, text)| card.code(title, text)))
            .maybe(may.then(|| endings(ui, &resource)))
    }))
}

fn overview(ui: &Ui<'_>, resource: &Resource, usual: Duration, may: bool) -> Card {
    let life = match resource.access_ttl {
        Some(life) => ui.span(life),
        None => ui.with("resources.life_usual", &[("span", ui.span(usual))]),
    };
    let card = Card::plain("resource").facts(vec![
        (ui.t("resources.state").to_owned(), state(ui, resource.status)),
        (ui.t("resources.identifier").to_owned(), Cell::code(&resource.identifier)),
        (ui.t("resources.life").to_owned(), Cell::text(life)),
    ]);
    match may {
        true => {
            card.links(vec![Link::primary(ui.t("resources.edit"), format!("{}/edit", path_of(resource.id)))])
        }
        false => card,
    }
}

fn scopes(ui: &Ui<'_>, resource: &Resource, may: bool) -> Card {
    let card = Card::new("scopes", ui.t("resources.scopes"));
    if resource.scopes.is_empty() {
        let edit = Link::new(ui.t("resources.edit"), format!("{}/edit", path_of(resource.id)));
        return card.empty(ui.t("resources.no_scopes"), may.then_some(edit));
    }
    let head = [ui.t("resources.scope"), ui.t("resources.description")];
    let rows =
        resource.scopes.iter().map(|(scope, description)| vec![Cell::code(scope), Cell::text(description)]);
    card.table(Table::new(ui.t("resources.scopes"), head).rows(rows))
}

fn applications(ui: &Ui<'_>, related: &[Related], may: bool) -> Card {
    let card = Card::new("applications", ui.t("resources.applications"));
    if related.is_empty() {
        let make = Link::new(ui.t("clients.new"), "/admin/new-client");
        return card.empty(ui.t("resources.no_applications"), may.then_some(make));
    }
    let head = [ui.t("resources.application"), ui.t("resources.may_ask"), ui.t("resources.serves")];
    let rows = related.iter().map(|one| {
        let serves = if one.serves { ui.t("clients.yes") } else { ui.t("clients.no") };
        vec![
            Cell::link(&one.name, format!("/admin/clients/{}", one.key)),
            scopes_cell(one.scopes.iter()),
            Cell::text(serves),
        ]
    });
    card.table(Table::new(ui.t("resources.applications"), head).rows(rows))
}

/// How an API verifies its tokens, with its own values, which hold neither quotes nor backslashes.
fn snippets(resource: &Resource, issuer: &str) -> [(&'static str, String); 3] {
    let filled = |text: &str| {
        text.replace("%ISSUER%", issuer)
            .replace("%AUDIENCE%", &resource.identifier.replace(['"', '\'', '\\'], ""))
    };
    [
        ("Node.js", filled(include_str!("../../../templates/snippets/verify-node.txt"))),
        ("Python", filled(include_str!("../../../templates/snippets/verify-python.txt"))),
        ("Rust", filled(include_str!("../../../templates/snippets/verify-rust.txt"))),
    ]
}

fn endings(ui: &Ui<'_>, resource: &Resource) -> Card {
    let at = path_of(resource.id);
    let card = Card::new("endings", ui.t("resources.endings"));
    let remove = Link::grave(ui.t("resources.remove"), format!("{at}/remove"));
    match resource.status {
        Status::Active => {
            card.links(vec![Link::grave(ui.t("resources.disable"), format!("{at}/disable")), remove])
        }
        Status::Disabled => card
            .buttons(vec![Button::new(ui.t("resources.enable"), format!("{at}/enable"))])
            .links(vec![remove]),
    }
}

/// `GET /admin/resources/{resource}/edit`.
async fn edit(console: Console) -> Result<HttpResponse, PageFailure> {
    let resource = found(&console).await?;
    Ok(console.show(|ui| edit_sheet(ui, &resource, edit_form(ui, &resource))))
}

fn edit_sheet(ui: &Ui<'_>, resource: &Resource, form: Form) -> Sheet {
    about(ui, resource, ui.t("resources.edit")).card(Card::plain("edit").form(form))
}

fn edit_form(ui: &Ui<'_>, resource: &Resource) -> Form {
    let at = path_of(resource.id);
    let line = |(scope, description): (&String, &String)| match description.is_empty() {
        true => scope.clone(),
        false => format!("{scope} = {description}"),
    };
    let scopes: Vec<String> = resource.scopes.iter().map(line).collect();
    let form = Form::new("edit-resource", format!("{at}/edit"), ui.t("resources.save"))
        .field(Field::text("name", ui.t("resources.name")).hint(ui.t("resources.name_hint")).required());
    let mut form = with_common(ui, form).cancel(at);
    for field in &mut form.fields {
        match field.name.as_str() {
            "name" => field.value.clone_from(&resource.name),
            "scopes" => field.value = scopes.join("\n"),
            _ => field.value = resource.access_ttl.map(duration::text).unwrap_or_default(),
        }
    }
    form
}

/// `POST /admin/resources/{resource}/edit`.
async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
    let resource = found(&change).await?;
    let which = resource.id.to_string();
    let saved = match wanted(&change) {
        Some(Wanted { name, scopes, access_ttl }) => {
            let wanted =
                ResourceChange { name: Some(name), scopes: Some(scopes), access_ttl: Some(access_ttl) };
            resources::change(change.app(), &which, wanted, &change.origin).await
        }
        None => Err(ResourceError::BadLifetime),
    };
    match saved {
        Ok(_) => Ok(change.done(&path_of(resource.id), "saved")),
        Err(error) => match change.say(|ui| wrong(ui, &error)) {
            Some(wrong) => Ok(change.again(|ui| {
                edit_sheet(ui, &resource, edit_form(ui, &resource).typed(Some(&change.typed), &[wrong]))
            })),
            None => Err(failure(error)),
        },
    }
}

/// A page that explains what will happen, with the button that does it.
fn question(ui: &Ui<'_>, resource: &Resource, act: &str, title: &'static str, text: &'static str) -> Sheet {
    let at = path_of(resource.id);
    let form = Form::new(act, format!("{at}/{act}"), ui.t(title)).grave().cancel(&at);
    about(ui, resource, ui.t(title))
        .card(Card::plain("question").text(ui.with(text, &[("name", &*resource.name)])).form(form))
}

async fn ask_disable(console: Console) -> Result<HttpResponse, PageFailure> {
    let resource = found(&console).await?;
    Ok(console.show(|ui| question(ui, &resource, "disable", "resources.disable", "resources.disable_text")))
}

async fn disable(change: Change) -> Result<HttpResponse, PageFailure> {
    let which: ResourceId = change.named("resource")?;
    resources::set_status(change.app(), &which.to_string(), Status::Disabled, &change.origin)
        .await
        .map_err(failure)?;
    Ok(change.done(&path_of(which), "saved"))
}

async fn enable(change: Change) -> Result<HttpResponse, PageFailure> {
    let which: ResourceId = change.named("resource")?;
    resources::set_status(change.app(), &which.to_string(), Status::Active, &change.origin)
        .await
        .map_err(failure)?;
    Ok(change.done(&path_of(which), "enabled"))
}

async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let resource = found(&console).await?;
    Ok(console.show(|ui| question(ui, &resource, "remove", "resources.remove", "resources.remove_text")))
}

async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let which: ResourceId = change.named("resource")?;
    resources::remove(change.app(), &which.to_string(), &change.origin).await.map_err(failure)?;
    Ok(change.done(PATH, "removed"))
}
