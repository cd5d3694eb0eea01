//! `/api/v1/admin`: who may call, and what is done.

mod applications;
mod operation;
mod providers;
mod tenants;

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::config::Config;
use countersign::model::InstanceRole;
use countersign::tenancy::management::{PATH, Scope};
use serde_json::{Value, json};

use super::user_with_role;
use crate::on_both_databases;
use crate::support::{Database, NameServer, Settings, TestApp, TestClient, python};

/// A server whose management API is called by a client of its own.
struct Api {
    app: TestApp,
    client: TestClient,
    dns: NameServer,
}

struct Answer {
    status: u16,
    body: Value,
    replayed: bool,
}

impl Api {
    async fn start(database: Database) -> Self {
        Self::start_with(database, |_| {}).await
    }

    async fn start_with(database: Database, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        let dns = NameServer::start().await;
        let server = dns.address;
        let settings = Settings::with(move |config| {
            config.outbound.dns_server = Some(server);
            change(config);
        });
        let app = TestApp::start_with(database, settings).await;
        user_with_role(&app, "root", InstanceRole::Administrator).await;
        let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        let client = TestClient::register(&app, "manager", |registration| {
            registration.set("grant_types", json!(["client_credentials"]));
            registration.set("redirect_uris", json!([]));
            registration.set("scope", json!(all.join(" ")));
        })
        .await;
        Self { app, client, dns }
    }

    /// A token with these scopes, separated by spaces.
    async fn token(&self, scope: &str) -> String {
        let resource = format!("{}{PATH}", self.app.issuer);
        let asked = [("grant_type", "client_credentials"), ("scope", scope), ("resource", resource.as_str())];
        let answer = self.client.token(&asked).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["access_token"].as_str().expect("a token").to_owned()
    }

    async fn everything(&self) -> String {
        let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        self.token(&all.join(" ")).await
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        self.call_once(method, path, token, body, None).await
    }

    async fn call_once(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
        key: Option<&str>,
    ) -> Answer {
        // Ids begin with their time: what is made later stands after what was made before.
        self.app.advance(Duration::from_millis(2));
        let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
        let mut request = self.app.http.request(method, self.app.url(&format!("{PATH}{path}")));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let (status, replayed) =
            (answer.status().as_u16(), answer.headers().contains_key("idempotency-replayed"));
        let text = answer.text().await.expect("text");
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), replayed }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("get", path, token, Value::Null).await
    }

    /// Makes something, asking for it twice with one key: the second time it is answered again.
    async fn make(&self, path: &str, token: &str, body: &Value) -> Value {
        let key = format!("once:{path}:{body}").replace(' ', "");
        let key = countersign::crypto::Digest::of(key.as_bytes()).as_bytes()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        let made = self.call_once("post", path, token, body.clone(), Some(&key)).await;
        assert_eq!((made.status, made.replayed), (201, false), "{path}: {}", made.body);
        let again = self.call_once("post", path, token, body.clone(), Some(&key)).await;
        assert_eq!((again.status, again.replayed), (201, true), "{path}: {}", again.body);
        made.body
    }

    /// Every item of a list, in pages of one.
    async fn pages(&self, path: &str, token: &str) -> Vec<Value> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{sign}limit=1{next}"), token).await;
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            let items = page.body["items"].as_array().expect("items");
            assert!(items.len() <= 1, "{}", page.body);
            seen.extend(items.iter().cloned());
            match page.body["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return seen,
            }
        }
    }

    async fn description(&self) -> Value {
        let url = self.app.url(&format!("{PATH}/openapi.json"));
        self.app.http.get(url).send().await.expect("an answer").json().await.expect("JSON")
    }
}

impl Answer {
    /// Refused with this status, and this in the detail.
    #[track_caller]
    fn refused(&self, status: u16, says: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        let detail = self.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(says), "`{says}` is not in: {}", self.body);
    }

    #[track_caller]
    fn is(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{}", self.body);
        &self.body
    }
}

/// Of each, what stands in this field.
fn each(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// Every operation: its method, its path with something in each place, and the scope that it names.
fn operations(description: &Value) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, methods) in description["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let scope = operation["security"][0]["oauth"][0].as_str().expect("a scope").to_owned();
            let parts: Vec<String> = path
                .split('/')
                .map(|part| if part.starts_with('{') { "none-such".to_owned() } else { part.to_owned() })
                .collect();
            all.push((method.clone(), parts.join("/"), scope));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ad_3_each_operation_needs_a_token_of_this_api_with_its_scope() {
    let api = Api::start(Database::Sqlite).await;
    let acme = api.app.organisation("acme").await;
    let root =
        api.app.read(|db| countersign::store::users::find_by_login(db, "root@example.com")).await.unwrap().id;
    api.app.member(&acme, root, &["admin"]).await;
    let sign_in = json!({ "login": "root@example.com", "password": crate::support::PASSWORD });
    let of_person = api.app.http.post(api.app.url("/api/v1/sign-in")).json(&sign_in).send().await.unwrap();
    let of_person: Value = of_person.json().await.unwrap();
    let of_person = of_person["access_token"].as_str().expect("a token").to_owned();
    let mut tokens = BTreeMap::new();
    for scope in Scope::ALL {
        tokens.insert(scope.as_str(), api.token(scope.as_str()).await);
    }
    let operations = operations(&api.description().await);
    assert!(operations.len() > 100, "{}", operations.len());
    for (method, path, scope) in &operations {
        let body = || if matches!(method.as_str(), "get" | "delete") { Value::Null } else { json!({}) };
        let case = format!("{method} {path}");
        assert_eq!(api.call(method, path, "", body()).await.status, 401, "{case}: nobody");
        assert_eq!(api.call(method, path, "none", body()).await.status, 401, "{case}: no token");
        assert_eq!(api.call(method, path, &of_person, body()).await.status, 401, "{case}: of another API");
        for (held, token) in &tokens {
            let answer = api.call(method, path, token, body()).await;
            if held == scope {
                assert!(
                    matches!(answer.status, 200 | 204 | 400 | 404 | 422)
                        && answer.body["code"] != "forbidden",
                    "{case} with {held}: {} {}",
                    answer.status,
                    answer.body
                );
            } else {
                assert_eq!(
                    (answer.status, &answer.body["code"]),
                    (403, &json!("forbidden")),
                    "{case} with {held}"
                );
                assert!(
                    answer.body["detail"].as_str().is_some_and(|told| told.contains(scope.as_str())),
                    "{case}"
                );
            }
        }
    }
}

on_both_databases! {
    async fn te_4_a_persons_application_acts_within_the_persons_role(database) {
        let api = Api::start(database).await;
        for (name, role) in [("helen", Some(InstanceRole::Support)), ("ada", None)] {
            api.app.user_with(name, |new| new.instance_role = role).await;
        }
        let scope = "openid admin.users:read admin.users:write";
        let client = TestClient::register(&api.app, "panel", |registration| {
            registration.first_party = true;
            registration.set("scope", json!(scope));
        }).await;
        let resource = format!("{}{PATH}", api.app.issuer);
        for (name, read, write) in [("root", 200, 201), ("helen", 200, 403), ("ada", 403, 403)] {
            let mut browser = api.app.browser();
            let flow = client.flow(scope).with("resource", &resource);
            let code = client.authorize(&mut browser, &flow, name).await;
            let token = client.redeem(&flow, &code).await.body["access_token"].as_str().expect("a token").to_owned();
            assert_eq!(api.call("get", "/users", &token, Value::Null).await.status, read, "{name}");
            let new = json!({ "email": format!("by-{name}@example.com"), "name": "New" });
            assert_eq!(api.call("post", "/users", &token, new).await.status, write, "{name}");
        }
        let events = api.app.read(|db| countersign::store::audit::newest(db, 50)).await;
        assert!(events.iter().any(|event| event.action == "user.created" && event.actor_id.is_some()), "LO-1");
    }

    async fn fe_4_an_administrators_token_counts_while_they_are_signed_in_by_what_counts_here(database) {
        let api = Api::start(database).await;
        let scope = "openid admin.users:read offline_access";
        let client = TestClient::register(&api.app, "panel", |registration| {
            registration.first_party = true;
            registration.set("scope", json!(scope));
            registration.set("grant_types", json!(["authorization_code", "refresh_token"]));
        }).await;
        let resource = format!("{}{PATH}", api.app.issuer);
        let mut statuses = Vec::new();
        for scope in ["openid admin.users:read", scope] {
            let mut browser = api.app.browser();
            let flow = client.flow(scope).with("resource", &resource);
            let code = client.authorize(&mut browser, &flow, "root").await;
            let token = client.redeem(&flow, &code).await.body["access_token"].as_str().expect("a token").to_owned();
            statuses.push((token.clone(), api.call("get", "/users", &token, Value::Null).await.status));
        }
        assert_eq!((statuses[0].1, statuses[1].1), (200, 403), "offline access outlives what was proven");

        // The same session, if an organisation's own provider had vouched in it.
        let acme = api.app.organisation("acme").await;
        let sessions = api.app.read(|db| countersign::store::sessions::list_all(db, countersign::clock::Timestamp(0))).await;
        let now = api.app.clock.now();
        api.app.app.db.write(move |db| {
            let provider = countersign::store::federation::Provider {
                id: "acmes".to_owned(), kind: countersign::model::ProviderKind::Google, name: None,
                client_id: "x".to_owned(), secret_sealed: None, issuer: None, first_sign_in: None,
                allow_private_network: false, status: countersign::model::Status::Active, created_at: now,
                organisation_id: Some(acme.id),
            };
            countersign::store::federation::insert_provider(db, &provider, &Vec::new())?;
            for session in &sessions {
                countersign::store::sessions::step_up(
                    db, session.id, &countersign::crypto::Digest::of(session.id.to_string().as_bytes()),
                    countersign::model::AuthMethod::Federated, now,
                )?;
                countersign::store::federation::note_session(db, session.id, "acmes", session.expires_at)?;
            }
            Ok(())
        }).await.expect("stored");
        let answer = api.call("get", "/users", &statuses[0].0, Value::Null).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("forbidden")), "{}", answer.body);
    }

    async fn ak_2_no_organisations_key_is_good_for_the_instance(database) {
        let api = Api::start(database).await;
        let acme = api.app.organisation("acme").await;
        let new = countersign::tenancy::api_keys::NewKey {
            name: "key".to_owned(), workspace: None, scopes: vec!["admin.users:read".to_owned()], lasts: None, prefix: None,
        };
        let origin = countersign::audit::Origin::command_line();
        let actor = countersign::tenancy::actor::Actor::Operator;
        let made = countersign::tenancy::api_keys::manage::create(&api.app.app, actor, acme.id, new, &origin).await;
        let key = made.expect("the scopes of keys are free words").text.expose().to_owned();
        let resource = format!("{}{PATH}", api.app.issuer);
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", key.as_str()),
            ("subject_token_type", countersign::protocol::token::API_KEY_TYPE), ("resource", resource.as_str()),
        ];
        let answer = api.app.http.post(api.app.url("/oauth2/token")).form(&exchange).send().await.expect("an answer");
        let told: Value = answer.json().await.expect("JSON");
        let token = told["access_token"].as_str().unwrap_or_else(|| panic!("no token: {told}"));
        assert_eq!(api.call("get", "/users", token, Value::Null).await.status, 401, "{told}");
        let url = api.app.url(&format!("{PATH}/users"));
        let by_key = api.app.http.get(url).header("x-api-key", &key).send().await.expect("an answer");
        assert_eq!(by_key.status(), 401);
    }

    async fn people_are_made_found_changed_and_ended(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let new = json!({ "email": "ada@example.com", "name": "Ada", "username": "ada", "email_verified": true, "send_link": true });
        let made = api.call_once("post", "/users", &token, new.clone(), Some("k1")).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(made.body["link_sent"], true);
        let id = made.body["user"]["id"].as_str().unwrap().to_owned();
        let again = api.call_once("post", "/users", &token, new.clone(), Some("k1")).await;
        assert_eq!((again.status, again.replayed, &again.body), (201, true, &made.body), "idempotent");
        assert_eq!(api.call("post", "/users", &token, new).await.status, 409);
        let mail = api.app.read(|db| countersign::store::outbox::newest(db, 5)).await;
        assert_eq!(mail.iter().filter(|mail| mail.recipient == "ada@example.com").count(), 1, "one link");
        for (bad, status) in [
            (json!({ "email": "no", "name": "X" }), 422),
            (json!({ "email": "x@example.com", "name": "" }), 422),
            (json!({ "email": "x@example.com" }), 400),
            (json!({ "email": "x@example.com", "name": "X", "password": "chosen" }), 400),
        ] {
            assert_eq!(api.call("post", "/users", &token, bad.clone()).await.status, status, "AD-4: {bad}");
        }
        let at = format!("/users/{id}");
        let found = api.call("get", "/users?q=ADA&status=active", &token, Value::Null).await;
        assert_eq!(found.body["items"][0]["id"], json!(id));
        assert_eq!(api.call("get", "/users?status=odd", &token, Value::Null).await.status, 422);
        assert_eq!(api.call("get", "/users?colour=red", &token, Value::Null).await.status, 400);
        let changed = api.call("patch", &at, &token, json!({ "name": "Ada King", "zoneinfo": "Europe/Vienna" })).await;
        assert_eq!(changed.body["name"], "Ada King", "{}", changed.body);
        assert_eq!(api.call("patch", &at, &token, json!({ "zoneinfo": "Mars/Base" })).await.status, 422);
        assert_eq!(api.call("put", &format!("{at}/instance-role"), &token, json!({ "instance_role": "support" })).await.status, 204);
        let shown = api.call("get", &at, &token, Value::Null).await;
        assert_eq!((&shown.body["user"]["instance_role"], &shown.body["has_password"]), (&json!("support"), &json!(false)));
        assert_eq!(api.call("post", &format!("{at}/disable"), &token, Value::Null).await.status, 204);
        assert_eq!(api.call("post", &format!("{at}/enable"), &token, Value::Null).await.status, 204);
        assert_eq!(api.call("delete", &at, &token, Value::Null).await.status, 204);
        assert_eq!(api.call("get", &at, &token, Value::Null).await.status, 404);
        let root = api.call("get", "/users?role=administrator", &token, Value::Null).await;
        let root = root.body["items"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(api.call("delete", &format!("/users/{root}"), &token, Value::Null).await.status, 409, "OR-3");
        let events = api.call("get", "/audit?action=user.", &token, Value::Null).await;
        let by_client = |event: &Value| event["detail"]["by_client"].is_string();
        assert!(events.body["items"].as_array().unwrap().iter().filter(|event| by_client(event)).count() >= 5, "{}", events.body);
    }

    async fn lists_are_paged_by_key(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        for at in 0..5 {
            let new = json!({ "email": format!("n{at}@example.com"), "name": format!("N {at}") });
            assert_eq!(api.call("post", "/users", &token, new).await.status, 201);
            // Of what is made in one moment, nobody knows the order.
            api.app.advance(std::time::Duration::from_secs(1));
        }
        let (mut seen, mut path) = (Vec::new(), "/users?q=n&limit=2".to_owned());
        for _ in 0..4 {
            let page = api.call("get", &path, &token, Value::Null).await;
            assert_eq!(page.status, 200, "{}", page.body);
            seen.extend(page.body["items"].as_array().unwrap().iter().map(|user| user["name"].clone()));
            match page.body["next"].as_str() {
                Some(next) => path = format!("/users?q=n&limit=2&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, ["N 4", "N 3", "N 2", "N 1", "N 0"].map(|name| json!(name)));
        assert_eq!(api.call("get", "/users?cursor=AAAA", &token, Value::Null).await.status, 422);
        let audit = api.call("get", "/audit?limit=3", &token, Value::Null).await;
        let next = audit.body["next"].as_str().expect("more");
        let more = api.call("get", &format!("/audit?limit=3&cursor={next}"), &token, Value::Null).await;
        assert_eq!(more.status, 200);
        assert_ne!(more.body["items"][0]["id"], audit.body["items"][2]["id"]);
    }

    async fn organisations_applications_apis_and_keys(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let ada = api.app.user("ada").await.to_string();
        let made = api.call_once("post", "/organizations", &token, json!({ "slug": "acme", "name": "Acme" }), Some("o")).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let member = json!({ "user": ada, "roles": ["admin"] });
        assert_eq!(api.call("post", "/organizations/acme/members", &token, member).await.status, 201);
        let members = api.call("get", "/organizations/acme/members", &token, Value::Null).await;
        assert_eq!(members.body["items"][0]["roles"][0]["role"], "admin");
        let roles = json!({ "roles": ["member"] });
        let answer = api.call("put", &format!("/organizations/acme/members/{ada}/roles"), &token, roles).await;
        assert_eq!(answer.status, 409, "the last administrator: {}", answer.body);
        assert_eq!(api.call("post", "/organizations/acme/suspend", &token, Value::Null).await.status, 204);
        let shown = api.call("get", "/organizations/acme", &token, Value::Null).await;
        assert_eq!(shown.body["status"], "suspended");
        assert_eq!(api.call("post", "/organizations/acme/resume", &token, Value::Null).await.status, 204);

        let new = json!({ "client_name": "Calendar", "redirect_uris": ["https://calendar.example.com/back"], "scope": "openid profile" });
        let made = api.call_once("post", "/clients", &token, new.clone(), Some("c")).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert!(made.body["client_secret"].is_string());
        let again = api.call_once("post", "/clients", &token, new, Some("c")).await;
        assert_eq!((&again.body["client_secret"], &again.body["client"]), (&Value::Null, &made.body["client"]), "shown once");
        let id = made.body["client"]["client_id"].as_str().unwrap().to_owned();
        let bad = json!({ "client_name": "X", "redirect_uris": ["https://*.example.com/"] });
        assert_eq!(api.call("post", "/clients", &token, bad).await.status, 422);
        let secret = api.call("post", &format!("/clients/{id}/secret"), &token, json!({ "overlap": 3600 })).await;
        assert_eq!(secret.status, 201, "{}", secret.body);
        assert_ne!(secret.body["client_secret"], made.body["client_secret"]);
        let changed = api.call("patch", &format!("/clients/{id}"), &token, json!({ "require_mfa": true })).await;
        assert_eq!(changed.body["require_mfa"], true);
        assert_eq!(api.call("delete", &format!("/clients/{id}"), &token, Value::Null).await.status, 204);
        assert_eq!(api.call("get", &format!("/clients/{id}"), &token, Value::Null).await.status, 404);

        let new = json!({ "identifier": "https://events.example.com", "name": "Events", "scopes": [{ "scope": "events:read", "description": "Read" }] });
        let made = api.call("post", "/resources", &token, new.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(api.call("post", "/resources", &token, new).await.status, 409);
        let own = json!({ "identifier": "https://other.example.com", "name": "X", "scopes": [{ "scope": "admin.users:read", "description": "" }] });
        assert_eq!(api.call("post", "/resources", &token, own).await.status, 422, "no other API has our scopes");
        let id = made.body["id"].as_str().unwrap().to_owned();
        assert_eq!(api.call("delete", &format!("/resources/{id}"), &token, Value::Null).await.status, 204);

        let before = api.call("get", "/keys", &token, Value::Null).await.body["items"].as_array().unwrap().len();
        let rotated = api.call("post", "/keys/rotate", &token, json!({ "alg": "ES256" })).await;
        assert_eq!(rotated.body["items"].as_array().unwrap().len(), before + 1, "{}", rotated.body);
        let settings = api.call("get", "/settings", &token, Value::Null).await;
        let text = settings.body.to_string();
        assert!(text.contains("server.listen") && text.contains("(set)") || text.contains("(not set)"), "{text}");
    }

    async fn what_is_described_is_true(database) {
        let api = Api::start(database).await;
        let token = api.everything().await;
        let acme = api.app.organisation("acme").await;
        let mia = api.app.user("mia").await;
        api.app.member(&acme, mia, &["member"]).await;
        let origin = countersign::audit::Origin::command_line();
        let actor = countersign::tenancy::actor::Actor::Operator;
        for (path, body) in [
            ("/clients", json!({ "client_name": "Calendar", "client_id": "calendar", "redirect_uris": ["https://calendar.example.com/back"] })),
            ("/organizations/acme/workspaces", json!({ "slug": "north", "name": "North" })),
            ("/organizations/acme/roles", json!({ "key": "technician", "name": "Technician", "rank": 5, "permissions": [] })),
            ("/providers", json!({ "id": "corp", "kind": "oidc", "client_id": "ours", "issuer": "https://127.0.0.1:1" })),
        ] {
            api.make(path, &token, &body).await;
        }
        countersign::tenancy::domains::claim(&api.app.app, actor, acme.id, "example.com", &origin).await.expect("claimed");
        api.dns.set("example.com", &["v=spf1 -all"]);
        let resource = json!({ "identifier": "https://api.example.com", "name": "API", "scopes": [] });
        let resource = api.make("/resources", &token, &resource).await;
        let key = json!({ "name": "Robot", "scopes": ["org:read"] });
        let key = api.make("/organizations/acme/api-keys", &token, &key).await;
        let invitation = json!({ "email": "ada@example.org", "roles": ["member"] });
        let invitation = api.make("/organizations/acme/invitations", &token, &invitation).await;
        let path = json!({
            "organization": acme.id, "user": mia, "client": "calendar", "workspace": "north", "role": "technician",
            "provider": "corp", "domain": "example.com", "resource": resource["id"], "key": key["described"]["id"],
            "invitation": invitation["id"],
        });
        // What would end the key that signed the token, or whoever is asked about, is called apart, and so is what asks
        // others by HTTP.
        let job = json!({
            "url": api.app.url(&format!("{PATH}/openapi.json")), "examples": 3, "path": path, "token": token,
            "without": "removeClient|revokeKey|rotateKeys|removeUser|disableUser|discoverProvider",
            "stateful": false,
        });
        let report = python("described.py", &job).await;
        assert_eq!(report["code"], 0, "{}", report["output"].as_str().unwrap());
        assert!(report["output"].as_str().unwrap().contains("No issues found"), "{}", report["output"]);
    }
}
