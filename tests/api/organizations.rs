//! Organisations, members, roles, invitations and API keys: what their own members may do.

use std::time::Duration;

use countersign::model::UserId;
use serde_json::{Value, json};

use super::{Answer, Api};
use crate::on_both_databases;
use crate::support::Database;

/// An organisation with an administrator `ada`, a manager `max` and a member `mia`.
struct Scene {
    api: Api,
    base: String,
    max: UserId,
    mia: UserId,
}

impl Scene {
    async fn set(database: Database) -> Self {
        let api = Api::start(database).await;
        let acme = api.app.organisation("acme").await;
        let mut ids = Vec::new();
        for (name, role) in [("ada", "admin"), ("max", "manager"), ("mia", "member")] {
            let user = api.app.user(name).await;
            api.app.member(&acme, user, &[role]).await;
            ids.push(user);
        }
        let base = format!("/organizations/{}", acme.id);
        Self { api, base, max: ids[1], mia: ids[2] }
    }

    async fn token(&self, name: &str) -> String {
        self.api.sign_in(name).await.text("/access_token")
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.api.call("GET", &format!("{}{path}", self.base), token, Value::Null).await
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        self.api.call(method, &format!("{}{path}", self.base), token, body).await
    }
}

on_both_databases! {
    async fn or_2_what_a_member_reads_and_changes_follows_from_their_permissions(database) {
        let scene = Scene::set(database).await;
        let (ada, max, mia) = (scene.token("ada").await, scene.token("max").await, scene.token("mia").await);
        assert_eq!(scene.get("", &mia).await.expect(200)["slug"], "acme");
        scene.get("/members", &mia).await.refused(403, "forbidden");
        let list = scene.get("/members", &max).await;
        assert_eq!(list.expect(200)["items"].as_array().unwrap().len(), 3);
        for path in ["/roles", "/workspaces"] {
            scene.get(path, &mia).await.expect(200);
        }
        for (name, token) in [("mia", &mia), ("max", &max)] {
            let (user, workspace) = (scene.mia.to_string(), json!({ "slug": "lab", "name": "Lab" }));
            let role = json!({ "key": "x", "name": "X", "rank": 1, "permissions": [] });
            let invitation = json!({ "email": "guest@example.com", "roles": ["member"] });
            let key = json!({ "name": "k", "scopes": ["events:read"] });
            for (method, path, body) in [
                ("PATCH", String::new(), json!({ "name": "Mine" })),
                ("POST", "/workspaces".to_owned(), workspace),
                ("POST", "/roles".to_owned(), role),
                ("POST", "/invitations".to_owned(), invitation),
                ("PUT", format!("/members/{user}/roles"), json!({ "roles": ["admin"] })),
                ("DELETE", format!("/members/{user}"), Value::Null),
                ("GET", "/api-keys".to_owned(), Value::Null),
                ("POST", "/api-keys".to_owned(), key),
            ] {
                let answer = scene.call(method, &path, token, body).await;
                assert_eq!((answer.status, &answer.body["code"]), (403, &json!("forbidden")), "{name} {method} {path}");
            }
        }
        assert_eq!(scene.call("PATCH", "", &ada, json!({ "name": "Acme" })).await.expect(200)["name"], "Acme");
        scene.call("POST", "/workspaces", &ada, json!({ "slug": "lab", "name": "Lab" })).await.expect(201);
        let again = scene.call("POST", "/workspaces", &ada, json!({ "slug": "lab", "name": "Lab" })).await;
        again.refused(409, "conflict");
    }

    async fn or_3_roles_are_given_taken_and_defined_within_ones_own(database) {
        let scene = Scene::set(database).await;
        let ada = scene.token("ada").await;
        let path = format!("/members/{}/roles", scene.mia);
        let role = json!({ "key": "scribe", "name": "Scribe", "rank": 12, "permissions": ["notes:write"] });
        scene.call("POST", "/roles", &ada, role.clone()).await.expect(201);
        scene.call("POST", "/roles", &ada, role).await.refused(409, "conflict");
        scene.call("PUT", &path, &ada, json!({ "roles": ["scribe"] })).await.expect(204);
        let told = scene.api.call("GET", "/me", &scene.token("mia").await, Value::Null).await;
        assert_eq!(told.expect(200)["permissions"], json!(["notes:write"]));
        scene.call("DELETE", "/roles/scribe", &ada, Value::Null).await.refused(409, "conflict");
        let changed = json!({ "name": "Scribe", "rank": 900, "permissions": [] });
        scene.call("PUT", "/roles/scribe", &ada, changed).await.refused(403, "forbidden");
        scene.call("PUT", &path, &ada, json!({ "roles": ["member"] })).await.expect(204);
        scene.call("DELETE", "/roles/scribe", &ada, Value::Null).await.expect(204);
        scene.call("DELETE", "/roles/scribe", &ada, Value::Null).await.refused(404, "not_found");
        scene.call("PUT", &path, &ada, json!({ "roles": ["emperor"] })).await.refused(422, "invalid_value");
        scene.call("PUT", &path, &ada, json!({ "roles": [] })).await.refused(422, "invalid_value");
    }

    async fn or_6_a_suspended_or_removed_member_is_out_at_once(database) {
        let scene = Scene::set(database).await;
        let (ada, mia) = (scene.token("ada").await, scene.token("mia").await);
        let member = format!("/members/{}", scene.mia);
        scene.call("POST", &format!("{member}/suspend"), &ada, Value::Null).await.expect(204);
        scene.get("", &mia).await.refused(401, "token_invalid");
        scene.call("POST", &format!("{member}/resume"), &ada, Value::Null).await.expect(204);
        let mia = scene.token("mia").await;
        scene.get("", &mia).await.expect(200);
        scene.call("DELETE", &member, &ada, Value::Null).await.expect(204);
        scene.get("", &mia).await.refused(401, "token_invalid");
        scene.call("DELETE", &member, &ada, Value::Null).await.refused(404, "not_found");
    }

    async fn or_5_invitations_are_sent_listed_and_taken_back(database) {
        let scene = Scene::set(database).await;
        let ada = scene.token("ada").await;
        let made = scene.call("POST", "/invitations", &ada, json!({ "email": "guest@example.com", "roles": ["member"] })).await;
        made.expect(201);
        let list = scene.get("/invitations", &ada).await;
        assert_eq!(list.expect(200)["items"][0]["email"], "guest@example.com");
        assert!(!list.body.to_string().contains("token"));
        let path = format!("/invitations/{}", made.text("/id"));
        scene.call("DELETE", &path, &ada, Value::Null).await.expect(204);
        scene.call("DELETE", &path, &ada, Value::Null).await.refused(404, "not_found");
        let bad = json!({ "email": "nonsense", "roles": ["member"] });
        scene.call("POST", "/invitations", &ada, bad).await.refused(422, "invalid_value");
    }

    async fn ak_2_keys_are_made_by_people_who_have_just_signed_in(database) {
        let scene = Scene::set(database).await;
        let ada = scene.token("ada").await;
        let new = json!({ "name": "importer", "scopes": ["members:read"] });
        let made = scene.call("POST", "/api-keys", &ada, new.clone()).await;
        made.expect(201);
        let (key, id) = (made.text("/key"), made.text("/described/id"));
        let list = scene.get("/api-keys", &ada).await;
        assert_eq!(list.expect(200)["items"][0]["id"], json!(id));
        assert!(!list.body.to_string().contains(&key), "its text is shown once");
        let of_other = json!({ "name": "importer", "scopes": ["members:read"], "userId": scene.max });
        scene.call("POST", "/api-keys", &ada, of_other).await.refused(400, "invalid_request");
        // A word that no role here uses is an API's own, and free; this one is a permission that the caller lacks.
        let accountant = json!({ "key": "accountant", "name": "Accountant", "rank": 5, "permissions": ["billing:write"] });
        scene.call("POST", "/roles", &ada, accountant).await.expect(201);
        let beyond = json!({ "name": "importer", "scopes": ["billing:write"] });
        scene.call("POST", "/api-keys", &ada, beyond).await.refused(403, "forbidden");
        let by_key = scene.api.request("POST", &format!("{}/api-keys", scene.base)).header("x-api-key", &key).json(&new);
        Answer::of(by_key).await.refused(403, "forbidden");
        let rotated = scene.call("POST", &format!("/api-keys/{id}/rotate"), &ada, json!({})).await;
        rotated.expect(201);
        scene.api.app.advance(Duration::from_secs(301));
        let refreshed = scene.api.sign_in("ada").await;
        scene.api.app.advance(Duration::from_secs(200));
        let ada = scene.api.post("/refresh", json!({ "refresh_token": refreshed.text("/refresh_token") })).await.text("/access_token");
        scene.api.app.advance(Duration::from_secs(101));
        scene.call("POST", "/api-keys", &ada, new).await.refused(403, "reauthentication_required");
        let path = format!("/api-keys/{}", rotated.text("/described/id"));
        scene.call("DELETE", &path, &ada, Value::Null).await.refused(403, "reauthentication_required");
        scene.call("DELETE", &path, &scene.token("ada").await, Value::Null).await.expect(204);
    }

    async fn or_7_lists_come_in_pages_and_a_cursor_is_of_one_list(database) {
        let scene = Scene::set(database).await;
        let ada = scene.token("ada").await;
        let first = scene.get("/members?limit=2", &ada).await;
        assert_eq!(first.expect(200)["items"].as_array().unwrap().len(), 2);
        let cursor = first.text("/next");
        let second = scene.get(&format!("/members?limit=2&cursor={cursor}"), &ada).await;
        assert_eq!(second.expect(200)["items"].as_array().unwrap().len(), 1);
        assert_eq!(second.body["next"], Value::Null);
        let items = [&first, &second].map(|page| page.body["items"].as_array().unwrap().clone()).concat();
        let users: std::collections::BTreeSet<String> = items.iter().map(|item| item["user"].to_string()).collect();
        assert_eq!(users.len(), 3, "each once");
        for bad in ["invitations?cursor=CURSOR", "members?cursor=x", "members?limit=0", "members?limit=101", "members?page=2"] {
            let path = format!("/{}", bad.replace("CURSOR", &cursor));
            let (status, code) = if bad.contains("cursor") { (422, "invalid_value") } else { (400, "invalid_request") };
            scene.get(&path, &ada).await.refused(status, code);
        }
    }
}
