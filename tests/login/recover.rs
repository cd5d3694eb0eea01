//! A forgotten password.

use std::time::Duration;

use countersign::audit::Origin;
use countersign::identity::recovery::{self, Asked, RegisteredRedirect};
use countersign::model::Language;
use countersign::store;
use countersign::tenancy::users;
use reqwest::Method;

use super::{assert_page_headers, comparable_headers, link, mail_about, mails};
use crate::on_both_databases;
use crate::support::{Browser, PASSWORD, Page, TestApp};

const NEW: &str = "eleven quiet herons 7";

on_both_databases! {
    async fn se_5_a_reset_sets_the_password_and_ends_everything_that_was_signed_in(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut elsewhere = app.browser();
        let tokens = client.sign_in(&mut elsewhere, "ada", "openid offline_access").await;

        let (mut browser, flow) = (app.browser(), client.flow("openid"));
        let page = browser.get(&flow.path()).await;
        let forgotten = page.links().into_iter().find(|link| link.contains("/recover?request=")).unwrap();
        let page = browser.get(&forgotten).await;
        assert_page_headers(&page);
        let page = ask(&mut browser, &page, "Ada@Example.com").await;
        assert!(page.status == 200 && page.has_id("link-sent"), "{}", page.text());
        let sent = mails(&app).await;
        assert_eq!((sent.len(), sent[0].recipient.as_str()), (1, "ada@example.com"));
        let path = link(&app, &sent[0]);
        // PW-7, and asking has changed nothing yet (RL-4).
        for method in [Method::GET, Method::HEAD].into_iter().cycle().take(20) {
            assert_eq!(app.browser().once(method, &path, None).await.status(), 200);
        }
        assert_eq!(elsewhere.get("/account").await.status, 200);
        client.refresh(tokens.refresh_token()).await.expect_tokens();

        let page = browser.get(&path).await;
        assert_page_headers(&page);
        assert_eq!(page.header("referrer-policy"), "no-referrer", "CH-3");
        for weak in ["short", "password1234", "ada@example.com"] {
            let refused = set(&mut browser, &page, weak).await;
            assert!(refused.status == 422 && refused.has_id("password-error"), "{weak}: {}", refused.text());
        }
        app.advance(Duration::from_secs(1));
        let page = set(&mut browser, &page, NEW).await;
        assert!(page.status == 200 && page.has_id("reset-done"), "{}", page.text());
        assert!(!browser.cookies.contains_key("cs-sessions"), "PW-10: nobody is signed in by it");

        // SE-5: every session and every grant is over, offline ones too.
        assert!(elsewhere.get("/account").await.url.ends_with("/login"));
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&tokens.access_token).await["active"], false);
        assert_eq!(browser.get(&path).await.status, 410, "it works once");
        assert_eq!(mail_about(&app, "password was changed").await.recipient, "ada@example.com");

        let back = page.links().into_iter().find(|link| link.contains("/login?request=")).unwrap();
        let page = browser.get(&back).await;
        let wrong = browser.answer_login(&page, "ada", PASSWORD).await;
        assert_eq!(wrong.status, 401);
        let page = browser.answer_login(&page, "ada", NEW).await;
        assert!(page.url.starts_with(&client.redirect_uri), "{} {}", page.url, page.text());
    }

    async fn pw_8_it_lives_half_an_hour_a_newer_one_voids_it_and_a_reset_voids_all(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/recover").await;
        ask(&mut browser, &page, "ada@example.com").await;
        app.advance(Duration::from_secs(1));
        ask(&mut browser, &page, "ada@example.com").await;
        app.advance(Duration::from_secs(1));
        let login = browser.get("/login").await;
        crate::login::magic::ask(&mut browser, &login, "ada@example.com").await;
        let sent: Vec<String> = mails(&app).await.iter().map(|mail| link(&app, mail)).collect();
        assert_eq!(browser.get(&sent[0]).await.status, 410);
        // PW-8: bound to its purpose.
        assert_eq!(browser.get(&sent[1].replace("/recover/", "/login/magic/")).await.status, 410);
        assert_eq!(browser.get(&sent[2].replace("/login/magic/", "/recover/")).await.status, 410);
        let reset = browser.get(&sent[1]).await;
        assert_eq!(browser.get(&sent[2]).await.status, 200);
        assert!(set(&mut browser, &reset, NEW).await.has_id("reset-done"));
        assert_eq!(browser.get(&sent[2]).await.status, 410, "the sign-in link is void too");

        app.advance(Duration::from_secs(3600));
        ask(&mut browser, &page, "ada@example.com").await;
        let path = link(&app, mails(&app).await.last().unwrap());
        app.advance(Duration::from_secs(1799));
        assert_eq!(browser.get(&path).await.status, 200);
        app.advance(Duration::from_secs(1));
        assert_eq!(browser.get(&path).await.status, 410);
    }

    async fn ar_1_of_many_that_reset_at_once_one_wins(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/recover").await;
        ask(&mut browser, &page, "ada@example.com").await;
        let mut form = browser.get(&link(&app, &mails(&app).await[0])).await.form("reset-form");
        form.set("password", NEW);
        let tries = (0..8).map(|_| {
            let (mut browser, form) = (browser.clone(), form.clone());
            async move { browser.once(Method::POST, &form.action, Some(&form.fields)).await.status().as_u16() }
        });
        let answers = futures_util::future::join_all(tries).await;
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    }

    async fn pw_6_every_address_gets_the_same_answer_and_pw_10_a_disabled_one_no_mail(database) {
        let app = TestApp::start(database).await;
        app.user("known").await;
        app.user_with("unverified", |user| user.email_verified = false).await;
        app.user_with("passwordless", |user| user.password = None).await;
        let disabled = app.user("disabled").await;
        users::disable(&app.app, disabled, &Origin::command_line()).await.unwrap();
        let mut answers = Vec::new();
        for name in ["known", "unknown", "disabled", "unverified", "passwordless"] {
            let mut browser = app.browser();
            let page = browser.get("/recover").await;
            let page = ask(&mut browser, &page, &format!("{name}@example.com")).await;
            let headers = comparable_headers(&page);
            let cookies: Vec<String> = browser.cookies.keys().cloned().collect();
            answers.push((page.status, page.html.replace(name, ""), headers, cookies));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:#?}");
        let sent = mails(&app).await;
        let mut to: Vec<&str> = sent.iter().map(|mail| mail.recipient.as_str()).collect();
        to.sort_unstable();
        assert_eq!(to, ["known@example.com", "passwordless@example.com", "unverified@example.com"]);
    }

    async fn pw_10_whoever_is_disabled_after_the_mail_went_out_stays_out(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let mut browser = app.browser();
        let page = browser.get("/recover").await;
        ask(&mut browser, &page, "ada@example.com").await;
        let page = browser.get(&link(&app, &mails(&app).await[0])).await;
        users::disable(&app.app, ada, &Origin::command_line()).await.unwrap();
        assert_eq!(set(&mut browser, &page, NEW).await.status, 410);
        users::enable(&app.app, ada, &Origin::command_line()).await.unwrap();
        app.browser().sign_in("ada").await;
    }

    async fn after_a_reset_earlier_wrong_tries_do_not_keep_the_owner_out(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let mut browser = app.browser();
        let login = browser.get("/login").await;
        for _ in 0..10 {
            browser.answer_login(&login, "ada", "wrong").await;
        }
        assert_eq!(browser.answer_login(&login, "ada", PASSWORD).await.status, 429);
        let page = browser.get("/recover").await;
        ask(&mut browser, &page, "ada@example.com").await;
        let page = browser.get(&link(&app, &mails(&app).await[0])).await;
        set(&mut browser, &page, NEW).await;
        assert_eq!(browser.answer_login(&login, "ada", NEW).await.status, 200);
    }

    async fn pw_14_only_an_address_that_a_client_registered_is_linked_to_afterwards(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let key = client.client_id.clone();
        let stored = app
            .read(move |db| store::clients::find_by_client_id(db, &key))
            .await
            .expect("the client is stored");
        for foreign in [
            "https://evil.example.org/callback",
            "https://calendar.example.org/elsewhere",
            "https://calendar.example.org/callback?next=https://evil.example.org",
            "https://calendar.example.org/callback/../x",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(RegisteredRedirect::of(&stored, foreign), None, "{foreign}");
        }
        let asked = Asked {
            email: "ada@example.com".to_owned(),
            language: Language::English,
            device: None,
            request: None,
            return_to: RegisteredRedirect::of(&stored, &client.redirect_uri),
        };
        recovery::request(&app.app, asked, &Origin::command_line()).await.unwrap();
        let sent = mails(&app).await;
        assert!(!sent[0].body_text.contains("calendar.example.org"), "the link is to our own page");
        let mut browser = app.browser();
        let page = browser.get(&link(&app, &sent[0])).await;
        let page = set(&mut browser, &page, NEW).await;
        assert!(page.links().contains(&client.redirect_uri), "{:?}", page.links());
    }
}

async fn ask(browser: &mut Browser, page: &Page, email: &str) -> Page {
    browser.submit(page, "recover-form", &[("email", email)], None).await
}

async fn set(browser: &mut Browser, page: &Page, password: &str) -> Page {
    browser.submit(page, "reset-form", &[("password", password)], None).await
}
