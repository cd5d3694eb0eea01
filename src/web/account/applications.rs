//! `/account/applications`: what applications were allowed, and taking it back (SE-6).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::grants::given::{self, Given};
use crate::model::Resource;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::visitor::{Visitor, person};
use crate::web::page::{AccountApplication, ApplicationsPage, Permission, Section};
use crate::web::respond::Csp;

use super::owner;

/// `GET /account/applications`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Applications).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let given = given::list(&visitor.app, account.user.id).await?;
    let resources = visitor.app.resources().await?;
    let frame = visitor.frame_of(&account);
    let ui = frame.ui(Some(person(&account).label()));
    let applications: Vec<AccountApplication<'_>> = given.iter().map(|one| row(one, &resources)).collect();
    let page = ApplicationsPage { ui: &ui, now: visitor.app.clock.now(), applications: &applications };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
}

/// `POST /account/applications/remove`: an application loses what it was allowed, and all that it has.
pub async fn remove(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Applications).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let client_id = params.get("client_id").unwrap_or_default().to_owned();
    if !given::withdraw(&visitor.app, account.user.id, client_id, &visitor.origin).await? {
        return Err(PageFailure::NotFound);
    }
    Ok(visitor.go(Section::Applications.path()))
}

fn row<'a>(given: &'a Given, resources: &'a [Resource]) -> AccountApplication<'a> {
    let scopes = given.scopes.iter().map(|scope| Permission::of_scope(scope, &[], resources));
    let claims = given.claims.iter().map(|claim| Permission::Claim(claim));
    let organisations = given.organisations.iter().map(|name| Permission::Organisation(name));
    AccountApplication {
        client_id: &given.client_id,
        name: &given.name,
        permissions: scopes.chain(claims).chain(organisations).collect(),
        since: given.since,
        used_at: given.last_used,
        offline: given.offline,
    }
}
