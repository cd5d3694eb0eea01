//! Clients and resources in memory, so that the hot paths need no table for them.
//!
//! A copy is dropped when this node changes something, and when the version row of its topic has moved (another
//! node or the command line changed something; [`crate::jobs`] looks once a second). Nothing absent is remembered,
//! so a stranger's made-up client ids take no room.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::{Client, Resource, Topic};
use crate::store::{self, Db, Error};

/// More clients than this are not held at once; the copies then start anew.
const CAPACITY: usize = 10_000;

/// Clients by `client_id`, and all resources.
#[derive(Default)]
pub struct Registry {
    clients: RwLock<HashMap<String, Arc<Client>>>,
    resources: RwLock<Option<Arc<Vec<Resource>>>>,
    /// Counts the drops: what was read before one is not kept after it.
    generation: AtomicU64,
}

impl Registry {
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

    /// Every resource, disabled or not.
    pub async fn resources(&self, db: &Db) -> Result<Arc<Vec<Resource>>, Error> {
        if let Some(resources) = &*self.resources.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(resources));
        }
        let generation = self.generation.load(Ordering::Acquire);
        let resources = Arc::new(db.read(store::resources::all).await?);
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
            Topic::Clients => self.clients.write().unwrap_or_else(PoisonError::into_inner).clear(),
            Topic::Resources => *self.resources.write().unwrap_or_else(PoisonError::into_inner) = None,
            Topic::Keys => {}
        }
    }
}
