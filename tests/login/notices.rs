//! What people are told by mail of their account (LO-4).

use std::time::Duration;

use super::mails;
use crate::on_both_databases;
use crate::support::{Settings, TestApp};

on_both_databases! {
    async fn lo_4_a_browser_that_the_account_was_never_used_in_is_told_of(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.user("bob").await;
        // The first sign-in ever is the owner's own.
        let mut first = app.signed_in("ada").await;
        assert!(mails(&app).await.is_empty());

        let mut other = app.browser();
        other.headers.push(("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0".to_owned()));
        other.headers.push(("accept-language", "de".to_owned()));
        other.sign_in("ada").await;
        let told = mails(&app).await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].recipient, "ada@example.com");
        assert!(told[0].subject.starts_with("Neue Anmeldung"), "{}", told[0].subject);
        for fact in ["Browser: Firefox, Linux\n", "127.0.0.1", " UTC\n", &app.url("/account")] {
            assert!(told[0].body_text.contains(fact), "{fact}: {}", told[0].body_text);
        }

        // A browser that knows the account is told of no more, signed out or not; nor is its owner of another's.
        first.sign_in("ada").await;
        other.cookies.remove("cs-sessions");
        other.sign_in("ada").await;
        assert_eq!(mails(&app).await.len(), 1);
        first.sign_in("bob").await;
        assert_eq!(mails(&app).await.len(), 1, "bob's first sign-in ever");
    }

    async fn lo_4_a_wrong_password_in_an_unknown_browser_tells_nobody(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.signed_in("ada").await;
        let mut stranger = app.browser();
        let page = stranger.get("/login").await;
        stranger.answer_login(&page, "ada", "wrong").await;
        assert!(mails(&app).await.is_empty());
    }

    async fn lo_4_reuse_of_a_refresh_token_is_told_once(database) {
        let strict = Settings::with(|config| config.lifetimes.refresh_grace = Duration::ZERO);
        let app = TestApp::start_with(database, strict).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
        client.refresh(tokens.refresh_token()).await.expect_tokens();
        for _ in 0..3 {
            client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        }
        let told = mails(&app).await;
        assert_eq!(told.len(), 1, "the family is dead after the first reuse");
        assert!(told[0].body_text.contains("the application calendar"), "{}", told[0].body_text);
    }
}
