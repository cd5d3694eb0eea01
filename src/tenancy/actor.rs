//! On whose behalf an organisation is changed, and how far that reaches.
//!
//! Each change asks `authority` in its own transaction, so membership, permission and standing are those of this
//! moment (OR-2, OR-6). What an authority may not touch (what ranks above it, its own roles) is decided in
//! [`crate::tenancy::members`].

use crate::model::{OrganisationId, Permission, UserId, WorkspaceId};
use crate::store::{self, Conn, memberships};
use crate::tenancy::membership;

/// Whoever asks for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever runs the instance: may do everything that leaves an organisation whole.
    Operator,
    /// A member of the organisation, within the member's own permissions and rank.
    Member(UserId),
}

impl Actor {
    /// The person, for the audit.
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::Operator => None,
            Self::Member(user) => Some(user),
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
    let Actor::Member(user) = actor else {
        return Ok(Ok(Authority { actor, rank: i64::MAX }));
    };
    let Some(membership) = membership::active(db, user, organisation)? else {
        return Ok(Err(NotPermitted));
    };
    let held = memberships::roles_of(db, organisation, &[membership.id])?;
    let reaching = held.iter().filter(|held| match &held.workspace {
        None => true,
        Some(of) => Some(of.id) == workspace,
    });
    let permissions = store::roles::permissions(db, organisation)?;
    let allows = |role| permissions.iter().any(|(of, named)| *of == role && named == permission.as_str());
    // Only roles that allow it count: a high rank without the permission lends nothing to a low one with it.
    let rank = reaching.filter(|held| allows(held.role.id)).map(|held| held.role.rank).max();
    Ok(rank.map(|rank| Authority { actor, rank }).ok_or(NotPermitted))
}
