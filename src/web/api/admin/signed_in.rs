//! Who is signed in and what applications hold, across the instance, by the management API.

use actix_web::HttpResponse;

use super::manager::Manager;
use crate::model::{GrantId, SessionId};
use crate::tenancy::{activity, users};
use crate::web::api::organizations::ok;
use crate::web::api::session::done;
use crate::web::api::typed::told;
use crate::web::fault::{Fault, Refused};

told! {
    Browsers {
        items: Vec<BrowserTold>,
        next: Option<String>,
    }
    BrowserTold {
        id: String,
        user: String,
        created_at: String,
        last_seen_at: String,
        expires_at: String,
        methods: Vec<String>,
        ip: Option<String>,
        user_agent: Option<String>,
    }
    Grants {
        items: Vec<GrantTold>,
        next: Option<String>,
    }
    GrantTold {
        id: String,
        user: String,
        client: String,
        client_name: String,
        organization: Option<String>,
        session: Option<String>,
        /// Whether it outlives the session.
        offline: bool,
        created_at: String,
        expires_at: String,
    }
}

pub async fn browsers(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("sessions of all");
    let page = list.page::<SessionId>(manager.request())?;
    let found = activity::browsers(manager.app(), page.after, page.limit + 1).await?;
    let (found, next) = list.cut(found, page.limit, |browser| browser.session.id);
    let items = found.into_iter().map(|activity::Browser { session, user, methods }| BrowserTold {
        id: session.id.to_string(),
        user: user.id.to_string(),
        created_at: session.created_at.rfc3339(),
        last_seen_at: session.last_seen_at.rfc3339(),
        expires_at: session.expires_at.rfc3339(),
        methods: methods.iter().map(ToString::to_string).collect(),
        ip: session.ip,
        user_agent: session.user_agent,
    });
    Ok(ok(&Browsers { items: items.collect(), next }))
}

pub async fn end(manager: Manager) -> Result<HttpResponse, Refused> {
    let session = manager.named("session")?;
    let ended = users::end_session(manager.app(), session, manager.origin()).await?;
    if ended { Ok(done()) } else { Err(Fault::NotFound.into()) }
}

pub async fn grants(manager: Manager) -> Result<HttpResponse, Refused> {
    let list = manager.list("grants");
    let page = list.page::<GrantId>(manager.request())?;
    let found = activity::held(manager.app(), page.after, page.limit + 1).await?;
    let (found, next) = list.cut(found, page.limit, |held| held.grant.id);
    let items =
        found.into_iter().map(|activity::Held { grant, user, client: (client_id, name) }| GrantTold {
            id: grant.id.to_string(),
            user: user.id.to_string(),
            client: client_id,
            client_name: name,
            organization: grant.organisation_id.map(|id| id.to_string()),
            session: grant.session_id.map(|id| id.to_string()),
            offline: grant.offline,
            created_at: grant.created_at.rfc3339(),
            expires_at: grant.expires_at.rfc3339(),
        });
    Ok(ok(&Grants { items: items.collect(), next }))
}

pub async fn revoke(manager: Manager) -> Result<HttpResponse, Refused> {
    let grant = manager.named("grant")?;
    let revoked = activity::revoke(manager.app(), grant, manager.origin()).await?;
    if revoked { Ok(done()) } else { Err(Fault::NotFound.into()) }
}
