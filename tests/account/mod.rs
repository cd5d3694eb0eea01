//! The account area: what somebody signed in sees and changes of their own account, and nobody of another's.

mod addresses;
mod api_keys;
mod applications;
mod data;
mod deletion;
mod overview;
mod profile;
mod providers;
mod sessions;

use countersign::model::UserId;
use countersign::store;

use crate::support::{Browser, Page, TestApp};

/// Every page of the area, and every act.
const PAGES: [&str; 12] = [
    "/account",
    "/account/profile",
    "/account/addresses",
    "/account/email",
    "/account/password",
    "/account/security",
    "/account/providers",
    "/account/sessions",
    "/account/applications",
    "/account/api-keys",
    "/account/data",
    "/account/delete",
];
const ACTS: [&str; 19] = [
    "/account/profile",
    "/account/addresses",
    "/account/addresses/primary",
    "/account/addresses/remove",
    "/account/addresses/resend",
    "/account/email",
    "/account/password",
    "/account/security/remove",
    "/account/security/recovery-codes",
    "/account/providers/link",
    "/account/providers/unlink",
    "/account/sessions/end",
    "/account/sessions/end-all",
    "/account/applications/remove",
    "/account/api-keys",
    "/account/api-keys/rotate",
    "/account/api-keys/revoke",
    "/account/data",
    "/account/delete",
];

/// The acts that want a proof of just now, with the page that asks for it.
const SENSITIVE: [(&str, &str); 11] = [
    ("/account/addresses", "/account/addresses"),
    ("/account/addresses/primary", "/account/addresses"),
    ("/account/addresses/remove", "/account/addresses"),
    ("/account/addresses/resend", "/account/addresses"),
    ("/account/email", "/account/email"),
    ("/account/providers/link", "/account/providers"),
    ("/account/providers/unlink", "/account/providers"),
    ("/account/api-keys", "/account/api-keys"),
    ("/account/api-keys/rotate", "/account/api-keys"),
    ("/account/data", "/account/data"),
    ("/account/delete", "/account/delete"),
];

/// Sends the form of this act that holds this value in this field; the page has several alike.
async fn press(browser: &mut Browser, page: &Page, act: &str, field: &str, value: &str) -> Page {
    let forms = page.forms();
    let form = forms.iter().find(|form| form.action == act && form.field(field) == Some(value));
    let form = form.unwrap_or_else(|| panic!("no {act} with {value} at {}: {}", page.url, page.text()));
    browser.post(act, &form.fields).await
}

/// Sends an act with these fields, with the form token of this browser.
async fn send(browser: &mut Browser, act: &str, fields: &[(&str, &str)]) -> Page {
    let token = browser.get("/account/sessions").await.form("end-all-form");
    let mut form = vec![("csrf".to_owned(), token.field("csrf").expect("a token").to_owned())];
    form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    browser.post(act, &form).await
}

async fn emails(app: &TestApp, user: UserId) -> Vec<(String, bool, bool)> {
    let emails = app.read(move |db| store::users::emails(db, user)).await;
    emails.into_iter().map(|e| (e.address, e.is_primary, e.verified_at.is_some())).collect()
}
