//! `/login/choose`: which of the accounts in this browser.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::grants::authorization;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{ChooserAccount, ChooserPage, ClientCard};
use crate::web::respond::Csp;

use super::Visitor;
use super::visitor::person;

/// `GET /login/choose`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let underway = visitor.underway(params.get("request").unwrap_or_default()).await?;
    let accounts = visitor.accounts().await?;
    if accounts.is_empty() {
        return Ok(visitor.resume(&underway));
    }
    let sessions: Vec<String> = accounts.iter().map(|account| account.session.id.to_string()).collect();
    let choices: Vec<ChooserAccount<'_>> = accounts
        .iter()
        .zip(&sessions)
        .map(|(account, session)| ChooserAccount { session, person: person(account) })
        .collect();
    let frame = visitor.frame(Some(&underway));
    let ui = frame.ui(None);
    let request = underway.row.id.to_string();
    let client = Some(ClientCard::of(&underway.client));
    let page = ChooserPage { ui: &ui, request: &request, client, accounts: &choices };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Flow))
}

/// `POST /login/choose`.
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let underway = visitor.underway(params.get("request").unwrap_or_default()).await?;
    if params.get("action") == Some("other") {
        return Ok(visitor.go(&format!("/login?request={}&other=1", underway.row.id)));
    }
    let accounts = visitor.accounts().await?;
    let chosen = params.get("session").unwrap_or_default();
    // One that has ended meanwhile, or is none of this browser's, changes nothing: the next step is asked anew.
    if let Some(account) = accounts.iter().find(|account| account.session.id.to_string() == chosen) {
        authorization::choose(&visitor.app, underway.row.id, account.session.id).await?;
    }
    Ok(visitor.resume(&underway))
}
