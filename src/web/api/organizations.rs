//! An organisation by the API: what it is, its workspaces, members, roles and invitations.
//!
//! Whoever calls belongs to the organisation, and their token is for it (TE-6, AR-5). What they may change is decided in
//! the transaction that changes it ([`crate::tenancy::actor`]); what they may read, by their roles in the whole
//! organisation.

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;

use super::ask::{Body, Call, Member};
use super::page::List;
use super::session::done;
use super::tell::Named;
use super::typed::{asked, told};
use crate::app::App;
use crate::audit::Origin;
use crate::grants::first_party;
use crate::model::{
    EmailAddress, InvitationId, MembershipId, OrganisationId, Permission, UserId, WorkspaceId,
};
use crate::store::organisations::Organisation;
use crate::store::{self, users};
use crate::tenancy::actor::Actor;
use crate::tenancy::invitations::{self, Guest};
use crate::tenancy::members::{self, Assignment};
use crate::tenancy::membership::Selection;
use crate::tenancy::organisations::{self, Change};
use crate::tenancy::roles::{self, Description};
use crate::tenancy::workspaces;
use crate::web::fault::{Fault, Refused};
use crate::web::respond;

/// How long an invitation lasts if nothing is said.
const WEEK: u64 = 7 * 86_400;

asked! {
    /// `PATCH /organizations/{organization}`.
    ChangeOrganization {
        name: Option<String>,
        require_mfa: Option<bool>,
        password_login_allowed: Option<bool>,
    }
    /// `POST …/workspaces`.
    NewWorkspace {
        slug: String,
        name: String,
    }
    /// `PUT …/members/{user}/roles`: instead of those that the member has there.
    SetRoles {
        roles: Vec<String>,
        workspace: Option<String>,
    }
    /// `POST …/roles`.
    NewRole {
        key: String,
        name: String,
        rank: i64,
        permissions: Vec<String>,
        require_mfa: Option<bool>,
    }
    /// `PUT …/roles/{role}`.
    RoleDescribed {
        name: String,
        rank: i64,
        permissions: Vec<String>,
        require_mfa: Option<bool>,
    }
    /// `POST …/invitations`.
    NewInvitation {
        email: String,
        roles: Vec<String>,
        workspace: Option<String>,
        /// Seconds.
        expires_in: Option<u64>,
    }
}

told! {
    OrganizationTold {
        id: String,
        slug: String,
        name: String,
        require_mfa: bool,
        password_login_allowed: bool,
        created_at: String,
    }
    Workspaces {
        items: Vec<Named>,
        next: Option<String>,
    }
    Members {
        items: Vec<MemberTold>,
        next: Option<String>,
    }
    MemberTold {
        user: String,
        name: String,
        email: Option<String>,
        status: String,
        roles: Vec<Held>,
        joined_at: String,
    }
    Held {
        role: String,
        workspace: Option<Named>,
    }
    Roles {
        items: Vec<RoleTold>,
    }
    RoleTold {
        key: String,
        name: String,
        rank: i64,
        permissions: Vec<String>,
        require_mfa: bool,
        own: bool,
    }
    Made {
        id: String,
    }
    Invitations {
        items: Vec<InvitationTold>,
        next: Option<String>,
    }
    InvitationTold {
        id: String,
        email: String,
        roles: Vec<String>,
        workspace: Option<String>,
        created_at: String,
        expires_at: String,
        accepted_at: Option<String>,
        revoked_at: Option<String>,
    }
}

/// A call of a member about the organisation in the path, which the token is for.
pub struct Here {
    pub member: Member,
    pub organisation: OrganisationId,
    found: Organisation,
    request: HttpRequest,
}

impl FromRequest for Here {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, member) = (request.clone(), Member::from_request(request, payload));
        Box::pin(async move {
            let Member { call, live, subject } = member.await?;
            let named = request.match_info().query("organization").to_owned();
            let wanted = Selection { organisation: Some(named), workspace: None };
            let subject = first_party::narrow(&call.app, subject, wanted).await??;
            let active = subject.active.as_ref().ok_or(Fault::OrganisationDenied)?;
            let found = active.organisation().clone();
            Ok(Self { organisation: found.id, found, member: Member { call, live, subject }, request })
        })
    }
}

impl Here {
    pub fn app(&self) -> &App {
        &self.call().app
    }

    pub fn call(&self) -> &Call {
        &self.member.call
    }

    pub fn origin(&self) -> &Origin {
        &self.call().origin
    }

    pub fn actor(&self) -> Actor {
        Actor::Member(self.member.user())
    }

    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    pub fn list(&self, kind: &'static str) -> List<'_> {
        List { master: &self.app().master, kind, organisation: self.organisation }
    }

    /// What a role in one workspace allows is allowed there only.
    pub fn check_may(&self, permission: Permission) -> Result<(), Refused> {
        let mut all = self.member.subject.memberships.iter();
        let here = all.find(|membership| membership.organisation.id == self.organisation);
        match here.is_some_and(|found| found.permissions.contains(permission.as_str())) {
            true => Ok(()),
            false => Err(Fault::Forbidden.into()),
        }
    }

    /// What the path names. Malformed is as unknown.
    pub fn named<Id: std::str::FromStr>(&self, name: &str) -> Result<Id, Refused> {
        self.request.match_info().query(name).parse().map_err(|_| Fault::NotFound.into())
    }
}

/// The workspace of a body.
pub fn workspace(text: Option<&str>) -> Result<Option<WorkspaceId>, Refused> {
    let read = |text: &str| {
        let why = "`workspace` must be the id of a workspace.";
        text.parse().map_err(|_| Refused::with_detail(Fault::InvalidRequest, why))
    };
    text.map(read).transpose()
}

pub fn ok(told: &impl serde::Serialize) -> HttpResponse {
    respond::json_no_store(StatusCode::OK, told)
}

pub fn made(told: &impl serde::Serialize) -> HttpResponse {
    respond::json_no_store(StatusCode::CREATED, told)
}

impl From<&Organisation> for OrganizationTold {
    fn from(found: &Organisation) -> Self {
        Self {
            id: found.id.to_string(),
            slug: found.slug.clone(),
            name: found.name.clone(),
            require_mfa: found.require_mfa,
            password_login_allowed: found.password_login_allowed,
            created_at: found.created_at.rfc3339(),
        }
    }
}

pub async fn show(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::OrganisationRead)?;
    Ok(ok(&OrganizationTold::from(&here.found)))
}

pub async fn change(here: Here, Body(asked): Body<ChangeOrganization>) -> Result<HttpResponse, Refused> {
    let change = Change {
        name: asked.name,
        require_mfa: asked.require_mfa,
        password_login_allowed: asked.password_login_allowed,
    };
    let changed =
        organisations::change(here.app(), here.actor(), here.organisation, change, here.origin()).await?;
    Ok(ok(&OrganizationTold::from(&changed)))
}

pub async fn workspaces(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::OrganisationRead)?;
    let (list, of) = (here.list("workspaces"), here.organisation);
    let page = list.page::<WorkspaceId>(here.request())?;
    let (after, limit) = (page.after, page.limit);
    let found =
        here.app().db.read(move |db| store::organisations::workspaces(db, of, after, limit + 1)).await?;
    let (found, next) = list.cut(found, limit, |workspace| workspace.id);
    Ok(ok(&Workspaces { items: found.iter().map(Named::from).collect(), next }))
}

pub async fn new_workspace(here: Here, Body(asked): Body<NewWorkspace>) -> Result<HttpResponse, Refused> {
    let (slug, name, of) = (&asked.slug, &asked.name, here.organisation);
    let created = workspaces::create(here.app(), here.actor(), of, slug, name, here.origin()).await?;
    Ok(made(&Named::from(&created)))
}

pub async fn members(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::MembersRead)?;
    let (list, of) = (here.list("members"), here.organisation);
    let page = list.page::<MembershipId>(here.request())?;
    let (after, limit) = (page.after, page.limit);
    let found = here.app().db.read(move |db| {
        members::list(db, of, after, limit + 1)?
            .into_iter()
            .map(|described| Ok((users::primary_email(db, described.user.id)?, described)))
            .collect::<Result<Vec<_>, store::Error>>()
    });
    let (found, next) = list.cut(found.await?, limit, |(_, described)| described.member.id);
    let items = found.into_iter().map(|(email, members::Described { member, user, roles })| MemberTold {
        user: user.id.to_string(),
        name: user.name,
        email: email.map(|email| email.address),
        status: member.status.as_str().to_owned(),
        roles: roles
            .iter()
            .map(|held| Held {
                role: held.role.key.clone(),
                workspace: held.workspace.as_ref().map(Named::from),
            })
            .collect(),
        joined_at: member.created_at.rfc3339(),
    });
    Ok(ok(&Members { items: items.collect(), next }))
}

pub async fn set_roles(here: Here, Body(asked): Body<SetRoles>) -> Result<HttpResponse, Refused> {
    let assignment = Assignment {
        user: here.named("user")?,
        workspace: workspace(asked.workspace.as_deref())?,
        roles: asked.roles,
    };
    members::set_roles(here.app(), here.actor(), here.organisation, assignment, here.origin()).await?;
    Ok(done())
}

pub async fn suspend(here: Here) -> Result<HttpResponse, Refused> {
    let user: UserId = here.named("user")?;
    members::suspend(here.app(), here.actor(), here.organisation, user, here.origin()).await?;
    Ok(done())
}

pub async fn resume(here: Here) -> Result<HttpResponse, Refused> {
    let user: UserId = here.named("user")?;
    members::resume(here.app(), here.actor(), here.organisation, user, here.origin()).await?;
    Ok(done())
}

pub async fn remove(here: Here) -> Result<HttpResponse, Refused> {
    let user: UserId = here.named("user")?;
    members::remove(here.app(), here.actor(), here.organisation, user, here.origin()).await?;
    Ok(done())
}

pub async fn roles(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::OrganisationRead)?;
    let of = here.organisation;
    let found = here.app().db.read(move |db| roles::list(db, of)).await?;
    let items = found.into_iter().map(|roles::Described { role, permissions }| RoleTold {
        own: role.organisation_id.is_some(),
        key: role.key,
        name: role.name,
        rank: role.rank,
        permissions,
        require_mfa: role.require_mfa,
    });
    Ok(ok(&Roles { items: items.collect() }))
}

pub async fn new_role(here: Here, Body(asked): Body<NewRole>) -> Result<HttpResponse, Refused> {
    let NewRole { key, name, rank, permissions, require_mfa } = asked;
    let description = described(RoleDescribed { name, rank, permissions, require_mfa });
    let (app, actor, of) = (here.app(), here.actor(), here.organisation);
    let id = roles::define(app, actor, of, &key, description, here.origin()).await?;
    Ok(made(&Made { id: id.to_string() }))
}

pub async fn change_role(here: Here, Body(asked): Body<RoleDescribed>) -> Result<HttpResponse, Refused> {
    let key: String = here.named("role")?;
    let (app, actor, of) = (here.app(), here.actor(), here.organisation);
    roles::change(app, actor, of, &key, described(asked), here.origin()).await?;
    Ok(done())
}

pub async fn remove_role(here: Here) -> Result<HttpResponse, Refused> {
    let key: String = here.named("role")?;
    roles::remove(here.app(), here.actor(), here.organisation, &key, here.origin()).await?;
    Ok(done())
}

fn described(asked: RoleDescribed) -> Description {
    Description {
        name: asked.name,
        rank: asked.rank,
        permissions: asked.permissions.into_iter().collect::<BTreeSet<_>>(),
        require_mfa: asked.require_mfa.unwrap_or_default(),
    }
}

pub async fn invitations(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::MembersRead)?;
    let (list, of) = (here.list("invitations"), here.organisation);
    let page = list.page::<InvitationId>(here.request())?;
    let (after, limit) = (page.after, page.limit);
    let found = here.app().db.read(move |db| invitations::list(db, of, after, limit + 1)).await?;
    let (found, next) = list.cut(found, limit, |described| described.invitation.id);
    let items = found.into_iter().map(|invitations::Described { invitation, roles }| InvitationTold {
        id: invitation.id.to_string(),
        email: invitation.address,
        roles: roles.into_iter().map(|role| role.key).collect(),
        workspace: invitation.workspace_id.map(|id| id.to_string()),
        created_at: invitation.created_at.rfc3339(),
        expires_at: invitation.expires_at.rfc3339(),
        accepted_at: invitation.accepted_at.map(|at| at.rfc3339()),
        revoked_at: invitation.revoked_at.map(|at| at.rfc3339()),
    });
    Ok(ok(&Invitations { items: items.collect(), next }))
}

pub async fn invite(here: Here, Body(asked): Body<NewInvitation>) -> Result<HttpResponse, Refused> {
    let why = "`email` must be an e-mail address.";
    let guest = Guest {
        email: EmailAddress::parse(&asked.email)
            .map_err(|_| Refused::with_detail(Fault::InvalidRequest, why))?,
        workspace: workspace(asked.workspace.as_deref())?,
        roles: asked.roles,
        language: here.call().language,
        lifetime: Duration::from_secs(asked.expires_in.unwrap_or(WEEK)),
    };
    let sent = invitations::send(here.app(), here.actor(), here.organisation, guest, here.origin()).await?;
    Ok(made(&Made { id: sent.id.to_string() }))
}

pub async fn uninvite(here: Here) -> Result<HttpResponse, Refused> {
    let id: InvitationId = here.named("invitation")?;
    invitations::revoke(here.app(), here.actor(), here.organisation, id, here.origin()).await?;
    Ok(done())
}
