//! API keys: machines that act in an organisation, within scopes that are fixed when the key is made (AK-1, AK-2).
//!
//! A key acts as a machine (`svc_…`), which stays the same when the key is replaced. A member's key ends with its member
//! and allows no more than the member may do at the moment of use; what an operator made belongs to the organisation
//! itself: its service accounts. Making and ending keys is in [`manage`], a person's own in [`own`], presenting them in [`present`], and whether one
//! may be used now is decided by [`crate::tenancy::admission`]. No function here takes a key for whoever acts, so a key
//! makes no keys.

pub mod manage;
pub mod own;
pub mod present;

use std::time::Duration;

use crate::crypto::Secret;
use crate::model::WorkspaceId;
use crate::store;
use crate::store::api_keys::ApiKey;
use crate::tenancy::actor::NotPermitted;
use crate::tenancy::use_case_errors;

/// The most scopes of one key.
pub const MAX_SCOPES: usize = 50;

/// A key to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: String,
    /// It counts in this workspace only.
    pub workspace: Option<WorkspaceId>,
    pub scopes: Vec<String>,
    /// `None`: until it is revoked.
    pub lasts: Option<Duration>,
    /// What its text begins with; the instance's own prefix if nothing else is said.
    pub prefix: Option<String>,
}

/// A key just made. Its text is shown this once.
#[derive(Clone, Debug)]
pub struct Created {
    pub key: ApiKey,
    pub text: Secret,
    pub scopes: Vec<String>,
}

/// A key with what it allows.
#[derive(Clone, Debug)]
pub struct Described {
    pub key: ApiKey,
    pub scopes: Vec<String>,
}

/// Why a key was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    #[error("the name must have 1 to 200 characters, none of them control characters")]
    BadName,
    #[error("name 1 to {MAX_SCOPES} scopes")]
    BadNumberOfScopes,
    #[error(
        "`{0}` cannot be a scope: use 1 to 64 printable ASCII characters without spaces, quotes or \\ < > & ,"
    )]
    BadScope(String),
    #[error("a key lasts a second at least, and 10 years at most")]
    BadLife,
    #[error("keys cannot begin with this: use at most 32 letters, digits, `_` and `-`")]
    BadPrefix,
    #[error("nobody gives a key what they may not do themselves: {0}")]
    AboveOwn(String),
    #[error("there is no such organisation: `countersign org list` shows them")]
    NoSuchOrganisation,
    #[error("the organisation has no such workspace: `countersign workspace list` shows them")]
    NoSuchWorkspace,
    #[error("there is no such key: `countersign api-key list` shows them")]
    NoSuchKey,
    #[error("the key was revoked, has expired or was replaced before: make a new one")]
    Over,
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    #[error(transparent)]
    Store(store::Error),
}

use_case_errors!(ApiKeyError);
