//! `/api/v1`: the JSON API for applications of the same house.

mod described;
mod machines;
mod once;
mod organizations;
mod readme;
mod sessions;
mod shape;

use countersign::audit::Origin;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::api_keys::{NewKey, manage};
use countersign::tenancy::organisations::{self, Change};
use serde_json::{Value, json};

use crate::support::{Database, PASSWORD, Settings, TestApp, TestOrganisation};

/// A server, and calls of its API.
struct Api {
    app: TestApp,
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Api {
    async fn start(database: Database) -> Self {
        Self { app: TestApp::start(database).await }
    }

    async fn start_with(database: Database, settings: Settings) -> Self {
        Self { app: TestApp::start_with(database, settings).await }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        self.app.http.request(method, self.app.url(&format!("/api/v1{path}")))
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request("POST", path).json(&body)).await
    }

    /// With a token, and without a body if it is null.
    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        let request = self.request(method, path).bearer_auth(token);
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    }

    /// With headers beside the token.
    async fn about(&self, path: &str, token: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.request("GET", path).bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request).await
    }

    async fn sign_in(&self, name: &str) -> Answer {
        self.post("/sign-in", json!({ "login": format!("{name}@example.com"), "password": PASSWORD })).await
    }

    /// What stands behind `path` in the newest mail that has a link to it.
    async fn mailed_token(&self, path: &str) -> String {
        let link = format!("{}{path}", self.app.issuer);
        let mails = self.app.read(|db| countersign::store::outbox::newest(db, 100)).await;
        let newest = mails.iter().find_map(|mail| mail.body_text.split_once(&link));
        let (_, rest) = newest.unwrap_or_else(|| panic!("no mail links to {link}"));
        rest.split_whitespace().next().expect("a token").to_owned()
    }

    /// A key of the organisation itself.
    async fn key(&self, of: &TestOrganisation, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let new = NewKey { name: "machine".to_owned(), workspace: None, scopes, lasts: None, prefix: None };
        let made = manage::create(&self.app.app, Actor::Operator, of.id, new, &Origin::command_line()).await;
        made.expect("the key is made").text.expose().to_owned()
    }

    /// With a key instead of a token.
    async fn by_key(&self, method: &str, path: &str, key: &str, body: Value) -> Answer {
        let request = self.request(method, path).header("x-api-key", key);
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    }

    async fn forbid_passwords(&self, of: &TestOrganisation) {
        let change = Change { password_login_allowed: Some(false), ..Change::default() };
        organisations::change(&self.app.app, Actor::Operator, of.id, change, &Origin::command_line())
            .await
            .expect("it is changed");
    }
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let (method, url) = (request.method().clone(), request.url().clone());
        let answer = client.execute(request).await.expect("the server answers");
        described::check(&client, &method, &url, answer.status().as_u16()).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("text");
        let body = match text.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}, not JSON: {text}")),
        };
        Self { status, headers, body }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
    }

    #[track_caller]
    fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        assert_eq!(self.header("cache-control"), "no-store");
        assert!(!self.headers.contains_key("set-cookie"));
        &self.body
    }

    /// A problem (RFC 9457) with this code.
    #[track_caller]
    fn refused(&self, status: u16, code: &str) {
        let body = self.expect(status);
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)), "{body:#}");
        assert_eq!(body["type"], json!(format!("urn:countersign:problem:{code}")));
        assert!(body["title"].is_string());
        assert_eq!(self.header("content-type"), "application/problem+json");
    }

    #[track_caller]
    fn text(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer}: {:#}", self.body)).to_owned()
    }
}
