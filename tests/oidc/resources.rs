//! Resource indicators (RFC 8707) and the access tokens that APIs verify (RFC 9068).

use std::time::Duration;

use serde_json::{Value, json};

use super::client_credentials::{API, resource};
use crate::on_both_databases;
use crate::support::{Database, Settings, TestApp, TestClient, Tokens, part, verified};
use countersign::audit::Origin;
use countersign::model::Status;
use countersign::tenancy::resources;

const FILES: &str = "https://files.example.com/v1";
const ALL: &str = "openid email offline_access events:read events:write files:read";

async fn ready(database: Database) -> (TestApp, TestClient) {
    let app = TestApp::start(database).await;
    app.user("ada").await;
    resource(&app, API, &["events:read", "events:write"], None).await;
    resource(&app, FILES, &["files:read"], Some(120)).await;
    let client = TestClient::register(&app, "calendar", |registration| registration.set("scope", ALL)).await;
    (app, client)
}

/// Signs Ada in for these scopes and resources.
async fn sign_in(app: &TestApp, client: &TestClient, scope: &str, resources: &[&str]) -> Tokens {
    let flow = resources.iter().fold(client.flow(scope), |flow, resource| flow.and("resource", resource));
    let code = client.authorize(&mut app.browser(), &flow, "ada").await;
    client.redeem(&flow, &code).await.expect_tokens()
}

async fn refresh(client: &TestClient, token: &str, resources: &[&str]) -> crate::support::TokenAnswer {
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    fields.extend(resources.iter().map(|resource| ("resource", *resource)));
    client.token(&fields).await
}

/// One audience is a text, several are a list.
fn audience(claims: &Value) -> Vec<String> {
    let mut all: Vec<String> = match &claims["aud"] {
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    all.sort_unstable();
    all
}

fn scopes(claims: &Value) -> Vec<&str> {
    let mut all: Vec<&str> =
        claims["scope"].as_str().unwrap_or_default().split(' ').filter(|s| !s.is_empty()).collect();
    all.sort_unstable();
    all
}

on_both_databases! {
    async fn oidc_10_1_an_access_token_is_what_rfc_9068_says(database) {
        let (app, client) = ready(database).await;
        let tokens = sign_in(&app, &client, "openid events:read", &[API]).await;
        let (header, claims) = verified(&app, &tokens.access_token).await;
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
        let now = app.clock.now().seconds();
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(app.issuer), &json!(API)));
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now), &json!(now + 900)));
        assert_eq!((&claims["client_id"], &claims["scope"]), (&json!(client.client_id), &json!("events:read")));
        assert_eq!(claims["sub"], tokens.id_claims()["sub"]);
        assert_eq!(claims["sid"], tokens.id_claims()["sid"]);
        assert_eq!((&claims["auth_time"], &claims["acr"]), (&json!(now), &json!("urn:countersign:acr:1fa")));
        assert_eq!(claims["amr"], json!(["pwd"]));
        assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 22));
        assert_ne!(claims["aud"], json!(client.client_id), "an access token is not for the client");
        for member in ["jwk", "jku", "x5u", "x5c"] {
            assert!(header.get(member).is_none());
        }
        let known = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "auth_time", "acr", "amr", "sid", "gid", "status"];
        for claim in claims.as_object().unwrap().keys() {
            assert!(known.contains(&claim.as_str()), "{claim} tells an API what it need not know");
        }
    }

    async fn oidc_3_18_the_resource_asked_for_is_the_audience_and_narrows_the_scope(database) {
        let (app, client) = ready(database).await;
        for (asked, aud, scope) in [
            (&[API][..], &[API][..], &["events:read", "events:write"][..]),
            (&[FILES], &[FILES], &["files:read"]),
            (&[API, FILES], &[API, FILES], &["events:read", "events:write", "files:read"]),
            (&[API, API], &[API], &["events:read", "events:write"]),
        ] {
            let tokens = sign_in(&app, &client, ALL, asked).await;
            let claims = tokens.access_claims();
            assert_eq!((audience(&claims).iter().map(String::as_str).collect::<Vec<_>>(), scopes(&claims)), (aud.to_vec(), scope.to_vec()));
            assert!(tokens.id_token.is_some());
            // Such a token is for the API and not for us.
            assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
        }
        let own = sign_in(&app, &client, ALL, &[&app.issuer]).await;
        assert_eq!(audience(&own.access_claims()), std::slice::from_ref(&app.issuer));
        assert_eq!(scopes(&own.access_claims()), ["email", "offline_access", "openid"]);
        assert_eq!(client.userinfo(&own.access_token).await.body["email"], "ada@example.com");
        // Without any, all that own a granted scope.
        let all = sign_in(&app, &client, "openid events:read", &[]).await;
        assert_eq!(audience(&all.access_claims()), { let mut both = vec![API.to_owned(), app.issuer.clone()]; both.sort(); both });
        let plain = sign_in(&app, &client, "events:read", &[]).await;
        assert_eq!(audience(&plain.access_claims()), [API]);
    }

    async fn oidc_3_18_unknown_disabled_and_malformed_resources_are_invalid_target(database) {
        let (app, client) = ready(database).await;
        let disabled = resource(&app, "https://gone.example.com/", &["gone:read"], None).await;
        resources::set_status(&app.app, &disabled.identifier, Status::Disabled, &Origin::command_line()).await.unwrap();
        for bad in [
            "https://unknown.example.com/",
            "https://gone.example.com/",
            "https://api.example.com",
            "https://API.example.com/",
            "https://api.example.com/#fragment",
            "api.example.com",
            "*",
            &client.client_id,
        ] {
            let flow = client.flow("openid events:read").with("resource", bad);
            let page = app.browser().get(&flow.path()).await;
            assert_eq!(page.query()["error"], "invalid_target", "{bad}");
        }
    }

    async fn rfc_8707_the_token_endpoint_narrows_and_never_widens(database) {
        let (app, client) = ready(database).await;
        let tokens = sign_in(&app, &client, ALL, &[API, FILES]).await;
        let narrowed = refresh(&client, tokens.refresh_token(), &[FILES]).await.expect_tokens();
        assert_eq!(audience(&narrowed.access_claims()), [FILES]);
        assert_eq!(scopes(&narrowed.access_claims()), ["files:read"]);
        refresh(&client, narrowed.refresh_token(), &["https://unknown.example.com/"]).await.expect_error("invalid_target");
        // What was narrowed once is whole again the next time (RFC 8707 §2.2).
        let whole = refresh(&client, narrowed.refresh_token(), &[]).await.expect_tokens();
        assert_eq!(audience(&whole.access_claims()), [API, FILES]);

        let only = sign_in(&app, &client, ALL, &[API]).await;
        let refused = refresh(&client, only.refresh_token(), &[FILES]).await;
        refused.expect_error("invalid_target");
        refresh(&client, only.refresh_token(), &[&app.issuer]).await.expect_error("invalid_target");
        // A refused narrowing has not spent the token.
        refresh(&client, only.refresh_token(), &[API]).await.expect_tokens();

        // With the code, too.
        let flow = client.flow(ALL).and("resource", API).and("resource", FILES);
        let code = client.authorize(&mut app.browser(), &flow, "ada").await;
        let redeem = async |resource: &str| {
            client
                .token(&[
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("redirect_uri", &client.redirect_uri),
                    ("code_verifier", &flow.verifier),
                    ("resource", resource),
                ])
                .await
        };
        redeem(&app.issuer).await.expect_error("invalid_target");
        let tokens = redeem(API).await.expect_tokens();
        assert_eq!(audience(&tokens.access_claims()), [API]);
        assert_eq!(scopes(&tokens.access_claims()), ["events:read", "events:write"]);
    }

    async fn a_resource_may_want_shorter_tokens(database) {
        let (app, client) = ready(database).await;
        for (asked, life) in [(&[API][..], 900), (&[FILES], 120), (&[API, FILES], 120)] {
            let tokens = sign_in(&app, &client, ALL, asked).await;
            let claims = tokens.access_claims();
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), life);
            assert_eq!(tokens.body["expires_in"], life);
        }
        let tokens = sign_in(&app, &client, "openid files:read", &[FILES]).await;
        app.advance(Duration::from_secs(119));
        assert_eq!(client.introspect(&tokens.access_token).await["active"], true);
        app.advance(Duration::from_secs(1));
        assert_eq!(client.introspect(&tokens.access_token).await["active"], false);
    }

    async fn te_6_a_resource_taken_away_is_gone_from_the_next_token(database) {
        let (app, client) = ready(database).await;
        let tokens = sign_in(&app, &client, ALL, &[API, FILES]).await;
        resources::set_status(&app.app, FILES, Status::Disabled, &Origin::command_line()).await.unwrap();
        let answer = refresh(&client, tokens.refresh_token(), &[API]).await;
        if answer.status == 200 {
            assert_eq!(audience(&answer.expect_tokens().access_claims()), [API]);
        } else {
            answer.expect_error("invalid_target");
        }
        refresh(&client, tokens.refresh_token(), &[FILES]).await.expect_error("invalid_target");
    }

    async fn tk_5_an_apis_name_is_never_a_clients_nor_the_issuer(database) {
        let (app, _) = ready(database).await;
        for identifier in [app.issuer.as_str(), "not a uri", "/relative", "https://x.example/#f", ""] {
            let new = resources::NewResource {
                identifier: identifier.to_owned(),
                name: "x".to_owned(),
                scopes: std::collections::BTreeMap::new(),
                access_ttl: None,
            };
            assert!(resources::create(&app.app, new, &Origin::command_line()).await.is_err(), "{identifier}");
        }
    }

    async fn access_tokens_live_as_long_as_configured_and_no_longer(database) {
        let settings = Settings::with(|config| config.lifetimes.access = Duration::from_secs(60));
        let app = TestApp::start_with(database, settings).await;
        app.user("ada").await;
        let client = app.client("calendar").await;
        let tokens = client.sign_in(&mut app.browser(), "ada", "openid").await;
        assert_eq!(tokens.body["expires_in"], 60);
        assert_eq!(part(&tokens.access_token, 0)["typ"], "at+jwt");
        app.advance(Duration::from_secs(59));
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 200);
        app.advance(Duration::from_secs(1));
        assert_eq!(client.userinfo(&tokens.access_token).await.status, 401);
    }
}
