//! Who belongs to which organisation, with which roles.
//!
//! Everything that is asked on behalf of an organisation takes its id and puts it into the `WHERE` (AR-5). Only
//! [`active_of_user`] and its companions cross organisations: they answer what one person belongs to.

use diesel::prelude::*;

use super::organisations::{Organisation, Workspace};
use super::roles::Role;
use super::schema::{
    emails, membership_roles, memberships, organisations, role_permissions, roles, users, workspaces,
};
use super::users::{Email, User, contains};
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::model::role::ADMINISTRATOR;
use crate::model::{MembershipId, OrganisationId, Permission, RoleId, Standing, Status, UserId, WorkspaceId};

/// A user in an organisation.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = memberships)]
pub struct Member {
    pub id: MembershipId,
    pub organisation_id: OrganisationId,
    pub user_id: UserId,
    pub status: Standing,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A role that a member has: in the whole organisation, or in one workspace.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub membership: MembershipId,
    pub workspace: Option<Workspace>,
    pub role: Role,
}

type HeldRow = (MembershipId, Option<Workspace>, Role);

fn held((membership, workspace, role): HeldRow) -> Held {
    Held { membership, workspace, role }
}

pub fn insert(db: &mut Conn, member: &Member) -> Result<(), Error> {
    diesel::insert_into(memberships::table).values(member).execute(db)?;
    Ok(())
}

pub fn find(db: &mut Conn, organisation: OrganisationId, user: UserId) -> Result<Option<Member>, Error> {
    Ok(memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::user_id.eq(user))
        .select(Member::as_select())
        .first(db)
        .optional()?)
}

pub fn set_status(
    db: &mut Conn,
    organisation: OrganisationId,
    user: UserId,
    status: Standing,
    now: Timestamp,
) -> Result<bool, Error> {
    let member = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::user_id.eq(user));
    let changed = diesel::update(member)
        .set((memberships::status.eq(status), memberships::updated_at.eq(now)))
        .execute(db)?;
    Ok(changed == 1)
}

pub fn remove(db: &mut Conn, organisation: OrganisationId, user: UserId) -> Result<bool, Error> {
    let member = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::user_id.eq(user));
    Ok(diesel::delete(member).execute(db)? == 1)
}

/// Up to `limit` members of the organisation in order of joining, after the one named.
pub fn list(
    db: &mut Conn,
    organisation: OrganisationId,
    after: Option<MembershipId>,
    limit: i64,
) -> Result<Vec<Member>, Error> {
    let mut query = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .select(Member::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(memberships::id.gt(after));
    }
    Ok(query.order(memberships::id.asc()).limit(limit).load(db)?)
}

/// Up to `limit` members in order of joining, after the one named, with the user and the primary address: those in whose
/// name, user name or addresses each of these words is.
pub fn search(
    db: &mut Conn,
    organisation: OrganisationId,
    words: &[String],
    after: Option<MembershipId>,
    limit: i64,
) -> Result<Vec<(Member, User, Option<Email>)>, Error> {
    // Two indexes have all that is sought: only those that are shown are read whole.
    let mut query = memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::organisation_id.eq(organisation))
        .select(memberships::id)
        .into_boxed();
    for word in words {
        query = query.filter(users::search.like(contains(word)).escape('\\'));
    }
    if let Some(after) = after {
        query = query.filter(memberships::id.gt(after));
    }
    let found: Vec<MembershipId> = query.order(memberships::id.asc()).limit(limit).load(db)?;
    let primary = emails::table.on(emails::user_id.eq(users::id).and(emails::is_primary.eq(true)));
    Ok(memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .left_join(primary)
        .filter(memberships::id.eq_any(found))
        .order(memberships::id.asc())
        .select((Member::as_select(), User::as_select(), Option::<Email>::as_select()))
        .load(db)?)
}

/// Those of these members who have no role left anywhere in the organisation.
pub fn without_roles(
    db: &mut Conn,
    organisation: OrganisationId,
    among: &[MembershipId],
) -> Result<Vec<UserId>, Error> {
    let held = membership_roles::table
        .filter(membership_roles::organisation_id.eq(organisation))
        .select(membership_roles::membership_id);
    Ok(memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::id.eq_any(among))
        .filter(memberships::id.ne_all(held))
        .select(memberships::user_id)
        .load(db)?)
}

/// Replaces the roles that the member has in the whole organisation, or in the workspace.
pub fn set_roles(
    db: &mut Conn,
    organisation: OrganisationId,
    membership: MembershipId,
    workspace: Option<WorkspaceId>,
    roles: &[RoleId],
) -> Result<(), Error> {
    let of_member = membership_roles::table
        .filter(membership_roles::organisation_id.eq(organisation))
        .filter(membership_roles::membership_id.eq(membership));
    match workspace {
        Some(workspace) => {
            diesel::delete(of_member.filter(membership_roles::workspace_id.eq(workspace))).execute(db)?
        }
        None => diesel::delete(of_member.filter(membership_roles::workspace_id.is_null())).execute(db)?,
    };
    for (slot, role) in (1_i64..).zip(roles) {
        diesel::insert_into(membership_roles::table)
            .values((
                membership_roles::membership_id.eq(membership),
                membership_roles::organisation_id.eq(organisation),
                membership_roles::role_id.eq(role),
                membership_roles::workspace_id.eq(workspace),
                membership_roles::slot.eq(slot),
            ))
            .execute(db)?;
    }
    Ok(())
}

/// What these members of the organisation have, the highest first.
pub fn roles_of(
    db: &mut Conn,
    organisation: OrganisationId,
    members: &[MembershipId],
) -> Result<Vec<Held>, Error> {
    let rows: Vec<HeldRow> = membership_roles::table
        .inner_join(roles::table.on(roles::id.eq(membership_roles::role_id)))
        .left_join(workspaces::table.on(workspaces::id.nullable().eq(membership_roles::workspace_id)))
        .filter(membership_roles::organisation_id.eq(organisation))
        .filter(membership_roles::membership_id.eq_any(members))
        .order((roles::rank.desc(), roles::key.asc()))
        .select((membership_roles::membership_id, Option::<Workspace>::as_select(), Role::as_select()))
        .load(db)?;
    Ok(rows.into_iter().map(held).collect())
}

/// Whether a role administers: of this rank or above, and with the permission to say who belongs to the organisation. A
/// rank alone lends nothing.
macro_rules! administering {
    () => {
        roles::rank.ge(ADMINISTRATOR).and(
            roles::id.eq_any(
                role_permissions::table
                    .filter(role_permissions::permission.eq(Permission::MembersWrite.as_str()))
                    .select(role_permissions::role_id),
            ),
        )
    };
}

/// Who administers the organisation: active here, not disabled, with a role that does in the whole of it. In order of
/// joining.
pub fn administrators(db: &mut Conn, organisation: OrganisationId) -> Result<Vec<User>, Error> {
    let ranked = membership_roles::table
        .inner_join(roles::table.on(roles::id.eq(membership_roles::role_id)))
        .filter(membership_roles::organisation_id.eq(organisation))
        .filter(membership_roles::workspace_id.is_null())
        .filter(administering!())
        .select(membership_roles::membership_id);
    Ok(users::table
        .inner_join(memberships::table.on(memberships::user_id.eq(users::id)))
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::status.eq(Standing::Active))
        .filter(users::status.eq(Status::Active))
        .filter(memberships::id.eq_any(ranked))
        .order(memberships::id.asc())
        .select(User::as_select())
        .load(db)?)
}

/// Whether this user administers the organisation, and nobody else does.
pub fn administers_alone(db: &mut Conn, organisation: OrganisationId, user: UserId) -> Result<bool, Error> {
    let all = administrators(db, organisation)?;
    Ok(matches!(all.as_slice(), [one] if one.id == user))
}

/// Those of these roles that administer.
pub fn administering(db: &mut Conn, among: &[RoleId]) -> Result<Vec<RoleId>, Error> {
    Ok(roles::table.filter(roles::id.eq_any(among)).filter(administering!()).select(roles::id).load(db)?)
}

/// What this user belongs to, in order of joining: the member is active, and so is the organisation (OR-2).
pub fn active_of_user(db: &mut Conn, user: UserId) -> Result<Vec<(Member, Organisation)>, Error> {
    Ok(memberships::table
        .inner_join(organisations::table.on(organisations::id.eq(memberships::organisation_id)))
        .filter(memberships::user_id.eq(user))
        .filter(memberships::status.eq(Standing::Active))
        .filter(organisations::status.eq(Standing::Active))
        .order(memberships::id.asc())
        .select((Member::as_select(), Organisation::as_select()))
        .load(db)?)
}

/// The names of the organisations in which the user is suspended.
pub fn suspended_of_user(db: &mut Conn, user: UserId) -> Result<Vec<String>, Error> {
    Ok(memberships::table
        .inner_join(organisations::table.on(organisations::id.eq(memberships::organisation_id)))
        .filter(memberships::user_id.eq(user))
        .filter(memberships::status.eq(Standing::Suspended))
        .order(memberships::id.asc())
        .select(organisations::name)
        .load(db)?)
}

/// What this user has in every organisation, the highest first.
pub fn roles_of_user(db: &mut Conn, user: UserId) -> Result<Vec<Held>, Error> {
    let rows: Vec<HeldRow> = membership_roles::table
        .inner_join(memberships::table.on(memberships::id.eq(membership_roles::membership_id)))
        .inner_join(roles::table.on(roles::id.eq(membership_roles::role_id)))
        .left_join(workspaces::table.on(workspaces::id.nullable().eq(membership_roles::workspace_id)))
        .filter(memberships::user_id.eq(user))
        .order((roles::rank.desc(), roles::key.asc()))
        .select((membership_roles::membership_id, Option::<Workspace>::as_select(), Role::as_select()))
        .load(db)?;
    Ok(rows.into_iter().map(held).collect())
}

/// Role and permission, of all roles that this user has anywhere.
pub fn permissions_of_user(db: &mut Conn, user: UserId) -> Result<Vec<(RoleId, String)>, Error> {
    Ok(role_permissions::table
        .inner_join(membership_roles::table.on(membership_roles::role_id.eq(role_permissions::role_id)))
        .inner_join(memberships::table.on(memberships::id.eq(membership_roles::membership_id)))
        .filter(memberships::user_id.eq(user))
        .select((role_permissions::role_id, role_permissions::permission))
        .distinct()
        .load(db)?)
}
