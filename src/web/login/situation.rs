//! What a sign-in is for, and the page that asks for it: for every way to sign in that begins there.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::config::RegistrationMode;
use crate::grants::authorization::{self, Underway};
use crate::identity::session::SignedIn;
use crate::protocol::Params;
use crate::protocol::next_step::NextStep;
use crate::web::failure::PageFailure;
use crate::web::page::{ClientCard, LoginPage, LoginProblem, LoginReason};
use crate::web::respond::Csp;

use super::Visitor;
use super::next::Next;
use super::visitor::person;

/// What the sign-in is for.
pub struct Situation {
    pub underway: Option<Underway>,
    /// Without a request: the page of ours to go on to, which asked who is there.
    pub next: Option<Next>,
    pub accounts: Vec<SignedIn>,
    /// Whether a sign-in is what the request waits for. Otherwise somebody came for another account.
    pub is_due: bool,
    /// Whom the request expects.
    pub hint: Option<String>,
}

/// What the form holds.
pub struct Form<'a> {
    pub username: &'a str,
    pub remember: bool,
    pub problem: Option<LoginProblem>,
}

impl Situation {
    pub async fn of(visitor: &Visitor, params: &Params) -> Result<Self, PageFailure> {
        let accounts = visitor.accounts().await?;
        let Some(request) = params.get("request") else {
            return Ok(Self::without_request(accounts, params.get("next").and_then(Next::parse)));
        };
        let underway = visitor.underway(request).await?;
        let (is_due, hint) = match authorization::step(&visitor.app, &underway, &accounts).await? {
            NextStep::Login { hint } => (true, hint),
            _ => (false, None),
        };
        Ok(Self { underway: Some(underway), next: None, accounts, is_due, hint })
    }

    fn without_request(accounts: Vec<SignedIn>, next: Option<Next>) -> Self {
        let current = accounts.first().filter(|_| next.is_some());
        let hint =
            current.and_then(|current| current.email.clone().or_else(|| current.user.username.clone()));
        let is_due = accounts.is_empty() || next.is_some();
        Self { underway: None, next, accounts, is_due, hint }
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
        let Some(account) = known.map(|account| person(account).label()) else { return LoginReason::SignIn };
        if self.next.is_some() { LoginReason::Confirm { account } } else { LoginReason::Again { account } }
    }

    pub fn page(&self, visitor: &Visitor, status: StatusCode, form: &Form<'_>) -> HttpResponse {
        let frame = visitor.frame(self.underway.as_ref());
        let ui = frame.ui(None);
        let request = self.underway.as_ref().map(|underway| underway.row.id.to_string());
        let page = LoginPage {
            ui: &ui,
            request: request.as_deref(),
            next: self.next.as_ref().map(Next::as_str),
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
