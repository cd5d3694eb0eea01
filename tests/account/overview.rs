//! `/account` and what all its pages have in common.

use std::time::Duration;

use super::{ACTS, PAGES, SENSITIVE, send};
use crate::factors;
use crate::login::assert_page_headers;
use crate::on_both_databases;
use crate::support::TestApp;

on_both_databases! {
    async fn every_page_has_one_navigation_that_says_where_one_is(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        for path in PAGES {
            let page = browser.get(path).await;
            assert_eq!((page.status, page.url.as_str()), (200, app.url(path).as_str()), "{}", page.text());
            assert_page_headers(&page);
            assert_eq!(page.html.matches("<nav ").count(), 1, "{path}");
            assert_eq!(page.html.matches("aria-current=\"page\"").count(), 1, "{path}");
            let links = page.links();
            for section in PAGES.iter().filter(|path| !["/account/email", "/account/delete"].contains(path)) {
                assert!(links.iter().any(|link| link == section), "{path} does not lead to {section}");
            }
            assert!(links.iter().any(|link| link == "/logout"), "{path}");
        }
    }

    async fn se_6_without_a_session_there_is_no_account(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        for path in PAGES {
            let page = app.browser().get(path).await;
            let expected = if path == "/account" { "/login".to_owned() } else { format!("/login?next={path}") };
            assert!(page.url == app.url(&expected) && page.has_id("login-form"), "{}", page.url);
        }
        for path in ACTS {
            assert_eq!(app.browser().post(path, &[]).await.status, 403, "{path}");
        }
        let mut browser = app.browser();
        let page = browser.get("/account/profile").await;
        let page = browser.answer_login(&page, "ada", crate::support::PASSWORD).await;
        assert!(page.has_id("profile-form"), "and back: {}", page.url);
    }

    async fn ch_1_nothing_is_changed_without_the_forms_token_or_by_looking(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        let before = app.audit().await;
        for act in ACTS {
            let fields = [("csrf".to_owned(), "x".repeat(43)), ("name".to_owned(), "Eve".to_owned())];
            for fields in [&fields[..], &fields[1..], &[]] {
                assert_eq!(browser.post(act, fields).await.status, 403, "{act}");
            }
            if !PAGES.contains(&act) {
                assert_eq!(browser.get(act).await.status, 405, "{act}");
            }
        }
        assert_eq!(app.audit().await, before);
    }

    async fn se_7_what_matters_wants_a_sign_in_of_just_now(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        app.advance(Duration::from_secs(301));
        let before = app.audit().await;
        for (act, back) in SENSITIVE {
            let fields = [
                ("address", "ada@example.com"),
                ("email", "new@example.com"),
                ("confirmation", "ada@example.com"),
                ("provider", "google"),
                ("identity", "fid_1"),
            ];
            let page = send(&mut browser, act, &fields).await;
            assert!(page.url.ends_with(&format!("/login?next={back}")), "{act}: {}", page.url);
        }
        for (path, form) in [("/account/addresses", "address-form"), ("/account/data", "export-form")] {
            let page = browser.get(path).await;
            assert!(page.has_id("confirm-first") && !page.has_id(form), "{path}: {}", page.text());
            let page = browser.get(&factors::href(&app, &page, "confirm-first")).await;
            let page = browser.answer_login(&page, "ada", crate::support::PASSWORD).await;
            assert!(page.has_id(form), "{path}: {}", page.url);
            app.advance(Duration::from_secs(301));
        }
        let mut after = app.audit().await;
        after.retain(|event| event != "session.begun success");
        assert_eq!(after, before.into_iter().filter(|event| event != "session.begun success").collect::<Vec<_>>());
    }

    async fn se_7_where_there_is_a_second_factor_it_is_what_is_asked_for(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let authenticator = factors::enrolled(&app, "ada").await;
        let mut browser = app.browser();
        let page = browser.sign_in("ada").await;
        factors::answer(&mut browser, &page, &authenticator.code(&app)).await;
        app.advance(Duration::from_secs(301));
        let page = browser.get("/account/delete").await;
        assert!(page.has_id("factor-form"), "{}", page.url);
        let page = factors::answer(&mut browser, &page, &authenticator.code(&app)).await;
        assert!(page.has_id("delete-form"), "{}", page.url);
    }

    async fn the_overview_says_what_is_worth_doing_and_what_happened(database) {
        let app = TestApp::start(database).await;
        app.user_with("ada", |user| {
            user.email_verified = false;
            user.name = "Ada <b>Lovelace</b>".to_owned();
        }).await;
        let mut browser = app.browser();
        browser.headers.push(("accept-language", "en".to_owned()));
        let page = browser.get("/login").await;
        browser.answer_login(&page, "ada", "wrong").await;
        let page = browser.get("/login").await;
        browser.answer_login(&page, "ada", crate::support::PASSWORD).await;
        let page = browser.get("/account").await;
        let text = page.text();
        for words in ["Confirm your e-mail address", "Add a second step", "A sign-in failed", "Signed in: Password", "127.0.0.1"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!page.html.contains("<b>Lovelace"), "CH-5");

        app.user("bob").await;
        let bob = factors::enrolled(&app, "bob").await;
        let mut browser = app.browser();
        let page = browser.sign_in("bob").await;
        factors::answer(&mut browser, &page, &bob.code(&app)).await;
        let page = browser.get("/account").await;
        assert!(page.has_id("all-well") && page.text().contains("Second step added"), "{}", page.text());
        assert!(!page.text().contains("A sign-in failed"), "of another account");
    }
}
