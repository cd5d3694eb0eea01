//! `/admin/dialects/{dialect}/try`: a call of a mounted login API, made from the console.
//!
//! The call does not leave the process. It is given to the dialect by the function that the listener gives calls to, so
//! that it is judged, limited and recorded as any other caller's; and because no connection is made, it reaches nothing
//! but the one dialect, whatever the server listens on and whoever holds its certificate. Which call it is, is chosen
//! among those that the dialect describes; what is typed goes into places of that call, percent-encoded. No cookie is
//! sent, and no privilege of the administrator's. What comes back is shown with its tokens cut short: what was issued is
//! of no use to anybody.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::to_bytes;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, PRAGMA};
use actix_web::web::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::PATH;
use super::operation::{self, Operation, Scheme, Stands};
use crate::audit::{Event, Origin};
use crate::explain::Noted;
use crate::model::explanation::{Explanation, Slip, without_tokens};
use crate::model::{AuditAction, Outcome, RefusalKind};
use crate::protocol::Params;
use crate::web::admin::access::{Change, Console};
use crate::web::call::Incoming;
use crate::web::failure::PageFailure;
use crate::web::page::admin::{Card, Cell, Field, Form, Item, Kind, Link, Pick, Place, Sheet, Tone};
use crate::web::ui::Ui;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Letters of an answer that are shown.
const SHOWN: usize = 32 * 1024;

/// Where this call of the dialect is tried.
pub(super) fn path_of(dialect: &str, call: &str) -> String {
    format!("{PATH}/{dialect}/try?call={}", utf8_percent_encode(call, NON_ALPHANUMERIC))
}

/// A mounted dialect, as its description has it.
struct Offered {
    dialect: String,
    operations: Vec<Operation>,
}

impl Offered {
    fn of(console: &Console) -> Result<Self, PageFailure> {
        let dialect: String = console.named("dialect")?;
        let mounted = console.app().dialects.iter().find(|mounted| mounted.dialect.name == dialect);
        let operations = operation::all(&mounted.ok_or(PageFailure::NotFound)?.description);
        Ok(Self { dialect, operations })
    }

    /// The call that was chosen, or the first.
    fn chosen(&self, query: &Params) -> Result<&Operation, PageFailure> {
        let found = match query.get("call") {
            Some(name) => self.operations.iter().find(|one| one.name() == name),
            None => self.operations.first(),
        };
        found.ok_or(PageFailure::NotFound)
    }

    fn sheet(&self, ui: &Ui<'_>, chosen: &Operation, form: Form) -> Sheet {
        let at = format!("{PATH}/{}", self.dialect);
        let picks = self.operations.iter().map(|one| {
            let name = one.name();
            Pick::new(&name, format!("{name} · {}", one.action)).picked(one == chosen)
        });
        let choose = Form::search("choose", format!("{at}/try"), ui.t("dialects.choose")).field(Field::new(
            Kind::Select(picks.collect()),
            "call",
            ui.t("dialects.call"),
        ));
        Sheet::new(Place::Dialects, ui.t("dialects.try"))
            .under(ui.t("console.place.dialects"), PATH)
            .under(&self.dialect, at)
            .lead(ui.t("dialects.try_lead"))
            .card(Card::plain("calls").form(choose))
            .card(Card::new("trial", chosen.name()).hint(ui.t("dialects.try_text")).form(form))
    }

    fn form(&self, ui: &Ui<'_>, chosen: &Operation) -> Form {
        let mut form = Form::new("call", format!("{PATH}/{}/try", self.dialect), ui.t("dialects.send"))
            // A name of its own: the list above is called `call`.
            .field(Field::hidden("chosen", chosen.name()));
        for parameter in &chosen.parameters {
            // An API may take its tokens in a header of its own.
            let kind = if is_secret(&parameter.name) { Kind::Secret } else { Kind::Text };
            let field =
                Field::new(kind, &parameter.field(), &parameter.name).hint(ui.t(match parameter.stands {
                    Stands::Path => "dialects.in_path",
                    Stands::Query => "dialects.in_query",
                    Stands::Header => "dialects.in_header",
                }));
            // Whether a call does without, it answers itself; without a part of its path it is another.
            form = form.field(if parameter.stands == Stands::Path { field.required() } else { field });
        }
        for scheme in &chosen.schemes {
            let secret = |name: &str, label| Field::new(Kind::Secret, name, ui.t(label));
            form = match scheme {
                Scheme::Bearer => {
                    form.field(secret("access_token", "dialects.bearer").hint(ui.t("dialects.secret_hint")))
                }
                Scheme::ApiKey => {
                    form.field(secret("api_key", "dialects.api_key").hint(ui.t("dialects.secret_hint")))
                }
                Scheme::Basic => form
                    .field(Field::text("username", ui.t("dialects.username")))
                    .field(secret("password", "dialects.password").hint(ui.t("dialects.secret_hint"))),
            };
        }
        match &chosen.body {
            Some((_, example)) => {
                let example = serde_json::to_string_pretty(example).expect("JSON is written");
                let body = Field::new(Kind::Lines, "body", ui.t("dialects.body"));
                form.field(body.value(example).hint(ui.t("dialects.body_hint")))
            }
            None => form,
        }
    }
}

/// `GET …/try`: the calls, and the form of one.
pub(super) async fn form(console: Console) -> Result<HttpResponse, PageFailure> {
    let (offered, query) = (Offered::of(&console)?, console.query()?);
    let chosen = offered.chosen(&query)?;
    Ok(console.show(|ui| offered.sheet(ui, chosen, offered.form(ui, chosen))))
}

/// `POST …/try`: makes the call, and shows what came back.
pub(super) async fn send(change: Change) -> Result<HttpResponse, PageFailure> {
    let offered = Offered::of(&change)?;
    let chosen = offered.operations.iter().find(|one| one.name() == change.text("chosen"));
    let chosen = chosen.ok_or(PageFailure::NotFound)?;
    let filled = match chosen.fill(&change.typed) {
        Ok(filled) => filled,
        Err(field) => {
            return Ok(change.again(|ui| {
                let text = ui.t(if field == "body" { "dialects.bad_body" } else { "dialects.bad_value" });
                let form = offered.form(ui, chosen);
                let form = form.typed(Some(&change.typed), &[(field.as_str(), text.to_owned())]);
                offered.sheet(ui, chosen, form)
            }));
        }
    };
    // Of whoever calls, not of whoever administers; why it is refused is noted as of this call.
    let origin = Origin { slip: Slip::default(), ..change.visitor().origin.clone() };
    let call = Incoming {
        method: &chosen.method,
        path: &filled.path,
        query: &filled.query,
        headers: &filled.headers,
        payload: Bytes::from(filled.body).into(),
        origin: origin.clone(),
    };
    let app = change.app();
    let answered = tokio::time::timeout(PATIENCE, app.dialects.ask(app, &offered.dialect, call)).await;
    let answer = match answered {
        Ok(Some(answer)) => Some(Answer::of(answer).await?),
        Ok(None) => return Err(PageFailure::NotFound),
        Err(_late) => None,
    };
    let why = origin.slip.explanation();
    if let (Some(answer), Some(explanation)) = (&answer, &why) {
        keep_reason(&change, chosen, answer.status, explanation.clone(), &origin);
    }
    note(&change, &offered.dialect, chosen, answer.as_ref()).await?;
    Ok(change.show(|ui| {
        let form = offered.form(ui, chosen).typed(Some(&change.typed), &[]);
        let mut sheet = offered.sheet(ui, chosen, form);
        let shown = match &answer {
            Some(answer) => answer.card(ui, why.as_ref(), &origin.request_id),
            None => {
                let late = ui.with("dialects.late", &[("span", &ui.span(PATIENCE))]);
                Card::new("answer", ui.t("dialects.answer")).item(Item::Note(Tone::Bad, late))
            }
        };
        // What was asked for first.
        sheet.cards.insert(0, shown);
        sheet
    }))
}

/// What the dialect answered, without what nobody is to see.
struct Answer {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: String,
    is_cut: bool,
}

impl Answer {
    async fn of(response: HttpResponse) -> Result<Self, PageFailure> {
        let (status, headers) = (response.status(), shown_headers(response.headers()));
        let body = to_bytes(response.into_body()).await;
        let body = body.map_err(|_| PageFailure::Internal("a dialect's answer has no body".to_owned()))?;
        let text = match serde_json::from_slice(&body) {
            Ok(value) => serde_json::to_string_pretty(&redacted(value)).expect("JSON is written"),
            Err(_) => without_tokens(&String::from_utf8_lossy(&body)),
        };
        let body: String = text.chars().take(SHOWN).collect();
        Ok(Self { status, headers, is_cut: body.len() < text.len(), body })
    }

    fn card(&self, ui: &Ui<'_>, why: Option<&Explanation>, reference: &str) -> Card {
        let is_good = self.status.as_u16() < 400;
        let tone = if is_good { Tone::Good } else { Tone::Bad };
        let mut card =
            Card::new("answer", ui.t("dialects.answer")).item(Item::Note(tone, self.status.to_string()));
        if let Some(explanation) = why {
            card = card.text(ui.t(explanation.rule.says())).hint(ui.t(explanation.rule.advice()));
        }
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), Cell::code(value)));
        card = card.facts(headers.collect());
        card = match self.body.is_empty() {
            true => card.hint(ui.t("dialects.no_body")),
            false => card.code(ui.t("dialects.answer_body"), &self.body).hint(ui.t("dialects.shortened")),
        };
        if self.is_cut {
            card = card.hint(ui.t("dialects.cut"));
        }
        card.links(vec![Link::new(ui.t("audit.same_request"), format!("/admin/audit?request={reference}"))])
    }
}

/// What tells something of this answer. That nobody keeps it, all of them say twice.
fn shown_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let told = headers.iter().filter(|(name, _)| **name != PRAGMA);
    let mut told: Vec<(String, String)> = told
        .map(|(name, value)| {
            (name.as_str().to_owned(), without_tokens(&String::from_utf8_lossy(value.as_bytes())))
        })
        .collect();
    told.sort_unstable();
    told
}

/// The answer with what is a secret by its length or by its name cut short.
fn redacted(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_tokens(&text)),
        Value::Array(items) => items.into_iter().map(redacted).collect(),
        Value::Object(members) => {
            let redact = |(name, value): (String, Value)| {
                let value = match value {
                    Value::String(text) if is_secret(&name) => Value::String(beginning(&text)),
                    other => redacted(other),
                };
                (name, value)
            };
            Value::Object(members.into_iter().map(redact).collect())
        }
        other => other,
    }
}

/// Also what is shorter than our own tokens. `token_type` and the like say no more than a word.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "jwt", "apikey", "api_key"].iter().any(|word| name.ends_with(word))
}

fn beginning(text: &str) -> String {
    const KEPT: usize = 6;
    match text.chars().count() > 2 * KEPT {
        true => text.chars().take(KEPT).chain(['…']).collect(),
        false => "…".to_owned(),
    }
}

/// As of a call from elsewhere: found in the explanations by the reference of this request.
fn keep_reason(
    change: &Change,
    chosen: &Operation,
    status: StatusCode,
    explanation: Explanation,
    origin: &Origin,
) {
    let app = change.app();
    let noted = Noted {
        reference: origin.request_id.clone(),
        at: app.clock.now(),
        endpoint: RefusalKind::Api,
        explanation,
        concerned: origin.slip.concerned(),
        route: chosen.path.clone(),
        status: status.as_u16(),
    };
    if !app.refusals.note(noted) {
        app.metrics.explanation_dropped();
    }
}

/// That the call came from here, and by whom.
async fn note(
    change: &Change,
    dialect: &str,
    chosen: &Operation,
    answer: Option<&Answer>,
) -> Result<(), PageFailure> {
    let outcome = match answer {
        Some(answer) if answer.status.as_u16() < 400 => Outcome::Success,
        _ => Outcome::Failure,
    };
    let event = Event::new(AuditAction::DialectTried, outcome)
        .user(change.account().user.id)
        .detail("dialect", dialect)
        .detail("call", chosen.name())
        .detail("status", answer.map(|answer| answer.status.as_u16()));
    let scribe = change.app().scribe(&change.origin);
    Ok(change.app().db.write(move |db| scribe.write(db, event.clone())).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lo_2_tokens_in_an_answer_are_cut_short() {
        let token = "a".repeat(43);
        let jwt = format!("eyJhbGciOiJFUzI1NiJ9.{token}.{token}");
        let told = redacted(json!({
            "data": [{ "accessToken": jwt, "anything": token, "refresh_token": "short-but-secret", "password": "x" }],
            "tokenType": "Bearer", "expires_in": 900, "user": { "id": "usr_0192f3c4d5e6f7081929304152637485" },
        }));
        assert_eq!(told["data"][0]["accessToken"], "eyJhbG…");
        assert_eq!(told["data"][0]["anything"], "aaaaaa…");
        assert_eq!(told["data"][0]["refresh_token"], "short-…");
        assert_eq!(told["data"][0]["password"], "…");
        assert_eq!((&told["tokenType"], &told["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_eq!(told["user"]["id"], "usr_0192f3c4d5e6f7081929304152637485");
    }
}
