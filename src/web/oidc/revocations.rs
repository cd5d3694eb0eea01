//! The status lists: what offline verifiers fetch to learn of revocations.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::app::App;

use super::discovery::answer;

const CONTENT_TYPE: &str = "application/statuslist+jwt";

/// `GET /revocations` (draft-ietf-oauth-status-list §8): the first list.
pub async fn first(request: HttpRequest, app: Data<App>) -> HttpResponse {
    list(&request, &app, 0)
}

/// `GET /revocations/{list}`: a further one.
pub async fn further(request: HttpRequest, app: Data<App>, number: Path<usize>) -> HttpResponse {
    // One address for each list.
    if *number == 0 { HttpResponse::NotFound().finish() } else { list(&request, &app, *number) }
}

/// `GET /revocations/lists` (draft-ietf-oauth-status-list §9): the addresses of all.
pub async fn lists(app: Data<App>) -> HttpResponse {
    let max_age = app.status_lists.ttl().as_secs();
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, format!("public, max-age={max_age}")))
        .json(json!({ "status_lists": app.status_lists.uris() }))
}

fn list(request: &HttpRequest, app: &App, number: usize) -> HttpResponse {
    let Some(document) = app.status_lists.document(number) else {
        return HttpResponse::NotFound().finish();
    };
    let left = document.expires_at.since(app.clock.now()).as_secs();
    if left == 0 {
        // The database has not been there for so long that nobody should rely on what is known here.
        return HttpResponse::build(StatusCode::SERVICE_UNAVAILABLE)
            .insert_header((RETRY_AFTER, "5"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish();
    }
    let max_age = app.status_lists.ttl().as_secs().min(left);
    answer(request, CONTENT_TYPE, Bytes::from_owner(Arc::clone(&document.body)), &document.etag, max_age)
}
