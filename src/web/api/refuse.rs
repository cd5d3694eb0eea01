//! What changes in an organisation are refused with.

use crate::tenancy::actor::NotPermitted;
use crate::tenancy::api_keys::ApiKeyError;
use crate::tenancy::invitations::InvitationError;
use crate::tenancy::members::MemberError;
use crate::tenancy::organisations::OrganisationError;
use crate::tenancy::roles::RoleError;
use crate::tenancy::workspaces::WorkspaceError;
use crate::web::fault::{Fault, Refused};

fn invalid(why: impl Into<String>) -> Refused {
    Refused::with_detail(Fault::InvalidValue, why)
}

/// What a use case says about a value: the body itself could be read.
pub fn value(refused: impl Into<Refused>) -> Refused {
    let refused = refused.into();
    match refused.fault {
        Fault::InvalidRequest => Refused { fault: Fault::InvalidValue, ..refused },
        _ => refused,
    }
}

fn conflict(why: &str) -> Refused {
    Refused::with_detail(Fault::Conflict, why)
}

const TAKEN: &str = "Another one has this short name.";
const NO_WORKSPACE: &str = "The organisation has no such workspace.";

impl From<NotPermitted> for Refused {
    fn from(_: NotPermitted) -> Self {
        Fault::Forbidden.into()
    }
}

impl From<OrganisationError> for Refused {
    fn from(error: OrganisationError) -> Self {
        match error {
            OrganisationError::BadSlug(bad) => invalid(format!("{bad}.")),
            OrganisationError::BadName => invalid("The name must have 1 to 200 characters."),
            OrganisationError::SlugTaken => conflict(TAKEN),
            OrganisationError::NoSuchOrganisation => Fault::OrganisationDenied.into(),
            OrganisationError::NotPermitted(refused) => refused.into(),
            OrganisationError::Throttled(throttled) => Self::throttled(throttled.retry_after),
            OrganisationError::Store(error) => error.into(),
        }
    }
}

impl From<WorkspaceError> for Refused {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::BadSlug(bad) => invalid(format!("{bad}.")),
            WorkspaceError::BadName => invalid("The name must have 1 to 200 characters."),
            WorkspaceError::SlugTaken => conflict(TAKEN),
            WorkspaceError::NoSuchWorkspace => Fault::NotFound.into(),
            WorkspaceError::Default => conflict("This workspace is implied where none is named, and stays."),
            WorkspaceError::NoSuchOrganisation => Fault::OrganisationDenied.into(),
            WorkspaceError::NotPermitted(refused) => refused.into(),
            WorkspaceError::Store(error) => error.into(),
        }
    }
}

impl From<MemberError> for Refused {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::NoSuchOrganisation => Fault::OrganisationDenied.into(),
            MemberError::NoSuchWorkspace => invalid(NO_WORKSPACE),
            MemberError::NoSuchRole(key) => invalid(format!("The organisation has no role `{key}`.")),
            MemberError::NoSuchUser | MemberError::NotAMember => Fault::NotFound.into(),
            MemberError::NoRoles => invalid("Name at least one role."),
            MemberError::TooManyRoles => invalid("A member has at most three roles in one place."),
            MemberError::LastAdministrator => conflict("Nobody would administer the organisation any more."),
            MemberError::OwnMembership | MemberError::AboveOwn => {
                Self::with_detail(Fault::Forbidden, sentence(&error))
            }
            MemberError::NotPermitted(refused) => refused.into(),
            MemberError::Store(error) => error.into(),
        }
    }
}

impl From<RoleError> for Refused {
    fn from(error: RoleError) -> Self {
        match error {
            RoleError::BadSlug(_)
            | RoleError::BadName
            | RoleError::BadRank
            | RoleError::BadPermission(_)
            | RoleError::TooManyPermissions => invalid(sentence(&error)),
            RoleError::Shipped(_) => conflict("Every organisation has this role, and it cannot be changed."),
            RoleError::KeyTaken => conflict("The organisation has a role of this key already."),
            RoleError::NoSuchOrganisation => Fault::OrganisationDenied.into(),
            RoleError::NoSuchRole(_) => Fault::NotFound.into(),
            RoleError::Held(_) => conflict("Members have this role: give them another one first."),
            RoleError::AboveOwn => Self::with_detail(Fault::Forbidden, sentence(&error)),
            RoleError::NotPermitted(refused) => refused.into(),
            RoleError::Store(error) => error.into(),
        }
    }
}

impl From<InvitationError> for Refused {
    fn from(error: InvitationError) -> Self {
        match error {
            InvitationError::BadLifetime => invalid("An invitation lasts from a second to 30 days."),
            InvitationError::Member(error) => error.into(),
            InvitationError::NoSuchInvitation | InvitationError::Gone => Fault::NotFound.into(),
            InvitationError::Throttled(throttled) => Self::throttled(throttled.retry_after),
            InvitationError::Store(error) => error.into(),
        }
    }
}

impl From<ApiKeyError> for Refused {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::BadName
            | ApiKeyError::BadNumberOfScopes
            | ApiKeyError::BadScope(_)
            | ApiKeyError::BadLife
            | ApiKeyError::BadPrefix => invalid(sentence(&error)),
            ApiKeyError::AboveOwn(_) => Self::with_detail(Fault::Forbidden, sentence(&error)),
            ApiKeyError::NoSuchOrganisation => Fault::OrganisationDenied.into(),
            ApiKeyError::NoSuchWorkspace => invalid(NO_WORKSPACE),
            ApiKeyError::NoSuchKey => Fault::NotFound.into(),
            ApiKeyError::Over => conflict("The key was revoked, has expired or was replaced before."),
            ApiKeyError::NotPermitted(refused) => refused.into(),
            ApiKeyError::Store(error) => error.into(),
        }
    }
}

/// As it is worded where it is decided, beginning and ending as a sentence does.
pub fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
