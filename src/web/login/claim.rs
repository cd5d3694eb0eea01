//! Who is to show or get a second factor, as an address or a form says it.
//!
//! A sign-in that waits reaches the pages for that and no other (SE-3): its secret is in a cookie that only this file
//! reads.

use actix_web::HttpResponse;

use crate::grants::authorization::Underway;
use crate::identity::factor::second::{self, Asked, Claimant};
use crate::identity::session::SignedIn;
use crate::protocol::Params;
use crate::web::cookies::{self, Name};
use crate::web::failure::PageFailure;
use crate::web::page::FactorAsked;
use crate::web::respond::Csp;

use super::Visitor;
use super::next::Next;

/// Who is asked, and what for.
pub struct Claim {
    pub underway: Option<Underway>,
    pub accounts: Vec<SignedIn>,
    pub claimant: Option<Claimant>,
    /// Without a request: the page of ours to go on to.
    next: Option<Next>,
    pub asks: FactorAsked,
}

impl Claim {
    /// `session` names an account that is signed in; without it the sign-in that waits is meant.
    pub async fn of(visitor: &Visitor, params: &Params) -> Result<Self, PageFailure> {
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
        let next = params.get("next").and_then(Next::parse);
        Ok(Self { underway, accounts, claimant, next, asks })
    }

    pub async fn asked(&self, visitor: &Visitor) -> Result<Option<Asked>, PageFailure> {
        match &self.claimant {
            Some(claimant) => Ok(second::asked(&visitor.app, claimant).await?),
            None => Ok(None),
        }
    }

    /// The fields, or parameters, that name this situation.
    pub fn context(&self) -> Vec<(&'static str, String)> {
        let session = match &self.claimant {
            Some(Claimant::SignedIn(account)) => Some(account.session.id.to_string()),
            _ => None,
        };
        let request = self.underway.as_ref().map(|underway| underway.row.id.to_string());
        let next = self.next.as_ref().map(|next| next.as_str().to_owned());
        [("request", request), ("session", session), ("next", next)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }

    /// This path with these parameters.
    pub fn at(&self, path: &str) -> String {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(self.context()).finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// Where to go on without a request.
    pub fn next(&self) -> &str {
        self.next.as_ref().map_or("/", Next::as_str)
    }

    pub fn csp(&self) -> Csp {
        if self.underway.is_some() { Csp::Flow } else { Csp::Own }
    }

    /// Nobody waits here (any more).
    pub fn start_over(&self, visitor: &Visitor) -> HttpResponse {
        let mut response = match (&self.underway, &self.next) {
            (Some(underway), _) => visitor.resume(underway),
            (None, Some(next)) => visitor.go(next.as_str()),
            (None, None) => visitor.go("/login"),
        };
        if visitor.browser.pending.is_some() {
            cookies::add(&mut response, &cookies::removal(&visitor.app.config.issuer, Name::Pending));
        }
        response
    }
}
