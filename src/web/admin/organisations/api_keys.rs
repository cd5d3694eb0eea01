//! API keys: those of one organisation, to make, replace and revoke; and those of the whole instance, to find.

use std::time::Duration;

use actix_web::HttpResponse;

use super::{Offer, Said, Tab, below, chosen_workspace, path_of, roles, sheet};
use crate::clock::Timestamp;
use crate::model::{ApiKeyId, OrganisationId};
use crate::store::api_keys::ApiKey;
use crate::store::organisations::Organisation;
use crate::store::users::Sought;
use crate::tenancy::api_keys::{ApiKeyError, Created, Described, NewKey, manage};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::list::{LIMIT, List};
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Item, Kind, Link, Pick, Place, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/api-keys" instance see all;
    get "/admin/organizations/{organization}/api-keys" organisation see list;
    get "/admin/organizations/{organization}/api-keys/new" organisation change new;
    post "/admin/organizations/{organization}/api-keys/new" organisation change create;
    get "/admin/organizations/{organization}/api-keys/{key}/rotate" organisation destroy ask_rotate;
    post "/admin/organizations/{organization}/api-keys/{key}/rotate" organisation destroy rotate;
    get "/admin/organizations/{organization}/api-keys/{key}/revoke" organisation destroy ask_revoke;
    post "/admin/organizations/{organization}/api-keys/{key}/revoke" organisation destroy revoke;
};

const DAY: u64 = 86_400;

/// `GET /admin/api-keys`: of every organisation.
async fn all(console: Console) -> Result<HttpResponse, PageFailure> {
    keys(&console, None).await
}

/// `GET /admin/organizations/{organization}/api-keys`.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    keys(&console, Some(console.entered().organisation())).await
}

async fn keys(console: &Console, of: Option<&Organisation>) -> Result<HttpResponse, PageFailure> {
    let at = of.map_or_else(|| Place::ApiKeys.path().to_owned(), |of| Tab::ApiKeys.path(of.id));
    let organisation = of.map(|of| of.id);
    let query = console.query()?;
    let list = List::new(&at, &query, &["q"]);
    let (sought, before) = (Sought::words_of(query.get("q").unwrap_or_default()), list.after()?);
    let seeks = !sought.is_empty();
    let search = move |db: &mut crate::store::Conn| manage::search(db, organisation, &sought, before, LIMIT);
    let mut found = console.app().db.read(search).await?;
    let (next, first) = list.cut(&mut found, |(one, _)| one.key.id);
    let (may, now) = (console.may_change(), console.app().clock.now());
    Ok(console.show(|ui| {
        let new = of.filter(|_| may).map(|_| Link::primary(ui.t("machines.new"), format!("{at}/new")));
        let seek = Form::search("seek", &at, ui.t("console.search"))
            .field(Field::new(Kind::Search, "q", ui.t("machines.seek")).hint(ui.t("users.seek_hint")));
        let card =
            Card::plain("api-keys").links(new.into_iter().collect()).form(seek.typed(Some(&query), &[]));
        let mut head = vec![
            ui.t("machines.name"),
            ui.t("machines.scopes"),
            ui.t("orgs.state"),
            ui.t("machines.last_used"),
            ui.t("users.act"),
        ];
        if of.is_none() {
            head.insert(1, ui.t("users.organisation"));
        }
        let rows = found.iter().map(|(one, place)| {
            let mut cells = row(ui, place.id, one, may, now);
            if of.is_none() {
                cells.insert(1, Cell::link(&place.name, path_of(place.id)));
            }
            cells
        });
        let table = Table::new(ui.t("console.place.api_keys"), head).rows(rows).pages(next, first);
        let card = match (found.is_empty(), seeks) {
            (true, true) => {
                card.empty(ui.t("machines.none_found"), Some(Link::new(ui.t("machines.all"), &at)))
            }
            (true, false) => card.empty(ui.t("machines.none"), None),
            (false, _) => card.table(table),
        };
        let sheet = match of {
            Some(of) => sheet(ui, of, Tab::ApiKeys),
            None => Sheet::new(Place::ApiKeys, ui.t("console.place.api_keys")),
        };
        sheet.lead(ui.t("machines.lead")).card(card)
    }))
}

fn row(ui: &Ui<'_>, of: OrganisationId, one: &Described, may: bool, now: Timestamp) -> Vec<Cell> {
    let key = &one.key;
    let owner = match key.created_by {
        Some(_) => ui.t("machines.personal"),
        None => ui.t("machines.service"),
    };
    let at = format!("{}/{}", Tab::ApiKeys.path(of), key.id);
    let acts = match may && key.is_live(now) {
        true => {
            let mut acts = vec![Cell::link(ui.t("machines.revoke"), format!("{at}/revoke"))];
            if key.successor_id.is_none() {
                acts.insert(0, Cell::link(ui.t("machines.rotate"), format!("{at}/rotate")));
            }
            Cell::Many(acts)
        }
        false => Cell::Nothing,
    };
    vec![
        Cell::Many(vec![
            Cell::text(&key.name),
            Cell::code(format!("{}…", key.hint)),
            Cell::tag(Tone::Plain, owner),
        ]),
        Cell::Many(one.scopes.iter().map(Cell::code).collect()),
        state(ui, key, now),
        match key.last_used_at {
            Some(at) => Cell::Time(at),
            None => Cell::text(ui.t("machines.never")),
        },
        acts,
    ]
}

fn state(ui: &Ui<'_>, key: &ApiKey, now: Timestamp) -> Cell {
    if key.revoked_at.is_some() {
        return Cell::tag(Tone::Bad, ui.t("machines.revoked"));
    }
    if !key.is_live(now) {
        return Cell::tag(Tone::Bad, ui.t("machines.expired"));
    }
    let mut cells = vec![Cell::tag(Tone::Good, ui.t("machines.good"))];
    cells.extend(key.expires_at.map(Cell::Time));
    Cell::Many(cells)
}

/// `GET /admin/organizations/{organization}/api-keys/new`.
async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, offer) = (console.entered().organisation(), Offer::of(&console).await?);
    let runs = console.entered().runs_instance();
    Ok(console.show(|ui| new_sheet(ui, of, runs, new_form(ui, of, &offer))))
}

fn new_sheet(ui: &Ui<'_>, of: &Organisation, runs: bool, form: Form) -> Sheet {
    let whose = if runs { ui.t("machines.whose_service") } else { ui.t("machines.whose_own") };
    below(ui, of, Tab::ApiKeys, ui.t("machines.new")).card(Card::plain("form-card").text(whose).form(form))
}

fn new_form(ui: &Ui<'_>, of: &Organisation, offer: &Offer) -> Form {
    let at = Tab::ApiKeys.path(of.id);
    let mut lives: Vec<Pick> = [30, 90, 365]
        .map(|days: u64| {
            Pick::new(days.to_string(), ui.span(Duration::from_secs(days * DAY))).picked(days == 90)
        })
        .to_vec();
    lives.push(Pick::new("", ui.t("machines.for_ever")));
    let more = Field::new(Kind::Lines, "more", ui.t("machines.more")).hint(ui.t("roles.more_hint"));
    Form::new("new-key", format!("{at}/new"), ui.t("machines.new"))
        .field(Field::text("name", ui.t("machines.name")).hint(ui.t("machines.name_hint")).required())
        .field(roles::permissions(ui, "scopes", "machines.scopes", &[]))
        .field(more)
        .field(offer.workspaces(ui))
        .field(Field::new(Kind::Select(lives), "days", ui.t("machines.lasts")))
        .cancel(at)
}

/// `POST /admin/organizations/{organization}/api-keys/new`: the key, shown once.
async fn create(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let days = match change.text("days") {
        "" => None,
        "30" => Some(30),
        "365" => Some(365),
        _ => Some(90),
    };
    let new = NewKey {
        name: change.text("name").to_owned(),
        workspace: chosen_workspace(&change)?,
        scopes: roles::all_permissions(&change, "scopes"),
        lasts: days.map(|days| Duration::from_secs(days * DAY)),
        prefix: None,
    };
    match manage::create(change.app(), change.actor(), of.id, new, &change.origin).await {
        Ok(created) => Ok(change.show(|ui| once(ui, of, &created, "machines.new"))),
        Err(error) => {
            let (field, key) = said(error)?;
            let (offer, runs) = (Offer::of(&change).await?, change.entered().runs_instance());
            Ok(change.again(|ui| {
                let wrong = [(field, words::said(ui, key))];
                new_sheet(ui, of, runs, new_form(ui, of, &offer).typed(Some(&change.typed), &wrong))
            }))
        }
    }
}

/// The one page that shows the text of a key.
fn once(ui: &Ui<'_>, of: &Organisation, created: &Created, title: &'static str) -> Sheet {
    let card = Card::new("new-key", ui.t("machines.made"))
        .item(Item::Note(Tone::Good, ui.t("machines.once").to_owned()))
        .code(&created.key.name, created.text.expose())
        .links(vec![Link::new(ui.t("machines.all"), Tab::ApiKeys.path(of.id))]);
    below(ui, of, Tab::ApiKeys, ui.t(title)).card(card)
}

fn said(error: ApiKeyError) -> Result<Said, PageFailure> {
    Ok(match error {
        ApiKeyError::BadName => ("name", "orgs.bad_name"),
        ApiKeyError::BadNumberOfScopes => ("scopes", "machines.no_scopes"),
        ApiKeyError::BadScope(_) => ("more", "roles.bad_permission"),
        ApiKeyError::BadLife => ("days", "machines.bad_life"),
        ApiKeyError::AboveOwn(_) => ("scopes", "machines.above"),
        ApiKeyError::NoSuchWorkspace => ("workspace", "members.no_workspace"),
        ApiKeyError::Over => ("", "machines.over"),
        ApiKeyError::NotPermitted(_) => ("", "orgs.not_permitted"),
        ApiKeyError::NoSuchKey | ApiKeyError::NoSuchOrganisation => return Err(PageFailure::NotFound),
        ApiKeyError::BadPrefix => return Err(PageFailure::Internal("the prefix is configured".to_owned())),
        ApiKeyError::Store(error) => return Err(error.into()),
    })
}

async fn found(console: &Console) -> Result<ApiKey, PageFailure> {
    let (organisation, id): (_, ApiKeyId) = (console.entered().organisation().id, console.named("key")?);
    let read = console.app().db.read(move |db| crate::store::api_keys::find_in(db, organisation, id));
    read.await?.ok_or(PageFailure::NotFound)
}

fn question(ui: &Ui<'_>, of: &Organisation, key: &ApiKey, form: Form, text: &'static str) -> Sheet {
    let title = form.submit.clone();
    let text = ui.with(text, &[("name", key.name.as_str())]);
    below(ui, of, Tab::ApiKeys, title).card(Card::plain("question").text(text).form(form))
}

fn rotate_form(ui: &Ui<'_>, of: &Organisation, key: &ApiKey) -> Form {
    let at = Tab::ApiKeys.path(of.id);
    let mut overlaps: Vec<Pick> = [3_600, DAY, 7 * DAY, 30 * DAY]
        .map(|long| Pick::new(long.to_string(), ui.span(Duration::from_secs(long))).picked(long == DAY))
        .to_vec();
    overlaps.insert(0, Pick::new("0", ui.t("machines.at_once")));
    Form::new("rotate", format!("{at}/{}/rotate", key.id), ui.t("machines.rotate"))
        .field(Field::new(Kind::Select(overlaps), "overlap", ui.t("machines.overlap")))
        .cancel(at)
}

/// `GET /admin/organizations/{organization}/api-keys/{key}/rotate`.
async fn ask_rotate(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, key) = (console.entered().organisation(), found(&console).await?);
    Ok(console.show(|ui| question(ui, of, &key, rotate_form(ui, of, &key), "machines.rotate_text")))
}

/// `POST /admin/organizations/{organization}/api-keys/{key}/rotate`: the new key, shown once.
async fn rotate(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, key) = (change.entered().organisation(), found(&change).await?);
    let overlap = change.text("overlap").parse::<u64>().ok().filter(|long| *long <= 30 * DAY);
    let overlap = Duration::from_secs(overlap.unwrap_or(DAY));
    match manage::rotate(change.app(), change.actor(), of.id, key.id, overlap, &change.origin).await {
        Ok(created) => Ok(change.show(|ui| once(ui, of, &created, "machines.rotate"))),
        Err(error) => {
            let (_, word) = said(error)?;
            Ok(change.again(|ui| {
                let wrong = [("", words::said(ui, word))];
                let form = rotate_form(ui, of, &key).typed(Some(&change.typed), &wrong);
                question(ui, of, &key, form, "machines.rotate_text")
            }))
        }
    }
}

fn revoke_form(ui: &Ui<'_>, of: &Organisation, key: &ApiKey) -> Form {
    let at = Tab::ApiKeys.path(of.id);
    Form::new("revoke", format!("{at}/{}/revoke", key.id), ui.t("machines.revoke")).grave().cancel(at)
}

/// `GET /admin/organizations/{organization}/api-keys/{key}/revoke`.
async fn ask_revoke(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, key) = (console.entered().organisation(), found(&console).await?);
    Ok(console.show(|ui| question(ui, of, &key, revoke_form(ui, of, &key), "machines.revoke_text")))
}

/// `POST /admin/organizations/{organization}/api-keys/{key}/revoke`.
async fn revoke(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, key) = (change.entered().organisation(), found(&change).await?);
    match manage::revoke(change.app(), change.actor(), of.id, key.id, &change.origin).await {
        Ok(()) => Ok(change.done(&Tab::ApiKeys.path(of.id), "revoked")),
        Err(error) => {
            let (_, word) = said(error)?;
            Ok(change.again(|ui| {
                let form = revoke_form(ui, of, &key).typed(None, &[("", words::said(ui, word))]);
                question(ui, of, &key, form, "machines.revoke_text")
            }))
        }
    }
}
