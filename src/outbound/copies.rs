//! Documents of others, kept for a while: the keys that clients publish, the metadata and keys of providers.
//!
//! A key that is not among them may be new, so the caller can ask for a fresh copy; but whoever sends made-up key
//! names must not make us ask another's server for every one of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::{FetchError, Networks, Outbound};
use crate::clock::Timestamp;

/// A copy of a client's keys is not asked for again before this.
const CLIENT_FRESH: Duration = Duration::from_secs(10 * 60);
/// Nor one of a provider's documents before this (FE-11).
const PROVIDER_FRESH: Duration = Duration::from_secs(60 * 60);
/// After a try, a copy that we hold is good enough for this long even if it lacks a key or is old.
const BETWEEN_FETCHES: Duration = Duration::from_secs(60);
/// After a failure without any copy.
const BETWEEN_FAILURES: Duration = Duration::from_secs(10);
/// While its server does not answer, a copy serves this long.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// More addresses than this are not held at once.
const CAPACITY: usize = 1_000;

/// What is known of each address.
pub(super) struct Copies {
    /// For how long a copy is as good as the document.
    fresh: Duration,
    slots: Mutex<HashMap<(Networks, String), Arc<Slot>>>,
}

pub(super) fn of_clients() -> Copies {
    Copies { fresh: CLIENT_FRESH, slots: Mutex::default() }
}

pub(super) fn of_providers() -> Copies {
    Copies { fresh: PROVIDER_FRESH, slots: Mutex::default() }
}

/// What an answer must be to take the place of a copy.
type Reading = fn(Vec<u8>) -> Result<Arc<str>, FetchError>;

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
        let wanted = Wanted { networks: self.networks, uri, fresh: want_fresh, reading: read_jwks };
        self.client_keys.answer(self, &wanted, now).await
    }

    /// The metadata or the JWK Set of a provider, which may be a copy of up to an hour; else as
    /// [`Outbound::client_jwks`] (FE-11).
    ///
    /// # Errors
    /// If there is no copy and none can be fetched.
    pub async fn provider_document(
        &self,
        networks: Networks,
        uri: &str,
        want_fresh: bool,
        now: Timestamp,
    ) -> Result<Arc<str>, FetchError> {
        let wanted = Wanted { networks, uri, fresh: want_fresh, reading: read_object };
        self.provider_documents.answer(self, &wanted, now).await
    }
}

/// What somebody asks for.
struct Wanted<'a> {
    networks: Networks,
    uri: &'a str,
    /// Whether a copy lacked something.
    fresh: bool,
    reading: Reading,
}

impl Copies {
    async fn answer(
        &self,
        outbound: &Outbound,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<Arc<str>, FetchError> {
        let slot = self.slot(wanted);
        if let Some(answer) = slot.answer(self.fresh, wanted.fresh, now) {
            return answer;
        }
        let _turn = slot.turn.lock().await;
        // Whoever had the turn before us may have fetched what we want.
        if let Some(answer) = slot.answer(self.fresh, wanted.fresh, now) {
            return answer;
        }
        // Noted before it is tried, so that a caller who gives up on a slow server counts as a try too.
        slot.known().tried_at = Some(now);
        let fetched = outbound.get_in(wanted.networks, wanted.uri).await.and_then(wanted.reading);
        if let Err(error) = &fetched {
            tracing::warn!(uri = wanted.uri, %error, "a document could not be fetched");
        }
        slot.note(fetched, now)
    }

    fn slot(&self, wanted: &Wanted<'_>) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (wanted.networks, wanted.uri.to_owned());
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        if slots.len() >= CAPACITY {
            let oldest =
                slots.iter().min_by_key(|(_, slot)| slot.known().tried_at).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                slots.remove(&oldest);
            }
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

impl Slot {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can be said without fetching; `None` if it is time to fetch.
    fn answer(
        &self,
        fresh: Duration,
        want_fresh: bool,
        now: Timestamp,
    ) -> Option<Result<Arc<str>, FetchError>> {
        let known = self.known();
        let rested = |pause| known.tried_at.is_none_or(|at| age(at, now) >= pause);
        match (&known.copy, &known.failure) {
            (Some((jwks, at)), _) if !want_fresh && age(*at, now) < fresh => Some(Ok(Arc::clone(jwks))),
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
    read(body, |members| members.get("keys").is_some_and(Value::is_array), "a JWK Set")
}

fn read_object(body: Vec<u8>) -> Result<Arc<str>, FetchError> {
    read(body, |_| true, "a JSON object")
}

fn read(
    body: Vec<u8>,
    is_it: impl Fn(&Map<String, Value>) -> bool,
    what: &'static str,
) -> Result<Arc<str>, FetchError> {
    let text = String::from_utf8(body).map_err(|_| FetchError::Unexpected("text in UTF-8"))?;
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(members)) if is_it(&members) => Ok(text.into()),
        _ => Err(FetchError::Unexpected(what)),
    }
}
