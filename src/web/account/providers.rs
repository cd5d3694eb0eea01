//! `/account/providers`: who somebody is elsewhere, linking and unlinking (FE-9).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::identity::federation::link::{self, Linked, UnlinkError};
use crate::identity::federation::{self, Failed, Onward, Start, providers};
use crate::identity::session::SignedIn;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::login::federation::trouble;
use crate::web::login::visitor::{Visitor, person, retry_after};
use crate::web::page::{AccountIdentity, LinkingProblem, ProviderButton, ProvidersPage, Section};
use crate::web::respond::{self, Csp};

use super::{confirmation, owner};

const PAGE: &str = Section::Providers.path();

/// `GET /account/providers`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    match owner(&visitor, Section::Providers).await? {
        Ok(account) => page(&visitor, &account, StatusCode::OK, None).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// `POST /account/providers/link`: to the provider, which says who it is; then it is linked.
pub async fn link(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(PAGE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let start = Start {
        provider: params.get("provider").unwrap_or_default(),
        binding: visitor.binding(),
        device: visitor.browser.device.as_ref(),
        onward: Onward { request: None, page: Some(PAGE.to_owned()) },
        anew: true,
        link_to: Some(account.user.id),
        trial_by: None,
    };
    match federation::start(&visitor.app, start, &visitor.origin).await {
        Ok(url) => Ok(visitor.with_binding(respond::see_other(url.as_str()))),
        Err(failed) => not_linked(&visitor, &account, failed).await,
    }
}

/// `POST /account/providers/unlink`.
pub async fn unlink(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let account = match visitor.confirmed(PAGE).await? {
        Ok(account) => account,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let identity = params.get("identity").unwrap_or_default().parse().map_err(|_| PageFailure::NotFound)?;
    let (app, user, session) = (&visitor.app, account.user.id, account.session.id);
    match link::unlink(app, user, session, identity, visitor.notices(), &visitor.origin).await {
        Ok(()) => Ok(visitor.go(PAGE)),
        Err(UnlinkError::Store(error)) => Err(error.into()),
        Err(UnlinkError::NoSuchIdentity) => Err(PageFailure::NotFound),
        Err(UnlinkError::LastWay) => {
            page(&visitor, &account, StatusCode::CONFLICT, Some(LinkingProblem::LastWay)).await
        }
    }
}

/// The provider did not say who it is, or it was not to be linked: the page says so.
pub async fn not_linked(
    visitor: &Visitor,
    account: &SignedIn,
    failed: Failed,
) -> Result<HttpResponse, PageFailure> {
    let provider = failed.provider.clone().unwrap_or_default();
    let trouble = trouble(failed)?;
    let alert = LinkingProblem::Provider { provider: &provider, problem: trouble.problem };
    let page = page(visitor, account, trouble.status, Some(alert)).await?;
    Ok(retry_after(page, trouble.failure.as_ref()))
}

async fn page(
    visitor: &Visitor,
    account: &SignedIn,
    status: StatusCode,
    alert: Option<LinkingProblem<'_>>,
) -> Result<HttpResponse, PageFailure> {
    let active = providers::active(&visitor.app).await?;
    let linked = link::list(&visitor.app, account.user.id).await?;
    let confirm = confirmation(visitor, account, Section::Providers).await?;
    let frame = visitor.frame_of(account);
    let ui = frame.ui(Some(person(account).label()));
    let ids: Vec<String> = linked.iter().map(|one| one.id.to_string()).collect();
    let rows: Vec<AccountIdentity<'_>> = linked.iter().zip(&ids).map(|(one, id)| row(one, id)).collect();
    let labels: Vec<String> = active.iter().map(|upstream| upstream.settings.label()).collect();
    let offered: Vec<ProviderButton<'_>> = active
        .iter()
        .zip(&labels)
        .map(|(upstream, name)| ProviderButton { id: &upstream.settings.id, name })
        .collect();
    let page = ProvidersPage {
        ui: &ui,
        now: visitor.app.clock.now(),
        linked: &rows,
        offered: &offered,
        confirm: confirm.as_deref(),
        alert,
    };
    // A form of this page ends at the provider.
    Ok(visitor.show(&ui, status, &page, Csp::Outward))
}

fn row<'a>(one: &'a Linked, id: &'a str) -> AccountIdentity<'a> {
    AccountIdentity {
        id,
        provider: &one.provider,
        label: &one.label,
        active: one.active,
        since: one.since,
        used_at: one.last_used_at,
    }
}
