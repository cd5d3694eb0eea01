//! npm `openid-client` and Python Authlib sign a person in and use what they get.

use serde_json::{Map, Value, json};

use super::{API, ECOSYSTEMS, client_key, start};
use crate::on_both_databases;
use crate::support::{PASSWORD, TestApp, TestClient};

/// How a client is registered and what it asks for.
struct Case {
    name: &'static str,
    auth: &'static str,
    /// Members of the job beside the ordinary ones.
    asks: Value,
    id_token_alg: &'static str,
}

on_both_databases! {
    async fn a_client_with_client_secret_basic_signs_a_person_in(database) {
        let asks = json!({});
        everything(&start(database).await, Case { name: "basic", auth: "basic", asks, id_token_alg: "RS256" }).await;
    }

    async fn a_client_with_client_secret_post_pushes_its_request_and_gets_a_form(database) {
        let asks = json!({ "par": true, "response_mode": "form_post" });
        everything(&start(database).await, Case { name: "post", auth: "post", asks, id_token_alg: "ES256" }).await;
    }

    async fn a_client_with_private_key_jwt_asks_for_an_api(database) {
        let asks = json!({ "par": true, "resource": API });
        let case = Case { name: "keyed", auth: "private_key_jwt", asks, id_token_alg: "EdDSA" };
        everything(&start(database).await, case).await;
    }

    async fn a_public_client_signs_a_person_in(database) {
        let app = start(database).await;
        let asks = json!({ "response_mode": "form_post" });
        everything(&app, Case { name: "mobile", auth: "none", asks, id_token_alg: "RS256" }).await;
        let asks = json!({ "par": true });
        everything(&app, Case { name: "desktop", auth: "none", asks, id_token_alg: "RS256" }).await;
    }

    async fn a_refusal_reaches_the_client_as_the_error_that_it_is(database) {
        let app = start(database).await;
        app.user("ada-curious").await;
        let case = Case { name: "curious", auth: "basic", asks: json!({ "consent": "deny" }), id_token_alg: "RS256" };
        let (_, job) = prepare(&app, &case).await;
        let again = json!({ "parameters": { "prompt": "none" } });
        for ecosystem in ECOSYSTEMS {
            for (more, error) in [(json!({}), "access_denied"), (again.clone(), "login_required")] {
                let report = ecosystem.run("code_flow", &with(&job, &more)).await;
                assert_eq!(report["ok"], false, "{report:#}");
                assert_eq!(report["failure"]["error"], error, "{ecosystem:?}: {report:#}");
                assert_eq!(report["callback"]["params"]["iss"], app.issuer.as_str(), "{report:#}");
            }
        }
    }
}

/// Sign in, userinfo, refresh, introspection, revocation, a second time without a page, and sign out.
async fn everything(app: &TestApp, case: Case) {
    let ada = app.user(&format!("ada-{}", case.name)).await.to_string();
    let (client, job) = prepare(app, &case).await;
    for ecosystem in ECOSYSTEMS {
        let report = ecosystem.expect("code_flow", &job).await;
        let context = format!("{ecosystem:?} {}: {report:#}", case.name);

        assert_eq!(report["claims"]["sub"], ada.as_str(), "{context}");
        assert_eq!(report["claims"]["aud"], client.client_id.as_str(), "{context}");
        let method = if job["response_mode"] == "form_post" { "POST" } else { "GET" };
        assert_eq!(report["callback"]["method"], method, "{context}");
        assert_eq!(crate::support::part(text(&report["tokens"]["id_token"]), 0)["alg"], case.id_token_alg);

        let access = crate::support::claims(text(&report["tokens"]["access_token"]));
        match job["resource"].as_str() {
            // The token is the API's, so userinfo is not asked with it (RFC 8707 §2.2).
            Some(api) => {
                assert_eq!(access["aud"], api, "{context}");
                assert_eq!(access["scope"], "calendar.read", "{context}");
            }
            None => {
                assert_eq!(access["aud"], app.issuer.as_str(), "{context}");
                assert_eq!(report["userinfo"]["sub"], ada.as_str(), "{context}");
                assert_eq!(report["userinfo"]["email_verified"], true, "{context}");
            }
        }
        assert_ne!(report["refreshed"]["refresh_token"], report["tokens"]["refresh_token"], "{context}");
        assert_ne!(report["refreshed"]["access_token"], report["tokens"]["access_token"], "{context}");
        if case.auth != "none" {
            assert_eq!(report["introspection"]["active"], true, "{context}");
            assert_eq!(report["introspection"]["sub"], ada.as_str(), "{context}");
        }
        assert_eq!(report["after_revocation"]["error"], "invalid_grant", "{context}");
        assert_eq!(report["again"]["claims"]["sub"], ada.as_str(), "{context}");
        assert_eq!(report["again"]["claims"]["auth_time"], report["claims"]["auth_time"], "{context}");
        assert_eq!(report["logout"]["state_matches"], true, "{context}");
    }
}

/// Registers the client of a case, and writes the job that its library gets.
async fn prepare(app: &TestApp, case: &Case) -> (TestClient, Value) {
    let (private, jwks) = client_key();
    let client = TestClient::register(app, case.name, |registration| {
        let method = match case.auth {
            "basic" => "client_secret_basic",
            "post" => "client_secret_post",
            other => other,
        };
        registration.metadata.insert("token_endpoint_auth_method".to_owned(), json!(method));
        registration.metadata.insert("id_token_signed_response_alg".to_owned(), json!(case.id_token_alg));
        registration.metadata.insert("scope".to_owned(), json!("openid email offline_access calendar.read"));
        if method == "private_key_jwt" {
            registration.metadata.insert("jwks".to_owned(), jwks);
        }
    })
    .await;
    let for_api = case.asks.get("resource").is_some();
    let scope = if for_api { "openid offline_access calendar.read" } else { "openid email offline_access" };
    let mut steps = vec!["userinfo", "refresh", "introspection", "revocation", "again", "logout"];
    steps.retain(|step| !(for_api && *step == "userinfo" || case.auth == "none" && *step == "introspection"));
    let mut job = json!({
        "issuer": app.issuer,
        "client_id": client.client_id,
        "client_secret": client.secret,
        "auth": case.auth,
        "redirect_uri": client.redirect_uri,
        "post_logout_redirect_uri": format!("https://{}.example.org/signed-out", case.name),
        "scope": scope,
        "id_token_alg": case.id_token_alg,
        "username": format!("ada-{}@example.com", case.name),
        "password": PASSWORD,
        "steps": steps,
    });
    if case.auth == "private_key_jwt" {
        job["private_jwk"] = private;
    }
    (client, with(&job, &case.asks))
}

fn with(job: &Value, more: &Value) -> Value {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    Value::Object(members(job).into_iter().chain(members(more)).collect::<Map<_, _>>())
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}
