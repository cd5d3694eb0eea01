//! The keys that clients publish at their `jwks_uri`, kept for a while.
//!
//! A key that is not among them may be new, so the caller can ask for a fresh copy; but whoever sends made-up key
//! names must not make us ask a client's server for every one of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::{FetchError, Outbound};
use crate::clock::Timestamp;

/// A copy is not asked for again before this.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// After a try, a copy that we hold is good enough for this long even if it lacks a key or is old.
const BETWEEN_FETCHES: Duration = Duration::from_secs(60);
/// After a failure without any copy.
const BETWEEN_FAILURES: Duration = Duration::from_secs(10);
/// While its server does not answer, a copy serves this long.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// More addresses than this are not held at once.
const CAPACITY: usize = 1_000;

/// What is known of each address.
#[derive(Default)]
pub(super) struct ClientKeys(Mutex<HashMap<String, Arc<Slot>>>);

#[derive(Default)]
struct Slot {
    known: Mutex<Known>,
    /// Held while fetching, so that many who wait cause one fetch.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    copy: Option<(Arc<str>, Timestamp)>,
    tried_at: Option<Timestamp>,
    failure: Option<FetchError>,
}

impl Outbound {
    /// The JWK Set at `uri`, which may be a copy of up to ten minutes. With `want_fresh` (a key is missing in the
    /// copy) it is fetched again, at most once a minute. While its server fails, a copy serves for a day.
    ///
    /// # Errors
    /// If there is no copy and none can be fetched.
    pub async fn client_jwks(
        &self,
        uri: &str,
        want_fresh: bool,
        now: Timestamp,
    ) -> Result<Arc<str>, FetchError> {
        let slot = self.client_keys.slot(uri);
        if let Some(answer) = slot.answer(want_fresh, now) {
            return answer;
        }
        let _turn = slot.turn.lock().await;
        // Whoever had the turn before us may have fetched what we want.
        if let Some(answer) = slot.answer(want_fresh, now) {
            return answer;
        }
        let fetched = self.get(uri).await.and_then(read_jwks);
        if let Err(error) = &fetched {
            tracing::warn!(jwks_uri = uri, %error, "the keys of a client could not be fetched");
        }
        slot.note(fetched, now)
    }
}

impl ClientKeys {
    fn slot(&self, uri: &str) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(uri) {
            return Arc::clone(slot);
        }
        if slots.len() >= CAPACITY {
            let oldest =
                slots.iter().min_by_key(|(_, slot)| slot.known().tried_at).map(|(uri, _)| uri.clone());
            if let Some(oldest) = oldest {
                slots.remove(&oldest);
            }
        }
        Arc::clone(slots.entry(uri.to_owned()).or_default())
    }
}

impl Slot {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can be said without fetching; `None` if it is time to fetch.
    fn answer(&self, want_fresh: bool, now: Timestamp) -> Option<Result<Arc<str>, FetchError>> {
        let known = self.known();
        let rested = |pause| known.tried_at.is_none_or(|at| age(at, now) >= pause);
        match (&known.copy, &known.failure) {
            (Some((jwks, at)), _) if !want_fresh && age(*at, now) < FRESH => Some(Ok(Arc::clone(jwks))),
            (Some((jwks, at)), _) if !rested(BETWEEN_FETCHES) && age(*at, now) < STALE => {
                Some(Ok(Arc::clone(jwks)))
            }
            (_, Some(failure)) if !rested(BETWEEN_FAILURES) => Some(Err(failure.clone())),
            _ => None,
        }
    }

    fn note(&self, fetched: Result<Arc<str>, FetchError>, now: Timestamp) -> Result<Arc<str>, FetchError> {
        let mut known = self.known();
        known.tried_at = Some(now);
        match fetched {
            Ok(jwks) => {
                *known = Known { copy: Some((Arc::clone(&jwks), now)), tried_at: Some(now), failure: None };
                Ok(jwks)
            }
            Err(failure) => {
                known.failure = Some(failure.clone());
                match &known.copy {
                    Some((jwks, at)) if age(*at, now) < STALE => Ok(Arc::clone(jwks)),
                    _ => Err(failure),
                }
            }
        }
    }
}

/// How far apart two moments are. A clock that was set back ages a copy too, instead of keeping it for good.
fn age(at: Timestamp, now: Timestamp) -> Duration {
    now.since(at).max(at.since(now))
}

/// An error page with status 200 must not take the place of good keys. Which keys are good is judged at their use.
fn read_jwks(body: Vec<u8>) -> Result<Arc<str>, FetchError> {
    let text = String::from_utf8(body).map_err(|_| FetchError::Unexpected("a JWK Set in UTF-8"))?;
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(members)) if members.get("keys").is_some_and(Value::is_array) => Ok(text.into()),
        _ => Err(FetchError::Unexpected("a JWK Set")),
    }
}
