//! `/admin/clients/{client}/settings`: what a developer copies.

use actix_web::HttpResponse;

use super::{about, found, snippets};
use crate::protocol::metadata::path;
use crate::web::admin::access::Console;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Item, Tone};

/// `GET /admin/clients/{client}/settings`.
pub(super) async fn show(console: Console) -> Result<HttpResponse, PageFailure> {
    let client = found(&console).await?;
    let issuer = &console.app().config.issuer;
    Ok(console.show(|ui| {
        let address = |key: &'static str, path: &str| (ui.t(key).to_owned(), Cell::code(issuer.at(path)));
        let facts = vec![
            (ui.t("clients.issuer").to_owned(), Cell::code(issuer.as_str())),
            (ui.t("clients.client_id").to_owned(), Cell::code(&client.client_id)),
            address("clients.discovery", path::OPENID_CONFIGURATION),
            address("clients.authorize_at", path::AUTHORIZE),
            address("clients.token_at", path::TOKEN),
            address("clients.logout_at", path::LOGOUT),
        ];
        let sheet = about(ui, &client, ui.t("clients.settings"))
            .lead(ui.t("clients.settings_lead"))
            .card(Card::plain("addresses").facts(facts));
        snippets::all(&client, issuer.as_str()).into_iter().enumerate().fold(sheet, |sheet, (at, snippet)| {
            let card = Card::plain(&format!("snippet-{at}"));
            let card = match snippet.wants_form {
                true => card.item(Item::Note(Tone::Plain, ui.t("clients.wants_form").to_owned())),
                false => card,
            };
            sheet.card(card.code(snippet.title, snippet.text))
        })
    }))
}
