//! `/login/factor`: the second factor of a sign-in, or of somebody signed in who is asked for more (AZ-11).
//!
//! A sign-in that waits for it reaches this page and no other (SE-3): its secret is in a cookie that only this file
//! reads.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::crypto::Secret;
use crate::grants::authorization::Underway;
use crate::identity::factor::second::{self, Asked, Claimant, FactorError, Shown};
use crate::identity::session::SignedIn;
use crate::protocol::Params;
use crate::web::cookies::{self, Name};
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{ClientCard, FactorAsked, FactorPage, FactorProblem, Person};
use crate::web::respond::Csp;

use super::Visitor;
use super::visitor::{Welcome, retry_after};

/// `GET /login/factor`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let situation = Situation::of(&visitor, &params).await?;
    match situation.asked(&visitor).await? {
        Some(asked) => Ok(situation.page(&visitor, &asked, StatusCode::OK, None)),
        None => Ok(situation.start_over(&visitor)),
    }
}

/// `POST /login/factor`.
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let situation = Situation::of(&visitor, &params).await?;
    if let (Some("deny"), Some(underway)) = (params.get("action"), &situation.underway) {
        return visitor.deny(underway).await;
    }
    let Some(claimant) = &situation.claimant else { return Ok(situation.start_over(&visitor)) };
    let code = Secret::from_text(params.get("code").unwrap_or_default());
    let shown = match situation.asks {
        FactorAsked::Code => Shown::Code(code),
        FactorAsked::RecoveryCode => Shown::RecoveryCode(code),
    };
    let (status, problem, failure) =
        match second::show(&visitor.app, claimant, shown, visitor.arrival(), &visitor.origin).await {
            Ok(passed) => {
                let (others, underway) = (&situation.accounts, situation.underway.as_ref());
                let welcome = Welcome { begun: &passed.begun, others, remember: passed.remember, underway };
                return Ok(visitor.welcome(welcome, "/").await);
            }
            Err(FactorError::Store(error)) => return Err(error.into()),
            Err(FactorError::Gone) => return Ok(situation.start_over(&visitor)),
            Err(FactorError::Wrong) => (StatusCode::UNAUTHORIZED, FactorProblem::Wrong, None),
            Err(FactorError::Throttled(throttled)) => {
                let problem = FactorProblem::Throttled { wait: throttled.retry_after };
                (StatusCode::TOO_MANY_REQUESTS, problem, Some(PageFailure::from(throttled)))
            }
        };
    match situation.asked(&visitor).await? {
        Some(asked) => {
            let page = situation.page(&visitor, &asked, status, Some(problem));
            Ok(retry_after(page, failure.as_ref()))
        }
        None => Ok(situation.start_over(&visitor)),
    }
}

/// Who is asked, and what for.
struct Situation {
    underway: Option<Underway>,
    accounts: Vec<SignedIn>,
    claimant: Option<Claimant>,
    asks: FactorAsked,
}

impl Situation {
    /// `session` names an account that is signed in; without it the sign-in that waits is meant.
    async fn of(visitor: &Visitor, params: &Params) -> Result<Self, PageFailure> {
        let underway = match params.get("request") {
            Some(request) => Some(visitor.underway(request).await?),
            None => None,
        };
        let accounts = visitor.accounts().await?;
        let claimant = match params.get("session") {
            Some(session) => accounts
                .iter()
                .find(|account| account.session.id.to_string() == session)
                .map(|account| Claimant::SignedIn(Box::new(account.clone()))),
            None => visitor.browser.pending.clone().map(Claimant::Pending),
        };
        let asks = match params.get("use") {
            Some("recovery") => FactorAsked::RecoveryCode,
            _ => FactorAsked::Code,
        };
        Ok(Self { underway, accounts, claimant, asks })
    }

    async fn asked(&self, visitor: &Visitor) -> Result<Option<Asked>, PageFailure> {
        match &self.claimant {
            Some(claimant) => Ok(second::asked(&visitor.app, claimant).await?),
            None => Ok(None),
        }
    }

    /// Nobody waits here (any more).
    fn start_over(&self, visitor: &Visitor) -> HttpResponse {
        let mut response = match &self.underway {
            Some(underway) => visitor.resume(underway),
            None => visitor.go("/login"),
        };
        if visitor.browser.pending.is_some() {
            cookies::add(&mut response, &cookies::removal(&visitor.app.config.issuer, Name::Pending));
        }
        response
    }

    fn page(
        &self,
        visitor: &Visitor,
        asked: &Asked,
        status: StatusCode,
        problem: Option<FactorProblem>,
    ) -> HttpResponse {
        let frame = visitor.frame(self.underway.as_ref());
        let ui = frame.ui(None);
        let request = self.underway.as_ref().map(|underway| underway.row.id.to_string());
        let session = match &self.claimant {
            Some(Claimant::SignedIn(account)) => Some(account.session.id.to_string()),
            _ => None,
        };
        let person = Person { name: &asked.user.name, email: asked.email.as_deref().unwrap_or_default() };
        let page = FactorPage {
            ui: &ui,
            request: request.as_deref(),
            session: session.as_deref(),
            client: self.underway.as_ref().map(|underway| ClientCard::of(&underway.client)),
            account: person.label(),
            asks: self.asks,
            has_totp: asked.enrolled.totp,
            has_recovery: asked.enrolled.recovery_codes > 0,
            problem,
        };
        let csp = if self.underway.is_some() { Csp::Flow } else { Csp::Own };
        visitor.show(&ui, status, &page, csp)
    }
}
