//! `/account/sessions`: where somebody is signed in.

use askama::Template;

use crate::clock::Timestamp;
use crate::model::AuthMethod;
use crate::web::ui::Ui;

use super::{Section, words};

/// The devices and sessions of an account.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/account/sessions.html")]
pub struct SessionsPage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    /// The current one first.
    pub sessions: &'a [AccountSession<'a>],
    /// Whether the others were ended just now.
    pub done: bool,
}

/// A browser that is signed in.
#[derive(Clone, Copy, Debug)]
pub struct AccountSession<'a> {
    /// The text of its [`crate::model::SessionId`].
    pub id: &'a str,
    /// Whether it is the one that looks at this page.
    pub current: bool,
    /// The browser as it is known to people: `Firefox, Linux`. May be empty.
    pub browser: &'a str,
    /// The address it came from. May be empty.
    pub place: &'a str,
    pub since: Timestamp,
    pub seen_at: Timestamp,
    pub methods: &'a [AuthMethod],
}

impl AccountSession<'_> {
    fn browser(&self, ui: &Ui<'_>) -> String {
        if self.browser.trim().is_empty() {
            ui.t("account.unknown_browser").to_owned()
        } else {
            self.browser.to_owned()
        }
    }

    fn methods(&self, ui: &Ui<'_>) -> String {
        words::methods(ui, self.methods)
    }
}

stands_in!(Sessions: SessionsPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::{AWKWARD, check, each_language};

    #[test]
    fn renders_with_awkward_values() {
        let now = Timestamp::from_seconds(1_773_324_300);
        each_language(|ui| {
            for text in AWKWARD {
                let session = AccountSession {
                    id: text,
                    current: true,
                    browser: text,
                    place: text,
                    since: Timestamp(0),
                    seen_at: now,
                    methods: AuthMethod::ALL,
                };
                let sessions = [session, AccountSession { current: false, methods: &[], ..session }];
                for done in [true, false] {
                    let html = check(&SessionsPage { ui, now, sessions: &sessions, done });
                    assert_eq!(html.matches(r#"action="/auth/account/sessions/end""#).count(), 2);
                    assert_eq!(html.contains(r#"id="signed-out""#), done);
                }
            }
        });
    }
}
