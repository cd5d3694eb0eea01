//! One organisation: what holds in it, who administers it, and its suspension.

use actix_web::HttpResponse;

use super::list::{said, standing};
use super::{Said, Tab, below, fact, path_of, sheet};
use crate::model::Standing;
use crate::store::audit::{self, Event, Sought};
use crate::store::memberships;
use crate::store::organisations::Organisation;
use crate::store::users::User;
use crate::tenancy::organisations::{self as tenants, Change as Rules};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Field, Form, Link, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/organizations/{organization}" organisation see show;
    get "/admin/organizations/{organization}/edit" organisation change edit;
    post "/admin/organizations/{organization}/edit" organisation change save;
    get "/admin/organizations/{organization}/suspend" tenant destroy ask_suspend;
    post "/admin/organizations/{organization}/suspend" tenant destroy suspend;
    post "/admin/organizations/{organization}/resume" tenant change resume;
};

/// Events that the page shows.
const EVENTS: i64 = 20;

/// `GET /admin/organizations/{organization}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let of = console.entered().organisation();
    let organisation = of.id;
    let read = console.app().db.read(move |db| {
        let sought = Sought { organisation: Some(organisation), ..Sought::default() };
        Ok((memberships::administrators(db, organisation)?, audit::search(db, &sought, EVENTS)?))
    });
    let (administrators, events) = read.await?;
    let (may, runs) = (console.may_change(), console.entered().runs_instance());
    Ok(console.show(|ui| {
        sheet(ui, of, Tab::Overview)
            .card(facts(ui, of, may))
            .card(people(ui, of, &administrators, may))
            .card(history(ui, of, &events))
            .maybe(runs.then(|| ending(ui, of)))
    }))
}

fn facts(ui: &Ui<'_>, of: &Organisation, may: bool) -> Card {
    let yes_no = |yes: bool| Cell::text(if yes { ui.t("orgs.yes") } else { ui.t("orgs.no") });
    let facts = vec![
        fact(ui, "orgs.state", standing(ui, of.status)),
        fact(ui, "orgs.slug", Cell::code(&of.slug)),
        fact(ui, "users.id", Cell::code(of.id.to_string())),
        fact(ui, "orgs.require_mfa", yes_no(of.require_mfa)),
        fact(ui, "orgs.password_login", yes_no(of.password_login_allowed)),
        fact(ui, "orgs.since", Cell::Time(of.created_at)),
    ];
    let links = match may {
        true => vec![Link::new(ui.t("orgs.edit"), format!("{}/edit", path_of(of.id)))],
        false => Vec::new(),
    };
    Card::plain("organization").facts(facts).links(links)
}

fn people(ui: &Ui<'_>, of: &Organisation, administrators: &[User], may: bool) -> Card {
    let card = Card::new("administrators", ui.t("orgs.administrators"));
    if administrators.is_empty() {
        let on =
            may.then(|| Link::primary(ui.t("invites.send"), format!("{}/new", Tab::Invitations.path(of.id))));
        return card.tone(Tone::Bad).empty(ui.t("orgs.nobody"), on);
    }
    let at = Tab::Members.path(of.id);
    let rows = administrators.iter().map(|user| {
        vec![
            Cell::link(crate::web::admin::users::label(user, None), format!("{at}/{}", user.id)),
            Cell::time(user.last_sign_in_at),
        ]
    });
    let head = [ui.t("users.name"), ui.t("users.last_seen")];
    card.table(Table::new(ui.t("orgs.administrators"), head).rows(rows))
}

fn history(ui: &Ui<'_>, of: &Organisation, events: &[Event]) -> Card {
    let card = Card::new("history", ui.t("users.history"));
    if events.is_empty() {
        return card.empty(ui.t("users.no_history"), None);
    }
    let log = Tab::Audit.path(of.id);
    let table = words::events(ui, ui.t("users.history"), events, &log);
    card.table(table).links(vec![Link::new(ui.t("users.history_all"), log)])
}

fn ending(ui: &Ui<'_>, of: &Organisation) -> Card {
    let at = path_of(of.id);
    let card = Card::new("ending", ui.t("orgs.suspension"));
    match of.status {
        Standing::Active => card
            .text(ui.t("orgs.suspension_text"))
            .links(vec![Link::grave(ui.t("orgs.suspend"), format!("{at}/suspend"))]),
        Standing::Suspended => {
            card.buttons(vec![Button::new(ui.t("orgs.resume"), format!("{at}/resume")).about(&of.name)])
        }
    }
}

/// `GET /admin/organizations/{organization}/edit`.
async fn edit(console: Console) -> Result<HttpResponse, PageFailure> {
    let of = console.entered().organisation();
    Ok(console.show(|ui| {
        below(ui, of, Tab::Overview, ui.t("orgs.edit")).card(Card::plain("edit").form(form(ui, of)))
    }))
}

fn form(ui: &Ui<'_>, of: &Organisation) -> Form {
    let at = path_of(of.id);
    let password = Field::check("password_login", ui.t("orgs.password_login"), of.password_login_allowed);
    let mfa = Field::check("require_mfa", ui.t("orgs.require_mfa"), of.require_mfa);
    Form::new("edit-organization", format!("{at}/edit"), ui.t("users.save"))
        .field(Field::text("name", ui.t("orgs.name")).value(&of.name).required())
        .field(mfa.hint(ui.t("orgs.require_mfa_hint")))
        .field(password.hint(ui.t("orgs.password_login_hint")))
        .cancel(at)
}

/// `POST /admin/organizations/{organization}/edit`.
async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let rules = Rules {
        name: Some(change.text("name").to_owned()),
        require_mfa: Some(change.is_checked("require_mfa")),
        password_login_allowed: Some(change.is_checked("password_login")),
    };
    match tenants::change(change.app(), change.actor(), of.id, rules, &change.origin).await {
        Ok(_) => Ok(change.done(&path_of(of.id), "saved")),
        Err(error) => {
            let (field, key): Said = said(error)?;
            Ok(change.again(|ui| {
                let form = form(ui, of).typed(Some(&change.typed), &[(field, words::said(ui, key))]);
                below(ui, of, Tab::Overview, ui.t("orgs.edit")).card(Card::plain("edit").form(form))
            }))
        }
    }
}

/// `GET /admin/organizations/{organization}/suspend`.
async fn ask_suspend(console: Console) -> Result<HttpResponse, PageFailure> {
    let of = console.entered().organisation();
    Ok(console.show(|ui| {
        let at = path_of(of.id);
        let form = Form::new("suspend", format!("{at}/suspend"), ui.t("orgs.suspend")).grave().cancel(at);
        let text = ui.with("orgs.suspend_text", &[("name", of.name.as_str())]);
        below(ui, of, Tab::Overview, ui.t("orgs.suspend")).card(Card::plain("question").text(text).form(form))
    }))
}

/// `POST /admin/organizations/{organization}/suspend`.
async fn suspend(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation().id;
    match tenants::suspend(change.app(), of, &change.origin).await {
        Ok(()) => Ok(change.done(&path_of(of), "saved")),
        Err(error) => Err(said(error).err().unwrap_or(PageFailure::NotFound)),
    }
}

/// `POST /admin/organizations/{organization}/resume`.
async fn resume(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation().id;
    match tenants::resume(change.app(), of, &change.origin).await {
        Ok(()) => Ok(change.done(&path_of(of), "saved")),
        Err(error) => Err(said(error).err().unwrap_or(PageFailure::NotFound)),
    }
}
