//! Invitations to an organisation: sending, sending again and taking back.

use std::time::Duration;

use actix_web::HttpResponse;

use super::{Offer, Said, Tab, about_members, below, chosen_workspace, sheet};
use crate::clock::Timestamp;
use crate::model::{EmailAddress, InvitationId, Language};
use crate::store::organisations::Organisation;
use crate::store::users::Sought;
use crate::tenancy::invitations::{self, Described, Guest, InvitationError};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::list::{LIMIT, List};
use crate::web::admin::{Route, table, words};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{
    Button, Card, Cell, Field, Form, Kind, Link, Pick, Sheet, Table, Tone, picked,
};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/organizations/{organization}/invitations" organisation see list;
    get "/admin/organizations/{organization}/invitations/new" organisation change new;
    post "/admin/organizations/{organization}/invitations/new" organisation change send;
    post "/admin/organizations/{organization}/invitations/again" organisation change again;
    post "/admin/organizations/{organization}/invitations/revoke" organisation change revoke;
};

const DAY: u64 = 86_400;
/// How long an invitation is good, if nobody says otherwise.
const DAYS: u64 = 7;

/// `GET /admin/organizations/{organization}/invitations`.
async fn list(console: Console) -> Result<HttpResponse, PageFailure> {
    let of = console.entered().organisation();
    let (organisation, at) = (of.id, Tab::Invitations.path(of.id));
    let query = console.query()?;
    let list = List::new(&at, &query, &["q"]);
    let (sought, before) = (Sought::words_of(query.get("q").unwrap_or_default()), list.after()?);
    let seeks = !sought.is_empty();
    let search =
        move |db: &mut crate::store::Conn| invitations::search(db, organisation, &sought, before, LIMIT);
    let mut found = console.app().db.read(search).await?;
    let (next, first) = list.cut(&mut found, |one| one.invitation.id);
    let (may, now, offer) = (console.may_change(), console.app().clock.now(), Offer::of(&console).await?);
    Ok(console.show(|ui| {
        let send = Link::primary(ui.t("invites.send"), format!("{at}/new"));
        let seek = Form::search("seek", &at, ui.t("console.search"))
            .field(Field::new(Kind::Search, "q", ui.t("users.email")).hint(ui.t("users.seek_hint")));
        let card = Card::plain("invitations")
            .links(may.then_some(send).into_iter().collect())
            .form(seek.typed(Some(&query), &[]));
        let rows = found.iter().map(|one| row(ui, &at, one, &offer, may, now));
        let head = [
            ui.t("users.email"),
            ui.t("members.roles"),
            ui.t("orgs.state"),
            ui.t("invites.sent"),
            ui.t("users.act"),
        ];
        let table = Table::new(ui.t("invites.title"), head).rows(rows).pages(next, first);
        let card = match (found.is_empty(), seeks) {
            (true, true) => card.empty(ui.t("users.none_found"), Some(Link::new(ui.t("invites.all"), &at))),
            (true, false) => card.empty(ui.t("invites.none"), None),
            (false, _) => card.table(table),
        };
        sheet(ui, of, Tab::Invitations).lead(ui.t("invites.lead")).card(card)
    }))
}

fn row(ui: &Ui<'_>, at: &str, one: &Described, offer: &Offer, may: bool, now: Timestamp) -> Vec<Cell> {
    let Described { invitation, roles } = one;
    let mut given: Vec<Cell> = roles.iter().map(|role| Cell::text(&role.name)).collect();
    given.extend(
        invitation.workspace_id.and_then(|id| offer.name_of(id)).map(|name| Cell::tag(Tone::Plain, name)),
    );
    let is_open = invitation.accepted_at.is_none() && invitation.revoked_at.is_none();
    let state = if invitation.accepted_at.is_some() {
        Cell::tag(Tone::Good, ui.t("invites.accepted"))
    } else if invitation.revoked_at.is_some() {
        Cell::tag(Tone::Bad, ui.t("invites.revoked"))
    } else if invitation.expires_at <= now {
        Cell::tag(Tone::Bad, ui.t("invites.expired"))
    } else {
        Cell::Many(vec![Cell::tag(Tone::Plain, ui.t("invites.open")), Cell::Time(invitation.expires_at)])
    };
    let button = |text: &'static str, act: &str| {
        let id = invitation.id.to_string();
        Cell::Button(
            Button::new(ui.t(text), format!("{at}/{act}")).with("invitation", id).about(&invitation.address),
        )
    };
    let mut acts = Vec::new();
    if may && invitation.accepted_at.is_none() {
        acts.push(button("invites.again", "again"));
    }
    if may && is_open {
        acts.push(button("invites.take_back", "revoke"));
    }
    let acts = if acts.is_empty() { Cell::Nothing } else { Cell::Many(acts) };
    vec![Cell::text(&invitation.address), Cell::Many(given), state, Cell::Time(invitation.created_at), acts]
}

/// `GET /admin/organizations/{organization}/invitations/new`.
async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
    let (of, offer) = (console.entered().organisation(), Offer::of(&console).await?);
    let language = console.language();
    Ok(console.show(|ui| new_sheet(ui, of, form(ui, of, &offer, language))))
}

fn new_sheet(ui: &Ui<'_>, of: &Organisation, form: Form) -> Sheet {
    below(ui, of, Tab::Invitations, ui.t("invites.send")).card(Card::plain("form-card").form(form))
}

fn form(ui: &Ui<'_>, of: &Organisation, offer: &Offer, language: Language) -> Form {
    let at = Tab::Invitations.path(of.id);
    let lives = [1, DAYS, 30].map(|days| {
        Pick::new(days.to_string(), ui.span(Duration::from_secs(days * DAY))).picked(days == DAYS)
    });
    let languages = Language::ALL.iter().map(|one| Pick::new(one.tag(), one.tag()).picked(*one == language));
    Form::new("invite", format!("{at}/new"), ui.t("invites.send"))
        .field(Field::new(Kind::Email, "email", ui.t("users.email")).required())
        .field(offer.roles(ui, &["member"]))
        .field(offer.workspaces(ui))
        .field(Field::new(Kind::Select(lives.to_vec()), "days", ui.t("users.link_lasts")))
        .field(Field::new(Kind::Select(languages.collect()), "language", ui.t("invites.language")))
        .cancel(at)
}

/// `POST /admin/organizations/{organization}/invitations/new`.
async fn send(change: Change) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    let sent = match EmailAddress::parse(change.text("email").trim()) {
        Err(_) => Err(("email", "users.bad_email")),
        Ok(email) => {
            let days = match change.text("days") {
                "1" => 1,
                "30" => 30,
                _ => DAYS,
            };
            let guest = Guest {
                email,
                workspace: chosen_workspace(&change)?,
                roles: picked(&change.typed, "roles"),
                language: Language::of_tag(change.text("language")).unwrap_or(change.language()),
                lifetime: Duration::from_secs(days * DAY),
            };
            let sent = invitations::send(change.app(), change.actor(), of.id, guest, &change.origin).await;
            match sent {
                Ok(_) => Ok(()),
                Err(error) => Err(said(error)?),
            }
        }
    };
    match sent {
        Ok(()) => Ok(change.done(&Tab::Invitations.path(of.id), "sent")),
        Err((field, key)) => {
            let (offer, language) = (Offer::of(&change).await?, change.language());
            Ok(change.again(|ui| {
                let form = form(ui, of, &offer, language);
                new_sheet(ui, of, form.typed(Some(&change.typed), &[(field, words::said(ui, key))]))
            }))
        }
    }
}

pub fn said(error: InvitationError) -> Result<Said, PageFailure> {
    Ok(match error {
        InvitationError::Member(error) => return about_members(error),
        InvitationError::BadLifetime => ("days", "invites.bad_life"),
        InvitationError::Throttled(_) => ("email", "invites.throttled"),
        InvitationError::NoSuchInvitation | InvitationError::Gone => return Err(PageFailure::NotFound),
        InvitationError::Store(error) => return Err(error.into()),
    })
}

/// `POST /admin/organizations/{organization}/invitations/again`.
async fn again(change: Change) -> Result<HttpResponse, PageFailure> {
    let id: InvitationId = change.text("invitation").parse().map_err(|_| PageFailure::NotFound)?;
    let anew = (change.language(), Duration::from_secs(DAYS * DAY));
    let of = change.entered().organisation();
    let sent = invitations::send_again(change.app(), change.actor(), of.id, id, anew, &change.origin).await;
    answer(&change, sent.map(|_| ()), "sent")
}

/// `POST /admin/organizations/{organization}/invitations/revoke`.
async fn revoke(change: Change) -> Result<HttpResponse, PageFailure> {
    let id: InvitationId = change.text("invitation").parse().map_err(|_| PageFailure::NotFound)?;
    let of = change.entered().organisation();
    let revoked = invitations::revoke(change.app(), change.actor(), of.id, id, &change.origin).await;
    answer(&change, revoked, "revoked")
}

/// Of a button in the list: there is no form to come back to.
fn answer(
    change: &Change,
    done: Result<(), InvitationError>,
    word: &str,
) -> Result<HttpResponse, PageFailure> {
    let of = change.entered().organisation();
    match done {
        Ok(()) => Ok(change.done(&Tab::Invitations.path(of.id), word)),
        Err(error) => {
            let (_, key) = said(error)?;
            Ok(change.again(|ui| {
                let at = Tab::Invitations.path(of.id);
                let card = Card::plain("refused")
                    .item(crate::web::page::admin::Item::Note(Tone::Bad, words::said(ui, key)));
                let back = Link::new(ui.t("invites.all"), at);
                below(ui, of, Tab::Invitations, ui.t("invites.not_done")).card(card.links(vec![back]))
            }))
        }
    }
}
