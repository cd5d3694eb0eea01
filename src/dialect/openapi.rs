//! An API's description of itself (OpenAPI 3.1), made from its file: clients and people read the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::action::{Action, ERROR, Kind, MEMBERSHIP, kind_of};
use super::answer::body_of_fault;
use super::model::{BodyForm, Dialect, Endpoint, Input};
use super::template::{Name, Template};
use crate::web::fault::Fault;

/// The document, for an API at `base`.
pub fn describe(dialect: &Dialect, base: &str) -> String {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in &dialect.endpoints {
        let operations = paths.entry(endpoint.route.text()).or_insert_with(|| json!({}));
        operations[endpoint.method.as_str().to_ascii_lowercase()] = operation(dialect, endpoint);
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": dialect.name, "description": dialect.description, "version": env!("CARGO_PKG_VERSION") },
        "servers": [{ "url": base }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "basic": { "type": "http", "scheme": "basic" },
                "api_key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
            },
            "schemas": { "Error": error_body(dialect, &dialect.errors.body) },
        },
    });
    document.to_string()
}

fn operation(dialect: &Dialect, endpoint: &Endpoint) -> Value {
    let path = endpoint.route.text().replace('{', "by-").replace('}', "");
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    let mut operation = json!({
        "operationId": format!("{}-{}", endpoint.method.as_str().to_ascii_lowercase(), words.join("-")),
        "summary": endpoint.action.as_str(),
        "responses": responses(dialect, endpoint),
    });
    let parameters = parameters(endpoint);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = request_body(dialect, endpoint) {
        operation["requestBody"] = body;
    }
    let security = security(endpoint);
    if !security.is_empty() {
        operation["security"] = Value::Array(security);
    }
    operation
}

/// Whether the call is refused without this input.
fn is_needed(action: Action, name: &str, input: &Input) -> bool {
    input.required || action.needs().iter().any(|group| group.contains(&name) && group.len() == 1)
}

/// Where each input stands, and whether it is needed.
fn sources(endpoint: &Endpoint) -> impl Iterator<Item = (Vec<String>, bool)> {
    named_sources(endpoint).map(|(_, source, needed)| (source, needed))
}

fn named_sources(endpoint: &Endpoint) -> impl Iterator<Item = (&'static str, Vec<String>, bool)> {
    endpoint.inputs.iter().flat_map(move |(name, input)| {
        // Of two ways to log in by name, the one that is written is needed.
        let alone = endpoint.action.needs().iter().any(|group| {
            group.contains(name)
                && group.iter().filter(|other| endpoint.inputs.contains_key(*other)).count() == 1
        });
        let needed = is_needed(endpoint.action, name, input) || alone;
        input.sources().map(move |source| (*name, source, needed))
    })
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let of_path = endpoint.route.places().map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
    });
    let others =
        sources(endpoint).filter_map(|(source, needed)| match (source.first()?.as_str(), source.get(1)) {
            (place @ ("query" | "header"), Some(name)) => Some(json!({
                "name": name, "in": place, "required": needed, "schema": { "type": "string" },
            })),
            _ => None,
        });
    of_path.chain(others).collect()
}

fn security(endpoint: &Endpoint) -> Vec<Value> {
    let mut schemes: Vec<String> = sources(endpoint)
        .filter_map(|(source, _)| source.into_iter().next())
        .filter(|root| matches!(root.as_str(), "bearer" | "basic" | "api_key"))
        .collect();
    schemes.dedup();
    schemes.into_iter().map(|scheme| json!({ scheme: [] })).collect()
}

fn request_body(dialect: &Dialect, endpoint: &Endpoint) -> Option<Value> {
    let mut whole = json!({ "type": "object" });
    for (source, needed) in sources(endpoint).filter(|(source, _)| source[0] == "body") {
        place(&mut whole, &source[1..], needed);
    }
    whole.get("properties")?;
    let media: &[&str] = match dialect.body {
        BodyForm::Json => &["application/json"],
        BodyForm::Form => &["application/x-www-form-urlencoded"],
        BodyForm::Either => &["application/json", "application/x-www-form-urlencoded"],
    };
    let mut example = json!({});
    for (name, source, _) in named_sources(endpoint).filter(|(_, source, _)| source[0] == "body") {
        put(&mut example, &source[1..], sample(name));
    }
    let described = json!({ "schema": whole, "example": example });
    let content: Map<String, Value> =
        media.iter().map(|media| ((*media).to_owned(), described.clone())).collect();
    let required = whole.get("required").is_some();
    Some(json!({ "required": required, "content": content }))
}

/// Puts a text at this place of an object's schema.
fn place(schema: &mut Value, path: &[String], needed: bool) {
    let Some((first, rest)) = path.split_first() else { return };
    let leaf = if rest.is_empty() { "string" } else { "object" };
    if schema["properties"].get(first).is_none() {
        schema["properties"][first] = json!({ "type": leaf });
    }
    place(&mut schema["properties"][first], rest, needed);
    if needed {
        let mut required = schema["required"].as_array().cloned().unwrap_or_default();
        if !required.iter().any(|known| known == first) {
            required.push(json!(first));
        }
        schema["required"] = Value::Array(required);
    }
}

/// Puts a text at this place of an object.
fn put(object: &mut Value, path: &[String], text: &str) {
    let Some((first, rest)) = path.split_first() else { return };
    match rest {
        [] => object[first] = json!(text),
        rest => {
            if !object[first].is_object() {
                object[first] = json!({});
            }
            put(&mut object[first], rest, text);
        }
    }
}

/// What somebody may send as this input.
fn sample(input: &str) -> &'static str {
    match input {
        "login" | "email" => "ada@example.com",
        "name" => "Ada Lovelace",
        "password" | "current_password" => "correct horse battery staple",
        "new_password" => "battery horse correct staple",
        "organisation" => "acme",
        "workspace" => "laboratory",
        "provider" => "google",
        "locale" => "en",
        "redirect_url" => "https://app.example.com/callback",
        "picture" => "https://app.example.com/ada.png",
        _ => "…",
    }
}

fn responses(dialect: &Dialect, endpoint: &Endpoint) -> Value {
    let names: Vec<_> = endpoint.action.names().collect();
    let mut answers: BTreeMap<u16, Answers> = BTreeMap::new();
    let good = answers.entry(endpoint.status).or_default();
    good.schemas.extend(endpoint.reply.as_ref().map(|reply| schema(reply, &names)));
    good.headers = endpoint.headers.iter().map(|(name, _)| name).collect();
    good.is_good = true;
    for fault in faults(endpoint) {
        let (status, example) = body_of_fault(dialect, fault);
        let answer = answers.entry(status).or_default();
        let schema = error_schema(dialect, fault);
        if !answer.schemas.contains(&schema) {
            answer.schemas.push(schema);
        }
        answer.examples.insert(fault.as_str().to_owned(), json!({ "value": example }));
    }
    answers.into_iter().map(|(status, answers)| (status.to_string(), answers.describe())).collect()
}

/// Everything that is answered with one status: errors may have that of what goes well.
#[derive(Default)]
struct Answers<'d> {
    is_good: bool,
    headers: Vec<&'d String>,
    schemas: Vec<Value>,
    examples: Map<String, Value>,
}

impl Answers<'_> {
    fn describe(self) -> Value {
        let mut described = json!({ "description": if self.is_good { "Done" } else { "Refused" } });
        let schema = match self.schemas.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(json!({ "anyOf": several })),
        };
        if let Some(schema) = schema {
            described["content"] = json!({ "application/json": { "schema": schema } });
            if !self.examples.is_empty() {
                described["content"]["application/json"]["examples"] = Value::Object(self.examples);
            }
        }
        if !self.headers.is_empty() {
            let text = || json!({ "schema": { "type": "string" } });
            described["headers"] = self.headers.into_iter().map(|name| (name.clone(), text())).collect();
        }
        described
    }
}

/// The envelope of all errors, unless this one, or the one it is answered like, has a body of its own.
fn error_schema(dialect: &Dialect, fault: Fault) -> Value {
    let worded = |fault: Fault| dialect.errors.words.get(&fault);
    let fault = worded(fault).and_then(|wording| wording.like).unwrap_or(fault);
    match worded(fault).and_then(|wording| wording.body.as_ref()) {
        Some(body) => error_body(dialect, body),
        None => json!({ "$ref": "#/components/schemas/Error" }),
    }
}

/// The schema of an error's body: `code` is of the types that the file's codes have.
fn error_body(dialect: &Dialect, body: &Template) -> Value {
    let coded = |fault: &Fault| dialect.errors.words.get(fault).and_then(|wording| wording.code.as_ref());
    let is_number = |fault: &Fault| coded(fault).is_some_and(Value::is_number);
    let types = match (Fault::ALL.iter().any(is_number), Fault::ALL.iter().all(is_number)) {
        (false, _) => json!("string"),
        (true, true) => json!("integer"),
        (true, false) => json!(["integer", "string"]),
    };
    let mut found = schema(body, ERROR);
    set_type_of_code(body, &mut found, &types);
    found
}

/// A code is always there; so are the name, the status and the message of an error.
fn set_type_of_code(template: &Template, schema: &mut Value, types: &Value) {
    match template {
        Template::Name(name) => match name.dotted().as_str() {
            "code" => *schema = json!({ "type": types }),
            "error" | "message" | "detail" => *schema = json!({ "type": "string" }),
            "status" => *schema = json!({ "type": "integer" }),
            _ => {}
        },
        Template::Table(fields) => {
            for (key, value) in fields {
                set_type_of_code(value, &mut schema["properties"][key], types);
            }
        }
        Template::List(items) => {
            for (index, item) in items.iter().enumerate() {
                set_type_of_code(item, &mut schema["prefixItems"][index], types);
            }
        }
        Template::When { then, .. } => set_type_of_code(then, schema, types),
        Template::Constant(_) | Template::Text(_) | Template::Each { .. } => {}
    }
}

/// The errors that a client meets at this endpoint.
fn faults(endpoint: &Endpoint) -> Vec<Fault> {
    use Fault::{
        BodyTooLarge, InvalidCredentials, InvalidRequest, LinkExpired, OrganisationDenied, RateLimited,
        TokenExpired, TokenInvalid, TokenMissing, Unavailable, UnsupportedMediaType,
    };
    let mut found = vec![InvalidRequest, Unavailable];
    if endpoint.reads_body() {
        found.extend([BodyTooLarge, UnsupportedMediaType]);
    }
    if endpoint.inputs.contains_key("token") || endpoint.inputs.contains_key("refresh_token") {
        found.extend([TokenMissing, TokenInvalid, TokenExpired]);
    }
    if endpoint.inputs.contains_key("organisation") {
        found.push(OrganisationDenied);
    }
    match endpoint.action {
        Action::PasswordSignIn => found.extend([InvalidCredentials, Fault::FactorRequired, RateLimited]),
        Action::RedeemMagicLink | Action::ResetPassword => found.extend([LinkExpired, RateLimited]),
        Action::IdToken | Action::AccessToken => found.extend([Fault::ProviderRefused, Fault::AccountExists]),
        Action::ChangePassword => found.extend([Fault::WrongPassword, Fault::WeakPassword, RateLimited]),
        Action::Register => found.extend([Fault::WeakPassword, Fault::RegistrationClosed, RateLimited]),
        Action::ForgotPassword => found.extend([Fault::RedirectRefused, RateLimited]),
        Action::RequestMagicLink => found.push(RateLimited),
        Action::Check => found.push(Fault::Forbidden),
        _ => {}
    }
    found
}

/// The schema of what a template makes.
fn schema(template: &Template, names: &[(&'static str, Kind)]) -> Value {
    match template {
        Template::Constant(value) => json!({ "const": value }),
        Template::Name(name) => schema_of_name(name, names),
        Template::Text(_) => json!({ "type": "string" }),
        Template::List(items) => {
            let items: Vec<Value> = items.iter().map(|item| schema(item, names)).collect();
            json!({ "type": "array", "prefixItems": items })
        }
        Template::Table(fields) => {
            let properties: Map<String, Value> =
                fields.iter().map(|(key, value)| (key.clone(), schema(value, names))).collect();
            let required: Vec<&String> =
                fields.iter().filter(|(_, value)| !value.may_be_absent()).map(|(key, _)| key).collect();
            json!({ "type": "object", "properties": properties, "required": required })
        }
        Template::When { then, .. } => schema(then, names),
        Template::Each { item, .. } => json!({ "type": "array", "items": schema(item, MEMBERSHIP) }),
    }
}

fn schema_of_name(name: &Name, names: &[(&'static str, Kind)]) -> Value {
    match kind_of(&name.dotted(), names.iter().copied()) {
        Some(Kind::Integer) => json!({ "type": ["integer", "null"] }),
        Some(Kind::Boolean) => json!({ "type": ["boolean", "null"] }),
        Some(Kind::TextList) => json!({ "type": "array", "items": { "type": "string" } }),
        Some(Kind::Memberships) => json!({ "type": "array" }),
        Some(Kind::Text) | None => json!({ "type": ["string", "null"] }),
    }
}
