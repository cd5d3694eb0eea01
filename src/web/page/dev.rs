//! `/dev/app` and `/dev/mail`: what a developer sees of an instance on a loopback address.

use askama::Template;

use crate::clock::Timestamp;
use crate::web::ui::Ui;

use super::Page;

/// The demonstration client.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/dev_app.html")]
pub struct DevAppPage<'a> {
    pub ui: &'a Ui<'a>,
    pub state: DevAppState<'a>,
}

/// Whether the demonstration client holds tokens.
#[derive(Clone, Copy, Debug)]
pub enum DevAppState<'a> {
    /// `problem`: why the last attempt failed, in the words of the client library.
    SignedOut {
        problem: Option<&'a str>,
    },
    SignedIn(DevTokens<'a>),
}

/// What the demonstration client got.
#[derive(Clone, Copy, Debug)]
pub struct DevTokens<'a> {
    /// Claims of the ID token, each value as text.
    pub id_token: &'a [(String, String)],
    /// Claims that userinfo answered, each value as text.
    pub userinfo: &'a [(String, String)],
    /// The access token's header, as indented JSON.
    pub access_header: &'a str,
    /// The access token's claims, as indented JSON.
    pub access_claims: &'a str,
    pub verification: DevVerification<'a>,
    /// Whether there is a refresh token.
    pub may_refresh: bool,
    /// How often the tokens were refreshed.
    pub refreshed: u32,
    /// Why the last refresh failed.
    pub problem: Option<&'a str>,
}

/// The result of verifying the access token with the JWKS alone.
#[derive(Clone, Copy, Debug)]
pub enum DevVerification<'a> {
    Verified { alg: &'a str, kid: &'a str },
    Failed { reason: &'a str },
}

/// The development mailbox.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/dev_mail.html")]
pub struct DevMailPage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    /// The newest first.
    pub messages: &'a [DevMail<'a>],
}

/// One message in the list.
#[derive(Clone, Copy, Debug)]
pub struct DevMail<'a> {
    pub id: &'a str,
    pub to: &'a str,
    pub subject: &'a str,
    pub at: Timestamp,
}

/// One message.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/dev_mail_message.html")]
pub struct DevMailMessagePage<'a> {
    pub ui: &'a Ui<'a>,
    pub now: Timestamp,
    pub mail: DevMail<'a>,
    /// The plain text body.
    pub text: &'a str,
    /// The HTML body, shown as its source.
    pub html: &'a str,
    /// Only addresses below it can be clicked.
    pub issuer: &'a str,
}

impl DevMailMessagePage<'_> {
    /// The addresses of ours in the text, so that they can be clicked.
    fn links(&self) -> impl Iterator<Item = &str> {
        self.text
            .split_whitespace()
            .filter(|word| word.strip_prefix(self.issuer).is_some_and(|path| path.starts_with('/')))
    }
}

impl Page for DevAppPage<'_> {}
impl Page for DevMailPage<'_> {}
impl Page for DevMailMessagePage<'_> {}

#[cfg(test)]
mod tests {
    use super::super::testing::{AWKWARD, check, each_language};
    use super::*;

    #[test]
    fn the_application_renders_with_awkward_values() {
        each_language(|ui| {
            check(&DevAppPage { ui, state: DevAppState::SignedOut { problem: None } });
            for text in AWKWARD {
                let claims = [(text.to_owned(), text.to_owned())];
                for verification in [
                    DevVerification::Verified { alg: "ES256", kid: text },
                    DevVerification::Failed { reason: text },
                ] {
                    let tokens = DevTokens {
                        id_token: &claims,
                        userinfo: &claims,
                        access_header: text,
                        access_claims: text,
                        verification,
                        may_refresh: !text.is_empty(),
                        refreshed: 2,
                        problem: (!text.is_empty()).then_some(text),
                    };
                    check(&DevAppPage { ui, state: DevAppState::SignedIn(tokens) });
                }
                check(&DevAppPage { ui, state: DevAppState::SignedOut { problem: Some(text) } });
            }
        });
    }

    #[test]
    fn the_mailbox_renders_with_awkward_values() {
        let now = Timestamp::from_seconds(1_773_324_300);
        each_language(|ui| {
            check(&DevMailPage { ui, now, messages: &[] });
            for text in AWKWARD {
                let mail = DevMail { id: text, to: text, subject: text, at: now };
                check(&DevMailPage { ui, now, messages: &[mail] });
                let body = format!(
                    "Hello\n\nhttps://id.example.org/register/a?b=1&c=2\n\njavascript:alert(1) {text}"
                );
                let html = check(&DevMailMessagePage {
                    ui,
                    now,
                    mail,
                    text: &body,
                    html: text,
                    issuer: "https://id.example.org",
                });
                assert!(html.contains(r#"href="https://id.example.org/register/a?b=1&#38;c=2""#));
            }
        });
    }
}
