//! Clients that ask for tokens of their own.

use serde_json::json;

use super::{API, ECOSYSTEMS, client_key, start};
use crate::on_both_databases;
use crate::support::{TestClient, claims};

on_both_databases! {
    async fn a_service_gets_a_token_of_its_own_for_an_api(database) {
        let app = start(database).await;
        let (private, jwks) = client_key();
        for auth in ["basic", "post", "private_key_jwt"] {
            let client = TestClient::register(&app, &format!("robot-{}", auth.replace('_', "-")), |registration| {
                let method = if auth == "private_key_jwt" { auth.to_owned() } else { format!("client_secret_{auth}") };
                let members = [
                    ("grant_types", json!(["client_credentials"])),
                    ("response_types", json!([])),
                    ("redirect_uris", json!([])),
                    ("post_logout_redirect_uris", json!([])),
                    ("scope", json!("calendar.read")),
                    ("token_endpoint_auth_method", json!(method)),
                ];
                registration.metadata.extend(members.map(|(name, value)| (name.to_owned(), value)));
                if auth == "private_key_jwt" {
                    registration.metadata.insert("jwks".to_owned(), jwks.clone());
                }
            })
            .await;
            let mut job = json!({
                "issuer": app.issuer,
                "client_id": client.client_id,
                "client_secret": client.secret,
                "auth": auth,
                "scope": "calendar.read",
                "resource": API,
            });
            if auth == "private_key_jwt" {
                job["private_jwk"] = private.clone();
            }
            for ecosystem in ECOSYSTEMS {
                let report = ecosystem.expect("client_credentials", &job).await;
                let token = report["tokens"]["access_token"].as_str().expect("an access token");
                let question = json!({ "issuer": app.issuer, "token": token, "audience": API, "typ": "at+jwt" });
                let verified = ecosystem.verifier().ask(&question).await;
                assert_eq!(verified["ok"], true, "{verified:#}");
                assert_eq!(verified["claims"]["sub"], client.client_id.as_str());
                assert_eq!(verified["claims"]["scope"], "calendar.read");
                assert_eq!(claims(token), verified["claims"]);
                assert!(report["tokens"].get("refresh_token").is_none());
            }
        }
    }
}
