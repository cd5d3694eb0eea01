//! Whom or what somebody means who types a name into a search: an id, also of what is gone by now, or a name that is known.

use crate::app::App;
use crate::model::{ClientKey, OrganisationId, UserId};
use crate::store;
use crate::store::clients::Sought;
use crate::tenancy::{clients, organisations, users};

/// By id, address or user name.
pub async fn user(app: &App, typed: &str) -> Result<Option<UserId>, store::Error> {
    if let Ok(id) = typed.parse() {
        return Ok(Some(id));
    }
    let typed = typed.to_owned();
    Ok(app.db.read(move |db| users::find(db, &typed)).await?.map(|user| user.id))
}

/// By id or short name.
pub async fn organisation(app: &App, typed: &str) -> Result<Option<OrganisationId>, store::Error> {
    if let Ok(id) = typed.parse() {
        return Ok(Some(id));
    }
    let typed = typed.to_owned();
    Ok(app.db.read(move |db| organisations::find(db, &typed)).await?.map(|found| found.id))
}

/// By `client_id`, or by its name if no other application has it.
pub async fn client(app: &App, typed: &str) -> Result<Option<ClientKey>, store::Error> {
    if let Some(client) = app.client(typed).await? {
        return Ok(Some(client.key));
    }
    let sought = Sought { words: Sought::words_of(typed), ..Sought::default() };
    let found = clients::search_whole(app, sought, None, 100).await?;
    let mut called = found.iter().filter(|client| client.name.to_lowercase() == typed.to_lowercase());
    Ok(match (called.next(), called.next()) {
        (Some(only), None) => Some(only.key),
        _ => None,
    })
}
