//! `/account`: who I am here, where I am signed in, what I allowed.

use askama::Template;

use crate::clock::Timestamp;
use crate::web::ui::Ui;

use super::{Page, Person};

/// The account page.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account.html")]
pub struct AccountPage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    pub person: Person<'a>,
    pub emails: &'a [AccountEmail<'a>],
    /// The current session first.
    pub sessions: &'a [AccountSession<'a>],
    pub applications: &'a [AccountApplication<'a>],
}

/// An address of the account.
#[derive(Clone, Copy, Debug)]
pub struct AccountEmail<'a> {
    pub address: &'a str,
    pub verified: bool,
}

/// A browser that is signed in.
#[derive(Clone, Copy, Debug)]
pub struct AccountSession<'a> {
    /// The text of its [`crate::model::SessionId`].
    pub id: &'a str,
    /// Whether it is the one that looks at this page.
    pub current: bool,
    /// The browser as it is known to people: `Firefox on Linux`. May be empty.
    pub browser: &'a str,
    /// The address it was last seen at. May be empty.
    pub place: &'a str,
    pub seen_at: Timestamp,
}

/// An application that was given access.
#[derive(Clone, Copy, Debug)]
pub struct AccountApplication<'a> {
    pub client_id: &'a str,
    pub name: &'a str,
    pub since: Timestamp,
}

impl AccountSession<'_> {
    fn browser(&self, ui: &Ui<'_>) -> String {
        if self.browser.trim().is_empty() {
            ui.t("account.unknown_browser").to_owned()
        } else {
            self.browser.to_owned()
        }
    }
}

impl AccountApplication<'_> {
    fn name(&self) -> &str {
        if self.name.trim().is_empty() { self.client_id } else { self.name }
    }
}

impl Page for AccountPage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn renders_with_awkward_values() {
        let now = Timestamp::from_seconds(1_773_324_300);
        each_language(|ui| {
            for text in AWKWARD {
                let emails = [
                    AccountEmail { address: text, verified: true },
                    AccountEmail { address: text, verified: false },
                ];
                let session = AccountSession {
                    id: text,
                    current: true,
                    browser: text,
                    place: text,
                    seen_at: Timestamp(0),
                };
                let sessions = [session, AccountSession { current: false, seen_at: now, ..session }];
                let applications = [AccountApplication { client_id: text, name: text, since: now }];
                let person = Person { name: text, email: text };
                let html = check(&AccountPage {
                    ui,
                    now,
                    person,
                    emails: &emails,
                    sessions: &sessions,
                    applications: &applications,
                });
                assert_eq!(html.matches(r#"action="/auth/account/sessions/end""#).count(), 2);
                check(&AccountPage { ui, now, person, emails: &[], sessions: &[], applications: &[] });
            }
        });
    }
}
