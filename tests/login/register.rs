//! `/register` and what its links open.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::config::RegistrationMode;
use countersign::model::EmailAddress;
use countersign::tenancy::links;
use reqwest::Method;

use super::{assert_page_headers, link, mails};
use crate::on_both_databases;
use crate::support::{Browser, PASSWORD, Page, Settings, TestApp};

on_both_databases! {
    async fn somebody_registers_confirms_and_comes_back_to_the_application(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let flow = client.flow("openid email");
        let page = browser.get(&flow.path()).await;
        let to_register = page.links().into_iter().find(|link| link.contains("/register?request=")).unwrap();
        let page = browser.get(&to_register).await;
        let page = register(&mut browser, &page, "Ada Lovelace", "Ada@Example.com", PASSWORD).await;
        assert!(page.has_id("register-sent") && page.text().contains("Ada@Example.com"), "{}", page.text());

        let mails = mails(&app).await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].recipient, "Ada@Example.com");
        let path = link(&app, &mails[0]);
        // PW-7: scanners look, by GET and HEAD, and spend nothing.
        for method in [Method::GET, Method::HEAD].into_iter().cycle().take(20) {
            let answer = app.browser().once(method, &path, None).await;
            assert_eq!(answer.status(), 200);
        }
        let page = browser.get(&path).await;
        assert_page_headers(&page);
        assert_eq!(page.header("referrer-policy"), "no-referrer", "CH-3");
        assert!(page.text().contains("ada@example.com"));
        let page = browser.submit(&page, "register-confirm-form", &[], None).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert_eq!(tokens.id_claims()["amr"], serde_json::json!(["mail"]));
        let userinfo = client.userinfo(&tokens.access_token).await;
        assert_eq!(userinfo.body["email_verified"], true);

        // The password that was chosen works, the link does not any more.
        app.browser().sign_in("ada").await;
        let page = browser.get(&path).await;
        assert_eq!(page.status, 410);
        assert!(page.has_id("link-expired"));
    }

    async fn pw_6_a_taken_address_looks_like_success_and_its_owner_is_told(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut answers = Vec::new();
        for email in ["new@example.com", "ada@example.com"] {
            let mut browser = app.browser();
            let page = browser.get("/register").await;
            let page = register(&mut browser, &page, "Somebody", email, PASSWORD).await;
            let cookies: Vec<String> = browser.cookies.keys().cloned().collect();
            answers.push((page.status, page.text().replace(email, "…"), cookies));
            app.advance(Duration::from_secs(1));
        }
        assert_eq!(answers[0], answers[1]);
        let mails = mails(&app).await;
        assert_eq!(mails[1].recipient, "ada@example.com");
        assert!(mails[1].body_text.contains(&app.url("/login")) && !mails[1].body_text.contains("/register/"));
        assert_eq!(app.browser().sign_in("ada").await.status, 200, "the password is unchanged");
    }

    async fn every_fault_is_named_at_once_and_what_was_typed_stays(database) {
        let app = TestApp::start(database).await;
        let mut browser = app.browser();
        let page = browser.get("/register").await;
        let page = register(&mut browser, &page, "", "not an address", "short").await;
        assert_eq!(page.status, 422);
        for id in ["name-error", "email-error", "password-error"] {
            assert!(page.has_id(id), "{id}: {}", page.text());
        }
        let form = page.form("register-form");
        assert_eq!((form.field("email"), form.field("password")), (Some("not an address"), Some("")));
        for weak in ["password1234", "Ada Lovelace", &"long enough ".repeat(30), "lovelace2026"] {
            let page = register(&mut browser, &page, "Ada Lovelace", "ada@example.com", weak).await;
            assert_eq!(page.status, 422, "{weak}");
            assert!(page.has_id("password-error") && !page.has_id("email-error"), "{weak}");
        }
        assert!(mails(&app).await.is_empty());
    }

    async fn pw_9_a_link_opened_elsewhere_signs_in_there_and_completes_no_request(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let (mut browser, mut elsewhere) = (app.browser(), app.browser());
        let page = browser.get(&client.flow("openid").path()).await;
        let to_register = page.links().into_iter().find(|link| link.contains("/register?request=")).unwrap();
        let page = browser.get(&to_register).await;
        register(&mut browser, &page, "Ada", "ada@example.com", PASSWORD).await;
        let path = link(&app, &mails(&app).await[0]);
        // Who began it may be a stranger: the password is chosen anew by who reads the address's mail.
        let page = elsewhere.get(&path).await;
        let own = "cobalt heron 17 whistles";
        let page = elsewhere.submit(&page, "invite-form", &[("name", "Ada"), ("password", own)], None).await;
        assert_eq!(page.url, app.url("/"));
        assert!(page.text().contains("ada@example.com"));
        assert!(browser.get("/account").await.url.ends_with("/login"));
        let page = browser.get("/login").await;
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.has_id("login-error"), "the stranger's password opens the account");
        assert_eq!(browser.answer_login(&page, "ada", own).await.status, 200);
    }

    async fn ar_1_of_many_that_confirm_at_once_one_wins(database) {
        let app = TestApp::start(database).await;
        let mut browser = app.browser();
        let page = browser.get("/register").await;
        register(&mut browser, &page, "Ada", "ada@example.com", PASSWORD).await;
        let path = link(&app, &mails(&app).await[0]);
        let page = browser.get(&path).await;
        let fields = page.form("register-confirm-form").fields;
        let tries = (0..10).map(|_| {
            let (mut browser, path, fields) = (browser.clone(), path.clone(), fields.clone());
            async move { browser.once(Method::POST, &path, Some(&fields)).await.status().as_u16() }
        });
        let mut statuses = futures_util::future::join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 303, "{statuses:?}");
        assert!(statuses[1..].iter().all(|status| *status == 410), "{statuses:?}");
        let users = app.read(|db| countersign::store::users::list(db, None, 10)).await;
        assert_eq!(users.len(), 1);
    }

    async fn pw_8_only_the_newest_link_works_and_only_for_a_day(database) {
        let app = TestApp::start(database).await;
        let mut browser = app.browser();
        let page = browser.get("/register").await;
        for _ in 0..2 {
            register(&mut browser, &page, "Ada", "ada@example.com", PASSWORD).await;
            app.advance(Duration::from_secs(1));
        }
        let mails = mails(&app).await;
        assert_eq!(browser.get(&link(&app, &mails[0])).await.status, 410);
        assert_eq!(browser.get(&link(&app, &mails[1])).await.status, 200);
        app.advance(Duration::from_secs(24 * 3_600));
        assert_eq!(browser.get(&link(&app, &mails[1])).await.status, 410);
    }

    async fn rl_3_registrations_and_mails_are_limited_with_one_answer(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/register").await;
        for at in 0..5 {
            let page = register(&mut browser, &page, "Ada", &format!("a{at}@example.com"), PASSWORD).await;
            assert_eq!(page.status, 200);
        }
        let page = register(&mut browser, &page, "Ada", "a6@example.com", PASSWORD).await;
        assert_eq!(page.status, 429);
        assert!(!page.header("retry-after").is_empty() && page.has_id("form-error"));
        assert_eq!(page.form("register-form").field("email"), Some("a6@example.com"));
        assert_eq!(mails(&app).await.len(), 5);
    }

    async fn rl_3_guessing_links_is_stopped(database) {
        let settings = Settings::with(|config| config.limits.link_tries.count = 3);
        let app = TestApp::start_with(database, settings).await;
        let mut browser = app.browser();
        for _ in 0..3 {
            assert_eq!(browser.get("/register/guess").await.status, 410);
        }
        let page = browser.get("/register/guess").await;
        assert_eq!(page.status, 429);
        assert!(!page.header("retry-after").is_empty());
    }

    async fn where_registration_is_not_open_there_is_no_form_and_an_invitation_works(database) {
        let settings = Settings::with(|config| config.registration.mode = Some(RegistrationMode::Invited));
        let app = TestApp::start_with(database, settings).await;
        let mut browser = app.browser();
        assert_eq!(browser.get("/register").await.status, 404);
        assert!(!browser.get("/login").await.links().iter().any(|link| link.contains("/register")));

        let path = invite(&app, "ada@example.com").await;
        let page = browser.get(&path).await;
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert!(page.html.contains("ada@example.com"));
        let page = browser.submit(&page, "invite-form", &[("name", ""), ("password", "short")], None).await;
        assert_eq!(page.status, 422);
        assert!(page.has_id("name-error") && page.has_id("password-error"));
        // What the form says of the address counts for nothing (PW-11).
        let fields = [("name", "Ada"), ("password", PASSWORD), ("email", "eve@example.com")];
        let page = browser.submit(&page, "invite-form", &fields, None).await;
        assert!(page.text().contains("ada@example.com"), "{}", page.text());
        assert_eq!(browser.get(&path).await.status, 410);
        app.browser().sign_in("ada").await;
    }

    async fn where_registration_is_closed_nobody_is_invited_and_no_link_works(database) {
        let settings = Settings::with(|config| config.registration.mode = Some(RegistrationMode::Closed));
        let app = TestApp::start_with(database, settings).await;
        let email = EmailAddress::parse("ada@example.com").unwrap();
        let hour = Duration::from_secs(3_600);
        let invited = links::invite(&app.app, &email, hour, &Origin::command_line()).await;
        assert!(matches!(invited, Err(links::InviteError::Closed)));
        // A link from before the registration was closed.
        let open = app.stop().await;
        let settings = Settings::with(|config| config.registration.mode = Some(RegistrationMode::Invited));
        let app = TestApp::serve(open, settings).await;
        let path = invite(&app, "ada@example.com").await;
        let settings = Settings::with(|config| config.registration.mode = Some(RegistrationMode::Closed));
        let app = TestApp::serve(app.stop().await, settings).await;
        assert_eq!(app.browser().get(&path).await.status, 410);
    }
}

async fn register(browser: &mut Browser, page: &Page, name: &str, email: &str, password: &str) -> Page {
    let fields = [("name", name), ("email", email), ("password", password)];
    browser.submit(page, "register-form", &fields, None).await
}

async fn invite(app: &TestApp, email: &str) -> String {
    let email = EmailAddress::parse(email).unwrap();
    let hour = Duration::from_secs(3_600);
    let secret = links::invite(&app.app, &email, hour, &Origin::command_line()).await.unwrap();
    format!("/register/{}", secret.expose())
}
