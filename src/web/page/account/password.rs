//! `/account/password`.

use askama::Template;

use crate::web::page::fields::password_hint;
use crate::web::page::{FieldError, FieldErrors, FormProblem};
use crate::web::ui::Ui;

use super::Section;

/// Asks for a new password.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/password.html")]
pub struct ChangePasswordPage<'a> {
    pub ui: &'a Ui<'a>,
    /// For password managers.
    pub username: &'a str,
    /// Without one, there is none to ask for.
    pub has_password: bool,
    pub end_others: bool,
    pub current_is_wrong: bool,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
    pub min_length: usize,
}

impl ChangePasswordPage<'_> {
    fn password_hint(&self) -> String {
        password_hint(self.ui, self.min_length)
    }

    fn current_error(&self) -> Option<FieldError> {
        self.current_is_wrong.then_some(FieldError::PasswordWrong)
    }

    fn is_wrong(&self) -> bool {
        self.current_is_wrong || self.problem.is_some() || !self.errors.all().is_empty()
    }
}

stands_in!(Password: ChangePasswordPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let full = !text.is_empty();
                for errors in FieldErrors::samples() {
                    for problem in FormProblem::SAMPLES {
                        let html = check(&ChangePasswordPage {
                            ui,
                            username: text,
                            has_password: full,
                            end_others: full,
                            current_is_wrong: full,
                            errors,
                            problem,
                            min_length: 12,
                        });
                        assert!(html.contains(r#"id="password-form""#));
                        assert_eq!(html.contains("current-password"), full);
                    }
                }
            }
        });
    }
}
