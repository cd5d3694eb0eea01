//! Second factors and passkeys in Chromium, with its virtual authenticator.

use super::journey::Journey;
use super::start;
use crate::factors::enrolled;
use crate::support::{Database, TestApp};

/// The landing page, by its whole address.
const HOME: &str = r"/^http:\/\/localhost:\d+\/$/";

async fn with_ada() -> TestApp {
    let app = start(Database::Sqlite).await;
    app.user_with("ada", |new| new.name = "Ada Lovelace".to_owned()).await;
    app
}

/// A code that was not spent by setting the application up: the next one, which is accepted early.
fn next_code(app: &TestApp, authenticator: &crate::factors::Authenticator) -> String {
    authenticator.code_at(app.clock.now().seconds() + 30)
}

async fn every_page(locale: &str) {
    let app = with_ada().await;
    app.user_with("grace", |new| new.name = "Grace Brewster Murray Hopper".to_owned()).await;
    let grace = enrolled(&app, "grace").await;
    let journey = Journey::new(&app)
        .speaking(locale)
        .authenticator()
        .goto("/login")
        .sign_in("ada")
        .goto("/account/security")
        .inspect("security-empty")
        .click("#factor-add")
        .inspect("enrol")
        .click("#totp-start")
        .see("#totp-form")
        .inspect("totp")
        .fill("code", "000000")
        .click("#totp-submit")
        .see("#factor-error")
        .inspect("totp-wrong")
        .goto("/account/security")
        .click("#factor-add")
        .fill("passkey-name", "Laptop")
        .click("#passkey-submit")
        .see("#recovery-codes")
        .inspect("recovery-codes")
        .click("#recovery-continue")
        .see("#passkeys")
        .inspect("security");
    let journey =
        journey.forget_cookies().without_autofill().goto("/login").sign_in("grace").see("#factor-form");
    let journey =
        journey.inspect("factor").fill("code", "000000").click("#factor-submit").see("#factor-error");
    let journey =
        journey.inspect("factor-wrong").goto("/login/factor?use=recovery").inspect("factor-recovery");
    let journey =
        journey.goto("/login/factor").fill("code", &next_code(&app, &grace)).click("#factor-submit");
    journey.at(HOME).run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_english() {
    every_page("en-GB").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_german() {
    every_page("de-DE").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mf_2_a_passkey_signs_in_by_autofill_by_its_button_and_after_a_password() {
    let app = with_ada().await;
    let journey = Journey::new(&app)
        .authenticator()
        .goto("/login")
        .sign_in("ada")
        .goto("/account/security")
        .click("#factor-add")
        .click("#passkey-submit")
        .see("#recovery-codes");
    // Nothing is pressed: the browser offers the passkey where the name is typed, and it is taken.
    let journey = journey.forget_cookies().goto("/login").at(HOME).goto("/account").see("#account");
    let journey = journey.forget_cookies().without_autofill().goto("/login").see("#passkey-form");
    let journey = journey.click("#passkey-submit").at(HOME).goto("/account").see("#account");
    let journey =
        journey.forget_cookies().goto("/login").sign_in("ada").see("#passkey-form").inspect("factor-passkey");
    journey.click("#passkey-submit").at(HOME).goto("/account").see("#account").run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_scripts_a_code_does_and_passkeys_are_not_offered() {
    let app = with_ada().await;
    let ada = enrolled(&app, "ada").await;
    let journey = Journey::new(&app).without_scripts().goto("/login").not_see("#passkey-form").sign_in("ada");
    let journey = journey.see("#factor-form").fill("code", &next_code(&app, &ada)).click("#factor-submit");
    journey.at(HOME).goto("/account").see("#account").run().await;
}
