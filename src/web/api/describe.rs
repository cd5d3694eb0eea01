//! The API in OpenAPI 3.1: what is sent, what is answered, and every status that happens.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};

use super::BASE;
use super::table::{ROUTES, Route, Who};
use crate::app::App;
use crate::tenancy::management;

/// Of every operation: headers that cannot be read, credentials and organisations that are not good, limits of the
/// server, and its own failures.
const ANYWHERE: [u16; 7] = [400, 401, 403, 414, 431, 500, 503];
/// Where a body is sent.
const WITH_BODY: [u16; 3] = [408, 413, 415];

/// `GET /openapi.json`. It says nothing of this instance but its address.
pub async fn describe(app: Data<App>) -> HttpResponse {
    document(&app, "Countersign", BASE, ROUTES)
}

/// The description of the API that this table is.
pub fn document(app: &App, title: &str, base: &str, routes: &[Route]) -> HttpResponse {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let at = paths.entry(route.path).or_insert_with(|| json!({}));
        at[route.method] = operation(route);
    }
    let token = json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" });
    let key = json!({ "type": "apiKey", "in": "header", "name": "X-API-Key" });
    let used = |wanted: fn(Who) -> bool| routes.iter().any(|route| wanted(route.who));
    let mut schemes = Map::new();
    if used(|who| matches!(who, Who::Person | Who::Here | Who::Either)) {
        schemes.insert("token".to_owned(), token);
    }
    if used(|who| who == Who::Either) {
        schemes.insert("key".to_owned(), key);
    }
    if used(|who| matches!(who, Who::Manager(_))) {
        schemes.insert("oauth".to_owned(), oauth(app));
    }
    HttpResponse::Ok().insert_header(("Cache-Control", "public, max-age=300")).json(json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": "1" },
        "servers": [{ "url": app.config.issuer.at(base) }],
        "paths": paths,
        "components": {
            "securitySchemes": schemes,
            "schemas": { "Problem": problem() },
        },
    }))
}

/// Tokens for the management API, as clients get them.
fn oauth(app: &App) -> Value {
    let scopes: Map<String, Value> = management::resource(&app.config.issuer)
        .scopes
        .into_iter()
        .map(|(scope, about)| (scope, Value::String(about)))
        .collect();
    let at = |path: &str| app.config.issuer.at(path);
    json!({ "type": "oauth2", "flows": {
        "clientCredentials": { "tokenUrl": at("/oauth2/token"), "scopes": scopes },
        "authorizationCode": {
            "authorizationUrl": at("/oauth2/authorize"), "tokenUrl": at("/oauth2/token"), "scopes": scopes,
        },
    } })
}

fn operation(route: &Route) -> Value {
    let mut responses = Map::new();
    responses.insert(route.told.0.to_string(), answer(route));
    for status in refusals(route) {
        responses.insert(status.to_string(), refusal(status));
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.about,
        "parameters": parameters(route),
        "responses": responses,
    });
    if let Some(asked) = route.asked {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": asked() } } });
    }
    match route.who {
        Who::Anybody => {}
        Who::Person | Who::Here => operation["security"] = json!([{ "token": [] }]),
        Who::Either => operation["security"] = json!([{ "token": [] }, { "key": [] }]),
        Who::Manager(scope) => operation["security"] = json!([{ "oauth": [scope.as_str()] }]),
    }
    operation
}

fn answer(route: &Route) -> Value {
    let mut answer = json!({ "description": "Done." });
    if let Some(told) = route.told.1 {
        answer["content"] = json!({ "application/json": { "schema": told() } });
    }
    if makes(route) {
        let about = "The same was asked for before with this key, and this is what was answered then.";
        let schema = json!({ "type": "string", "const": "true" });
        answer["headers"] =
            json!({ "Idempotency-Replayed": { "description": about, "required": false, "schema": schema } });
    }
    answer
}

/// The statuses of a route's refusals, each once.
fn refusals(route: &Route) -> Vec<u16> {
    let body: &[u16] = if route.asked.is_some() { &WITH_BODY } else { &[] };
    // Wrong keys are counted.
    let keys: &[u16] = if matches!(route.who, Who::Either | Who::Here) { &[429] } else { &[] };
    let mut all = [&ANYWHERE[..], body, keys, route.refused].concat();
    all.sort_unstable();
    all.dedup();
    all
}

fn refusal(status: u16) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    let mut refusal = json!({ "description": meaning(status), "content": { "application/problem+json": { "schema": schema } } });
    let header =
        |about: &str, schema: Value| json!({ "description": about, "required": false, "schema": schema });
    match status {
        401 => {
            let schema = json!({ "type": "string" });
            refusal["headers"] = json!({ "WWW-Authenticate": header("`Bearer`, for a token.", schema) });
        }
        409 | 429 | 503 => {
            let schema = json!({ "type": "integer", "minimum": 1 });
            refusal["headers"] = json!({ "Retry-After": header("Seconds.", schema) });
        }
        _ => {}
    }
    refusal
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be read as it is described here.",
        401 => "A credential is missing or not good.",
        403 => "This is not allowed, or there is no such organisation for the caller.",
        404 => "There is nothing here.",
        408 => "The body took too long.",
        409 => "This cannot be done as things stand.",
        413 => "The body is longer than 64 KiB, or 96 KiB with a picture.",
        414 => "The address is too long.",
        415 => "The body is not JSON.",
        422 => "The request can be read, but a value cannot be taken.",
        429 => "Too many tries.",
        431 => "The headers are too long.",
        503 => "The service is busy.",
        _ => "Something went wrong in the service.",
    }
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let matching = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let parameter = |place: &str, name: &str, required: bool, schema: &Value| json!({ "in": place, "name": name, "required": required, "schema": schema });
    let mut all: Vec<Value> =
        in_path.map(|name| parameter("path", name, true, &matching(pattern(name)))).collect();
    if route.told.1.is_some_and(|told| told()["properties"].get("next").is_some()) {
        all.push(parameter("query", "cursor", false, &matching("^[A-Za-z0-9_-]+$")));
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 100 });
        all.push(parameter("query", "limit", false, &limit));
    }
    for name in route.query {
        all.push(parameter("query", name, false, &json!({ "type": "string" })));
    }
    if makes(route) {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
        all.push(parameter("header", "Idempotency-Key", false, &schema));
    }
    if chooses(route) {
        for header in ["X-Organization-ID", "X-Workspace-ID"] {
            all.push(parameter("header", header, false, &matching(ID_OR_SLUG)));
        }
    }
    all
}

/// Whether the call is about one organisation or workspace, which a header may name. Any other call takes the headers
/// too, and only looks whether the caller belongs there.
fn chooses(route: &Route) -> bool {
    let about_one = matches!(route.who, Who::Here | Who::Either);
    about_one || ["signIn", "redeemLink", "signInUpstream", "switch", "me", "changeMe"].contains(&route.id)
}

const ID_OR_SLUG: &str = "^[a-z0-9][a-z0-9._-]{0,63}$";

/// What stands at this place of a path.
fn pattern(name: &str) -> &'static str {
    match name {
        "user" => "^usr_[0-9a-f]{32}$",
        "session" => "^ses_[0-9a-f]{32}$",
        "invitation" => "^inv_[0-9a-f]{32}$",
        "key" => "^key_[0-9a-f]{32}$",
        "domain" => "^[a-z0-9][a-z0-9.-]{0,252}$",
        _ => ID_OR_SLUG,
    }
}

/// Whether something is made, which an idempotency key keeps from being made twice.
fn makes(route: &Route) -> bool {
    route.told.0 == 201
}

fn problem() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string" },
            "detail": { "type": "string" },
        },
        "required": ["type", "title", "status", "code"],
    })
}
