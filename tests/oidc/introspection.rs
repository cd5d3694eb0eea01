//! Introspection: to whom, about what, and from which truth (RFC 7662, IR-1, IR-2).

use std::time::Duration;

use serde_json::{Value, json};

use super::client_credentials::{API, resource};
use crate::on_both_databases;
use crate::support::{ClientKey, Database, TestApp, TestClient, TokenAnswer, Tokens, claims, part, unsigned};
use countersign::model::SigningAlg;

const PATH: &str = "/oauth2/introspect";

struct House {
    app: TestApp,
    /// Holds the tokens.
    client: TestClient,
    /// Serves the API that the access token is for.
    api: TestClient,
    /// Neither.
    stranger: TestClient,
    tokens: Tokens,
}

async fn ready(database: Database) -> House {
    let app = TestApp::start(database).await;
    app.user_with("ada", |user| user.username = Some("ada".to_owned())).await;
    resource(&app, API, &["events:read"], None).await;
    let client = TestClient::register(&app, "calendar", |registration| {
        registration.set("scope", "openid offline_access events:read");
    })
    .await;
    let api = TestClient::register(&app, "api", |registration| {
        registration.set("grant_types", json!(["client_credentials"]));
        registration.set("redirect_uris", json!([]));
        registration.audiences = vec![API.to_owned()];
    })
    .await;
    let stranger = app.client("stranger").await;
    let tokens = client.sign_in(&mut app.browser(), "ada", "openid offline_access events:read").await;
    House { app, client, api, stranger, tokens }
}

/// The whole of an answer that must not differ between the cases.
fn shape(answer: &TokenAnswer) -> (u16, String, Vec<String>) {
    let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    headers.sort_unstable();
    (answer.status, answer.body.to_string(), headers)
}

async fn ask(client: &TestClient, token: &str) -> TokenAnswer {
    client.call(PATH, &[("token", token)]).await
}

on_both_databases! {
    async fn oidc_10_2_an_active_token_is_described(database) {
        let House { app, client, api, tokens, .. } = ready(database).await;
        let access = tokens.access_claims();
        for caller in [&client, &api] {
            let answer = ask(caller, &tokens.access_token).await;
            assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
            assert_eq!(answer.header("content-type"), "application/json");
            let body = answer.body;
            assert_eq!((&body["active"], &body["token_type"]), (&json!(true), &json!("Bearer")));
            for claim in ["scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti"] {
                assert_eq!(body[claim], access[claim], "{claim}");
            }
            assert_eq!(body["username"], "ada");
        }
        let refresh = ask(&client, tokens.refresh_token()).await.body;
        assert_eq!((&refresh["active"], &refresh["client_id"]), (&json!(true), &json!(client.client_id)));
        assert!(refresh["exp"].as_i64().unwrap() > app.clock.now().seconds() + 86_400);
        assert!(refresh.get("token_type").is_none(), "it is no bearer token for an API");
        // A hint is a hint.
        for hint in ["refresh_token", "access_token", "nonsense"] {
            for token in [&tokens.access_token, tokens.refresh_token()] {
                let answer = client.call(PATH, &[("token", token), ("token_type_hint", hint)]).await;
                assert_eq!(answer.body["active"], true, "{hint}");
            }
        }
    }

    async fn ir_1_everything_else_reads_the_same(database) {
        let House { app, client, api, stranger, tokens } = ready(database).await;
        let expected = shape(&ask(&client, "unknown").await);
        assert_eq!((expected.0, expected.1.as_str()), (200, r#"{"active":false}"#));
        let expired = client.sign_in(&mut app.browser(), "ada", "openid").await;
        app.advance(Duration::from_secs(900));
        let fresh = client.sign_in(&mut app.browser(), "ada", "openid offline_access events:read").await;
        let revoked = client.sign_in(&mut app.browser(), "ada", "openid").await;
        client.call("/oauth2/revoke", &[("token", &revoked.access_token)]).await;
        let spent = fresh.refresh_token().to_owned();
        let next = client.refresh(&spent).await.expect_tokens();
        let cases = [
            ("another client's access token", &stranger, next.access_token.as_str()),
            ("another client's refresh token", &stranger, next.refresh_token()),
            ("a refresh token shown to an API", &api, next.refresh_token()),
            ("an access token of another audience", &api, revoked.access_token.as_str()),
            ("expired", &client, expired.access_token.as_str()),
            ("revoked", &client, revoked.access_token.as_str()),
            ("spent", &client, spent.as_str()),
            ("an ID token", &client, next.id_token.as_deref().unwrap()),
            ("a client secret", &client, client.secret.as_deref().unwrap()),
            ("long", &client, &"x".repeat(10_000)),
            ("unreadable", &client, "ünï \u{7f}"),
        ];
        for (what, caller, token) in cases {
            assert_eq!(shape(&ask(caller, token).await), expected, "{what}");
        }
        assert_eq!(ask(&client, &tokens.access_token).await.body["active"], false, "it has expired too");
        assert_eq!(ask(&client, next.refresh_token()).await.body["active"], true);
    }

    async fn ir_2_an_altered_token_is_inactive(database) {
        let House { app: _app, client, tokens, .. } = ready(database).await;
        let token = tokens.access_token.as_str();
        let parts: Vec<&str> = token.split('.').collect();
        let mut wider = claims(token);
        wider["scope"] = json!("openid email admin");
        wider["exp"] = json!(wider["exp"].as_i64().unwrap() + 900);
        let forger = ClientKey::new(SigningAlg::Es256, "k");
        let none = json!({"alg": "none", "typ": "at+jwt", "kid": part(token, 0)["kid"]});
        let mut cases = vec![
            format!("{}.{}", unsigned(&part(token, 0), &wider), parts[2]),
            format!("{}.", unsigned(&none, &wider)),
            unsigned(&part(token, 0), &wider),
            forger.sign_as(&part(token, 0), &wider),
            format!("{token}."),
            format!("{token}="),
            format!(" {token}"),
            format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
            format!("{}.{}.{}", tokens.id_token.as_deref().unwrap().split('.').next().unwrap(), parts[1], parts[2]),
        ];
        cases.extend([1, 10, 43, 86, 100, 200].map(|n| token[..token.len() - n].to_owned()));
        for case in cases {
            assert_eq!(client.introspect(&case).await, json!({"active": false}), "{case}");
        }
        assert_eq!(client.introspect(token).await["active"], true);
    }

    async fn ir_1_who_asks_has_to_prove_who_they_are(database) {
        let House { app, client, tokens, .. } = ready(database).await;
        let public = TestClient::register(&app, "spa", |registration| {
            registration.set("token_endpoint_auth_method", "none");
        })
        .await;
        let own = public.sign_in(&mut app.browser(), "ada", "openid").await;
        ask(&public, &own.access_token).await.expect_error("invalid_client");
        let post = |fields: Vec<(&str, String)>| {
            let request = app.http.post(app.url(PATH)).form(&fields);
            async move { TokenAnswer::of(request.send().await.unwrap()).await }
        };
        let token = tokens.access_token.clone();
        post(vec![("token", token.clone())]).await.expect_error("invalid_client");
        post(vec![("token", token.clone()), ("client_id", client.client_id.clone())]).await.expect_error("invalid_client");
        let bearer = app.http.post(app.url(PATH)).bearer_auth(&token).form(&[("token", &token)]);
        TokenAnswer::of(bearer.send().await.unwrap()).await.expect_error("invalid_client");
        client.call(PATH, &[]).await.expect_error("invalid_request");
        client.call(PATH, &[("token", "")]).await.expect_error("invalid_request");
        client.call(PATH, &[("token", "a"), ("token", "b")]).await.expect_error("invalid_request");
        assert_eq!(app.http.get(app.url(PATH)).send().await.unwrap().status(), 405);
    }

    async fn ir_2_the_answer_follows_the_stored_state(database) {
        let House { app, client, api, tokens, .. } = ready(database).await;
        let active = async |client: &TestClient, token: &str| ask(client, token).await.body["active"] == Value::Bool(true);
        assert!(active(&api, &tokens.access_token).await);
        crate::oidc::token::disable(&app, &client).await;
        assert!(!active(&api, &tokens.access_token).await, "its client is disabled");
        crate::oidc::token::enable(&app, &client).await;
        assert!(!active(&api, &tokens.access_token).await, "what was listed as revoked stays so");
        let tokens = client.refresh(tokens.refresh_token()).await.expect_tokens();
        assert!(active(&api, &tokens.access_token).await);
        let ada = tokens.access_claims()["sub"].as_str().unwrap().parse().unwrap();
        countersign::tenancy::users::disable(&app.app, ada, &countersign::audit::Origin::command_line()).await.unwrap();
        assert!(!active(&api, &tokens.access_token).await, "its user is disabled");
        assert!(!active(&client, tokens.refresh_token()).await);
    }
}
