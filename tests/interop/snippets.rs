//! The settings that the console shows to copy, run as they stand there: in the libraries that they are for.

use std::process::Stdio;

use countersign::model::InstanceRole;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{API, Ecosystem, start};
use crate::on_both_databases;
use crate::support::{Browser, PASSWORD, TestApp, TestClient, unescape};

/// What the page of the client's settings has under this title.
async fn shown(browser: &mut Browser, client: &TestClient, title: &str) -> String {
    let page = browser.get(&format!("/admin/clients/{}/settings", client.client_id)).await;
    let part = page.html.split(&format!("<h3>{title}</h3>")).nth(1).unwrap_or_else(|| panic!("no {title}"));
    let text = part.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next()).expect("a text");
    unescape(text)
}

async fn administrator(app: &TestApp) -> Browser {
    app.user_with("root", |new| new.instance_role = Some(InstanceRole::Administrator)).await;
    app.signed_in("root").await
}

async fn curl(text: &str, secret: &str, token: &str) -> Value {
    let mut bash = Command::new("bash");
    bash.args(["-c", text]).env("OIDC_CLIENT_SECRET", secret).env("TOKEN", token).stdin(Stdio::null());
    let output = bash.output().await.expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

on_both_databases! {
    async fn the_settings_to_copy_sign_people_in(database) {
        let app = start(database).await;
        let ada = app.user("ada").await.to_string();
        let mut browser = administrator(&app).await;
        for method in ["client_secret_basic", "client_secret_post"] {
            let client = TestClient::register(&app, method, |registration| {
                registration.set("token_endpoint_auth_method", json!(method));
            })
            .await;
            for (title, ecosystem) in [
                ("Node.js: openid-client", Ecosystem::Node),
                ("Python: Django, Flask with Authlib", Ecosystem::Python),
            ] {
                let snippet = shown(&mut browser, &client, title).await;
                let job = json!({
                    "snippet": snippet,
                    "secret": client.secret,
                    "redirect_uri": client.redirect_uri,
                    "username": "ada@example.com",
                    "password": PASSWORD,
                });
                let report = ecosystem.expect("snippet", &job).await;
                assert_eq!(report["claims"]["sub"], ada.as_str(), "{title}: {report:#}");
                assert_eq!(report["claims"]["email"], "ada@example.com", "{title}: {report:#}");
            }
        }
    }

    async fn the_calls_to_copy_get_and_examine_a_token(database) {
        let app = start(database).await;
        let mut browser = administrator(&app).await;
        let machine = TestClient::register(&app, "machine", |registration| {
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
            registration.set("response_types", json!([]));
            registration.set("scope", json!("calendar.read"));
        })
        .await;
        let secret = machine.secret.clone().expect("a secret");
        let call = shown(&mut browser, &machine, "curl: client_credentials").await;
        let got = curl(&call, &secret, "").await;
        let token = got["access_token"].as_str().unwrap_or_else(|| panic!("no token: {got}"));
        let api = TestClient::register(&app, "api", |registration| {
            registration.audiences = vec![API.to_owned()];
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
            registration.set("response_types", json!([]));
        })
        .await;
        let secret = api.secret.clone().expect("a secret");
        let call = shown(&mut browser, &api, "curl: introspection").await;
        assert_eq!(curl(&call, &secret, token).await["active"], true);
        assert_eq!(curl(&call, &secret, "nonsense").await, json!({ "active": false }));
    }
}
