//! A seventh API, whose addresses name what a call is about: organisations, people and providers in the path.

use serde_json::{Value, json};

use super::{Api, members};
use crate::on_both_databases;
use crate::support::{Database, PASSWORD, Settings, TestOrganisation, claims};

const FILE: &str = r#"
name = "places"
description = "What a call is about stands in its address."

[tokens]
refresh = "bearer"

[[endpoint]]
on = "POST /organisations/{org}/login"
action = "password.sign_in"
input = { login = "{{body.user}}", password = "{{body.password}}", organisation = "{{path.org}}" }
reply = { token = "{{tokens.access}}", org = "{{org.slug}}" }

[[endpoint]]
on = "GET /users/{id}"
action = "me"
input = { token = "{{bearer}}", api_key = "{{api_key}}", user = "{{path.id}}" }
[endpoint.reply]
id = "{{user.id?}}"
memberships = { when = "{{user.id}}", then = { each = "{{memberships}}", item = "{{item.org.slug}}" } }
machine = { when = "{{machine.id}}", then = "{{machine.name}}" }

[[endpoint]]
on = "PATCH /users/{id}"
action = "me.update"
input = { token = "{{bearer}}", user = "{{path.id}}", name = "{{body.name}}" }
reply = { name = "{{user.name}}" }

# More precise than the one above.
[[endpoint]]
on = "GET /users/me"
action = "me"
input = { token = "{{bearer}}" }
reply = { it = "is you", name = "{{user.name}}" }

[[endpoint]]
on = "GET /organisations/{org}/workspaces/{workspace}/check"
action = "check"
[endpoint.input]
token = "{{bearer}}"
organisation = "{{path.org}}"
workspace = "{{path.workspace}}"
role = "{{query.role}}"

[[endpoint]]
on = "GET /auth/{provider}/start"
action = "upstream.start"
input = { provider = "{{path.provider}}", redirect_url = "{{query.back}}" }
reply = { go = "{{location}}" }
"#;
const BACK: &str = "https://app.example.com/back";

struct World {
    api: Api,
    acme: TestOrganisation,
    ada: String,
}

async fn start(database: Database) -> World {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), FILE).expect("written");
    let path = file.path().to_owned();
    let settings = Settings::with(move |config| {
        let dialect = countersign::config::Dialect {
            file: Some(path),
            path: Some("/places".to_owned()),
            redirect_urls: vec![BACK.to_owned()],
            ..Default::default()
        };
        config.dialects.push(dialect);
    });
    let api = Api::serve(database, settings, "/places").await;
    let (ada, acme) = (api.app.user("ada").await, api.app.organisation("acme").await);
    let other = api.app.organisation("other").await;
    api.app.member(&acme, ada, &["admin"]).await;
    api.app.advance(std::time::Duration::from_secs(1));
    api.app.member(&other, ada, &["member"]).await;
    api.app.user("sam").await;
    World { api, acme, ada: ada.to_string() }
}

impl World {
    async fn login(&self, organisation: &str) -> String {
        let body = json!({ "user": "ada@example.com", "password": PASSWORD });
        let answer = self.api.post(&format!("/organisations/{organisation}/login")).json(&body).send().await;
        answer.expect(200);
        answer.text("/token")
    }
}

on_both_databases! {
    async fn what_stands_in_the_path_is_read_like_any_input(database) {
        let world = start(database).await;
        let api = &world.api;
        for (named, slug) in [("acme", "acme"), ("other", "other"), (&*world.acme.id.to_string(), "acme"), ("ac%6De", "acme")] {
            let token = world.login(named).await;
            assert_eq!(claims(&token)["org_slug"], slug, "{named}");
        }
        let body = json!({ "user": "ada@example.com", "password": PASSWORD });
        let login = |organisation: &str| api.post(&format!("/organisations/{organisation}/login")).json(&body).send();
        login("nowhere").await.expect(403);
        login("a%20b").await.expect(400);
        // One part of the path, and something in it.
        for path in ["a/b", "", "acme/"] {
            assert_eq!(login(path).await.status, 404, "{path}");
        }
        let start = api.get(&format!("/auth/google/start?back={BACK}")).send().await;
        assert!(start.text("/go").contains("provider=google"), "{:#}", start.body);
    }

    async fn a_user_in_the_path_is_the_caller_or_nobody(database) {
        let world = start(database).await;
        let (api, token) = (&world.api, world.login("acme").await);
        for named in [&*world.ada, "ada@example.com", "ADA%40example.com"] {
            let me = api.get(&format!("/users/{named}")).bearer(&token).send().await;
            let body = me.expect(200);
            assert_eq!((members(body), &body["id"]), (vec!["id", "memberships"], &json!(world.ada)), "{named}");
            assert_eq!(body["memberships"], json!(["acme", "other"]));
        }
        let sam = api.app.read(|db| countersign::tenancy::users::find(db, "sam@example.com")).await.unwrap().id;
        let strangers = [sam.to_string(), "sam@example.com".to_owned(), "nobody".to_owned()];
        let mut answers = Vec::new();
        for named in &strangers {
            let path = format!("/users/{named}");
            answers.push(api.get(&path).bearer(&token).send().await);
            let change = api.call("PATCH", &path).bearer(&token).json(&json!({ "name": "Eve" })).send().await;
            assert_eq!(change.status, 403, "{named}");
        }
        assert!(answers.iter().all(|answer| answer.status == 403 && answer.body == answers[0].body));
        let changed = api.call("PATCH", &format!("/users/{}", world.ada)).bearer(&token);
        assert_eq!(changed.json(&json!({ "name": "Ada L." })).send().await.expect(200)["name"], "Ada L.");
        assert_eq!(api.get(&format!("/users/{}", world.ada)).send().await.status, 401);
    }

    async fn a_word_is_meant_before_a_place_and_methods_are_those_of_both(database) {
        let world = start(database).await;
        let (api, token) = (&world.api, world.login("acme").await);
        let me = api.get("/users/me").bearer(&token).send().await;
        assert_eq!(me.expect(200)["it"], "is you");
        // Only the one with a place has this method.
        let change = api.call("PATCH", "/users/me").bearer(&token).json(&json!({ "name": "x" })).send().await;
        assert_eq!(change.status, 403, "somebody called `me` is not the caller");
        let refused = api.call("DELETE", "/users/me").bearer(&token).send().await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, PATCH"));
    }

    async fn or_1_a_workspace_in_the_path_only_chooses(database) {
        let world = start(database).await;
        let (api, token) = (&world.api, world.login("acme").await);
        let annex = api.app.workspace(&world.acme, "annex").await.to_string();
        for (path, status) in [
            (format!("/organisations/acme/workspaces/{annex}/check?role=admin"), 204),
            ("/organisations/acme/workspaces/nowhere/check".to_owned(), 403),
            (format!("/organisations/nowhere/workspaces/{annex}/check"), 403),
            ("/organisations/other/workspaces/default/check".to_owned(), 400),
        ] {
            assert_eq!(api.get(&path).bearer(&token).send().await.status, status, "{path}");
        }
    }

    async fn the_description_has_the_places(database) {
        let world = start(database).await;
        let described = world.api.get("/openapi.json").send().await.body;
        let endpoint: &Value = &described["paths"]["/organisations/{org}/workspaces/{workspace}/check"]["get"];
        let places: Vec<_> = endpoint["parameters"].as_array().unwrap().iter()
            .filter(|one| one["in"] == "path").map(|one| (one["name"].clone(), one["required"].clone())).collect();
        assert_eq!(places, [(json!("org"), json!(true)), (json!("workspace"), json!(true))]);
        assert_eq!(endpoint["operationId"], "get-organisations-by-org-workspaces-by-workspace-check");
        let me = &described["paths"]["/users/{id}"];
        assert!(me["get"].is_object() && me["patch"].is_object() && described["paths"]["/users/me"]["get"].is_object());
        assert_eq!(me["get"]["security"], json!([{ "api_key": [] }, { "bearer": [] }]));
        // What may be left out is not promised.
        let schema = &me["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(schema["required"], json!([]));
    }
}
