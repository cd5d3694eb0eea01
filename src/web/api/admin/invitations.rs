//! Invitations into any organisation, by the management API.

use actix_web::HttpResponse;
use actix_web::web::Query;
use serde::Deserialize;

use super::manager::Manager;
use super::organizations::of;
use crate::model::InvitationId;
use crate::store::users::Sought;
use crate::tenancy::invitations;
use crate::web::api::ask::Sent;
use crate::web::api::invitations::{Invitations, Invited, NewInvitation, WEEK, guest, told};
use crate::web::api::organizations::ok;
use crate::web::api::page::query_without_page;
use crate::web::api::session::done;
use crate::web::api::typed::{Integer, asked};
use crate::web::fault::Refused;

asked! {
    /// `POST …/invitations/{invitation}/again`.
    AgainAsked {
        /// Seconds that the new link is good for; 7 days if left out.
        expires_in: Option<Integer> where { "minimum": 1, "maximum": 2592000 },
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    q: Option<String>,
}

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let list = manager.list_of("invitations of any", of);
    let page = list.page_beside::<InvitationId>(manager.request(), &["q"])?;
    let Query(looked) = query_without_page::<Looked>(manager.request())?;
    let words = Sought::words_of(looked.q.as_deref().unwrap_or_default());
    let (before, limit) = (page.after, page.limit);
    let read = manager.app().db.read(move |db| invitations::search(db, of, &words, before, limit + 1));
    let (found, next) = list.cut(read.await?, limit, |described| described.invitation.id);
    Ok(ok(&Invitations { items: found.into_iter().map(told).collect(), next }))
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewInvitation>,
) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let guest = guest(asked, manager.call.language)?;
    let (app, actor) = (manager.call.app.clone(), manager.actor());
    let make =
        async move |origin| Ok(Invited::from(invitations::send(&app, actor, of, guest, &origin).await?));
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn again(
    Sent { by: manager, asked, once }: Sent<Manager, AgainAsked>,
) -> Result<HttpResponse, Refused> {
    let (of, id) = (of(&manager).await?.id, manager.named::<InvitationId>("invitation")?);
    let anew = (manager.call.language, asked.expires_in.map_or(WEEK, Integer::seconds));
    let (app, actor) = (manager.call.app.clone(), manager.actor());
    let make = async move |origin| {
        Ok(Invited::from(invitations::send_again(&app, actor, of, id, anew, &origin).await?))
    };
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn revoke(manager: Manager) -> Result<HttpResponse, Refused> {
    let (of, id) = (of(&manager).await?.id, manager.named::<InvitationId>("invitation")?);
    invitations::revoke(manager.app(), manager.actor(), of, id, manager.origin()).await?;
    Ok(done())
}
