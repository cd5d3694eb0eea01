//! The members of an organisation by the API.

use actix_web::HttpResponse;

use super::ask::Sent;
use super::caller::Here;
use super::organizations::{ok, workspace};
use super::session::done;
use super::tell::Named;
use super::typed::{asked, told};
use crate::model::{MembershipId, Permission, UserId};
use crate::store::{self, users};
use crate::tenancy::members::{self, Assignment, Described};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `PUT …/members/{user}/roles`: instead of those that the member has there.
    SetRoles {
        /// Keys of roles. None takes away those in a workspace.
        roles: Vec<String> where { "maxItems": 3 },
        workspace: Option<String>,
    }
}

told! {
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
}

pub fn told(email: Option<String>, described: Described) -> MemberTold {
    let Described { member, user, roles } = described;
    let held = |held: &store::memberships::Held| Held {
        role: held.role.key.clone(),
        workspace: held.workspace.as_ref().map(Named::from),
    };
    MemberTold {
        user: user.id.to_string(),
        name: user.name,
        email,
        status: member.status.as_str().to_owned(),
        roles: roles.iter().map(held).collect(),
        joined_at: member.created_at.rfc3339(),
    }
}

fn address(db: &mut store::Conn, user: UserId) -> Result<Option<String>, store::Error> {
    Ok(users::primary_email(db, user)?.map(|email| email.address))
}

pub async fn list(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::MembersRead)?;
    let (list, of) = (here.list("members"), here.organisation);
    let page = list.page::<MembershipId>(here.request())?;
    let (after, limit) = (page.after, page.limit);
    let found = here.app().db.read(move |db| {
        members::list(db, of, after, limit + 1)?
            .into_iter()
            .map(|described| Ok((address(db, described.user.id)?, described)))
            .collect::<Result<Vec<_>, store::Error>>()
    });
    let (found, next) = list.cut(found.await?, limit, |(_, described)| described.member.id);
    let items = found.into_iter().map(|(email, described)| told(email, described));
    Ok(ok(&Members { items: items.collect(), next }))
}

pub async fn show(here: Here) -> Result<HttpResponse, Refused> {
    here.check_may(Permission::MembersRead)?;
    let (of, user): (_, UserId) = (here.organisation, here.named("user")?);
    let found = here.app().db.read(move |db| {
        let described = members::describe(db, of, user)?;
        let email = address(db, user)?;
        Ok(described.map(|described| told(email.clone(), described)))
    });
    Ok(ok(&found.await?.ok_or(Fault::NotFound)?))
}

pub async fn set_roles(Sent { by: here, asked, .. }: Sent<Here, SetRoles>) -> Result<HttpResponse, Refused> {
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
