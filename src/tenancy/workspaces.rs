//! Workspaces: the parts of an organisation, and what ends with one.

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::model::slug::BadSlug;
use crate::model::{AuditAction, OrganisationId, Permission, Slug, WorkspaceId};
use crate::store::organisations::Workspace;
use crate::store::{self, Conn, Unique, api_keys, grants, memberships, organisations};
use crate::tenancy::actor::{Actor, NotPermitted, authority};
use crate::tenancy::{clean_name, settle, use_case_errors};

/// What would end with a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses {
    /// Members who have roles in it.
    pub members: usize,
    /// Those of them who have roles nowhere else: they are members no more.
    pub leaving: usize,
    /// Keys that count in it alone.
    pub api_keys: i64,
    /// Open invitations into it.
    pub invitations: i64,
}

/// Why a workspace was not made, renamed or removed.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error(transparent)]
    BadSlug(#[from] BadSlug),
    #[error("the name must have 1 to 200 characters, none of them control characters")]
    BadName,
    #[error("another workspace of the organisation has this short name")]
    SlugTaken,
    #[error("the organisation has no such workspace: `countersign workspace list` shows them")]
    NoSuchWorkspace,
    #[error("this workspace is implied where none is named, and stays")]
    Default,
    #[error("there is no such organisation: `countersign org list` shows them")]
    NoSuchOrganisation,
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    #[error(transparent)]
    Store(store::Error),
}

use_case_errors!(WorkspaceError);

/// Makes a workspace.
pub async fn create(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    slug: &str,
    name: &str,
    origin: &Origin,
) -> Result<Workspace, WorkspaceError> {
    let scribe = app.scribe(origin);
    let workspace = Workspace {
        id: WorkspaceId::new(scribe.now, &scribe.random),
        organisation_id: organisation,
        slug: Slug::parse(slug)?.to_string(),
        name: clean_name(name).ok_or(WorkspaceError::BadName)?,
        is_default: false,
        created_at: scribe.now,
    };
    let outcome = app.db.write(move |db| {
        if organisations::lock(db, organisation, scribe.now)?.is_none() {
            return Ok(Err(WorkspaceError::NoSuchOrganisation));
        }
        if let Err(refused) = authority(db, actor, organisation, None, Permission::WorkspacesWrite)? {
            return Ok(Err(refused.into()));
        }
        organisations::insert_workspace(db, &workspace)?;
        let event = Event::success(AuditAction::WorkspaceCreated)
            .actor(actor)
            .organisation(organisation)
            .detail("workspace", workspace.id.to_string())
            .detail("slug", workspace.slug.as_str());
        scribe.write(db, event)?;
        Ok(Ok(workspace.clone()))
    });
    outcome.await.map_err(|error| match error {
        store::Error::Taken(Unique::WorkspaceSlug) => WorkspaceError::SlugTaken,
        other => WorkspaceError::Store(other),
    })?
}

/// Gives a workspace another name. Its short name stays: tokens and APIs know it by that.
pub async fn rename(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    id: WorkspaceId,
    name: &str,
    origin: &Origin,
) -> Result<(), WorkspaceError> {
    let scribe = app.scribe(origin);
    let name = clean_name(name).ok_or(WorkspaceError::BadName)?;
    let outcome = app.db.write(move |db| {
        settle((|| {
            let found = begin(db, actor, organisation, id, &scribe)?;
            organisations::rename_workspace(db, organisation, id, &name)?;
            scribe.write(db, told(AuditAction::WorkspaceRenamed, actor, &found))?;
            Ok(())
        })())
    });
    outcome.await?
}

/// What would end if the workspace was removed.
pub async fn uses(app: &App, workspace: &Workspace) -> Result<Uses, store::Error> {
    let (organisation, id, now) = (workspace.organisation_id, workspace.id, app.clock.now());
    app.db
        .read(move |db| {
            let members = organisations::members_of_workspace(db, organisation, id)?;
            let held = memberships::roles_of(db, organisation, &members)?;
            let stays = |member: &&crate::model::MembershipId| {
                let elsewhere =
                    held.iter().filter(|held| held.workspace.as_ref().is_none_or(|of| of.id != id));
                elsewhere.map(|held| held.membership).any(|of| of == **member)
            };
            let staying = members.iter().filter(stays).count();
            let (api_keys, invitations) = organisations::uses_of_workspace(db, organisation, id, now)?;
            Ok(Uses { members: members.len(), leaving: members.len() - staying, api_keys, invitations })
        })
        .await
}

/// Removes a workspace: with the roles in it, its API keys and the invitations into it. Who has roles nowhere else is no
/// member any more.
pub async fn remove(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    id: WorkspaceId,
    origin: &Origin,
) -> Result<(), WorkspaceError> {
    let scribe = app.scribe(origin);
    let outcome = app.db.write(move |db| settle(remove_stored(db, actor, organisation, id, &scribe)));
    outcome.await?
}

fn remove_stored(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    id: WorkspaceId,
    scribe: &Scribe,
) -> Result<(), WorkspaceError> {
    let found = begin(db, actor, organisation, id, scribe)?;
    if found.is_default {
        return Err(WorkspaceError::Default);
    }
    let now = scribe.now;
    let members = organisations::members_of_workspace(db, organisation, id)?;
    api_keys::revoke_tokens_of_workspace(db, organisation, id, now)?;
    organisations::remove_workspace(db, organisation, id)?;
    for user in memberships::without_roles(db, organisation, &members)? {
        grants::revoke_tokens_in(db, organisation, Some(user), now)?;
        api_keys::revoke_tokens_in(db, organisation, Some(user), now)?;
        memberships::remove(db, organisation, user)?;
        grants::revoke_of_member(db, organisation, user, now)?;
        let event = Event::success(AuditAction::MemberRemoved).user(user).actor(actor);
        scribe.write(db, event.organisation(organisation).detail("by", "workspace"))?;
    }
    scribe.write(db, told(AuditAction::WorkspaceRemoved, actor, &found))?;
    Ok(())
}

fn begin(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    id: WorkspaceId,
    scribe: &Scribe,
) -> Result<Workspace, WorkspaceError> {
    if organisations::lock(db, organisation, scribe.now)?.is_none() {
        return Err(WorkspaceError::NoSuchOrganisation);
    }
    authority(db, actor, organisation, None, Permission::WorkspacesWrite)??;
    organisations::find_workspace(db, organisation, id)?.ok_or(WorkspaceError::NoSuchWorkspace)
}

fn told(action: AuditAction, actor: Actor, workspace: &Workspace) -> Event {
    Event::success(action)
        .actor(actor)
        .organisation(workspace.organisation_id)
        .detail("workspace", workspace.id.to_string())
        .detail("slug", workspace.slug.as_str())
}
