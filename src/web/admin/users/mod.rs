//! `/admin/users`: finding, making and helping people.
//!
//! A new password is started, never chosen (AD-4): the person gets a link. What ends something for them is first explained
//! on a page of its own.

mod edit;
mod end;
mod new;
mod show;

use actix_web::HttpResponse;

use super::access::{Change, Console};
use super::list::{LIMIT, List};
use super::{Route, table};
use crate::identity::limits::Throttled;
use crate::identity::link::AskError;
use crate::identity::recovery;
use crate::model::{InstanceRole, Status, UserId};
use crate::store::users::{Email, Sought, User};
use crate::tenancy::directory::{self, Dossier, Entry};
use crate::tenancy::users::UserError;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Kind, Link, Pick, Place, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/users" instance see list;
    get "/admin/users/new" instance change new::new;
    post "/admin/users/new" instance change new::create;
    get "/admin/users/invite" instance change new::invitation;
    post "/admin/users/invite" instance change new::invite;
    get "/admin/users/{user}" instance see show::show;
    get "/admin/users/{user}/edit" instance change edit::edit;
    post "/admin/users/{user}/edit" instance change edit::save;
    post "/admin/users/{user}/verify" instance change edit::verify;
    post "/admin/users/{user}/reset-password" instance change edit::reset_password;
    get "/admin/users/{user}/role" instance destroy edit::role;
    post "/admin/users/{user}/role" instance destroy edit::set_role;
    get "/admin/users/{user}/reset-factors" instance destroy end::ask_reset_factors;
    post "/admin/users/{user}/reset-factors" instance destroy end::reset_factors;
    get "/admin/users/{user}/end-sessions" instance change end::ask_end_sessions;
    post "/admin/users/{user}/end-sessions" instance change end::end_sessions;
    post "/admin/users/{user}/end-session" instance change end::end_session;
    get "/admin/users/{user}/disable" instance destroy end::ask_disable;
    post "/admin/users/{user}/disable" instance destroy end::disable;
    post "/admin/users/{user}/enable" instance change end::enable;
    get "/admin/users/{user}/remove" instance destroy end::ask_remove;
    post "/admin/users/{user}/remove" instance destroy end::remove;
    post "/admin/users/{user}/export" instance destroy end::export_all;
};

const PATH: &str = "/admin/users";

fn path_of(user: UserId) -> String {
    format!("{PATH}/{user}")
}

/// How a person is called in a list: the name, else the address, else the id.
pub fn label(user: &User, email: Option<&str>) -> String {
    match (user.name.trim(), email) {
        ("", Some(email)) => email.to_owned(),
        ("", None) => user.id.to_string(),
        (name, _) => name.to_owned(),
    }
}

fn role_word(ui: &Ui<'_>, role: InstanceRole) -> &'static str {
    match role {
        InstanceRole::Administrator => ui.t("users.role.administrator"),
        InstanceRole::Support => ui.t("users.role.support"),
    }
}

/// `GET /admin/users`.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let list = List::new(PATH, &query, &["q", "status", "role"]);
    let sought = Sought {
        words: Sought::words_of(query.get("q").unwrap_or_default()),
        status: query.get("status").and_then(Status::parse),
        instance_role: query.get("role").and_then(InstanceRole::parse),
    };
    let seeks = sought != Sought::default();
    let mut found = directory::search(console.app(), sought, list.after()?, LIMIT).await?;
    let (next, first) = list.cut(&mut found, |entry| entry.user.id);
    Ok(console.show(|ui| {
        let mut acts = Vec::new();
        if console.may_change() {
            acts.push(Link::primary(ui.t("users.new"), "/admin/users/new"));
            acts.push(Link::new(ui.t("users.invite"), "/admin/users/invite"));
        }
        let head = [ui.t("users.name"), ui.t("users.email"), ui.t("users.state"), ui.t("users.last_seen")];
        let table = Table::new(ui.t("console.place.users"), head)
            .rows(found.iter().map(|entry| row(ui, entry)))
            .pages(next, first);
        let card = Card::plain("users").links(acts).form(seek(ui).typed(Some(&query), &[]));
        let card = match (found.is_empty(), seeks) {
            (true, true) => card.empty(ui.t("users.none_found"), Some(Link::new(ui.t("users.all"), PATH))),
            (true, false) => card.empty(ui.t("users.none"), None),
            (false, _) => card.table(table),
        };
        Sheet::new(Place::Users, ui.t("console.place.users")).lead(ui.t("users.lead")).card(card)
    }))
}

fn seek(ui: &Ui<'_>) -> Form {
    let statuses = vec![
        Pick::new("", ui.t("console.any")),
        Pick::new("active", ui.t("users.active")),
        Pick::new("disabled", ui.t("users.disabled")),
    ];
    let roles = vec![
        Pick::new("", ui.t("console.any")),
        Pick::new("administrator", ui.t("users.role.administrator")),
        Pick::new("support", ui.t("users.role.support")),
    ];
    Form::search("seek", PATH, ui.t("console.search"))
        .field(Field::new(Kind::Search, "q", ui.t("users.seek")).hint(ui.t("users.seek_hint")))
        .field(Field::new(Kind::Select(statuses), "status", ui.t("users.state")))
        .field(Field::new(Kind::Select(roles), "role", ui.t("users.instance_role")))
}

fn row(ui: &Ui<'_>, entry: &Entry) -> Vec<Cell> {
    let (user, email) = (&entry.user, entry.email.as_ref());
    let address = email.map(|email| email.address.as_str());
    vec![
        Cell::link(label(user, address), path_of(user.id)),
        email.map_or(Cell::Nothing, |email| verified_or_not(ui, email)),
        state(ui, user),
        Cell::time(user.last_sign_in_at),
    ]
}

fn verified_or_not(ui: &Ui<'_>, email: &Email) -> Cell {
    let address = Cell::text(&email.address);
    match email.verified_at {
        Some(_) => address,
        None => Cell::Many(vec![address, Cell::tag(Tone::Plain, ui.t("users.unverified"))]),
    }
}

fn state(ui: &Ui<'_>, user: &User) -> Cell {
    let status = match user.status {
        Status::Active => Cell::tag(Tone::Good, ui.t("users.active")),
        Status::Disabled => Cell::tag(Tone::Bad, ui.t("users.disabled")),
    };
    let role = user.instance_role.map(|role| Cell::tag(Tone::Plain, role_word(ui, role)));
    Cell::Many(std::iter::once(status).chain(role).collect())
}

/// The field that an error is about, and what is said of it.
fn wrong(error: &UserError) -> Option<(&'static str, &'static str)> {
    Some(match error {
        UserError::BadName => ("name", "users.bad_name"),
        UserError::BadUsername => ("username", "users.bad_username"),
        UserError::EmailTaken => ("email", "users.email_taken"),
        UserError::UsernameTaken => ("username", "users.username_taken"),
        UserError::Needed(_) => ("", "users.needed"),
        _ => return None,
    })
}

fn failure(error: UserError) -> PageFailure {
    match error {
        UserError::NoSuchUser | UserError::NoSuchEmail => PageFailure::NotFound,
        UserError::Busy(busy) => busy.into(),
        UserError::Store(error) => error.into(),
        other => PageFailure::Internal(other.to_string()),
    }
}

/// Sends the link with which a password is chosen. An address gets so many mails and no more.
async fn send_link(change: &Change, email: &str) -> Result<Result<(), Throttled>, PageFailure> {
    let asked = recovery::Asked {
        email: email.to_owned(),
        language: change.language(),
        device: None,
        request: None,
        return_to: None,
    };
    match recovery::request(change.app(), asked, &change.origin).await {
        Ok(()) => Ok(Ok(())),
        Err(AskError::Throttled(throttled)) => Ok(Err(throttled)),
        Err(AskError::Store(error)) => Err(error.into()),
        Err(AskError::BadEmail) => Err(PageFailure::NotFound),
    }
}

async fn found(console: &Console) -> Result<Dossier, PageFailure> {
    let user: UserId = console.named("user")?;
    directory::dossier(console.app(), user).await?.ok_or(PageFailure::NotFound)
}

fn address(dossier: &Dossier) -> Option<&str> {
    dossier.emails.first().map(|email| email.address.as_str())
}

/// A page about one user.
fn about(ui: &Ui<'_>, dossier: &Dossier, title: impl Into<String>) -> Sheet {
    Sheet::new(Place::Users, title)
        .under(ui.t("console.place.users"), PATH)
        .under(label(&dossier.user, address(dossier)), path_of(dossier.user.id))
}
