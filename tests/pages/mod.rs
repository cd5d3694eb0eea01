//! The pages in Chromium, as people see and use them: the demonstration, every page in light and dark on a phone and
//! a desktop, in both languages, with and without JavaScript, by mouse and by keyboard.
//!
//! Any accessibility violation that axe finds, any sideways scrolling, any warning in the browser's console (a broken
//! Content-Security-Policy among them) and any request to a foreign host is a failure. With
//! `COUNTERSIGN_TEST_SCREENSHOTS=FOLDER` the pages are photographed as well.

mod application;
mod console;
mod demonstration;
mod every_page;
mod factors;
mod first_steps;
mod flows;
mod journey;

use countersign::config::RegistrationMode;
use serde_json::json;

use crate::support::{Database, Settings, TestApp};

/// A server in real time, with an open door and little patience for wrong passwords.
async fn start(database: Database) -> TestApp {
    let settings = Settings::with(|config| {
        config.registration.mode = Some(RegistrationMode::Open);
        config.limits.login_failures.count = 2;
        config.providers = [("google", "google", None), ("work", "oidc", Some("Analytical Engines, Ltd"))]
            .map(|(id, kind, name)| {
                // Nobody is there.
                let provider = json!({
                    "id": id, "kind": kind, "name": name, "client_id": "ours", "client_secret": "s3cret",
                    "issuer": "http://127.0.0.1:9", "allow_private_network": true,
                });
                serde_json::from_value(provider).expect("good settings")
            })
            .into();
    });
    TestApp::start_with(database, settings.real_time()).await
}
