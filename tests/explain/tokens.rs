//! Token requests, client authentication and tokens that are refused.

use std::time::Duration;

use countersign::model::SigningAlg;
use serde_json::{Value, json};

use super::{assert_told, member, why};
use crate::oidc::private_key_jwt::{TYPE, good_claims};
use crate::on_both_databases;
use crate::support::{ClientKey, TestApp, TestClient, TokenAnswer};

async fn present(client: &TestClient, assertion: &str) -> TokenAnswer {
    let kind = ("grant_type", "client_credentials");
    client.token(&[kind, ("client_assertion_type", TYPE), ("client_assertion", assertion)]).await
}

on_both_databases! {
    async fn lo_3_a_code_is_told_by_what_is_wrong_with_it(database) {
        let app = TestApp::start(database).await;
        let ada = app.user("ada").await;
        let (client, other) = (app.client("calendar").await, app.client("other").await);
        let mut browser = app.browser();
        let mut code = async |flow: &crate::support::Flow| client.authorize(&mut browser, flow, "ada").await;
        let flow = client.flow("openid offline_access");

        let given = code(&flow).await;
        let answer = other.redeem(&flow, &given).await;
        let found = why(&app, &member(&answer)).await;
        assert_told(&found, "code_client", &[("presented by", &other.client_id)]);
        assert_eq!(found.told.kind.as_str(), "token");

        let mut wrong = flow.clone();
        wrong.verifier = "x".repeat(43);
        let answer = client.redeem(&wrong, &given).await;
        let facts = [("code_verifier", "its digest is not the code_challenge")];
        let found = why(&app, &member(&answer)).await;
        assert_told(&found, "pkce_verifier", &facts);
        assert_eq!(found.account.map(|account| account.id), Some(ada));

        let mut elsewhere = client.clone();
        elsewhere.redirect_uri = "https://calendar.example.org/other".to_owned();
        let answer = elsewhere.redeem(&flow, &given).await;
        assert_told(&why(&app, &member(&answer)).await, "redirect_uri", &[("differs in", "path"), ("asked", "/other")]);

        let tokens = client.redeem(&flow, &given).await.expect_tokens();
        app.advance(Duration::from_secs(7));
        let answer = client.redeem(&flow, &given).await;
        assert_told(&why(&app, &member(&answer)).await, "code_spent", &[("spent seconds ago", "7")]);
        let answer = client.refresh(tokens.refresh_token()).await;
        assert_told(&why(&app, &member(&answer)).await, "grant_over", &[("reason", "the grant was revoked")]);

        let given = code(&flow).await;
        app.advance(Duration::from_secs(100));
        let answer = client.redeem(&flow, &given).await;
        assert_told(&why(&app, &member(&answer)).await, "code_expired", &[("expired seconds ago", "40")]);
        let answer = client.redeem(&flow, "nonsense").await;
        assert_told(&why(&app, &member(&answer)).await, "code_unknown", &[]);
    }

    async fn lo_3_a_refresh_token_is_told_by_what_is_wrong_with_it(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
        let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh_token()), ("scope", "openid email")];
        let answer = client.token(&fields).await;
        assert_told(&why(&app, &member(&answer)).await, "scope", &[("missing", "email")]);
        client.refresh(tokens.refresh_token()).await.expect_tokens();
        app.advance(Duration::from_secs(3_600));
        let answer = client.refresh(tokens.refresh_token()).await;
        answer.expect_error("invalid_grant");
        let found = why(&app, &member(&answer)).await;
        assert_told(&found, "refresh_reused", &[("used seconds ago", "3600")]);
        let recorded: Vec<&str> = found.events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(recorded, ["token.refresh_reused"]);
        let answer = client.refresh("nonsense").await;
        assert_told(&why(&app, &member(&answer)).await, "refresh_unknown", &[]);
    }

    async fn lo_3_a_client_is_told_by_what_is_wrong_with_its_proof(database) {
        let app = TestApp::start(database).await;
        let mut client = app.client("calendar").await;
        client.secret = Some("not-the-secret".to_owned());
        let answer = client.refresh("x").await;
        assert_eq!(answer.status, 401);
        let found = why(&app, &member(&answer)).await;
        assert_told(&found, "client_secret", &[("presented", "one that is not the client's"), ("good secrets", "1")]);
        assert_eq!((found.told.kind.as_str(), found.told.status), ("client", 401));
        client.secret = None;
        client.auth = countersign::model::ClientAuthMethod::None;
        let answer = client.refresh("x").await;
        let facts = [("registered", "client_secret_basic"), ("presented", "none")];
        assert_told(&why(&app, &member(&answer)).await, "client_method", &facts);
        client.client_id = "nobody".to_owned();
        let answer = client.refresh("x").await;
        assert_told(&why(&app, &member(&answer)).await, "client_unknown", &[("client_id", "nobody")]);
    }

    async fn lo_3_an_assertion_is_told_by_its_key_and_its_clock(database) {
        let app = TestApp::start(database).await;
        let (known, unknown) = (ClientKey::new(SigningAlg::Es256, "k1"), ClientKey::new(SigningAlg::Es256, "k2"));
        let client = TestClient::register(&app, "batch", |registration| {
            registration.set("token_endpoint_auth_method", "private_key_jwt");
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("jwks", known.jwks());
        })
        .await;
        let answer = present(&client, &unknown.sign(&good_claims(&app, &client))).await;
        let found = why(&app, &member(&answer)).await;
        assert_told(&found, "assertion_key", &[("key asked for", "k2"), ("keys known", "k1")]);

        let now = app.clock.now().seconds();
        let signed = |name: &str, value: Value| {
            let mut claims = good_claims(&app, &client);
            claims[name] = value;
            known.sign(&claims)
        };
        for (name, at, ahead) in [("exp", now - 95, "-95"), ("exp", now + 4_000, "4000"), ("iat", now + 95, "95")] {
            let answer = present(&client, &signed(name, json!(at))).await;
            let found = why(&app, &member(&answer)).await;
            assert_told(&found, "assertion_time", &[("claim", name), ("seconds ahead of us", ahead)]);
        }
        let answer = present(&client, &signed("aud", json!("https://elsewhere.example"))).await;
        let found = why(&app, &member(&answer)).await;
        assert_told(&found, "assertion_claims", &[("aud", "\"https://elsewhere.example\""), ("expected", &app.issuer)]);
        let used = known.sign(&good_claims(&app, &client));
        present(&client, &used).await.expect_tokens();
        let answer = present(&client, &used).await;
        assert_told(&why(&app, &member(&answer)).await, "assertion_reused", &[]);
        let answer = client.token(&[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
        assert_eq!(answer.body["error"], "invalid_client");
    }

    async fn lo_3_a_bad_token_is_told_at_userinfo_introspection_and_our_own_api(database) {
        let app = TestApp::start(database).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid").await;
        let (signed, _) = tokens.access_token.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", "A".repeat(86));
        let answer = client.userinfo(&forged).await;
        let reference = answer.header("x-request-id").to_owned();
        assert_told(&why(&app, &reference).await, "token_signature", &[("algorithm", "ES256")]);

        app.advance(Duration::from_secs(15 * 60 + 30));
        let answer = client.userinfo(&tokens.access_token).await;
        let found = why(&app, answer.header("x-request-id")).await;
        assert_told(&found, "token_expired", &[("expired seconds ago", "30"), ("of client", &client.client_id)]);
        assert_eq!(found.account.and_then(|account| account.email).as_deref(), Some("ada@example.com"));
        let answer = client.call("/oauth2/introspect", &[("token", &tokens.access_token)]).await;
        assert_eq!(answer.body, json!({ "active": false }), "IR-1: the caller learns no more");
        let found = why(&app, answer.header("x-request-id")).await;
        assert_told(&found, "token_expired", &[]);
        assert_eq!(found.told.kind.as_str(), "api");
        let answer = app.http.get(app.url("/api/v1/me")).bearer_auth("nonsense").send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let reference = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_told(&why(&app, &reference).await, "token_malformed", &[]);
    }
}
