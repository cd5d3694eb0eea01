//! The list of organisations, and making one.

use actix_web::HttpResponse;

use super::{PATH, Said, path_of};
use crate::model::{EmailAddress, Standing};
use crate::store::organisations::{self, Organisation};
use crate::store::users::Sought;
use crate::tenancy::organisations::{self as tenants, OrganisationError};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::list::{LIMIT, List};
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Pick, Place, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/organizations" front see list;
    get "/admin/organizations/new" instance change new;
    post "/admin/organizations/new" instance change create;
};

/// `GET /admin/organizations`: all of them, or for whoever administers some, these.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let list = List::new(PATH, &query, &["q", "status"]);
    let sought = Sought::words_of(query.get("q").unwrap_or_default());
    let status = query.get("status").and_then(Standing::parse);
    let seeks = !sought.is_empty() || status.is_some();
    let before = list.after()?;
    let mut found = match console.entered().instance_role() {
        Some(_) => {
            let search =
                move |db: &mut crate::store::Conn| organisations::search(db, &sought, status, before, LIMIT);
            console.app().db.read(search).await?
        }
        None => own(&console, &sought),
    };
    let (next, first) = list.cut(&mut found, |one| one.id);
    Ok(console.show(|ui| {
        let mut acts = Vec::new();
        if console.may_change() {
            acts.push(Link::primary(ui.t("orgs.new"), "/admin/organizations/new"));
        }
        let head = [ui.t("orgs.name"), ui.t("orgs.slug"), ui.t("orgs.state"), ui.t("orgs.since")];
        let table = Table::new(ui.t("console.place.organisations"), head)
            .rows(found.iter().map(|one| row(ui, one)))
            .pages(next, first);
        let card = Card::plain("organizations").links(acts).form(seek(ui).typed(Some(&query), &[]));
        let card = match (found.is_empty(), seeks) {
            (true, true) => card.empty(ui.t("orgs.none_found"), Some(Link::new(ui.t("orgs.all"), PATH))),
            (true, false) => card.empty(ui.t("orgs.none"), None),
            (false, _) => card.table(table),
        };
        Sheet::new(Place::Organisations, ui.t("console.place.organisations"))
            .lead(ui.t("orgs.lead"))
            .card(card)
    }))
}

/// Those that they administer, the newest first. Who belongs to an organisation that is suspended acts nowhere in it.
fn own(console: &Console, sought: &[String]) -> Vec<Organisation> {
    let matches = |one: &&Organisation| {
        let text = format!("{} {}", one.name.to_lowercase(), one.slug);
        sought.iter().all(|word| text.contains(word))
    };
    console.entered().administered().iter().rev().filter(matches).cloned().collect()
}

fn seek(ui: &Ui<'_>) -> Form {
    let statuses = vec![
        Pick::new("", ui.t("console.any")),
        Pick::new("active", ui.t("orgs.active")),
        Pick::new("suspended", ui.t("orgs.suspended")),
    ];
    Form::search("seek", PATH, ui.t("console.search"))
        .field(Field::new(Kind::Search, "q", ui.t("orgs.seek")).hint(ui.t("users.seek_hint")))
        .field(Field::new(Kind::Select(statuses), "status", ui.t("orgs.state")))
}

fn row(ui: &Ui<'_>, one: &Organisation) -> Vec<Cell> {
    vec![
        Cell::link(&one.name, path_of(one.id)),
        Cell::code(&one.slug),
        standing(ui, one.status),
        Cell::Time(one.created_at),
    ]
}

pub fn standing(ui: &Ui<'_>, status: Standing) -> Cell {
    match status {
        Standing::Active => Cell::tag(Tone::Good, ui.t("orgs.active")),
        Standing::Suspended => Cell::tag(Tone::Bad, ui.t("orgs.suspended")),
    }
}

/// `GET /admin/organizations/new`.
async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    Ok(console.show(|ui| new_sheet(ui, new_form(ui))))
}

fn new_sheet(ui: &Ui<'_>, form: Form) -> Sheet {
    Sheet::new(Place::Organisations, ui.t("orgs.new"))
        .under(ui.t("console.place.organisations"), PATH)
        .card(Card::plain("form-card").form(form))
}

fn new_form(ui: &Ui<'_>) -> Form {
    Form::new("new-organization", "/admin/organizations/new", ui.t("users.create"))
        .field(Field::text("name", ui.t("orgs.name")).required())
        .field(Field::text("slug", ui.t("orgs.slug")).hint(ui.t("orgs.slug_hint")).required())
        .field(Field::new(Kind::Email, "administrator", ui.t("orgs.first")).hint(ui.t("orgs.first_hint")))
        .cancel(PATH)
}

/// `POST /admin/organizations/new`. The administrator is added or invited once the organisation is there: if that fails,
/// its page says that nobody administers it, and what to do.
async fn create(change: Change) -> Result<HttpResponse, PageFailure> {
    let again = |(field, key): Said| {
        change.again(|ui| {
            let wrong = [(field, words::said(ui, key))];
            new_sheet(ui, new_form(ui).typed(Some(&change.typed), &wrong))
        })
    };
    let administrator = match change.text("administrator").trim() {
        "" => None,
        typed => match EmailAddress::parse(typed) {
            Ok(email) => Some(email),
            Err(_) => return Ok(again(("administrator", "users.bad_email"))),
        },
    };
    let (slug, name) = (change.text("slug"), change.text("name"));
    let made = match tenants::create(change.app(), slug, name, &change.origin).await {
        Ok(created) => created.organisation,
        Err(error) => return Ok(again(said(error)?)),
    };
    if let Some(email) = administrator {
        let language = change.language();
        let actor = change.actor();
        let given =
            tenants::give_administrator(change.app(), actor, made.id, email, language, &change.origin);
        if let Err(error) = given.await {
            super::invitations::said(error)?;
        }
    }
    Ok(change.done(&path_of(made.id), "created"))
}

pub fn said(error: OrganisationError) -> Result<Said, PageFailure> {
    Ok(match error {
        OrganisationError::BadSlug(_) => ("slug", "orgs.bad_slug"),
        OrganisationError::BadName => ("name", "orgs.bad_name"),
        OrganisationError::SlugTaken => ("slug", "orgs.slug_taken"),
        OrganisationError::NotPermitted(_) => ("", "orgs.not_permitted"),
        OrganisationError::NoSuchOrganisation => return Err(PageFailure::NotFound),
        OrganisationError::Throttled(throttled) => return Err(throttled.into()),
        OrganisationError::Store(error) => return Err(error.into()),
    })
}
