//! Making a user, and inviting somebody to make themselves one.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;

use super::{PATH, failure, path_of, send_link, wrong};
use crate::model::EmailAddress;
use crate::tenancy::links::{self, InviteError};
use crate::tenancy::users::{self, NewUser};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::words;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Field, Form, Item, Kind, Link, Pick, Place, Sheet, Tone};
use crate::web::ui::Ui;

/// `GET /admin/users/new`.
pub(super) async fn new(console: Console) -> Result<HttpResponse, PageFailure> {
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
pub(super) async fn create(change: Change) -> Result<HttpResponse, PageFailure> {
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
            let is_sent = !change.is_checked("mail") || send_link(&change, email.as_str()).await?.is_ok();
            // The user is there in any case: the page says what is left to do.
            Ok(change.done(&path_of(user), if is_sent { "created" } else { "created_unsent" }))
        }
        Err(error) => match wrong(&error) {
            Some(field) => Ok(again(vec![field])),
            None => Err(failure(error)),
        },
    }
}

/// `GET /admin/users/invite`.
pub(super) async fn invitation(console: Console) -> Result<HttpResponse, PageFailure> {
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
pub(super) async fn invite(change: Change) -> Result<HttpResponse, PageFailure> {
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
