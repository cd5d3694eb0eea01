//! The roles of an organisation by the API.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse};

use super::ask::Sent;
use super::caller::Here;
use super::once::Made;
use super::organizations::ok;
use super::page::List;
use super::session::done;
use super::typed::{Integer, asked, told};
use crate::app::App;
use crate::model::slug::PATTERN as SLUG;
use crate::model::{OrganisationId, Permission};
use crate::tenancy::roles::{self, Description};
use crate::web::fault::Refused;

asked! {
    /// `POST …/roles`.
    NewRole {
        key: String where { "minLength": 1, "maxLength": 64, "pattern": SLUG },
        name: String where { "minLength": 1, "maxLength": 200 },
        rank: Integer where { "minimum": 1, "maximum": 1000 },
        permissions: Vec<String> where { "maxItems": 50 },
        require_mfa: Option<bool>,
    }
    /// `PUT …/roles/{role}`.
    RoleDescribed {
        name: String where { "minLength": 1, "maxLength": 200 },
        rank: Integer where { "minimum": 1, "maximum": 1000 },
        permissions: Vec<String> where { "maxItems": 50 },
        require_mfa: Option<bool>,
    }
}

told! {
    Roles {
        items: Vec<RoleTold>,
        next: Option<String>,
    }
    RoleTold {
        key: String,
        name: String,
        rank: i64,
        permissions: Vec<String>,
        require_mfa: bool,
        own: bool,
    }
    RoleMade {
        id: String,
        key: String,
    }
}

impl Made for RoleMade {}

impl NewRole {
    /// Its key, and what it is to be.
    pub fn parts(self) -> (String, Description) {
        let Self { key, name, rank, permissions, require_mfa } = self;
        (key, described(RoleDescribed { name, rank, permissions, require_mfa }))
    }
}

/// Where a role stands in the list: the highest rank first, and by key within one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Standing(std::cmp::Reverse<i64>, String);

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.0, self.1)
    }
}

impl FromStr for Standing {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rank, key) = text.split_once(' ').unwrap_or((text, ""));
        Ok(Self(std::cmp::Reverse(rank.parse()?), key.to_owned()))
    }
}

fn standing(described: &roles::Described) -> Standing {
    Standing(std::cmp::Reverse(described.role.rank), described.role.key.clone())
}

pub async fn list(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::OrganisationRead)?;
    listed(here.app(), &here.list("roles"), here.request(), here.organisation).await
}

/// A page of the roles that can be given in the organisation.
pub async fn listed(
    app: &App,
    list: &List<'_>,
    request: &HttpRequest,
    of: OrganisationId,
) -> Result<HttpResponse, Refused> {
    let page = list.page::<Standing>(request)?;
    let mut all = app.db.read(move |db| roles::list(db, of)).await?;
    all.sort_by_key(standing);
    all.retain(|described| page.after.as_ref().is_none_or(|after| standing(described) > *after));
    let (found, next) = list.cut(all, page.limit, standing);
    let items = found.into_iter().map(|roles::Described { role, permissions }| RoleTold {
        own: role.organisation_id.is_some(),
        key: role.key,
        name: role.name,
        rank: role.rank,
        permissions,
        require_mfa: role.require_mfa,
    });
    Ok(ok(&Roles { items: items.collect(), next }))
}

pub async fn create(Sent { by: here, asked, once }: Sent<Here, NewRole>) -> Result<HttpResponse, Refused> {
    let (app, actor, of) = (here.call().app.clone(), here.actor(), here.organisation);
    let make = async move |origin| {
        let (key, description) = asked.parts();
        let id = roles::define(&app, actor, of, &key, description, &origin).await?;
        Ok(RoleMade { id: id.to_string(), key })
    };
    once.make(here.call(), &here.identity(), make).await
}

pub async fn change(
    Sent { by: here, asked, .. }: Sent<Here, RoleDescribed>,
) -> Result<HttpResponse, Refused> {
    let key: String = here.named("role")?;
    let (app, actor, of) = (here.app(), here.actor(), here.organisation);
    roles::change(app, actor, of, &key, described(asked), here.origin()).await?;
    Ok(done())
}

pub async fn remove(here: Here) -> Result<HttpResponse, Refused> {
    let key: String = here.named("role")?;
    roles::remove(here.app(), here.actor(), here.organisation, &key, here.origin()).await?;
    Ok(done())
}

pub fn described(asked: RoleDescribed) -> Description {
    Description {
        name: asked.name,
        rank: asked.rank.0,
        permissions: asked.permissions.into_iter().collect::<BTreeSet<_>>(),
        require_mfa: asked.require_mfa.unwrap_or_default(),
    }
}
