//! `/account/applications`.

use std::time::Duration;

use super::{press, send};
use crate::on_both_databases;
use crate::support::{TestApp, TestClient};

on_both_databases! {
    async fn se_6_an_application_loses_what_it_was_allowed(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        assert!(browser.get("/account/applications").await.has_id("no-applications"));
        let tokens = client.sign_in(&mut browser, "ada", "openid email offline_access").await;
        app.advance(Duration::from_secs(600));
        let tokens = client.refresh(tokens.refresh_token()).await.expect_tokens();
        app.advance(Duration::from_secs(60));
        let page = browser.get("/account/applications").await;
        for words in ["calendar", "See your e-mail address", "Allowed 11 minutes ago", "Last used 1 minute ago", "Stays connected while you are away"] {
            assert!(page.text().contains(words), "{words}: {}", page.text());
        }
        let page = press(&mut browser, &page, "/account/applications/remove", "client_id", &client.client_id).await;
        assert!(page.has_id("no-applications"), "{}", page.text());
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&tokens.access_token).await["active"], false);
        assert!(browser.get(&client.flow("openid").path()).await.has_id("consent-form"));
        assert!(app.audit().await.contains(&"consent.withdrawn success".to_owned()));
    }

    async fn se_6_an_application_of_the_house_is_listed_while_it_has_access(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "house", |registration| registration.first_party = true).await;
        let mut there = app.browser();
        client.sign_in(&mut there, "ada", "openid").await;
        let mut here = app.signed_in("ada").await;
        let page = here.get("/account/applications").await;
        assert!(page.text().contains("house") && !page.text().contains("Stays connected"), "{}", page.text());
        let page = here.get("/account/sessions").await;
        here.submit(&page, "end-all-form", &[], None).await;
        assert!(here.get("/account/applications").await.has_id("no-applications"), "it ended with its session");
    }

    async fn ak_1_nobody_takes_an_application_from_somebody_else(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.user("eve").await;
        let client = TestClient::register(&app, "<script>alert(1)</script>", |registration| {
            registration.set("redirect_uris", serde_json::json!(["https://calendar.example.org/callback"]));
            registration.set("post_logout_redirect_uris", serde_json::json!([]));
        }).await;
        let mut ada = app.browser();
        let tokens = client.sign_in(&mut ada, "ada", "openid offline_access").await;
        assert!(!ada.get("/account/applications").await.html.contains("<script>alert"), "CH-5");
        let mut eve = app.signed_in("eve").await;
        for client_id in [client.client_id.as_str(), "nonsense", "", "' OR 1=1 --"] {
            let page = send(&mut eve, "/account/applications/remove", &[("client_id", client_id)]).await;
            assert_eq!(page.status, 404, "{client_id}");
        }
        client.refresh(tokens.refresh_token()).await.expect_tokens();
    }
}
