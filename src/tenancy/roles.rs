//! Roles that an organisation defines for itself, beside those that the instance ships.
//!
//! Nobody makes or changes a role above their own rank (OR-3), nor with permissions of Countersign that they do not
//! have: a role is a grant too.

use std::collections::BTreeSet;

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::model::role::{ADMINISTRATOR, MAX_PERMISSIONS, MAX_RANK, SHIPPED, is_permission};
use crate::model::slug::BadSlug;
use crate::model::{AuditAction, OrganisationId, Permission, RoleId, Slug};
use crate::store::roles::Role;
use crate::store::{self, Conn, Unique, memberships, organisations, roles};
use crate::tenancy::actor::{self, Actor, Authority, NotPermitted};
use crate::tenancy::{clean_name, settle, use_case_errors};

/// A role as an organisation describes it.
#[derive(Clone, Debug)]
pub struct Description {
    pub name: String,
    /// 1 to 1000. The shipped `admin` has 30, `manager` 20, `member` 10.
    pub rank: i64,
    pub permissions: BTreeSet<String>,
    /// Who has it must have shown two factors (MF-5).
    pub require_mfa: bool,
}

/// A role with its permissions.
#[derive(Clone, Debug)]
pub struct Described {
    pub role: Role,
    pub permissions: Vec<String>,
}

/// Why a role was not made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    #[error(transparent)]
    BadSlug(#[from] BadSlug),
    #[error("the name must have 1 to 200 characters, none of them control characters")]
    BadName,
    #[error(
        "the rank must be 1 to {MAX_RANK}: admin has 30, manager 20, member 10, and a higher one includes a lower one"
    )]
    BadRank,
    #[error(
        "`{0}` cannot be a permission: use 1 to 64 printable ASCII characters without spaces, commas, quotes or \\ < > &"
    )]
    BadPermission(String),
    #[error("a role has at most {MAX_PERMISSIONS} permissions")]
    TooManyPermissions,
    #[error("every organisation has the role `{0}` already, and it cannot be changed: choose another key")]
    Shipped(String),
    #[error("the organisation has a role of this key already")]
    KeyTaken,
    #[error("there is no such organisation: `countersign org list` shows them")]
    NoSuchOrganisation,
    #[error("the organisation has no role `{0}` of its own: `countersign role list` shows all of them")]
    NoSuchRole(String),
    #[error("members have the role `{0}`: give them another one first")]
    Held(String),
    #[error("nobody defines or changes a role that ranks above their own or allows more")]
    AboveOwn,
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    #[error(transparent)]
    Store(store::Error),
}

use_case_errors!(RoleError);

/// The roles that can be given in the organisation, its own and the shipped ones, the highest first.
pub fn list(db: &mut Conn, organisation: OrganisationId) -> Result<Vec<Described>, store::Error> {
    let permissions = roles::permissions(db, organisation)?;
    let of = |id: RoleId| -> Vec<String> {
        permissions.iter().filter(|(role, _)| *role == id).map(|(_, permission)| permission.clone()).collect()
    };
    let all = roles::all(db, organisation)?;
    Ok(all.into_iter().map(|role| Described { permissions: of(role.id), role }).collect())
}

/// Makes a role of the organisation's own.
pub async fn define(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    key: &str,
    description: Description,
    origin: &Origin,
) -> Result<RoleId, RoleError> {
    let key = check_key(key)?;
    let description = check(description)?;
    let scribe = app.scribe(origin);
    let role = Role {
        id: RoleId::new(scribe.now, &scribe.random),
        organisation_id: Some(organisation),
        key: key.to_string(),
        name: description.name.clone(),
        rank: description.rank,
        require_mfa: description.require_mfa,
        created_at: scribe.now,
    };
    let outcome = app.db.write(move |db| {
        settle(store_new(db, actor, organisation, &role, &description.permissions, &scribe))
    });
    outcome.await.map_err(|error| match error {
        store::Error::Taken(Unique::RoleKey) => RoleError::KeyTaken,
        other => RoleError::Store(other),
    })?
}

fn store_new(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    role: &Role,
    permissions: &BTreeSet<String>,
    scribe: &Scribe,
) -> Result<RoleId, RoleError> {
    let authority = begin(db, actor, organisation, scribe)?;
    check_within(db, &authority, organisation, role.rank, permissions)?;
    roles::insert(db, role, &permissions.iter().cloned().collect::<Vec<_>>())?;
    scribe.write(db, told(AuditAction::RoleDefined, actor, organisation, role))?;
    Ok(role.id)
}

/// Describes one of the organisation's own roles anew. Its members have what it allows from their next request on.
pub async fn change(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    key: &str,
    description: Description,
    origin: &Origin,
) -> Result<(), RoleError> {
    let key = check_key(key)?;
    let description = check(description)?;
    let scribe = app.scribe(origin);
    let outcome =
        app.db.write(move |db| settle(change_stored(db, actor, organisation, &key, &description, &scribe)));
    outcome.await?
}

fn change_stored(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    key: &Slug,
    description: &Description,
    scribe: &Scribe,
) -> Result<(), RoleError> {
    let authority = begin(db, actor, organisation, scribe)?;
    let found = own(db, organisation, key)?;
    let rank = description.rank.max(found.rank);
    check_within(db, &authority, organisation, rank, &description.permissions)?;
    // It could be the last administrator's.
    let administers = description.rank >= ADMINISTRATOR
        && description.permissions.contains(Permission::MembersWrite.as_str());
    let demoted = !administers && !memberships::administering(db, &[found.id])?.is_empty();
    if demoted && roles::is_held(db, organisation, found.id)? {
        return Err(RoleError::Held(found.key));
    }
    let role = Role {
        name: description.name.clone(),
        rank: description.rank,
        require_mfa: description.require_mfa,
        ..found
    };
    let permissions: Vec<String> = description.permissions.iter().cloned().collect();
    roles::update(db, organisation, &role, &permissions)?;
    scribe.write(db, told(AuditAction::RoleChanged, actor, organisation, &role))?;
    Ok(())
}

/// Removes one of the organisation's own roles, which nobody may have any more.
pub async fn remove(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    key: &str,
    origin: &Origin,
) -> Result<(), RoleError> {
    let key = check_key(key)?;
    let scribe = app.scribe(origin);
    let outcome = app.db.write(move |db| settle(remove_stored(db, actor, organisation, &key, &scribe)));
    outcome.await?
}

fn remove_stored(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    key: &Slug,
    scribe: &Scribe,
) -> Result<(), RoleError> {
    let authority = begin(db, actor, organisation, scribe)?;
    let found = own(db, organisation, key)?;
    check_within(db, &authority, organisation, found.rank, &BTreeSet::new())?;
    // Under the organisation's lock, nobody is given it meanwhile.
    if roles::is_held(db, organisation, found.id)? {
        return Err(RoleError::Held(found.key));
    }
    roles::remove(db, organisation, found.id)?;
    scribe.write(db, told(AuditAction::RoleRemoved, actor, organisation, &found))?;
    Ok(())
}

fn begin(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    scribe: &Scribe,
) -> Result<Authority, RoleError> {
    if organisations::lock(db, organisation, scribe.now)?.is_none() {
        return Err(RoleError::NoSuchOrganisation);
    }
    Ok(actor::authority(db, actor, organisation, None, Permission::RolesWrite)??)
}

fn own(db: &mut Conn, organisation: OrganisationId, key: &Slug) -> Result<Role, RoleError> {
    let found = roles::find(db, organisation, key.as_str())?;
    found
        .filter(|role| role.organisation_id == Some(organisation))
        .ok_or_else(|| RoleError::NoSuchRole(key.to_string()))
}

/// A member's role can neither rank above the member's own nor allow more within Countersign than the member may.
fn check_within(
    db: &mut Conn,
    authority: &Authority,
    organisation: OrganisationId,
    rank: i64,
    permissions: &BTreeSet<String>,
) -> Result<(), RoleError> {
    if rank > authority.rank {
        return Err(RoleError::AboveOwn);
    }
    for permission in permissions.iter().filter_map(|text| Permission::parse(text)) {
        if actor::authority(db, authority.actor, organisation, None, permission)?.is_err() {
            return Err(RoleError::AboveOwn);
        }
    }
    Ok(())
}

fn check_key(key: &str) -> Result<Slug, RoleError> {
    let key = Slug::parse(key)?;
    if SHIPPED.iter().any(|shipped| shipped.key == key.as_str()) {
        return Err(RoleError::Shipped(key.to_string()));
    }
    Ok(key)
}

fn check(description: Description) -> Result<Description, RoleError> {
    let name = clean_name(&description.name).ok_or(RoleError::BadName)?;
    if !(1..=MAX_RANK).contains(&description.rank) {
        return Err(RoleError::BadRank);
    }
    if let Some(bad) = description.permissions.iter().find(|text| !is_permission(text)) {
        return Err(RoleError::BadPermission(bad.clone()));
    }
    if description.permissions.len() > MAX_PERMISSIONS {
        return Err(RoleError::TooManyPermissions);
    }
    Ok(Description { name, ..description })
}

fn told(action: AuditAction, actor: Actor, organisation: OrganisationId, role: &Role) -> Event {
    Event::success(action)
        .actor(actor)
        .organisation(organisation)
        .detail("role", role.key.as_str())
        .detail("rank", role.rank)
}
