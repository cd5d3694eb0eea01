//! What the API answers.

use super::typed::told;
use crate::clock::Timestamp;
use crate::grants::first_party::{Issued, Subject};
use crate::store::organisations::{Organisation, Workspace};
use crate::store::roles::Role;
use crate::tenancy::membership::Membership;

told! {
    /// Somebody with tokens.
    SignedIn {
        access_token: String,
        token_type: String,
        expires_in: u64,
        refresh_token: Option<String>,
        refresh_expires_in: Option<u64>,
        user: User,
        organization: Option<Named>,
        workspace: Option<Named>,
        roles: Vec<String>,
        permissions: Vec<String>,
        memberships: Vec<Belongs>,
    }
    /// The same, by another's word.
    Vouched {
        is_new: bool,
        tokens: SignedIn,
    }
    /// Who calls, and where.
    Me {
        user: User,
        organization: Option<Named>,
        workspace: Option<Named>,
        roles: Vec<String>,
        permissions: Vec<String>,
        memberships: Vec<Belongs>,
    }
    User {
        id: String,
        name: String,
        email: Option<String>,
        email_verified: bool,
        username: Option<String>,
        locale: Option<String>,
        zoneinfo: Option<String>,
        picture: Option<String>,
        created_at: String,
    }
    /// An organisation or a workspace.
    Named {
        id: String,
        slug: String,
        name: String,
    }
    /// One membership: roles in the whole organisation, and those in single workspaces.
    Belongs {
        organization: Named,
        roles: Vec<String>,
        permissions: Vec<String>,
        workspaces: Vec<BelongsHere>,
    }
    BelongsHere {
        workspace: Named,
        roles: Vec<String>,
        permissions: Vec<String>,
    }
}

impl From<&Organisation> for Named {
    fn from(found: &Organisation) -> Self {
        Self { id: found.id.to_string(), slug: found.slug.clone(), name: found.name.clone() }
    }
}

impl From<&Workspace> for Named {
    fn from(found: &Workspace) -> Self {
        Self { id: found.id.to_string(), slug: found.slug.clone(), name: found.name.clone() }
    }
}

pub fn keys(roles: &[Role]) -> Vec<String> {
    roles.iter().map(|role| role.key.clone()).collect()
}

impl From<&Membership> for Belongs {
    fn from(membership: &Membership) -> Self {
        let workspaces = membership.workspaces.iter().map(|part| BelongsHere {
            workspace: (&part.workspace).into(),
            roles: keys(&part.roles),
            permissions: part.permissions.iter().cloned().collect(),
        });
        Self {
            organization: (&membership.organisation).into(),
            roles: keys(&membership.roles),
            permissions: membership.permissions.iter().cloned().collect(),
            workspaces: workspaces.collect(),
        }
    }
}

impl From<&Subject> for User {
    fn from(subject: &Subject) -> Self {
        let (user, email) = (&subject.user, subject.email.as_ref());
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            email: email.map(|email| email.address.clone()),
            email_verified: email.is_some_and(|email| email.verified_at.is_some()),
            username: user.username.clone(),
            locale: user.locale.clone(),
            zoneinfo: user.zoneinfo.clone(),
            picture: subject.picture.clone(),
            created_at: user.created_at.rfc3339(),
        }
    }
}

impl From<&Subject> for Me {
    fn from(subject: &Subject) -> Self {
        let active = subject.active.as_ref();
        Self {
            user: subject.into(),
            organization: active.map(|active| active.organisation().into()),
            workspace: active.and_then(|active| active.workspace()).map(Named::from),
            roles: active.map(|active| keys(active.roles())).unwrap_or_default(),
            permissions: active
                .map(|found| found.permissions().iter().cloned().collect())
                .unwrap_or_default(),
            memberships: subject.memberships.iter().map(Belongs::from).collect(),
        }
    }
}

impl From<&Issued> for SignedIn {
    fn from(issued: &Issued) -> Self {
        let seconds =
            |ends: Timestamp| u64::try_from(ends.seconds() - issued.issued_at.seconds()).unwrap_or_default();
        let Me { user, organization, workspace, roles, permissions, memberships } = (&issued.subject).into();
        Self {
            access_token: issued.access.expose().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: seconds(issued.expires_at),
            refresh_token: issued.refresh.as_ref().map(|(token, _)| token.expose().to_owned()),
            refresh_expires_in: issued.refresh.as_ref().map(|(_, ends)| seconds(*ends)),
            user,
            organization,
            workspace,
            roles,
            permissions,
            memberships,
        }
    }
}
