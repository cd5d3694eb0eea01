//! `/invitation/{reference}`: joining an organisation.

use askama::Template;

use crate::web::ui::Ui;

use super::fields::password_hint;
use super::{FieldErrors, FormProblem, Page, Person};

/// An open invitation: to accept with the account that is signed in, or to sign in or make an account for.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/invitation.html")]
pub struct InvitationPage<'a> {
    pub ui: &'a Ui<'a>,
    /// As it stands in the address.
    pub reference: &'a str,
    /// The text of its [`crate::model::InvitationId`], which proves nothing.
    pub id: &'a str,
    pub organisation: &'a str,
    pub email: &'a str,
    /// Who may accept: the account that has the address.
    pub account: Option<InvitedAccount<'a>>,
    /// Whether an account can be made here.
    pub may_join: bool,
    pub name: &'a str,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
    pub min_length: usize,
}

/// An account of this browser that has the invited address.
#[derive(Clone, Copy, Debug)]
pub struct InvitedAccount<'a> {
    pub session: &'a str,
    pub person: Person<'a>,
}

impl InvitationPage<'_> {
    fn password_hint(&self) -> String {
        password_hint(self.ui, self.min_length)
    }
}

impl Page for InvitationPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let person = Person { name: text, email: text };
                for (account, may_join, form) in [
                    (Some(InvitedAccount { session: text, person }), true, "invitation-form"),
                    (None, true, "invitation-join-form"),
                    (None, false, "invitation-sign-in"),
                ] {
                    let html = check(&InvitationPage {
                        ui,
                        reference: text,
                        id: text,
                        organisation: text,
                        email: text,
                        account,
                        may_join,
                        name: text,
                        errors: FieldErrors::default(),
                        problem: Some(FormProblem::Busy),
                        min_length: 12,
                    });
                    assert!(html.contains(&format!(r#"id="{form}""#)), "{form}");
                }
            }
        });
    }
}
