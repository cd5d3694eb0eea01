//! Invitations to organisations (OR-5).

use diesel::prelude::*;

use super::roles::Role;
use super::schema::{invitation_roles, invitations, roles};
use super::users::contains;
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::{InvitationId, OrganisationId, RoleId, UserId, WorkspaceId};

/// Somebody asked to join.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = invitations)]
pub struct Invitation {
    pub id: InvitationId,
    pub organisation_id: OrganisationId,
    pub digest: Digest,
    /// The address, as it is compared.
    pub folded: String,
    /// As it was typed.
    pub address: String,
    /// Where the roles will hold; `None` is the whole organisation.
    pub workspace_id: Option<WorkspaceId>,
    pub invited_by: Option<UserId>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub accepted_at: Option<Timestamp>,
    pub accepted_by: Option<UserId>,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Stores an invitation and revokes the open ones of the organisation for the same address: the newest counts (PW-8).
pub fn insert(db: &mut Conn, invitation: &Invitation, roles: &[RoleId]) -> Result<(), Error> {
    let before = invitations::table
        .filter(invitations::organisation_id.eq(invitation.organisation_id))
        .filter(invitations::folded.eq(&invitation.folded))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null());
    diesel::update(before).set(invitations::revoked_at.eq(invitation.created_at)).execute(db)?;
    diesel::insert_into(invitations::table).values(invitation).execute(db)?;
    for role in roles {
        diesel::insert_into(invitation_roles::table)
            .values((invitation_roles::invitation_id.eq(invitation.id), invitation_roles::role_id.eq(role)))
            .execute(db)?;
    }
    Ok(())
}

/// The invitation with this reference, if it is open. The reference is the proof, so no organisation is asked for.
pub fn find_open(db: &mut Conn, digest: &Digest, now: Timestamp) -> Result<Option<Invitation>, Error> {
    Ok(invitations::table
        .filter(invitations::digest.eq(digest))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .select(Invitation::as_select())
        .first(db)
        .optional()?)
}

/// The open invitation with this id, if it is for one of these addresses: whose they are, may know of it.
pub fn find_open_for(
    db: &mut Conn,
    id: InvitationId,
    addresses: &[String],
    now: Timestamp,
) -> Result<Option<Invitation>, Error> {
    Ok(invitations::table
        .find(id)
        .filter(invitations::folded.eq_any(addresses))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .select(Invitation::as_select())
        .first(db)
        .optional()?)
}

/// Whether anybody invited this address, and that is still open.
pub fn any_open_for(db: &mut Conn, folded: &str, now: Timestamp) -> Result<bool, Error> {
    let open = invitations::table
        .filter(invitations::folded.eq(folded))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now));
    Ok(diesel::select(diesel::dsl::exists(open)).get_result(db)?)
}

/// Spends the invitation, if nobody has and it is still good (AR-1).
pub fn accept(
    db: &mut Conn,
    organisation: OrganisationId,
    id: InvitationId,
    user: UserId,
    now: Timestamp,
) -> Result<bool, Error> {
    let open = invitations::table
        .filter(invitations::id.eq(id))
        .filter(invitations::organisation_id.eq(organisation))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now));
    let set = (invitations::accepted_at.eq(now), invitations::accepted_by.eq(user));
    Ok(diesel::update(open).set(set).execute(db)? == 1)
}

/// Takes an open invitation back. `false` if the organisation has no such one.
pub fn revoke(
    db: &mut Conn,
    organisation: OrganisationId,
    id: InvitationId,
    now: Timestamp,
) -> Result<bool, Error> {
    let open = invitations::table
        .filter(invitations::id.eq(id))
        .filter(invitations::organisation_id.eq(organisation))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null());
    Ok(diesel::update(open).set(invitations::revoked_at.eq(now)).execute(db)? == 1)
}

/// One of the organisation's.
pub fn find_in(
    db: &mut Conn,
    organisation: OrganisationId,
    id: InvitationId,
) -> Result<Option<Invitation>, Error> {
    Ok(invitations::table
        .filter(invitations::organisation_id.eq(organisation))
        .filter(invitations::id.eq(id))
        .select(Invitation::as_select())
        .first(db)
        .optional()?)
}

/// Up to `limit` invitations of the organisation, the newest first, before the one named: to addresses with each of
/// these words in them.
pub fn search(
    db: &mut Conn,
    organisation: OrganisationId,
    words: &[String],
    before: Option<InvitationId>,
    limit: i64,
) -> Result<Vec<Invitation>, Error> {
    let mut query = invitations::table
        .filter(invitations::organisation_id.eq(organisation))
        .select(Invitation::as_select())
        .into_boxed();
    for word in words {
        query = query.filter(invitations::folded.like(contains(word)).escape('\\'));
    }
    if let Some(before) = before {
        query = query.filter(invitations::id.lt(before));
    }
    Ok(query.order(invitations::id.desc()).limit(limit).load(db)?)
}

/// Up to `limit` invitations of the organisation in order of sending, after the one named.
pub fn list(
    db: &mut Conn,
    organisation: OrganisationId,
    after: Option<InvitationId>,
    limit: i64,
) -> Result<Vec<Invitation>, Error> {
    let mut query = invitations::table
        .filter(invitations::organisation_id.eq(organisation))
        .select(Invitation::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(invitations::id.gt(after));
    }
    Ok(query.order(invitations::id.asc()).limit(limit).load(db)?)
}

/// What these invitations of the organisation are for, the highest role first.
pub fn roles_of(
    db: &mut Conn,
    organisation: OrganisationId,
    ids: &[InvitationId],
) -> Result<Vec<(InvitationId, Role)>, Error> {
    Ok(invitation_roles::table
        .inner_join(invitations::table.on(invitations::id.eq(invitation_roles::invitation_id)))
        .inner_join(roles::table.on(roles::id.eq(invitation_roles::role_id)))
        .filter(invitations::organisation_id.eq(organisation))
        .filter(invitation_roles::invitation_id.eq_any(ids))
        .order((roles::rank.desc(), roles::key.asc()))
        .select((invitation_roles::invitation_id, Role::as_select()))
        .load(db)?)
}
