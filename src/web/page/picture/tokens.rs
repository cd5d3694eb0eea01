//! Tokens by client, with what they were given for.

use crate::model::GrantType;
use crate::usage::{ClientTokens, Tokens};
use crate::web::ui::Ui;

use super::{Paint, Picture, Row, Rows, whole};

/// In the order of the legend.
const GRANTS: [(GrantType, Paint, &str); 4] = [
    (GrantType::AuthorizationCode, Paint::One, "picture.grant_code"),
    (GrantType::RefreshToken, Paint::Two, "picture.grant_refresh"),
    (GrantType::ClientCredentials, Paint::Three, "picture.grant_client"),
    (GrantType::TokenExchange, Paint::Four, "picture.grant_exchange"),
];

/// Bars of clients.
pub fn tokens(ui: &Ui<'_>, counted: &Tokens) -> Picture {
    let mut parts: Vec<(Paint, String)> =
        GRANTS.iter().map(|(_, paint, name)| (*paint, ui.t(name).to_owned())).collect();
    let mut rows: Vec<Row> = counted.clients.iter().map(|client| row(ui, client)).collect();
    if counted.others > 0 {
        parts.push((Paint::Five, ui.t("picture.others").to_owned()));
        rows.iter_mut().for_each(|row| row.amounts.push(0));
        let name = ui.with("picture.other_clients", &[("count", whole(ui, count(counted.other_clients)))]);
        rows.push(Row { name, amounts: [0, 0, 0, 0, counted.others].to_vec() });
    }
    let total = counted.clients.iter().map(ClientTokens::total).sum::<i64>() + counted.others;
    Rows {
        id: "tokens",
        title: ui.t("picture.tokens").to_owned(),
        about: ui.with("picture.tokens_about", &[("count", whole(ui, total))]),
        empty: ui.t("picture.no_tokens").to_owned(),
        each: ui.t("picture.client").to_owned(),
        parts,
        rows,
    }
    .draw(ui)
}

fn row(ui: &Ui<'_>, client: &ClientTokens) -> Row {
    let name = match (client.client, client.name.trim(), client.client_id.as_str()) {
        (None, ..) => ui.t("picture.machines").to_owned(),
        (Some(_), "", "") => ui.t("picture.client_gone").to_owned(),
        (Some(_), "", id) => id.to_owned(),
        (Some(_), name, _) => name.to_owned(),
    };
    let of = |grant| client.by_grant.iter().filter(|(one, _)| *one == grant).map(|(_, amount)| amount).sum();
    Row { name, amounts: GRANTS.iter().map(|(grant, ..)| of(*grant)).collect() }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
