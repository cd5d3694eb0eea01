//! On whose behalf an organisation is changed, and how far that reaches.
//!
//! Each change asks `authority` in its own transaction, so membership, permission and standing are those of this
//! moment (OR-2, OR-6). What an authority may not touch (what ranks above it, its own roles) is decided in
//! [`crate::tenancy::members`].

use crate::audit::By;
use crate::model::{ApiKeyId, ClientKey, OrganisationId, Permission, Status, UserId, WorkspaceId};
use crate::store::roles::Role;
use crate::store::{self, Conn, api_keys, memberships};
use crate::tenancy::membership;

/// Whoever asks for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever runs the instance, at a shell: may do everything that leaves an organisation whole.
    Operator,
    /// An administrator of the instance, in the console: may do the same.
    Administrator(UserId),
    /// A client that holds a scope of the management API for this.
    Service(ClientKey),
    /// A member of the organisation, within the member's own permissions and rank.
    Member(UserId),
    /// An API key of the organisation, within its scopes, and never beyond its creator.
    Key { id: ApiKeyId, creator: Option<UserId> },
}

impl Actor {
    /// The person who answers for it.
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::Operator | Self::Service(_) => None,
            Self::Administrator(user) | Self::Member(user) => Some(user),
            Self::Key { creator, .. } => creator,
        }
    }

    /// The member whose word it is: a key that they make is theirs (AK-2), and they do not change their own membership
    /// (OR-3). Whoever runs the instance is none, whatever else they are.
    pub(super) fn member(self) -> Option<UserId> {
        match self {
            Self::Operator | Self::Administrator(_) | Self::Service(_) => None,
            Self::Member(user) => Some(user),
            Self::Key { creator, .. } => creator,
        }
    }
}

impl From<Actor> for By {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::Operator | Actor::Administrator(_) | Actor::Member(_) => actor.user().into(),
            Actor::Service(client) => Self { client: Some(client), ..Self::default() },
            Actor::Key { id, creator } => Self { user: creator, key: Some(id), client: None },
        }
    }
}

/// The actor is no active member, or lacks the permission. One answer for both (OR-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this needs a permission that the member does not have")]
pub struct NotPermitted;

/// Proof that the actor may do this kind of thing here, up to a rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authority {
    pub actor: Actor,
    /// The highest rank that the actor may give, take or touch.
    pub rank: i64,
}

/// What the actor may do in the organisation, or, with a workspace, in that part of it.
pub(super) fn authority(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    workspace: Option<WorkspaceId>,
    permission: Permission,
) -> Result<Result<Authority, NotPermitted>, store::Error> {
    let rank = match actor {
        Actor::Operator | Actor::Service(_) => Some(i64::MAX),
        Actor::Administrator(user) => {
            let user = store::users::find(db, user)?;
            user.filter(|user| user.is_admin() && user.status == Status::Active).map(|_| i64::MAX)
        }
        Actor::Member(user) => rank_of_member(db, user, organisation, workspace, permission)?,
        Actor::Key { id, .. } => rank_of_key(db, id, organisation, workspace, permission)?,
    };
    Ok(rank.map(|rank| Authority { actor, rank }).ok_or(NotPermitted))
}

fn rank_of_member(
    db: &mut Conn,
    user: UserId,
    organisation: OrganisationId,
    workspace: Option<WorkspaceId>,
    permission: Permission,
) -> Result<Option<i64>, store::Error> {
    let Some(membership) = membership::active(db, user, organisation)? else {
        return Ok(None);
    };
    let held = memberships::roles_of(db, organisation, &[membership.id])?;
    let reaching = held.iter().filter(|held| match &held.workspace {
        None => true,
        Some(of) => Some(of.id) == workspace,
    });
    let permissions = store::roles::permissions(db, organisation)?;
    let allows = |role| permissions.iter().any(|(of, named)| *of == role && named == permission.as_str());
    // Only roles that allow it count: a high rank without the permission lends nothing to a low one with it.
    Ok(reaching.filter(|held| allows(held.role.id)).map(|held| held.role.rank).max())
}

/// A key needs the scope, and its creator the permission. It gives and touches the roles that allow nothing beyond its
/// scopes, and never what ranks above its creator. No key makes or ends keys (AK-2).
fn rank_of_key(
    db: &mut Conn,
    id: ApiKeyId,
    organisation: OrganisationId,
    workspace: Option<WorkspaceId>,
    permission: Permission,
) -> Result<Option<i64>, store::Error> {
    let found = api_keys::find_in(db, organisation, id)?.filter(|key| key.revoked_at.is_none());
    let Some(key) = found.filter(|_| permission != Permission::ApiKeysWrite) else { return Ok(None) };
    let scopes = api_keys::scopes(db, id)?;
    let reaches = key.workspace_id.is_none_or(|of| Some(of) == workspace);
    if !reaches || !scopes.iter().any(|scope| scope == permission.as_str()) {
        return Ok(None);
    }
    let permissions = store::roles::permissions(db, organisation)?;
    let within = |role: &Role| {
        permissions.iter().filter(|(of, _)| *of == role.id).all(|(_, named)| scopes.contains(named))
    };
    let roles = store::roles::all(db, organisation)?;
    let own = roles.iter().filter(|role| within(role)).map(|role| role.rank).max().unwrap_or_default();
    Ok(match key.created_by {
        None => Some(own),
        Some(creator) => {
            rank_of_member(db, creator, organisation, workspace, permission)?.map(|rank| rank.min(own))
        }
    })
}
