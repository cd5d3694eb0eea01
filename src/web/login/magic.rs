//! `/login/magic`, `/login/code`: signing in by mail. Looking at a link spends nothing (PW-7).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;

use crate::crypto::Secret;
use crate::grants::authorization::Underway;
use crate::identity::federation;
use crate::identity::link::{AskError, LinkError};
use crate::identity::magic::{self, Asked, CodeError, Entered, Onward};
use crate::protocol::Params;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{CodeProblem, LinkKind, LoginProblem, MagicConfirmPage, MagicSentPage};
use crate::web::respond::Csp;

use super::joining::link_expired;
use super::next::Next;
use super::situation::{Form, Situation};
use super::visitor::{Visitor, Welcome, no_referrer, retry_after};

/// `GET` of either: whoever asks the browser for the address of the page they are on begins anew.
pub async fn back(visitor: Visitor) -> HttpResponse {
    visitor.go("/login")
}

/// `POST /login/magic`: the same answer whoever has the address (PW-6).
pub async fn ask(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let mut situation = Situation::of(&visitor, &params).await?;
    situation.settle_link(&visitor, &params).await?;
    let email = params.get("email").unwrap_or_default();
    if let Some(provider) = visitor.provider_of(email).await? {
        return Ok(visitor.go(&situation.way_to(&provider)));
    }
    let asked = Asked {
        email: email.to_owned(),
        language: visitor.frame(situation.underway.as_ref()).ui(None).language,
        browser: Some(visitor.binding().clone()),
        page: None,
        device: visitor.browser.device.clone(),
        onward: Onward {
            request: situation.underway.as_ref().map(|underway| underway.row.id),
            page: situation.next.as_ref().map(Next::to_string),
        },
        lasts: visitor.app.config.lifetimes.magic,
    };
    let (status, problem, failure) = match magic::ask(&visitor.app, asked, &visitor.origin).await {
        Ok(()) => return Ok(sent(&visitor, situation.underway.as_ref(), &params, StatusCode::OK, None)),
        Err(AskError::Store(error)) => return Err(error.into()),
        Err(AskError::BadEmail) => (StatusCode::UNPROCESSABLE_ENTITY, LoginProblem::NoEmail, None),
        Err(AskError::Throttled(throttled)) => {
            let problem = LoginProblem::Throttled { wait: throttled.retry_after };
            (StatusCode::TOO_MANY_REQUESTS, problem, Some(PageFailure::from(throttled)))
        }
    };
    let form = Form { username: email, remember: false, problem: Some(problem) };
    Ok(retry_after(situation.page(&visitor, status, &form), failure.as_ref()))
}

/// `POST /login/code`: the digits, in the browser that asked for them.
pub async fn submit_code(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let underway = visitor.underway_if_any(params.get("request")).await?;
    let typed = params.get("code").unwrap_or_default();
    let (arrival, remember) = (visitor.arrival(), params.get("remember").is_some());
    let redeemed =
        magic::redeem_code(&visitor.app, typed, visitor.binding(), arrival, remember, &visitor.origin).await;
    let (status, problem, failure) = match redeemed {
        Ok(entered) => return welcome(&visitor, &entered, remember).await,
        Err(CodeError::Store(error)) => return Err(error.into()),
        Err(CodeError::Wrong) => (StatusCode::UNAUTHORIZED, CodeProblem::Wrong, None),
        Err(CodeError::Void) => (StatusCode::UNAUTHORIZED, CodeProblem::Void, None),
        Err(CodeError::Throttled(throttled)) => {
            let problem = CodeProblem::Throttled { wait: throttled.retry_after };
            (StatusCode::TOO_MANY_REQUESTS, problem, Some(PageFailure::from(throttled)))
        }
    };
    let page = sent(&visitor, underway.as_ref(), &params, status, Some(problem));
    Ok(retry_after(page, failure.as_ref()))
}

/// `GET /login/magic/{token}`.
pub async fn show(visitor: Visitor, token: Path<String>) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    let browser = visitor.browser.binding.as_ref();
    let opened = match magic::open(&visitor.app, &token, browser, &visitor.origin).await {
        Ok(opened) => opened,
        Err(error) => return no_link(&visitor, error),
    };
    let frame = visitor.frame(None);
    let ui = frame.ui(None);
    let page = MagicConfirmPage {
        ui: &ui,
        token: token.expose(),
        email: &opened.email,
        client: opened.client.as_deref(),
        is_here: opened.is_here,
    };
    // The way back to the application may follow this form.
    Ok(no_referrer(visitor.show(&ui, StatusCode::OK, &page, Csp::Flow)))
}

/// `POST /login/magic/{token}`.
pub async fn redeem(
    visitor: Visitor,
    token: Path<String>,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let token = Secret::from_text(token.into_inner());
    let (browser, remember) = (visitor.browser.binding.as_ref(), params.get("remember").is_some());
    federation::link::forget(&visitor.app, browser).await?;
    match magic::redeem(&visitor.app, &token, browser, visitor.arrival(), remember, &visitor.origin).await {
        Ok(entered) => welcome(&visitor, &entered, remember).await,
        Err(error) => no_link(&visitor, error),
    }
}

/// Signed in: on with what this browser was about, or to the start page.
async fn welcome(visitor: &Visitor, entered: &Entered, remember: bool) -> Result<HttpResponse, PageFailure> {
    let others = visitor.accounts().await?;
    let id = entered.onward.request.map(|id| id.to_string());
    let underway = visitor.underway_if_any(id.as_deref()).await?;
    let next = entered.onward.page.as_deref().and_then(Next::parse);
    let welcome = Welcome { begun: &entered.begun, others: &others, remember, underway: underway.as_ref() };
    Ok(visitor.welcome(welcome, next.as_ref().map_or("/", Next::as_str)).await)
}

fn sent(
    visitor: &Visitor,
    underway: Option<&Underway>,
    params: &Params,
    status: StatusCode,
    problem: Option<CodeProblem>,
) -> HttpResponse {
    let frame = visitor.frame(underway);
    let ui = frame.ui(None);
    let request = underway.map(|underway| underway.row.id.to_string());
    let page = MagicSentPage {
        ui: &ui,
        request: request.as_deref(),
        email: params.get("email").unwrap_or_default().trim(),
        lasts: visitor.app.config.lifetimes.magic,
        remember: params.get("remember").is_some(),
        problem,
        for_developers: visitor.app.config.has_dev_pages(),
    };
    visitor.show(&ui, status, &page, if underway.is_some() { Csp::Flow } else { Csp::Own })
}

fn no_link(visitor: &Visitor, error: LinkError) -> Result<HttpResponse, PageFailure> {
    match error {
        LinkError::Expired => Ok(link_expired(visitor, LinkKind::Magic)),
        LinkError::Throttled(throttled) => Err(throttled.into()),
        LinkError::Store(error) => Err(error.into()),
    }
}
