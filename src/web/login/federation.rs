//! `/login/federation/{id}`: to an identity provider and back.
//!
//! A sign-in that fails shows the sign-in page, which says so and offers the other ways (FE-11).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;

use crate::identity::federation::{self, Come, Failed, FederationError, Onward, Returned, Start, trial};
use crate::identity::reauthentication::{self, Due};
use crate::identity::session::Begun;
use crate::model::RequestId;
use crate::protocol::Params;
use crate::protocol::authorize::{AuthorizationRequest, Prompt};
use crate::web::account::providers;
use crate::web::extract::OAuthForm;
use crate::web::failure::{ApiFailure, PageFailure};
use crate::web::page::{LoginProblem, ProviderProblem, Section};
use crate::web::respond;

use super::Visitor;
use super::next::Next;
use super::situation::{Form, Situation};
use super::visitor::{Welcome, retry_after};

/// `GET /login/federation/{id}`: nothing but a sign-in under way is stored, so applications may link to it.
pub async fn start(visitor: Visitor, provider: Path<String>) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let next = params.get("next").and_then(Next::parse);
    let underway = match params.get("request") {
        Some(request) => Some(visitor.underway(request).await?),
        None => None,
    };
    // Where the application or a page of ours asks who is there again, so does the provider.
    let asks_again =
        |request: &AuthorizationRequest| request.prompts(Prompt::Login) || request.max_age.is_some();
    let start = Start {
        provider: &provider,
        binding: visitor.binding(),
        device: visitor.browser.device.as_ref(),
        anew: next.is_some() || underway.as_ref().is_some_and(|underway| asks_again(&underway.request)),
        onward: Onward {
            request: underway.map(|underway| underway.row.id),
            page: next.map(|next| next.to_string()),
        },
        link_to: None,
        trial_by: None,
    };
    match federation::start(&visitor.app, start, &visitor.origin).await {
        Ok(url) => Ok(visitor.with_binding(respond::see_other(url.as_str()))),
        Err(failed) => sorry(&visitor, failed).await,
    }
}

/// `GET /login/federation/{id}/callback`.
pub async fn callback(visitor: Visitor, provider: Path<String>) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let text = |name: &str| params.get(name).map(str::to_owned);
    let returned =
        Returned { state: text("state"), code: text("code"), iss: text("iss"), error: text("error") };
    let (app, browser) = (&visitor.app, &visitor.browser);
    if trial::is_one(app, &provider, &returned, browser.binding.as_ref()).await? {
        // The console finishes it, for whoever may enter there, and signs nobody in.
        return Ok(visitor.go(&format!("/admin/providers/{provider}/trial?{}", answer(&params))));
    }
    // Before the sign-in, which gives a session that is open already another secret.
    let here = visitor.accounts().await?;
    let finished = federation::finish(
        app,
        &provider,
        returned,
        browser.binding.as_ref(),
        visitor.arrival(),
        &visitor.origin,
    )
    .await;
    let finished = match finished {
        Ok(finished) => finished,
        Err(failed) => return sorry(&visitor, failed).await,
    };
    match finished.outcome {
        Come::SignedIn { begun, .. } => {
            federation::link::forget(app, browser.binding.as_ref()).await?;
            let Onward { request, page } = finished.onward;
            let request = request.map(|request| request.to_string());
            let next = page.as_deref().and_then(Next::parse);
            let underway = visitor.underway_if_any(request.as_deref()).await?;
            let welcome =
                Welcome { begun: &begun, others: &here, remember: false, underway: underway.as_ref() };
            let onward = next.as_ref().map_or("/", Next::as_str);
            if here.iter().any(|one| one.user.id == begun.user) && proof_is_due(&visitor, &begun).await? {
                // Without a word, whoever is to confirm who they are would stand before the same page again.
                let asked_by = match &underway {
                    Some(underway) => format!("request={}", underway.row.id),
                    None => format!("next={onward}"),
                };
                let explained = format!("/login?{asked_by}&undated={provider}");
                return Ok(visitor.welcome(Welcome { underway: None, ..welcome }, &explained).await);
            }
            Ok(visitor.welcome(welcome, onward).await)
        }
        Come::MustLink => Ok(visitor.go(&link_page(finished.onward.request))),
        Come::Linked => {
            let next = finished.onward.page.as_deref().and_then(Next::parse);
            Ok(visitor.go(next.as_ref().map_or("/account", Next::as_str)))
        }
    }
}

/// Whether the provider's word was not enough to change what matters: it did not say when it asked.
async fn proof_is_due(visitor: &Visitor, begun: &Begun) -> Result<bool, PageFailure> {
    let (app, now) = (&visitor.app, visitor.app.clock.now());
    let (user, session) = (begun.user, begun.id);
    let due = app.db.read(move |db| reauthentication::due_in(db, user, session, now)).await?;
    Ok(due == Some(Due::SignIn))
}

/// `POST /login/federation/{id}/callback`: from providers that answer by a form (OAuth 2.0 Form Post Response Mode).
/// Such a request comes from another site and has no cookies; the one it leads to has.
pub async fn callback_by_form(
    visitor: Visitor,
    OAuthForm(params): OAuthForm,
) -> Result<HttpResponse, ApiFailure> {
    Ok(respond::see_other(&format!("{}?{}", visitor.request.path(), answer(&params))))
}

/// What an answer may consist of.
fn answer(params: &Params) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["state", "code", "iss", "error"] {
        if let Some(value) = params.get(name) {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

/// Where somebody signs in to the account that is to be linked.
fn link_page(request: Option<RequestId>) -> String {
    match request {
        Some(request) => format!("/login?request={request}&link=1"),
        None => "/login?link=1".to_owned(),
    }
}

/// What a page says of a sign-in through a provider that did not go well.
pub struct Trouble {
    pub status: StatusCode,
    pub problem: ProviderProblem,
    /// When to try again, if that is all there is to do.
    pub failure: Option<PageFailure>,
}

/// What there is to say, if anything can be said on a page of its own place.
pub fn trouble(failed: Failed) -> Result<Trouble, PageFailure> {
    let (status, problem, failure) = match failed.error {
        FederationError::Store(error) => return Err(error.into()),
        FederationError::NoSuchProvider if failed.provider.is_none() => return Err(PageFailure::NotFound),
        FederationError::NoSuchProvider => (StatusCode::FORBIDDEN, ProviderProblem::Disabled, None),
        FederationError::Stale => (StatusCode::BAD_REQUEST, ProviderProblem::Stale, None),
        FederationError::Denied(_) => (StatusCode::FORBIDDEN, ProviderProblem::Denied, None),
        FederationError::Unavailable(_) => (StatusCode::BAD_GATEWAY, ProviderProblem::Unavailable, None),
        FederationError::Refused(_) | FederationError::ClientRefused(_) => {
            (StatusCode::FORBIDDEN, ProviderProblem::Refused, None)
        }
        FederationError::NoAccount => (StatusCode::FORBIDDEN, ProviderProblem::NoAccount, None),
        FederationError::NotInvited => (StatusCode::FORBIDDEN, ProviderProblem::NotInvited, None),
        FederationError::LinkedElsewhere | FederationError::AccountExists => {
            (StatusCode::CONFLICT, ProviderProblem::LinkedElsewhere, None)
        }
        FederationError::Throttled(throttled) => {
            let failure = PageFailure::from(throttled);
            let problem = ProviderProblem::Throttled { wait: throttled.retry_after };
            (StatusCode::TOO_MANY_REQUESTS, problem, Some(failure))
        }
    };
    Ok(Trouble { status, problem, failure })
}

async fn sorry(visitor: &Visitor, failed: Failed) -> Result<HttpResponse, PageFailure> {
    let next = failed.onward.page.as_deref().and_then(Next::parse);
    // Whoever wanted to link an identity is signed in, and goes on where it was wanted.
    if next.as_ref().is_some_and(|next| next.as_str() == Section::Providers.path())
        && let Some(account) = visitor.accounts().await?.into_iter().next()
    {
        return providers::not_linked(visitor, &account, failed).await;
    }
    let provider = failed.provider.clone().unwrap_or_default();
    let request = failed.onward.request.map(|request| request.to_string());
    let Trouble { status, problem, failure } = trouble(failed)?;
    let situation = Situation::towards(visitor, request.as_deref(), next).await?;
    let problem = LoginProblem::Provider { provider: &provider, problem };
    let page =
        situation.page(visitor, status, &Form { username: "", remember: false, problem: Some(problem) });
    Ok(retry_after(page, failure.as_ref()))
}
