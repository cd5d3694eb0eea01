//! The status lists of this node: read from the database, signed, and kept as bytes, so that an API that verifies
//! offline learns what was revoked.
//!
//! What is marked and for how long is decided where things are revoked ([`crate::store::status`]). Every node looks
//! twice a second ([`crate::jobs`]) at what was marked of late, and at all of it now and then, which also drops marks
//! whose tokens have expired. Only what changed is signed anew, and a list that stays as it is while there is still
//! most of its time: so its ETag stays, too. A node that cannot read the database gives what it has, until that
//! expires.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::Config;
use crate::crypto::Digest;
use crate::keys::{Keyring, SignError, Signer};
use crate::model::{Bits, ListClaims, Place, STATUS_LIST_TYP, SigningAlg, list_uri};
use crate::store::{self, Db};

/// The algorithm of the lists: that of access tokens, so that a verifier of these needs no other.
const LIST_ALG: SigningAlg = SigningAlg::Es256;
/// All marks are read again after this.
const READ_ALL_EVERY: Duration = Duration::from_secs(5 * 60);
/// What was marked this long ago is looked at each time: longer than clocks of nodes may differ (CR-7) and than any
/// transaction takes.
const OVERLAP: Duration = Duration::from_secs(10 * 60);
/// A list is good for so many times as long as a copy of it may be kept: an outage that is shorter goes unnoticed.
const GOOD_FOR: u32 = 15;
/// And is signed anew when a third of that is over.
const SIGNED_EVERY: u32 = GOOD_FOR / 3;

/// Why the lists are not up to date.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("no {LIST_ALG} key may sign at the moment")]
    NoKey,
}

/// A signed list, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListDocument {
    pub body: Arc<[u8]>,
    /// Strong, with its quotation marks.
    pub etag: Arc<str>,
    pub expires_at: Timestamp,
    signed_at: Timestamp,
    kid: Arc<str>,
}

/// The lists of this node.
pub struct StatusLists {
    issuer: String,
    ttl: Duration,
    /// What is served, in the order of the lists' numbers.
    documents: RwLock<Arc<Vec<ListDocument>>>,
    known: Mutex<Known>,
}

/// What this node knows of the marks.
#[derive(Default)]
struct Known {
    lists: Vec<List>,
    /// When all marks were read last.
    read_at: Option<Timestamp>,
}

struct List {
    bits: Bits,
    /// `None` if the bits have changed since.
    signed: Option<ListDocument>,
}

impl StatusLists {
    pub fn new(config: &Config) -> Self {
        Self {
            issuer: config.issuer.as_str().to_owned(),
            ttl: config.lifetimes.status_list,
            documents: RwLock::default(),
            known: Mutex::default(),
        }
    }

    /// The list with this number, if there is one.
    pub fn document(&self, list: usize) -> Option<ListDocument> {
        self.documents.read().unwrap_or_else(PoisonError::into_inner).get(list).cloned()
    }

    /// The addresses of all lists.
    pub fn uris(&self) -> Vec<String> {
        let lists = self.documents.read().unwrap_or_else(PoisonError::into_inner).len();
        (0..lists).map(|list| list_uri(&self.issuer, list)).collect()
    }

    /// How long a copy may be kept without asking.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How many places are marked.
    pub fn marked(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.lists.iter().map(|list| list.bits.count()).sum()
    }

    /// Reads what was marked and signs the lists that changed.
    pub async fn refresh(&self, db: &Db, keyring: &Keyring, now: Timestamp) -> Result<(), StatusError> {
        let read_at = self.known.lock().unwrap_or_else(PoisonError::into_inner).read_at;
        // Also when the clock was set back.
        let all = read_at.is_none_or(|at| now < at || now.since(at) >= READ_ALL_EVERY);
        let (marked, highest) = db
            .read(move |db| {
                let marked = match all {
                    true => store::status::revoked(db, now)?,
                    false => store::status::revoked_since(db, now.minus(OVERLAP))?,
                };
                Ok((marked, store::status::highest(db)?))
            })
            .await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // One more than is in use, so that a list is known everywhere before the first token names it.
        let lists = highest.map_or(0, Place::list) + 2;
        if all {
            known.replace(&marked, lists);
            known.read_at = Some(now);
        } else {
            known.add(&marked, lists);
        }
        self.publish(&mut known.lists, keyring, now)
    }

    /// Signs what is not signed, and serves it.
    fn publish(&self, lists: &mut [List], keyring: &Keyring, now: Timestamp) -> Result<(), StatusError> {
        let signer = keyring.signer(LIST_ALG, now).ok_or(StatusError::NoKey)?;
        let mut changed = false;
        for (number, list) in lists.iter_mut().enumerate() {
            let fresh = list.signed.as_ref().is_some_and(|signed| {
                signed.kid.as_ref() == signer.kid()
                    && signed.signed_at <= now
                    && now.since(signed.signed_at) < self.ttl * SIGNED_EVERY
            });
            if !fresh {
                list.signed = Some(self.sign(number, &list.bits, signer, now)?);
                changed = true;
            }
        }
        if changed {
            let documents = lists.iter().filter_map(|list| list.signed.clone()).collect();
            *self.documents.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(documents);
        }
        Ok(())
    }

    fn sign(
        &self,
        number: usize,
        bits: &Bits,
        signer: &Signer,
        now: Timestamp,
    ) -> Result<ListDocument, StatusError> {
        let expires_at = now.plus(self.ttl * GOOD_FOR);
        let claims = ListClaims {
            iss: self.issuer.clone(),
            sub: list_uri(&self.issuer, number),
            iat: now.seconds(),
            exp: expires_at.seconds(),
            ttl: self.ttl.as_secs(),
            status_list: bits.encode(),
        };
        let body: Arc<[u8]> = signer.sign(STATUS_LIST_TYP, &claims)?.into_bytes().into();
        let etag = format!("\"{}\"", Digest::of(&body).base64url()).into();
        Ok(ListDocument { body, etag, expires_at, signed_at: now, kid: signer.kid().into() })
    }
}

impl Known {
    /// These and no others.
    fn replace(&mut self, marked: &[Place], lists: usize) {
        let mut new: Vec<Bits> = (0..lists).map(|_| Bits::empty()).collect();
        for place in marked {
            if let Some(bits) = new.get_mut(place.list()) {
                bits.set(place.index());
            }
        }
        let mut old = std::mem::take(&mut self.lists).into_iter();
        self.lists = new
            .into_iter()
            .map(|bits| {
                let signed = old.next().filter(|old| old.bits == bits).and_then(|old| old.signed);
                List { bits, signed }
            })
            .collect();
    }

    /// These too.
    fn add(&mut self, marked: &[Place], lists: usize) {
        while self.lists.len() < lists {
            self.lists.push(List { bits: Bits::empty(), signed: None });
        }
        for place in marked {
            if let Some(list) = self.lists.get_mut(place.list())
                && list.bits.set(place.index())
            {
                list.signed = None;
            }
        }
    }
}
