//! `/login/enrol`: getting a second factor, because it must be or because somebody wants one.
//!
//! Who it is for is said by [`super::claim`]: a sign-in that waits, or a session by its name. Whether they may is
//! decided where the factor is added.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::crypto::Secret;
use crate::identity::factor::enrol::{self, Secured};
use crate::identity::factor::passkey::{self, PasskeyError};
use crate::identity::factor::second::{Asked, Claimant, FactorError};
use crate::identity::factor::totp;
use crate::identity::reauthentication;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{EnrolPage, FactorProblem, QrPicture, TotpPage};

use super::Visitor;
use super::ceremony::{answer_of, challenge};
use super::claim::Claim;
use super::visitor::{Welcome, person_of, proof_page, retry_after};

/// `GET /login/enrol`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let claim = Claim::of(&visitor, &visitor.query()?).await?;
    choice(&visitor, &claim, StatusCode::OK, false).await
}

async fn choice(
    visitor: &Visitor,
    claim: &Claim,
    status: StatusCode,
    passkey_refused: bool,
) -> Result<HttpResponse, PageFailure> {
    let Some(asked) = may_enrol(visitor, claim).await? else { return back(visitor, claim).await };
    let frame = visitor.frame(claim.underway.as_ref());
    let ui = frame.ui(None);
    let page = EnrolPage {
        ui: &ui,
        account: person_of(&asked).label(),
        context: &claim.context(),
        is_required: claim.underway.is_some() || !matches!(claim.claimant, Some(Claimant::SignedIn(_))),
        can_passkey: passkey::is_available(&visitor.app.config),
        can_totp: !asked.enrolled.totp,
        passkey_refused,
    };
    Ok(visitor.show(&ui, status, &page, claim.csp()))
}

/// No factor is to be added from here. A sign-in that waits shows the one that its account has; who is signed in, and was
/// not asked for long, proves first who they are (SE-7).
async fn back(visitor: &Visitor, claim: &Claim) -> Result<HttpResponse, PageFailure> {
    Ok(match &claim.claimant {
        Some(Claimant::Pending(_)) => visitor.go(&claim.at("/login/factor")),
        Some(Claimant::SignedIn(account)) if claim.underway.is_none() => {
            match reauthentication::due(&visitor.app, account).await? {
                Some(due) => visitor.go(&proof_page(due, account, claim.next())),
                None => claim.start_over(visitor),
            }
        }
        _ => claim.start_over(visitor),
    })
}

/// Who may add a factor here now.
async fn may_enrol(visitor: &Visitor, claim: &Claim) -> Result<Option<Asked>, PageFailure> {
    match &claim.claimant {
        Some(claimant) => Ok(enrol::asked(&visitor.app, claimant).await?),
        None => Ok(None),
    }
}

/// `POST /login/enrol/totp/start`: a secret is made.
pub async fn start_totp(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let claim = Claim::of(&visitor, &params).await?;
    let Some(claimant) = &claim.claimant else { return back(&visitor, &claim).await };
    if !totp::propose(&visitor.app, claimant).await? {
        return back(&visitor, &claim).await;
    }
    Ok(visitor.go(&claim.at("/login/enrol/totp")))
}

/// `GET /login/enrol/totp`: the secret is shown, until it is confirmed.
pub async fn show_totp(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let claim = Claim::of(&visitor, &visitor.query()?).await?;
    proposed(&visitor, &claim, StatusCode::OK, None).await
}

async fn proposed(
    visitor: &Visitor,
    claim: &Claim,
    status: StatusCode,
    problem: Option<FactorProblem>,
) -> Result<HttpResponse, PageFailure> {
    let proposed = match &claim.claimant {
        Some(claimant) => totp::proposed(&visitor.app, claimant).await?,
        None => None,
    };
    let Some(enrolment) = proposed else { return back(visitor, claim).await };
    let qr = QrPicture::of(enrolment.uri.expose()).ok_or_else(|| {
        PageFailure::Internal("an authenticator's address is too long for a QR code".into())
    })?;
    let key = grouped(enrolment.key.expose());
    let frame = visitor.frame(claim.underway.as_ref());
    let ui = frame.ui(None);
    let page = TotpPage { ui: &ui, context: &claim.context(), qr, key: &key, problem };
    Ok(visitor.show(&ui, status, &page, claim.csp()))
}

/// In groups of four, for typing.
fn grouped(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

/// `POST /login/enrol/totp`: the first code.
pub async fn confirm_totp(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let claim = Claim::of(&visitor, &params).await?;
    let Some(claimant) = &claim.claimant else { return back(&visitor, &claim).await };
    let code = Secret::from_text(params.get("code").unwrap_or_default());
    match enrol::confirm_totp(&visitor.app, claimant, code, visitor.arrival(), &visitor.origin).await {
        Ok(secured) => Ok(added(&visitor, &claim, &secured).await),
        Err(FactorError::Store(error)) => Err(error.into()),
        Err(FactorError::Gone) => back(&visitor, &claim).await,
        Err(FactorError::Wrong) => {
            proposed(&visitor, &claim, StatusCode::UNAUTHORIZED, Some(FactorProblem::Wrong)).await
        }
        Err(FactorError::Throttled(throttled)) => {
            let problem = FactorProblem::Throttled { wait: throttled.retry_after };
            let page = proposed(&visitor, &claim, StatusCode::TOO_MANY_REQUESTS, Some(problem)).await?;
            Ok(retry_after(page, Some(&throttled.into())))
        }
    }
}

/// `POST /login/enrol/passkey/options`.
pub async fn passkey_options(
    visitor: Visitor,
    PageForm(params): PageForm,
) -> Result<HttpResponse, PageFailure> {
    let claim = Claim::of(&visitor, &params).await?;
    let claimant = claim.claimant.as_ref().ok_or(PageFailure::NotFound)?;
    challenge(passkey::begin_registration(&visitor.app, claimant, visitor.binding(), &visitor.origin).await)
}

/// `POST /login/enrol/passkey`: the new passkey.
pub async fn add_passkey(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let claim = Claim::of(&visitor, &params).await?;
    let Some(claimant) = &claim.claimant else { return back(&visitor, &claim).await };
    let (answer, name) = (answer_of(&visitor, &params), params.get("name").unwrap_or_default());
    match passkey::register(&visitor.app, claimant, &answer, name, &visitor.arrival(), &visitor.origin).await
    {
        Ok(secured) => Ok(added(&visitor, &claim, &secured).await),
        Err(PasskeyError::Store(error)) => Err(error.into()),
        Err(PasskeyError::Throttled(throttled)) => Err(throttled.into()),
        Err(PasskeyError::Gone) => back(&visitor, &claim).await,
        Err(PasskeyError::Refused | PasskeyError::Unavailable) => {
            choice(&visitor, &claim, StatusCode::UNAUTHORIZED, true).await
        }
    }
}

/// The factor is there: its owner is signed in, and sees the recovery codes if these are the first.
async fn added(visitor: &Visitor, claim: &Claim, secured: &Secured) -> HttpResponse {
    let passed = &secured.passed;
    let (others, underway) = (&claim.accounts, claim.underway.as_ref());
    let welcome = Welcome { begun: &passed.begun, others, remember: passed.remember, underway };
    visitor.welcome_with_codes(welcome, &secured.recovery_codes, claim.next()).await
}
