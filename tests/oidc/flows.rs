//! The authorization code flow, from the first request to the tokens.

use std::time::Duration;

use crate::on_both_databases;
use crate::support::TestApp;

on_both_databases! {
    async fn a_browser_signs_in_and_the_application_gets_its_tokens(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();

        let flow = client.flow("openid email offline_access");
        let page = browser.get(&flow.path()).await;
        assert!(page.has_id("login-form"), "{}", page.text());
        let page = browser.answer_login(&page, "ada", crate::support::PASSWORD).await;
        assert!(page.has_id("consent-form"), "{}", page.text());
        assert!(page.text().contains("calendar"));
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let query = page.query();
        assert!(page.url.starts_with(&client.redirect_uri), "{}", page.url);
        assert_eq!((query["state"].as_str(), query["iss"].as_str()), ("st4te", app.issuer.as_str()));

        let tokens = client.redeem(&flow, &query["code"]).await.expect_tokens();
        let id = tokens.id_claims();
        assert_eq!(id["iss"], app.issuer.as_str());
        assert_eq!(id["sub"], ada.to_string());
        assert_eq!(id["aud"], client.client_id.as_str());
        assert_eq!(id["nonce"], "n0nce");
        assert_eq!(id["amr"], serde_json::json!(["pwd"]));
        assert_eq!(id["auth_time"], app.clock.now().seconds());
        assert!(id.get("email").is_none(), "user claims belong to userinfo");
        let access = tokens.access_claims();
        assert_eq!(access["aud"], app.issuer.as_str());
        assert_eq!(access["client_id"], client.client_id.as_str());
        assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 900);

        let userinfo = client.userinfo(&tokens.access_token).await;
        assert_eq!(userinfo.body["sub"], ada.to_string());
        assert_eq!(userinfo.body["email"], "ada@example.com");
        assert_eq!(userinfo.body["email_verified"], true);
        assert!(client.refresh(tokens.refresh_token()).await.expect_tokens().refresh_token.is_some());
    }

    async fn te_1_a_code_is_good_for_its_client_address_and_verifier_only(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let (calendar, notes) = (app.client("calendar").await, app.client("notes").await);
        let mut browser = app.browser();
        let flow = calendar.flow("openid");
        let code = calendar.authorize(&mut browser, &flow, "ada").await;

        notes.redeem(&flow, &code).await.expect_error("invalid_grant");
        let mut wrong = flow.clone();
        wrong.verifier = "x".repeat(43);
        calendar.redeem(&wrong, &code).await.expect_error("invalid_grant");
        let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &calendar.redirect_uri)];
        calendar.token(&fields).await.expect_error("invalid_grant");
        let elsewhere = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", "https://calendar.example.org/elsewhere"),
            ("code_verifier", &flow.verifier),
        ];
        calendar.token(&elsewhere).await.expect_error("invalid_grant");
        // None of these has burned it for the right one.
        calendar.redeem(&flow, &code).await.expect_tokens();
    }

    async fn te_3_a_code_spent_twice_ends_what_it_gave(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        let code = client.authorize(&mut browser, &flow, "ada").await;
        let first = client.redeem(&flow, &code).await.expect_tokens();
        assert_eq!(client.introspect(&first.access_token).await["active"], true);

        client.redeem(&flow, &code).await.expect_error("invalid_grant");
        client.refresh(first.refresh_token()).await.expect_error("invalid_grant");
        assert_eq!(client.introspect(&first.access_token).await, serde_json::json!({"active": false}));
        assert_eq!(client.userinfo(&first.access_token).await.status, 401);
        assert!(app.audit().await.contains(&"code.replayed denied".to_owned()));
    }

    async fn te_3_of_fifty_that_redeem_a_code_together_one_wins(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        let code = client.authorize(&mut browser, &flow, "ada").await;
        let tries = (0..50).map(|_| client.redeem(&flow, &code));
        let answers = futures_util::future::join_all(tries).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1);
        answers.iter().filter(|answer| answer.status != 200).for_each(|lost| lost.expect_error("invalid_grant"));
    }

    async fn az_9_a_code_lives_for_a_minute(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let mut browser = app.browser();
        let flow = client.flow("openid");
        let code = client.authorize(&mut browser, &flow, "ada").await;
        app.advance(Duration::from_secs(60));
        client.redeem(&flow, &code).await.expect_error("invalid_grant");
    }

    async fn az_1_an_unchecked_address_is_never_redirected_to(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let flow = client.flow("openid");
        let cases = [
            (flow.clone().with("client_id", "cli_nobody"), "client_id"),
            (flow.clone().without("client_id"), "client_id"),
            (flow.clone().without("redirect_uri"), "redirect_uri"),
            (flow.clone().with("redirect_uri", "https://evil.example.org/callback"), "redirect_uri"),
            (flow.clone().with("redirect_uri", &format!("{}?a=b", client.redirect_uri)), "redirect_uri"),
            (flow.clone().with("redirect_uri", &format!("{}/", client.redirect_uri)), "redirect_uri"),
            (flow.clone().with("redirect_uri", &client.redirect_uri.to_uppercase()), "redirect_uri"),
        ];
        for (flow, parameter) in cases {
            let page = app.browser().get(&flow.path()).await;
            assert_eq!(page.status, 400, "{}", page.url);
            assert!(page.header("location").is_empty());
            assert!(page.has_id("error-page") && page.text().contains(parameter), "{}", page.text());
        }
    }

    async fn az_4_pkce_with_s256_is_required_of_every_client(database) {
        let app = TestApp::start(database).await;
        let client = app.client("calendar").await;
        let flow = client.flow("openid");
        let cases = [
            flow.clone().without("code_challenge").without("code_challenge_method"),
            flow.clone().with("code_challenge_method", "plain"),
            flow.clone().without("code_challenge_method"),
            flow.clone().with("code_challenge", "short"),
        ];
        for flow in cases {
            let query = app.browser().get(&flow.path()).await.query();
            assert_eq!(query["error"], "invalid_request");
            assert_eq!((query["state"].as_str(), query["iss"].as_str()), ("st4te", app.issuer.as_str()));
        }
    }
}
