//! API keys of an organisation by the API. A key is made by a person who proved just now who they are (AK-2), never by
//! another key, and whose it is follows from the token alone.

use std::time::Duration;

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::ask::Sent;
use super::caller::Here;
use super::once::Made;
use super::organizations::{ok, workspace};
use super::session::done;
use super::typed::{Integer, asked, told};
use crate::identity::reauthentication;
use crate::model::{ApiKeyId, Permission};
use crate::store::api_keys::ApiKey;
use crate::tenancy::api_keys::{Created, Described, NewKey, manage};
use crate::web::fault::{Fault, Refused};

const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 86_400);

asked! {
    /// `POST …/api-keys`.
    NewApiKey {
        name: String where { "minLength": 1, "maxLength": 200 },
        scopes: Vec<String> where { "minItems": 1, "maxItems": 50 },
        workspace: Option<String>,
        /// Seconds. Without: until it is revoked.
        expires_in: Option<Integer> where { "minimum": 1, "maximum": 315619200 },
    }
    /// `POST …/api-keys/{key}/rotate`.
    Rotate {
        /// Seconds that the present key lives on.
        overlap: Option<Integer> where { "minimum": 0, "maximum": 2592000 },
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
    /// With its text, which is shown this once: when the same is asked for again with an idempotency key, it is null.
    KeyMade {
        key: Option<String>,
        described: KeyTold,
    }
}

impl Made for KeyMade {
    fn again(&self) -> Value {
        json!({ "key": null, "described": self.described })
    }
}

pub fn told(key: &ApiKey, scopes: &[String]) -> KeyTold {
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

impl From<Created> for KeyMade {
    fn from(created: Created) -> Self {
        let described = told(&created.key, &created.scopes);
        Self { key: Some(created.text.expose().to_owned()), described }
    }
}

/// The key that is asked for.
pub fn wanted(asked: NewApiKey) -> Result<NewKey, Refused> {
    Ok(NewKey {
        name: asked.name,
        workspace: workspace(asked.workspace.as_deref())?,
        scopes: asked.scopes,
        lasts: asked.expires_in.map(Integer::seconds),
        prefix: None,
    })
}

/// How long the present key lives on.
pub fn overlap(asked: &Rotate) -> Result<Duration, Refused> {
    let overlap = asked.overlap.map(Integer::seconds).unwrap_or_default();
    let why = "`overlap` must be at most 30 days.";
    let short = overlap <= LONGEST_OVERLAP;
    short.then_some(overlap).ok_or_else(|| Refused::with_detail(Fault::InvalidValue, why))
}

/// Whoever makes or ends keys has signed in within the last minutes (SE-7).
async fn check_recent(here: &Here) -> Result<(), Refused> {
    let member = here.person()?;
    let (user, session, now) = (member.user(), member.session()?, here.app().clock.now());
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

pub async fn create(Sent { by: here, asked, once }: Sent<Here, NewApiKey>) -> Result<HttpResponse, Refused> {
    check_recent(&here).await?;
    let new = wanted(asked)?;
    let (app, actor, of) = (here.call().app.clone(), here.actor(), here.organisation);
    let make = async move |origin| Ok(KeyMade::from(manage::create(&app, actor, of, new, &origin).await?));
    once.make(here.call(), &here.identity(), make).await
}

pub async fn rotate(Sent { by: here, asked, once }: Sent<Here, Rotate>) -> Result<HttpResponse, Refused> {
    check_recent(&here).await?;
    let overlap = overlap(&asked)?;
    let (app, actor, of) = (here.call().app.clone(), here.actor(), here.organisation);
    let id = here.named("key")?;
    let make =
        async move |origin| Ok(KeyMade::from(manage::rotate(&app, actor, of, id, overlap, &origin).await?));
    once.make(here.call(), &here.identity(), make).await
}

pub async fn revoke(here: Here) -> Result<HttpResponse, Refused> {
    check_recent(&here).await?;
    let id = here.named("key")?;
    manage::revoke(here.app(), here.actor(), here.organisation, id, here.origin()).await?;
    Ok(done())
}
