//! Forgotten passwords and new addresses: asking for a link, what it opens, and how it ended.

use std::time::Duration;

use askama::Template;

use crate::web::ui::Ui;

use super::fields::password_hint;
use super::{FieldErrors, FormProblem, Page};

/// `/recover`: asks for a link to set a new password.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/recover.html")]
pub struct RecoverPage<'a> {
    pub ui: &'a Ui<'a>,
    /// The authorization request that goes on afterwards.
    pub request: Option<&'a str>,
    pub email: &'a str,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
}

/// The answer to every request for a link, whoever has the address (PW-6).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/link_sent.html")]
pub struct LinkSentPage<'a> {
    pub ui: &'a Ui<'a>,
    pub kind: SentKind,
    pub email: &'a str,
    pub lasts: Duration,
    /// Whether the issuer is a loopback address, so that mail is at `/dev/mail`.
    pub for_developers: bool,
}

/// What the link is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SentKind {
    Reset,
    Email,
}

/// What the link of a forgotten password opens. Only its form spends the link (PW-7).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/reset.html")]
pub struct ResetPage<'a> {
    pub ui: &'a Ui<'a>,
    pub token: &'a str,
    pub email: &'a str,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
    pub min_length: usize,
}

/// The password is set. Nobody is signed in by it (PW-10).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/reset_done.html")]
pub struct ResetDonePage<'a> {
    pub ui: &'a Ui<'a>,
    /// The authorization request that waits in this browser.
    pub request: Option<&'a str>,
    /// A registered address of the application (PW-14).
    pub return_to: Option<&'a str>,
}

/// What the link to a new address opens. Only its button spends the link (PW-7).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/email_confirm.html")]
pub struct EmailConfirmPage<'a> {
    pub ui: &'a Ui<'a>,
    pub token: &'a str,
    pub email: &'a str,
    pub name: &'a str,
}

/// The address is the account's.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/email_done.html")]
pub struct EmailDonePage<'a> {
    pub ui: &'a Ui<'a>,
}

impl LinkSentPage<'_> {
    fn text(&self) -> String {
        let key = match self.kind {
            SentKind::Reset => "recover.sent_text",
            SentKind::Email => "email.sent_text",
        };
        self.ui.with(key, &[("email", self.email)])
    }
}

impl ResetPage<'_> {
    fn password_hint(&self) -> String {
        password_hint(self.ui, self.min_length)
    }
}

impl Page for RecoverPage<'_> {}
impl Page for LinkSentPage<'_> {}
impl Page for ResetPage<'_> {}
impl Page for ResetDonePage<'_> {}
impl Page for EmailConfirmPage<'_> {}
impl Page for EmailDonePage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn forms_render_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let full = !text.is_empty();
                for errors in FieldErrors::samples() {
                    for problem in FormProblem::SAMPLES {
                        let (token, email, min_length) = (text, text, 12);
                        let request = full.then_some(text);
                        let html = check(&RecoverPage { ui, request, email, errors, problem });
                        assert!(html.contains(r#"id="recover-form""#) && html.contains(r#"name="email""#));
                        let html = check(&ResetPage { ui, token, email, errors, problem, min_length });
                        assert!(html.contains(r#"id="reset-form""#) && html.contains("new-password"));
                    }
                }
            }
        });
    }

    #[test]
    fn answers_render_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                for kind in [SentKind::Reset, SentKind::Email] {
                    let (lasts, for_developers) = (Duration::from_secs(1800), kind == SentKind::Reset);
                    check(&LinkSentPage { ui, kind, email: text, lasts, for_developers });
                }
                for return_to in [None, Some("https://app.example.org/?a=\"b\"")] {
                    let request = (!text.is_empty()).then_some(text);
                    check(&ResetDonePage { ui, request, return_to });
                }
                let html = check(&EmailConfirmPage { ui, token: text, email: text, name: text });
                assert!(html.contains(r#"id="email-confirm""#));
            }
            check(&EmailDonePage { ui });
        });
    }
}
