//! `/login/factor`: a second factor.

use std::time::Duration;

use askama::Template;

use crate::web::ui::Ui;

use super::{ClientCard, Page};

/// Asks for a second factor.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/factor.html")]
pub struct FactorPage<'a> {
    pub ui: &'a Ui<'a>,
    /// The authorization request that waits for it.
    pub request: Option<&'a str>,
    /// The session that is to be raised to two factors. Without one it is a sign-in that is finished here.
    pub session: Option<&'a str>,
    pub client: Option<ClientCard<'a>>,
    /// Whom it asks.
    pub account: &'a str,
    pub asks: FactorAsked,
    /// What the account could show instead.
    pub has_totp: bool,
    pub has_recovery: bool,
    pub problem: Option<FactorProblem>,
}

/// What the form asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorAsked {
    /// A code of an authenticator application.
    Code,
    RecoveryCode,
}

/// Why the last try did not succeed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FactorProblem {
    Wrong,
    Throttled { wait: Duration },
}

impl FactorProblem {
    fn text(self, ui: &Ui<'_>) -> String {
        match self {
            Self::Wrong => ui.t("factor.wrong").to_owned(),
            Self::Throttled { wait } => ui.with("login.throttled", &[("span", &ui.span(wait))]),
        }
    }
}

impl FactorPage<'_> {
    /// The address of this page with the other way to answer.
    fn other(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.request.map(|request| ("request", request)));
        query.extend_pairs(self.session.map(|session| ("session", session)));
        if self.asks != FactorAsked::RecoveryCode {
            query.append_pair("use", "recovery");
        }
        format!("{}/login/factor?{}", self.ui.base, query.finish())
    }

    fn is_wrong(&self) -> bool {
        self.problem == Some(FactorProblem::Wrong)
    }
}

impl Page for FactorPage<'_> {
    fn image_origins(&self) -> Vec<String> {
        self.client.as_ref().map(ClientCard::image_origins).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let full = !text.is_empty();
                for asks in [FactorAsked::Code, FactorAsked::RecoveryCode] {
                    for problem in [
                        None,
                        Some(FactorProblem::Wrong),
                        Some(FactorProblem::Throttled { wait: Duration::from_secs(61) }),
                    ] {
                        let html = check(&FactorPage {
                            ui,
                            request: full.then_some(text),
                            session: full.then_some(text),
                            client: full.then(|| ClientCard::sample(text, true)),
                            account: text,
                            asks,
                            has_totp: true,
                            has_recovery: true,
                            problem,
                        });
                        assert!(html.contains(r#"id="factor-form""#) && html.contains(r#"name="code""#));
                        assert!(html.contains("use=recovery") == (asks == FactorAsked::Code));
                    }
                }
            }
        });
    }
}
