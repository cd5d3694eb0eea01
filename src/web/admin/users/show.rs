//! One user, from all sides.

use actix_web::HttpResponse;

use super::{PATH, address, found, label, path_of, state};
use crate::clock::Timestamp;
use crate::model::{Status, user_agent};
use crate::tenancy::directory::Dossier;
use crate::web::admin::access::Console;
use crate::web::admin::words;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Link, Place, Sheet, Table, Tone};
use crate::web::page::methods_in_words;
use crate::web::ui::Ui;

/// `GET /admin/users/{user}`.
pub(super) async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
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
    let yes_since = |at: Option<Timestamp>| at.map_or(Cell::Nothing, Cell::Time);
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
                format!("/admin/organizations/{}", membership.organisation.id),
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
        let browser = user_agent::readable(session.user_agent.as_deref().unwrap_or_default());
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
    card.table(words::events(ui, ui.t("users.history"), &dossier.events, Place::Audit.path()))
        .links(vec![all])
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
