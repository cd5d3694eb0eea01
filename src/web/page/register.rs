//! `/register`: making an account, from the form to the link in the mail.

use std::time::Duration;

use askama::Template;

use crate::web::ui::Ui;

use super::fields::password_hint;
use super::{FieldErrors, FormProblem, Page};

/// The registration form.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/register.html")]
pub struct RegisterPage<'a> {
    pub ui: &'a Ui<'a>,
    /// The authorization request that goes on afterwards.
    pub request: Option<&'a str>,
    pub name: &'a str,
    pub email: &'a str,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
    /// The shortest password that is taken (PW-2).
    pub min_length: usize,
}

/// The answer to every registration that was well formed, whoever has the address (PW-6).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/register_sent.html")]
pub struct RegisterSentPage<'a> {
    pub ui: &'a Ui<'a>,
    pub email: &'a str,
    pub lasts: Duration,
    /// Whether the issuer is a loopback address, so that mail is at `/dev/mail`.
    pub for_developers: bool,
}

/// What the link in the mail opens. Only its button spends the link (PW-7).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/register_confirm.html")]
pub struct RegisterConfirmPage<'a> {
    pub ui: &'a Ui<'a>,
    pub token: &'a str,
    pub email: &'a str,
}

impl RegisterPage<'_> {
    fn password_hint(&self) -> String {
        password_hint(self.ui, self.min_length)
    }
}

impl Page for RegisterPage<'_> {}
impl Page for RegisterSentPage<'_> {}
impl Page for RegisterConfirmPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn what_was_typed_comes_back_except_the_password() {
        each_language(|ui| {
            let errors = FieldErrors::samples()[1];
            let (name, email) = ("Ada Lovelace", "ada@");
            let page = RegisterPage { ui, request: None, name, email, errors, problem: None, min_length: 12 };
            let html = check(&page);
            for typed in [
                r#"name="name" type="text" value="Ada Lovelace""#,
                r#"name="email" type="email" value="ada@""#,
                r#"name="password" type="password" autocomplete"#,
                r#"aria-invalid="true" aria-describedby="password-error password-hint""#,
            ] {
                assert!(html.contains(typed), "{typed} in {html}");
            }
        });
    }

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                for errors in FieldErrors::samples() {
                    for problem in FormProblem::SAMPLES {
                        let request = (!text.is_empty()).then_some(text);
                        let html = check(&RegisterPage {
                            ui,
                            request,
                            name: text,
                            email: text,
                            errors,
                            problem,
                            min_length: 12,
                        });
                        assert!(html.contains(r#"id="register-form""#) && html.contains("new-password"));
                        assert_eq!(html.matches("aria-invalid").count(), errors.all().len());
                    }
                }
                for for_developers in [true, false] {
                    let lasts = Duration::from_secs(86_400);
                    check(&RegisterSentPage { ui, email: text, lasts, for_developers });
                }
                let html = check(&RegisterConfirmPage { ui, token: text, email: text });
                assert!(html.contains(r#"id="register-confirm""#));
            }
        });
    }
}
