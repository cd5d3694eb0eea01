//! `/login/factor`: the second factor of a sign-in, or of somebody signed in who is asked for more (AZ-11).
//!
//! Who it is asked of is said by [`super::claim`].

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::crypto::Secret;
use crate::identity::factor::passkey::{self, PasskeyError};
use crate::identity::factor::second::{self, Asked, Claimant, FactorError, Shown};
use crate::identity::federation::link;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{ClientCard, FactorAsked, FactorPage, FactorProblem};

use super::Visitor;
use super::ceremony::{answer_of, challenge};
use super::claim::Claim;
use super::visitor::{Welcome, person_of, retry_after};

/// `GET /login/factor`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let claim = Claim::of(&visitor, &params).await?;
    match claim.asked(&visitor).await? {
        // There is none to show yet: it is to be got first.
        Some(asked) if !asked.enrolled.any() => Ok(visitor.go(&claim.at("/login/enrol"))),
        Some(asked) => Ok(page(&visitor, &claim, &asked, StatusCode::OK, None)),
        None => Ok(claim.start_over(&visitor)),
    }
}

/// `POST /login/factor`.
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let claim = Claim::of(&visitor, &params).await?;
    if let (Some("deny"), Some(underway)) = (params.get("action"), &claim.underway) {
        return visitor.deny(underway).await;
    }
    let Some(claimant) = &claim.claimant else { return Ok(claim.start_over(&visitor)) };
    if let Claimant::SignedIn(_) = claimant {
        // Whoever shows more is not shown the link that waits in this browser.
        link::forget(&visitor.app, visitor.browser.binding.as_ref()).await?;
    }
    let code = Secret::from_text(params.get("code").unwrap_or_default());
    let shown = match claim.asks {
        _ if params.get("credential").is_some() => {
            let answer = answer_of(&visitor, &params);
            match passkey::verify_factor(&visitor.app, claimant, &answer, &visitor.origin).await {
                Ok(verified) => Shown::Passkey(verified),
                Err(PasskeyError::Store(error)) => return Err(error.into()),
                Err(_) => {
                    return refuse(&visitor, &claim, StatusCode::UNAUTHORIZED, FactorProblem::Passkey).await;
                }
            }
        }
        FactorAsked::Code => Shown::Code(code),
        FactorAsked::RecoveryCode => Shown::RecoveryCode(code),
    };
    let (status, problem, failure) =
        match second::show(&visitor.app, claimant, shown, visitor.arrival(), &visitor.origin).await {
            Ok(passed) => {
                let (others, underway) = (&claim.accounts, claim.underway.as_ref());
                let welcome = Welcome { begun: &passed.begun, others, remember: passed.remember, underway };
                return Ok(visitor.welcome(welcome, claim.next()).await);
            }
            Err(FactorError::Store(error)) => return Err(error.into()),
            Err(FactorError::Gone) => return Ok(claim.start_over(&visitor)),
            Err(FactorError::Wrong) => (StatusCode::UNAUTHORIZED, FactorProblem::Wrong, None),
            Err(FactorError::Throttled(throttled)) => {
                let problem = FactorProblem::Throttled { wait: throttled.retry_after };
                (StatusCode::TOO_MANY_REQUESTS, problem, Some(PageFailure::from(throttled)))
            }
        };
    let page = refuse(&visitor, &claim, status, problem).await?;
    Ok(retry_after(page, failure.as_ref()))
}

/// `POST /login/factor/passkey/options`.
pub async fn passkey_options(
    visitor: Visitor,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let claim = Claim::of(&visitor, &params).await?;
    let claimant = claim.claimant.as_ref().ok_or(PageFailure::NotFound)?;
    challenge(passkey::begin_factor(&visitor.app, claimant, visitor.binding(), &visitor.origin).await)
}

/// The page again, with what was wrong.
async fn refuse(
    visitor: &Visitor,
    claim: &Claim,
    status: StatusCode,
    problem: FactorProblem,
) -> Result<HttpResponse, PageFailure> {
    Ok(match claim.asked(visitor).await? {
        Some(asked) => page(visitor, claim, &asked, status, Some(problem)),
        None => claim.start_over(visitor),
    })
}

fn page(
    visitor: &Visitor,
    claim: &Claim,
    asked: &Asked,
    status: StatusCode,
    problem: Option<FactorProblem>,
) -> HttpResponse {
    let frame = visitor.frame(claim.underway.as_ref());
    let ui = frame.ui(None);
    let context = claim.context();
    // Before a change that matters, an application's digits do not stand in for a passkey (SE-7).
    let is_before_a_change =
        claim.underway.is_none() && matches!(claim.claimant, Some(Claimant::SignedIn(_)));
    let takes_digits = asked.enrolled.totp && !(is_before_a_change && asked.enrolled.passkeys > 0);
    // Whoever has no digits to type is asked for a recovery code at once.
    let asks = if takes_digits { claim.asks } else { FactorAsked::RecoveryCode };
    let page = FactorPage {
        ui: &ui,
        context: &context,
        may_deny: claim.underway.is_some(),
        client: claim.underway.as_ref().map(|underway| ClientCard::of(&underway.client)),
        account: person_of(asked).label(),
        asks,
        has_totp: takes_digits,
        has_passkey: asked.enrolled.passkeys > 0,
        has_recovery: asked.enrolled.recovery_codes > 0,
        problem,
    };
    visitor.show(&ui, status, &page, claim.csp())
}
