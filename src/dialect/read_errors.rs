//! Reading `[errors]`: the envelope that all of them have, and what single ones say differently.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::action::{ERROR, MESSAGE};
use super::model::{Errors, Wording};
use super::read_endpoint::{fault, headers_of};
use super::reader::{At, Reader, Scope, in_order};
use super::template::Template;
use crate::web::fault::Fault;

const SETTINGS: &[&str] = &["status", "code", "message", "body", "headers", "like"];

/// The errors; without any, JSON with `error` and `message`.
pub fn read(reader: &mut Reader<'_>, value: Option<At<'_>>) -> Errors {
    let mut errors = Errors { body: usual_body(), headers: Vec::new(), words: BTreeMap::new() };
    let Some(table) = value.and_then(|value| reader.table(value)) else { return errors };
    for (key, value) in in_order(table) {
        let name = key.get_ref().as_ref();
        if name == "default" {
            default(reader, value, &mut errors);
        } else if let Some(fault) = Fault::parse(name) {
            let wording = wording(reader, value);
            errors.words.insert(fault, wording);
        } else {
            let known = Fault::ALL.iter().map(|fault| fault.as_str()).chain(["default"]);
            reader.unknown(&key.span(), "error", name, known);
        }
    }
    refuse_chains(reader, table, &errors);
    errors
}

fn usual_body() -> Template {
    let field = |name: &str| {
        let template = Template::of_text(&format!("{{{{{name}}}}}")).expect("a name in braces is a template");
        (name.to_owned(), template)
    };
    Template::Table(vec![field("error"), field("message")])
}

fn default(reader: &mut Reader<'_>, value: At<'_>, errors: &mut Errors) {
    let Some(table) = reader.table(value) else { return };
    reader.only(table, &["body", "headers"]);
    if let Some(body) = table.get("body").and_then(|value| reader.template(value, Scope::Told(ERROR))) {
        errors.body = body;
    }
    if let Some(value) = table.get("headers") {
        errors.headers = headers_of(reader, value, ERROR);
    }
}

fn wording(reader: &mut Reader<'_>, value: At<'_>) -> Wording {
    let Some(table) = reader.table(value) else { return Wording::default() };
    reader.only(table, SETTINGS);
    if let (Some(like), true) = (table.get("like"), table.len() > 1) {
        reader.wrong(&like.span(), "stands alone: an error that is like another has nothing of its own");
    }
    Wording {
        status: table
            .get("status")
            .and_then(|value| reader.number_in(value, 200..=599))
            .and_then(|status| u16::try_from(status).ok()),
        code: table.get("code").and_then(|value| code(reader, value)),
        message: table.get("message").and_then(|value| reader.template(value, Scope::Told(MESSAGE))),
        body: table.get("body").and_then(|value| reader.template(value, Scope::Told(ERROR))),
        headers: table.get("headers").map(|value| headers_of(reader, value, ERROR)).unwrap_or_default(),
        like: table.get("like").and_then(|value| fault(reader, value)),
    }
}

/// What machines tell errors apart by: text, or a number.
fn code(reader: &mut Reader<'_>, value: At<'_>) -> Option<Value> {
    match value.get_ref() {
        DeValue::Integer(_) => reader.integer(value).map(Value::from),
        _ => reader.text(value).map(Value::from),
    }
}

/// One step is enough, and never goes round in circles.
fn refuse_chains(reader: &mut Reader<'_>, table: &DeTable<'_>, errors: &Errors) {
    for (key, value) in in_order(table) {
        let like = Fault::parse(key.get_ref()).and_then(|fault| errors.words.get(&fault)?.like);
        let other = like.and_then(|like| errors.words.get(&like)?.like);
        if let (Some(like), true) = (like, other.is_some()) {
            reader.wrong(&value.span(), format!("`{}` is itself like another error", like.as_str()));
        }
    }
}
