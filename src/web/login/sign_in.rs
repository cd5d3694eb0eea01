//! `/login`: name and password, for an authorization request or for our own pages.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::config::RegistrationMode;
use crate::crypto::Secret;
use crate::grants::authorization::{self, Underway};
use crate::identity::session::SignedIn;
use crate::identity::sign_in::{Attempt, SignInError, with_password};
use crate::protocol::next_step::NextStep;
use crate::web::extract::PageForm;
use crate::web::failure::PageFailure;
use crate::web::page::{ClientCard, LoginPage, LoginProblem, LoginReason};
use crate::web::respond::Csp;

use super::Visitor;
use super::visitor::{Welcome, person, retry_after};

/// `GET /login`.
pub async fn show(visitor: Visitor) -> Result<HttpResponse, PageFailure> {
    let params = visitor.query()?;
    let mut situation = Situation::of(&visitor, params.get("request")).await?;
    let wants_other = params.get("other").is_some();
    if let (Some(underway), false, false) = (&situation.underway, situation.is_due, wants_other) {
        // Signed in meanwhile, in another tab.
        return Ok(visitor.resume(underway));
    }
    situation.is_due &= !wants_other;
    let username = situation.hint.clone().filter(|_| !wants_other).unwrap_or_default();
    let form = Form { username: &username, remember: false, problem: None };
    Ok(situation.page(&visitor, StatusCode::OK, &form))
}

/// `POST /login`.
pub async fn submit(visitor: Visitor, PageForm(params): PageForm) -> Result<HttpResponse, PageFailure> {
    let situation = Situation::of(&visitor, params.get("request")).await?;
    if let (Some("deny"), Some(underway)) = (params.get("action"), &situation.underway) {
        return visitor.deny(underway).await;
    }
    let (username, remember) = (params.get("username").unwrap_or_default(), params.get("remember").is_some());
    let attempt = Attempt {
        login: username.to_owned(),
        password: Secret::from_text(params.get("password").unwrap_or_default()),
        remember,
        arrival: visitor.arrival(),
    };
    let (status, problem, failure) = match with_password(&visitor.app, attempt, &visitor.origin).await {
        Ok(begun) => {
            let (others, underway) = (&situation.accounts, situation.underway.as_ref());
            return Ok(visitor.welcome(Welcome { begun: &begun, others, remember, underway }, "/").await);
        }
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

/// What the sign-in is for.
struct Situation {
    underway: Option<Underway>,
    accounts: Vec<SignedIn>,
    /// Whether a sign-in is what the request waits for. Otherwise somebody came for another account.
    is_due: bool,
    /// Whom the request expects.
    hint: Option<String>,
}

/// What the form holds.
struct Form<'a> {
    username: &'a str,
    remember: bool,
    problem: Option<LoginProblem>,
}

impl Situation {
    async fn of(visitor: &Visitor, request: Option<&str>) -> Result<Self, PageFailure> {
        let accounts = visitor.accounts().await?;
        let Some(request) = request else {
            return Ok(Self { underway: None, is_due: accounts.is_empty(), accounts, hint: None });
        };
        let underway = visitor.underway(request).await?;
        let (is_due, hint) = match authorization::step(&visitor.app, &underway, &accounts).await? {
            NextStep::Login { hint } => (true, hint),
            _ => (false, None),
        };
        Ok(Self { underway: Some(underway), accounts, is_due, hint })
    }

    fn reason(&self) -> LoginReason<'_> {
        if !self.is_due {
            return if self.accounts.is_empty() { LoginReason::SignIn } else { LoginReason::AnotherAccount };
        }
        let known = self.hint.as_deref().and_then(|hint| {
            self.accounts.iter().find(|account| {
                let names = [account.email.as_deref(), account.user.username.as_deref()];
                names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(hint.trim()))
            })
        });
        known.map_or(LoginReason::SignIn, |account| LoginReason::Again { account: person(account).label() })
    }

    fn page(&self, visitor: &Visitor, status: StatusCode, form: &Form<'_>) -> HttpResponse {
        let frame = visitor.frame(self.underway.as_ref());
        let ui = frame.ui(None);
        let request = self.underway.as_ref().map(|underway| underway.row.id.to_string());
        let page = LoginPage {
            ui: &ui,
            request: request.as_deref(),
            client: self.underway.as_ref().map(|underway| ClientCard::of(&underway.client)),
            reason: self.reason(),
            username: form.username,
            remember: form.remember,
            problem: form.problem,
            may_register: visitor.app.config.registration_mode() == RegistrationMode::Open,
        };
        let csp = if self.underway.is_some() { Csp::Flow } else { Csp::Own };
        visitor.show(&ui, status, &page, csp)
    }
}
