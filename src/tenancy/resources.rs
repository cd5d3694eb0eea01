//! APIs that access tokens are for, as whoever runs the instance manages them.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::management;
use crate::app::App;
use crate::audit::{Event, Origin};
use crate::model::{AuditAction, Resource, ResourceId, Status, Topic};
use crate::protocol::ScopeSet;
use crate::protocol::scope::is_standard;
use crate::signing::LONGEST_TOKEN_LIFE;
use crate::store::{self, Conn, Unique, resources};

/// An API to be.
#[derive(Clone, Debug)]
pub struct NewResource {
    /// The `aud` of its tokens (RFC 8707 §2).
    pub identifier: String,
    pub name: String,
    /// Scope and what the consent page says of it.
    pub scopes: BTreeMap<String, String>,
    pub access_ttl: Option<Duration>,
}

/// What to change about a resource; `None` leaves as it is. Its identifier stays, for tokens name it.
#[derive(Clone, Debug, Default)]
pub struct ResourceChange {
    pub name: Option<String>,
    /// Instead of the former ones.
    pub scopes: Option<BTreeMap<String, String>>,
    /// `Some(None)`: as `lifetimes.access` says.
    pub access_ttl: Option<Option<Duration>>,
}

/// Why a resource was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    #[error(
        "the identifier must be an absolute URI of printable ASCII, without fragment, such as https://api.example.com"
    )]
    BadIdentifier,
    #[error(
        "the issuer stands for this provider itself and cannot be another API: choose another identifier"
    )]
    IsIssuer,
    #[error("the name must have 1 to 200 characters, none of them control characters")]
    BadName,
    #[error("`{0}` is not a scope: use printable ASCII without spaces, quotes or backslashes")]
    BadScope(String),
    #[error("the scope `{0}` belongs to OpenID Connect: choose another name")]
    StandardScope(String),
    #[error("the scope `{0}` begins like those of the management API: choose another name")]
    OwnScope(String),
    #[error(
        "the description of the scope `{0}` must have at most 200 characters, none of them control characters"
    )]
    BadDescription(String),
    #[error("the life of an access token must be 1s to 24h")]
    BadLifetime,
    #[error("another resource has this identifier")]
    Taken,
    #[error("there is no such resource: `countersign resource list` shows them")]
    NoSuchResource,
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for ResourceError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Taken(Unique::ResourceIdentifier) => Self::Taken,
            other => Self::Store(other),
        }
    }
}

/// Makes a resource.
pub async fn create(app: &App, new: NewResource, origin: &Origin) -> Result<Resource, ResourceError> {
    check(&new, app.config.issuer.as_str())?;
    let scribe = app.scribe(origin);
    let resource = Resource {
        id: ResourceId::new(scribe.now, &scribe.random),
        identifier: new.identifier,
        name: new.name.trim().to_owned(),
        status: Status::Active,
        access_ttl: new.access_ttl,
        scopes: new.scopes,
    };
    let stored = resource.clone();
    app.db
        .write(move |db| {
            resources::insert(db, &stored, scribe.now)?;
            let event = Event::success(AuditAction::ResourceCreated).detail("resource", &*stored.identifier);
            scribe.write(db, event)
        })
        .await?;
    app.registry.forget(Topic::Resources);
    Ok(resource)
}

/// Changes the resource with this id or identifier. A scope that is taken away is in no further token.
pub async fn change(
    app: &App,
    which: &str,
    change: ResourceChange,
    origin: &Origin,
) -> Result<Resource, ResourceError> {
    let (scribe, which) = (app.scribe(origin), which.to_owned());
    let issuer = app.config.issuer.as_str().to_owned();
    let outcome = app.db.write(move |db| {
        let Some(found) = find(db, &which)? else { return Ok(Err(ResourceError::NoSuchResource)) };
        let ResourceChange { name, scopes, access_ttl } = change.clone();
        let wanted = NewResource {
            identifier: found.identifier.clone(),
            name: name.unwrap_or_else(|| found.name.clone()),
            scopes: scopes.unwrap_or_else(|| found.scopes.clone()),
            access_ttl: access_ttl.unwrap_or(found.access_ttl),
        };
        if let Err(refused) = check(&wanted, &issuer) {
            return Ok(Err(refused));
        }
        let name = wanted.name.trim().to_owned();
        let changed = Resource { name, scopes: wanted.scopes, access_ttl: wanted.access_ttl, ..found };
        resources::update(db, &changed)?;
        let scopes: Vec<&str> = changed.scopes.keys().map(String::as_str).collect();
        let event = Event::success(AuditAction::ResourceChanged)
            .detail("resource", &*changed.identifier)
            .detail("scopes", scopes.join(" "));
        scribe.write(db, event)?;
        Ok(Ok(changed))
    });
    let changed = outcome.await??;
    app.registry.forget(Topic::Resources);
    Ok(changed)
}

/// The resource with this id or identifier.
pub fn find(db: &mut Conn, which: &str) -> Result<Option<Resource>, store::Error> {
    let id = which.parse::<ResourceId>().ok();
    Ok(resources::all(db)?.into_iter().find(|found| Some(found.id) == id || found.identifier == which))
}

/// Disables or enables the resource with this id or identifier.
pub async fn set_status(
    app: &App,
    which: &str,
    status: Status,
    origin: &Origin,
) -> Result<Resource, ResourceError> {
    let (scribe, which) = (app.scribe(origin), which.to_owned());
    let changed = app.db.write(move |db| {
        let Some(found) = find(db, &which)? else { return Ok(None) };
        resources::set_status(db, found.id, status)?;
        let event = Event::success(AuditAction::ResourceChanged)
            .detail("resource", &*found.identifier)
            .detail("status", status.as_str());
        scribe.write(db, event)?;
        Ok(Some(Resource { status, ..found }))
    });
    let changed = changed.await?;
    app.registry.forget(Topic::Resources);
    changed.ok_or(ResourceError::NoSuchResource)
}

/// Removes the resource with this id or identifier.
pub async fn remove(app: &App, which: &str, origin: &Origin) -> Result<Resource, ResourceError> {
    let (scribe, which) = (app.scribe(origin), which.to_owned());
    let removed = app.db.write(move |db| {
        let Some(found) = find(db, &which)? else { return Ok(None) };
        resources::remove(db, found.id)?;
        scribe
            .write(db, Event::success(AuditAction::ResourceRemoved).detail("resource", &*found.identifier))?;
        Ok(Some(found))
    });
    let removed = removed.await?;
    app.registry.forget(Topic::Resources);
    removed.ok_or(ResourceError::NoSuchResource)
}

fn check(new: &NewResource, issuer: &str) -> Result<(), ResourceError> {
    let id = &new.identifier;
    let plain = !id.is_empty() && id.len() <= 2_000 && id.chars().all(|c| c.is_ascii_graphic());
    if !plain || id.contains('#') || Url::parse(id).is_err() {
        return Err(ResourceError::BadIdentifier);
    }
    let is_own = |own: &str| id.trim_end_matches('/') == own;
    if is_own(issuer) || is_own(&format!("{issuer}{}", management::PATH)) {
        return Err(ResourceError::IsIssuer);
    }
    if new.name.trim().is_empty() || !is_line(&new.name) {
        return Err(ResourceError::BadName);
    }
    for (scope, description) in &new.scopes {
        if ScopeSet::parse(scope).map_or(0, |set| set.len()) != 1 || scope.contains(' ') {
            return Err(ResourceError::BadScope(scope.clone()));
        }
        if is_standard(scope) {
            return Err(ResourceError::StandardScope(scope.clone()));
        }
        if management::is_own_scope(scope) {
            return Err(ResourceError::OwnScope(scope.clone()));
        }
        if !is_line(description) {
            return Err(ResourceError::BadDescription(scope.clone()));
        }
    }
    match new.access_ttl {
        Some(ttl) if ttl.as_secs() == 0 || ttl > LONGEST_TOKEN_LIFE => Err(ResourceError::BadLifetime),
        _ => Ok(()),
    }
}

fn is_line(text: &str) -> bool {
    text.chars().count() <= 200 && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_resource() {
        let new = |identifier: &str, scope: &str, ttl: Option<u64>| NewResource {
            identifier: identifier.to_owned(),
            name: "Calendar".to_owned(),
            scopes: [(scope.to_owned(), "Read your calendar".to_owned())].into(),
            access_ttl: ttl.map(Duration::from_secs),
        };
        let issuer = "https://id.example.com";
        for identifier in ["https://api.example.com", "https://api.example.com/v1?x=1", "urn:example:api"] {
            assert!(check(&new(identifier, "calendar:read", Some(86_400)), issuer).is_ok(), "{identifier}");
        }
        for identifier in
            ["", "api", "/api", "https://a/#x", "https://a b", issuer, "https://id.example.com/"]
        {
            assert!(check(&new(identifier, "calendar:read", None), issuer).is_err(), "{identifier}");
        }
        for scope in ["", "a b", " a", "openid", "a\"b", "é"] {
            assert!(check(&new("https://api.example.com", scope, None), issuer).is_err(), "{scope}");
        }
        for ttl in [0, 86_401] {
            assert!(check(&new("https://api.example.com", "a", Some(ttl)), issuer).is_err(), "{ttl}");
        }
    }
}
