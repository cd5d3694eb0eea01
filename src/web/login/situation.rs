//! What a sign-in is for, and the page that asks for it: for every way to sign in that begins there.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::config::RegistrationMode;
use crate::grants::authorization::{self, Underway};
use crate::identity::factor::passkey;
use crate::identity::federation::link::{self, Waiting};
use crate::identity::federation::providers::{self, Upstream};
use crate::identity::session::{Begun, SignedIn};
use crate::protocol::Params;
use crate::protocol::next_step::NextStep;
use crate::web::failure::PageFailure;
use crate::web::page::{ClientCard, LoginPage, LoginProblem, LoginReason, ProviderButton};
use crate::web::respond::Csp;

use super::Visitor;
use super::next::Next;
use super::visitor::{Welcome, person};

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
    /// What the sign-in will link (FE-7).
    pub waiting: Option<Waiting>,
    /// The identity providers that offer another way.
    providers: Vec<Upstream>,
    /// Where its form may lead.
    csp: Csp,
}

/// What the form holds.
pub struct Form<'a> {
    pub username: &'a str,
    pub remember: bool,
    pub problem: Option<LoginProblem<'a>>,
}

impl Situation {
    pub async fn of(visitor: &Visitor, params: &Params) -> Result<Self, PageFailure> {
        Self::towards(visitor, params.get("request"), params.get("next").and_then(Next::parse)).await
    }

    /// Of somebody who goes on with this request, or without one, to this page.
    pub async fn towards(
        visitor: &Visitor,
        request: Option<&str>,
        next: Option<Next>,
    ) -> Result<Self, PageFailure> {
        let accounts = visitor.accounts().await?;
        let providers = providers::offered(&visitor.app).await?;
        let Some(request) = request else {
            let csp = visitor.csp_of_addresses().await?;
            return Ok(Self::without_request(accounts, next, providers, csp));
        };
        let underway = visitor.underway(request).await?;
        let (is_due, hint) = match authorization::step(&visitor.app, &underway, &accounts).await? {
            NextStep::Login { hint } => (true, hint),
            _ => (false, None),
        };
        let (underway, csp) = (Some(underway), Csp::Flow);
        Ok(Self { underway, next: None, accounts, is_due, hint, waiting: None, providers, csp })
    }

    /// The way to a provider, and back to what the sign-in is for.
    pub fn way_to(&self, provider: &str) -> String {
        let onward = match (&self.underway, &self.next) {
            (Some(underway), _) => format!("?request={}", underway.row.id),
            (None, Some(next)) => format!("?next={next}"),
            (None, None) => String::new(),
        };
        format!("/login/federation/{provider}{onward}")
    }

    /// Before a sign-in: a link that waits in this browser goes on waiting only if the form showed it (FE-7).
    pub async fn settle_link(&mut self, visitor: &Visitor, params: &Params) -> Result<(), PageFailure> {
        let binding = visitor.browser.binding.as_ref();
        if params.get("link").is_some() {
            self.waiting = link::waiting(&visitor.app, binding).await?;
        } else {
            link::forget(&visitor.app, binding).await?;
        }
        Ok(())
    }

    /// Goes on with whoever was signed in.
    pub async fn welcome(&self, visitor: &Visitor, begun: &Begun, remember: bool) -> HttpResponse {
        let (others, underway) = (&self.accounts, self.underway.as_ref());
        let next = self.next.as_ref().map_or("/", Next::as_str);
        visitor.welcome(Welcome { begun, others, remember, underway }, next).await
    }

    fn without_request(
        accounts: Vec<SignedIn>,
        next: Option<Next>,
        providers: Vec<Upstream>,
        csp: Csp,
    ) -> Self {
        let current = accounts.first().filter(|_| next.is_some());
        let hint =
            current.and_then(|current| current.email.clone().or_else(|| current.user.username.clone()));
        let is_due = accounts.is_empty() || next.is_some();
        Self { underway: None, next, accounts, is_due, hint, waiting: None, providers, csp }
    }

    fn reason(&self) -> LoginReason<'_> {
        if let Some(waiting) = &self.waiting {
            return LoginReason::Link { provider: &waiting.provider, account: &waiting.account };
        }
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
        let labels: Vec<String> = self.providers.iter().map(|upstream| upstream.settings.label()).collect();
        let providers: Vec<ProviderButton<'_>> = self
            .providers
            .iter()
            .zip(&labels)
            .map(|(upstream, name)| ProviderButton { id: &upstream.settings.id, name })
            .collect();
        let page = LoginPage {
            ui: &ui,
            request: request.as_deref(),
            next: self.next.as_ref().map(Next::as_str),
            client: self.underway.as_ref().map(|underway| ClientCard::of(&underway.client)),
            reason: self.reason(),
            username: form.username,
            remember: form.remember,
            problem: form.problem,
            providers: &providers,
            may_register: visitor.app.config.registration_mode() == RegistrationMode::Open,
            can_passkey: passkey::is_available(&visitor.app.config),
        };
        visitor.show(&ui, status, &page, self.csp)
    }
}
