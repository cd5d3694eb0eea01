//! `Idempotency-Key`: what is asked for twice is made once.

use std::time::Duration;

use countersign::crypto::Digest;
use countersign::store::idempotency::{self, Held, Taken};
use serde_json::{Value, json};

use super::{Answer, Api};
use crate::on_both_databases;
use crate::support::{Database, TestOrganisation};

struct Scene {
    api: Api,
    acme: TestOrganisation,
    token: String,
}

impl Scene {
    async fn set(database: Database) -> Self {
        let api = Api::start(database).await;
        let acme = api.app.organisation("acme").await;
        for name in ["ada", "bob"] {
            let user = api.app.user(name).await;
            api.app.member(&acme, user, &["admin"]).await;
        }
        let token = api.sign_in("ada").await.text("/access_token");
        Self { api, acme, token }
    }

    fn path(&self, what: &str) -> String {
        format!("/organizations/{}/{what}", self.acme.id)
    }

    async fn make(&self, what: &str, key: &str, body: &Value) -> Answer {
        self.make_as(&self.token, what, key, body).await
    }

    async fn make_as(&self, token: &str, what: &str, key: &str, body: &Value) -> Answer {
        let request = self.api.request("POST", &self.path(what)).bearer_auth(token);
        Answer::of(request.header("idempotency-key", key).json(body)).await
    }

    async fn count(&self, what: &str) -> usize {
        let list = self.api.call("GET", &self.path(what), &self.token, Value::Null).await;
        list.expect(200)["items"].as_array().unwrap().len()
    }
}

fn lab() -> Value {
    json!({ "slug": "lab", "name": "Lab" })
}

on_both_databases! {
    async fn the_same_again_is_answered_the_same_and_made_once(database) {
        let scene = Scene::set(database).await;
        let first = scene.make("workspaces", "k1", &lab()).await;
        assert!(!first.headers.contains_key("idempotency-replayed"));
        let again = scene.make("workspaces", "k1", &lab()).await;
        assert_eq!(again.expect(201), first.expect(201));
        assert_eq!(again.header("idempotency-replayed"), "true");
        scene.make("workspaces", "k2", &lab()).await.refused(409, "conflict");
        assert_eq!(scene.count("workspaces").await, 2, "with the default one");

        let guest = json!({ "email": "guest@example.com", "roles": ["member"] });
        let invited = scene.make("invitations", "k1 ".trim(), &guest).await;
        invited.refused(422, "idempotency_key_reused");
        for _ in 0..2 {
            scene.make("invitations", "k3", &guest).await.expect(201);
        }
        assert_eq!(scene.count("invitations").await, 1, "and one mail");
        // Without a key, two are two.
        let path = scene.path("invitations");
        scene.api.call("POST", &path, &scene.token, guest).await.expect(201);
        assert_eq!(scene.count("invitations").await, 2);
    }

    async fn ar_1_of_many_at_once_one_makes_it(database) {
        let scene = Scene::set(database).await;
        let (body, calls) = (json!({ "name": "importer", "scopes": ["org:read"] }), 12);
        let all = futures_util::future::join_all((0..calls).map(|_| scene.make("api-keys", "at-once", &body))).await;
        let made: Vec<_> = all.iter().filter(|answer| answer.body["key"].is_string()).collect();
        assert_eq!(made.len(), 1);
        for answer in &all {
            match answer.status {
                201 => assert_eq!(answer.body["described"]["id"], made[0].body["described"]["id"]),
                _ => {
                    answer.refused(409, "in_progress");
                    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
                }
            }
        }
        assert_eq!(scene.count("api-keys").await, 1);
    }

    async fn ak_1_an_api_key_is_shown_once_whatever_is_asked_again(database) {
        let scene = Scene::set(database).await;
        let body = json!({ "name": "importer", "scopes": ["org:read"] });
        let made = scene.make("api-keys", "k", &body).await;
        let text = made.text("/key");
        made.expect(201);
        let again = scene.make("api-keys", "k", &body).await;
        assert_eq!(again.expect(201)["key"], Value::Null);
        assert_eq!(again.body["described"]["id"], made.body["described"]["id"]);
        // What is kept is sealed, and opened it has no key either.
        let ada = scene.api.app.read(|db| countersign::tenancy::users::find(db, "ada@example.com")).await.unwrap();
        let now = scene.api.app.clock.now();
        let digest = Digest::of_parts(&[ada.id.to_string().as_bytes(), b"k"]);
        let asked = Held {
            digest,
            fingerprint: digest,
            holder: digest,
            held_until: now,
            made_at: None,
            answer: None,
            expires_at: now,
        };
        let app = &scene.api.app.app;
        let taken = app.db.write(move |db| idempotency::take(db, &asked, now)).await.unwrap();
        let Taken::Before(held) = taken else { panic!("the key is not kept") };
        let context = [b"answer of an idempotency key ", digest.as_bytes().as_slice()].concat();
        let plain = app.master.unseal(&context, &held.answer.expect("an answer")).unwrap();
        let plain = String::from_utf8(plain.to_vec()).unwrap();
        assert!(plain.contains(&made.text("/described/id")) && !plain.contains(&text), "{plain}");
    }

    async fn a_key_counts_for_its_caller_and_for_a_day(database) {
        let scene = Scene::set(database).await;
        let role = |key: &str| json!({ "key": key, "name": "R", "rank": 1, "permissions": [] });
        scene.make("roles", "k", &role("a")).await.expect(201);
        let bob = scene.api.sign_in("bob").await.text("/access_token");
        scene.make_as(&bob, "roles", "k", &role("b")).await.expect(201);
        scene.make("roles", "k", &role("c")).await.refused(422, "idempotency_key_reused");
        scene.api.app.advance(Duration::from_secs(24 * 3_600));
        let token = scene.api.sign_in("ada").await.text("/access_token");
        scene.make_as(&token, "roles", "k", &role("c")).await.expect(201);
    }

    async fn a_refusal_makes_nothing_and_leaves_the_key_free(database) {
        let scene = Scene::set(database).await;
        let bad = json!({ "key": "x", "name": "X", "rank": 1, "permissions": ["not a permission"] });
        scene.make("roles", "k", &bad).await.refused(422, "invalid_value");
        scene.make("roles", "k", &json!({ "key": "x" })).await.refused(400, "invalid_request");
        let good = json!({ "key": "x", "name": "X", "rank": 1, "permissions": [] });
        scene.make("roles", "k", &good).await.expect(201);
    }

    async fn a_key_is_one_header_of_visible_characters(database) {
        let scene = Scene::set(database).await;
        for bad in ["", "a b", &"k".repeat(256), "\u{e9}"] {
            scene.make("workspaces", bad, &lab()).await.refused(400, "invalid_request");
        }
        let twice = scene.api.request("POST", &scene.path("workspaces")).bearer_auth(&scene.token);
        let twice = twice.header("idempotency-key", "a").header("idempotency-key", "b").json(&lab());
        Answer::of(twice).await.refused(400, "invalid_request");
        scene.make("workspaces", &"k".repeat(255), &lab()).await.expect(201);
    }

    async fn or_2_who_is_out_is_not_told_what_was_made(database) {
        let scene = Scene::set(database).await;
        scene.make("workspaces", "k", &lab()).await.expect(201);
        let ada = scene.api.app.read(|db| countersign::tenancy::users::find(db, "ada@example.com")).await.unwrap();
        scene.api.app.suspend_member(scene.acme.id, ada.id).await;
        scene.make("workspaces", "k", &lab()).await.refused(401, "token_invalid");
    }
}
