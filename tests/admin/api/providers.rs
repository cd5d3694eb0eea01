//! Identity providers, by the management API.

use serde_json::{Value, json};

use super::{Api, each};
use crate::on_both_databases;
use crate::support::Mock;

on_both_databases! {
    async fn fe_10_providers_are_set_up_asked_enabled_changed_and_removed(database) {
        let api = Api::start_with(database, |config| {
            let google = json!({ "id": "google", "kind": "google", "client_id": "ours", "client_secret": "never-told-1" });
            config.providers = vec![serde_json::from_value(google).expect("good settings")];
        }).await;
        let mock = Mock::start("oidc", api.app.clock.clone()).await;
        api.app.organisation("acme").await;
        let token = api.everything().await;
        let new = json!({
            "id": "corp", "kind": "oidc", "name": "Corp", "issuer": mock.issuer(), "client_id": "countersign",
            "client_secret": "never-told-2", "allow_private_network": true,
        });
        let made = api.make("/providers", &token, &new).await;
        assert_eq!((&made["status"], &made["has_client_secret"]), (&json!("disabled"), &json!(true)));
        assert_eq!(made["redirect_uri"], json!(format!("{}/login/federation/corp/callback", api.app.issuer)));
        api.call("post", "/providers", &token, new.clone()).await.refused(409, "another id");
        for (field, value) in [("id", json!("Corp!")), ("issuer", json!("ftp://x")), ("client_id", json!("a b"))] {
            let mut bad = new.clone();
            bad["id"] = json!("bad");
            bad[field] = value;
            api.call("post", "/providers", &token, bad).await.refused(422, &format!("`{field}`"));
        }
        let mut own = new.clone();
        (own["id"], own["organization"]) = (json!("acmes"), json!("nobody"));
        api.call("post", "/providers", &token, own.clone()).await.refused(422, "`organization`");
        own["organization"] = json!("acme");
        assert!(api.make("/providers", &token, &own).await["organization"].is_string());
        assert_eq!(each(&api.pages("/providers", &token).await, "id"), ["acmes", "corp", "google"]);

        let offered = async || api.app.browser().get("/login").await.text().contains("Corp");
        assert!(!offered().await, "disabled until enabled");
        let found = api.call("post", "/providers/corp/discover", &token, Value::Null).await;
        assert_eq!((&found.is(200)["answers"], &found.body["issuer"]), (&json!(true), &json!(mock.issuer())));
        api.call("post", "/providers/corp/enable", &token, Value::Null).await.is(204);
        assert!(offered().await);
        let changed = api.call("patch", "/providers/corp", &token, json!({ "issuer": "http://127.0.0.1:1", "scopes": ["phone"] })).await;
        assert_eq!((&changed.is(200)["scopes"], &changed.body["name"], &changed.body["status"]), (&json!(["phone"]), &json!("Corp"), &json!("active")));
        let found = api.call("post", "/providers/corp/discover", &token, Value::Null).await;
        assert!(found.is(200)["answers"] == json!(false) && found.body["why"].is_string(), "{}", found.body);
        let stored = countersign::identity::federation::providers::find(&api.app.app, "corp").await.unwrap().unwrap();
        assert_eq!(stored.settings.client_secret.expect("it stays").expose(), "never-told-2");
        api.call("patch", "/providers/corp", &token, json!({ "issuer": "" })).await.refused(422, "`issuer`");
        for (method, path) in [("patch", "/providers/google"), ("delete", "/providers/google"), ("post", "/providers/google/disable")] {
            let body = if method == "patch" { json!({ "name": "G" }) } else { Value::Null };
            api.call(method, path, &token, body).await.refused(409, "configuration");
        }
        let mut told = api.get("/providers", &token).await.body.to_string();
        told.push_str(&api.get("/providers/google", &token).await.body.to_string());
        assert!(told.contains("configuration") && !told.contains("never-told"), "{told}");
        api.call("post", "/providers/corp/disable", &token, Value::Null).await.is(204);
        assert!(!offered().await);
        api.call("delete", "/providers/corp", &token, Value::Null).await.is(204);
        api.get("/providers/corp", &token).await.is(404);
    }
}
