//! `/account`: what people see and end of their own (SE-6).

use crate::on_both_databases;
use crate::support::TestApp;

on_both_databases! {
    async fn se_6_sessions_are_listed_and_ended_one_by_one(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let (mut here, mut there) = (app.browser(), app.browser());
        there.headers.push(("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0".to_owned()));
        there.sign_in("ada").await;
        here.sign_in("ada").await;
        let page = here.get("/account").await;
        assert!(page.text().contains("Firefox, Linux"), "{}", page.text());
        let forms = page.forms();
        let ends: Vec<_> = forms.iter().filter(|form| form.action == "/account/sessions/end").collect();
        assert_eq!(ends.len(), 2);
        // The current one stands first.
        let page = here.post("/account/sessions/end", &ends[1].fields).await;
        assert_eq!(page.url, app.url("/account"));
        assert!(there.get("/account").await.url.ends_with("/login"));
        let page = here.post("/account/sessions/end", &ends[0].fields).await;
        assert_eq!(page.url, app.url("/"));
        assert!(page.has_id("landing-sign-in") && !here.cookies.contains_key("cs-sessions"));
    }

    async fn se_6_nobody_ends_a_session_of_somebody_else(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        app.user("eve").await;
        let (mut ada, mut eve) = (app.signed_in("ada").await, app.signed_in("eve").await);
        let theirs = ada.get("/account").await.forms()[0].field("session").unwrap().to_owned();
        let mut form = eve.get("/account").await.forms()[0].clone();
        form.set("session", &theirs);
        eve.post("/account/sessions/end", &form.fields).await;
        assert!(ada.get("/account").await.url.ends_with("/account"));
    }

    async fn se_5_signing_out_everywhere_else_ends_what_applications_hold(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let (mut here, mut there) = (app.signed_in("ada").await, app.signed_in("ada").await);
        let tokens = client.sign_in(&mut there, "ada", "openid offline_access").await;
        let page = here.get("/account").await;
        here.submit(&page, "end-all-form", &[], None).await;
        assert!(here.get("/account").await.url.ends_with("/account"));
        assert!(there.get("/account").await.url.ends_with("/login"));
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&tokens.access_token).await["active"], false);
    }

    async fn se_6_an_application_loses_what_it_was_allowed(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.signed_in("ada").await;
        let tokens = client.sign_in(&mut browser, "ada", "openid offline_access").await;
        let page = browser.get("/account").await;
        assert!(page.has_id("applications") && page.text().contains("calendar"));
        let form = page.forms().into_iter().find(|form| form.action == "/account/applications/remove").unwrap();
        let page = browser.post(&form.action, &form.fields).await;
        assert!(!page.has_id("applications"));
        client.refresh(tokens.refresh_token()).await.expect_error("invalid_grant");
        assert!(browser.get(&client.flow("openid").path()).await.has_id("consent-form"));
        assert!(app.audit().await.contains(&"consent.withdrawn success".to_owned()));
    }

    async fn se_6_without_a_session_there_is_no_account(database) {
        let app = TestApp::start(database).await;
        let page = app.browser().get("/account").await;
        assert_eq!(page.url, app.url("/login"));
        assert!(page.has_id("login-form"));
        for path in ["/account/sessions/end", "/account/sessions/end-all", "/account/applications/remove"] {
            assert_eq!(app.browser().get(path).await.status, 405, "{path}");
            assert_eq!(app.browser().post(path, &[]).await.status, 403, "{path}");
        }
    }
}
