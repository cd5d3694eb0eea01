//! Userinfo, and how bearer tokens are presented and refused (Core §5.3, RFC 6750).

use std::time::Duration;

use serde_json::{Value, json};

use super::client_credentials::{API, resource};
use crate::on_both_databases;
use crate::support::{
    ClientKey, Database, TestApp, TestClient, TokenAnswer, Tokens, claims, part, unsigned, verified,
};
use countersign::model::SigningAlg;

async fn ready(database: Database) -> (TestApp, TestClient, Tokens) {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    let tokens = client.sign_in(&mut app.browser(), "ada", "openid email").await;
    (app, client, tokens)
}

fn url(app: &TestApp) -> String {
    app.url("/oauth2/userinfo")
}

async fn send(request: reqwest::RequestBuilder) -> TokenAnswer {
    TokenAnswer::of(request.send().await.unwrap()).await
}

on_both_databases! {
    async fn oidc_8_1_the_token_comes_by_header_or_by_form_and_never_by_query(database) {
        let (app, _, tokens) = ready(database).await;
        let (token, url) = (&tokens.access_token, url(&app));
        let with_header = |scheme: &str| format!("{scheme} {token}");
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let got = send(app.http.get(&url).header("authorization", with_header(scheme))).await;
            assert_eq!((got.status, got.header("cache-control")), (200, "no-store"), "{scheme}");
            assert_eq!(got.header("content-type"), "application/json");
            let posted = send(app.http.post(&url).header("authorization", with_header(scheme))).await;
            assert_eq!(posted.body, got.body);
        }
        let posted = send(app.http.post(&url).form(&[("access_token", token)])).await;
        assert_eq!((posted.status, &posted.body["email"]), (200, &json!("ada@example.com")));

        let query = format!("{url}?access_token={token}");
        for request in [app.http.get(&query), app.http.post(&query)] {
            let answer = send(request).await;
            assert_eq!(answer.status, 401);
            assert!(answer.header("www-authenticate").starts_with("Bearer "));
        }
        // A body is looked at for POST alone, and only one way at a time (RFC 6750 §2).
        let body = app.http.get(&url).header("content-type", "application/x-www-form-urlencoded").body(format!("access_token={token}"));
        assert_eq!(send(body).await.status, 401);
        let twice = send(app.http.post(&url).bearer_auth(token).form(&[("access_token", token)])).await;
        assert_eq!(twice.status, 400);
        assert!(twice.header("www-authenticate").contains("error=\"invalid_request\""));
        let repeated = send(app.http.post(&url).form(&[("access_token", token), ("access_token", token)])).await;
        assert_eq!((repeated.status, &repeated.body["error"]), (400, &json!("invalid_request")));
        // A body of another kind is not looked into.
        let other = send(app.http.post(&url).bearer_auth(token).json(&json!({"access_token": "x"}))).await;
        assert_eq!(other.status, 200, "{other:?}");
        assert_eq!(send(app.http.post(&url).json(&json!({"access_token": token}))).await.status, 401);
        let two = app.http.get(&url).header("authorization", with_header("Bearer")).header("authorization", with_header("Bearer"));
        assert_eq!(send(two).await.status, 400);
        for method in [reqwest::Method::PUT, reqwest::Method::DELETE] {
            assert_eq!(app.http.request(method, &url).bearer_auth(token).send().await.unwrap().status(), 405);
        }
    }

    async fn oidc_8_3_no_token_is_asked_for_and_a_bad_one_is_named(database) {
        let (app, client, tokens) = ready(database).await;
        let bare = send(app.http.get(url(&app))).await;
        assert_eq!(bare.status, 401);
        let challenge = bare.header("www-authenticate");
        assert!(challenge.starts_with("Bearer realm=") && !challenge.contains("error"), "RFC 6750 §3.1: {challenge}");
        assert_eq!(bare.header("cache-control"), "no-store");
        let basic = send(app.http.get(url(&app)).basic_auth(&client.client_id, client.secret.as_deref())).await;
        assert!(basic.status == 401 && !basic.header("www-authenticate").contains("error"));

        let token = &tokens.access_token;
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut other = claims(token);
        other["scope"] = json!("openid email profile");
        let forger = ClientKey::new(SigningAlg::Es256, "forged");
        let mut header = part(token, 0);
        let forged = forger.sign_as(&header, &other);
        header["jwk"] = forger.jwk();
        let with_own_key = forger.sign_as(&header, &other);
        let bad = [
            ("an ID token", tokens.id_token.clone().unwrap()),
            ("a refresh token", tokens.refresh_token().to_owned()),
            ("cut", token[..token.len() - 1].to_owned()),
            ("no signature", format!("{signed}.")),
            ("the signature elsewhere", format!("{}.{signature}", unsigned(&part(token, 0), &other))),
            ("alg none", format!("{}.", unsigned(&json!({"alg": "none", "typ": "at+jwt"}), &other))),
            ("forged", forged),
            ("forged with its own key", with_own_key),
            ("nonsense", "nonsense".to_owned()),
            ("not a token at all", "a b,c".to_owned()),
            ("very long", "a".repeat(20_000)),
            ("empty", String::new()),
        ];
        for (what, token) in bad {
            let answer = send(app.http.get(url(&app)).header("authorization", format!("Bearer {token}"))).await;
            assert_eq!(answer.status, 401, "{what}");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{what}: {}", answer.header("www-authenticate"));
        }
        app.advance(Duration::from_secs(900));
        let late = client.userinfo(token).await;
        assert!(late.status == 401 && late.header("www-authenticate").contains("error=\"invalid_token\""));
    }

    async fn oidc_8_3_without_openid_the_scope_is_insufficient(database) {
        let (app, client, _) = ready(database).await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "email").await;
        let answer = client.userinfo(&tokens.access_token).await;
        assert_eq!(answer.status, 403);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"openid\""), "{challenge}");
    }

    async fn ir_4_a_token_for_another_audience_is_refused(database) {
        let (app, _, _) = ready(database).await;
        resource(&app, API, &["events:read"], None).await;
        let client = TestClient::register(&app, "notes", |registration| {
            registration.set("scope", "openid email events:read");
        })
        .await;
        let flow = client.flow("openid email events:read").with("resource", API);
        let code = client.authorize(&mut app.browser(), &flow, "ada").await;
        let tokens = client.redeem(&flow, &code).await.expect_tokens();
        let answer = client.userinfo(&tokens.access_token).await;
        assert!(answer.status == 401 && answer.header("www-authenticate").contains("invalid_token"));
    }

    async fn ir_4_a_token_whose_ground_is_gone_is_refused(database) {
        let (app, client, tokens) = ready(database).await;
        let mut browser = app.browser();
        let second = client.sign_in(&mut browser, "ada", "openid").await;
        // The session ends.
        let page = browser.get("/logout").await;
        browser.submit(&page, "logout-form", &[], None).await;
        assert_eq!(client.userinfo(&second.access_token).await.status, 401);
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 200, "the other browser's goes on");
        // The user is disabled, which ends it all.
        let ada = tokens.id_claims()["sub"].as_str().unwrap().parse().unwrap();
        countersign::tenancy::users::disable(&app.app, ada, &countersign::audit::Origin::command_line()).await.unwrap();
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
    }

    async fn oidc_8_2_claims_follow_the_scopes_and_have_their_types(database) {
        let app = TestApp::start(database).await;
        let ada = app
            .user_with("ada", |user| {
                user.name = "Ada Lovelace".to_owned();
                user.username = Some("ada".to_owned());
                for (name, value) in [
                    ("given_name", "Ada"),
                    ("family_name", "Lovelace"),
                    ("website", "https://ada.example.org/"),
                    ("birthdate", "1815-12-10"),
                    ("phone_number", "+44 20 7946 0000"),
                    ("phone_number_verified", "true"),
                    ("address", r#"{"country":"GB","locality":"London"}"#),
                ] {
                    user.claims.insert(name.into(), value.into());
                }
            })
            .await;
        let client = app.client("calendar").await;
        let ask = async |scope: &str| {
            let tokens = client.sign_in(&mut app.browser(), "ada", scope).await;
            client.userinfo(&tokens.access_token).await.body
        };
        let sub = ada.to_string();
        assert_eq!(ask("openid").await, json!({"sub": sub}));
        assert_eq!(ask("openid email").await, json!({"sub": sub, "email": "ada@example.com", "email_verified": true}));
        assert_eq!(
            ask("openid phone").await,
            json!({"sub": sub, "phone_number": "+44 20 7946 0000", "phone_number_verified": true})
        );
        assert_eq!(ask("openid address").await, json!({"sub": sub, "address": {"country": "GB", "locality": "London"}}));
        let profile = ask("openid profile").await;
        for (claim, value) in [
            ("name", json!("Ada Lovelace")),
            ("given_name", json!("Ada")),
            ("family_name", json!("Lovelace")),
            ("preferred_username", json!("ada")),
            ("website", json!("https://ada.example.org/")),
            ("birthdate", json!("1815-12-10")),
        ] {
            assert_eq!(profile[claim], value, "{claim}");
        }
        assert!(profile["updated_at"].is_i64(), "{profile}");
        let empty = |value: &Value| value.is_null() || value == "" || value == &json!({});
        assert!(!profile.as_object().unwrap().values().any(empty), "Core §5.3.2: {profile}");
        assert!(profile.get("email").is_none() && profile.get("phone_number").is_none());
    }

    async fn oidc_8_1_a_client_may_have_it_signed(database) {
        let (app, _, _) = ready(database).await;
        let client = TestClient::register(&app, "bank", |registration| {
            registration.set("userinfo_signed_response_alg", "ES256");
        })
        .await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid email").await;
        let answer = client.userinfo(&tokens.access_token).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/jwt"));
        assert_eq!(answer.header("cache-control"), "no-store");
        let (header, claims) = verified(&app, answer.body.as_str().unwrap()).await;
        assert_eq!(header["alg"], "ES256");
        assert_ne!(header["typ"], "at+jwt");
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(app.issuer), &json!(client.client_id)));
        assert_eq!((&claims["sub"], &claims["email"]), (&tokens.id_claims()["sub"], &json!("ada@example.com")));
        // It is no token: neither an access token nor a hint of who signed in.
        let jwt = answer.body.as_str().unwrap();
        assert_eq!(client.userinfo(jwt).await.status, 401);
        assert_eq!(client.introspect(jwt).await, json!({"active": false}));
        // Errors stay what they are.
        assert_eq!(client.userinfo("nonsense").await.status, 401);
    }

    async fn oidc_7_3_the_sub_is_the_id_tokens(database) {
        let (_app, client, tokens) = ready(database).await;
        let answer = client.userinfo(&tokens.access_token).await;
        assert_eq!(answer.body["sub"], tokens.id_claims()["sub"]);
        let sub = answer.body["sub"].as_str().unwrap();
        assert!(sub.starts_with("usr_") && !sub.contains('@'), "TK-8");
    }
}
