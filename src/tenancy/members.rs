//! Who belongs to an organisation, with which roles.
//!
//! Four rules hold for whoever asks (OR-3): a role above one's own is neither given nor taken, nobody changes their own
//! roles, a member has at most three roles in one place, and somebody always administers the organisation. Each change
//! first locks the organisation's row, so what it then reads stays true until it commits (AR-1).

use crate::app::App;
use crate::audit::{Event, Origin, Scribe};
use crate::model::role::{MAX_ROLES, SHIPPED};
use crate::model::{
    AuditAction, MembershipId, OrganisationId, Permission, RoleId, Standing, UserId, WorkspaceId,
};
use crate::store::memberships::{Held, Member};
use crate::store::roles::Role;
use crate::store::{self, Conn, grants, memberships, organisations, roles, users};
use crate::tenancy::actor::{Actor, Authority, NotPermitted, authority};
use crate::tenancy::membership::fold;
use crate::tenancy::{settle, use_case_errors};

/// Roles for one user, in the whole organisation or in one workspace.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub user: UserId,
    pub workspace: Option<WorkspaceId>,
    /// Keys.
    pub roles: Vec<String>,
}

/// Why nobody's membership was changed.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error("there is no such organisation: `countersign org list` shows them")]
    NoSuchOrganisation,
    #[error("the organisation has no such workspace: `countersign workspace list` shows them")]
    NoSuchWorkspace,
    #[error("the organisation has no role `{0}`: `countersign role list` shows them")]
    NoSuchRole(String),
    #[error("there is no such user: `countersign user list` shows them")]
    NoSuchUser,
    #[error("the user is not a member of the organisation: `countersign member add` makes one")]
    NotAMember,
    #[error("name at least one role")]
    NoRoles,
    #[error(
        "a member has at most {MAX_ROLES} roles in the organisation, and in each workspace: take one away first"
    )]
    TooManyRoles,
    #[error(
        "nobody would administer the organisation any more: make another active member administrator first"
    )]
    LastAdministrator,
    #[error("nobody changes their own roles or standing: ask another administrator")]
    OwnMembership,
    #[error("nobody gives, takes or touches what ranks above their own role")]
    AboveOwn,
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    #[error(transparent)]
    Store(store::Error),
}

use_case_errors!(MemberError);

/// A member with everything they have in the organisation.
#[derive(Clone, Debug)]
pub struct Described {
    pub member: Member,
    pub user: users::User,
    pub roles: Vec<Held>,
}

/// Up to `limit` members in order of joining, after the one named.
pub fn list(
    db: &mut Conn,
    organisation: OrganisationId,
    after: Option<MembershipId>,
    limit: i64,
) -> Result<Vec<Described>, store::Error> {
    let members = memberships::list(db, organisation, after, limit)?;
    let ids: Vec<MembershipId> = members.iter().map(|member| member.id).collect();
    let held = memberships::roles_of(db, organisation, &ids)?;
    let mut described = Vec::new();
    for member in members {
        let Some(user) = users::find(db, member.user_id)? else { continue };
        let roles = held.iter().filter(|held| held.membership == member.id).cloned().collect();
        described.push(Described { member, user, roles });
    }
    Ok(described)
}

/// A member as a list shows one.
#[derive(Clone, Debug)]
pub struct Listed {
    pub described: Described,
    /// The primary address.
    pub email: Option<String>,
}

/// Up to `limit` members in order of joining, after the one named: those who match each of these words.
pub fn search(
    db: &mut Conn,
    organisation: OrganisationId,
    words: &[String],
    after: Option<MembershipId>,
    limit: i64,
) -> Result<Vec<Listed>, store::Error> {
    let found = memberships::search(db, organisation, words, after, limit)?;
    let ids: Vec<MembershipId> = found.iter().map(|(member, ..)| member.id).collect();
    let held = memberships::roles_of(db, organisation, &ids)?;
    let listed = found.into_iter().map(|(member, user, email)| {
        let roles = held.iter().filter(|held| held.membership == member.id).cloned().collect();
        Listed { described: Described { member, user, roles }, email: email.map(|email| email.address) }
    });
    Ok(listed.collect())
}

/// This user, if they are a member.
pub fn describe(
    db: &mut Conn,
    organisation: OrganisationId,
    user: UserId,
) -> Result<Option<Described>, store::Error> {
    let Some(member) = memberships::find(db, organisation, user)? else { return Ok(None) };
    let Some(user) = users::find(db, user)? else { return Ok(None) };
    let roles = memberships::roles_of(db, organisation, &[member.id])?;
    Ok(Some(Described { member, user, roles }))
}

/// Makes the user a member with these roles. Who is one already gets them as well.
pub async fn add(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    assignment: Assignment,
    origin: &Origin,
) -> Result<MembershipId, MemberError> {
    let scribe = app.scribe(origin);
    let outcome = app.db.write(move |db| settle(add_in(db, actor, organisation, &assignment, &scribe)));
    outcome.await?
}

/// As [`add`], in the caller's transaction.
pub fn add_in(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    assignment: &Assignment,
    scribe: &Scribe,
) -> Result<MembershipId, MemberError> {
    let place = Place { organisation, workspace: assignment.workspace };
    let authority = begin(db, actor, place, scribe)?;
    let given = resolve(db, organisation, &assignment.roles)?;
    if users::find(db, assignment.user)?.is_none() {
        return Err(MemberError::NoSuchUser);
    }
    let member = memberships::find(db, organisation, assignment.user)?;
    let held = match &member {
        Some(member) => memberships::roles_of(db, organisation, &[member.id])?,
        None => Vec::new(),
    };
    authority.check_touches(assignment.user, &held)?;
    authority.check_gives(&given)?;
    let mut roles: Vec<RoleId> = in_place(&held, place).map(|held| held.role.id).collect();
    roles.extend(given.iter().map(|role| role.id).filter(|id| !roles.contains(id)).collect::<Vec<_>>());
    if roles.len() > MAX_ROLES {
        return Err(MemberError::TooManyRoles);
    }
    let id = match member {
        Some(member) => member.id,
        None => insert(db, organisation, assignment.user, scribe)?,
    };
    memberships::set_roles(db, organisation, id, place.workspace, &roles)?;
    scribe.write(db, told(AuditAction::MemberAdded, actor, assignment.user, place, &given))?;
    Ok(id)
}

/// Makes a user, who has just been vouched for by the organisation's own provider, a member of the lowest shipped rank,
/// in the caller's transaction (OR-8).
pub fn join_by_domain(
    db: &mut Conn,
    organisation: OrganisationId,
    user: UserId,
    scribe: &Scribe,
) -> Result<MembershipId, store::Error> {
    let [.., member] = SHIPPED;
    organisations::lock(db, organisation, scribe.now)?;
    let id = insert(db, organisation, user, scribe)?;
    memberships::set_roles(db, organisation, id, None, &[member.id()])?;
    let event = Event::success(AuditAction::MemberAdded).user(user).organisation(organisation);
    scribe.write(db, event.detail("roles", vec![member.key]).detail("by", "domain"))?;
    Ok(id)
}

/// Replaces the roles of a member in the whole organisation, or in one workspace. None at all takes them away there.
pub async fn set_roles(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    assignment: Assignment,
    origin: &Origin,
) -> Result<(), MemberError> {
    let scribe = app.scribe(origin);
    let outcome = app.db.write(move |db| settle(set_roles_in(db, actor, organisation, &assignment, &scribe)));
    outcome.await?
}

fn set_roles_in(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    assignment: &Assignment,
    scribe: &Scribe,
) -> Result<(), MemberError> {
    let place = Place { organisation, workspace: assignment.workspace };
    let authority = begin(db, actor, place, scribe)?;
    let member = find(db, organisation, assignment.user)?;
    let given = match assignment.roles.as_slice() {
        [] => Vec::new(),
        keys => resolve(db, organisation, keys)?,
    };
    let held = memberships::roles_of(db, organisation, &[member.id])?;
    authority.check_touches(assignment.user, &held)?;
    authority.check_gives(&given)?;
    // A member without any role is none: that is what removing is for.
    if given.is_empty() && in_place(&held, place).count() == held.len() {
        return Err(MemberError::NoRoles);
    }
    let roles: Vec<RoleId> = given.iter().map(|role| role.id).collect();
    let stays = place.workspace.is_some() || !memberships::administering(db, &roles)?.is_empty();
    if !stays {
        check_administered_without(db, &member)?;
    }
    memberships::set_roles(db, organisation, member.id, place.workspace, &roles)?;
    scribe.write(db, told(AuditAction::MemberRolesSet, actor, assignment.user, place, &given))?;
    Ok(())
}

/// Suspends the member: nothing is given to them for this organisation until they are resumed (OR-2, OR-6).
pub async fn suspend(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    user: UserId,
    origin: &Origin,
) -> Result<(), MemberError> {
    change_one(app, actor, organisation, user, One::Suspend, origin).await
}

/// Takes a suspension back.
pub async fn resume(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    user: UserId,
    origin: &Origin,
) -> Result<(), MemberError> {
    change_one(app, actor, organisation, user, One::Resume, origin).await
}

/// Removes the member with all their roles in the organisation. The account stays.
pub async fn remove(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    user: UserId,
    origin: &Origin,
) -> Result<(), MemberError> {
    change_one(app, actor, organisation, user, One::Remove, origin).await
}

/// What is done to one member as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum One {
    Suspend,
    Resume,
    Remove,
}

async fn change_one(
    app: &App,
    actor: Actor,
    organisation: OrganisationId,
    user: UserId,
    change: One,
    origin: &Origin,
) -> Result<(), MemberError> {
    let scribe = app.scribe(origin);
    let outcome =
        app.db.write(move |db| settle(change_stored(db, actor, organisation, user, change, &scribe)));
    outcome.await?
}

fn change_stored(
    db: &mut Conn,
    actor: Actor,
    organisation: OrganisationId,
    user: UserId,
    change: One,
    scribe: &Scribe,
) -> Result<(), MemberError> {
    let place = Place { organisation, workspace: None };
    let authority = begin(db, actor, place, scribe)?;
    let member = find(db, organisation, user)?;
    let held = memberships::roles_of(db, organisation, &[member.id])?;
    authority.check_touches(user, &held)?;
    if change != One::Resume {
        check_administered_without(db, &member)?;
        // What was issued for this organisation stays in circulation until it expires: offline verifiers are told.
        store::grants::revoke_tokens_in(db, organisation, Some(user), scribe.now)?;
        store::api_keys::revoke_tokens_in(db, organisation, Some(user), scribe.now)?;
    }
    let action = match change {
        One::Suspend => {
            memberships::set_status(db, organisation, user, Standing::Suspended, scribe.now)?;
            AuditAction::MemberSuspended
        }
        One::Resume => {
            memberships::set_status(db, organisation, user, Standing::Active, scribe.now)?;
            AuditAction::MemberResumed
        }
        One::Remove => {
            memberships::remove(db, organisation, user)?;
            // Who is taken back later begins anew.
            grants::revoke_of_member(db, organisation, user, scribe.now)?;
            AuditAction::MemberRemoved
        }
    };
    scribe.write(db, told(action, actor, user, place, &[]))?;
    Ok(())
}

/// Where roles are held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub organisation: OrganisationId,
    pub workspace: Option<WorkspaceId>,
}

/// Locks the organisation and asks what the actor may do there.
pub(super) fn begin(
    db: &mut Conn,
    actor: Actor,
    place: Place,
    scribe: &Scribe,
) -> Result<Authority, MemberError> {
    let Place { organisation, workspace } = place;
    if organisations::lock(db, organisation, scribe.now)?.is_none() {
        return Err(MemberError::NoSuchOrganisation);
    }
    let authority = authority(db, actor, organisation, workspace, Permission::MembersWrite)??;
    if let Some(workspace) = workspace
        && organisations::find_workspace(db, organisation, workspace)?.is_none()
    {
        return Err(MemberError::NoSuchWorkspace);
    }
    Ok(authority)
}

impl Authority {
    /// Whether whoever acts may change anything about this user, who has these roles in the organisation.
    fn check_touches(&self, user: UserId, held: &[Held]) -> Result<(), MemberError> {
        if self.actor.member() == Some(user) {
            return Err(MemberError::OwnMembership);
        }
        if held.iter().any(|held| held.role.rank > self.rank) {
            return Err(MemberError::AboveOwn);
        }
        Ok(())
    }

    pub(super) fn check_gives(&self, roles: &[Role]) -> Result<(), MemberError> {
        if roles.iter().any(|role| role.rank > self.rank) {
            return Err(MemberError::AboveOwn);
        }
        Ok(())
    }
}

/// The roles of these keys, each once.
pub(super) fn resolve(
    db: &mut Conn,
    organisation: OrganisationId,
    keys: &[String],
) -> Result<Vec<Role>, MemberError> {
    let mut found: Vec<Role> = Vec::new();
    for key in keys {
        let role =
            roles::find(db, organisation, &fold(key))?.ok_or_else(|| MemberError::NoSuchRole(key.clone()))?;
        if !found.iter().any(|other| other.id == role.id) {
            found.push(role);
        }
    }
    match found.len() {
        0 => Err(MemberError::NoRoles),
        1..=MAX_ROLES => Ok(found),
        _ => Err(MemberError::TooManyRoles),
    }
}

pub(super) fn in_place(held: &[Held], place: Place) -> impl Iterator<Item = &Held> {
    held.iter().filter(move |held| held.workspace.as_ref().map(|of| of.id) == place.workspace)
}

fn find(db: &mut Conn, organisation: OrganisationId, user: UserId) -> Result<Member, MemberError> {
    memberships::find(db, organisation, user)?.ok_or(MemberError::NotAMember)
}

pub(super) fn insert(
    db: &mut Conn,
    organisation: OrganisationId,
    user: UserId,
    scribe: &Scribe,
) -> Result<MembershipId, store::Error> {
    let member = Member {
        id: MembershipId::new(scribe.now, &scribe.random),
        organisation_id: organisation,
        user_id: user,
        status: Standing::Active,
        created_at: scribe.now,
        updated_at: scribe.now,
    };
    memberships::insert(db, &member)?;
    Ok(member.id)
}

/// Refuses if this member administers the organisation, and nobody else does.
fn check_administered_without(db: &mut Conn, member: &Member) -> Result<(), MemberError> {
    match memberships::administers_alone(db, member.organisation_id, member.user_id)? {
        true => Err(MemberError::LastAdministrator),
        false => Ok(()),
    }
}

fn told(action: AuditAction, actor: Actor, user: UserId, place: Place, roles: &[Role]) -> Event {
    let mut event = Event::success(action).user(user).actor(actor).organisation(place.organisation);
    if !roles.is_empty() {
        event = event.detail("roles", roles.iter().map(|role| role.key.clone()).collect::<Vec<_>>());
    }
    match place.workspace {
        Some(workspace) => event.detail("workspace", workspace.to_string()),
        None => event,
    }
}
