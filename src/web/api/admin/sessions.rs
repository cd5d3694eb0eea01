//! Where somebody is signed in, by the management API.

use actix_web::HttpResponse;

use super::manager::Manager;
use crate::identity::account::sessions;
use crate::model::{SessionId, UserId};
use crate::store;
use crate::tenancy::users;
use crate::web::api::organizations::ok;
use crate::web::api::session::done;
use crate::web::api::typed::told;
use crate::web::fault::{Fault, Refused};

told! {
    Sessions {
        items: Vec<SessionTold>,
        next: Option<String>,
    }
    SessionTold {
        id: String,
        created_at: String,
        last_seen_at: String,
        expires_at: String,
        methods: Vec<String>,
        ip: Option<String>,
        user_agent: Option<String>,
    }
}

async fn user(manager: &Manager) -> Result<UserId, Refused> {
    let user: UserId = manager.named("user")?;
    let found = manager.app().db.read(move |db| store::users::find(db, user)).await?;
    found.map(|found| found.id).ok_or_else(|| Fault::NotFound.into())
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let user = user(&manager).await?;
    let list = manager.list("sessions");
    let page = list.page::<SessionId>(manager.request())?;
    let mut live = sessions::list(manager.app(), user).await?;
    live.sort_by_key(|seen| std::cmp::Reverse(seen.session.id));
    live.retain(|seen| page.after.is_none_or(|after| seen.session.id < after));
    let (found, next) = list.cut(live, page.limit, |seen| seen.session.id);
    let items = found.into_iter().map(|seen| SessionTold {
        id: seen.session.id.to_string(),
        created_at: seen.session.created_at.rfc3339(),
        last_seen_at: seen.session.last_seen_at.rfc3339(),
        expires_at: seen.session.expires_at.rfc3339(),
        methods: seen.methods.iter().map(ToString::to_string).collect(),
        ip: seen.session.ip,
        user_agent: seen.session.user_agent,
    });
    Ok(ok(&Sessions { items: items.collect(), next }))
}

pub async fn end(manager: Manager) -> Result<HttpResponse, Refused> {
    let (user, session) = (manager.named("user")?, manager.named("session")?);
    let ended = sessions::end(manager.app(), user, session, manager.origin()).await?;
    if ended { Ok(done()) } else { Err(Fault::NotFound.into()) }
}

pub async fn end_all(manager: Manager) -> Result<HttpResponse, Refused> {
    let user = user(&manager).await?;
    users::end_sessions(manager.app(), user, manager.origin()).await?;
    Ok(done())
}
