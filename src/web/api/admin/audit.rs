//! The audit, by the management API.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;
use serde_json::Value;

use super::manager::Manager;
use super::users::word;
use crate::model::{AuditEventId, OrganisationId, Outcome, UserId};
use crate::store::audit::{self, Event, Sought};
use crate::web::api::organizations::ok;
use crate::web::api::page::query_without_page;
use crate::web::api::typed::told;
use crate::web::fault::{Fault, Refused};

told! {
    Events {
        items: Vec<EventTold>,
        next: Option<String>,
    }
    EventTold {
        id: String,
        at: String,
        action: String,
        outcome: String,
        user: Option<String>,
        actor: Option<String>,
        client: Option<String>,
        organization: Option<String>,
        session: Option<String>,
        ip: Option<String>,
        request: Option<String>,
        detail: Value,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    user: Option<String>,
    organization: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    request: Option<String>,
}

fn told(event: &Event) -> EventTold {
    EventTold {
        id: event.id.to_string(),
        at: event.at.rfc3339(),
        action: event.action.clone(),
        outcome: event.outcome.to_string(),
        user: event.user_id.map(|id| id.to_string()),
        actor: event.actor_id.map(|id| id.to_string()),
        client: event.client_id.map(|id| id.to_string()),
        organization: event.organisation_id.map(|id| id.to_string()),
        session: event.session_id.map(|id| id.to_string()),
        ip: event.ip.clone(),
        request: event.request_id.clone(),
        detail: serde_json::from_str(&event.detail).unwrap_or(Value::Null),
    }
}

/// An id in the address.
pub(super) fn id<Id: std::str::FromStr>(name: &str, text: Option<&str>) -> Result<Option<Id>, Refused> {
    let refuse = |_| Refused::with_detail(Fault::InvalidValue, format!("`{name}` is no such id."));
    text.map(|text| text.parse().map_err(|_| ()).map_err(refuse)).transpose()
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("audit");
    let page = list.page_beside::<AuditEventId>(
        manager.request(),
        &["user", "organization", "action", "outcome", "request"],
    )?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let sought = Sought {
        user: id::<UserId>("user", looked.user.as_deref())?,
        organisation: id::<OrganisationId>("organization", looked.organization.as_deref())?,
        action: looked.action,
        request: looked.request,
        outcome: word::<Outcome>("outcome", looked.outcome.as_deref())?,
        before: page.after,
    };
    let limit = page.limit;
    let found = manager.app().db.read(move |db| audit::search(db, &sought, limit + 1)).await?;
    let (found, next) = list.cut(found, limit, |event| event.id);
    Ok(ok(&Events { items: found.iter().map(told).collect(), next }))
}

pub async fn show(manager: Manager) -> Result<HttpResponse, Refused> {
    let event: AuditEventId = manager.named("event")?;
    let found = manager.app().db.read(move |db| audit::find(db, event)).await?;
    Ok(ok(&told(&found.ok_or(Fault::NotFound)?)))
}
