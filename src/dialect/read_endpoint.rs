//! Reading `[[endpoint]]`: which method and path do what, with what from the request, and how that is answered.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::action::{ADDRESS, Action, Kind};
use super::model::{Endpoint, Input, Method, RefreshStyle, RegistrationStyle, Tokens};
use super::read::header_name;
use super::reader::{At, Reader, Scope, in_order};
use super::route::Route;
use super::template::{Name, Template};
use crate::web::fault::Fault;

const SETTINGS: &[&str] = &["on", "action", "input", "status", "headers", "reply"];

/// Inputs that nobody but caller and server may see.
const SECRETS: &[&str] =
    &["token", "api_key", "refresh_token", "password", "current_password", "new_password", "credential"];

/// Where an API's own description is: no endpoint's place.
pub const DESCRIPTION: &str = "/openapi.json";

/// What the connection, the body and the server itself say.
const OUR_HEADERS: &[&str] = &[
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "keep-alive",
    "location",
    "pragma",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
];

/// All endpoints, in the order of the file.
pub fn all(
    reader: &mut Reader<'_>,
    value: At<'_>,
    tokens: &Tokens,
    registration: RegistrationStyle,
) -> Vec<Endpoint> {
    let Some(list) = value.get_ref().as_array() else {
        reader.wrong(&value.span(), "must be a list: write each as `[[endpoint]]`");
        return Vec::new();
    };
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for value in list {
        let Some(table) = reader.table(value) else { continue };
        let Some(endpoint) = one(reader, value, table, (tokens, registration)) else { continue };
        let at = table.get("on").map_or_else(|| value.span(), toml::Spanned::span);
        let (method, path) = (endpoint.method, endpoint.route.text());
        if endpoints.iter().any(|other| other.method == method && other.route == endpoint.route) {
            reader.wrong(&at, format!("`{} {path}` is described twice", method.as_str()));
        }
        // Two names for one place would be two paths in its description, and one in the addresses of calls.
        let alike =
            |other: &&Endpoint| other.route != endpoint.route && other.route.is_alike(&endpoint.route);
        if let Some(other) = endpoints.iter().find(alike) {
            reader.wrong(
                &at,
                format!("`{path}` and `{}` are one path: name its places alike", other.route.text()),
            );
        }
        endpoints.push(endpoint);
    }
    endpoints
}

fn one(
    reader: &mut Reader<'_>,
    value: At<'_>,
    table: &DeTable<'_>,
    (tokens, registration): (&Tokens, RegistrationStyle),
) -> Option<Endpoint> {
    reader.only(table, SETTINGS);
    let on = match table.get("on") {
        Some(value) => place(reader, value),
        None => reader.lacks(value, "on"),
    };
    let action = match table.get("action") {
        Some(value) => action(reader, value),
        None => reader.lacks(value, "action"),
    };
    let status = table
        .get("status")
        .and_then(|value| reader.number_in(value, 200..=399))
        .and_then(|status| u16::try_from(status).ok());
    let action = action?;
    check_style(reader, table, action, tokens);
    let names: Vec<_> = match (action, registration) {
        // Nobody is signed in before the link was opened.
        (Action::Register, RegistrationStyle::ByMail) => ADDRESS.to_vec(),
        _ => action.names().collect(),
    };
    let told = Scope::Told(&names);
    let reply = table.get("reply").and_then(|value| reader.template(value, told));
    let headers = table.get("headers").map(|value| headers(reader, value, told)).unwrap_or_default();
    if tokens.refresh != RefreshStyle::Rotating {
        refuse_refresh_token(reader, value, reply.iter().chain(headers.iter().map(|(_, template)| template)));
    }
    let places = on.as_ref().map(|(_, route)| route.places().collect::<Vec<_>>());
    let inputs = inputs(reader, value, table, Asking { action, tokens, places: places.as_deref() });
    let (method, route) = on?;
    refuse_unread(reader, table, &route, &inputs);
    Some(Endpoint {
        method,
        route,
        action,
        inputs,
        status: status.unwrap_or(usual_status(action, reply.is_some())),
        headers,
        reply,
    })
}

const fn usual_status(action: Action, has_body: bool) -> u16 {
    match (action, has_body) {
        (Action::SignInPage | Action::MagicLinkPage, _) => 303,
        (_, true) => 200,
        (_, false) => 204,
    }
}

/// A place that nothing reads takes calls of any name: more likely a slip than what was meant.
fn refuse_unread(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    route: &Route,
    inputs: &BTreeMap<&'static str, Input>,
) {
    let Some(on) = table.get("on") else { return };
    for name in route.places() {
        let reads = |source: Vec<String>| source.len() == 2 && source[0] == "path" && source[1] == name;
        if !inputs.values().flat_map(Input::sources).any(reads) {
            reader.wrong(
                &on.span(),
                format!("no input reads the place `{{{name}}}`: write `{{{{path.{name}}}}}`"),
            );
        }
    }
}

fn place(reader: &mut Reader<'_>, value: At<'_>) -> Option<(Method, Route)> {
    let text = reader.text(value)?;
    let Some((method, path)) = text.split_once(' ') else {
        reader.wrong(&value.span(), "must be a method and a path, such as \"POST /auth/login\"");
        return None;
    };
    let Some(method) = Method::parse(method) else {
        let known = Method::ALL.map(Method::as_str).join(", ");
        reader.wrong(&value.span(), format!("`{method}` is none of {known}"));
        return None;
    };
    let route = Route::parse(path)
        .map_err(|reason| reader.wrong(&value.span(), format!("`{path}` {reason}")))
        .ok()?;
    if path == DESCRIPTION {
        reader.wrong(&value.span(), format!("`{DESCRIPTION}` is where the API's own description is"));
    }
    Some((method, route))
}

fn action(reader: &mut Reader<'_>, value: At<'_>) -> Option<Action> {
    let text = reader.text(value)?;
    let action = Action::parse(text);
    if action.is_none() {
        let known = Action::ALL.iter().map(|action| action.as_str());
        reader.unknown(&value.span(), "action", text, known);
    }
    action
}

fn check_style(reader: &mut Reader<'_>, table: &DeTable<'_>, action: Action, tokens: &Tokens) {
    if action == Action::Refresh
        && tokens.refresh == RefreshStyle::None
        && let Some(value) = table.get("action")
    {
        reader.wrong(&value.span(), "nothing can be refreshed: `tokens.refresh` is \"none\"");
    }
}

fn refuse_refresh_token<'a>(
    reader: &mut Reader<'_>,
    value: At<'_>,
    templates: impl Iterator<Item = &'a Template>,
) {
    let mut names = templates.flat_map(Template::names).map(Name::dotted);
    if names.any(|name| matches!(name.as_str(), "tokens.refresh" | "tokens.refresh_expires_in")) {
        reader.wrong(&value.span(), "there are refresh tokens only with `tokens.refresh = \"rotating\"`");
    }
}

fn headers(reader: &mut Reader<'_>, value: At<'_>, scope: Scope<'_>) -> Vec<(String, Template)> {
    let Some(table) = reader.table(value) else { return Vec::new() };
    for (key, value) in in_order(table) {
        let name = toml::Spanned::new(key.span(), DeValue::String(key.get_ref().clone()));
        if header_name(reader, &name).is_some_and(|name| OUR_HEADERS.contains(&name.as_str())) {
            reader.wrong(&key.span(), format!("`{}` is a header of the server's own", key.get_ref()));
        }
        if value.get_ref().as_str().is_some_and(|text| !text.bytes().all(|b| (b' '..=b'~').contains(&b))) {
            reader.wrong(&value.span(), "must be ASCII; only what is filled in is encoded");
        }
    }
    reader.fields(table, scope).unwrap_or_default()
}

/// Headers of errors, too.
pub fn headers_of(
    reader: &mut Reader<'_>,
    value: At<'_>,
    names: &[(&'static str, Kind)],
) -> Vec<(String, Template)> {
    headers(reader, value, Scope::Told(names))
}

/// What an endpoint's inputs are read for.
#[derive(Clone, Copy)]
struct Asking<'a> {
    action: Action,
    tokens: &'a Tokens,
    /// Of its path, where that could be read.
    places: Option<&'a [&'a str]>,
}

fn inputs(
    reader: &mut Reader<'_>,
    endpoint: At<'_>,
    table: &DeTable<'_>,
    asking: Asking<'_>,
) -> BTreeMap<&'static str, Input> {
    let Asking { action, tokens, places } = asking;
    let mut inputs = BTreeMap::new();
    let given = table.get("input");
    if let Some(given) = given.and_then(|value| reader.table(value)) {
        for (key, value) in in_order(given) {
            let name = key.get_ref().as_ref();
            let Some(known) = action.inputs().find(|known| *known == name) else {
                reader.unknown(
                    &key.span(),
                    &format!("input of `{}`", action.as_str()),
                    name,
                    action.inputs(),
                );
                continue;
            };
            if let Some(input) = input(reader, known, value, places) {
                inputs.insert(known, input);
            }
        }
    }
    let at = given.map_or_else(|| endpoint.span(), toml::Spanned::span);
    let written = |name: &&str| given.is_some_and(|value| value.get_ref().get(*name).is_some());
    for group in needed(action, tokens) {
        if !group.iter().any(written) {
            let names = group.join("` or `");
            reader.wrong(&at, format!("the action `{}` needs the input `{names}`", action.as_str()));
        }
    }
    inputs
}

/// What the action needs, where the way of refreshing decides between two.
fn needed(action: Action, tokens: &Tokens) -> Vec<Vec<&'static str>> {
    match (action, tokens.refresh) {
        (Action::Refresh, RefreshStyle::Rotating) => vec![vec!["refresh_token"]],
        (Action::Refresh, _) => vec![vec!["token"]],
        _ => action.needs().iter().map(|group| group.to_vec()).collect(),
    }
}

fn input(reader: &mut Reader<'_>, name: &str, value: At<'_>, places: Option<&[&str]>) -> Option<Input> {
    let (from, missing, required) = match value.get_ref() {
        DeValue::Table(table) => {
            reader.only(table, &["from", "missing", "required"]);
            let missing = table.get("missing").and_then(|value| fault(reader, value));
            let required = table.get("required").and_then(|value| reader.flag(value));
            match table.get("from") {
                Some(from) => (from, missing, required.unwrap_or(missing.is_some())),
                None => return reader.lacks(value, "from"),
            }
        }
        _ => (value, None, false),
    };
    let template = match from.get_ref() {
        DeValue::String(_) => reader.template(from, Scope::Request { places })?,
        _ => {
            reader.wrong(&from.span(), "must be text, such as \"{{body.email}}\"");
            return None;
        }
    };
    let in_address = template.names().iter().any(|name| matches!(name.parts[0].as_str(), "path" | "query"));
    if in_address && SECRETS.contains(&name) {
        reader.wrong(
            &from.span(),
            format!("`{name}` is a secret: addresses are logged and remembered by many"),
        );
    }
    Some(Input { missing: missing.unwrap_or(usual_fault(name, &template)), from: template, required })
}

/// What it is called when this is not there.
fn usual_fault(name: &str, from: &Template) -> Fault {
    let root = from.names().first().map(|name| name.parts[0].clone()).unwrap_or_default();
    match (name, root.as_str()) {
        ("token" | "api_key", _) | (_, "bearer" | "api_key") => Fault::TokenMissing,
        (_, "basic") => Fault::InvalidCredentials,
        _ => Fault::InvalidRequest,
    }
}

/// The name of an error.
pub fn fault(reader: &mut Reader<'_>, value: At<'_>) -> Option<Fault> {
    let text = reader.text(value)?;
    let fault = Fault::parse(text);
    if fault.is_none() {
        reader.unknown(&value.span(), "error", text, Fault::ALL.iter().map(|fault| fault.as_str()));
    }
    fault
}
