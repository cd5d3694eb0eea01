//! `/admin/sessions` and `/admin/grants`: who is signed in, and what applications hold.

use actix_web::HttpResponse;

use super::access::{Change, Console};
use super::list::{LIMIT, List};
use super::users::label;
use super::{Route, table};
use crate::model::{GrantId, SessionId, user_agent};
use crate::tenancy::{activity, users};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Button, Card, Cell, Link, Place, Sheet, Table, Tone};
use crate::web::page::methods_in_words;
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/sessions" instance see sessions;
    post "/admin/sessions/end" instance change end;
    get "/admin/grants" instance see grants;
    post "/admin/grants/revoke" instance change revoke;
};

const SESSIONS: &str = "/admin/sessions";
const GRANTS: &str = "/admin/grants";

fn sheet(ui: &Ui<'_>, path: &str) -> Sheet {
    Sheet::new(Place::Sessions, ui.t("console.place.sessions")).lead(ui.t("signed_in.lead")).tabs(vec![
        Link::tab(ui.t("signed_in.browsers"), SESSIONS, path == SESSIONS),
        Link::tab(ui.t("signed_in.grants"), GRANTS, path == GRANTS),
    ])
}

async fn sessions(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let list = List::new(SESSIONS, &query, &[]);
    let mut found = activity::browsers(console.app(), list.after::<SessionId>()?, LIMIT).await?;
    let (next, first) = list.cut(&mut found, |browser| browser.session.id);
    let may = console.may_change();
    Ok(console.show(|ui| {
        let rows = found.iter().map(|browser| {
            let session = &browser.session;
            let agent = user_agent::readable(session.user_agent.as_deref().unwrap_or_default());
            let who = label(&browser.user, None);
            let end = Button::new(ui.t("users.end"), "/admin/sessions/end")
                .with("session", session.id.to_string())
                .about(format!("{who}, {agent}"));
            vec![
                Cell::link(who, format!("/admin/users/{}", browser.user.id)),
                Cell::text(agent),
                Cell::text(session.ip.clone().unwrap_or_default()),
                Cell::text(methods_in_words(ui, &browser.methods)),
                Cell::Time(session.created_at),
                Cell::Time(session.last_seen_at),
                if may { Cell::Button(end) } else { Cell::Nothing },
            ]
        });
        let head = [
            ui.t("signed_in.who"),
            ui.t("users.browser"),
            ui.t("users.ip"),
            ui.t("users.by"),
            ui.t("signed_in.since"),
            ui.t("users.last_seen"),
            ui.t("users.act"),
        ];
        let card = Card::plain("browsers");
        let card = match found.is_empty() {
            true => card.empty(ui.t("signed_in.none"), None),
            false => card.table(Table::new(ui.t("signed_in.browsers"), head).rows(rows).pages(next, first)),
        };
        sheet(ui, SESSIONS).card(card)
    }))
}

async fn end(change: Change) -> Result<HttpResponse, PageFailure> {
    let session: SessionId = change.text("session").parse().map_err(|_| PageFailure::NotFound)?;
    match users::end_session(change.app(), session, &change.origin).await? {
        true => Ok(change.done(SESSIONS, "ended")),
        false => Err(PageFailure::NotFound),
    }
}

async fn grants(console: Console) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let list = List::new(GRANTS, &query, &[]);
    let mut found = activity::held(console.app(), list.after::<GrantId>()?, LIMIT).await?;
    let (next, first) = list.cut(&mut found, |held| held.grant.id);
    let may = console.may_change();
    Ok(console.show(|ui| {
        let rows = found.iter().map(|held| {
            let (client_id, name) = &held.client;
            let name = if name.is_empty() { client_id } else { name };
            let who = label(&held.user, None);
            let revoke = Button::new(ui.t("signed_in.take"), "/admin/grants/revoke")
                .with("grant", held.grant.id.to_string())
                .about(format!("{name}, {who}"));
            let offline = match held.grant.offline {
                true => Cell::tag(Tone::Plain, ui.t("signed_in.offline")),
                false => Cell::text(ui.t("signed_in.with_session")),
            };
            vec![
                Cell::link(who, format!("/admin/users/{}", held.user.id)),
                Cell::link(name, format!("/admin/clients/{client_id}")),
                offline,
                Cell::Time(held.grant.created_at),
                Cell::Time(held.grant.expires_at),
                if may { Cell::Button(revoke) } else { Cell::Nothing },
            ]
        });
        let head = [
            ui.t("signed_in.who"),
            ui.t("signed_in.client"),
            ui.t("signed_in.lasts"),
            ui.t("signed_in.since"),
            ui.t("signed_in.until"),
            ui.t("users.act"),
        ];
        let card = Card::plain("grants");
        let card = match found.is_empty() {
            true => card.empty(ui.t("signed_in.no_grants"), None),
            false => card.table(Table::new(ui.t("signed_in.grants"), head).rows(rows).pages(next, first)),
        };
        sheet(ui, GRANTS).card(card)
    }))
}

async fn revoke(change: Change) -> Result<HttpResponse, PageFailure> {
    let grant: GrantId = change.text("grant").parse().map_err(|_| PageFailure::NotFound)?;
    match activity::revoke(change.app(), grant, &change.origin).await? {
        true => Ok(change.done(GRANTS, "revoked")),
        false => Err(PageFailure::NotFound),
    }
}
