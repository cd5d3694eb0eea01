//! The secrets of a client: shown once when they are made, replaced with an overlap, ended when nobody uses them any more.

use std::time::Duration;

use actix_web::HttpResponse;

use super::{about, failure, found, has_secrets, path_of};
use crate::clock::Timestamp;
use crate::model::Client;
use crate::tenancy::clients::secrets::{LONGEST_OVERLAP, is_live};
use crate::tenancy::clients::{self, ClientError, Created};
use crate::web::admin::access::{Change, Console};
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Item, Kind, Link, Pick, Sheet, Table, Tone};
use crate::web::ui::Ui;

/// What to choose how long the former secret lives on, in hours.
const OVERLAPS: [u64; 5] = [0, 1, 24, 7 * 24, LONGEST_OVERLAP.as_secs() / 3_600];
const USUAL_OVERLAP: u64 = 24;

/// The secrets that are live; `None` for a client that has none.
pub(super) fn card(ui: &Ui<'_>, client: &Client, may: bool, now: Timestamp) -> Option<Card> {
    if !has_secrets(client) {
        return None;
    }
    let live: Vec<Vec<Cell>> = client
        .secrets
        .iter()
        .filter(|secret| is_live(secret, now))
        .map(|secret| {
            let until = secret.expires_at.map_or(Cell::text(ui.t("clients.secret_stays")), Cell::Time);
            vec![Cell::code(secret.id.to_string()), Cell::Time(secret.created_at), until]
        })
        .collect();
    let several = live.len() > 1;
    let card = Card::new("secrets", ui.t("clients.secrets")).hint(ui.t("clients.secrets_hint"));
    let card = match live.is_empty() {
        true => card.empty(ui.t("clients.no_secret"), None),
        false => {
            let head = [ui.t("clients.secret"), ui.t("clients.since"), ui.t("clients.until")];
            card.table(Table::new(ui.t("clients.secrets"), head).rows(live))
        }
    };
    if !may {
        return Some(card);
    }
    let at = path_of(client.key);
    let mut links = vec![Link::new(ui.t("clients.rotate"), format!("{at}/rotate-secret"))];
    if several {
        links.push(Link::grave(ui.t("clients.end_secret"), format!("{at}/end-secret")));
    }
    Some(card.links(links))
}

/// What was just made, with the one sight of its secret.
pub(super) fn shown_once(ui: &Ui<'_>, made: &Created, title: &'static str) -> Sheet {
    let at = path_of(made.client.key);
    let mut card = Card::plain("made");
    if let Some(secret) = &made.secret {
        card = card
            .item(Item::Note(Tone::Good, ui.t("clients.secret_once").to_owned()))
            .code("client_id", &made.client.client_id)
            .code("client_secret", secret.expose());
    }
    about(ui, &made.client, ui.t(title)).card(card.links(vec![
        Link::primary(ui.t("clients.settings"), format!("{at}/settings")),
        Link::new(ui.t("clients.to_client"), at),
    ]))
}

/// `GET /admin/clients/{client}/rotate-secret`.
pub(super) async fn ask_rotate(console: Console) -> Result<HttpResponse, PageFailure> {
    let client = with_secrets(&console).await?;
    Ok(console.show(|ui| rotate_sheet(ui, &client, rotate_form(ui, &client))))
}

async fn with_secrets(console: &Console) -> Result<Client, PageFailure> {
    found(console).await.and_then(|client| match has_secrets(&client) {
        true => Ok(client),
        false => Err(PageFailure::NotFound),
    })
}

fn rotate_sheet(ui: &Ui<'_>, client: &Client, form: Form) -> Sheet {
    let text = ui.with("clients.rotate_text", &[("name", &*client.name)]);
    about(ui, client, ui.t("clients.rotate")).card(Card::plain("question").text(text).form(form))
}

fn rotate_form(ui: &Ui<'_>, client: &Client) -> Form {
    let picks = OVERLAPS.map(|hours| {
        let label = match hours {
            0 => ui.t("clients.overlap_none").to_owned(),
            hours => ui.span(Duration::from_secs(hours * 3_600)),
        };
        Pick::new(hours.to_string(), label).picked(hours == USUAL_OVERLAP)
    });
    let at = path_of(client.key);
    Form::new("rotate-secret", format!("{at}/rotate-secret"), ui.t("clients.rotate"))
        .field(
            Field::new(Kind::Select(picks.into()), "overlap", ui.t("clients.overlap"))
                .hint(ui.t("clients.overlap_hint")),
        )
        .cancel(at)
}

/// `POST /admin/clients/{client}/rotate-secret`: the new secret, shown once.
pub(super) async fn rotate(change: Change) -> Result<HttpResponse, PageFailure> {
    let client = with_secrets(&change).await?;
    let hours = change.text("overlap").parse().ok().filter(|hours| OVERLAPS.contains(hours));
    let overlap = Duration::from_secs(hours.unwrap_or(USUAL_OVERLAP) * 3_600);
    match clients::rotate_secret(change.app(), &client.client_id, overlap, &change.origin).await {
        Ok(made) => Ok(change.show(|ui| shown_once(ui, &made, "clients.rotated"))),
        Err(ClientError::TwoSecrets(end)) => Ok(change.again(|ui| {
            let text = ui.with("clients.two_secrets", &[("at", ui.date(end))]);
            let form = rotate_form(ui, &client).typed(Some(&change.typed), &[("overlap", text)]);
            rotate_sheet(ui, &client, form)
        })),
        Err(error) => Err(failure(error)),
    }
}

/// `GET /admin/clients/{client}/end-secret`.
pub(super) async fn ask_end(console: Console) -> Result<HttpResponse, PageFailure> {
    let client = with_secrets(&console).await?;
    let now = console.app().clock.now();
    Ok(console.show(|ui| end_sheet(ui, &client, end_form(ui, &client, now))))
}

fn end_sheet(ui: &Ui<'_>, client: &Client, form: Form) -> Sheet {
    let text = ui.with("clients.end_secret_text", &[("name", &*client.name)]);
    about(ui, client, ui.t("clients.end_secret")).card(Card::plain("question").text(text).form(form))
}

/// The one that was replaced is the one that is mostly meant.
fn end_form(ui: &Ui<'_>, client: &Client, now: Timestamp) -> Form {
    let live: Vec<_> = client.secrets.iter().filter(|secret| is_live(secret, now)).collect();
    let meant = live.iter().position(|secret| secret.expires_at.is_some()).unwrap_or_default();
    let picks = live.iter().enumerate().map(|(at, secret)| {
        let until = secret.expires_at.map_or(ui.t("clients.secret_stays").to_owned(), |end| ui.date(end));
        let since = ui.date(secret.created_at);
        Pick::new(secret.id.to_string(), secret.id.to_string())
            .hint(ui.with("clients.secret_span", &[("since", since), ("until", until)]))
            .picked(at == meant)
    });
    let at = path_of(client.key);
    Form::new("end-secret", format!("{at}/end-secret"), ui.t("clients.end_secret"))
        .field(Field::new(Kind::Radios(picks.collect()), "secret", ui.t("clients.secret")).required())
        .grave()
        .cancel(at)
}

/// `POST /admin/clients/{client}/end-secret`.
pub(super) async fn end(change: Change) -> Result<HttpResponse, PageFailure> {
    let client = with_secrets(&change).await?;
    let again = |key: &'static str| {
        change.again(|ui| {
            let form = end_form(ui, &client, change.app().clock.now());
            end_sheet(ui, &client, form.typed(Some(&change.typed), &[("secret", ui.t(key).to_owned())]))
        })
    };
    let Ok(secret) = change.text("secret").parse() else { return Ok(again("clients.secret_gone")) };
    match clients::end_secret(change.app(), &client.client_id, secret, &change.origin).await {
        Ok(client) => Ok(change.done(&path_of(client.key), "ended")),
        Err(ClientError::LastSecret) => Ok(again("clients.secret_last")),
        Err(ClientError::NoSuchSecret) => Ok(again("clients.secret_gone")),
        Err(error) => Err(failure(error)),
    }
}
