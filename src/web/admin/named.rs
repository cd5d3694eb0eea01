//! Whom or what somebody means who types a name into a search: an id, also of what is gone by now, or a name that is known.

use crate::app::App;
use crate::model::{ClientKey, OrganisationId, UserId};
use crate::store::clients::Sought;
use crate::store::{self, memberships};
use crate::tenancy::{clients, organisations, users};

/// By id, address or user name. Within an organisation names are those of its members: who else has an account here is
/// nothing that its administrators are told (OR-1, PW-6).
pub async fn user(
    app: &App,
    within: Option<OrganisationId>,
    typed: &str,
) -> Result<Option<UserId>, store::Error> {
    if let Ok(id) = typed.parse() {
        return Ok(Some(id));
    }
    let typed = typed.to_owned();
    app.db
        .read(move |db| {
            let Some(user) = users::find(db, &typed)? else { return Ok(None) };
            let is_told = match within {
                Some(of) => memberships::find(db, of, user.id)?.is_some(),
                None => true,
            };
            Ok(is_told.then_some(user.id))
        })
        .await
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
