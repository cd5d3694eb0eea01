//! `/admin/users`: finding, making and helping people.
//!
//! A new password is started, never chosen (AD-4): the person gets a link. What ends something for them is first explained
//! on a page of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue};

use super::access::{Change, Console};
use super::list::{LIMIT, List};
use super::{Route, table, words};
use crate::app::App;
use crate::identity::account::{export, profile};
use crate::identity::factor::manage;
use crate::identity::link::AskError;
use crate::identity::recovery;
use crate::model::{EmailAddress, InstanceRole, Language, Status, UserId};
use crate::store::users::Sought;
use crate::tenancy::directory::{self, Dossier, Entry};
use crate::tenancy::links::{self, InviteError};
use crate::tenancy::users::{self, End, Needs, NewUser, UserError};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{
    Button, Card, Cell, Field, Form, Item, Kind, Link, Pick, Place, Sheet, Table, Tone,
};
use crate::web::page::methods_in_words;
use crate::web::respond;
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/users" instance see list;
    get "/admin/users/new" instance change new;
    post "/admin/users/new" instance change create;
    get "/admin/users/invite" instance change invitation;
    post "/admin/users/invite" instance change invite;
    get "/admin/users/{user}" instance see show;
    get "/admin/users/{user}/edit" instance change edit;
    post "/admin/users/{user}/edit" instance change save;
    post "/admin/users/{user}/verify" instance change verify;
    post "/admin/users/{user}/reset-password" instance change reset_password;
    get "/admin/users/{user}/role" instance destroy role;
    post "/admin/users/{user}/role" instance destroy set_role;
    get "/admin/users/{user}/reset-factors" instance destroy ask_reset_factors;
    post "/admin/users/{user}/reset-factors" instance destroy reset_factors;
    get "/admin/users/{user}/end-sessions" instance change ask_end_sessions;
    post "/admin/users/{user}/end-sessions" instance change end_sessions;
    post "/admin/users/{user}/end-session" instance change end_session;
    get "/admin/users/{user}/disable" instance destroy ask_disable;
    post "/admin/users/{user}/disable" instance destroy disable;
    post "/admin/users/{user}/enable" instance change enable;
    get "/admin/users/{user}/remove" instance destroy ask_remove;
    post "/admin/users/{user}/remove" instance destroy remove;
    post "/admin/users/{user}/export" instance destroy export_all;
};

const PATH: &str = "/admin/users";

fn path_of(user: UserId) -> String {
    format!("{PATH}/{user}")
}

/// How a person is called in a list: the name, else the address, else the id.
pub fn label(user: &crate::store::users::User, email: Option<&str>) -> String {
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

fn verified_or_not(ui: &Ui<'_>, email: &crate::store::users::Email) -> Cell {
    let address = Cell::text(&email.address);
    match email.verified_at {
        Some(_) => address,
        None => Cell::Many(vec![address, Cell::tag(Tone::Plain, ui.t("users.unverified"))]),
    }
}

fn state(ui: &Ui<'_>, user: &crate::store::users::User) -> Cell {
    let status = match user.status {
        Status::Active => Cell::tag(Tone::Good, ui.t("users.active")),
        Status::Disabled => Cell::tag(Tone::Bad, ui.t("users.disabled")),
    };
    let role = user.instance_role.map(|role| Cell::tag(Tone::Plain, role_word(ui, role)));
    Cell::Many(std::iter::once(status).chain(role).collect())
}

/// `GET /admin/users/new`.
async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    Ok(console.show(|ui| form_sheet(ui, "users.new", new_form(ui))))
}

fn form_sheet(ui: &Ui<'_>, title: &'static str, form: Form) -> Sheet {
    Sheet::new(Place::Users, ui.t(title))
        .under(ui.t("console.place.users"), PATH)
        .card(Card::plain("form-card").form(form))
}

fn new_form(ui: &Ui<'_>) -> Form {
    Form::new("new-user", "/admin/users/new", ui.t("users.create"))
        .field(Field::new(Kind::Email, "email", ui.t("users.email")).required())
        .field(Field::text("name", ui.t("users.name")).required())
        .field(Field::text("username", ui.t("users.username")).hint(ui.t("users.username_hint")))
        .field(Field::check("verified", ui.t("users.vouch"), false).hint(ui.t("users.vouch_hint")))
        .field(Field::check("mail", ui.t("users.mail_link"), true).hint(ui.t("users.mail_link_hint")))
        .cancel(PATH)
}

/// `POST /admin/users/new`: an account without a password; the person is sent a link to choose one.
async fn create(change: Change) -> Result<HttpResponse, PageFailure> {
    let again = |wrong: Vec<(&'static str, &'static str)>| {
        change.again(|ui| {
            let wrong: Vec<(&str, String)> =
                wrong.iter().map(|(field, key)| (*field, words::said(ui, key))).collect();
            form_sheet(ui, "users.new", new_form(ui).typed(Some(&change.typed), &wrong))
        })
    };
    let Ok(email) = EmailAddress::parse(change.text("email")) else {
        return Ok(again(vec![("email", "users.bad_email")]));
    };
    let new = NewUser {
        email: email.clone(),
        email_verified: change.is_checked("verified"),
        name: change.text("name").to_owned(),
        username: change.typed.get("username").map(str::to_owned),
        password: None,
        instance_role: None,
        claims: BTreeMap::new(),
    };
    match users::create(change.app(), new, &change.origin).await {
        Ok(user) => {
            if change.is_checked("mail") {
                send_link(&change, email.as_str()).await?;
            }
            Ok(change.done(&path_of(user), "created"))
        }
        Err(error) => match wrong(&error) {
            Some(field) => Ok(again(vec![field])),
            None => Err(failure(error)),
        },
    }
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

/// Sends the link with which a password is chosen. Too many mails are too many for whoever asks for them too.
async fn send_link(change: &Change, email: &str) -> Result<(), PageFailure> {
    let asked = recovery::Asked {
        email: email.to_owned(),
        language: change.language(),
        device: None,
        request: None,
        return_to: None,
    };
    match recovery::request(change.app(), asked, &change.origin).await {
        Ok(()) => Ok(()),
        Err(AskError::Throttled(throttled)) => Err(throttled.into()),
        Err(AskError::Store(error)) => Err(error.into()),
        Err(AskError::BadEmail) => Err(PageFailure::NotFound),
    }
}

/// `GET /admin/users/invite`.
async fn invitation(console: Console) -> Result<HttpResponse, PageFailure> {
    Ok(console.show(|ui| form_sheet(ui, "users.invite", invite_form(ui))))
}

fn invite_form(ui: &Ui<'_>) -> Form {
    let lives = vec![
        Pick::new("1", ui.span(Duration::from_secs(86_400))),
        Pick::new("7", ui.span(Duration::from_secs(7 * 86_400))).picked(true),
        Pick::new("30", ui.span(Duration::from_secs(30 * 86_400))),
    ];
    Form::new("invite-user", "/admin/users/invite", ui.t("users.invite"))
        .field(Field::new(Kind::Email, "email", ui.t("users.email")).required())
        .field(Field::new(Kind::Select(lives), "days", ui.t("users.link_lasts")))
        .cancel(PATH)
}

/// `POST /admin/users/invite`: the link, shown once.
async fn invite(change: Change) -> Result<HttpResponse, PageFailure> {
    let again = |field: &'static str, key: &'static str| {
        change.again(|ui| {
            let wrong = [(field, words::said(ui, key))];
            form_sheet(ui, "users.invite", invite_form(ui).typed(Some(&change.typed), &wrong))
        })
    };
    let Ok(email) = EmailAddress::parse(change.text("email")) else {
        return Ok(again("email", "users.bad_email"));
    };
    let days = match change.text("days") {
        "1" => 1,
        "30" => 30,
        _ => 7,
    };
    let lasts = Duration::from_secs(days * 86_400);
    match links::invite(change.app(), &email, lasts, &change.origin).await {
        Ok(secret) => {
            let link = change.app().config.issuer.at(&format!("/register/{}", secret.expose()));
            Ok(change.show(|ui| {
                let text = ui.with("users.invited", &[("email", email.as_str()), ("span", &ui.span(lasts))]);
                let card =
                    Card::plain("invited").item(Item::Note(Tone::Good, text)).code(ui.t("users.link"), &link);
                Sheet::new(Place::Users, ui.t("users.invite"))
                    .under(ui.t("console.place.users"), PATH)
                    .card(card.links(vec![Link::new(ui.t("users.all"), PATH)]))
            }))
        }
        Err(InviteError::EmailTaken) => Ok(again("email", "users.email_taken")),
        Err(InviteError::Closed) => Ok(again("", "users.registration_closed")),
        Err(InviteError::Store(error)) => Err(error.into()),
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

/// `GET /admin/users/{user}`.
async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    let may = console.may_change();
    Ok(console.show(|ui| {
        Sheet::new(Place::Users, label(&dossier.user, address(&dossier)))
            .under(ui.t("console.place.users"), PATH)
            .card(person(ui, &dossier, may))
            .card(addresses(ui, &dossier, may))
            .card(ways_in(ui, &dossier, may))
            .card(places(ui, &dossier))
            .card(browsers(ui, &dossier, may))
            .card(history(ui, &dossier))
            .maybe(may.then(|| endings(ui, &dossier)))
    }))
}

fn person(ui: &Ui<'_>, dossier: &Dossier, may: bool) -> Card {
    let user = &dossier.user;
    let fact = |key: &'static str, cell: Cell| (ui.t(key).to_owned(), cell);
    let facts = vec![
        fact("users.state", state(ui, user)),
        fact("users.id", Cell::code(user.id.to_string())),
        fact("users.username", Cell::text(user.username.clone().unwrap_or_default())),
        fact("users.locale", Cell::text(user.locale.clone().unwrap_or_default())),
        fact("users.zone", Cell::text(user.zoneinfo.clone().unwrap_or_default())),
        fact("users.since", Cell::Time(user.created_at)),
        fact("users.last_seen", Cell::time(user.last_sign_in_at)),
    ];
    let at = path_of(user.id);
    let links = match may {
        true => vec![
            Link::new(ui.t("users.edit"), format!("{at}/edit")),
            Link::new(ui.t("users.set_role"), format!("{at}/role")),
        ],
        false => Vec::new(),
    };
    Card::plain("person").facts(facts).links(links)
}

fn addresses(ui: &Ui<'_>, dossier: &Dossier, may: bool) -> Card {
    let at = path_of(dossier.user.id);
    let rows = dossier.emails.iter().map(|email| {
        let mut states = vec![match email.verified_at {
            Some(_) => Cell::tag(Tone::Good, ui.t("users.verified")),
            None => Cell::tag(Tone::Plain, ui.t("users.unverified")),
        }];
        if email.is_primary {
            states.push(Cell::tag(Tone::Plain, ui.t("users.primary")));
        }
        let act = match email.verified_at.is_none() && may {
            true => Cell::Button(
                Button::new(ui.t("users.verify"), format!("{at}/verify"))
                    .with("email", &email.address)
                    .about(&email.address),
            ),
            false => Cell::Nothing,
        };
        vec![Cell::text(&email.address), Cell::Many(states), act]
    });
    let head = [ui.t("users.email"), ui.t("users.state"), ui.t("users.act")];
    let card = Card::new("addresses", ui.t("users.addresses"));
    match dossier.emails.is_empty() {
        true => card.empty(ui.t("users.no_address"), None),
        false => card.table(Table::new(ui.t("users.addresses"), head).rows(rows)),
    }
}

fn ways_in(ui: &Ui<'_>, dossier: &Dossier, may: bool) -> Card {
    let yes_since = |at: Option<crate::clock::Timestamp>| at.map_or(Cell::Nothing, Cell::Time);
    let password = match dossier.has_password {
        true => yes_since(dossier.password_changed_at),
        false => Cell::text(ui.t("users.no_password")),
    };
    let passkeys: Vec<Cell> =
        dossier.factors.passkeys.iter().map(|passkey| Cell::text(&passkey.name)).collect();
    let identities: Vec<Cell> = dossier
        .identities
        .iter()
        .map(|identity| Cell::text(format!("{} · {}", identity.provider_id, identity.label)))
        .collect();
    let many = |cells: Vec<Cell>| if cells.is_empty() { Cell::Nothing } else { Cell::Many(cells) };
    let fact = |key: &'static str, cell: Cell| (ui.t(key).to_owned(), cell);
    let mut facts = vec![
        fact("users.password_since", password),
        fact("users.totp_since", yes_since(dossier.factors.totp_since)),
        fact("users.passkeys", many(passkeys)),
        fact("users.recovery_codes", Cell::text(dossier.factors.recovery_codes.to_string())),
        fact("users.identities", many(identities)),
    ];
    if let Some(since) = dossier.factor_demanded_at {
        facts.push(fact("users.factor_demanded", Cell::Time(since)));
    }
    let at = path_of(dossier.user.id);
    let card = Card::new("ways-in", ui.t("users.ways_in")).facts(facts);
    match may {
        true => card
            .buttons(match dossier.emails.is_empty() {
                true => Vec::new(),
                false => vec![Button::new(ui.t("users.send_reset"), format!("{at}/reset-password"))],
            })
            .links(vec![Link::grave(ui.t("users.reset_factors"), format!("{at}/reset-factors"))]),
        false => card,
    }
}

fn places(ui: &Ui<'_>, dossier: &Dossier) -> Card {
    let card = Card::new("memberships", ui.t("users.memberships"));
    if dossier.memberships.is_empty() && dossier.suspended_in.is_empty() {
        let on = Link::new(ui.t("console.place.organisations"), Place::Organisations.path());
        return card.empty(ui.t("users.no_memberships"), Some(on));
    }
    let active = dossier.memberships.iter().map(|membership| {
        let roles = membership.roles.iter().map(|role| Cell::text(&role.name));
        let parts = membership.workspaces.iter().flat_map(|part| {
            part.roles.iter().map(|role| Cell::text(format!("{} ({})", role.name, part.workspace.name)))
        });
        vec![
            Cell::link(
                &membership.organisation.name,
                format!("/admin/organizations/{}", membership.organisation.slug),
            ),
            Cell::Many(roles.chain(parts).collect()),
        ]
    });
    let suspended = dossier
        .suspended_in
        .iter()
        .map(|name| vec![Cell::text(name), Cell::tag(Tone::Bad, ui.t("users.suspended"))]);
    let head = [ui.t("users.organisation"), ui.t("users.roles")];
    card.table(Table::new(ui.t("users.memberships"), head).rows(active.chain(suspended)))
}

fn browsers(ui: &Ui<'_>, dossier: &Dossier, may: bool) -> Card {
    let at = path_of(dossier.user.id);
    let card = Card::new("sessions", ui.t("users.sessions"));
    if dossier.sessions.is_empty() {
        return card.empty(ui.t("users.no_sessions"), None);
    }
    let rows = dossier.sessions.iter().map(|seen| {
        let session = &seen.session;
        let browser = crate::model::user_agent::readable(session.user_agent.as_deref().unwrap_or_default());
        let end = Button::new(ui.t("users.end"), format!("{at}/end-session"))
            .with("session", session.id.to_string())
            .about(&browser);
        vec![
            Cell::text(browser),
            Cell::text(session.ip.clone().unwrap_or_default()),
            Cell::text(methods_in_words(ui, &seen.methods)),
            Cell::Time(session.last_seen_at),
            if may { Cell::Button(end) } else { Cell::Nothing },
        ]
    });
    let head = [
        ui.t("users.browser"),
        ui.t("users.ip"),
        ui.t("users.by"),
        ui.t("users.last_seen"),
        ui.t("users.act"),
    ];
    let card = card.table(Table::new(ui.t("users.sessions"), head).rows(rows));
    match may {
        true => card.links(vec![Link::new(ui.t("users.end_all"), format!("{at}/end-sessions"))]),
        false => card,
    }
}

fn history(ui: &Ui<'_>, dossier: &Dossier) -> Card {
    let card = Card::new("history", ui.t("users.history"));
    let all = Link::new(ui.t("users.history_all"), format!("/admin/audit?user={}", dossier.user.id));
    if dossier.events.is_empty() {
        return card.empty(ui.t("users.no_history"), None);
    }
    card.table(words::events(ui, ui.t("users.history"), &dossier.events)).links(vec![all])
}

fn endings(ui: &Ui<'_>, dossier: &Dossier) -> Card {
    let at = path_of(dossier.user.id);
    let card = Card::new("endings", ui.t("users.endings"));
    let export = Button::new(ui.t("users.export"), format!("{at}/export"));
    let remove = Link::grave(ui.t("users.remove"), format!("{at}/remove"));
    match dossier.user.status {
        Status::Active => card
            .buttons(vec![export])
            .links(vec![Link::grave(ui.t("users.disable"), format!("{at}/disable")), remove]),
        Status::Disabled => card
            .buttons(vec![Button::new(ui.t("users.enable"), format!("{at}/enable")), export])
            .links(vec![remove]),
    }
}

/// `GET /admin/users/{user}/edit`.
async fn edit(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    let said = profile::read(console.app(), &dossier.user).await?;
    Ok(console.show(|ui| {
        about(ui, &dossier, ui.t("users.edit"))
            .card(Card::plain("edit").form(profile_form(ui, &dossier, &said)))
    }))
}

fn profile_form(ui: &Ui<'_>, dossier: &Dossier, said: &profile::Profile) -> Form {
    let languages = std::iter::once(Pick::new("", ui.t("console.none")).picked(said.locale.is_empty()))
        .chain(Language::ALL.iter().map(|language| {
            Pick::new(language.tag(), language.tag())
                .picked(Language::of_tag(&said.locale) == Some(*language) && !said.locale.is_empty())
        }))
        .collect();
    let at = path_of(dossier.user.id);
    Form::new("edit-user", format!("{at}/edit"), ui.t("users.save"))
        .field(Field::text("name", ui.t("users.name")).value(&said.name).required())
        .field(Field::text("given_name", ui.t("users.given_name")).value(&said.given_name))
        .field(Field::text("family_name", ui.t("users.family_name")).value(&said.family_name))
        .field(Field::text("nickname", ui.t("users.nickname")).value(&said.nickname))
        .field(Field::new(Kind::Select(languages), "locale", ui.t("users.locale")))
        .field(
            Field::text("zoneinfo", ui.t("users.zone")).value(&said.zoneinfo).hint(ui.t("users.zone_hint")),
        )
        .cancel(at)
}

/// `POST /admin/users/{user}/edit`.
async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    let typed = |name: &str| change.text(name).trim().to_owned();
    let fields = ["name", "given_name", "family_name", "nickname", "locale", "zoneinfo"].map(typed);
    let say = move |said: &mut profile::Profile| {
        let [name, given_name, family_name, nickname, locale, zoneinfo] = fields.clone();
        *said = profile::Profile {
            name,
            given_name,
            family_name,
            nickname,
            locale,
            zoneinfo,
            picture: said.picture.clone(),
        };
    };
    match profile::change(change.app(), dossier.user.id, say, &change.origin).await {
        Ok(()) => Ok(change.done(&path_of(dossier.user.id), "saved")),
        Err(profile::ProfileError::Store(error)) => Err(error.into()),
        Err(profile::ProfileError::Faulty(faults)) => {
            let said = profile::read(change.app(), &dossier.user).await?;
            Ok(change.again(|ui| {
                let wrong: Vec<(&str, String)> =
                    faults.iter().map(|(field, fault)| (*field, fault_word(ui, *fault))).collect();
                let form = profile_form(ui, &dossier, &said).typed(Some(&change.typed), &wrong);
                about(ui, &dossier, ui.t("users.edit")).card(Card::plain("edit").form(form))
            }))
        }
    }
}

fn fault_word(ui: &Ui<'_>, fault: profile::Fault) -> String {
    match fault {
        profile::Fault::Missing => ui.t("users.field_missing"),
        profile::Fault::TooLong => ui.t("users.field_long"),
        profile::Fault::Unknown => ui.t("users.field_unknown"),
    }
    .to_owned()
}

/// `POST /admin/users/{user}/verify`: whoever runs the instance vouches for the address.
async fn verify(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    let email = EmailAddress::parse(change.text("email")).map_err(|_| PageFailure::NotFound)?;
    users::verify_email(change.app(), user, Some(email), &change.origin).await.map_err(failure)?;
    Ok(change.done(&path_of(user), "verified"))
}

/// `POST /admin/users/{user}/reset-password`.
async fn reset_password(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    let email = address(&dossier).ok_or(PageFailure::NotFound)?;
    send_link(&change, email).await?;
    Ok(change.done(&path_of(dossier.user.id), "sent"))
}

/// `POST /admin/users/{user}/end-session`.
async fn end_session(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    let session = change.text("session").parse().map_err(|_| PageFailure::NotFound)?;
    let ended = crate::identity::account::sessions::end(change.app(), user, session, &change.origin).await?;
    if ended { Ok(change.done(&path_of(user), "ended")) } else { Err(PageFailure::NotFound) }
}

/// A page that explains what will happen, with the button that does it.
fn question(
    ui: &Ui<'_>,
    dossier: &Dossier,
    act: &'static str,
    title: &'static str,
    text: &'static str,
) -> Sheet {
    let at = path_of(dossier.user.id);
    let who = label(&dossier.user, address(dossier));
    let form = Form::new(act, format!("{at}/{act}"), ui.t(title)).grave().cancel(&at);
    about(ui, dossier, ui.t(title))
        .card(Card::plain("question").text(ui.with(text, &[("who", who)])).form(form))
}

/// The same, when it cannot be done.
fn refused(
    change: &Change,
    dossier: &Dossier,
    act: &'static str,
    title: &'static str,
    error: UserError,
) -> Result<HttpResponse, PageFailure> {
    let Some((_, key)) = wrong(&error) else { return Err(failure(error)) };
    Ok(change.again(|ui| {
        let at = path_of(dossier.user.id);
        let form = Form::new(act, format!("{at}/{act}"), ui.t(title)).grave().cancel(&at);
        let form = form.typed(None, &[("", words::said(ui, key))]);
        about(ui, dossier, ui.t(title)).card(Card::plain("question").form(form))
    }))
}

async fn ask_reset_factors(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| {
        question(ui, &dossier, "reset-factors", "users.reset_factors", "users.reset_factors_text")
    }))
}

async fn reset_factors(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    manage::reset(change.app(), &dossier.user, &change.origin).await?;
    Ok(change.done(&path_of(dossier.user.id), "saved"))
}

async fn ask_end_sessions(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| question(ui, &dossier, "end-sessions", "users.end_all", "users.end_all_text")))
}

async fn end_sessions(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    users::end_sessions(change.app(), user, &change.origin).await?;
    Ok(change.done(&path_of(user), "ended"))
}

async fn ask_disable(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| question(ui, &dossier, "disable", "users.disable", "users.disable_text")))
}

async fn disable(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    let user = dossier.user.id;
    match users::end(change.app(), user, End::Disabled, Needs::Respected, &change.origin).await {
        Ok(()) => Ok(change.done(&path_of(user), "disabled")),
        Err(error) => refused(&change, &dossier, "disable", "users.disable", error),
    }
}

async fn enable(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    users::enable(change.app(), user, &change.origin).await.map_err(failure)?;
    Ok(change.done(&path_of(user), "enabled"))
}

async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| question(ui, &dossier, "remove", "users.remove", "users.remove_text")))
}

async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    match users::end(change.app(), dossier.user.id, End::Removed, Needs::Respected, &change.origin).await {
        Ok(()) => Ok(change.done(PATH, "removed")),
        Err(error) => refused(&change, &dossier, "remove", "users.remove", error),
    }
}

/// `GET /admin/users/{user}/role`.
async fn role(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| {
        about(ui, &dossier, ui.t("users.set_role")).card(Card::plain("role").form(role_form(ui, &dossier)))
    }))
}

fn role_form(ui: &Ui<'_>, dossier: &Dossier) -> Form {
    let has = |role| dossier.user.instance_role == role;
    let picks = vec![
        Pick::new("none", ui.t("users.role.none")).hint(ui.t("users.role.none_text")).picked(has(None)),
        Pick::new("support", ui.t("users.role.support"))
            .hint(ui.t("users.role.support_text"))
            .picked(has(Some(InstanceRole::Support))),
        Pick::new("administrator", ui.t("users.role.administrator"))
            .hint(ui.t("users.role.administrator_text"))
            .picked(has(Some(InstanceRole::Administrator))),
    ];
    let at = path_of(dossier.user.id);
    Form::new("set-role", format!("{at}/role"), ui.t("users.save"))
        .field(Field::new(Kind::Radios(picks), "role", ui.t("users.instance_role")).required())
        .cancel(at)
}

/// `POST /admin/users/{user}/role`.
async fn set_role(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    let role = match change.text("role") {
        "none" => None,
        word => Some(InstanceRole::parse(word).ok_or(PageFailure::NotFound)?),
    };
    match users::set_instance_role(change.app(), dossier.user.id, role, &change.origin).await {
        Ok(()) => Ok(change.done(&path_of(dossier.user.id), "saved")),
        Err(error) => match wrong(&error) {
            Some((_, key)) => Ok(change.again(|ui| {
                let form =
                    role_form(ui, &dossier).typed(Some(&change.typed), &[("role", words::said(ui, key))]);
                about(ui, &dossier, ui.t("users.set_role")).card(Card::plain("role").form(form))
            })),
            None => Err(failure(error)),
        },
    }
}

/// `POST /admin/users/{user}/export`: everything that is stored about the user, as a file.
async fn export_all(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    let app: &App = change.app();
    let copy = export::export(app, user, &change.origin).await?.ok_or(PageFailure::NotFound)?;
    let mut answer = respond::json_no_store(actix_web::http::StatusCode::OK, &copy);
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{user}.json\""));
    answer.headers_mut().insert(CONTENT_DISPOSITION, name.expect("an id is ASCII"));
    Ok(answer)
}
