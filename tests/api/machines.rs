//! API keys at the API: within their scopes, in their own organisation, and never for a person (AK-2).

use serde_json::{Value, json};

use super::{Answer, Api};
use crate::on_both_databases;

on_both_databases! {
    async fn ak_2_a_key_does_what_its_scopes_say_and_nothing_else(database) {
        let api = Api::start(database).await;
        let acme = api.app.organisation("acme").await;
        let mia = api.app.user("mia").await;
        api.app.member(&acme, mia, &["member"]).await;
        let base = format!("/organizations/{}", acme.id);
        let reader = api.key(&acme, &["org:read"]).await;
        let get = async |path: &str, key: &str| api.by_key("GET", &format!("{base}{path}"), key, Value::Null).await;
        assert_eq!(get("", &reader).await.expect(200)["slug"], "acme");
        get("/workspaces", &reader).await.expect(200);
        get("/roles", &reader).await.expect(200);
        get("/members", &reader).await.refused(403, "forbidden");
        let lab = json!({ "slug": "lab", "name": "Lab" });
        let path = format!("{base}/workspaces");
        api.by_key("POST", &path, &reader, lab.clone()).await.refused(403, "forbidden");
        let maker = api.key(&acme, &["workspaces:write"]).await;
        api.by_key("POST", &path, &maker, lab).await.expect(201);
        get("", &maker).await.refused(403, "forbidden");
        let name = json!({ "name": "Mine" });
        api.by_key("PATCH", &base, &maker, name).await.refused(403, "forbidden");
        let events = api.app.read(|db| countersign::store::audit::newest(db, 10)).await;
        assert!(events.iter().any(|event| event.detail.contains("by_key")), "the audit says which key");
    }

    async fn ak_2_a_key_gives_no_role_that_allows_more_than_it_may_itself(database) {
        let api = Api::start(database).await;
        let acme = api.app.organisation("acme").await;
        let (ada, mia) = (api.app.user("ada").await, api.app.user("mia").await);
        api.app.member(&acme, ada, &["admin"]).await;
        api.app.member(&acme, mia, &["member"]).await;
        let base = format!("/organizations/{}", acme.id);
        let scopes = ["org:read", "members:read", "members:write"];
        let key = api.key(&acme, &scopes).await;
        let roles = |user| format!("{base}/members/{user}/roles");
        api.by_key("PUT", &roles(mia), &key, json!({ "roles": ["admin"] })).await.refused(403, "forbidden");
        api.by_key("PUT", &roles(ada), &key, json!({ "roles": ["member"] })).await.refused(403, "forbidden");
        api.by_key("PUT", &roles(mia), &key, json!({ "roles": ["manager"] })).await.expect(204);
        let shown = api.by_key("GET", &format!("{base}/members/{mia}"), &key, Value::Null).await;
        assert_eq!(shown.expect(200)["roles"][0]["role"], "manager");
        let narrow = api.key(&acme, &["members:write"]).await;
        let member = json!({ "roles": ["member"] });
        api.by_key("PUT", &roles(mia), &narrow, member).await.refused(403, "forbidden");
    }

    async fn ak_2_a_members_key_reaches_as_far_as_the_member_does(database) {
        let api = Api::start(database).await;
        let acme = api.app.organisation("acme").await;
        let (ada, bob) = (api.app.user("ada").await, api.app.user("bob").await);
        for user in [ada, bob] {
            api.app.member(&acme, user, &["admin"]).await;
        }
        let token = api.sign_in("ada").await.text("/access_token");
        let base = format!("/organizations/{}", acme.id);
        let new = json!({ "name": "own", "scopes": ["org:read", "members:read", "members:write"] });
        let made = api.call("POST", &format!("{base}/api-keys"), &token, new).await;
        made.expect(201);
        let key = made.text("/key");
        api.by_key("GET", &format!("{base}/members"), &key, Value::Null).await.expect(200);
        let own = format!("{base}/members/{ada}/suspend");
        api.by_key("POST", &own, &key, Value::Null).await.refused(403, "forbidden");
        api.app.set_roles(&acme, ada, &["member"]).await;
        api.by_key("GET", &format!("{base}/members"), &key, Value::Null).await.refused(403, "forbidden");
        api.by_key("GET", &base, &key, Value::Null).await.expect(200);
        api.app.suspend_member(acme.id, ada).await;
        api.by_key("GET", &base, &key, Value::Null).await.refused(401, "api_key_invalid");
    }

    async fn ak_2_what_is_a_persons_is_no_keys(database) {
        let api = Api::start(database).await;
        let acme = api.app.organisation("acme").await;
        let key = api.key(&acme, &["org:read", "members:write", "api_keys:write"]).await;
        let base = format!("/organizations/{}", acme.id);
        let new = json!({ "name": "x", "scopes": ["org:read"] });
        api.by_key("GET", &format!("{base}/api-keys"), &key, Value::Null).await.refused(403, "forbidden");
        api.by_key("POST", &format!("{base}/api-keys"), &key, new).await.refused(403, "forbidden");
        for (method, path) in [("GET", "/me"), ("GET", "/sessions"), ("GET", "/organizations"), ("POST", "/switch")] {
            api.by_key(method, path, &key, json!({})).await.refused(401, "token_missing");
        }
        api.by_key("GET", &base, "cs_k_nonsense", Value::Null).await.refused(401, "api_key_invalid");
    }

    async fn or_1_headers_choose_nothing_but_what_the_key_is_of(database) {
        let api = Api::start(database).await;
        let (acme, other) = (api.app.organisation("acme").await, api.app.organisation("other").await);
        let lab = api.app.workspace(&other, "lab").await;
        let key = api.key(&acme, &["org:read"]).await;
        let ask = async |organisation: &str, headers: &[(&str, &str)]| {
            let mut request = api.request("GET", &format!("/organizations/{organisation}")).header("x-api-key", &key);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            Answer::of(request).await
        };
        ask("acme", &[]).await.expect(200);
        ask("acme", &[("x-organization-id", "acme"), ("x-workspace-id", "default")]).await.expect(200);
        ask("other", &[]).await.refused(403, "organisation_denied");
        let (other_id, lab) = (other.id.to_string(), lab.to_string());
        for headers in [
            &[("x-organization-id", "other")][..],
            &[("x-organization-id", &other_id)],
            &[("x-organization-id", "nowhere")],
            &[("x-workspace-id", &lab)],
            &[("x-workspace-id", "nowhere")],
        ] {
            ask("acme", headers).await.refused(403, "organisation_denied");
        }
    }
}
