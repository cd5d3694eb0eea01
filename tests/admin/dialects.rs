//! `/admin/dialects`: a call of a mounted login API, tried from the console.

use countersign::model::InstanceRole;
use reqwest::Method;
use serde_json::{Value, json};

use super::{post, rows, user_with_role};
use crate::on_both_databases;
use crate::support::{Browser, Database, PASSWORD, Page, Settings, TestApp};

const FILE: &str = r#"
name = "gate"
description = "What a call is about stands in its address."

[tokens]
refresh = "bearer"

[[endpoint]]
on = "POST /organisations/{org}/login"
action = "password.sign_in"
input = { email = "{{body.user.email}}", password = "{{body.password}}", organisation = "{{path.org}}" }
reply = { token = "{{tokens.access}}", expires = "{{tokens.expires_in}}", org = "{{org.slug}}", id = "{{user.id}}" }

[[endpoint]]
on = "GET /me"
action = "me"
input = { token = "{{bearer}}", api_key = "{{api_key}}" }
reply = { name = "{{user.name}}" }

[errors.default]
body = { wrong = "{{code}}", text = "{{message}}" }

[errors.invalid_credentials]
code = "NO_ENTRY"
message = "No such person, or another password."
"#;
const LOGIN: &str = "POST /organisations/{org}/login";
const TRY: &str = "/admin/dialects/gate/try";

/// A server with the API above, `ada` in an organisation, and a browser in which `root` is in the console.
async fn world(database: Database) -> (TestApp, Browser) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), FILE).expect("written");
    let path = file.path().to_owned();
    let settings = Settings::with(move |config| {
        config.limits.login_failures.count = 3;
        config.dialects.push(countersign::config::Dialect {
            file: Some(path),
            path: Some("/gate".to_owned()),
            ..Default::default()
        });
    });
    let app = TestApp::start_with(database, settings).await;
    user_with_role(&app, "root", InstanceRole::Administrator).await;
    let (ada, acme) = (app.user("ada").await, app.organisation("acme").await);
    app.member(&acme, ada, &["admin"]).await;
    let browser = app.signed_in("root").await;
    (app, browser)
}

fn body(password: &str) -> String {
    json!({ "user": { "email": "ada@example.com" }, "password": password }).to_string()
}

async fn tried(browser: &mut Browser, organisation: &str, password: &str) -> Page {
    let page = browser.get(&format!("{TRY}?call={}", LOGIN.replace(' ', "%20"))).await;
    let fields = [("path.org", organisation), ("body", &*body(password))];
    browser.submit(&page, "call", &fields, None).await
}

/// The same by HTTP: status and body.
async fn called(app: &TestApp, organisation: &str, password: &str) -> (u16, Value) {
    let url = app.url(&format!("/gate/organisations/{organisation}/login"));
    let request = app.http.post(url).header("content-type", "application/json").body(body(password));
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

/// The answer that the page shows.
fn shown(page: &Page) -> (u16, Value) {
    let card = page.html.split("<section").find(|card| card.contains("id=\"answer\""));
    let card = card.unwrap_or_else(|| panic!("no answer: {}", page.text()));
    let text = crate::support::text(card);
    let status = text.split_whitespace().find_map(|word| word.parse().ok()).expect("a status");
    let json = text.split_once('{').map_or_else(String::new, |(_, rest)| format!("{{{rest}"));
    let end = json.rfind('}').map_or(0, |at| at + 1);
    (status, serde_json::from_str(&json[..end]).unwrap_or_else(|_| panic!("no JSON: {text}")))
}

on_both_databases! {
    async fn a_login_from_the_console_answers_as_the_dialect_does(database) {
        let (app, mut browser) = world(database).await;
        let page = browser.get("/admin/dialects/gate").await;
        assert!(page.links().iter().any(|link| link.contains("/try?call=")), "{:?}", page.links());
        let page = browser.get(&format!("{TRY}?call={}", LOGIN.replace(' ', "%20"))).await;
        let example: Value = serde_json::from_str(page.form("call").field("body").expect("a body")).expect("JSON");
        assert_eq!(example["user"]["email"], "ada@example.com", "as its OpenAPI has it");
        let described: Value = app.http.get(app.url("/gate/openapi.json")).send().await.unwrap().json().await.unwrap();
        let operation = &described["paths"]["/organisations/{org}/login"]["post"];
        assert_eq!(operation["requestBody"]["content"]["application/json"]["example"], example);

        let (status, told) = called(&app, "acme", PASSWORD).await;
        let page = tried(&mut browser, "acme", PASSWORD).await;
        let (shown_status, shown) = shown(&page);
        assert_eq!((page.status, status, shown_status), (200, 200, 200), "{}", page.text());
        for same in ["expires", "org", "id"] {
            assert_eq!(shown[same], told[same], "{same}");
        }
        let token = shown["token"].as_str().expect("text");
        assert!(token.ends_with('…') && token.len() < 12, "LO-2: {token}");
        assert!(!page.html.contains(".eyJ"), "no token stands anywhere on the page");
        assert!(!page.header("set-cookie").contains("session"), "{:?}", page.headers);

        // It was a sign-in as any other, in the audit under this request, with the trial beside it.
        let reference = page.header("x-request-id").to_owned();
        let events = app
            .read(move |db| {
                let request = Some(reference.clone());
                let sought = countersign::store::audit::Sought { request, ..Default::default() };
                countersign::store::audit::search(db, &sought, 20)
            })
            .await;
        let mut actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
        actions.sort_unstable();
        assert!(actions.contains(&"session.begun") && actions.contains(&"dialect.tried"), "{actions:?}");
        let begun = events.iter().find(|event| event.action == "session.begun").expect("above");
        assert!(begun.actor_id.is_none(), "not on anybody's behalf");
        assert!(browser.get("/admin").await.has_id("menu"), "root is root");
    }

    async fn a_wrong_password_is_refused_in_its_words_and_counts(database) {
        let (app, mut browser) = world(database).await;
        let expected = json!({ "wrong": "NO_ENTRY", "text": "No such person, or another password." });
        assert_eq!(called(&app, "acme", "wrong").await, (401, expected.clone()));
        let page = tried(&mut browser, "acme", "wrong").await;
        assert_eq!((page.status, shown(&page)), (200, (401, expected.clone())));
        assert!(page.text().contains("the password is wrong"), "the rule, for who runs the instance: {}", page.text());
        // Typed again, not lost; the third wrong one is the last, wherever it comes from.
        assert!(page.form("call").field("body").is_some_and(|body| body.contains("wrong")));
        assert_eq!(shown(&tried(&mut browser, "acme", "wrong").await), (401, expected));
        assert_eq!(shown(&tried(&mut browser, "acme", PASSWORD).await).0, 429);
        assert_eq!(called(&app, "acme", PASSWORD).await.0, 429);
        countersign::explain::write(&app.app).await.expect("written");
        let list = browser.get("/admin/explain?kind=sign_in").await;
        assert!(rows(&list).contains("the password is wrong"), "{}", list.text());
        assert!(app.audit().await.contains(&"dialect.tried failure".to_owned()));
    }

    async fn what_is_typed_stays_within_the_path_of_its_call(database) {
        let (app, mut browser) = world(database).await;
        for (typed, encoded) in [
            ("../../me", "%2E%2E%2F%2E%2E%2Fme"),
            ("../../../admin/users", "%2E%2E%2F%2E%2E%2F%2E%2E%2Fadmin%2Fusers"),
            ("acme/login?x=1#", "acme%2Flogin%3Fx%3D1%23"),
            ("%2e%2e%2fme", "%252e%252e%252fme"),
        ] {
            let expected = called(&app, encoded, PASSWORD).await;
            assert_ne!(expected.0, 404, "the same call, whose organisation is called so: {expected:?}");
            assert!(expected.0 >= 400);
            assert_eq!(shown(&tried(&mut browser, typed, PASSWORD).await), expected, "{typed}");
        }
        let page = tried(&mut browser, "", PASSWORD).await;
        assert!(page.status == 422 && page.has_id("path.org-error") && !page.has_id("answer"), "{}", page.text());
        // What is no call of this dialect cannot be chosen.
        for call in ["GET /admin/users", "POST /organisations/acme/login", "DELETE /me", "GET /gate/me", ""] {
            assert_eq!(post(&mut browser, TRY, &[("chosen", call)]).await.status, 404, "{call}");
        }
        assert_eq!(browser.get(&format!("{TRY}?call=GET%20/admin")).await.status, 404);
        assert_eq!(browser.get("/admin/dialects/other/try").await.status, 404);

        // The console's cookies are no credential of the call.
        let page = browser.get(&format!("{TRY}?call=GET%20/me")).await;
        let without = browser.submit(&page, "call", &[], None).await;
        assert_eq!(shown(&without).0, 401);
        let token = called(&app, "acme", PASSWORD).await.1["token"].as_str().expect("a token").to_owned();
        let with = browser.submit(&page, "call", &[("access_token", &token)], None).await;
        assert_eq!(shown(&with), (200, json!({ "name": "ada" })));
        assert!(!with.html.contains(&token), "what was typed as a secret is not shown again");
    }

    async fn ad_3_support_looks_and_tries_nothing(database) {
        let (app, _) = world(database).await;
        user_with_role(&app, "support", InstanceRole::Support).await;
        let mut browser = app.signed_in("support").await;
        let page = browser.get("/admin/dialects/gate").await;
        assert!(page.status == 200 && page.text().contains("curl -X POST"), "{}", page.text());
        assert!(!page.html.contains("/try"), "{}", page.text());
        assert_eq!(browser.get(TRY).await.status, 403);
        let fields = [("chosen", LOGIN), ("path.org", "acme"), ("body", &*body(PASSWORD))];
        assert_eq!(post(&mut browser, TRY, &fields).await.status, 403);
        let sent = browser.once(Method::POST, TRY, Some(&[])).await;
        assert_eq!(sent.status(), 403);
        assert!(!app.audit().await.iter().any(|event| event.starts_with("dialect.tried")));
    }
}
