//! Clients and resources in memory, so that the hot paths need no table for them.
//!
//! A copy is dropped when this node changes something, and when the version row of its topic has moved (another
//! node or the command line changed something; [`crate::jobs`] looks once a second). Nothing absent is remembered,
//! so a stranger's made-up client ids take no room. [`KeyUses`] goes the other way.

pub mod leases;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use url::Url;

use crate::clock::Timestamp;
use crate::model::{ApiKeyId, Client, Resource, Topic};
use crate::store::{self, Db, Error};

use leases::Leases;

/// More clients than this are not held at once; the copies then start anew.
const CAPACITY: usize = 10_000;

/// Clients by `client_id`, the origins of browser clients, and all resources.
#[derive(Default)]
pub struct Registry {
    clients: RwLock<HashMap<String, Arc<Client>>>,
    origins: RwLock<Option<Arc<HashSet<String>>>>,
    resources: RwLock<Option<Arc<Vec<Resource>>>>,
    /// Our own APIs, which stand in no table.
    own: Vec<Resource>,
    /// Of places for clients' own tokens: some may be marked as revoked when a client was changed.
    pub leases: Leases,
    /// Counts the drops: what was read before one is not kept after it.
    generation: AtomicU64,
}

impl Registry {
    /// With these APIs of our own beside those that are stored.
    pub fn with(own: Vec<Resource>) -> Self {
        Self { own, ..Self::default() }
    }

    /// The client that calls itself this, disabled or not.
    pub async fn client(&self, db: &Db, client_id: &str) -> Result<Option<Arc<Client>>, Error> {
        if let Some(client) = self.clients.read().unwrap_or_else(PoisonError::into_inner).get(client_id) {
            return Ok(Some(Arc::clone(client)));
        }
        let generation = self.generation.load(Ordering::Acquire);
        let asked = client_id.to_owned();
        let Some(client) =
            db.read(move |db| store::clients::find_by_client_id(db, &asked)).await?.map(Arc::new)
        else {
            return Ok(None);
        };
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::Acquire) == generation {
            if clients.len() >= CAPACITY {
                clients.clear();
            }
            clients.insert(client_id.to_owned(), Arc::clone(&client));
        }
        Ok(Some(client))
    }

    /// The origins of the redirect URIs of active public clients: scripts there may talk to us (CH-4).
    pub async fn browser_origins(&self, db: &Db) -> Result<Arc<HashSet<String>>, Error> {
        if let Some(origins) = &*self.origins.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(origins));
        }
        let generation = self.generation.load(Ordering::Acquire);
        let uris = db.read(store::clients::public_redirect_uris).await?;
        let origins = Arc::new(uris.iter().filter_map(|uri| web_origin(uri)).collect::<HashSet<_>>());
        let mut kept = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::Acquire) == generation {
            *kept = Some(Arc::clone(&origins));
        }
        Ok(origins)
    }

    /// Every resource, disabled or not.
    pub async fn resources(&self, db: &Db) -> Result<Arc<Vec<Resource>>, Error> {
        if let Some(resources) = &*self.resources.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(resources));
        }
        let generation = self.generation.load(Ordering::Acquire);
        let mut resources = db.read(store::resources::all).await?;
        resources.extend_from_slice(&self.own);
        let resources = Arc::new(resources);
        let mut kept = self.resources.write().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::Acquire) == generation {
            *kept = Some(Arc::clone(&resources));
        }
        Ok(resources)
    }

    /// Forgets the copies of this topic.
    pub fn forget(&self, topic: Topic) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        match topic {
            Topic::Clients => {
                self.clients.write().unwrap_or_else(PoisonError::into_inner).clear();
                *self.origins.write().unwrap_or_else(PoisonError::into_inner) = None;
                self.leases.forget();
            }
            Topic::Resources => *self.resources.write().unwrap_or_else(PoisonError::into_inner) = None,
            Topic::Keys => {}
        }
    }
}

/// Uses of API keys that wait to be written, so that no request waits for it.
#[derive(Default)]
pub struct KeyUses(Mutex<HashMap<ApiKeyId, Timestamp>>);

impl KeyUses {
    /// A use is written once in this time, not each time.
    const EVERY: Duration = Duration::from_secs(60);

    /// The key was used now, and it was last written at `known` that it had been.
    pub fn note(&self, key: ApiKeyId, known: Option<Timestamp>, now: Timestamp) {
        if known.is_none_or(|known| now.since(known) >= Self::EVERY) {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() < CAPACITY {
                waiting.insert(key, now);
            }
        }
    }

    /// Takes what waits.
    pub fn take(&self) -> Vec<(ApiKeyId, Timestamp)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

/// As a browser writes it in `Origin`. An address of an app (`com.example:/back`) has none.
fn web_origin(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ch_4_only_web_addresses_have_an_origin() {
        for (uri, origin) in [
            ("https://app.example.com/back?x=1", Some("https://app.example.com")),
            ("https://app.example.com:8443/back", Some("https://app.example.com:8443")),
            ("http://localhost:3000/", Some("http://localhost:3000")),
            ("com.example.app:/back", None),
            ("file:///back", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(web_origin(uri).as_deref(), origin, "{uri}");
        }
    }
}
