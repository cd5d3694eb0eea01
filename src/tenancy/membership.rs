//! What a person belongs to, and which of it a request is about (OR-1).
//!
//! Only active members of active organisations count (OR-2). [`select`] makes the proof, [`ActiveMembership`], that
//! functions on an organisation's data ask for; there is no other way to one.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::model::{MembershipId, OrganisationId, RoleId, Standing, UserId, WorkspaceId};
use crate::store::memberships::{Held, Member};
use crate::store::organisations::{Organisation, Workspace};
use crate::store::roles::Role;
use crate::store::{self, Conn, memberships, organisations, roles};

/// One organisation that a person belongs to, with everything they may do there.
#[derive(Clone, Debug)]
pub struct Membership {
    pub id: MembershipId,
    pub organisation: Organisation,
    /// In the whole organisation, the highest first.
    pub roles: Vec<Role>,
    /// Workspaces in which the person has further roles.
    pub workspaces: Vec<InWorkspace>,
    /// Of the roles in the whole organisation.
    pub permissions: BTreeSet<String>,
    /// Of every role that can be given there.
    pub ranks: BTreeMap<String, i64>,
}

/// The roles that a person has in one workspace only, the highest first.
#[derive(Clone, Debug)]
pub struct InWorkspace {
    pub workspace: Workspace,
    pub roles: Vec<Role>,
    pub permissions: BTreeSet<String>,
}

impl Membership {
    /// The highest role, wherever in the organisation it is held.
    pub fn highest(&self) -> Option<&Role> {
        self.roles
            .iter()
            .chain(self.workspaces.iter().flat_map(|part| &part.roles))
            .max_by_key(|role| role.rank)
    }

    /// Whether any role of this membership demands a second factor, or the organisation does (MF-5).
    pub fn demands_mfa(&self) -> bool {
        let mut roles = self.roles.iter().chain(self.workspaces.iter().flat_map(|part| &part.roles));
        self.organisation.require_mfa || roles.any(|role| role.require_mfa)
    }
}

/// What a request says it is about, as it was sent. Ids or short names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub organisation: Option<String>,
    pub workspace: Option<String>,
}

/// Whether workspaces are spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workspaces {
    Named,
    /// Single-workspace mode: who names none means the default one.
    Implied,
}

impl Workspaces {
    pub fn of(config: &Config) -> Self {
        if config.organizations.single_workspace { Self::Implied } else { Self::Named }
    }
}

/// The person does not belong to what was named. Unknown, malformed and foreign are the same (OR-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a member of this organisation")]
pub struct NotAMember;

/// Proof that a person is an active member of an active organisation, with what they may do there now.
#[derive(Clone, Debug)]
pub struct ActiveMembership {
    id: MembershipId,
    user: UserId,
    organisation: Organisation,
    workspace: Option<Workspace>,
    roles: Vec<Role>,
    permissions: BTreeSet<String>,
    ranks: BTreeMap<String, i64>,
    demands_mfa: bool,
}

impl ActiveMembership {
    pub fn id(&self) -> MembershipId {
        self.id
    }

    pub fn user(&self) -> UserId {
        self.user
    }

    pub fn organisation(&self) -> &Organisation {
        &self.organisation
    }

    /// The workspace that was named or implied.
    pub fn workspace(&self) -> Option<&Workspace> {
        self.workspace.as_ref()
    }

    /// The roles that count here (those in the whole organisation and those in the workspace), the highest first.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// What all roles together allow.
    pub fn permissions(&self) -> &BTreeSet<String> {
        &self.permissions
    }

    /// The rank of every role that can be given in the organisation.
    pub fn ranks(&self) -> &BTreeMap<String, i64> {
        &self.ranks
    }

    pub fn may(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// Whether the highest role is this one or ranks above it. Of a role that does not exist, `false`.
    pub fn has_role_at_least(&self, key: &str) -> bool {
        let highest = self.roles.iter().map(|role| role.rank).max();
        self.ranks.get(key).is_some_and(|needed| highest >= Some(*needed))
    }

    /// Whether the organisation, or a role that the person has in it, demands a second factor (MF-5).
    pub fn demands_mfa(&self) -> bool {
        self.demands_mfa
    }
}

/// Everything that the person belongs to now, in order of joining.
pub fn of_user(db: &mut Conn, user: UserId) -> Result<Vec<Membership>, store::Error> {
    let active = memberships::active_of_user(db, user)?;
    if active.is_empty() {
        return Ok(Vec::new());
    }
    let held = memberships::roles_of_user(db, user)?;
    let mut allowed: BTreeMap<RoleId, BTreeSet<String>> = BTreeMap::new();
    for (role, permission) in memberships::permissions_of_user(db, user)? {
        allowed.entry(role).or_default().insert(permission);
    }
    let places: Vec<OrganisationId> = active.iter().map(|(_, organisation)| organisation.id).collect();
    let ranks = roles::ranks(db, &places)?;
    let ranks_in = |place: OrganisationId| {
        let here = ranks.iter().filter(move |(of, ..)| of.is_none_or(|of| of == place));
        here.map(|(_, key, rank)| (key.clone(), *rank)).collect()
    };
    Ok(active
        .into_iter()
        .map(|(member, organisation)| {
            let ranks = ranks_in(organisation.id);
            put_together(&member, organisation, &held, &allowed, ranks)
        })
        .collect())
}

fn put_together(
    member: &Member,
    organisation: Organisation,
    held: &[Held],
    allowed: &BTreeMap<RoleId, BTreeSet<String>>,
    ranks: BTreeMap<String, i64>,
) -> Membership {
    let mut roles: Vec<Role> = Vec::new();
    let mut parts: BTreeMap<WorkspaceId, (Workspace, Vec<Role>)> = BTreeMap::new();
    for held in held.iter().filter(|held| held.membership == member.id) {
        match &held.workspace {
            None => roles.push(held.role.clone()),
            Some(of) => {
                parts.entry(of.id).or_insert_with(|| (of.clone(), Vec::new())).1.push(held.role.clone())
            }
        }
    }
    let permissions = |roles: &[Role]| -> BTreeSet<String> {
        roles.iter().filter_map(|role| allowed.get(&role.id)).flatten().cloned().collect()
    };
    Membership {
        id: member.id,
        organisation,
        permissions: permissions(&roles),
        ranks,
        roles,
        workspaces: parts
            .into_values()
            .map(|(workspace, roles)| InWorkspace { workspace, permissions: permissions(&roles), roles })
            .collect(),
    }
}

/// The membership row, if the member and the organisation are active.
pub(super) fn active(
    db: &mut Conn,
    user: UserId,
    organisation: OrganisationId,
) -> Result<Option<Member>, store::Error> {
    let Some(found) = organisations::find(db, organisation)? else { return Ok(None) };
    let member = memberships::find(db, organisation, user)?;
    Ok(member.filter(|member| member.status == Standing::Active && found.status == Standing::Active))
}

/// Whether the user is an active member of this active organisation.
pub fn is_active(db: &mut Conn, user: UserId, organisation: OrganisationId) -> Result<bool, store::Error> {
    Ok(active(db, user, organisation)?.is_some())
}

/// The membership that the request is about. Without an organisation it is the one that the person joined first; of
/// those that have the workspace, if one is named.
pub fn select(
    db: &mut Conn,
    user: UserId,
    wanted: &Selection,
    mode: Workspaces,
) -> Result<Result<ActiveMembership, NotAMember>, store::Error> {
    let all = of_user(db, user)?;
    let named = |membership: &Membership| match wanted.organisation.as_deref() {
        None => true,
        Some(named) => {
            is_called(named, &membership.organisation.id.to_string(), &membership.organisation.slug)
        }
    };
    for membership in all.into_iter().filter(named) {
        let organisation = membership.organisation.id;
        let workspace = match (wanted.workspace.as_deref(), mode) {
            (Some(named), _) => match find_workspace(db, organisation, named)? {
                Some(found) => Some(found),
                None => continue,
            },
            (None, Workspaces::Implied) => organisations::default_workspace(db, organisation)?,
            (None, Workspaces::Named) => None,
        };
        if let Ok(proven) = prove(user, membership, workspace, wanted.workspace.is_some()) {
            return Ok(Ok(proven));
        }
    }
    Ok(Err(NotAMember))
}

/// The membership in the organisation with this id, which was chosen before.
pub fn in_organisation(
    db: &mut Conn,
    user: UserId,
    organisation: OrganisationId,
    mode: Workspaces,
) -> Result<Result<ActiveMembership, NotAMember>, store::Error> {
    let wanted = Selection { organisation: Some(organisation.to_string()), workspace: None };
    select(db, user, &wanted, mode)
}

/// The workspace of the organisation with this id or short name.
pub fn find_workspace(
    db: &mut Conn,
    organisation: OrganisationId,
    named: &str,
) -> Result<Option<Workspace>, store::Error> {
    match named.parse::<WorkspaceId>() {
        Ok(id) => organisations::find_workspace(db, organisation, id),
        Err(_) => organisations::find_workspace_by_slug(db, organisation, &fold(named)),
    }
}

fn prove(
    user: UserId,
    membership: Membership,
    workspace: Option<Workspace>,
    named: bool,
) -> Result<ActiveMembership, NotAMember> {
    let demands_mfa = membership.demands_mfa();
    let Membership { id, organisation, mut roles, workspaces, mut permissions, ranks } = membership;
    let part = workspace
        .as_ref()
        .and_then(|chosen| workspaces.into_iter().find(|part| part.workspace.id == chosen.id));
    if let Some(part) = part {
        for role in part.roles {
            if !roles.iter().any(|held| held.id == role.id) {
                roles.push(role);
            }
        }
        permissions.extend(part.permissions);
    }
    // Who has a role in another workspace only has no business in this one.
    if named && roles.is_empty() {
        return Err(NotAMember);
    }
    roles.sort_by(|a, b| b.rank.cmp(&a.rank).then_with(|| a.key.cmp(&b.key)));
    Ok(ActiveMembership { id, user, organisation, workspace, roles, permissions, ranks, demands_mfa })
}

fn is_called(named: &str, id: &str, slug: &str) -> bool {
    named == id || fold(named) == slug
}

/// As short names are stored.
pub(super) fn fold(named: &str) -> String {
    named.trim().to_ascii_lowercase()
}
