//! Organisations, by the management API: any of them, by whoever runs the instance.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

use super::manager::Manager;
use super::users::word;
use crate::model::{OrganisationId, Standing};
use crate::store::organisations::Organisation;
use crate::store::{self, users};
use crate::tenancy::organisations::{self, Change};
use crate::web::api::ask::Sent;
use crate::web::api::once::Made;
use crate::web::api::organizations::ok;
use crate::web::api::page::query_without_page;
use crate::web::api::session::done;
use crate::web::api::typed::{asked, told};
use crate::web::fault::{Fault, Refused};

asked! {
    /// `POST /organizations`.
    NewOrganizationAsked {
        slug: String where { "minLength": 1, "maxLength": 64 },
        name: String where { "minLength": 1, "maxLength": 200 },
    }
    /// `PATCH /organizations/{organization}`.
    OrganizationChange {
        name: Option<String> where { "minLength": 1, "maxLength": 200 },
        require_mfa: Option<bool>,
        password_login_allowed: Option<bool>,
    }
}

told! {
    OrganizationsTold {
        items: Vec<OrganizationTold>,
        next: Option<String>,
    }
    OrganizationTold {
        id: String,
        slug: String,
        name: String,
        status: String,
        require_mfa: bool,
        password_login_allowed: bool,
        created_at: String,
    }
}

impl Made for OrganizationTold {}

fn told(found: &Organisation) -> OrganizationTold {
    OrganizationTold {
        id: found.id.to_string(),
        slug: found.slug.clone(),
        name: found.name.clone(),
        status: found.status.to_string(),
        require_mfa: found.require_mfa,
        password_login_allowed: found.password_login_allowed,
        created_at: found.created_at.rfc3339(),
    }
}

/// The organisation that is named by an id or a short name.
pub(super) async fn known(manager: &Manager, which: String) -> Result<Option<Organisation>, Refused> {
    Ok(manager.app().db.read(move |db| organisations::find(db, &which)).await?)
}

/// The organisation in the path.
pub(super) async fn of(manager: &Manager) -> Result<Organisation, Refused> {
    known(manager, manager.named("organization")?).await?.ok_or_else(|| Fault::NotFound.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    q: Option<String>,
    status: Option<String>,
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("all organizations");
    let page = list.page_beside::<OrganisationId>(manager.request(), &["q", "status"])?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let words = users::Sought::words_of(looked.q.as_deref().unwrap_or_default());
    let status = word::<Standing>("status", looked.status.as_deref())?;
    let (before, limit) = (page.after, page.limit);
    let search =
        move |db: &mut store::Conn| store::organisations::search(db, &words, status, before, limit + 1);
    let found = manager.app().db.read(search).await?;
    let (found, next) = list.cut(found, limit, |organisation| organisation.id);
    Ok(ok(&OrganizationsTold { items: found.iter().map(told).collect(), next }))
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewOrganizationAsked>,
) -> Result<HttpResponse, Refused> {
    let app = manager.call.app.clone();
    let make = async move |origin| {
        let created = organisations::create(&app, &asked.slug, &asked.name, &origin).await?;
        Ok(told(&created.organisation))
    };
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    Ok(ok(&told(&of(&manager).await?)))
}

pub async fn change(
    Sent { by: manager, asked, .. }: Sent<Manager, OrganizationChange>,
) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    let change = Change {
        name: asked.name,
        require_mfa: asked.require_mfa,
        password_login_allowed: asked.password_login_allowed,
    };
    let changed = organisations::change(manager.app(), manager.actor(), found.id, change, manager.origin());
    Ok(ok(&told(&changed.await?)))
}

pub async fn suspend(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    organisations::suspend(manager.app(), found.id, manager.origin()).await?;
    Ok(done())
}

pub async fn resume(manager: Manager) -> Result<HttpResponse, Refused> {
    let found = of(&manager).await?;
    organisations::resume(manager.app(), found.id, manager.origin()).await?;
    Ok(done())
}
