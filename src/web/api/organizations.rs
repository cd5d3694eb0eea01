//! Organisations by the API: those that the caller belongs to, new ones, what one is, and its workspaces.
//!
//! What may be changed is decided in the transaction that changes it ([`crate::tenancy::actor`]); what may be read, by the
//! roles in the whole organisation, or by a key's scopes.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::ask::Sent;
use super::caller::{Here, Member};
use super::once::Made;
use super::page::List;
use super::tell::{Belongs, Named};
use super::typed::{asked, told};
use crate::app::App;
use crate::model::slug::PATTERN as SLUG;
use crate::model::{OrganisationId, Permission, WorkspaceId};
use crate::store;
use crate::store::organisations::Organisation;
use crate::tenancy::organisations::{self, Change};
use crate::tenancy::workspaces;
use crate::web::fault::{Fault, Refused};
use crate::web::respond;

asked! {
    /// `POST /organizations`.
    NewOrganization {
        slug: String where { "minLength": 1, "maxLength": 64, "pattern": SLUG },
        name: String where { "minLength": 1, "maxLength": 200 },
    }
    /// `PATCH /organizations/{organization}`.
    ChangeOrganization {
        name: Option<String> where { "minLength": 1, "maxLength": 200 },
        require_mfa: Option<bool>,
        password_login_allowed: Option<bool>,
    }
    /// `POST …/workspaces`.
    NewWorkspace {
        slug: String where { "minLength": 1, "maxLength": 64, "pattern": SLUG },
        name: String where { "minLength": 1, "maxLength": 200 },
    }
}

told! {
    Organizations {
        items: Vec<Belongs>,
        next: Option<String>,
    }
    OrganizationTold {
        id: String,
        slug: String,
        name: String,
        require_mfa: bool,
        password_login_allowed: bool,
        created_at: String,
    }
    Workspaces {
        items: Vec<Named>,
        next: Option<String>,
    }
}

impl Made for OrganizationTold {}
impl Made for Named {}

/// The workspace of a body.
pub fn workspace(text: Option<&str>) -> Result<Option<WorkspaceId>, Refused> {
    let read = |text: &str| {
        let why = "`workspace` must be the id of a workspace.";
        text.parse().map_err(|_| Refused::with_detail(Fault::InvalidValue, why))
    };
    text.map(read).transpose()
}

pub fn ok(told: &impl serde::Serialize) -> HttpResponse {
    respond::json_no_store(StatusCode::OK, told)
}

impl From<&Organisation> for OrganizationTold {
    fn from(found: &Organisation) -> Self {
        Self {
            id: found.id.to_string(),
            slug: found.slug.clone(),
            name: found.name.clone(),
            require_mfa: found.require_mfa,
            password_login_allowed: found.password_login_allowed,
            created_at: found.created_at.rfc3339(),
        }
    }
}

/// What the caller belongs to, in order of foundation.
pub async fn list(member: Member, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let list = member.list("organizations");
    let page = list.page::<OrganisationId>(&request)?;
    let mut all: Vec<_> = member.subject.memberships.iter().collect();
    all.sort_by_key(|membership| membership.organisation.id);
    all.retain(|membership| page.after.is_none_or(|after| membership.organisation.id > after));
    let (found, next) = list.cut(all, page.limit, |membership| membership.organisation.id);
    Ok(ok(&Organizations { items: found.into_iter().map(Belongs::from).collect(), next }))
}

/// Whoever founds an organisation administers it. Their token stays for what it was for: `/switch` gives one for this.
pub async fn create(
    Sent { by: member, asked, once }: Sent<Member, NewOrganization>,
) -> Result<HttpResponse, Refused> {
    let (app, user) = (member.call.app.clone(), member.user());
    let make = async move |origin| {
        let NewOrganization { slug, name } = asked;
        let founded = organisations::found(&app, user, &slug, &name, &origin).await?;
        Ok(OrganizationTold::from(&founded))
    };
    once.make(&member.call, &user.to_string(), make).await
}

pub async fn show(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::OrganisationRead)?;
    Ok(ok(&OrganizationTold::from(&here.found)))
}

pub async fn change(
    Sent { by: here, asked, .. }: Sent<Here, ChangeOrganization>,
) -> Result<HttpResponse, Refused> {
    let change = Change {
        name: asked.name,
        require_mfa: asked.require_mfa,
        password_login_allowed: asked.password_login_allowed,
    };
    let changed =
        organisations::change(here.app(), here.actor(), here.organisation, change, here.origin()).await?;
    Ok(ok(&OrganizationTold::from(&changed)))
}

pub async fn workspaces(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::OrganisationRead)?;
    listed_workspaces(here.app(), &here.list("workspaces"), here.request(), here.organisation).await
}

/// A page of the organisation's workspaces.
pub async fn listed_workspaces(
    app: &App,
    list: &List<'_>,
    request: &HttpRequest,
    of: OrganisationId,
) -> Result<HttpResponse, Refused> {
    let page = list.page::<WorkspaceId>(request)?;
    let (after, limit) = (page.after, page.limit);
    let found = app.db.read(move |db| store::organisations::workspaces(db, of, after, limit + 1)).await?;
    let (found, next) = list.cut(found, limit, |workspace| workspace.id);
    Ok(ok(&Workspaces { items: found.iter().map(Named::from).collect(), next }))
}

pub async fn new_workspace(
    Sent { by: here, asked, once }: Sent<Here, NewWorkspace>,
) -> Result<HttpResponse, Refused> {
    let (app, actor, of) = (here.call().app.clone(), here.actor(), here.organisation);
    let make = async move |origin| {
        let NewWorkspace { slug, name } = asked;
        let created = workspaces::create(&app, actor, of, &slug, &name, &origin).await?;
        Ok(Named::from(&created))
    };
    once.make(here.call(), &here.identity(), make).await
}
