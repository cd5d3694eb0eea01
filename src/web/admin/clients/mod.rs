//! `/admin/clients`: the applications that ask for tokens.
//!
//! A client is made from a kind with the defaults explained ([`new`]); what it says of itself is changed by [`edit`], its
//! secrets by [`secret`]. [`settings`] has what developers copy, [`rehearsal`] tells what a sign-in would come to.

mod edit;
mod fields;
mod new;
mod rehearsal;
mod secret;
mod settings;
mod snippets;

use actix_web::HttpResponse;

use super::access::{Change, Console};
use super::list::{LIMIT, List};
use super::{Route, table};
use crate::model::{Client, ClientAuthMethod, ClientKey, Status};
use crate::store::clients::{Listed, Sought};
use crate::tenancy::clients::kinds::Kind;
use crate::tenancy::clients::{self, ClientError, secrets};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{
    Button, Card, Cell, Field, Form, Item, Kind as FieldKind, Link, Pick, Place, Sheet, Table, Tone,
};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/clients" instance see list;
    get "/admin/new-client" instance change new::show;
    post "/admin/new-client" instance change new::create;
    get "/admin/clients/{client}" instance see show;
    get "/admin/clients/{client}/edit" instance change edit::show;
    post "/admin/clients/{client}/edit" instance change edit::save;
    get "/admin/clients/{client}/settings" instance see settings::show;
    get "/admin/clients/{client}/test" instance see rehearsal::show;
    get "/admin/clients/{client}/rotate-secret" instance destroy secret::ask_rotate;
    post "/admin/clients/{client}/rotate-secret" instance destroy secret::rotate;
    get "/admin/clients/{client}/end-secret" instance destroy secret::ask_end;
    post "/admin/clients/{client}/end-secret" instance destroy secret::end;
    get "/admin/clients/{client}/disable" instance destroy ask_disable;
    post "/admin/clients/{client}/disable" instance destroy disable;
    post "/admin/clients/{client}/enable" instance change enable;
    get "/admin/clients/{client}/remove" instance destroy ask_remove;
    post "/admin/clients/{client}/remove" instance destroy remove;
};

const PATH: &str = "/admin/clients";

fn path_of(key: ClientKey) -> String {
    format!("{PATH}/{key}")
}

/// The client that the path names, by its key or its `client_id`.
async fn found(console: &Console) -> Result<Client, PageFailure> {
    let which: String = console.named("client")?;
    clients::find(console.app(), &which).await?.ok_or(PageFailure::NotFound)
}

/// A page about one client.
fn about(ui: &Ui<'_>, client: &Client, title: impl Into<String>) -> Sheet {
    Sheet::new(Place::Clients, title)
        .under(ui.t("console.place.clients"), PATH)
        .under(&client.name, path_of(client.key))
}

fn failure(error: ClientError) -> PageFailure {
    match error {
        ClientError::NoSuchClient => PageFailure::NotFound,
        ClientError::Store(error) => error.into(),
        other => PageFailure::Internal(other.to_string()),
    }
}

fn kind_word(ui: &Ui<'_>, kind: Kind) -> &'static str {
    match kind {
        Kind::Server => ui.t("clients.kind.server"),
        Kind::Browser => ui.t("clients.kind.browser"),
        Kind::Device => ui.t("clients.kind.device"),
        Kind::Machine => ui.t("clients.kind.machine"),
        Kind::Api => ui.t("clients.kind.api"),
        Kind::Proxy => ui.t("clients.kind.proxy"),
    }
}

fn method_word(ui: &Ui<'_>, method: ClientAuthMethod) -> &'static str {
    match method {
        ClientAuthMethod::None => ui.t("clients.method.none"),
        ClientAuthMethod::SecretBasic => ui.t("clients.method.basic"),
        ClientAuthMethod::SecretPost => ui.t("clients.method.post"),
        ClientAuthMethod::PrivateKeyJwt => ui.t("clients.method.keys"),
    }
}

fn state(ui: &Ui<'_>, status: Status) -> Cell {
    match status {
        Status::Active => Cell::tag(Tone::Good, ui.t("clients.active")),
        Status::Disabled => Cell::tag(Tone::Bad, ui.t("clients.disabled")),
    }
}

/// `GET /admin/clients`.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let list = List::new(PATH, &query, &["q", "status"]);
    let sought = Sought {
        words: Sought::words_of(query.get("q").unwrap_or_default()),
        status: query.get("status").and_then(Status::parse),
    };
    let seeks = sought != Sought::default();
    let mut found = clients::search(console.app(), sought, list.after()?, LIMIT).await?;
    let (next, first) = list.cut(&mut found, |client| client.key);
    let may = console.may_change();
    Ok(console.show(|ui| {
        let make = Link::primary(ui.t("clients.new"), "/admin/new-client");
        let head = [
            ui.t("clients.name"),
            ui.t("clients.kind_head"),
            ui.t("clients.client_id"),
            ui.t("clients.state"),
        ];
        let table = Table::new(ui.t("console.place.clients"), head)
            .rows(found.iter().map(|client| row(ui, client)))
            .pages(next, first);
        let card = match (found.is_empty(), seeks) {
            (true, false) => Card::plain("clients").empty(ui.t("clients.none"), may.then_some(make)),
            (is_empty, _) => {
                let links = if may { vec![make] } else { Vec::new() };
                let card = Card::plain("clients").links(links).form(seek(ui).typed(Some(&query), &[]));
                match is_empty {
                    true => {
                        card.empty(ui.t("clients.none_found"), Some(Link::new(ui.t("clients.all"), PATH)))
                    }
                    false => card.table(table),
                }
            }
        };
        Sheet::new(Place::Clients, ui.t("console.place.clients")).lead(ui.t("clients.lead")).card(card)
    }))
}

fn seek(ui: &Ui<'_>) -> Form {
    let statuses = vec![
        Pick::new("", ui.t("console.any")),
        Pick::new("active", ui.t("clients.active")),
        Pick::new("disabled", ui.t("clients.disabled")),
    ];
    Form::search("seek", PATH, ui.t("console.search"))
        .field(Field::new(FieldKind::Search, "q", ui.t("clients.seek")))
        .field(Field::new(FieldKind::Select(statuses), "status", ui.t("clients.state")))
}

fn row(ui: &Ui<'_>, client: &Listed) -> Vec<Cell> {
    vec![
        Cell::link(&client.name, path_of(client.key)),
        Cell::text(kind_word(ui, Kind::of_listed(client))),
        Cell::code(&client.client_id),
        state(ui, client.status),
    ]
}

/// `GET /admin/clients/{client}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let client = found(&console).await?;
    let (may, now) = (console.may_change(), console.app().clock.now());
    Ok(console.show(|ui| {
        Sheet::new(Place::Clients, &client.name)
            .under(ui.t("console.place.clients"), PATH)
            .card(overview(ui, &client, may))
            .maybe(Kind::of(&client).has_users().then(|| addresses(ui, &client)))
            .maybe(secret::card(ui, &client, may, now))
            .maybe(keys(ui, &client))
            .card(rules(ui, &client))
            .maybe(may.then(|| endings(ui, &client)))
    }))
}

fn yes(ui: &Ui<'_>, is_so: bool) -> Cell {
    Cell::text(if is_so { ui.t("clients.yes") } else { ui.t("clients.no") })
}

/// Words beside each other; the text if there are none.
fn codes(values: &[String], none: &str) -> Cell {
    match values.is_empty() {
        true => Cell::text(none),
        false => Cell::Many(values.iter().map(Cell::code).collect()),
    }
}

fn overview(ui: &Ui<'_>, client: &Client, may: bool) -> Card {
    let fact = |key: &'static str, cell: Cell| (ui.t(key).to_owned(), cell);
    let at = path_of(client.key);
    let facts = vec![
        fact("clients.state", state(ui, client.status)),
        fact("clients.client_id", Cell::code(&client.client_id)),
        fact("clients.kind_head", Cell::text(kind_word(ui, Kind::of(client)))),
        fact("clients.auth", Cell::text(method_word(ui, client.auth_method))),
        fact("clients.since", Cell::Time(client.created_at)),
    ];
    let mut links = vec![Link::new(ui.t("clients.settings"), format!("{at}/settings"))];
    if Kind::of(client).has_users() {
        links.push(Link::new(ui.t("clients.test"), format!("{at}/test")));
    }
    if may {
        links.insert(0, Link::primary(ui.t("clients.edit"), format!("{at}/edit")));
    }
    Card::plain("client").facts(facts).links(links)
}

fn addresses(ui: &Ui<'_>, client: &Client) -> Card {
    let fact = |key: &'static str, cell: Cell| (ui.t(key).to_owned(), cell);
    let outside = |uri: &Option<String>| uri.as_ref().map_or(Cell::Nothing, Cell::code);
    Card::new("addresses", ui.t("clients.addresses")).facts(vec![
        fact("clients.redirect_uris", codes(&client.redirect_uris, "")),
        fact("clients.post_logout", codes(&client.post_logout_redirect_uris, "")),
        fact("clients.initiate", outside(&client.initiate_login_uri)),
        fact("clients.home", outside(&client.client_uri)),
        fact("clients.logo", outside(&client.logo_uri)),
        fact("clients.policy", outside(&client.policy_uri)),
        fact("clients.terms", outside(&client.tos_uri)),
    ])
}

/// For clients that sign their assertions.
fn keys(ui: &Ui<'_>, client: &Client) -> Option<Card> {
    if client.auth_method != ClientAuthMethod::PrivateKeyJwt {
        return None;
    }
    let card = Card::new("keys", ui.t("clients.keys"));
    Some(match (&client.jwks_uri, &client.jwks) {
        (Some(uri), _) => card.facts(vec![(ui.t("clients.keys_at").to_owned(), Cell::code(uri))]),
        (None, Some(jwks)) => card.code(ui.t("clients.keys_set"), jwks),
        (None, None) => card.item(Item::Note(Tone::Bad, ui.t("clients.keys_missing").to_owned())),
    })
}

fn rules(ui: &Ui<'_>, client: &Client) -> Card {
    let fact = |key: &'static str, cell: Cell| (ui.t(key).to_owned(), cell);
    let grants: Vec<String> = client.grant_types.iter().map(ToString::to_string).collect();
    let mut facts = vec![
        fact("clients.grants", codes(&grants, "")),
        fact("clients.scopes", codes(&client.scopes, ui.t("clients.scopes_standard"))),
        fact("clients.audiences", codes(&client.audiences, ui.t("console.none"))),
    ];
    if Kind::of(client).has_users() {
        let pkce = match client.pkce_required {
            true => Cell::tag(Tone::Good, ui.t("clients.yes")),
            false => Cell::tag(Tone::Bad, ui.t("clients.pkce_exempt")),
        };
        facts.extend([
            fact("clients.first_party", yes(ui, client.first_party)),
            fact("clients.require_mfa", yes(ui, client.require_mfa)),
            fact("clients.require_organization", yes(ui, client.require_organization)),
            fact("clients.pkce", pkce),
            fact("clients.require_par", yes(ui, client.require_par)),
            fact("clients.id_token_alg", Cell::code(client.id_token_alg.as_str())),
        ]);
    }
    Card::new("rules", ui.t("clients.rules")).facts(facts)
}

fn endings(ui: &Ui<'_>, client: &Client) -> Card {
    let at = path_of(client.key);
    let card = Card::new("endings", ui.t("clients.endings"));
    let remove = Link::grave(ui.t("clients.remove"), format!("{at}/remove"));
    match client.status {
        Status::Active => {
            card.links(vec![Link::grave(ui.t("clients.disable"), format!("{at}/disable")), remove])
        }
        Status::Disabled => card
            .buttons(vec![Button::new(ui.t("clients.enable"), format!("{at}/enable"))])
            .links(vec![remove]),
    }
}

/// A page that explains what will happen, with the button that does it.
fn question(ui: &Ui<'_>, client: &Client, act: &str, title: &'static str, text: &'static str) -> Sheet {
    let at = path_of(client.key);
    let form = Form::new(act, format!("{at}/{act}"), ui.t(title)).grave().cancel(&at);
    about(ui, client, ui.t(title))
        .card(Card::plain("question").text(ui.with(text, &[("name", &*client.name)])).form(form))
}

async fn ask_disable(console: Console) -> Result<HttpResponse, PageFailure> {
    let client = found(&console).await?;
    Ok(console.show(|ui| question(ui, &client, "disable", "clients.disable", "clients.disable_text")))
}

async fn disable(change: Change) -> Result<HttpResponse, PageFailure> {
    let client = found(&change).await?;
    clients::set_status(change.app(), &client.client_id, Status::Disabled, &change.origin)
        .await
        .map_err(failure)?;
    Ok(change.done(&path_of(client.key), "disabled"))
}

async fn enable(change: Change) -> Result<HttpResponse, PageFailure> {
    let client = found(&change).await?;
    clients::set_status(change.app(), &client.client_id, Status::Active, &change.origin)
        .await
        .map_err(failure)?;
    Ok(change.done(&path_of(client.key), "enabled"))
}

async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let client = found(&console).await?;
    Ok(console.show(|ui| question(ui, &client, "remove", "clients.remove", "clients.remove_text")))
}

async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let client = found(&change).await?;
    clients::remove(change.app(), &client.client_id, &change.origin).await.map_err(failure)?;
    Ok(change.done(PATH, "removed"))
}

/// Whether secrets are this client's way to prove who it is.
fn has_secrets(client: &Client) -> bool {
    secrets::uses_secret(client.auth_method)
}
