//! API keys of an organisation by the API. A key is made by a person who proved just now who they are (AK-2), never by
//! another key, and whose it is follows from the token alone.

use std::time::Duration;

use actix_web::HttpResponse;

use super::ask::Body;
use super::organizations::{Here, made, ok, workspace};
use super::session::done;
use super::typed::{asked, told};
use crate::identity::reauthentication;
use crate::model::{ApiKeyId, Permission};
use crate::store::api_keys::ApiKey;
use crate::tenancy::api_keys::{Created, Described, NewKey, manage};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST …/api-keys`.
    NewApiKey {
        name: String,
        scopes: Vec<String>,
        workspace: Option<String>,
        /// Seconds. Without: until it is revoked.
        expires_in: Option<u64>,
    }
    /// `POST …/api-keys/{key}/rotate`.
    Rotate {
        /// Seconds that the present key lives on.
        overlap: Option<u64>,
    }
}

told! {
    ApiKeys {
        items: Vec<KeyTold>,
        next: Option<String>,
    }
    KeyTold {
        id: String,
        name: String,
        machine: String,
        workspace: Option<String>,
        /// How the key begins.
        hint: String,
        scopes: Vec<String>,
        created_by: Option<String>,
        created_at: String,
        expires_at: Option<String>,
        last_used_at: Option<String>,
        revoked_at: Option<String>,
    }
    /// With its text, which is shown this once.
    KeyMade {
        key: String,
        described: KeyTold,
    }
}

fn told(key: &ApiKey, scopes: &[String]) -> KeyTold {
    KeyTold {
        id: key.id.to_string(),
        name: key.name.clone(),
        machine: key.machine_id.to_string(),
        workspace: key.workspace_id.map(|id| id.to_string()),
        hint: key.hint.clone(),
        scopes: scopes.to_vec(),
        created_by: key.created_by.map(|id| id.to_string()),
        created_at: key.created_at.rfc3339(),
        expires_at: key.expires_at.map(|at| at.rfc3339()),
        last_used_at: key.last_used_at.map(|at| at.rfc3339()),
        revoked_at: key.revoked_at.map(|at| at.rfc3339()),
    }
}

fn shown(created: &Created) -> HttpResponse {
    let described = told(&created.key, &created.scopes);
    made(&KeyMade { key: created.text.expose().to_owned(), described })
}

/// Whoever makes or ends keys has signed in within the last minutes (SE-7).
async fn check_recent(here: &Here) -> Result<(), Refused> {
    let (user, session, now) = (here.member.user(), here.member.session()?, here.app().clock.now());
    let due = here.app().db.read(move |db| reauthentication::due_in(db, user, session, now)).await?;
    match due {
        None => Ok(()),
        Some(_) => Err(Fault::ReauthenticationRequired.into()),
    }
}

pub async fn list(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::ApiKeysWrite)?;
    check_recent(&here).await?;
    let (list, of) = (here.list("api-keys"), here.organisation);
    let page = list.page::<ApiKeyId>(here.request())?;
    let (after, limit) = (page.after, page.limit);
    let found = here.app().db.read(move |db| manage::list(db, of, after, limit + 1)).await?;
    let (found, next) = list.cut(found, limit, |described: &Described| described.key.id);
    let items = found.iter().map(|described| told(&described.key, &described.scopes));
    Ok(ok(&ApiKeys { items: items.collect(), next }))
}

pub async fn create(here: Here, Body(asked): Body<NewApiKey>) -> Result<HttpResponse, Refused> {
    check_recent(&here).await?;
    let new = NewKey {
        name: asked.name,
        workspace: workspace(asked.workspace.as_deref())?,
        scopes: asked.scopes,
        lasts: asked.expires_in.map(Duration::from_secs),
        prefix: None,
    };
    let created = manage::create(here.app(), here.actor(), here.organisation, new, here.origin()).await?;
    Ok(shown(&created))
}

pub async fn rotate(here: Here, Body(asked): Body<Rotate>) -> Result<HttpResponse, Refused> {
    check_recent(&here).await?;
    const LONGEST: u64 = 30 * 86_400;
    let overlap = Duration::from_secs(asked.overlap.unwrap_or_default().min(LONGEST));
    let (app, actor, id) = (here.app(), here.actor(), here.named("key")?);
    let created = manage::rotate(app, actor, here.organisation, id, overlap, here.origin()).await?;
    Ok(shown(&created))
}

pub async fn revoke(here: Here) -> Result<HttpResponse, Refused> {
    check_recent(&here).await?;
    let id = here.named("key")?;
    manage::revoke(here.app(), here.actor(), here.organisation, id, here.origin()).await?;
    Ok(done())
}
