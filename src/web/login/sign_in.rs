//! `/login`: name and password, for an authorization request or for our own pages.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::crypto::Secret;
use crate::identity::federation::{link, providers};
use crate::identity::sign_in::{Attempt, SignInError, with_password};
use crate::protocol::Params;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{LoginProblem, ProviderProblem};

use super::Visitor;
use super::situation::{Form, Situation};
use super::visitor::retry_after;

/// `GET /login`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let mut situation = Situation::of(&visitor, &params).await?;
    // Whoever is to be linked signs in again: a session that is open does not prove who sits there now (FE-7).
    if params.get("link").is_some() {
        situation.waiting = link::waiting(&visitor.app, visitor.browser.binding.as_ref()).await?;
    }
    let wants_other = params.get("other").is_some() || situation.waiting.is_some();
    if let (Some(underway), false, false) = (&situation.underway, situation.is_due, wants_other) {
        // Signed in meanwhile, in another tab.
        return Ok(visitor.resume(underway));
    }
    situation.is_due &= !wants_other;
    let username = match &situation.waiting {
        Some(waiting) => waiting.account.clone(),
        None => situation.hint.clone().filter(|_| !wants_other).unwrap_or_default(),
    };
    let undated = undated(&visitor, &params).await?;
    let problem = undated
        .as_deref()
        .map(|provider| LoginProblem::Provider { provider, problem: ProviderProblem::Undated });
    let form = Form { username: &username, remember: false, problem };
    Ok(situation.page(&visitor, StatusCode::OK, &form))
}

/// The provider that somebody has just come back from who is asked for more.
async fn undated(visitor: &Visitor, params: &Params) -> Result<Option<String>, PageFailure> {
    let Some(id) = params.get("undated") else { return Ok(None) };
    let provider = providers::find_active(&visitor.app, id).await?;
    Ok(provider.map(|upstream| upstream.settings.label()))
}

/// `POST /login`.
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let mut situation = Situation::of(&visitor, &params).await?;
    if let (Some("deny"), Some(underway)) = (params.get("action"), &situation.underway) {
        return visitor.deny(underway).await;
    }
    situation.settle_link(&visitor, &params).await?;
    let (username, remember) = (params.get("username").unwrap_or_default(), params.get("remember").is_some());
    if let Some(provider) = visitor.provider_of(username).await? {
        return Ok(visitor.go(&situation.way_to(&provider)));
    }
    let attempt = Attempt {
        login: username.to_owned(),
        password: Secret::from_text(params.get("password").unwrap_or_default()),
        remember,
        arrival: visitor.arrival(),
    };
    let (status, problem, failure) = match with_password(&visitor.app, attempt, &visitor.origin).await {
        Ok(begun) => return Ok(situation.welcome(&visitor, &begun, remember).await),
        Err(SignInError::Store(error)) => return Err(error.into()),
        Err(SignInError::BadCredentials) => (StatusCode::UNAUTHORIZED, LoginProblem::Credentials, None),
        Err(SignInError::Throttled(throttled)) => {
            let problem = LoginProblem::Throttled { wait: throttled.retry_after };
            (StatusCode::TOO_MANY_REQUESTS, problem, Some(PageFailure::from(throttled)))
        }
        Err(SignInError::Busy(busy)) => {
            (StatusCode::SERVICE_UNAVAILABLE, LoginProblem::Busy, Some(PageFailure::from(busy)))
        }
    };
    let page = situation.page(&visitor, status, &Form { username, remember, problem: Some(problem) });
    Ok(retry_after(page, failure.as_ref()))
}
