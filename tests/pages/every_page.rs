//! Every page, looked at in both languages.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::EmailAddress;
use countersign::tenancy::links;

use super::application::Application;
use super::journey::Journey;
use super::start;
use crate::support::{Database, PASSWORD};

/// Declares a test for each language.
macro_rules! in_each_language {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident, $locale:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn run($locale: &'static str) {
                let $app = start(Database::Sqlite).await;
                $app.user_with("ada", |new| new.name = "Ada Lovelace".to_owned()).await;
                $body
            }

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn english() {
                run("en-GB").await;
            }

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn german() {
                run("de-DE").await;
            }
        }
    )+};
}

in_each_language! {
    async fn signing_in(app, locale) {
        app.user_with("grace", |new| new.name = "Grace Brewster Murray Hopper".to_owned()).await;
        let application = Application::start(&app, "calendar").await;
        let flow = application.client.flow("openid profile email offline_access");
        let choose = flow.clone().with("prompt", "select_account");
        let again = flow.clone().with("prompt", "login");
        let wrong = |journey: Journey| {
            journey.fill("username", "mallory@example.com").fill("password", "not this one").click("#login-submit")
        };
        let mut journey = Journey::new(&app)
            .speaking(locale)
            .goto("/")
            .inspect("landing")
            .goto(&flow.path())
            .inspect("login");
        journey = journey.click("#provider-work").see("#login-error").inspect("login-provider-away");
        journey = wrong(journey).see("#login-error").inspect("login-wrong");
        journey = wrong(wrong(journey)).see("#login-error").inspect("login-throttled");
        journey = journey.sign_in("ada").see("#consent-form").inspect("consent");
        journey = journey.click("#consent-allow").see("#application");
        journey = journey.goto(&again.path()).see("#login-form").inspect("login-again");
        journey = journey.goto("/login").sign_in("grace");
        journey = journey.goto(&choose.path()).see("#choose-form").inspect("chooser");
        journey = journey.click("#choose-other").see("#login-form").inspect("login-another");
        journey = journey.goto("/").inspect("landing-signed-in");
        journey = journey.goto("/logout").see("#logout-form").inspect("logout");
        journey.click("#logout-confirm").see("#logged-out").inspect("logged-out").run().await;
    }

    async fn joining(app, locale) {
        let setup = links::first_administrator(&app.app).await.expect("the database answers");
        let setup = setup.expect("nobody administers yet");
        let rosa = EmailAddress::parse("rosa@example.com").expect("an address");
        let (soon, origin) = (Duration::from_secs(60), Origin::command_line());
        let invitation = links::invite(&app.app, &rosa, soon, &origin).await.expect("rosa is invited");
        let journey = Journey::new(&app)
            .speaking(locale)
            .goto("/register")
            .inspect("register")
            .fill("name", "Emmy Noether")
            .fill("email", "emmy@example.com")
            .fill("password", "password1234")
            .click("#register-submit")
            .see("#form-error")
            .inspect("register-wrong")
            .fill("password", PASSWORD)
            .click("#register-submit")
            .see("#register-sent")
            .inspect("register-sent")
            .click(".primary")
            .inspect("dev-mail")
            .click(".rows a")
            .inspect("dev-mail-message")
            .click(".mail-link")
            .see("#register-confirm-form")
            .inspect("register-confirm")
            .click("#register-confirm")
            .goto("/account")
            .see_text("emmy@example.com")
            .forget_cookies()
            .goto("/register/no-such-link")
            .see("#link-expired")
            .inspect("link-expired")
            .goto(&format!("/register/{}", invitation.expose()))
            .see("#invite-form")
            .inspect("invite")
            .fill("name", "Rosa")
            .fill("password", PASSWORD)
            .click("#invite-submit")
            .goto("/account")
            .see_text("rosa@example.com")
            .forget_cookies()
            .goto(&format!("/setup/{}", setup.expose()))
            .see("#setup-form")
            .inspect("setup")
            .fill("name", "Root")
            .fill("email", "root@example.com")
            .fill("password", "short")
            .click("#setup-submit")
            .see("#password-error")
            .inspect("setup-wrong")
            .fill("password", PASSWORD)
            .click("#setup-submit")
            .at(&app.url("/account"))
            .see_text("root@example.com");
        journey.run().await;
    }

    async fn being_signed_in(app, locale) {
        app.signed_in("ada").await;
        let journey = Journey::new(&app)
            .speaking(locale)
            .goto("/dev/app")
            .inspect("dev-app")
            .goto("/dev/mail")
            .inspect("dev-mail-empty")
            .goto("/dev/app")
            .click("#dev-sign-in")
            .sign_in("ada")
            .click("#consent-allow")
            .see("#dev-verified")
            .click("#dev-refresh")
            .see("#dev-refreshed")
            .inspect("dev-app-signed-in")
            .goto("/account")
            .inspect("account");
        journey.run().await;
    }

    async fn by_mail(app, locale) {
        let open_newest = |journey: Journey| journey.goto("/dev/mail").click(".rows a").click(".mail-link");
        let mut journey = Journey::new(&app)
            .speaking(locale)
            .goto("/login")
            .fill("email", "ada@example.com")
            .click("#magic-submit")
            .see("#magic-sent")
            .inspect("magic-sent")
            .fill("code", "no digits")
            .click("#code-submit")
            .see("#code-error")
            .inspect("magic-wrong");
        journey = open_newest(journey).see("#magic-confirm-form").inspect("magic-confirm");
        journey = journey.forget_cookies().reload().see("#magic-elsewhere").inspect("magic-confirm-elsewhere");
        journey = journey
            .click("#magic-confirm")
            .goto("/account/password")
            .see("#password-form")
            .inspect("change-password")
            .fill("current_password", "not this one")
            .fill("password", PASSWORD)
            .click("#password-submit")
            .see("#current_password-error")
            .inspect("change-password-wrong")
            .goto("/account/email")
            .see("#email-form")
            .inspect("change-email")
            .fill("email", "ada@new.example")
            .click("#email-submit")
            .see("#link-sent")
            .inspect("change-email-sent");
        journey = open_newest(journey).see("#email-confirm-form").inspect("email-confirm");
        journey = journey.click("#email-confirm").see("#email-done").inspect("email-done");
        journey = journey
            .goto("/login?next=/account/email")
            .see("#login-form")
            .inspect("login-confirm")
            .goto("/recover")
            .see("#recover-form")
            .inspect("recover")
            .fill("email", "ada@new.example")
            .click("#recover-submit")
            .see("#link-sent")
            .inspect("recover-sent");
        journey = open_newest(journey).see("#reset-form").inspect("reset").fill("password", "short");
        journey = journey.click("#reset-submit").see("#password-error").inspect("reset-wrong");
        journey = journey.fill("password", "eleven quiet herons 7").click("#reset-submit");
        journey.see("#reset-done").inspect("reset-done").run().await;
    }

    async fn being_lost(app, locale) {
        let application = Application::start(&app, "calendar").await;
        let flow = application.client.flow("openid");
        let elsewhere = flow.clone().with("redirect_uri", "https://evil.example.org/callback");
        let form_post = flow.clone().with("response_mode", "form_post");
        let journey = Journey::new(&app)
            .speaking(locale)
            .goto("/nowhere")
            .see("#error-page")
            .inspect("error-not-found")
            .goto(&elsewhere.path())
            .see("#error-parameter")
            .inspect("error-redirect-uri")
            .goto(&flow.path())
            .see("#login-form")
            .forget_cookies()
            .sign_in("ada")
            .see("#error-page")
            .inspect("error-expired")
            .goto("/oauth2/authorize/arq_unknown")
            .see("#error-page")
            .inspect("error-request-expired");
        journey.run().await;
        // With scripts this page is gone at once; without them axe cannot run.
        let journey = Journey::new(&app).speaking(locale).without_scripts();
        let journey = journey.goto(&form_post.path()).sign_in("ada").click("#consent-allow");
        journey.see("#form-post").inspect("form-post").run().await;
    }
}
