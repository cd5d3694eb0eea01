//! APIs that tokens are for, by the management API.

use std::collections::BTreeMap;

use actix_web::HttpResponse;

use super::manager::Manager;
use crate::model::{Resource, ResourceId, Status};
use crate::store;
use crate::tenancy::clients;
use crate::tenancy::resources::{self, NewResource, ResourceChange, ResourceError};
use crate::web::api::ask::Sent;
use crate::web::api::once::Made;
use crate::web::api::organizations::ok;
use crate::web::api::refuse::sentence;
use crate::web::api::session::done;
use crate::web::api::typed::{Integer, asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST /resources`.
    NewResourceAsked {
        /// The `aud` of its tokens.
        identifier: String where { "minLength": 1, "maxLength": 2000 },
        name: String where { "minLength": 1, "maxLength": 200 },
        scopes: Vec<ScopeAsked> where { "maxItems": 200 },
        /// Seconds that an access token lives.
        access_ttl: Option<Integer> where { "minimum": 1, "maximum": 86400 },
    }
    /// `PATCH /resources/{resource}`.
    ResourceChangeAsked {
        name: Option<String> where { "minLength": 1, "maxLength": 200 },
        /// Instead of the former ones.
        scopes: Option<Vec<ScopeAsked>> where { "maxItems": 200 },
        /// Seconds; 0: as `lifetimes.access` says.
        access_ttl: Option<Integer> where { "minimum": 0, "maximum": 86400 },
    }
    ScopeAsked {
        scope: String where { "minLength": 1, "maxLength": 200 },
        description: String where { "maxLength": 200 },
    }
}

told! {
    Resources {
        items: Vec<ResourceTold>,
        next: Option<String>,
    }
    ResourceTold {
        id: String,
        identifier: String,
        name: String,
        status: String,
        access_ttl: Option<u64>,
        scopes: Vec<ScopeTold>,
    }
    Users {
        items: Vec<UserTold>,
    }
    /// An application that has to do with the API.
    UserTold {
        id: String,
        client_name: String,
        /// Those of the API's that it may ask for.
        scopes: Vec<String>,
        /// Whether it is the server of the API.
        serves: bool,
    }
    ScopeTold {
        scope: String,
        description: String,
    }
}

impl Made for ResourceTold {}

impl From<ResourceError> for Refused {
    fn from(error: ResourceError) -> Self {
        match error {
            ResourceError::Store(error) => error.into(),
            ResourceError::NoSuchResource => Fault::NotFound.into(),
            ResourceError::Taken => Self::with_detail(Fault::Conflict, sentence(&error)),
            other => Self::with_detail(Fault::InvalidValue, sentence(&other)),
        }
    }
}

fn told(resource: &Resource) -> ResourceTold {
    let scope = |(scope, description): (&String, &String)| ScopeTold {
        scope: scope.clone(),
        description: description.clone(),
    };
    ResourceTold {
        id: resource.id.to_string(),
        identifier: resource.identifier.clone(),
        name: resource.name.clone(),
        status: resource.status.to_string(),
        access_ttl: resource.access_ttl.map(|ttl| ttl.as_secs()),
        scopes: resource.scopes.iter().map(scope).collect(),
    }
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("resources");
    let page = list.page::<ResourceId>(manager.request())?;
    // An instance has tens, not thousands.
    let mut all = manager.app().db.read(store::resources::all).await?;
    all.retain(|one| page.after.is_none_or(|after| one.id > after));
    let (found, next) = list.cut(all, page.limit, |one| one.id);
    Ok(ok(&Resources { items: found.iter().map(told).collect(), next }))
}

async fn find(manager: &Manager) -> Result<Resource, Refused> {
    let which = manager.named::<String>("resource")?;
    let found = manager.app().db.read(move |db| resources::find(db, &which)).await?;
    found.ok_or_else(|| Fault::NotFound.into())
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    Ok(ok(&told(&find(&manager).await?)))
}

/// By name.
pub async fn users(manager: Manager) -> Result<HttpResponse, Refused> {
    let related = clients::of_resource(manager.app(), &find(&manager).await?).await?;
    let items = related.into_iter().map(|one| UserTold {
        id: one.key.to_string(),
        client_name: one.name,
        scopes: one.scopes,
        serves: one.serves,
    });
    Ok(ok(&Users { items: items.collect() }))
}

fn described(asked: Vec<ScopeAsked>) -> BTreeMap<String, String> {
    asked.into_iter().map(|asked| (asked.scope, asked.description)).collect()
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewResourceAsked>,
) -> Result<HttpResponse, Refused> {
    let scopes = described(asked.scopes);
    let access_ttl = asked.access_ttl.map(Integer::seconds);
    let new = NewResource { identifier: asked.identifier, name: asked.name, scopes, access_ttl };
    let app = manager.call.app.clone();
    let make = async move |origin| Ok(told(&resources::create(&app, new, &origin).await?));
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn change(
    Sent { by: manager, asked, .. }: Sent<Manager, ResourceChangeAsked>,
) -> Result<HttpResponse, Refused> {
    let access_ttl = asked.access_ttl.map(|ttl| Some(ttl.seconds()).filter(|ttl| !ttl.is_zero()));
    let change = ResourceChange { name: asked.name, scopes: asked.scopes.map(described), access_ttl };
    let which = manager.named::<String>("resource")?;
    let changed = resources::change(manager.app(), &which, change, manager.origin()).await?;
    Ok(ok(&told(&changed)))
}

async fn set_status(manager: &Manager, status: Status) -> Result<HttpResponse, Refused> {
    let which = manager.named::<String>("resource")?;
    resources::set_status(manager.app(), &which, status, manager.origin()).await?;
    Ok(done())
}

pub async fn disable(manager: Manager) -> Result<HttpResponse, Refused> {
    set_status(&manager, Status::Disabled).await
}

pub async fn enable(manager: Manager) -> Result<HttpResponse, Refused> {
    set_status(&manager, Status::Active).await
}

pub async fn remove(manager: Manager) -> Result<HttpResponse, Refused> {
    let which = manager.named::<String>("resource")?;
    resources::remove(manager.app(), &which, manager.origin()).await?;
    Ok(done())
}
