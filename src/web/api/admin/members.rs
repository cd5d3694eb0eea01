//! Members of any organisation, by the management API.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

use super::manager::Manager;
use super::organizations::of;
use crate::model::{MembershipId, UserId};
use crate::store::users::{self, Sought};
use crate::tenancy::members::{self, Assignment};
use crate::web::api::ask::Sent;
use crate::web::api::members::{Members, told};
use crate::web::api::once::Made;
use crate::web::api::organizations::{ok, workspace};
use crate::web::api::page::query_without_page;
use crate::web::api::session::done;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST …/members`.
    NewMember {
        /// The id of a user.
        user: String where { "pattern": "^usr_[0-9a-f]{32}$" },
        /// Keys of roles.
        roles: Vec<String> where { "minItems": 1, "maxItems": 3 },
        workspace: Option<String>,
    }
    /// `PUT …/members/{user}/roles`: instead of those that the member has there.
    RolesAsked {
        roles: Vec<String> where { "maxItems": 3 },
        workspace: Option<String>,
    }
}

told! {
    MemberMade {
        user: String,
        organization: String,
    }
}

impl Made for MemberMade {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    q: Option<String>,
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let list = manager.list_of("members of any", of);
    let page = list.page_beside::<MembershipId>(manager.request(), &["q"])?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let words = Sought::words_of(looked.q.as_deref().unwrap_or_default());
    let (after, limit) = (page.after, page.limit);
    let read = manager.app().db.read(move |db| members::search(db, of, &words, after, limit + 1));
    let (found, next) = list.cut(read.await?, limit, |listed| listed.described.member.id);
    let items = found.into_iter().map(|listed| told(listed.email, listed.described));
    Ok(ok(&Members { items: items.collect(), next }))
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let (of, user) = (of(&manager).await?.id, manager.named::<UserId>("user")?);
    let found = manager.app().db.read(move |db| {
        let email = users::primary_email(db, user)?.map(|email| email.address);
        Ok(members::describe(db, of, user)?.map(|described| told(email.clone(), described)))
    });
    Ok(ok(&found.await?.ok_or(Fault::NotFound)?))
}

pub async fn add(
    Sent { by: manager, asked, once }: Sent<Manager, NewMember>,
) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    let why = "`user` must be the id of a user.";
    let user: UserId = asked.user.parse().map_err(|_| Refused::with_detail(Fault::InvalidValue, why))?;
    let workspace = workspace(asked.workspace.as_deref())?;
    let (app, actor) = (manager.call.app.clone(), manager.actor());
    let make = async move |origin| {
        let assignment = Assignment { user, workspace, roles: asked.roles };
        members::add(&app, actor, found.id, assignment, &origin).await?;
        Ok(MemberMade { user: user.to_string(), organization: found.id.to_string() })
    };
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn set_roles(
    Sent { by: manager, asked, .. }: Sent<Manager, RolesAsked>,
) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    let workspace = workspace(asked.workspace.as_deref())?;
    let assignment = Assignment { user: manager.named("user")?, workspace, roles: asked.roles };
    members::set_roles(manager.app(), manager.actor(), found.id, assignment, manager.origin()).await?;
    Ok(done())
}

pub async fn remove(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    let user = manager.named("user")?;
    members::remove(manager.app(), manager.actor(), found.id, user, manager.origin()).await?;
    Ok(done())
}

pub async fn suspend(manager: Manager) -> Result<HttpResponse, Refused> {
    let (of, user) = (of(&manager).await?.id, manager.named("user")?);
    members::suspend(manager.app(), manager.actor(), of, user, manager.origin()).await?;
    Ok(done())
}

pub async fn resume(manager: Manager) -> Result<HttpResponse, Refused> {
    let (of, user) = (of(&manager).await?.id, manager.named("user")?);
    members::resume(manager.app(), manager.actor(), of, user, manager.origin()).await?;
    Ok(done())
}
