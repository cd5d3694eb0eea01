//! The members of an organisation: finding, adding, giving roles, suspending and removing them.

use actix_web::HttpResponse;

use super::list::standing;
use super::{Offer, Said, Tab, about_members, below, chosen_workspace, fact, sheet};
use crate::model::{Standing, UserId, WorkspaceId};
use crate::store::memberships::Held;
use crate::store::organisations::Organisation;
use crate::store::users::Sought;
use crate::tenancy::members::{self, Assignment, Described, Listed};
use crate::tenancy::users as people;
use crate::web::admin::access::{Change, Console};
use crate::web::admin::list::{LIMIT, List};
use crate::web::admin::users::label;
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Field, Form, Kind, Link, Sheet, Table, picked};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/organizations/{organization}/members" organisation see list;
    get "/admin/organizations/{organization}/members/new" tenant change new;
    post "/admin/organizations/{organization}/members/new" tenant change add;
    get "/admin/organizations/{organization}/members/{user}" organisation see show;
    get "/admin/organizations/{organization}/members/{user}/roles" organisation change edit_roles;
    post "/admin/organizations/{organization}/members/{user}/roles" organisation change set_roles;
    get "/admin/organizations/{organization}/members/{user}/suspend" organisation change ask_suspend;
    post "/admin/organizations/{organization}/members/{user}/suspend" organisation change suspend;
    post "/admin/organizations/{organization}/members/{user}/resume" organisation change resume;
    get "/admin/organizations/{organization}/members/{user}/remove" organisation destroy ask_remove;
    post "/admin/organizations/{organization}/members/{user}/remove" organisation destroy remove;
};

/// `GET /admin/organizations/{organization}/members`.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let of = console.entered().organisation();
    let (organisation, at) = (of.id, Tab::Members.path(of.id));
    let query = console.query()?;
    let list = List::new(&at, &query, &["q"]);
    let (sought, after) = (Sought::words_of(query.get("q").unwrap_or_default()), list.after()?);
    let seeks = !sought.is_empty();
    let search = move |db: &mut crate::store::Conn| members::search(db, organisation, &sought, after, LIMIT);
    let mut found = console.app().db.read(search).await?;
    let (next, first) = list.cut(&mut found, |one| one.described.member.id);
    let (may, runs) = (console.may_change(), console.entered().runs_instance());
    Ok(console.show(|ui| {
        let invite = Link::primary(ui.t("invites.send"), format!("{}/new", Tab::Invitations.path(of.id)));
        let add = Link::new(ui.t("members.add"), format!("{at}/new"));
        let acts = may.then(|| invite.clone()).into_iter().chain(runs.then_some(add)).collect();
        let seek = Form::search("seek", &at, ui.t("console.search"))
            .field(Field::new(Kind::Search, "q", ui.t("users.seek")).hint(ui.t("users.seek_hint")));
        let card = Card::plain("members").links(acts).form(seek.typed(Some(&query), &[]));
        let head = [ui.t("users.name"), ui.t("users.email"), ui.t("members.roles"), ui.t("orgs.state")];
        let table = Table::new(ui.t("members.title"), head)
            .rows(found.iter().map(|one| row(ui, of, one)))
            .pages(next, first);
        let card = match (found.is_empty(), seeks) {
            (true, true) => card.empty(ui.t("users.none_found"), Some(Link::new(ui.t("members.all"), &at))),
            (true, false) => card.empty(ui.t("members.none"), None),
            (false, _) => card.table(table),
        };
        sheet(ui, of, Tab::Members).lead(ui.t("members.lead")).card(card)
    }))
}

fn row(ui: &Ui<'_>, of: &Organisation, one: &Listed) -> Vec<Cell> {
    let Listed { described, email } = one;
    vec![
        Cell::link(label(&described.user, email.as_deref()), path(of, described.user.id)),
        Cell::text(email.clone().unwrap_or_default()),
        Cell::Many(described.roles.iter().map(role).collect()),
        standing(ui, described.member.status),
    ]
}

/// A role, and the workspace in which it is held.
fn role(held: &Held) -> Cell {
    match &held.workspace {
        None => Cell::text(&held.role.name),
        Some(of) => Cell::text(format!("{} ({})", held.role.name, of.name)),
    }
}

fn path(of: &Organisation, user: UserId) -> String {
    format!("{}/{user}", Tab::Members.path(of.id))
}

/// `GET /admin/organizations/{organization}/members/new`.
async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, offer) = (console.entered().organisation(), Offer::of(&console).await?);
    Ok(console.show(|ui| new_sheet(ui, of, new_form(ui, of, &offer))))
}

fn new_sheet(ui: &Ui<'_>, of: &Organisation, form: Form) -> Sheet {
    below(ui, of, Tab::Members, ui.t("members.add")).card(Card::plain("form-card").form(form))
}

fn new_form(ui: &Ui<'_>, of: &Organisation, offer: &Offer) -> Form {
    let at = Tab::Members.path(of.id);
    Form::new("add-member", format!("{at}/new"), ui.t("members.add"))
        .field(Field::text("user", ui.t("members.who")).hint(ui.t("members.who_hint")).required())
        .field(offer.roles(ui, &["member"]))
        .field(offer.workspaces(ui))
        .cancel(at)
}

/// `POST /admin/organizations/{organization}/members/new`.
async fn add(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let who = change.text("user").trim().to_owned();
    let user = change.app().db.read(move |db| people::find(db, &who)).await?;
    let added = match user {
        None => Err(("user", "members.no_user")),
        Some(user) => {
            let roles = picked(&change.typed, "roles");
            let assignment = Assignment { user: user.id, workspace: chosen_workspace(&change)?, roles };
            let added = members::add(change.app(), change.actor(), of.id, assignment, &change.origin);
            match added.await {
                Ok(_) => Ok(user.id),
                Err(error) => Err(about_members(error)?),
            }
        }
    };
    match added {
        Ok(user) => Ok(change.done(&path(of, user), "saved")),
        Err((field, key)) => {
            let offer = Offer::of(&change).await?;
            Ok(change.again(|ui| {
                let wrong = [(field, words::said(ui, key))];
                new_sheet(ui, of, new_form(ui, of, &offer).typed(Some(&change.typed), &wrong))
            }))
        }
    }
}

async fn found(console: &Console) -> Result<Described, PageFailure> {
    let (organisation, user) = (console.entered().organisation().id, console.named("user")?);
    let described = console.app().db.read(move |db| members::describe(db, organisation, user)).await?;
    described.ok_or(PageFailure::NotFound)
}

/// A page about one member.
fn about(ui: &Ui<'_>, of: &Organisation, one: &Described, title: impl Into<String>) -> Sheet {
    below(ui, of, Tab::Members, title).under(label(&one.user, None), path(of, one.user.id))
}

/// `GET /admin/organizations/{organization}/members/{user}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one, offer) =
        (console.entered().organisation(), found(&console).await?, Offer::of(&console).await?);
    let knows_users = console.entered().instance_role().is_some();
    let may = console.may_change();
    Ok(console.show(|ui| {
        below(ui, of, Tab::Members, label(&one.user, None))
            .card(facts(ui, &one, knows_users))
            .card(roles_card(ui, of, &one, &offer, may))
            .maybe(may.then(|| endings(ui, of, &one)))
    }))
}

fn facts(ui: &Ui<'_>, one: &Described, knows_users: bool) -> Card {
    let id = one.user.id;
    let account = match knows_users {
        true => Cell::link(id.to_string(), format!("/admin/users/{id}")),
        false => Cell::code(id.to_string()),
    };
    Card::plain("member").facts(vec![
        fact(ui, "orgs.state", standing(ui, one.member.status)),
        fact(ui, "members.account", account),
        fact(ui, "members.since", Cell::Time(one.member.created_at)),
        fact(ui, "users.last_seen", Cell::time(one.user.last_sign_in_at)),
    ])
}

fn roles_card(ui: &Ui<'_>, of: &Organisation, one: &Described, offer: &Offer, may: bool) -> Card {
    let card = Card::new("roles", ui.t("members.roles"));
    let at = format!("{}/roles", path(of, one.user.id));
    let mut places: Vec<(Option<WorkspaceId>, String)> = vec![(None, ui.t("members.everywhere").to_owned())];
    for held in &one.roles {
        if let Some(of) = &held.workspace
            && !places.iter().any(|(id, _)| *id == Some(of.id))
        {
            places.push((Some(of.id), of.name.clone()));
        }
    }
    let rows = places.into_iter().map(|(place, name)| {
        let of_place = |held: &&Held| held.workspace.as_ref().map(|of| of.id) == place;
        let names = one.roles.iter().filter(of_place).map(|held| Cell::text(&held.role.name)).collect();
        let edit = match place {
            None => at.clone(),
            Some(workspace) => format!("{at}?workspace={workspace}"),
        };
        let act = if may { Cell::link(ui.t("members.change_roles"), edit) } else { Cell::Nothing };
        vec![Cell::text(name), Cell::Many(names), act]
    });
    let head = [ui.t("members.where"), ui.t("members.roles"), ui.t("users.act")];
    let card = card.table(Table::new(ui.t("members.roles"), head).rows(rows));
    // The place is chosen first: what somebody has there already stands in the form.
    match may && !offer.workspaces.is_empty() {
        true => card.form(
            Form::search("another-place", at.clone(), ui.t("members.change_roles"))
                .field(offer.workspaces(ui)),
        ),
        false => card,
    }
}

fn endings(ui: &Ui<'_>, of: &Organisation, one: &Described) -> Card {
    let at = path(of, one.user.id);
    let card = Card::new("endings", ui.t("members.endings"));
    let remove = Link::grave(ui.t("members.remove"), format!("{at}/remove"));
    match one.member.status {
        Standing::Active => {
            card.links(vec![Link::grave(ui.t("members.suspend"), format!("{at}/suspend")), remove])
        }
        Standing::Suspended => {
            let resume = Button::new(ui.t("members.resume"), format!("{at}/resume"));
            card.buttons(vec![resume.about(label(&one.user, None))]).links(vec![remove])
        }
    }
}

/// `GET /admin/organizations/{organization}/members/{user}/roles`: the roles in one place.
async fn edit_roles(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one, offer) =
        (console.entered().organisation(), found(&console).await?, Offer::of(&console).await?);
    let query = console.query()?;
    let place: Option<WorkspaceId> = match query.get("workspace") {
        Some(id) => Some(id.parse().map_err(|_| PageFailure::NotFound)?),
        None => None,
    };
    if place.is_some_and(|place| offer.name_of(place).is_none()) {
        return Err(PageFailure::NotFound);
    }
    Ok(console.show(|ui| roles_sheet(ui, of, &one, roles_form(ui, of, &one, &offer, place))))
}

fn roles_sheet(ui: &Ui<'_>, of: &Organisation, one: &Described, form: Form) -> Sheet {
    about(ui, of, one, ui.t("members.change_roles")).card(Card::plain("form-card").form(form))
}

fn roles_form(
    ui: &Ui<'_>,
    of: &Organisation,
    one: &Described,
    offer: &Offer,
    place: Option<WorkspaceId>,
) -> Form {
    let at = path(of, one.user.id);
    let of_place = |held: &&Held| held.workspace.as_ref().map(|of| of.id) == place;
    let held: Vec<&str> = one.roles.iter().filter(of_place).map(|held| held.role.key.as_str()).collect();
    let place_name = place.and_then(|place| offer.name_of(place)).unwrap_or(ui.t("members.everywhere"));
    let mut roles = offer.roles(ui, &held);
    roles.label = format!("{}: {place_name}", roles.label);
    Form::new("set-roles", format!("{at}/roles"), ui.t("users.save"))
        .field(roles)
        .field(Field::hidden("workspace", place.map(|place| place.to_string()).unwrap_or_default()))
        .cancel(at)
}

/// `POST /admin/organizations/{organization}/members/{user}/roles`.
async fn set_roles(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let (user, place) = (change.named("user")?, chosen_workspace(&change)?);
    let assignment = Assignment { user, workspace: place, roles: picked(&change.typed, "roles") };
    match members::set_roles(change.app(), change.actor(), of.id, assignment, &change.origin).await {
        Ok(()) => Ok(change.done(&path(of, user), "saved")),
        Err(error) => {
            let (field, key) = about_members(error)?;
            let (one, offer) = (found(&change).await?, Offer::of(&change).await?);
            Ok(change.again(|ui| {
                let form = roles_form(ui, of, &one, &offer, place);
                roles_sheet(ui, of, &one, form.typed(Some(&change.typed), &[(field, words::said(ui, key))]))
            }))
        }
    }
}

/// A page that explains what will happen, with the button that does it, or why it cannot be done.
fn question(
    ui: &Ui<'_>,
    of: &Organisation,
    one: &Described,
    (act, title, text): (&'static str, &'static str, &'static str),
    wrong: Option<Said>,
) -> Sheet {
    let at = path(of, one.user.id);
    let form = Form::new(act, format!("{at}/{act}"), ui.t(title)).grave().cancel(at);
    let wrong: Vec<_> = wrong.map(|(_, key)| ("", words::said(ui, key))).into_iter().collect();
    let who = [("who", label(&one.user, None)), ("name", of.name.clone())];
    let card = Card::plain("question").text(ui.with(text, &who)).form(form.typed(None, &wrong));
    about(ui, of, one, ui.t(title)).card(card)
}

const SUSPEND: (&str, &str, &str) = ("suspend", "members.suspend", "members.suspend_text");
const REMOVE: (&str, &str, &str) = ("remove", "members.remove", "members.remove_text");

async fn ask_suspend(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (console.entered().organisation(), found(&console).await?);
    Ok(console.show(|ui| question(ui, of, &one, SUSPEND, None)))
}

/// `POST /admin/organizations/{organization}/members/{user}/suspend`.
async fn suspend(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (change.entered().organisation(), found(&change).await?);
    let user = one.user.id;
    match members::suspend(change.app(), change.actor(), of.id, user, &change.origin).await {
        Ok(()) => Ok(change.done(&path(of, user), "saved")),
        Err(error) => {
            let wrong = about_members(error)?;
            Ok(change.again(|ui| question(ui, of, &one, SUSPEND, Some(wrong))))
        }
    }
}

/// `POST /admin/organizations/{organization}/members/{user}/resume`.
async fn resume(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, user) = (change.entered().organisation(), change.named("user")?);
    match members::resume(change.app(), change.actor(), of.id, user, &change.origin).await {
        Ok(()) => Ok(change.done(&path(of, user), "saved")),
        Err(error) => {
            about_members(error)?;
            Err(PageFailure::Forbidden)
        }
    }
}

async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (console.entered().organisation(), found(&console).await?);
    Ok(console.show(|ui| question(ui, of, &one, REMOVE, None)))
}

/// `POST /admin/organizations/{organization}/members/{user}/remove`.
async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let (of, one) = (change.entered().organisation(), found(&change).await?);
    match members::remove(change.app(), change.actor(), of.id, one.user.id, &change.origin).await {
        Ok(()) => Ok(change.done(&Tab::Members.path(of.id), "removed")),
        Err(error) => {
            let wrong = about_members(error)?;
            Ok(change.again(|ui| question(ui, of, &one, REMOVE, Some(wrong))))
        }
    }
}
