//! Mail domains of any organisation, by the management API.

use actix_web::HttpResponse;

use super::manager::Manager;
use super::organizations::of;
use crate::model::OrganisationId;
use crate::store::domains::{self as rows, Domain};
use crate::tenancy::domains::{self, DomainError};
use crate::web::api::ask::Sent;
use crate::web::api::once::Made;
use crate::web::api::organizations::ok;
use crate::web::api::refuse::sentence;
use crate::web::api::session::done;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST …/domains`.
    NewDomain {
        domain: String where { "minLength": 1, "maxLength": 253 },
    }
    /// `PUT …/domains/{domain}/provider`.
    RouteAsked {
        /// The id of one of the organisation's own providers; null ends it.
        provider: Option<String> where { "minLength": 1, "maxLength": 64 },
    }
}

told! {
    Domains {
        items: Vec<DomainTold>,
        next: Option<String>,
    }
    DomainTold {
        domain: String,
        /// What a TXT record at the domain must say.
        record: String,
        created_at: String,
        verified_at: Option<String>,
        checked_at: Option<String>,
        /// Since when the record is not there any more.
        missing_since: Option<String>,
        /// Where its people are sent to sign in.
        provider: Option<String>,
    }
}

impl Made for DomainTold {}

fn told(found: &Domain) -> DomainTold {
    DomainTold {
        domain: found.domain.clone(),
        record: domains::record(found),
        created_at: found.created_at.rfc3339(),
        verified_at: found.verified_at.map(|at| at.rfc3339()),
        checked_at: found.checked_at.map(|at| at.rfc3339()),
        missing_since: found.missing_since.map(|at| at.rfc3339()),
        provider: found.provider_id.clone(),
    }
}

impl From<DomainError> for Refused {
    fn from(error: DomainError) -> Self {
        let conflict = |why: &str| Self::with_detail(Fault::Conflict, why);
        match error {
            DomainError::BadDomain => Self::with_detail(Fault::InvalidValue, sentence(&error)),
            DomainError::Claimed => {
                conflict("The organization has claimed this domain already: its `record` is in the list.")
            }
            DomainError::NotProven { .. } => conflict(&sentence(&error)),
            DomainError::ProvenByAnother => conflict("Another organization has proven this domain."),
            DomainError::NotYetProven => {
                conflict("The domain is not proven yet: publish its `record` in DNS, then verify it.")
            }
            DomainError::NoSuchProvider => Self::with_detail(
                Fault::InvalidValue,
                "The organization has no such provider of its own: make one with its `organization`.",
            ),
            DomainError::NotClaimed | DomainError::NoSuchOrganisation => Fault::NotFound.into(),
            DomainError::Dns(error) => Self {
                detail: Some(format!("{} Try again later.", sentence(&error))),
                cause: Some(error.to_string()),
                ..Self::busy()
            },
            DomainError::NotPermitted(refused) => refused.into(),
            DomainError::Store(error) => error.into(),
        }
    }
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let list = manager.list_of("domains of any", of);
    let page = list.page::<String>(manager.request())?;
    // An organisation has few.
    let mut all = manager.app().db.read(move |db| rows::list(db, of)).await?;
    all.retain(|one| page.after.as_ref().is_none_or(|after| one.domain > *after));
    let (found, next) = list.cut(all, page.limit, |one| one.domain.clone());
    Ok(ok(&Domains { items: found.iter().map(told).collect(), next }))
}

async fn find(manager: &Manager, of: OrganisationId) -> Result<Domain, Refused> {
    let domain = manager.named::<String>("domain")?;
    let found = manager.app().db.read(move |db| rows::find(db, of, &domain)).await?;
    found.ok_or_else(|| Fault::NotFound.into())
}

pub async fn claim(
    Sent { by: manager, asked, once }: Sent<Manager, NewDomain>,
) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let (app, actor) = (manager.call.app.clone(), manager.actor());
    let make = async move |origin| Ok(told(&domains::claim(&app, actor, of, &asked.domain, &origin).await?));
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = find(&manager, of(&manager).await?.id).await?;
    Ok(ok(&told(&found)))
}

pub async fn verify(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let domain = find(&manager, of).await?.domain;
    let proven = domains::verify(manager.app(), manager.actor(), of, &domain, manager.origin()).await?;
    Ok(ok(&told(&proven)))
}

pub async fn route(
    Sent { by: manager, asked, .. }: Sent<Manager, RouteAsked>,
) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let domain = find(&manager, of).await?.domain;
    let (app, actor) = (manager.app(), manager.actor());
    domains::route(app, actor, of, &domain, asked.provider, manager.origin()).await?;
    Ok(done())
}

pub async fn remove(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let domain = find(&manager, of).await?.domain;
    domains::remove(manager.app(), manager.actor(), of, &domain, manager.origin()).await?;
    Ok(done())
}
