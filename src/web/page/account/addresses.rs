//! `/account/addresses`: the addresses of an account; `/account/email`: another one instead of the primary one.

use askama::Template;

use crate::web::page::{FieldErrors, FormProblem};
use crate::web::ui::Ui;

use super::Section;

/// The addresses.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/addresses.html")]
pub struct AddressesPage<'a> {
    pub ui: &'a Ui<'a>,
    /// The primary one first.
    pub addresses: &'a [AccountAddress<'a>],
    /// Where to prove who is there, if that is needed before anything can be changed (SE-7).
    pub confirm: Option<&'a str>,
    /// Why the last change was not made.
    pub alert: Option<AddressProblem>,
    pub may_add: bool,
    /// What was typed for a new one.
    pub email: &'a str,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
}

/// An address of the account.
#[derive(Clone, Copy, Debug)]
pub struct AccountAddress<'a> {
    pub address: &'a str,
    pub primary: bool,
    pub verified: bool,
}

/// Why an address stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressProblem {
    NotVerified,
    Primary,
}

/// `/account/email`.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/email.html")]
pub struct ChangeEmailPage<'a> {
    pub ui: &'a Ui<'a>,
    pub current: &'a str,
    /// The address is not verified yet, so a link can be sent there again.
    pub may_verify: bool,
    pub email: &'a str,
    pub errors: FieldErrors,
    pub problem: Option<FormProblem>,
}

impl AccountAddress<'_> {
    fn has_actions(&self) -> bool {
        !self.primary || !self.verified
    }
}

impl AddressProblem {
    fn text(self, ui: &Ui<'_>) -> &'static str {
        match self {
            Self::NotVerified => ui.t("addresses.not_verified"),
            Self::Primary => ui.t("addresses.is_primary"),
        }
    }
}

stands_in!(Addresses: AddressesPage, ChangeEmailPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                for errors in FieldErrors::samples() {
                    let one = AccountAddress { address: text, primary: true, verified: true };
                    let addresses = [
                        one,
                        AccountAddress { primary: false, ..one },
                        AccountAddress { primary: false, verified: false, ..one },
                    ];
                    let page = AddressesPage {
                        ui,
                        addresses: &addresses,
                        confirm: None,
                        alert: Some(AddressProblem::NotVerified),
                        may_add: true,
                        email: text,
                        errors,
                        problem: None,
                    };
                    let html = check(&page);
                    let count = |action: &str| html.matches(&format!("/addresses/{action}\"")).count();
                    assert_eq!((count("primary"), count("remove"), count("resend")), (1, 2, 1));
                    let html = check(&AddressesPage { confirm: Some("/auth/login"), ..page.clone() });
                    assert!(!html.contains("<form"), "SE-7");
                    let alert = Some(AddressProblem::Primary);
                    check(&AddressesPage { addresses: &[], may_add: false, alert, ..page });
                    for (problem, may_verify) in
                        FormProblem::SAMPLES.into_iter().zip([true, false, true, false])
                    {
                        let page =
                            ChangeEmailPage { ui, current: text, may_verify, email: text, errors, problem };
                        assert!(check(&page).contains(r#"id="email-form""#));
                    }
                }
            }
        });
    }
}
