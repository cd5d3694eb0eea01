//! `Idempotency-Key`: what is made once, however often it is asked for (draft-ietf-httpapi-idempotency-key-header).
//!
//! A key counts for a day, for one caller and one request. Whoever sends the same again is answered the same again; the
//! text of an API key, which is shown once, is left out of that. Another request with the key is refused, and so is the
//! same one while the first is under way. A refusal is not kept: nothing was made, and the key is free.

use std::future::Future;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, rt};
use serde::Serialize;
use serde_json::Value;

use super::ask::{Call, header};
use crate::app::App;
use crate::audit::{Claim, Origin};
use crate::crypto::Digest;
use crate::store::idempotency::{self, Held, Taken};
use crate::web::fault::{Fault, Refused};
use crate::web::respond;

const HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// A call that has held its key for so long has died.
const HELD: Duration = Duration::from_secs(60);
const LONGEST: usize = 255;
/// What answers are sealed for.
const CONTEXT: &[u8] = b"answer of an idempotency key ";

/// What is told when it is made.
pub trait Made: Serialize {
    /// What is told when it is asked for again.
    fn again(&self) -> Value {
        serde_json::to_value(self).expect("answers are plain data")
    }
}

/// The key of a call, with the digest of what it asks for.
pub struct Once {
    key: Result<Option<String>, Refused>,
    request: Digest,
}

impl Once {
    pub fn of(request: &HttpRequest, body: &[u8]) -> Self {
        let (method, path) = (request.method().as_str(), request.path());
        let digest = Digest::of_parts(&[method.as_bytes(), path.as_bytes(), body]);
        Self { key: key(request), request: digest }
    }

    /// Makes it, unless this caller has made it with this key before.
    ///
    /// `make` goes on when the connection is lost: its caller will ask again, and is owed the answer.
    pub async fn make<T, F, M>(self, call: &Call, identity: &str, make: M) -> Result<HttpResponse, Refused>
    where
        T: Made + 'static,
        F: Future<Output = Result<T, Refused>> + 'static,
        M: FnOnce(Origin) -> F,
    {
        let Some(key) = self.key? else { return Ok(made(&make(call.origin.clone()).await?)) };
        let claim = Claim {
            key: Digest::of_parts(&[identity.as_bytes(), key.as_bytes()]),
            holder: Digest::of(&call.app.random.bytes::<32>()),
        };
        if let Some(answered) = take(&call.app, claim, self.request).await? {
            return Ok(answered);
        }
        let (app, making) = (call.app.clone(), make(Origin { claim: Some(claim), ..call.origin.clone() }));
        let done = rt::spawn(async move {
            let outcome = making.await;
            let noted = match &outcome {
                Ok(made) => keep(&app, claim, &made.again()).await,
                Err(_) => app.db.write(move |db| idempotency::release(db, &claim.key, &claim.holder)).await,
            };
            // What was made is made; asked for again, it is answered `in_progress` until the key ends.
            if let Err(error) = noted {
                app.metrics.database_error(&error);
                tracing::warn!(%error, "the outcome for an idempotency key could not be kept");
            }
            outcome
        });
        Ok(made(&done.await.map_err(Refused::internal)??))
    }
}

/// One to 255 visible characters.
fn key(request: &HttpRequest) -> Result<Option<String>, Refused> {
    let Some(key) = header(request.headers(), HEADER)? else { return Ok(None) };
    if key.len() > LONGEST || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = "`Idempotency-Key` must be 1 to 255 visible ASCII characters.";
        return Err(Refused::with_detail(Fault::InvalidRequest, why));
    }
    Ok(Some(key.to_owned()))
}

/// Takes the key, or says what it was answered.
async fn take(app: &App, claim: Claim, request: Digest) -> Result<Option<HttpResponse>, Refused> {
    let now = app.clock.now();
    let call = Held {
        digest: claim.key,
        fingerprint: request,
        holder: claim.holder,
        held_until: now.plus(HELD),
        made_at: None,
        answer: None,
        expires_at: now.plus(KEPT),
    };
    let held = match app.db.write(move |db| idempotency::take(db, &call, now)).await? {
        Taken::Now => return Ok(None),
        Taken::Before(held) => held,
    };
    if held.fingerprint != request {
        return Err(Fault::IdempotencyKeyReused.into());
    }
    let Some(sealed) = held.answer else {
        let wait = if held.made_at.is_some() { held.expires_at } else { held.held_until };
        let wait = wait.since(now).max(Duration::from_secs(1));
        return Err(Refused { retry_after: Some(wait), ..Fault::InProgress.into() });
    };
    let plain = app.master.unseal(&context(claim), &sealed).map_err(Refused::internal)?;
    let told: Value = serde_json::from_slice(&plain).map_err(Refused::internal)?;
    let mut answer = respond::json_no_store(StatusCode::CREATED, &told);
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(Some(answer))
}

async fn keep(app: &App, claim: Claim, told: &Value) -> Result<(), crate::store::Error> {
    let sealed = app.master.seal(&app.random, &context(claim), told.to_string().as_bytes());
    app.db.write(move |db| idempotency::answer(db, &claim.key, &claim.holder, &sealed)).await
}

fn context(claim: Claim) -> Vec<u8> {
    [CONTEXT, claim.key.as_bytes()].concat()
}

fn made(told: &impl Serialize) -> HttpResponse {
    respond::json_no_store(StatusCode::CREATED, told)
}
