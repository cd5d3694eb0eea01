//! `/admin/setup`: the first quarter of an hour, step by step. Every step can be left out and come back to; what is done
//! is seen from what there is.

use actix_web::HttpResponse;

use super::access::{Change, Console};
use super::users::label;
use super::{Route, table};
use crate::model::OrganisationId;
use crate::model::role::SHIPPED;
use crate::tenancy::beginning::{self, Beginning, SignIn};
use crate::tenancy::members::{self, Assignment, MemberError};
use crate::tenancy::organisations::{self, OrganisationError};
use crate::tenancy::post::{self, State};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Item, Link, Place, Sheet, Table, Tone};
use crate::web::ui::Ui;

pub const ROUTES: &[Route] = table! {
    get "/admin/setup" instance see show;
    post "/admin/setup/organization" instance change organisation;
};

const PATH: &str = "/admin/setup";

async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let begun = beginning::look(console.app(), console.account().user.id).await?;
    let session = console.account().session.id.to_string();
    Ok(console.show(|ui| sheet(ui, &begun, &session, organisation_form(ui), console.may_change())))
}

fn sheet(ui: &Ui<'_>, begun: &Beginning, session: &str, form: Form, may: bool) -> Sheet {
    let steps = [
        begun.has_factor,
        begun.organisation.is_some(),
        begun.mail.as_ref().is_some_and(|mail| post::state(mail) == State::Sent),
        begun.client.is_some(),
        !begun.sign_ins.is_empty(),
    ];
    let done = steps.iter().filter(|done| **done).count();
    let lead = ui.with("setup_guide.lead", &[("done", done.to_string()), ("all", steps.len().to_string())]);
    Sheet::new(Place::Overview, ui.t("setup_guide.title"))
        .under(ui.t("console.place.overview"), "/admin")
        .lead(lead)
        .card(factor(ui, begun, session))
        .card(organisation_step(ui, begun, form, may))
        .card(mail(ui, begun, may))
        .card(application(ui, begun, may))
        .card(watch(ui, begun))
}

/// A step, and whether it is done.
fn step(ui: &Ui<'_>, id: &str, title: &'static str, done: bool) -> Card {
    let card = Card::new(id, ui.t(title));
    match done {
        true => card.tone(Tone::Good).item(Item::Note(Tone::Good, ui.t("setup_guide.done").to_owned())),
        false => card,
    }
}

fn factor(ui: &Ui<'_>, begun: &Beginning, session: &str) -> Card {
    let card = step(ui, "step-administrator", "setup_guide.administrator", begun.has_factor);
    match begun.has_factor {
        true => card.text(ui.t("setup_guide.administrator_done")),
        false => card.text(ui.t("setup_guide.administrator_text")).links(vec![Link::primary(
            ui.t("setup_guide.add_factor"),
            format!("/login/enrol?session={session}&next={PATH}"),
        )]),
    }
}

fn organisation_form(ui: &Ui<'_>) -> Form {
    Form::new("first-organisation", "/admin/setup/organization", ui.t("users.create"))
        .field(Field::text("name", ui.t("users.name")).required())
        .field(Field::text("slug", ui.t("setup_guide.slug")).hint(ui.t("setup_guide.slug_hint")).required())
}

fn organisation_step(ui: &Ui<'_>, begun: &Beginning, form: Form, may: bool) -> Card {
    let card = step(ui, "step-organisation", "setup_guide.organisation", begun.organisation.is_some());
    match &begun.organisation {
        Some(found) => card.links(vec![Link::new(&found.name, format!("/admin/organizations/{}", found.id))]),
        None if may => card.text(ui.t("setup_guide.organisation_text")).form(form),
        None => card.text(ui.t("setup_guide.organisation_text")),
    }
}

fn mail(ui: &Ui<'_>, begun: &Beginning, may: bool) -> Card {
    let state = begun.mail.as_ref().map(post::state);
    let card = step(ui, "step-mail", "setup_guide.mail", state == Some(State::Sent))
        .watched(state == Some(State::Waiting));
    let card = match (&begun.mail, state) {
        (Some(mail), Some(State::Failed)) => {
            let error = mail.last_error.clone().unwrap_or_default();
            card.item(Item::Note(Tone::Bad, ui.with("setup_guide.mail_failed", &[("error", error)])))
        }
        _ => card.text(ui.t("setup_guide.mail_text")),
    };
    let test = may.then(|| Link::primary(ui.t("mail_console.test"), "/admin/mail/test"));
    card.links(test.into_iter().collect())
}

fn application(ui: &Ui<'_>, begun: &Beginning, may: bool) -> Card {
    let card = step(ui, "step-application", "setup_guide.application", begun.client.is_some());
    match &begun.client {
        Some(client) => card.text(ui.t("setup_guide.application_done")).links(vec![Link::primary(
            if client.name.is_empty() { &client.client_id } else { &client.name },
            format!("/admin/clients/{}", client.client_id),
        )]),
        None => card.text(ui.t("setup_guide.application_text")).links(
            may.then(|| Link::primary(ui.t("setup_guide.add_application"), "/admin/new-client"))
                .into_iter()
                .collect(),
        ),
    }
}

/// The first sign-in, as it happens.
fn watch(ui: &Ui<'_>, begun: &Beginning) -> Card {
    let card = step(ui, "step-watch", "setup_guide.watch", !begun.sign_ins.is_empty())
        .watched(begun.sign_ins.is_empty());
    let card = match begun.sign_ins.is_empty() {
        true => card.empty(ui.t("setup_guide.watch_none"), None),
        false => {
            let head = ["setup_guide.who", "setup_guide.to", "setup_guide.when"].map(|key| ui.t(key));
            card.table(Table::new(ui.t("setup_guide.watch"), head).rows(begun.sign_ins.iter().map(came_in)))
        }
    };
    let card = if begun.sign_ins.is_empty() { card.text(ui.t("setup_guide.watch_text")) } else { card };
    card.links(vec![
        Link::new(ui.t("mail_console.look_again"), format!("{PATH}#step-watch")),
        Link::new(ui.t("console.place.explain"), Place::Explain.path()),
    ])
}

fn came_in(one: &SignIn) -> Vec<Cell> {
    let who = one
        .user
        .as_ref()
        .map_or(Cell::Nothing, |user| Cell::link(label(user, None), format!("/admin/users/{}", user.id)));
    let to = one.client.as_ref().map_or(Cell::Nothing, |(id, name)| {
        Cell::link(if name.is_empty() { id } else { name }, format!("/admin/clients/{id}"))
    });
    vec![who, to, Cell::Time(one.at)]
}

/// `POST /admin/setup/organization`: makes it, with whoever makes it as its administrator.
async fn organisation(change: Change) -> Result<HttpResponse, PageFailure> {
    let (name, slug) = (change.text("name"), change.text("slug"));
    match organisations::create(change.app(), slug, name, &change.origin).await {
        Ok(created) => join(&change, created.organisation.id).await,
        Err(error) => {
            let wrong = match error {
                OrganisationError::BadSlug(_) => ("slug", "setup_guide.bad_slug"),
                OrganisationError::BadName => ("name", "users.bad_name"),
                OrganisationError::SlugTaken => ("slug", "setup_guide.slug_taken"),
                OrganisationError::Throttled(throttled) => return Err(throttled.into()),
                OrganisationError::Store(error) => return Err(error.into()),
                other => return Err(PageFailure::Internal(other.to_string())),
            };
            let begun = beginning::look(change.app(), change.account().user.id).await?;
            let session = change.account().session.id.to_string();
            Ok(change.again(|ui| {
                let wrong = [(wrong.0, super::words::said(ui, wrong.1))];
                let form = organisation_form(ui).typed(Some(&change.typed), &wrong);
                sheet(ui, &begun, &session, form, true)
            }))
        }
    }
}

/// Whoever made the organisation administers it.
async fn join(change: &Change, organisation: OrganisationId) -> Result<HttpResponse, PageFailure> {
    let [administrator, ..] = SHIPPED;
    let user = change.account().user.id;
    let own = Assignment { user, workspace: None, roles: vec![administrator.key.to_owned()] };
    match members::add(change.app(), change.actor(), organisation, own, &change.origin).await {
        Ok(_) => Ok(change.done(PATH, "created")),
        Err(MemberError::Store(error)) => Err(error.into()),
        Err(other) => Err(PageFailure::Internal(other.to_string())),
    }
}
