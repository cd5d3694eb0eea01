//! `/account/sessions`: where somebody is signed in (SE-5, SE-6).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::identity::account::sessions::{self, Seen};
use crate::model::{SessionId, user_agent};
use crate::web::cookies::{self, Name};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::visitor::{Visitor, person};
use crate::web::page::{AccountSession, Section, SessionsPage};
use crate::web::respond::Csp;

use super::owner;

const PAGE: &str = Section::Sessions.path();

/// `GET /account/sessions`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Sessions).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let seen = sessions::list(&visitor.app, account.user.id).await?;
    let frame = visitor.frame_of(&account);
    let ui = frame.ui(Some(person(&account).label()));
    let texts: Vec<(String, String)> = seen.iter().map(texts).collect();
    let page = SessionsPage {
        ui: &ui,
        now: visitor.app.clock.now(),
        sessions: &rows(&seen, &texts, account.session.id),
        done: visitor.query()?.get("done").is_some(),
    };
    Ok(visitor.show(&ui, StatusCode::OK, &page, Csp::Own))
}

/// `POST /account/sessions/end`: one browser is signed out; maybe this one.
pub async fn end(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let accounts = visitor.accounts().await?;
    let Some(current) = accounts.first() else { return Ok(visitor.go("/login")) };
    let session = params.get("session").unwrap_or_default().parse().map_err(|_| PageFailure::NotFound)?;
    if !sessions::end(&visitor.app, current.user.id, session, &visitor.origin).await? {
        return Err(PageFailure::NotFound);
    }
    if session != current.session.id {
        return Ok(visitor.go(PAGE));
    }
    let mut response = visitor.go("/");
    if accounts.len() == 1 {
        cookies::add(&mut response, &cookies::removal(&visitor.app.config.issuer, Name::Sessions));
    }
    Ok(response)
}

/// `POST /account/sessions/end-all`: every other browser is signed out, and every application.
pub async fn end_elsewhere(visitor: Visitor, _: PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match owner(&visitor, Section::Sessions).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    sessions::end_elsewhere(&visitor.app, &account, visitor.notices(), &visitor.origin).await?;
    Ok(visitor.go("/account/sessions?done=1"))
}

/// A session's id and browser.
fn texts(seen: &Seen) -> (String, String) {
    let agent = seen.session.user_agent.as_deref().unwrap_or_default();
    (seen.session.id.to_string(), user_agent::readable(agent))
}

fn rows<'a>(seen: &'a [Seen], texts: &'a [(String, String)], current: SessionId) -> Vec<AccountSession<'a>> {
    let row = |(seen, (id, browser)): (&'a Seen, &'a (String, String))| AccountSession {
        id,
        current: seen.session.id == current,
        browser,
        place: seen.session.ip.as_deref().unwrap_or_default(),
        since: seen.session.created_at,
        seen_at: seen.session.last_seen_at,
        methods: &seen.methods,
    };
    let mut rows: Vec<AccountSession<'_>> = seen.iter().zip(texts).map(row).collect();
    rows.sort_by_key(|row| !row.current);
    rows
}
