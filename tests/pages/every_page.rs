//! Every page, looked at in both languages.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::model::{EmailAddress, FederatedIdentityId, Language};
use countersign::store;
use countersign::store::federation::Identity;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::invitations::{self, Guest};
use countersign::tenancy::links;

use super::application::Application;
use super::journey::Journey;
use super::start;
use crate::federation::World;
use crate::support::{Database, PASSWORD, TestApp, TestOrganisation};

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

/// Something of everything that the account area shows, some of it long.
async fn a_full_account(app: &TestApp) {
    let find = |db: &mut store::Conn| store::users::find_by_login(db, "ada@example.com");
    let ada = app.read(find).await.expect("ada").id;
    for agent in ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/605.1.15", ""] {
        let mut browser = app.browser();
        browser.headers.push(("user-agent", agent.to_owned()));
        browser.sign_in("ada").await;
        let calendar = app.client(&format!("calendar{}", agent.len())).await;
        calendar.sign_in(&mut browser, "ada", "openid profile email address phone offline_access").await;
    }
    let (now, random) = (app.clock.now(), app.app.random.clone());
    let added = app.app.db.write(move |db| {
        let long = "augusta.ada.king-noel.countess.of.lovelace@analytical-engines.example.org";
        for (address, verified) in [(long, Some(now)), ("ada@old.example.com", None)] {
            let address = EmailAddress::parse(address).expect("an address");
            store::users::insert_email(db, ada, &address, false, verified, now)?;
        }
        for (provider, label) in [("google", long), ("gone", "")] {
            let identity = Identity {
                id: FederatedIdentityId::new(now, &random),
                user_id: ada,
                provider_id: provider.to_owned(),
                issuer: "https://accounts.google.com".to_owned(),
                subject: "42".to_owned(),
                label: label.to_owned(),
                created_at: now,
                last_used_at: now,
            };
            store::federation::insert_identity(db, &identity)?;
        }
        Ok(())
    });
    added.await.expect("stored");
}

/// Invites, and gives the path of the mailed link.
async fn invite(app: &TestApp, to: &TestOrganisation, email: &str) -> String {
    let guest = Guest {
        email: EmailAddress::parse(email).expect("an address"),
        workspace: None,
        roles: ["member".to_owned()].into(),
        language: Language::default(),
        lifetime: Duration::from_secs(3_600),
    };
    let sent = invitations::send(&app.app, Actor::Operator, to.id, guest, &Origin::command_line()).await;
    sent.expect("it is sent");
    let mail = app.read(|db| store::outbox::newest(db, 10)).await;
    let mail = mail.into_iter().find(|mail| mail.recipient == email).expect("a mail");
    let line = mail.body_text.lines().find(|line| line.starts_with(&app.issuer)).expect("a link");
    line[app.issuer.len()..].to_owned()
}

/// Somebody came from a provider whose address belongs to an account: the sign-in page says what it will link.
async fn a_link_waits(locale: &'static str) {
    let world = World::of(Database::Sqlite, "google").await;
    world.app.user("ada").await;
    let mut browser = world.app.browser();
    let page = world.sign_in(&mut browser).await;
    let path = page.url.strip_prefix(&world.app.issuer).expect("a page of ours");
    let journey = Journey::new(&world.app)
        .speaking(locale)
        .goto("/livez")
        .cookie("cs-browser", &browser.cookies["cs-browser"])
        .goto(path)
        .see("#login-link")
        .inspect("login-linking");
    journey.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_waits_english() {
    a_link_waits("en-GB").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_waits_german() {
    a_link_waits("de-DE").await;
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
            .at(&app.url("/admin/setup"))
            .see("#step-administrator");
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

    async fn the_account_area(app, locale) {
        a_full_account(&app).await;
        let journey = Journey::new(&app)
            .speaking(locale)
            .goto("/dev/app")
            .click("#dev-sign-in")
            .sign_in("ada")
            .click("#consent-allow")
            .see("#dev-verified")
            .goto("/account")
            .see("#activity")
            .inspect("account-overview")
            .goto("/account/profile")
            .fill("name", " ")
            .click("#profile-submit")
            .see("#name-error")
            .inspect("account-profile-wrong")
            .fill("name", "Augusta Ada King-Noel, Countess of Lovelace")
            .choose("zoneinfo", "America/Argentina/Buenos_Aires")
            .click("#profile-submit")
            .see("#saved")
            .inspect("account-profile")
            .goto("/account/addresses")
            .see("#addresses")
            .inspect("account-addresses")
            .goto("/account/providers")
            .see("#identities")
            .inspect("account-providers")
            .goto("/account/sessions")
            .inspect("account-sessions")
            .goto("/account/applications")
            .see("#applications")
            .inspect("account-applications")
            .goto("/account/data")
            .inspect("account-data")
            .click("#delete-link")
            .see("#delete-form")
            .inspect("account-delete")
            .fill("confirmation", "somebody@example.com")
            .click("#delete-submit")
            .see("#confirmation-error")
            .inspect("account-delete-wrong")
            .fill("confirmation", "ada@example.com")
            .click("#delete-submit")
            .see("#account-deleted")
            .inspect("account-deleted");
        journey.run().await;
    }

    async fn an_account_with_little_in_it(app, locale) {
        app.user_with("root", |new| new.instance_role = Some(countersign::model::InstanceRole::Administrator)).await;
        let journey = Journey::new(&app)
            .speaking(locale)
            .goto("/login")
            .sign_in("root")
            .goto("/account/providers")
            .see("#no-identities")
            .inspect("account-providers-empty")
            .goto("/account/applications")
            .see("#no-applications")
            .inspect("account-applications-empty")
            .goto("/account/sessions")
            .click("#end-all")
            .see("#signed-out")
            .inspect("account-sessions-ended")
            .goto("/account/delete")
            .see("#delete-error")
            .inspect("account-delete-last");
        journey.run().await;
    }

    async fn belonging(app, locale) {
        let ada = app.read(|db| store::users::find_by_login(db, "ada@example.com")).await.expect("ada").id;
        let mut organisations = Vec::new();
        for slug in ["analytical-engines", "a-very-long-name-of-an-organisation-that-has-several-parts"] {
            let organisation = app.organisation(slug).await;
            app.member(&organisation, ada, &["admin"]).await;
            organisations.push(organisation);
        }
        let third = app.organisation("third").await;
        let known = invite(&app, &third, "ada@example.com").await;
        let stranger = invite(&app, &third, "grace@example.com").await;
        let application = Application::start_with(&app, "calendar", true).await;
        let flow = application.client.flow("openid");
        let mut journey = Journey::new(&app)
            .speaking(locale)
            .goto(&stranger)
            .see("#invitation-join-form")
            .inspect("invitation-join")
            .fill("name", "Grace Hopper")
            .fill("password", "short")
            .click("#invitation-join")
            .see("#password-error")
            .inspect("invitation-join-wrong")
            .goto(&known)
            .see("#invitation-sign-in")
            .inspect("invitation-sign-in")
            .goto("/login")
            .sign_in("ada")
            .goto(&known)
            .see("#invitation-form")
            .inspect("invitation");
        journey = journey
            .goto(&flow.path())
            .see("#organization-form")
            .inspect("organisation-choice")
            .goto("/account/api-keys")
            .see("#no-keys")
            .inspect("account-api-keys-empty")
            .fill("name", "Importer of everything that the engines have ever computed")
            .fill("scopes", "events:read \"quoted\"")
            .click("#api-key-submit")
            .see("#scopes-error")
            .inspect("account-api-keys-wrong")
            .fill("scopes", "events:read members:read")
            .click("#api-key-submit")
            .see("#new-key")
            .inspect("account-api-keys-new")
            .goto("/account/api-keys")
            .see("#api-keys")
            .inspect("account-api-keys");
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
