//! Roles of any organisation, by the management API.

use actix_web::HttpResponse;

use super::manager::Manager;
use super::organizations::of;
use crate::tenancy::roles;
use crate::web::api::ask::Sent;
use crate::web::api::roles::{NewRole, RoleDescribed, RoleMade, described, listed};
use crate::web::api::session::done;
use crate::web::fault::Refused;

pub async fn list(manager: Manager) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    listed(manager.app(), &manager.list_of("roles of any", of), manager.request(), of).await
}

pub async fn create(
    Sent { by: manager, asked, once }: Sent<Manager, NewRole>,
) -> Result<HttpResponse, Refused> {
    let of = of(&manager).await?.id;
    let (app, actor) = (manager.call.app.clone(), manager.actor());
    let make = async move |origin| {
        let (key, description) = asked.parts();
        let id = roles::define(&app, actor, of, &key, description, &origin).await?;
        Ok(RoleMade { id: id.to_string(), key })
    };
    once.make(&manager.call, &manager.identity(), make).await
}

pub async fn change(
    Sent { by: manager, asked, .. }: Sent<Manager, RoleDescribed>,
) -> Result<HttpResponse, Refused> {
    let (of, key) = (of(&manager).await?.id, manager.named::<String>("role")?);
    let (app, actor) = (manager.app(), manager.actor());
    roles::change(app, actor, of, &key, described(asked), manager.origin()).await?;
    Ok(done())
}

pub async fn remove(manager: Manager) -> Result<HttpResponse, Refused> {
    let (of, key) = (of(&manager).await?.id, manager.named::<String>("role")?);
    roles::remove(manager.app(), manager.actor(), of, &key, manager.origin()).await?;
    Ok(done())
}
