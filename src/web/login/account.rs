//! `/account`: who I am here, where I am signed in, what I allowed (SE-6).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::identity::account::{self, Overview};
use crate::identity::session::SignedIn;
use crate::model::{SessionId, user_agent};
use crate::store::sessions::Session;
use crate::web::cookies::{self, Name};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{AccountApplication, AccountEmail, AccountPage, AccountSession};
use crate::web::respond::Csp;

use super::Visitor;
use super::visitor::person;

/// `GET /account`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let Some(current) = current(&visitor).await? else { return Ok(visitor.go("/login")) };
    let overview = account::overview(&visitor.app, current.user.id).await?;
    let frame = visitor.frame(None);
    let person = person(&current);
    let ui = frame.ui(Some(person.label()));
    let texts = session_texts(&overview);
    let page = AccountPage {
        ui: &ui,
        now: visitor.app.clock.now(),
        person,
        emails: &emails(&overview),
        sessions: &sessions(&overview, &texts, current.session.id),
        applications: &applications(&overview),
    };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
}

/// `POST /account/sessions/end`: one browser is signed out; maybe this one.
pub async fn end_session(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let accounts = visitor.accounts().await?;
    let Some(current) = accounts.first() else { return Ok(visitor.go("/login")) };
    let session = params.get("session").unwrap_or_default().parse().map_err(|_| PageFailure::NotFound)?;
    account::end_session(&visitor.app, current.user.id, session, &visitor.origin).await?;
    if session != current.session.id {
        return Ok(visitor.go("/account"));
    }
    let mut response = visitor.go("/");
    if accounts.len() == 1 {
        cookies::add(&mut response, &cookies::removal(&visitor.app.config.issuer, Name::Sessions));
    }
    Ok(response)
}

/// `POST /account/sessions/end-all`: every other browser is signed out.
pub async fn end_elsewhere(visitor: Visitor, _: PageForm) -> Result<HttpResponse, PageFailure> {
    let Some(current) = current(&visitor).await? else { return Ok(visitor.go("/login")) };
    account::end_elsewhere(&visitor.app, current.user.id, current.session.id, &visitor.origin).await?;
    Ok(visitor.go("/account"))
}

/// `POST /account/applications/remove`: an application loses what it was allowed.
pub async fn remove_application(
    visitor: Visitor,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let Some(current) = current(&visitor).await? else { return Ok(visitor.go("/login")) };
    let client_id = params.get("client_id").unwrap_or_default().to_owned();
    account::withdraw(&visitor.app, current.user.id, client_id, &visitor.origin).await?;
    Ok(visitor.go("/account"))
}

/// A session's id and browser as texts, in the order of the sessions.
fn session_texts(overview: &Overview) -> Vec<(String, String)> {
    let browser = |agent: &Option<String>| user_agent::readable(agent.as_deref().unwrap_or_default());
    overview.sessions.iter().map(|session| (session.id.to_string(), browser(&session.user_agent))).collect()
}

fn sessions<'a>(
    overview: &'a Overview,
    texts: &'a [(String, String)],
    current: SessionId,
) -> Vec<AccountSession<'a>> {
    let row = |(session, (id, browser)): (&'a Session, &'a (String, String))| AccountSession {
        id,
        current: session.id == current,
        browser,
        place: session.ip.as_deref().unwrap_or_default(),
        seen_at: session.last_seen_at,
    };
    let mut rows: Vec<AccountSession<'_>> = overview.sessions.iter().zip(texts).map(row).collect();
    rows.sort_by_key(|row| !row.current);
    rows
}

fn emails(overview: &Overview) -> Vec<AccountEmail<'_>> {
    overview
        .emails
        .iter()
        .map(|email| AccountEmail { address: &email.address, verified: email.verified_at.is_some() })
        .collect()
}

fn applications(overview: &Overview) -> Vec<AccountApplication<'_>> {
    overview
        .applications
        .iter()
        .map(|application| AccountApplication {
            client_id: &application.client_id,
            name: &application.name,
            since: application.since,
        })
        .collect()
}

async fn current(visitor: &Visitor) -> Result<Option<SignedIn>, PageFailure> {
    Ok(visitor.accounts().await?.into_iter().next())
}
