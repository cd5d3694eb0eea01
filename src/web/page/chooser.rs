//! `/login/choose`: which of the accounts in this browser.

use askama::Template;

use crate::web::ui::Ui;

use super::{ClientCard, Page, Person};

/// The account chooser (`prompt=select_account`, or several sessions and no hint).
#[derive(Clone, Debug, Template)]
#[template(path = "pages/chooser.html")]
pub struct ChooserPage<'a> {
    pub ui: &'a Ui<'a>,
    pub request: &'a str,
    pub client: Option<ClientCard<'a>>,
    pub accounts: &'a [ChooserAccount<'a>],
}

/// A session that the browser may go on with.
#[derive(Clone, Copy, Debug)]
pub struct ChooserAccount<'a> {
    /// The text of its [`crate::model::SessionId`]; an identifier, not the cookie's secret.
    pub session: &'a str,
    pub person: Person<'a>,
}

impl Page for ChooserPage<'_> {
    fn image_origins(&self) -> Vec<String> {
        self.client.as_ref().map(ClientCard::image_origins).unwrap_or_default()
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
                let account = ChooserAccount { session: text, person: Person { name: text, email: text } };
                let nameless =
                    ChooserAccount { session: text, person: Person { name: "", email: "a@b.example" } };
                let html = check(&ChooserPage {
                    ui,
                    request: text,
                    client: Some(ClientCard::sample(text, true)),
                    accounts: &[account, nameless],
                });
                assert!(html.contains(r#"id="choose-form""#) && html.contains(r#"name="session""#));
                check(&ChooserPage { ui, request: text, client: None, accounts: &[] });
            }
        });
    }
}
