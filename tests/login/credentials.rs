//! Changing the password and the address.

use std::time::Duration;

use super::{assert_page_headers, link, mail_about, mails};
use crate::on_both_databases;
use crate::support::{Browser, PASSWORD, Page, TestApp};

const NEW: &str = "eleven quiet herons 7";

on_both_databases! {
    async fn se_7_a_sign_in_older_than_five_minutes_is_repeated_and_leads_back(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        let fresh = browser.get("/account/password").await;
        assert!(fresh.has_id("password-form"), "{}", fresh.text());
        app.advance(Duration::from_secs(301));
        for path in ["/account/password", "/account/email"] {
            let page = browser.get(path).await;
            assert!(page.url.ends_with(&format!("/login?next={path}")), "{}", page.url);
            assert!(page.text().contains("Please sign in again as ada"), "{}", page.text());
        }
        // A form that was open all the time is not taken either.
        let late = change(&mut browser, &fresh, PASSWORD, NEW).await;
        assert!(late.has_id("login-form"), "{}", late.text());
        let page = browser.answer_login(&late, "ada", "wrong").await;
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        assert!(page.url.ends_with("/account/password") && page.has_id("password-form"), "{}", page.url);
        app.browser().sign_in("ada").await;
    }

    async fn ch_6_the_way_back_is_within_the_account_area(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        for next in ["https://evil.example.org/", "//evil.example.org", "/oauth2/authorize", "/account/../x"] {
            let mut browser = app.browser();
            let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            let page = browser.get(&format!("/login?next={encoded}")).await;
            assert_eq!(page.form("login-form").field("next"), None, "{next}");
            let page = browser.answer_login(&page, "ada", PASSWORD).await;
            assert_eq!(page.url, app.url("/"));
        }
    }

    async fn se_5_a_changed_password_ends_the_others_unless_told_not_to(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut other = app.browser();
        let tokens = client.sign_in(&mut other, "ada", "openid offline_access").await;
        let mut browser = app.signed_in("ada").await;

        let page = browser.get("/account/password").await;
        assert_page_headers(&page);
        assert_eq!(page.form("password-form").field("end_others"), Some("yes"), "offered, and on");
        let wrong = change(&mut browser, &page, "wrong", NEW).await;
        assert!(wrong.status == 422 && wrong.has_id("current_password-error"), "{}", wrong.text());
        let weak = change(&mut browser, &page, PASSWORD, "password1234").await;
        assert!(weak.status == 422 && weak.has_id("password-error"), "{}", weak.text());
        let mut kept = page.form("password-form");
        kept.fields.retain(|(name, _)| name != "end_others");
        kept.set("current_password", PASSWORD);
        kept.set("password", NEW);
        let page = browser.post(&kept.action, &kept.fields).await;
        assert!(page.url.ends_with("/account"), "{}", page.text());
        assert_eq!(other.get("/account").await.status, 200);
        let tokens = client.refresh(tokens.refresh_token()).await.expect_tokens();

        let page = browser.get("/account/password").await;
        change(&mut browser, &page, NEW, PASSWORD).await;
        assert!(other.get("/account").await.url.ends_with("/login"));
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert!(browser.get("/account").await.url.ends_with("/account"), "this session goes on");
        let told = mails(&app).await;
        let notices = told.iter().filter(|mail| mail.subject.contains("password was changed")).count();
        assert_eq!(notices, 2, "LO-4");
    }

    async fn rl_3_the_current_password_cannot_be_guessed_here(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/password").await;
        for _ in 0..10 {
            assert_eq!(change(&mut browser, &page, "wrong", NEW).await.status, 422);
        }
        let refused = change(&mut browser, &page, PASSWORD, NEW).await;
        assert!(refused.status == 429 && !refused.header("retry-after").is_empty());
    }

    async fn pw_13_a_new_address_counts_once_its_mail_was_opened_and_the_old_one_is_told(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut other = app.browser();
        let tokens = client.sign_in(&mut other, "ada", "openid email offline_access").await;
        let mut browser = app.signed_in("ada").await;
        // A link that is on its way when the address changes is void afterwards (PW-8).
        let mut stranger = app.browser();
        let start = stranger.get("/login").await;
        crate::login::magic::ask(&mut stranger, &start, "ada@example.com").await;

        let page = browser.get("/account/email").await;
        let page = browser.submit(&page, "email-form", &[("email", "Ada@New.example")], None).await;
        assert!(page.has_id("link-sent"), "{}", page.text());
        let sent = mail_about(&app, "Confirm this address").await;
        assert_eq!(sent.recipient, "Ada@New.example");
        assert_eq!(client.userinfo(&tokens.access_token).await.body["email"], "ada@example.com", "not yet");

        // PW-9: opened where nobody is signed in, it signs nobody in.
        let mut elsewhere = app.browser();
        let page = elsewhere.get(&link(&app, &sent)).await;
        assert!(page.text().contains("ada@new.example"), "{}", page.text());
        let page = elsewhere.submit(&page, "email-confirm-form", &[], None).await;
        assert!(page.has_id("email-done") && !elsewhere.cookies.contains_key("cs-sessions"), "{}", page.text());

        assert!(browser.get("/account").await.text().contains("Ada@New.example"));
        assert!(other.get("/account").await.url.ends_with("/login"), "SE-5");
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        let sign_in = mail_about(&app, "Sign in to").await;
        assert_eq!(app.browser().get(&link(&app, &sign_in)).await.status, 410, "PW-8");
        assert_eq!(mail_about(&app, "address was changed").await.recipient, "ada@example.com");

        let mut again = app.browser();
        let page = again.get("/login").await;
        assert_eq!(again.answer_login(&page, "ada@example.com", PASSWORD).await.status, 401);
        assert_eq!(again.answer_login(&page, "ada@new.example", PASSWORD).await.status, 200);
    }

    async fn pw_6_an_address_that_another_account_has_looks_like_any_other(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.user("bob").await;
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/email").await;
        let mut answers = Vec::new();
        for address in ["bob@example.com", "new@example.com"] {
            let answer = browser.submit(&page, "email-form", &[("email", address)], None).await;
            answers.push((answer.status, answer.html.replace(address, "")));
            app.advance(Duration::from_secs(1));
        }
        assert_eq!(answers[0], answers[1]);
        let sent = mails(&app).await;
        assert!(sent[0].recipient == "bob@example.com" && sent[0].body_text.contains(&app.url("/login")));
        // Taken between the mail and the click: the link is worth nothing.
        app.user("new").await;
        let page = browser.get(&link(&app, &sent[1])).await;
        assert_eq!(browser.submit(&page, "email-confirm-form", &[], None).await.status, 410);
    }

    async fn pw_13_an_address_of_ones_own_is_verified_and_nothing_else_changes(database) {
        let app = TestApp::start(database).await;
        app.user_with("ada", |user| user.email_verified = false).await;
        let client = app.client("calendar").await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid email offline_access").await;
        assert_eq!(client.userinfo(&tokens.access_token).await.body["email_verified"], false);
        let mut browser = app.signed_in("ada").await;
        let page = browser.get("/account/email").await;
        browser.submit(&page, "verify-form", &[], None).await;
        let path = link(&app, &mail_about(&app, "Confirm this address").await);
        let page = browser.get(&path).await;
        assert!(browser.submit(&page, "email-confirm-form", &[], None).await.has_id("email-done"));
        assert_eq!(client.userinfo(&tokens.access_token).await.body["email_verified"], true);
        client.refresh(tokens.refresh_token()).await.expect_tokens();
        assert_eq!(browser.get(&path).await.status, 410, "it works once");
        assert!(!browser.get("/account/email").await.has_id("verify-form"));
    }

    async fn ch_1_a_change_needs_the_token_of_the_form(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.signed_in("ada").await;
        for path in ["/account/password", "/account/email", "/recover", "/login/magic", "/login/code"] {
            let fields = [("email".to_owned(), "eve@example.org".to_owned())];
            assert_eq!(browser.post(path, &fields).await.status, 403, "{path}");
        }
        assert!(mails(&app).await.is_empty());
    }
}

async fn change(browser: &mut Browser, page: &Page, current: &str, new: &str) -> Page {
    browser.submit(page, "password-form", &[("current_password", current), ("password", new)], None).await
}
