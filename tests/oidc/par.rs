//! Pushed authorization requests (RFC 9126, TE-11).

use std::time::Duration;

use serde_json::json;

use crate::on_both_databases;
use crate::support::{Database, Flow, PASSWORD, Settings, TestApp, TestClient, TokenAnswer};

const PAR: &str = "/oauth2/par";

async fn ready(database: Database) -> (TestApp, TestClient) {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    (app, client)
}

async fn push(client: &TestClient, flow: &Flow) -> TokenAnswer {
    let fields: Vec<(&str, &str)> = flow.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    client.call(PAR, &fields).await
}

async fn pushed(client: &TestClient, flow: &Flow) -> String {
    let answer = push(client, flow).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["request_uri"].as_str().unwrap().to_owned()
}

/// What the browser brings: the reference, and no more than must be.
fn front(client: &TestClient, request_uri: &str) -> Flow {
    let mut flow = client.flow("openid");
    flow.parameters.clear();
    flow.with("client_id", &client.client_id).with("request_uri", request_uri)
}

on_both_databases! {
    async fn oidc_5_3_a_pushed_request_is_stored_and_answered_with_a_reference(database) {
        let (app, client) = ready(database).await;
        let flow = client.flow("openid email").with("login_hint", "ada@example.com");
        let answer = push(&client, &flow).await;
        assert_eq!(answer.status, 201);
        assert_eq!((answer.header("cache-control"), answer.header("content-type")), ("no-store", "application/json"));
        let uri = answer.body["request_uri"].as_str().unwrap();
        let reference = uri.strip_prefix("urn:ietf:params:oauth:request_uri:").expect("RFC 9126 §2.2");
        assert!(reference.len() >= 22, "128 bits at least");
        let life = answer.body["expires_in"].as_u64().unwrap();
        assert!((5..=90).contains(&life), "{life}");
        assert_eq!(answer.body.as_object().unwrap().len(), 2);

        let mut browser = app.browser();
        let page = browser.get(&front(&client, uri).path()).await;
        assert_eq!(page.form("login-form").field("username"), Some("ada@example.com"));
        let page = browser.answer_login(&page, "ada", PASSWORD).await;
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        assert_eq!(page.query()["state"], flow.state);
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert_eq!(tokens.id_claims()["nonce"], flow.nonce.as_str());
    }

    async fn oidc_5_3_it_is_judged_at_once_and_answered_to_the_client(database) {
        let (app, client) = ready(database).await;
        let good = client.flow("openid");
        let with = |name: &str, value: &str| good.clone().with(name, value);
        for (flow, code) in [
            (good.clone().without("redirect_uri"), "invalid_request"),
            (with("redirect_uri", "https://evil.example/callback"), "invalid_request"),
            (good.clone().without("response_type"), "invalid_request"),
            (with("response_type", "token"), "unsupported_response_type"),
            (with("response_type", "code id_token"), "unsupported_response_type"),
            (good.clone().without("code_challenge"), "invalid_request"),
            (with("code_challenge_method", "plain"), "invalid_request"),
            (with("response_mode", "fragment"), "invalid_request"),
            (with("scope", "\"x\""), "invalid_scope"),
            (with("resource", "https://nowhere.example"), "invalid_target"),
            (with("request_uri", "urn:ietf:params:oauth:request_uri:x"), "invalid_request"),
            (with("request_uri", "https://calendar.example.org/r"), "invalid_request"),
            (with("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
            (with("prompt", "none login"), "invalid_request"),
            (with("client_id", "nobody"), "invalid_request"),
            (good.clone().and("state", "again"), "invalid_request"),
        ] {
            let answer = push(&client, &flow).await;
            assert_eq!((answer.status, &answer.body["error"]), (400, &json!(code)), "{:?}", flow.parameters);
            assert_eq!((answer.header("cache-control"), answer.header("location")), ("no-store", ""));
            assert!(answer.body.get("state").is_none());
        }
        // Its own name in the body is optional, since it has authenticated.
        assert_eq!(push(&client, &good.clone().without("client_id")).await.status, 201);
        // Who pushes has to be somebody.
        let fields: Vec<(&str, &str)> = good.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let answer = app.http.post(app.url(PAR)).form(&fields).send().await.unwrap();
        TokenAnswer::of(answer).await.expect_error("invalid_client");
        assert_eq!(app.http.get(app.url(PAR)).send().await.unwrap().status(), 405);
        let public = TestClient::register(&app, "spa", |registration| {
            registration.set("token_endpoint_auth_method", "none");
        })
        .await;
        assert_eq!(push(&public, &public.flow("openid").without("client_id")).await.status, 201);
    }

    async fn oidc_5_4_a_reload_before_login_works_and_a_completed_one_is_spent(database) {
        let (app, client) = ready(database).await;
        let flow = client.flow("openid");
        let uri = pushed(&client, &flow).await;
        let front = front(&client, &uri);
        let mut browser = app.browser();
        for _ in 0..3 {
            assert!(browser.get(&front.path()).await.has_id("login-form"));
        }
        // Even in two tabs, only one of which arrives.
        let (one, two) = (browser.get(&front.path()).await, browser.get(&front.path()).await);
        let page = browser.answer_login(&one, "ada", PASSWORD).await;
        let page = browser.submit(&page, "consent-form", &[], Some(("action", "allow"))).await;
        let code = page.query()["code"].clone();
        let page = browser.get(&two.url).await;
        assert!(!page.query().contains_key("code"), "{}", page.url);
        client.redeem(&flow, &code).await.expect_tokens();
        let again = browser.get(&front.path()).await;
        assert_eq!((again.status, again.header("location")), (400, ""));
        assert!(again.has_id("error-page") && again.text().contains("invalid_request_uri"), "{}", again.text());
        // Refusing spends it, too.
        let uri = pushed(&client, &flow).await;
        let mut other = app.browser();
        let page = other.get(&self::front(&client, &uri).path()).await;
        let page = other.submit(&page, "login-form", &[], Some(("action", "deny"))).await;
        assert_eq!(page.query()["error"], "access_denied");
        assert_eq!(other.get(&self::front(&client, &uri).path()).await.status, 400);
    }

    async fn oidc_5_4_of_twenty_that_complete_one_reference_together_one_gets_a_code(database) {
        let (app, client) = ready(database).await;
        let mut browser = app.browser();
        client.sign_in(&mut browser, "ada", "openid").await;
        let uri = pushed(&client, &client.flow("openid")).await;
        let path = front(&client, &uri).path();
        let tries = (0..20).map(|_| {
            let (mut browser, path) = (browser.clone(), path.clone());
            async move { browser.get(&path).await }
        });
        let pages = futures_util::future::join_all(tries).await;
        assert_eq!(pages.iter().filter(|page| page.query().contains_key("code")).count(), 1);
    }

    async fn oidc_5_4_unknown_expired_and_other_clients_references_are_refused(database) {
        let (app, client) = ready(database).await;
        let notes = app.client("notes").await;
        let uri = pushed(&client, &client.flow("openid")).await;
        for (client, uri) in [
            (&notes, uri.as_str()),
            (&client, "urn:ietf:params:oauth:request_uri:"),
            (&client, "urn:ietf:params:oauth:request_uri:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            (&client, &uri[..uri.len() - 1]),
            (&client, &uri.to_uppercase()),
        ] {
            let page = app.browser().get(&front(client, uri).path()).await;
            assert_eq!((page.status, page.header("location")), (400, ""), "{uri}");
            assert!(page.has_id("error-page"), "{}", page.text());
        }
        let bare = front(&client, &uri).without("client_id");
        let page = app.browser().get(&bare.path()).await;
        assert!(page.status == 400 && page.text().contains("client_id"));
        assert!(app.browser().get(&front(&client, &uri).path()).await.has_id("login-form"));
        app.advance(Duration::from_secs(90));
        let page = app.browser().get(&front(&client, &uri).path()).await;
        assert!(page.status == 400 && page.text().contains("invalid_request_uri"));
    }

    async fn te_11_what_stands_beside_the_reference_is_not_looked_at(database) {
        let (app, client) = ready(database).await;
        let flow = client.flow("openid");
        let uri = pushed(&client, &flow).await;
        let crowded = front(&client, &uri)
            .with("redirect_uri", "https://evil.example/callback")
            .with("scope", "openid email")
            .with("state", "other")
            .with("nonce", "other")
            .with("response_type", "token")
            .with("code_challenge", "other")
            .with("prompt", "none");
        let mut browser = app.browser();
        let page = client.visit(&mut browser, &crowded, "ada").await;
        assert!(page.url.starts_with(&client.redirect_uri), "{}", page.url);
        assert_eq!(page.query()["state"], "st4te");
        let tokens = client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
        assert_eq!((&tokens.body["scope"], &tokens.id_claims()["nonce"]), (&json!("openid"), &json!("n0nce")));
    }

    async fn oidc_5_5_a_client_can_be_bound_to_pushing(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = TestClient::register(&app, "bank", |registration| {
            registration.set("require_pushed_authorization_requests", true);
        })
        .await;
        let flow = client.flow("openid");
        let page = app.browser().get(&flow.path()).await;
        assert_eq!(page.query()["error"], "invalid_request");
        // A form is no way around: it is kept like a pushed request, but nobody authenticated.
        let posted = app.http.post(app.url("/oauth2/authorize")).form(&flow.parameters).send().await.unwrap();
        let location = posted.headers()["location"].to_str().unwrap().to_owned();
        assert!(location.contains("error=invalid_request"), "{location}");
        let uri = pushed(&client, &flow).await;
        let page = client.visit(&mut app.browser(), &front(&client, &uri), "ada").await;
        client.redeem(&flow, &page.query()["code"]).await.expect_tokens();
    }

    async fn ca_5_a_client_disabled_after_pushing_gets_nothing(database) {
        let app = TestApp::start_with(database, Settings::default()).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let uri = pushed(&client, &client.flow("openid")).await;
        crate::oidc::token::disable(&app, &client).await;
        let page = app.browser().get(&front(&client, &uri).path()).await;
        assert_eq!((page.status, page.header("location")), (400, ""));
    }
}
