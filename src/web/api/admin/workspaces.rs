//! Workspaces of any organisation, by the management API.

use actix_web::HttpResponse;

use super::manager::Manager;
use super::organizations::of;
use crate::model::OrganisationId;
use crate::store::organisations::Workspace;
use crate::tenancy::{membership, workspaces};
use crate::web::api::ask::Sent;
use crate::web::api::organizations::{NewWorkspace, listed_workspaces, ok};
use crate::web::api::session::done;
use crate::web::api::tell::Named;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `PATCH …/workspaces/{workspace}`.
    WorkspaceChange {
        name: String where { "minLength": 1, "maxLength": 200 },
    }
}

told! {
    WorkspaceTold {
        id: String,
        slug: String,
        name: String,
        /// It is implied where none is named, and stays.
        is_default: bool,
        created_at: String,
        /// Who has roles in it.
        members: u64,
        /// Of those, who has roles nowhere else: they would leave the organisation with it.
        leaving: u64,
        api_keys: i64,
        invitations: i64,
    }
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let list = manager.list_of("workspaces of any", of);
    listed_workspaces(manager.app(), &list, manager.request(), of).await
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewWorkspace>,
) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let (app, actor) = (manager.call.app.clone(), manager.actor());
    let make = async move |origin| {
        let NewWorkspace { slug, name } = asked;
        Ok(Named::from(&workspaces::create(&app, actor, of, &slug, &name, &origin).await?))
    };
    once.make(&manager.call, &manager.identity(), make).await
}

/// The workspace in the path: an id or a short name.
async fn find(manager: &Manager, of: OrganisationId) -> Result<Workspace, Refused> {
    let which = manager.named::<String>("workspace")?;
    let found = manager.app().db.read(move |db| membership::find_workspace(db, of, &which)).await?;
    found.ok_or_else(|| Fault::NotFound.into())
}

async fn told(manager: &Manager, found: &Workspace) -> Result<WorkspaceTold, Refused> {
    let uses = workspaces::uses(manager.app(), found).await?;
    let count = |number: usize| u64::try_from(number).unwrap_or_default();
    Ok(WorkspaceTold {
        id: found.id.to_string(),
        slug: found.slug.clone(),
        name: found.name.clone(),
        is_default: found.is_default,
        created_at: found.created_at.rfc3339(),
        members: count(uses.members),
        leaving: count(uses.leaving),
        api_keys: uses.api_keys,
        invitations: uses.invitations,
    })
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = find(&manager, of(&manager).await?.id).await?;
    Ok(ok(&told(&manager, &found).await?))
}

pub async fn rename(
    Sent { by: manager, asked, .. }: Sent<Manager, WorkspaceChange>,
) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let found = find(&manager, of).await?;
    let (app, actor) = (manager.app(), manager.actor());
    workspaces::rename(app, actor, of, found.id, &asked.name, manager.origin()).await?;
    let renamed = find(&manager, of).await?;
    Ok(ok(&told(&manager, &renamed).await?))
}

pub async fn remove(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let found = find(&manager, of).await?;
    workspaces::remove(manager.app(), manager.actor(), of, found.id, manager.origin()).await?;
    Ok(done())
}
