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
    /// Hidden fields that say who is asked and where to go on.
    pub context: &'a [(&'static str, String)],
    /// Whether an application waits, which can be told that the person does not want to go on.
    pub may_deny: bool,
    pub client: Option<ClientCard<'a>>,
    /// Whom it asks.
    pub account: &'a str,
    pub asks: FactorAsked,
    /// What the account could show instead.
    pub has_totp: bool,
    pub has_passkey: bool,
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
    Throttled {
        wait: Duration,
    },
    /// The passkey was not recognised.
    Passkey,
}

impl FactorProblem {
    pub(super) fn text(self, ui: &Ui<'_>) -> String {
        match self {
            Self::Wrong => ui.t("factor.wrong").to_owned(),
            Self::Passkey => ui.t("passkey.problem").to_owned(),
            Self::Throttled { wait } => ui.with("login.throttled", &[("span", &ui.span(wait))]),
        }
    }
}

impl FactorPage<'_> {
    /// The address of this page with the other way to answer.
    fn other(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.context);
        if self.asks != FactorAsked::RecoveryCode {
            query.append_pair("use", "recovery");
        }
        format!("{}/login/factor?{}", self.ui.base, query.finish())
    }

    /// Whether there is anything to type.
    fn has_code(&self) -> bool {
        self.has_totp || self.has_recovery
    }

    fn is_wrong(&self) -> bool {
        self.problem == Some(FactorProblem::Wrong)
    }
}

impl Page for FactorPage<'_> {
    fn image_origins(&self) -> Vec<String> {
        self.client.as_ref().map(ClientCard::image_origins).unwrap_or_default()
    }

    fn connects(&self) -> bool {
        self.has_passkey
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
                        Some(FactorProblem::Passkey),
                        Some(FactorProblem::Throttled { wait: Duration::from_secs(61) }),
                    ] {
                        let html = check(&FactorPage {
                            ui,
                            context: &[("request", text.to_owned()), ("session", text.to_owned())],
                            may_deny: full,
                            client: full.then(|| ClientCard::sample(text, true)),
                            account: text,
                            asks,
                            has_totp: true,
                            has_passkey: full,
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
