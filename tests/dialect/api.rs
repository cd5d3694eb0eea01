//! A product's API as its clients call it.

use countersign::audit::Origin;
use countersign::config;
use countersign::model::{ApiKeyId, OrganisationId, UserId};
use countersign::store::outbox::Message;
use countersign::tenancy::actor::Actor;
use countersign::tenancy::api_keys::{NewKey, manage};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::{Database, PASSWORD, Settings, TestApp, TokenAnswer};

/// A server with one dialect.
pub struct Api {
    pub app: TestApp,
    base: String,
}

/// One call.
pub struct Call {
    request: reqwest::RequestBuilder,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Api {
    /// A dialect that ships, mounted below a path of its name.
    pub async fn start(database: Database, name: &'static str) -> Self {
        Self::start_with(database, name, |_| {}).await
    }

    pub async fn start_with(
        database: Database,
        name: &'static str,
        adjust: impl FnOnce(&mut config::Dialect) + Send + 'static,
    ) -> Self {
        let mut dialect = shipped(name);
        adjust(&mut dialect);
        Self::serve(
            database,
            Settings::with(move |config| config.dialects.push(dialect)),
            &format!("/{name}"),
        )
        .await
    }

    pub async fn serve(database: Database, settings: Settings, prefix: &str) -> Self {
        let app = TestApp::start_with(database, settings).await;
        Self { base: app.url(prefix), app }
    }

    pub fn call(&self, method: &str, path: &str) -> Call {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        Call { request: self.app.http.request(method, format!("{}{path}", self.base)) }
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    /// The `aud` of its tokens.
    pub fn audience(&self) -> &str {
        &self.base
    }

    /// Somebody with a role in an organisation of their own.
    pub async fn member(&self, name: &str, role: &str) -> UserId {
        let (user, organisation) =
            (self.app.user(name).await, self.app.organisation(&format!("at-{name}")).await);
        self.app.member(&organisation, user, &[role]).await;
        user
    }

    /// Signs in with the usual fields and the password of every test user.
    pub async fn login(&self, path: &str, name: &str) -> Answer {
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        self.post(path).json(&body).send().await
    }
}

impl Api {
    /// An API key of the organisation, which does not expire.
    pub async fn key(&self, organisation: OrganisationId, scopes: &[&str]) -> (String, ApiKeyId) {
        let new = NewKey {
            name: "integration".to_owned(),
            workspace: None,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            lasts: None,
            prefix: None,
        };
        let origin = Origin::command_line();
        let made = manage::create(&self.app.app, Actor::Operator, organisation, new, &origin).await;
        let made = made.expect("the key is made");
        (made.text.expose().to_owned(), made.key.id)
    }

    pub async fn revoke_key(&self, organisation: OrganisationId, key: ApiKeyId) {
        let origin = Origin::command_line();
        let revoked = manage::revoke(&self.app.app, Actor::Operator, organisation, key, &origin).await;
        revoked.expect("it is revoked");
    }

    /// A token that the key is exchanged for (RFC 8693), for these audiences.
    pub async fn exchange(&self, key: &str, resources: &[&str]) -> TokenAnswer {
        let mut fields = vec![("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")];
        fields.extend(resources.iter().map(|resource| ("resource", *resource)));
        let asked = self.app.http.post(self.app.url("/oauth2/token")).header("X-API-Key", key).form(&fields);
        TokenAnswer::of(asked.send().await.expect("an answer")).await
    }

    /// The mails in the outbox, oldest first.
    pub async fn mails(&self) -> Vec<Message> {
        let mut mails = self.app.read(|db| countersign::store::outbox::newest(db, 100)).await;
        mails.reverse();
        mails
    }

    /// What stands behind `path` in the newest mail that has a link to it.
    pub async fn mailed_token(&self, path: &str) -> String {
        let link = format!("{}{path}", self.app.issuer);
        let mails = self.mails().await;
        let newest = mails.iter().rev().find_map(|mail| mail.body_text.split_once(&link));
        let (_, rest) = newest.unwrap_or_else(|| panic!("no mail links to {link}"));
        rest.split_whitespace().next().expect("a token").to_owned()
    }
}

pub fn shipped(name: &str) -> config::Dialect {
    config::Dialect { shipped: Some(name.to_owned()), path: Some(format!("/{name}")), ..Default::default() }
}

impl Call {
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value) }
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        Self { request: self.request.json(body) }
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        Self { request: self.request.form(fields) }
    }

    pub fn body(self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        Self { request: self.request.header("Content-Type", content_type).body(body) }
    }

    pub async fn send(self) -> Answer {
        let answer = self.request.send().await.expect("the server answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("text");
        let body = match text.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}, not JSON: {text}")),
        };
        Answer { status, headers, body }
    }
}

impl Answer {
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        assert_eq!(self.header("cache-control"), "no-store");
        &self.body
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
    }

    /// The text at this JSON pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer}: {:#}", self.body)).to_owned()
    }
}

/// The names of an object's members.
pub fn members(value: &Value) -> Vec<&str> {
    let object: &Map<String, Value> = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
