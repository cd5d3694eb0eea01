//! The discovery documents and the JWKS: prepared bytes.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, USER_AGENT};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::crypto::Digest;
use crate::model::Language;
use crate::protocol::acr::Acr;
use crate::protocol::metadata::{ProtocolSettings, ProviderMetadata};
use crate::protocol::scope;

/// The discovery document as bytes: it changes with the configuration, so not while the process runs.
pub struct Prepared {
    body: Bytes,
    etag: String,
}

/// Writes the document once, at start.
pub fn prepare(app: &App) -> Prepared {
    let settings = ProtocolSettings {
        scopes: scope::STANDARD.iter().map(ToString::to_string).collect(),
        acr_values: [Acr::OneFactor, Acr::TwoFactors].map(|acr| acr.as_str().to_owned()).to_vec(),
        ui_locales: Language::ALL.iter().map(|language| language.tag().to_owned()).collect(),
        require_par: false,
    };
    let document = ProviderMetadata::new(app.config.issuer.as_str(), &settings);
    let body = serde_json::to_vec(&document).expect("the discovery document is plain data");
    Prepared { etag: format!("\"{}\"", Digest::of(&body).base64url()), body: body.into() }
}

/// `GET /.well-known/openid-configuration` and its OAuth twin (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).
pub async fn metadata(request: HttpRequest, prepared: Data<Prepared>) -> HttpResponse {
    answer(&request, JSON, prepared.body.clone(), &prepared.etag, 3_600)
}

/// `GET /.well-known/jwks.json` (RFC 7517 §5). How long it may be cached follows from the schedule of the keys.
pub async fn jwks(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let now = app.clock.now();
    let program = request.headers().get(USER_AGENT).and_then(|name| name.to_str().ok());
    app.usage.keys_fetched(program, now);
    let document = app.signing.keyring().jwks(now);
    let body = Bytes::from_owner(Arc::clone(&document.body));
    answer(&request, JSON, body, &document.etag, document.max_age.as_secs())
}

const JSON: &str = "application/json";

/// Public data, which caches keep.
pub(super) fn answer(
    request: &HttpRequest,
    content_type: &str,
    body: Bytes,
    etag: &str,
    max_age: u64,
) -> HttpResponse {
    let matches = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == etag;
    let known = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .any(|header| header.to_str().is_ok_and(|tags| tags.split(',').any(|tag| matches(tag.trim()))));
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, format!("public, max-age={max_age}")));
    if known { response.finish() } else { response.content_type(content_type).body(body) }
}
