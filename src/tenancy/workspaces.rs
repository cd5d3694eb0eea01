//! Workspaces: the parts of an organisation.

use crate::app::App;
use crate::audit::{Event, Origin};
use crate::model::slug::BadSlug;
use crate::model::{AuditAction, OrganisationId, Permission, Slug, WorkspaceId};
use crate::store::organisations::Workspace;
use crate::store::{self, Unique, organisations};
use crate::tenancy::actor::{Actor, NotPermitted, authority};
use crate::tenancy::{clean_name, use_case_errors};

/// Why a workspace was not made.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error(transparent)]
    BadSlug(#[from] BadSlug),
    #[error("the name must have 1 to 200 characters, none of them control characters")]
    BadName,
    #[error("another workspace of the organisation has this short name")]
    SlugTaken,
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
