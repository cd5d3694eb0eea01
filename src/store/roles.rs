//! Roles with their permissions: those that the instance ships, and those of one organisation.

use diesel::prelude::*;

use super::schema::{membership_roles, role_permissions, roles};
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::model::role::SHIPPED;
use crate::model::{OrganisationId, RoleId};

/// A named set of permissions with a rank.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = roles)]
pub struct Role {
    pub id: RoleId,
    /// `None`: the instance ships it.
    pub organisation_id: Option<OrganisationId>,
    pub key: String,
    pub name: String,
    pub rank: i64,
    pub require_mfa: bool,
    pub created_at: Timestamp,
}

/// Makes the roles that the instance ships, if they are missing. Part of bringing the schema up.
pub(super) fn ensure_shipped(db: &mut Conn) -> Result<(), Error> {
    for shipped in SHIPPED {
        upsert::insert_shipped_role(db, &shipped)?;
        for permission in shipped.permissions {
            upsert::insert_permission(db, shipped.id(), permission.as_str())?;
        }
    }
    Ok(())
}

/// Stores a role of the organisation; [`Error::Taken`] if it has one of this key.
pub fn insert(db: &mut Conn, role: &Role, permissions: &[String]) -> Result<(), Error> {
    diesel::insert_into(roles::table).values(role).execute(db)?;
    insert_permissions(db, role.id, permissions)
}

/// The roles that can be given in this organisation: its own and the shipped ones, the highest first.
pub fn all(db: &mut Conn, organisation: OrganisationId) -> Result<Vec<Role>, Error> {
    Ok(roles::table
        .filter(roles::organisation_id.eq(organisation).or(roles::organisation_id.is_null()))
        .order((roles::rank.desc(), roles::key.asc()))
        .select(Role::as_select())
        .load(db)?)
}

/// The ranks of all roles that can be given in any of these organisations. No organisation: in each of them.
pub fn ranks(
    db: &mut Conn,
    organisations: &[OrganisationId],
) -> Result<Vec<(Option<OrganisationId>, String, i64)>, Error> {
    Ok(roles::table
        .filter(roles::organisation_id.eq_any(organisations).or(roles::organisation_id.is_null()))
        .select((roles::organisation_id, roles::key, roles::rank))
        .load(db)?)
}

/// The role that is called this in this organisation.
pub fn find(db: &mut Conn, organisation: OrganisationId, key: &str) -> Result<Option<Role>, Error> {
    Ok(roles::table
        .filter(roles::organisation_id.eq(organisation).or(roles::organisation_id.is_null()))
        .filter(roles::key.eq(key))
        .select(Role::as_select())
        .first(db)
        .optional()?)
}

/// Role and permission, of all roles that can be given in this organisation.
pub fn permissions(db: &mut Conn, organisation: OrganisationId) -> Result<Vec<(RoleId, String)>, Error> {
    Ok(role_permissions::table
        .inner_join(roles::table.on(roles::id.eq(role_permissions::role_id)))
        .filter(roles::organisation_id.eq(organisation).or(roles::organisation_id.is_null()))
        .order((role_permissions::role_id.asc(), role_permissions::permission.asc()))
        .select((role_permissions::role_id, role_permissions::permission))
        .load(db)?)
}

/// Stores name, rank, rule and permissions of one of the organisation's own roles.
pub fn update(
    db: &mut Conn,
    organisation: OrganisationId,
    role: &Role,
    permissions: &[String],
) -> Result<bool, Error> {
    let own = roles::table.filter(roles::organisation_id.eq(organisation)).filter(roles::id.eq(role.id));
    let changed = diesel::update(own)
        .set((roles::name.eq(&role.name), roles::rank.eq(role.rank), roles::require_mfa.eq(role.require_mfa)))
        .execute(db)?;
    if changed == 1 {
        diesel::delete(role_permissions::table.filter(role_permissions::role_id.eq(role.id))).execute(db)?;
        insert_permissions(db, role.id, permissions)?;
    }
    Ok(changed == 1)
}

/// Whether any member of the organisation has the role.
pub fn is_held(db: &mut Conn, organisation: OrganisationId, role: RoleId) -> Result<bool, Error> {
    let held = membership_roles::table
        .filter(membership_roles::role_id.eq(role))
        .filter(membership_roles::organisation_id.eq(organisation));
    Ok(diesel::select(diesel::dsl::exists(held)).get_result(db)?)
}

/// Removes one of the organisation's own roles, which nobody may have.
pub fn remove(db: &mut Conn, organisation: OrganisationId, role: RoleId) -> Result<bool, Error> {
    let own = roles::table.filter(roles::organisation_id.eq(organisation)).filter(roles::id.eq(role));
    Ok(diesel::delete(own).execute(db)? == 1)
}

fn insert_permissions(db: &mut Conn, role: RoleId, permissions: &[String]) -> Result<(), Error> {
    for permission in permissions {
        diesel::insert_into(role_permissions::table)
            .values((role_permissions::role_id.eq(role), role_permissions::permission.eq(permission)))
            .execute(db)?;
    }
    Ok(())
}
