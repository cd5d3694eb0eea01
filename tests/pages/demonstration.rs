//! The demonstration application, from the landing page to signing out.

use super::journey::Journey;
use super::start;
use crate::on_both_databases;
use crate::support::{Settings, TestApp};

on_both_databases! {
    async fn a_person_signs_in_looks_at_the_tokens_and_signs_out(database) {
        let app = start(database).await;
        app.user("ada").await;
        the_demonstration(Journey::new(&app)).run().await;
    }

    async fn the_demonstration_needs_no_javascript_and_works_below_a_path(database) {
        let settings = Settings::with(|config| {
            config.issuer = config.issuer.at("/id").parse().expect("an issuer with a path");
        });
        let app = TestApp::start_with(database, settings.real_time()).await;
        app.user("ada").await;
        the_demonstration(Journey::new(&app).without_scripts()).run().await;
    }
}

fn the_demonstration(journey: Journey) -> Journey {
    journey
        .goto("/")
        .click("a[href$='/dev/app']")
        .see("#dev-signed-out")
        .click("#dev-sign-in")
        .sign_in("ada")
        .see("#consent-form")
        .click("#consent-allow")
        .see("#dev-verified")
        .see_text("ada@example.com")
        .click("#dev-refresh")
        .see("#dev-refreshed")
        .see("#dev-verified")
        .click("#dev-refresh")
        .see_text("Refreshed: 2")
        .not_see("#dev-problem")
        .click("#dev-sign-out")
        .see("#dev-signed-out")
        // The session is over, so the password is asked for again; the consent is remembered.
        .click("#dev-sign-in")
        .sign_in("ada")
        .see("#dev-signed-in")
}
