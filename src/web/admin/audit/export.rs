//! The audit as a file: CSV for spreadsheets, JSON lines for programs. That it is taken along is an event of its own.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use serde_json::Value;

use super::{sought, within};
use crate::app::App;
use crate::audit::{Taken, note_export, told};
use crate::store;
use crate::store::audit::{self, Sought};
use crate::web::admin::access::Taking;
use crate::web::failure::PageFailure;
use crate::web::respond;

/// Events that are read at a time.
const BATCH: i64 = 500;

const COLUMNS: [&str; 12] = [
    "id",
    "at",
    "action",
    "outcome",
    "user",
    "actor",
    "client",
    "session",
    "organization",
    "ip",
    "request",
    "detail",
];

/// `GET …/export`: everything that the filter lets through, the newest first, as it is read.
pub(super) async fn send(Taking(console): Taking) -> Result<HttpResponse, PageFailure> {
    let query = console.query()?;
    let sought = sought(&console, &within(&console), &query).await?;
    let is_csv = match query.get("format") {
        Some("csv") => true,
        Some("jsonl") => false,
        _ => return Err(PageFailure::NotFound),
    };
    let app = console.app();
    let taken = Taken::Found(sought.clone(), if is_csv { "csv" } else { "jsonl" });
    note_export(&app.db, app.scribe(&console.origin), taken).await?;
    let (kind, name) = match is_csv {
        true => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        false => ("application/x-ndjson", "attachment; filename=\"audit.jsonl\""),
    };
    let head = if is_csv { format!("{}\r\n", COLUMNS.join(",")) } else { String::new() };
    let begun = stream::once(async move { Ok::<_, store::Error>(Bytes::from(head)) });
    let rest = stream::try_unfold((console.app().clone(), Some(sought)), move |(app, sought)| async move {
        let Some(sought) = sought else { return Ok(None) };
        next_part(app, sought, is_csv).await
    });
    Ok(respond::no_store(StatusCode::OK)
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(stream::StreamExt::chain(begun, rest)))
}

type Rest = (Data<App>, Option<Sought>);

async fn next_part(
    app: Data<App>,
    sought: Sought,
    is_csv: bool,
) -> Result<Option<(Bytes, Rest)>, store::Error> {
    let asked = sought.clone();
    let found = app.db.read(move |db| audit::search(db, &asked, BATCH)).await?;
    let Some(last) = found.last() else { return Ok(None) };
    let is_full = i64::try_from(found.len()).is_ok_and(|length| length == BATCH);
    let onward = is_full.then_some(Sought { before: Some(last.id), ..sought });
    let lines: String = found.iter().map(|event| line(&told(event), is_csv)).collect();
    Ok(Some((Bytes::from(lines), (app, onward))))
}

fn line(told: &Value, is_csv: bool) -> String {
    if !is_csv {
        return format!("{told}\n");
    }
    let cells = COLUMNS.map(|column| match &told[column] {
        Value::Null => String::new(),
        Value::String(text) => cell(text),
        other => cell(&other.to_string()),
    });
    format!("{}\r\n", cells.join(","))
}

/// A cell of RFC 4180. What a spreadsheet would take for a formula is marked as text.
fn cell(text: &str) -> String {
    let text = match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_whatever_it_begins_with() {
        for (text, written) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("", ""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
