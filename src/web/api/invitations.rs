//! Invitations by the API: sent and taken back by an organisation, accepted by whoever has the address (OR-5).

use std::time::Duration;

use actix_web::HttpResponse;

use super::ask::Sent;
use super::caller::{Here, Member};
use super::once::Made;
use super::organizations::{ok, workspace};
use super::refuse::value;
use super::session::done;
use super::tell::Named;
use super::typed::{Integer, asked, told};
use crate::crypto::Secret;
use crate::identity::invitation::{self, Reference};
use crate::model::{EmailAddress, InvitationId, Language, Permission};
use crate::tenancy::invitations::{self, Guest};
use crate::web::fault::{Fault, Refused};

/// How long an invitation lasts if nothing is said.
pub const WEEK: Duration = Duration::from_secs(7 * 86_400);

asked! {
    /// `POST …/invitations`.
    NewInvitation {
        email: String where { "format": "email", "maxLength": 254 },
        roles: Vec<String> where { "minItems": 1, "maxItems": 3 },
        workspace: Option<String>,
        /// Seconds.
        expires_in: Option<Integer> where { "minimum": 1, "maximum": 2592000 },
    }
    /// `POST /invitations/accept`.
    Accept {
        /// What stands at the end of the mailed link.
        token: Secret,
    }
}

told! {
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
    Invited {
        id: String,
        expires_at: String,
    }
}

impl Made for Invited {}

pub async fn list(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::MembersRead)?;
    let (list, of) = (here.list("invitations"), here.organisation);
    let page = list.page::<InvitationId>(here.request())?;
    let (after, limit) = (page.after, page.limit);
    let found = here.app().db.read(move |db| invitations::list(db, of, after, limit + 1)).await?;
    let (found, next) = list.cut(found, limit, |described| described.invitation.id);
    Ok(ok(&Invitations { items: found.into_iter().map(told).collect(), next }))
}

pub fn told(described: invitations::Described) -> InvitationTold {
    let invitations::Described { invitation, roles } = described;
    InvitationTold {
        id: invitation.id.to_string(),
        email: invitation.address,
        roles: roles.into_iter().map(|role| role.key).collect(),
        workspace: invitation.workspace_id.map(|id| id.to_string()),
        created_at: invitation.created_at.rfc3339(),
        expires_at: invitation.expires_at.rfc3339(),
        accepted_at: invitation.accepted_at.map(|at| at.rfc3339()),
        revoked_at: invitation.revoked_at.map(|at| at.rfc3339()),
    }
}

/// Who is to be invited, by a mail in this language.
pub fn guest(asked: NewInvitation, language: Language) -> Result<Guest, Refused> {
    let why = "`email` must be an e-mail address.";
    Ok(Guest {
        email: EmailAddress::parse(&asked.email)
            .map_err(|_| Refused::with_detail(Fault::InvalidValue, why))?,
        workspace: workspace(asked.workspace.as_deref())?,
        roles: asked.roles,
        language,
        lifetime: asked.expires_in.map_or(WEEK, Integer::seconds),
    })
}

impl From<invitations::Sent> for Invited {
    fn from(sent: invitations::Sent) -> Self {
        Self { id: sent.id.to_string(), expires_at: sent.expires_at.rfc3339() }
    }
}

pub async fn create(
    Sent { by: here, asked, once }: Sent<Here, NewInvitation>,
) -> Result<HttpResponse, Refused> {
    let guest = guest(asked, here.call().language)?;
    let (app, actor, of) = (here.call().app.clone(), here.actor(), here.organisation);
    let make =
        async move |origin| Ok(Invited::from(invitations::send(&app, actor, of, guest, &origin).await?));
    once.make(here.call(), &here.identity(), make).await
}

pub async fn revoke(here: Here) -> Result<HttpResponse, Refused> {
    let id: InvitationId = here.named("invitation")?;
    invitations::revoke(here.app(), here.actor(), here.organisation, id, here.origin()).await?;
    Ok(done())
}

/// The caller joins. Their token stays for what it was for: `/switch` gives one for the new organisation.
pub async fn accept(Sent { by: member, asked, .. }: Sent<Member, Accept>) -> Result<HttpResponse, Refused> {
    let (app, origin) = (&member.call.app, &member.call.origin);
    let reference = Reference::Mailed(asked.token);
    let joined = invitation::accept_as(app, &reference, member.user(), origin).await.map_err(value)?;
    Ok(ok(&Named::from(&joined)))
}
