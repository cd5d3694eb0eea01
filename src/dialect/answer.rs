//! From a refusal to the status, headers and body that the dialect has for it.

use std::time::Duration;

use serde_json::{Value, json};

use super::model::{Dialect, Wording};
use super::template::Template;
use crate::web::fault::{Fault, Refused};
use crate::web::respond::in_header;

/// An answer before it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// `None`: nothing.
    pub body: Option<Value>,
}

/// Fills headers; one without a value is left out.
pub fn fill_headers(templates: &[(String, Template)], scope: &Value) -> Vec<(String, String)> {
    templates
        .iter()
        .filter_map(|(name, template)| Some((name.clone(), template.fill_header(scope, in_header)?)))
        .collect()
}

/// Fills headers; one without a value is empty.
pub fn fill_all_headers(templates: &[(String, Template)], scope: &Value) -> Vec<(String, String)> {
    let text = |template: &Template| template.fill_header(scope, in_header).unwrap_or_default();
    templates.iter().map(|(name, template)| (name.clone(), text(template))).collect()
}

/// What a refusal is answered with.
pub fn refusal(dialect: &Dialect, refused: &Refused) -> Answer {
    let worded = dialect.errors.words.get(&refused.fault).and_then(|wording| wording.like);
    let fault = worded.unwrap_or(refused.fault);
    // What is answered like another error says nothing of its own.
    let detail = refused.detail.as_deref().filter(|_| worded.is_none());
    let usual = Wording::default();
    let wording = dialect.errors.words.get(&fault).unwrap_or(&usual);
    let scope = scope(fault, wording, detail, refused.retry_after);
    let mut headers = fill_headers(&dialect.errors.headers, &scope);
    headers.extend(fill_headers(&wording.headers, &scope));
    if let Some(wait) = scope["retry_after"].as_u64() {
        headers.push(("Retry-After".to_owned(), wait.to_string()));
    }
    Answer {
        status: status(fault, wording),
        headers,
        body: Some(wording.body.as_ref().unwrap_or(&dialect.errors.body).fill(&scope)),
    }
}

/// Status and body of an error that says no more than usual.
pub fn body_of_fault(dialect: &Dialect, fault: Fault) -> (u16, Value) {
    let answer = refusal(dialect, &fault.into());
    (answer.status, answer.body.unwrap_or_default())
}

fn status(fault: Fault, wording: &Wording) -> u16 {
    wording.status.unwrap_or(fault.status())
}

fn scope(fault: Fault, wording: &Wording, detail: Option<&str>, retry_after: Option<Duration>) -> Value {
    let mut scope = json!({
        "error": fault.as_str(),
        "code": wording.code.clone().unwrap_or_else(|| json!(fault.as_str())),
        "detail": detail.unwrap_or(fault.message()),
        "status": status(fault, wording),
        "retry_after": retry_after.map(whole_seconds),
    });
    let message = match &wording.message {
        Some(template) => template.fill(&scope),
        None => Value::String(fault.message().to_owned()),
    };
    scope["message"] = message;
    scope
}

/// Rounded up, and never nothing.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}
