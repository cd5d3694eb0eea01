//! `/login`: name and password.

use std::time::Duration;

use askama::Template;

use crate::web::ui::Ui;

use super::{ClientCard, Page};

/// The sign-in page.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/login.html")]
pub struct LoginPage<'a> {
    pub ui: &'a Ui<'a>,
    /// The authorization request that waits for this sign-in. Without one there is nothing to cancel.
    pub request: Option<&'a str>,
    /// The page of ours to go on to.
    pub next: Option<&'a str>,
    pub client: Option<ClientCard<'a>>,
    pub reason: LoginReason<'a>,
    /// What the field for name or e-mail holds already: `login_hint`, or what was typed before.
    pub username: &'a str,
    pub remember: bool,
    pub problem: Option<LoginProblem<'a>>,
    /// The identity providers that offer another way, in the order of their buttons.
    pub providers: &'a [ProviderButton<'a>],
    /// Whether anyone may register here.
    pub may_register: bool,
    /// Whether a passkey can be used here.
    pub can_passkey: bool,
}

/// The way to an identity provider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProviderButton<'a> {
    pub id: &'a str,
    /// What people call it.
    pub name: &'a str,
}

/// Why the page is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoginReason<'a> {
    /// Nobody is signed in.
    SignIn,
    /// The person wants to use an account that is not signed in yet. Offers the way back to those that are.
    AnotherAccount,
    /// This account is signed in, but the application wants the password again (`prompt=login`, `max_age`).
    Again { account: &'a str },
    /// This account is signed in, and is about to change something that matters (SE-7).
    Confirm { account: &'a str },
    /// What a provider says belongs to this account is to be linked to it, by whoever can sign in to it (FE-7).
    Link { provider: &'a str, account: &'a str },
}

/// Why the last attempt did not succeed. One text for every kind of wrong credentials (PW-6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoginProblem<'a> {
    Credentials,
    /// What should be an e-mail address is none.
    NoEmail,
    /// The passkey was not recognised.
    Passkey,
    /// Too many attempts (RL-1).
    Throttled {
        wait: Duration,
    },
    /// The queue for checking passwords is full (PW-4).
    Busy,
    /// The form was too old, or did not come from this browser (CH-1).
    FormExpired,
    /// An identity provider did not say who it is.
    Provider {
        provider: &'a str,
        problem: ProviderProblem,
    },
}

/// Why a sign-in through an identity provider did not succeed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ProviderProblem {
    /// It does not answer (FE-11).
    Unavailable,
    /// Its answer does not prove anything.
    Refused,
    /// The person did not want to, there.
    Denied,
    /// Begun too long ago, or in another browser.
    Stale,
    /// Its people have to have an account here.
    NoAccount,
    NotInvited,
    /// It is linked to another account.
    LinkedElsewhere,
    /// Disabled meanwhile (FE-10).
    Disabled,
    /// It says who it is, but not when it asked: that is no proof of just now (SE-7).
    Undated,
    Throttled {
        wait: Duration,
    },
}

impl ProviderProblem {
    pub fn text(self, provider: &str, ui: &Ui<'_>) -> String {
        let key = match self {
            Self::Unavailable => "provider.unavailable",
            Self::Refused => "provider.refused",
            Self::Denied => "provider.denied",
            Self::Stale => "provider.stale",
            Self::NoAccount => "provider.no_account",
            Self::NotInvited => "provider.not_invited",
            Self::LinkedElsewhere => "provider.linked_elsewhere",
            Self::Disabled => "provider.disabled",
            Self::Undated => "provider.undated",
            Self::Throttled { wait } => return ui.with("login.throttled", &[("span", &ui.span(wait))]),
        };
        ui.with(key, &[("provider", provider)])
    }
}

impl LoginProblem<'_> {
    pub fn text(self, ui: &Ui<'_>) -> String {
        match self {
            Self::Credentials => ui.t("login.wrong").to_owned(),
            Self::Passkey => ui.t("passkey.problem").to_owned(),
            Self::NoEmail => ui.t("field.email_invalid").to_owned(),
            Self::Throttled { wait } => ui.with("login.throttled", &[("span", &ui.span(wait))]),
            Self::Busy => ui.t("login.busy").to_owned(),
            Self::FormExpired => ui.t("error.form_expired_user").to_owned(),
            Self::Provider { provider, problem } => problem.text(provider, ui),
        }
    }
}

impl LoginPage<'_> {
    /// Whether signing in here links an identity, as the page says.
    fn is_link(&self) -> bool {
        matches!(self.reason, LoginReason::Link { .. })
    }

    /// Whether the fields themselves are what is wrong.
    fn fields_wrong(&self) -> bool {
        self.problem == Some(LoginProblem::Credentials)
    }

    fn email_wrong(&self) -> bool {
        self.problem == Some(LoginProblem::NoEmail)
    }

    /// The name typed before, where it can be an address.
    fn email(&self) -> &str {
        if self.username.contains('@') { self.username } else { "" }
    }
}

impl Page for LoginPage<'_> {
    fn image_origins(&self) -> Vec<String> {
        self.client.as_ref().map(ClientCard::image_origins).unwrap_or_default()
    }

    fn connects(&self) -> bool {
        self.can_passkey
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
                for problem in [
                    None,
                    Some(LoginProblem::Credentials),
                    Some(LoginProblem::Throttled { wait: Duration::from_secs(61) }),
                    Some(LoginProblem::Busy),
                    Some(LoginProblem::NoEmail),
                    Some(LoginProblem::Passkey),
                    Some(LoginProblem::FormExpired),
                    Some(LoginProblem::Provider { provider: text, problem: ProviderProblem::Unavailable }),
                ] {
                    for reason in [
                        LoginReason::SignIn,
                        LoginReason::AnotherAccount,
                        LoginReason::Again { account: text },
                        LoginReason::Confirm { account: text },
                        LoginReason::Link { provider: text, account: text },
                    ] {
                        let full = !text.is_empty();
                        check(&LoginPage {
                            ui,
                            request: full.then_some(text),
                            next: full.then_some("/account/password"),
                            client: full.then(|| ClientCard::sample(text, true)),
                            reason,
                            username: text,
                            remember: full,
                            problem,
                            providers: &[ProviderButton { id: "p", name: text }],
                            may_register: full,
                            can_passkey: full,
                        });
                    }
                }
            }
        });
    }

    #[test]
    fn az_15_2_the_names_that_other_programs_use_are_there() {
        each_language(|ui| {
            let mut page = LoginPage {
                ui,
                request: Some("arq_1"),
                next: None,
                client: None,
                reason: LoginReason::SignIn,
                username: "ada",
                remember: false,
                problem: Some(LoginProblem::Credentials),
                providers: &[ProviderButton { id: "google", name: "Google" }],
                may_register: false,
                can_passkey: true,
            };
            let html = check(&page);
            for name in [
                r#"id="login-form""#,
                r#"id="username" name="username""#,
                r#"id="password" name="password""#,
                r#"id="login-submit""#,
                r#"id="login-cancel" name="action" value="deny" formnovalidate"#,
                r#"id="login-error" role="alert""#,
                r#"autocomplete="username webauthn""#,
                r#"autocomplete="current-password""#,
                r#"name="request" value="arq_1""#,
                r#"id="magic-form""#,
                r#"id="passkey-form""#,
                r#"id="email" name="email""#,
                r#"id="provider-google" href="/auth/login/federation/google?request=arq_1""#,
            ] {
                assert!(html.contains(name), "{name} in {html}");
            }
            page.request = None;
            page.problem = None;
            page.providers = &[];
            let html = check(&page);
            assert!(!html.contains("login-cancel") && !html.contains("login-error"));
            assert!(!html.contains("login/federation"));
        });
    }
    #[test]
    fn every_problem_with_a_provider_names_it() {
        each_language(|ui| {
            for problem in [
                ProviderProblem::Unavailable,
                ProviderProblem::Refused,
                ProviderProblem::Denied,
                ProviderProblem::Stale,
                ProviderProblem::NoAccount,
                ProviderProblem::NotInvited,
                ProviderProblem::LinkedElsewhere,
                ProviderProblem::Disabled,
            ] {
                let text = LoginProblem::Provider { provider: "Contoso", problem }.text(ui);
                assert!(text.contains("Contoso"), "{text}");
            }
        });
    }
}
