//! `/admin/providers`: the identity providers that may vouch for people.
//!
//! One that is set up here ([`set_up`]) is disabled until somebody enables it, best after a [`trial`]. What stands in the
//! configuration is shown and changed there.

mod set_up;
mod trial;

use actix_web::HttpResponse;

use super::access::{Change, Console};
use super::{Route, table};
use crate::identity::federation::providers::{self, ProviderError, Upstream};
use crate::model::{FirstSignIn, ProviderKind, Status};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Form, Item, Link, Place, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/providers" instance see list;
    get "/admin/providers/new" instance change set_up::new;
    post "/admin/providers/new" instance change set_up::create;
    get "/admin/providers/{provider}" instance see show;
    get "/admin/providers/{provider}/edit" instance change set_up::edit;
    post "/admin/providers/{provider}/edit" instance change set_up::save;
    get "/admin/providers/{provider}/trial" instance change trial::show;
    post "/admin/providers/{provider}/trial" instance change trial::start;
    get "/admin/providers/{provider}/disable" instance destroy ask_disable;
    post "/admin/providers/{provider}/disable" instance destroy disable;
    post "/admin/providers/{provider}/enable" instance change enable;
    get "/admin/providers/{provider}/remove" instance destroy ask_remove;
    post "/admin/providers/{provider}/remove" instance destroy remove;
};

const PATH: &str = "/admin/providers";

fn path_of(id: &str) -> String {
    format!("{PATH}/{id}")
}

/// The provider that the path names.
async fn found(console: &Console) -> Result<Upstream, PageFailure> {
    let id: String = console.named("provider")?;
    providers::find(console.app(), &id).await?.ok_or(PageFailure::NotFound)
}

/// One that can be changed here.
async fn stored(console: &Console) -> Result<Upstream, PageFailure> {
    found(console).await.and_then(|upstream| match upstream.configured {
        true => Err(PageFailure::NotFound),
        false => Ok(upstream),
    })
}

fn failure(error: ProviderError) -> PageFailure {
    match error {
        ProviderError::NoSuchProvider | ProviderError::Configured => PageFailure::NotFound,
        ProviderError::Store(error) => error.into(),
        other => PageFailure::Internal(other.to_string()),
    }
}

fn about(ui: &Ui<'_>, upstream: &Upstream, title: impl Into<String>) -> Sheet {
    Sheet::new(Place::Providers, title)
        .under(ui.t("console.place.providers"), PATH)
        .under(upstream.settings.label(), path_of(&upstream.settings.id))
}

fn kind_word(ui: &Ui<'_>, kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Google => "Google",
        ProviderKind::Microsoft => "Microsoft",
        ProviderKind::Oidc => ui.t("upstream_console.oidc"),
    }
}

fn first_word(ui: &Ui<'_>, first: FirstSignIn) -> &'static str {
    match first {
        FirstSignIn::CreateOrganisation => ui.t("upstream_console.first.create"),
        FirstSignIn::InvitedOnly => ui.t("upstream_console.first.invited"),
        FirstSignIn::Refuse => ui.t("upstream_console.first.refuse"),
    }
}

fn state(ui: &Ui<'_>, status: Status) -> Cell {
    match status {
        Status::Active => Cell::tag(Tone::Good, ui.t("upstream_console.active")),
        Status::Disabled => Cell::tag(Tone::Bad, ui.t("upstream_console.disabled")),
    }
}

fn source(ui: &Ui<'_>, upstream: &Upstream) -> &'static str {
    match upstream.configured {
        true => ui.t("upstream_console.configured"),
        false => ui.t("upstream_console.stored"),
    }
}

/// `GET /admin/providers`: all of them, for there are a few.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let all = providers::all(console.app()).await?;
    let may = console.may_change();
    Ok(console.show(|ui| {
        let make = Link::primary(ui.t("upstream_console.new"), "/admin/providers/new");
        let card = Card::plain("providers");
        let card = match all.is_empty() {
            true => card.empty(ui.t("upstream_console.none"), may.then_some(make)),
            false => {
                let head = [
                    ui.t("upstream_console.name"),
                    ui.t("upstream_console.kind"),
                    ui.t("upstream_console.source"),
                    ui.t("upstream_console.state"),
                ];
                let links = if may { vec![make] } else { Vec::new() };
                card.links(links).table(
                    Table::new(ui.t("console.place.providers"), head)
                        .rows(all.iter().map(|upstream| row(ui, upstream))),
                )
            }
        };
        Sheet::new(Place::Providers, ui.t("console.place.providers"))
            .lead(ui.t("upstream_console.lead"))
            .card(card)
    }))
}

fn row(ui: &Ui<'_>, upstream: &Upstream) -> Vec<Cell> {
    let settings = &upstream.settings;
    vec![
        Cell::link(settings.label(), path_of(&settings.id)),
        Cell::text(kind_word(ui, settings.kind)),
        Cell::text(source(ui, upstream)),
        state(ui, upstream.status),
    ]
}

/// `GET /admin/providers/{provider}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let upstream = found(&console).await?;
    let app = console.app();
    let owner = match upstream.organisation {
        Some(id) => app.db.read(move |db| crate::store::organisations::find(db, id)).await?,
        None => None,
    };
    let first = upstream.first_sign_in(app.config.registration_mode());
    let callback = providers::callback(app, &upstream.settings.id);
    let may = console.may_change();
    Ok(console.show(|ui| {
        let settings = &upstream.settings;
        let fact = |key: &'static str, cell: Cell| (ui.t(key).to_owned(), cell);
        let owner = owner.as_ref().map_or(Cell::text(ui.t("upstream_console.everybody")), |owner| {
            Cell::link(&owner.name, format!("/admin/organizations/{}", owner.id))
        });
        let facts = vec![
            fact("upstream_console.state", state(ui, upstream.status)),
            fact("upstream_console.kind", Cell::text(kind_word(ui, settings.kind))),
            fact("upstream_console.id", Cell::code(&settings.id)),
            fact("upstream_console.issuer", settings.issuer.as_ref().map_or(Cell::Nothing, Cell::code)),
            fact("upstream_console.client_id", Cell::code(&settings.client_id)),
            fact("upstream_console.tenants", codes(&settings.tenants)),
            fact("upstream_console.domains", codes(&settings.email_domains)),
            fact("upstream_console.scopes", codes(&settings.scopes)),
            fact("upstream_console.first_sign_in", Cell::text(first_word(ui, first))),
            fact("upstream_console.for_whom", owner),
            fact("upstream_console.source", Cell::text(source(ui, &upstream))),
        ];
        let at = path_of(&settings.id);
        let mut card = Card::plain("provider");
        if upstream.configured {
            card = card.item(Item::Note(Tone::Plain, ui.t("upstream_console.configured_text").to_owned()));
        }
        let mut links = Vec::new();
        if may {
            links.push(Link::primary(ui.t("upstream_console.try"), format!("{at}/trial")));
            if !upstream.configured {
                links.push(Link::new(ui.t("upstream_console.edit"), format!("{at}/edit")));
            }
        }
        Sheet::new(Place::Providers, settings.label())
            .under(ui.t("console.place.providers"), PATH)
            .card(card.facts(facts).links(links).code(ui.t("upstream_console.callback"), &callback))
            .maybe((may && !upstream.configured).then(|| endings(ui, &upstream)))
    }))
}

fn codes(values: &[String]) -> Cell {
    match values.is_empty() {
        true => Cell::Nothing,
        false => Cell::Many(values.iter().map(Cell::code).collect()),
    }
}

fn endings(ui: &Ui<'_>, upstream: &Upstream) -> Card {
    let at = path_of(&upstream.settings.id);
    let card = Card::new("endings", ui.t("upstream_console.endings"));
    let remove = Link::grave(ui.t("upstream_console.remove"), format!("{at}/remove"));
    match upstream.status {
        Status::Active => {
            card.links(vec![Link::grave(ui.t("upstream_console.disable"), format!("{at}/disable")), remove])
        }
        Status::Disabled => card
            .buttons(vec![Button::new(ui.t("upstream_console.enable"), format!("{at}/enable"))])
            .links(vec![remove]),
    }
}

/// A page that explains what will happen, with the button that does it.
fn question(ui: &Ui<'_>, upstream: &Upstream, act: &str, title: &'static str, text: &'static str) -> Sheet {
    let at = path_of(&upstream.settings.id);
    let form = Form::new(act, format!("{at}/{act}"), ui.t(title)).grave().cancel(&at);
    let text = ui.with(text, &[("name", upstream.settings.label())]);
    about(ui, upstream, ui.t(title)).card(Card::plain("question").text(text).form(form))
}

async fn ask_disable(console: Console) -> Result<HttpResponse, PageFailure> {
    let upstream = stored(&console).await?;
    Ok(console.show(|ui| {
        question(ui, &upstream, "disable", "upstream_console.disable", "upstream_console.disable_text")
    }))
}

async fn disable(change: Change) -> Result<HttpResponse, PageFailure> {
    let id: String = change.named("provider")?;
    providers::set_status(change.app(), &id, Status::Disabled, &change.origin).await.map_err(failure)?;
    Ok(change.done(&path_of(&id), "disabled"))
}

async fn enable(change: Change) -> Result<HttpResponse, PageFailure> {
    let id: String = change.named("provider")?;
    providers::set_status(change.app(), &id, Status::Active, &change.origin).await.map_err(failure)?;
    Ok(change.done(&path_of(&id), "enabled"))
}

async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let upstream = stored(&console).await?;
    Ok(console.show(|ui| {
        question(ui, &upstream, "remove", "upstream_console.remove", "upstream_console.remove_text")
    }))
}

async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let id: String = change.named("provider")?;
    providers::remove(change.app(), &id, &change.origin).await.map_err(failure)?;
    Ok(change.done(PATH, "removed"))
}
