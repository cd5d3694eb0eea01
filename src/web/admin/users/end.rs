//! What ends something for a user, each explained first; and the copy of everything that is stored about them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue};

use super::{PATH, about, address, failure, found, label, path_of, wrong};
use crate::identity::account::{export, sessions};
use crate::identity::factor::manage;
use crate::model::UserId;
use crate::tenancy::directory::Dossier;
use crate::tenancy::users::{self, End, Needs, UserError};
use crate::web::admin::access::{Change, Console};
use crate::web::admin::words;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Form, Sheet};
use crate::web::respond;
use crate::web::ui::Ui;

/// `POST /admin/users/{user}/end-session`.
pub(super) async fn end_session(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    let session = change.text("session").parse().map_err(|_| PageFailure::NotFound)?;
    let ended = sessions::end(change.app(), user, session, &change.origin).await?;
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

pub(super) async fn ask_reset_factors(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| {
        question(ui, &dossier, "reset-factors", "users.reset_factors", "users.reset_factors_text")
    }))
}

pub(super) async fn reset_factors(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    manage::reset(change.app(), &dossier.user, &change.origin).await?;
    Ok(change.done(&path_of(dossier.user.id), "saved"))
}

pub(super) async fn ask_end_sessions(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| question(ui, &dossier, "end-sessions", "users.end_all", "users.end_all_text")))
}

pub(super) async fn end_sessions(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    users::end_sessions(change.app(), user, &change.origin).await?;
    Ok(change.done(&path_of(user), "ended"))
}

pub(super) async fn ask_disable(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| question(ui, &dossier, "disable", "users.disable", "users.disable_text")))
}

pub(super) async fn disable(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    let user = dossier.user.id;
    match users::end(change.app(), user, End::Disabled, Needs::Respected, &change.origin).await {
        Ok(()) => Ok(change.done(&path_of(user), "disabled")),
        Err(error) => refused(&change, &dossier, "disable", "users.disable", error),
    }
}

pub(super) async fn enable(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    users::enable(change.app(), user, &change.origin).await.map_err(failure)?;
    Ok(change.done(&path_of(user), "enabled"))
}

pub(super) async fn ask_remove(console: Console) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&console).await?;
    Ok(console.show(|ui| question(ui, &dossier, "remove", "users.remove", "users.remove_text")))
}

pub(super) async fn remove(change: Change) -> Result<HttpResponse, PageFailure> {
    let dossier = found(&change).await?;
    match users::end(change.app(), dossier.user.id, End::Removed, Needs::Respected, &change.origin).await {
        Ok(()) => Ok(change.done(PATH, "removed")),
        Err(error) => refused(&change, &dossier, "remove", "users.remove", error),
    }
}

/// `POST /admin/users/{user}/export`: everything that is stored about the user, as a file.
pub(super) async fn export_all(change: Change) -> Result<HttpResponse, PageFailure> {
    let user: UserId = change.named("user")?;
    let copy = export::export(change.app(), user, &change.origin).await?.ok_or(PageFailure::NotFound)?;
    let mut answer = respond::json_no_store(StatusCode::OK, &copy);
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{user}.json\""));
    answer.headers_mut().insert(CONTENT_DISPOSITION, name.expect("an id is ASCII"));
    Ok(answer)
}
