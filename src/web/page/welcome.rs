//! Accounts that begin with a link somebody else made: an invitation, the first administrator; and links that are over.

use askama::Template;

use crate::web::ui::Ui;

use super::fields::password_hint;
use super::{FieldErrors, FormProblem, Page};

/// Accepts an invitation: the address is given, name and password are chosen.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/invite.html")]
pub struct InvitePage<'a> {
    pub ui: &'a Ui<'a>,
    pub token: &'a str,
    pub email: &'a str,
    pub name: &'a str,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
    pub min_length: usize,
}

/// Makes the first administrator.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/setup.html")]
pub struct SetupPage<'a> {
    pub ui: &'a Ui<'a>,
    pub token: &'a str,
    pub name: &'a str,
    pub email: &'a str,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
    pub min_length: usize,
    pub can_passkey: bool,
}

/// A one-time link that was used, replaced, or is too old. Which of these is not said.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/link_expired.html")]
pub struct LinkExpiredPage<'a> {
    pub ui: &'a Ui<'a>,
    pub kind: LinkKind,
    /// Whether anyone may register here.
    pub may_register: bool,
}

/// What the link was for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkKind {
    Register,
    Invite,
    Setup,
    Magic,
    Reset,
    Email,
}

impl InvitePage<'_> {
    fn password_hint(&self) -> String {
        password_hint(self.ui, self.min_length)
    }
}

impl SetupPage<'_> {
    fn password_hint(&self) -> String {
        password_hint(self.ui, self.min_length)
    }
}

impl LinkKind {
    /// How to get another.
    fn advice(self, ui: &Ui<'_>) -> &'static str {
        ui.t(match self {
            Self::Register => "link.register",
            Self::Invite => "link.invite",
            Self::Setup => "link.setup",
            Self::Magic => "magic.expired",
            Self::Reset => "recover.expired",
            Self::Email => "email.expired",
        })
    }
}

impl Page for InvitePage<'_> {}
impl Page for SetupPage<'_> {
    fn connects(&self) -> bool {
        self.can_passkey
    }
}
impl Page for LinkExpiredPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                for errors in FieldErrors::samples() {
                    for problem in FormProblem::SAMPLES {
                        let (token, name, email, min_length) = (text, text, text, 12);
                        check(&InvitePage { ui, token, email, name, errors, problem, min_length });
                        let can_passkey = !text.is_empty();
                        let page =
                            SetupPage { ui, token, name, email, errors, problem, min_length, can_passkey };
                        let html = check(&page);
                        assert!(html.contains(r#"id="setup-form""#));
                    }
                }
            }
            for kind in [
                LinkKind::Register,
                LinkKind::Invite,
                LinkKind::Setup,
                LinkKind::Magic,
                LinkKind::Reset,
                LinkKind::Email,
            ] {
                for may_register in [true, false] {
                    check(&LinkExpiredPage { ui, kind, may_register });
                }
            }
        });
    }

    #[test]
    fn a_token_cannot_leave_the_address_it_stands_in() {
        each_language(|ui| {
            let page = SetupPage {
                ui,
                token: "../account?x=1#y",
                name: "",
                email: "",
                errors: FieldErrors::default(),
                problem: None,
                min_length: 12,
                can_passkey: true,
            };
            assert!(check(&page).contains(r#"action="/auth/setup/..%2Faccount%3Fx%3D1%23y""#));
        });
    }
}
