//! API keys of any organisation, by the management API. What whoever runs the instance makes belongs to the organisation.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

use super::manager::Manager;
use super::organizations::of;
use crate::model::{ApiKeyId, OrganisationId};
use crate::store::organisations::Organisation;
use crate::store::users::Sought;
use crate::tenancy::api_keys::{Described, manage};
use crate::web::api::ask::Sent;
use crate::web::api::keys::{ApiKeys, KeyMade, KeyTold, NewApiKey, Rotate, overlap, told, wanted};
use crate::web::api::organizations::ok;
use crate::web::api::page::{List, query_without_page};
use crate::web::api::session::done;
use crate::web::api::tell::Named;
use crate::web::api::typed::told;
use crate::web::fault::Refused;

told! {
    KeysOfAll {
        items: Vec<KeyOfAny>,
        next: Option<String>,
    }
    KeyOfAny {
        organization: Named,
        key: KeyTold,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    q: Option<String>,
}

type Found = (Vec<(Described, Organisation)>, Option<String>);

/// A page of keys, the newest first: of one organisation, or of all.
async fn found(manager: &Manager, list: &List<'_>, of: Option<OrganisationId>) -> Result<Found, Refused> {
    let page = list.page_beside::<ApiKeyId>(manager.request(), &["q"])?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let words = Sought::words_of(looked.q.as_deref().unwrap_or_default());
    let (before, limit) = (page.after, page.limit);
    let read = manager.app().db.read(move |db| manage::search(db, of, &words, before, limit + 1));
    Ok(list.cut(read.await?, limit, |(described, _)| described.key.id))
}

pub async fn of_all(manager: Manager) -> Result<HttpResponse, Refused> {
    let (found, next) = found(&manager, &manager.list("api keys of all"), None).await?;
    let items = found.iter().map(|(described, of)| KeyOfAny {
        organization: of.into(),
        key: told(&described.key, &described.scopes),
    });
    Ok(ok(&KeysOfAll { items: items.collect(), next }))
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let (found, next) = found(&manager, &manager.list_of("api keys of any", of), Some(of)).await?;
    let items = found.iter().map(|(described, _)| told(&described.key, &described.scopes));
    Ok(ok(&ApiKeys { items: items.collect(), next }))
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewApiKey>,
) -> Result<HttpResponse, Refused> {
    let (of, new) = (of(&manager).await?.id, wanted(asked)?);
    let (app, actor) = (manager.call.app.clone(), manager.actor());
    let make = async move |origin| Ok(KeyMade::from(manage::create(&app, actor, of, new, &origin).await?));
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn rotate(
    Sent { by: manager, asked, once }: Sent<Manager, Rotate>,
) -> Result<HttpResponse, Refused> {
    let (of, overlap, id) = (of(&manager).await?.id, overlap(&asked)?, manager.named::<ApiKeyId>("key")?);
    let (app, actor) = (manager.call.app.clone(), manager.actor());
    let make =
        async move |origin| Ok(KeyMade::from(manage::rotate(&app, actor, of, id, overlap, &origin).await?));
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn revoke(manager: Manager) -> Result<HttpResponse, Refused> {
    let (of, id) = (of(&manager).await?.id, manager.named::<ApiKeyId>("key")?);
    manage::revoke(manager.app(), manager.actor(), of, id, manager.origin()).await?;
    Ok(done())
}
