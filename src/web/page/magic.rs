//! Signing in by mail: what follows the request, and what the link opens.

use std::time::Duration;

use askama::Template;

use crate::web::ui::Ui;

use super::Page;

/// The answer to every request for a link, whoever has the address (PW-6), with the form for the digits.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/magic_sent.html")]
pub struct MagicSentPage<'a> {
    pub ui: &'a Ui<'a>,
    /// The authorization request that waits.
    pub request: Option<&'a str>,
    pub email: &'a str,
    pub lasts: Duration,
    pub remember: bool,
    pub problem: Option<CodeProblem>,
    /// Whether the issuer is a loopback address, so that mail is at `/dev/mail`.
    pub for_developers: bool,
}

/// Why digits were not taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CodeProblem {
    Wrong,
    /// Nothing that is typed will do any more.
    Void,
    Throttled {
        wait: Duration,
    },
}

/// What the link opens. Only its button spends the link (PW-7).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/magic_confirm.html")]
pub struct MagicConfirmPage<'a> {
    pub ui: &'a Ui<'a>,
    pub token: &'a str,
    pub email: &'a str,
    /// The application whose sign-in waits.
    pub client: Option<&'a str>,
    /// Whether this browser asked for the link; if not, the person is told what that means (PW-9).
    pub is_here: bool,
}

impl CodeProblem {
    pub fn text(self, ui: &Ui<'_>) -> String {
        match self {
            Self::Wrong => ui.t("magic.wrong").to_owned(),
            Self::Void => ui.t("magic.void").to_owned(),
            Self::Throttled { wait } => ui.with("login.throttled", &[("span", &ui.span(wait))]),
        }
    }
}

impl MagicSentPage<'_> {
    fn may_try_again(&self) -> bool {
        self.problem != Some(CodeProblem::Void)
    }
}

impl Page for MagicSentPage<'_> {}
impl Page for MagicConfirmPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let wait = Duration::from_secs(61);
                for problem in [
                    None,
                    Some(CodeProblem::Wrong),
                    Some(CodeProblem::Void),
                    Some(CodeProblem::Throttled { wait }),
                ] {
                    let request = (!text.is_empty()).then_some(text);
                    let (lasts, for_developers) = (Duration::from_secs(600), problem.is_none());
                    let page = MagicSentPage {
                        ui,
                        request,
                        email: text,
                        lasts,
                        remember: for_developers,
                        problem,
                        for_developers,
                    };
                    let html = check(&page);
                    assert_eq!(html.contains(r#"id="code-form""#), problem != Some(CodeProblem::Void));
                    assert_eq!(html.contains(r#"id="code-error" role="alert""#), problem.is_some());
                }
                for is_here in [true, false] {
                    for client in [None, Some(text)] {
                        let html = check(&MagicConfirmPage { ui, token: text, email: text, client, is_here });
                        assert!(html.contains(r#"id="magic-confirm""#));
                    }
                }
            }
        });
    }
}
