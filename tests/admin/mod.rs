//! The console: who may enter, and each of its areas.

mod access;
mod api;
mod api_keys;
mod audit;
mod branding;
mod clients;
mod dialects;
mod explain;
mod keys;
mod many;
mod operation;
mod organisations;
mod overview;
mod providers;
mod resources;
mod setup;
mod users;

use std::collections::BTreeMap;

use countersign::model::{InstanceRole, UserId};

use crate::support::{Browser, Database, Page, TestApp, text};

/// A server with `root`, who administers the instance, and a browser in which they entered the console just now.
pub async fn console(database: Database) -> (TestApp, Browser) {
    let app = TestApp::start(database).await;
    user_with_role(&app, "root", InstanceRole::Administrator).await;
    let browser = app.signed_in("root").await;
    (app, browser)
}

pub async fn user_with_role(app: &TestApp, name: &str, role: InstanceRole) -> UserId {
    app.user_with(name, |new| new.instance_role = Some(role)).await
}

/// What the rows of a page's table are about, in its order.
pub fn listed(page: &Page) -> Vec<String> {
    let rows = page.html.split("<tbody>").nth(1).unwrap_or_default();
    let rows = rows.split("</tbody>").next().unwrap_or_default();
    let name = |row: &str| {
        let row = row.split("<bdi>").nth(1).expect("a name");
        row.split("</bdi>").next().expect("its end").to_owned()
    };
    rows.split("<th scope=\"row\"").skip(1).map(name).collect()
}

/// What stands in the rows of a page's table.
pub fn rows(page: &Page) -> String {
    let rows = page.html.split("<tbody>").nth(1).unwrap_or_default();
    text(rows.split("</tbody>").next().unwrap_or_default())
}

/// The text to copy that stands below this heading.
pub fn copied(page: &Page, label: &str) -> String {
    let block = page.html.split(&format!("<h3>{label}</h3>")).nth(1);
    let block = block.unwrap_or_else(|| panic!("no {label} to copy: {}", page.text()));
    block.split("<code>").nth(1).and_then(|code| code.split("</code>").next()).expect("a text").to_owned()
}

/// Sends to a path what a form of ours would.
pub async fn post(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Page {
    let page = browser.get("/account/profile").await;
    let csrf = page.forms().iter().find_map(|form| form.field("csrf").map(str::to_owned));
    let mut sent = BTreeMap::from([("csrf".to_owned(), csrf.expect("a form"))]);
    sent.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    browser.post(path, &sent.into_iter().collect::<Vec<_>>()).await
}

/// Presses the one button of the form that sends to this path.
pub async fn press(browser: &mut Browser, page: &Page, action: &str) -> Page {
    let forms = page.forms();
    let form = forms.iter().find(|form| form.action.ends_with(action));
    let form = form.unwrap_or_else(|| panic!("no form sends to {action}: {}", page.text()));
    browser.post(&form.action, &form.fields).await
}
