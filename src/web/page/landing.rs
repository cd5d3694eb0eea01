//! `/`: the front door.

use askama::Template;

use crate::web::ui::Ui;

use super::{Page, Person};

/// The landing page, signed out or signed in.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/landing.html")]
pub struct LandingPage<'a> {
    pub ui: &'a Ui<'a>,
    /// The accounts of this browser, the current one first. Empty means signed out.
    pub accounts: &'a [Person<'a>],
    /// Whether anyone may register here.
    pub may_register: bool,
    /// Whether the issuer is a loopback address, so that `/dev/…` exists.
    pub for_developers: bool,
}

impl Page for LandingPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        each_language(|ui| {
            for text in AWKWARD {
                let accounts =
                    [Person { name: text, email: text }, Person { name: "", email: "a@b.example" }];
                for (accounts, flag) in [(&accounts[..], true), (&[], true), (&[], false)] {
                    let html = check(&LandingPage { ui, accounts, may_register: flag, for_developers: flag });
                    assert_eq!(html.contains("/auth/dev/app"), flag);
                    assert_eq!(
                        html.contains("/auth/account\""),
                        !accounts.is_empty() || ui.account.is_some()
                    );
                }
            }
        });
    }
}
