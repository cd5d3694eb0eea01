//! Changing a user: what they say of themselves, their address, their role in the instance.

use actix_web::HttpResponse;

use super::{about, address, failure, found, path_of, send_link, wrong};
use crate::identity::account::profile;
use crate::model::{EmailAddress, InstanceRole, Language, UserId};
use crate::tenancy::directory::Dossier;
use crate::tenancy::users;
use crate::web::admin::access::{Change, Console};
use crate::web::admin::words;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Field, Form, Kind, Pick};
use crate::web::ui::Ui;

/// `GET /admin/users/{user}/edit`.
pub(super) async fn edit(console: Console) -> Result<HttpResponse, PageFailure> {
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
pub(super) async fn save(change: Change) -> Result<HttpResponse, PageFailure> {
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
pub(super) async fn verify(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    let email = EmailAddress::parse(change.text("email")).map_err(|_| PageFailure::NotFound)?;
    users::verify_email(change.app(), user, Some(email), &change.origin).await.map_err(failure)?;
    Ok(change.done(&path_of(user), "verified"))
}

/// `POST /admin/users/{user}/reset-password`.
pub(super) async fn reset_password(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    let email = address(&dossier).ok_or(PageFailure::NotFound)?;
    send_link(&change, email).await??;
    Ok(change.done(&path_of(dossier.user.id), "sent"))
}

/// `GET /admin/users/{user}/role`.
pub(super) async fn role(console: Console) -> Result<HttpResponse, PageFailure> {
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
pub(super) async fn set_role(change: Change) -> Result<HttpResponse, PageFailure> {
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
