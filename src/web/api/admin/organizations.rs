//! Organisations and their members, by the management API: any of them, by whoever runs the instance.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

use super::manager::Manager;
use super::users::word;
use crate::model::{MembershipId, OrganisationId, Standing, UserId};
use crate::store::organisations::Organisation;
use crate::store::{self, users};
use crate::tenancy::members::{self, Assignment};
use crate::tenancy::organisations::{self, Change};
use crate::web::api::ask::Sent;
use crate::web::api::members::{Members, told as told_member};
use crate::web::api::once::Made;
use crate::web::api::organizations::{ok, workspace};
use crate::web::api::page::query_without_page;
use crate::web::api::session::done;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST /organizations`.
    NewOrganizationAsked {
        slug: String where { "minLength": 1, "maxLength": 64 },
        name: String where { "minLength": 1, "maxLength": 200 },
    }
    /// `PATCH /organizations/{organization}`.
    OrganizationChange {
        name: Option<String> where { "minLength": 1, "maxLength": 200 },
        require_mfa: Option<bool>,
        password_login_allowed: Option<bool>,
    }
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
    OrganizationsTold {
        items: Vec<OrganizationTold>,
        next: Option<String>,
    }
    OrganizationTold {
        id: String,
        slug: String,
        name: String,
        status: String,
        require_mfa: bool,
        password_login_allowed: bool,
        created_at: String,
    }
    MemberMade {
        user: String,
        organization: String,
    }
}

impl Made for OrganizationTold {}
impl Made for MemberMade {}

fn told(found: &Organisation) -> OrganizationTold {
    OrganizationTold {
        id: found.id.to_string(),
        slug: found.slug.clone(),
        name: found.name.clone(),
        status: found.status.to_string(),
        require_mfa: found.require_mfa,
        password_login_allowed: found.password_login_allowed,
        created_at: found.created_at.rfc3339(),
    }
}

/// The organisation in the path: an id or a short name.
async fn of(manager: &Manager) -> Result<Organisation, Refused> {
    let which = manager.named::<String>("organization")?;
    let found = manager.app().db.read(move |db| organisations::find(db, &which)).await?;
    found.ok_or_else(|| Fault::NotFound.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    q: Option<String>,
    status: Option<String>,
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("all organizations");
    let page = list.page_beside::<OrganisationId>(manager.request(), &["q", "status"])?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let words = users::Sought::words_of(looked.q.as_deref().unwrap_or_default());
    let status = word::<Standing>("status", looked.status.as_deref())?;
    let (before, limit) = (page.after, page.limit);
    let search =
        move |db: &mut store::Conn| store::organisations::search(db, &words, status, before, limit + 1);
    let found = manager.app().db.read(search).await?;
    let (found, next) = list.cut(found, limit, |organisation| organisation.id);
    Ok(ok(&OrganizationsTold { items: found.iter().map(told).collect(), next }))
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewOrganizationAsked>,
) -> Result<HttpResponse, Refused> {
    let app = manager.call.app.clone();
    let make = async move |origin| {
        let created = organisations::create(&app, &asked.slug, &asked.name, &origin).await?;
        Ok(told(&created.organisation))
    };
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    Ok(ok(&told(&of(&manager).await?)))
}

pub async fn change(
    Sent { by: manager, asked, .. }: Sent<Manager, OrganizationChange>,
) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    let change = Change {
        name: asked.name,
        require_mfa: asked.require_mfa,
        password_login_allowed: asked.password_login_allowed,
    };
    let changed = organisations::change(manager.app(), manager.actor(), found.id, change, manager.origin());
    Ok(ok(&told(&changed.await?)))
}

pub async fn suspend(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    organisations::suspend(manager.app(), found.id, manager.origin()).await?;
    Ok(done())
}

pub async fn resume(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    organisations::resume(manager.app(), found.id, manager.origin()).await?;
    Ok(done())
}

pub async fn members(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    let mut list = manager.list("members of any");
    list.of = found.id.to_string();
    let page = list.page::<MembershipId>(manager.request())?;
    let (after, limit) = (page.after, page.limit);
    let members = manager.app().db.read(move |db| {
        members::list(db, found.id, after, limit + 1)?
            .into_iter()
            .map(|described| Ok((users::primary_email(db, described.user.id)?, described)))
            .collect::<Result<Vec<_>, store::Error>>()
    });
    let (members, next) = list.cut(members.await?, limit, |(_, described)| described.member.id);
    let items = members.into_iter().map(|(email, described)| told_member(email, described));
    Ok(ok(&Members { items: items.collect(), next }))
}

pub async fn add_member(
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

pub async fn remove_member(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    let user = manager.named("user")?;
    members::remove(manager.app(), manager.actor(), found.id, user, manager.origin()).await?;
    Ok(done())
}
