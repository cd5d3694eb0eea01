//! The pages in Chromium, as people see and use them: the demonstration, every page in light and dark on a phone and
//! a desktop, in both languages, with and without JavaScript, by mouse and by keyboard.
//!
//! Any accessibility violation that axe finds, any sideways scrolling, any warning in the browser's console (a broken
//! Content-Security-Policy among them) and any request to a foreign host is a failure. With
//! `COUNTERSIGN_TEST_SCREENSHOTS=FOLDER` the pages are photographed as well.

mod application;
mod demonstration;
mod every_page;
mod factors;
mod flows;
mod journey;

use countersign::config::RegistrationMode;

use crate::support::{Database, Settings, TestApp};

/// A server in real time, with an open door and little patience for wrong passwords.
async fn start(database: Database) -> TestApp {
    let settings = Settings::with(|config| {
        config.registration.mode = Some(RegistrationMode::Open);
        config.limits.login_failures.count = 2;
    });
    TestApp::start_with(database, settings.real_time()).await
}
