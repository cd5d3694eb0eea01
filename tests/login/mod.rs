//! The pages for people.

mod chooser;
mod consent;
mod credentials;
pub mod magic;
mod notices;
mod recover;
mod register;
mod setup;
mod sign_in;
mod timing;

use crate::support::{Page, TestApp};
use countersign::store::outbox::Message;

/// The mails in the outbox, oldest first.
pub async fn mails(app: &TestApp) -> Vec<Message> {
    let mut mails = app.read(|db| countersign::store::outbox::newest(db, 100)).await;
    mails.reverse();
    mails
}

/// The newest mail whose subject holds these words. Mails of one instant have no order of their own.
pub async fn mail_about(app: &TestApp, words: &str) -> Message {
    let found = mails(app).await.into_iter().rfind(|mail| mail.subject.contains(words));
    found.unwrap_or_else(|| panic!("no mail about {words:?}"))
}

/// The path of the link that stands alone on a line of the mail.
pub fn link(app: &TestApp, mail: &Message) -> String {
    let line =
        mail.body_text.lines().find(|line| line.starts_with(&app.issuer)).expect("the mail has a link");
    line[app.issuer.len()..].to_owned()
}

/// Headers that every page has (CH-2, CH-3, TK-13).
pub fn assert_page_headers(page: &Page) {
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{page:?}");
    assert_eq!(page.header("cache-control"), "no-store", "{}", page.url);
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{}", page.url);
}

/// What two answers must have alike (PW-6): all headers but those that are another's at every request.
fn comparable_headers(page: &Page) -> Vec<String> {
    let own = ["date", "x-request-id"];
    let mut headers: Vec<String> = page
        .headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()) && *name != "content-length")
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("a header is text")))
        .collect();
    headers.sort();
    headers
}
