//! The same as [`super::isolation`] for what programs call: every endpoint of every shipped dialect, as their files list
//! them, forward-auth, introspection and token exchange; and for the forms on which an organisation is chosen.
//!
//! Whoever asks belongs elsewhere: a member, an administrator, an API key. What is asked of the victim is answered as it is
//! of what does not exist, tells nothing of the victim and leaves it as it was. A new endpoint is in the table by itself.

use base64::Engine;
use countersign::audit::Origin;
use countersign::dialect::SHIPPED;
use countersign::store;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::api_keys::{NewKey, manage};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::on_both_databases;
use crate::support::{Browser, Database, PASSWORD, Page, Settings, TestApp, TestClient, TestOrganisation};

/// One endpoint of a dialect, as its file says: inputs by name, each with the place it is read from (`header.X-Org-Id`).
struct Endpoint {
    dialect: &'static str,
    method: Method,
    path: String,
    action: String,
    inputs: Vec<(String, String)>,
}

impl Endpoint {
    fn reads(&self, place: &str) -> bool {
        self.inputs.iter().any(|(_, from)| from == place)
    }

    fn takes(&self, input: &str) -> bool {
        self.inputs.iter().any(|(name, _)| name == input)
    }
}

fn endpoints() -> Vec<Endpoint> {
    let mut found = Vec::new();
    for shipped in SHIPPED {
        let file: toml::Value = toml::from_str(shipped.text).expect("a good file");
        for endpoint in file["endpoint"].as_array().expect("endpoints") {
            let (method, path) = endpoint["on"].as_str().and_then(|on| on.split_once(' ')).expect("a place");
            let inputs = endpoint.get("input").and_then(toml::Value::as_table).into_iter().flatten();
            let from = |value: &toml::Value| -> String {
                let text = value.as_str().or_else(|| value.get("from")?.as_str()).expect("text");
                text.trim_start_matches("{{").trim_end_matches("}}").to_owned()
            };
            found.push(Endpoint {
                dialect: shipped.name,
                method: method.parse().expect("a method"),
                path: path.to_owned(),
                action: endpoint["action"].as_str().expect("an action").to_owned(),
                inputs: inputs.map(|(name, value)| (name.clone(), from(value))).collect(),
            });
        }
    }
    found
}

/// What is asked for: the victim's, or nobody's.
#[derive(Clone, Copy)]
struct Target<'t> {
    organisation: &'t str,
    workspace: &'t str,
}

enum Credential {
    /// Somebody's name, and their token of this API.
    Person(&'static str, String),
    Key(String),
}

struct Scene {
    app: TestApp,
    victim: TestOrganisation,
    elsewhere: TestOrganisation,
    key: String,
    victims_key: String,
}

/// What must not be told.
const SECRETS: [&str; 2] = ["victim", "owner"];

async fn start(database: Database) -> Scene {
    let settings = Settings::with(|config| {
        for shipped in SHIPPED {
            config.dialects.push(countersign::config::Dialect {
                shipped: Some(shipped.name.to_owned()),
                path: Some(format!("/{}", shipped.name)),
                ..Default::default()
            });
        }
    });
    let app = TestApp::start_with(database, settings).await;
    let (elsewhere, victim) = (app.organisation("elsewhere").await, app.organisation("victim").await);
    let owner = app.user("owner").await;
    app.member(&victim, owner, &["admin"]).await;
    for (name, role) in [("mallory", "member"), ("eve", "admin")] {
        let user = app.user(name).await;
        app.member(&elsewhere, user, &[role]).await;
    }
    let key = key(&app, &elsewhere).await;
    let victims_key = self::key(&app, &victim).await;
    Scene { app, victim, elsewhere, key, victims_key }
}

async fn key(app: &TestApp, of: &TestOrganisation) -> String {
    let new = NewKey {
        name: "importer".to_owned(),
        workspace: None,
        scopes: vec!["read".to_owned()],
        lasts: None,
        prefix: None,
    };
    let made = manage::create(&app.app, Actor::Operator, of.id, new, &Origin::command_line()).await;
    made.expect("the key is made").text.expose().to_owned()
}

impl Scene {
    /// Calls the endpoint with every input that it reads.
    async fn call(&self, endpoint: &Endpoint, who: &Credential, target: Target<'_>) -> (u16, String) {
        let name = match who {
            Credential::Person(name, _) => name,
            Credential::Key(_) => "nobody",
        };
        let (mut headers, mut body) = (Vec::new(), Map::new());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (input, from) in &endpoint.inputs {
            let value = match input.as_str() {
                "organisation" => target.organisation.to_owned(),
                "workspace" => target.workspace.to_owned(),
                "email" | "login" | "username" => format!("{name}@example.com"),
                "password" => PASSWORD.to_owned(),
                "role" => "member".to_owned(),
                "scope" => "read".to_owned(),
                "locale" => "en".to_owned(),
                "redirect_url" | "picture" => "https://app.example.com/x".to_owned(),
                other => format!("no {other}"),
            };
            match (from.split_once('.').unwrap_or((from, "")), who) {
                (("bearer", _), Credential::Person(_, token)) => {
                    headers.push(("Authorization", format!("Bearer {token}")))
                }
                (("api_key", _), Credential::Key(key)) => headers.push(("X-API-Key", key.clone())),
                (("basic", "username"), _) => {
                    let pair = format!("{name}@example.com:{PASSWORD}");
                    let encoded = base64::prelude::BASE64_STANDARD.encode(pair);
                    headers.push(("Authorization", format!("Basic {encoded}")));
                }
                (("header", header), _) => headers.push((header, value)),
                (("body", field), _) => drop(body.insert(field.to_owned(), Value::String(value))),
                (("query", field), _) => drop(query.append_pair(field, &value)),
                _ => {}
            }
        }
        let url = format!("/{}{}?{}", endpoint.dialect, endpoint.path, query.finish());
        let mut request =
            self.app.http.request(endpoint.method.clone(), self.app.url(url.trim_end_matches('?')));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let headers = format!("{:?}", answer.headers());
        let text = answer.text().await.expect("text");
        for secret in SECRETS.into_iter().chain([self.victim.id.to_string().as_str()]) {
            let told = text.replace(target.organisation, "…");
            assert!(
                !told.contains(secret) && !headers.contains(secret),
                "{}: {secret}: {told}",
                endpoint.path
            );
        }
        (status, text.replace(target.organisation, "…").replace(target.workspace, "…"))
    }

    /// Somebody's token of each API, by the endpoint that signs in with a password.
    async fn token(&self, all: &[Endpoint], dialect: &str, name: &'static str) -> Credential {
        let login = all.iter().find(|one| one.dialect == dialect && one.action == "password.sign_in");
        let at_home = Target { organisation: "elsewhere", workspace: "default" };
        let (status, body) =
            self.call(login.expect("a login"), &Credential::Person(name, String::new()), at_home).await;
        assert_eq!(status, 200, "{dialect}: {body}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        let places = ["/token", "/data/token", "/data/tokens/accessToken"];
        let token = places.iter().find_map(|place| body.pointer(place)?.as_str());
        Credential::Person(name, token.expect("a token").to_owned())
    }

    async fn victims_state(&self) -> String {
        let id = self.victim.id;
        let state = self.app.read(move |db| {
            let members = store::memberships::list(db, id, None, 100)?;
            let ids: Vec<_> = members.iter().map(|member| member.id).collect();
            let held = store::memberships::roles_of(db, id, &ids)?;
            Ok(format!(
                "{:?} {members:?} {held:?} {:?}",
                store::organisations::find(db, id)?,
                store::roles::all(db, id)?
            ))
        });
        state.await
    }
}

on_both_databases! {
    async fn or_7_ar_5_no_endpoint_of_a_dialect_tells_or_changes_anything_of_another_organisation(database) {
        let scene = start(database).await;
        let before = scene.victims_state().await;
        let all = endpoints();
        let (real_id, real_workspace) = (scene.victim.id.to_string(), scene.victim.workspace.to_string());
        let (no_id, no_workspace) = (format!("org_{:032x}", 7), format!("wsp_{:032x}", 7));
        let mut compared = 0;
        for dialect in SHIPPED.iter().map(|shipped| shipped.name) {
            let intruders = [
                scene.token(&all, dialect, "mallory").await,
                scene.token(&all, dialect, "eve").await,
                Credential::Key(scene.key.clone()),
            ];
            // Whoever is signed out asks for nothing any more.
            let here = all.iter().filter(|one| one.dialect == dialect && one.action != "sign_out");
            for endpoint in here {
                for who in &intruders {
                    if matches!(who, Credential::Key(_)) && !endpoint.reads("api_key") {
                        continue;
                    }
                    let ask = |organisation, workspace| scene.call(endpoint, who, Target { organisation, workspace });
                    let by_id = [ask(&real_id, &real_workspace).await, ask(&no_id, &no_workspace).await];
                    let names = [ask("victim", &real_workspace).await, ask("nobody", &no_workspace).await];
                    if endpoint.takes("organisation") || endpoint.takes("workspace") {
                        let what = format!("{dialect} {} {}", endpoint.method, endpoint.path);
                        assert!(by_id[0].0 >= 400 && names[0].0 >= 400, "{what}: {by_id:?}");
                        assert_eq!(by_id[0], by_id[1], "{what}");
                        assert_eq!(names[0], names[1], "{what}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 10, "only {compared}");
        assert_eq!(scene.victims_state().await, before);
    }

    async fn or_7_ar_5_forward_auth_introspection_and_exchange_tell_nothing_of_another_organisation(database) {
        let scene = start(database).await;
        let app = &scene.app;
        let eve = app.signed_in("eve").await;
        let cookies: Vec<String> = eve.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let client = app.client("calendar").await;
        let token = client.sign_in(&mut app.browser(), "eve", "openid").await.access_token;
        let bearer = format!("Bearer {token}");
        for (header, value) in [("cookie", cookies.join("; ")), ("authorization", bearer), ("x-api-key", scene.key.clone())] {
            let ask = async |query: String| {
                let asked = app.http.get(app.url(&format!("/forward-auth?{query}"))).header(header, &value);
                let answer = asked.send().await.expect("an answer");
                let status = answer.status().as_u16();
                let headers = format!("{:?}", answer.headers().get("www-authenticate"));
                (status, headers, answer.text().await.expect("text"))
            };
            assert_eq!(ask("organization=elsewhere".to_owned()).await.0, 200, "{header}");
            let nothing = ask("organization=nobody".to_owned()).await;
            assert_eq!(nothing.0, 403, "{header}");
            for named in ["victim".to_owned(), scene.victim.id.to_string(), format!("org_{:032x}", 7)] {
                assert_eq!(ask(format!("organization={named}")).await, nothing, "{header} {named}");
            }
        }
        // A server that is no API's learns of no key, whosever it is.
        let garbage = client.introspect("cs_k_nothing").await;
        for text in [&scene.victims_key, &scene.key] {
            assert_eq!(client.introspect(text).await, garbage);
        }
        // A key is exchanged for its own organisation, whatever is asked for.
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("organization", "victim"),
            ("org", &scene.victim.id.to_string()),
        ];
        let asked = app.http.post(app.url("/oauth2/token")).header("x-api-key", &scene.key).header("X-Organization-ID", "victim");
        let answer = crate::support::TokenAnswer::of(asked.form(&fields).send().await.expect("an answer")).await;
        assert_eq!(answer.expect_tokens().access_claims()["org"], json!(scene.elsewhere.id));
    }

    async fn or_1_az_10_no_form_on_which_an_organisation_is_chosen_tells_of_another(database) {
        let scene = start(database).await;
        let app = &scene.app;
        let third = app.organisation("third").await;
        let eve = app.read(|db| countersign::tenancy::users::find(db, "eve@example.com")).await.expect("eve").id;
        app.member(&third, eve, &["member"]).await;
        let client = TestClient::register(app, "calendar", |terms| terms.require_organization = true).await;
        let mut browser = app.signed_in("eve").await;
        let chosen = async |browser: &mut Browser, page: &Page, form: &str, organisation: &str| {
            let mut form = page.form(form);
            form.set("organization", organisation);
            form.fields.push(("action".to_owned(), "allow".to_owned()));
            browser.post(&form.action, &form.fields).await
        };
        let made_up = format!("org_{:032x}", 7);
        let others = [scene.victim.id.to_string(), made_up, "victim".to_owned()];
        let page = browser.get(&client.flow("openid").path()).await;
        for other in &others {
            let after = chosen(&mut browser, &page, "organization-form", other).await;
            assert!(after.has_id("organization-form"), "{other}: {}", after.url);
            assert_eq!(after.text(), page.text(), "{other}");
        }
        let page = chosen(&mut browser, &page, "organization-form", &third.id.to_string()).await;
        for other in &others {
            let after = chosen(&mut browser, &page, "consent-form", other).await;
            assert!(after.has_id("consent-form"), "{other}: {}", after.url);
            assert_eq!(after.text(), page.text(), "{other}");
            assert!(!after.text().contains("victim &"), "{}", after.text());
        }
    }
}
