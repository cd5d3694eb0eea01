//! Organisations and their workspaces.

use diesel::prelude::*;

use super::schema::{api_keys, invitations, membership_roles, organisations, workspaces};
use super::users::contains;
use super::{Conn, Error};
use crate::clock::Timestamp;
use crate::model::{MembershipId, OrganisationId, Standing, WorkspaceId};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = organisations)]
pub struct Organisation {
    pub id: OrganisationId,
    pub slug: String,
    pub name: String,
    pub status: Standing,
    pub require_mfa: bool,
    /// Whether its members may sign in with a password in JSON (LG-1).
    pub password_login_allowed: bool,
    pub created_at: Timestamp,
    /// When it, or who belongs to it, changed last.
    pub updated_at: Timestamp,
}

/// A part of an organisation.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = workspaces)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub organisation_id: OrganisationId,
    pub slug: String,
    pub name: String,
    /// Implied where workspaces are not spoken of. Each organisation has one.
    pub is_default: bool,
    pub created_at: Timestamp,
}

pub fn insert(db: &mut Conn, organisation: &Organisation) -> Result<(), Error> {
    let row = (organisation, organisations::search.eq(words(organisation)));
    diesel::insert_into(organisations::table).values(row).execute(db)?;
    Ok(())
}

/// What the organisation is found by: its name and short name in small letters.
fn words(organisation: &Organisation) -> String {
    format!("{} {}", organisation.name.to_lowercase(), organisation.slug)
}

pub fn find(db: &mut Conn, id: OrganisationId) -> Result<Option<Organisation>, Error> {
    Ok(organisations::table.find(id).select(Organisation::as_select()).first(db).optional()?)
}

pub fn find_by_slug(db: &mut Conn, slug: &str) -> Result<Option<Organisation>, Error> {
    let named = organisations::table.filter(organisations::slug.eq(slug));
    Ok(named.select(Organisation::as_select()).first(db).optional()?)
}

/// Locks the organisation until the transaction ends, and gives it: whoever else changes who belongs to it waits, and
/// then sees what was changed. Two administrators who remove each other are so told apart (OR-3).
pub fn lock(db: &mut Conn, id: OrganisationId, now: Timestamp) -> Result<Option<Organisation>, Error> {
    diesel::update(organisations::table.find(id)).set(organisations::updated_at.eq(now)).execute(db)?;
    find(db, id)
}

pub fn set_status(
    db: &mut Conn,
    id: OrganisationId,
    status: Standing,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = diesel::update(organisations::table.find(id))
        .set((organisations::status.eq(status), organisations::updated_at.eq(now)))
        .execute(db)?;
    Ok(changed == 1)
}

/// Stores name and rules as they are in `organisation`.
pub fn update(db: &mut Conn, organisation: &Organisation, now: Timestamp) -> Result<bool, Error> {
    let changed = diesel::update(organisations::table.find(organisation.id))
        .set((
            organisations::name.eq(&organisation.name),
            organisations::search.eq(words(organisation)),
            organisations::require_mfa.eq(organisation.require_mfa),
            organisations::password_login_allowed.eq(organisation.password_login_allowed),
            organisations::updated_at.eq(now),
        ))
        .execute(db)?;
    Ok(changed == 1)
}

/// Up to `limit` organisations in order of creation, after the one named. For whoever runs the instance.
pub fn list(db: &mut Conn, after: Option<OrganisationId>, limit: i64) -> Result<Vec<Organisation>, Error> {
    let mut query = organisations::table.select(Organisation::as_select()).into_boxed();
    if let Some(after) = after {
        query = query.filter(organisations::id.gt(after));
    }
    Ok(query.order(organisations::id.asc()).limit(limit).load(db)?)
}

/// Up to `limit` organisations with each of these words in name or short name, the newest first, before the one named.
pub fn search(
    db: &mut Conn,
    sought: &[String],
    status: Option<Standing>,
    before: Option<OrganisationId>,
    limit: i64,
) -> Result<Vec<Organisation>, Error> {
    let mut query = organisations::table.select(Organisation::as_select()).into_boxed();
    for word in sought {
        query = query.filter(organisations::search.like(contains(word)).escape('\\'));
    }
    if let Some(status) = status {
        query = query.filter(organisations::status.eq(status));
    }
    if let Some(before) = before {
        query = query.filter(organisations::id.lt(before));
    }
    Ok(query.order(organisations::id.desc()).limit(limit).load(db)?)
}

pub fn insert_workspace(db: &mut Conn, workspace: &Workspace) -> Result<(), Error> {
    diesel::insert_into(workspaces::table).values(workspace).execute(db)?;
    Ok(())
}

pub fn find_workspace(
    db: &mut Conn,
    organisation: OrganisationId,
    id: WorkspaceId,
) -> Result<Option<Workspace>, Error> {
    Ok(workspaces::table
        .filter(workspaces::organisation_id.eq(organisation))
        .filter(workspaces::id.eq(id))
        .select(Workspace::as_select())
        .first(db)
        .optional()?)
}

pub fn find_workspace_by_slug(
    db: &mut Conn,
    organisation: OrganisationId,
    slug: &str,
) -> Result<Option<Workspace>, Error> {
    Ok(workspaces::table
        .filter(workspaces::organisation_id.eq(organisation))
        .filter(workspaces::slug.eq(slug))
        .select(Workspace::as_select())
        .first(db)
        .optional()?)
}

/// The one that is implied.
pub fn default_workspace(db: &mut Conn, organisation: OrganisationId) -> Result<Option<Workspace>, Error> {
    Ok(workspaces::table
        .filter(workspaces::organisation_id.eq(organisation))
        .filter(workspaces::is_default.eq(true))
        .select(Workspace::as_select())
        .first(db)
        .optional()?)
}

/// Up to `limit` workspaces of the organisation in order of creation, after the one named.
pub fn workspaces(
    db: &mut Conn,
    organisation: OrganisationId,
    after: Option<WorkspaceId>,
    limit: i64,
) -> Result<Vec<Workspace>, Error> {
    let mut query = workspaces::table
        .filter(workspaces::organisation_id.eq(organisation))
        .select(Workspace::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(workspaces::id.gt(after));
    }
    Ok(query.order(workspaces::id.asc()).limit(limit).load(db)?)
}

/// `false` if the organisation has no such workspace.
pub fn rename_workspace(
    db: &mut Conn,
    organisation: OrganisationId,
    id: WorkspaceId,
    name: &str,
) -> Result<bool, Error> {
    let own =
        workspaces::table.filter(workspaces::organisation_id.eq(organisation)).filter(workspaces::id.eq(id));
    Ok(diesel::update(own).set(workspaces::name.eq(name)).execute(db)? == 1)
}

/// Removes a workspace with the roles, keys and invitations of it. `false` if it is the implied one, or not there.
pub fn remove_workspace(db: &mut Conn, organisation: OrganisationId, id: WorkspaceId) -> Result<bool, Error> {
    let own = workspaces::table
        .filter(workspaces::organisation_id.eq(organisation))
        .filter(workspaces::id.eq(id))
        .filter(workspaces::is_default.eq(false));
    Ok(diesel::delete(own).execute(db)? == 1)
}

/// The members who have roles in this workspace, each once.
pub fn members_of_workspace(
    db: &mut Conn,
    organisation: OrganisationId,
    id: WorkspaceId,
) -> Result<Vec<MembershipId>, Error> {
    Ok(membership_roles::table
        .filter(membership_roles::organisation_id.eq(organisation))
        .filter(membership_roles::workspace_id.eq(id))
        .select(membership_roles::membership_id)
        .distinct()
        .load(db)?)
}

/// How many API keys that nobody revoked, and how many open invitations, are of this workspace alone.
pub fn uses_of_workspace(
    db: &mut Conn,
    organisation: OrganisationId,
    id: WorkspaceId,
    now: Timestamp,
) -> Result<(i64, i64), Error> {
    let keys = api_keys::table
        .filter(api_keys::organisation_id.eq(organisation))
        .filter(api_keys::workspace_id.eq(id))
        .filter(api_keys::revoked_at.is_null())
        .count()
        .get_result(db)?;
    let guests = invitations::table
        .filter(invitations::organisation_id.eq(organisation))
        .filter(invitations::workspace_id.eq(id))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .count()
        .get_result(db)?;
    Ok((keys, guests))
}
