//! Whether somebody proved who they are recently enough to change what matters (SE-7).
//!
//! An unlocked screen must not be enough to take an account over: addresses, passwords, factors, keys and deletion are
//! behind this.

use std::time::Duration;

use super::session::SignedIn;
use crate::clock::Timestamp;

/// How long a sign-in counts.
pub const WITHIN: Duration = Duration::from_secs(5 * 60);

/// Whether the account of this browser was signed in to just now.
pub fn is_recent(account: &SignedIn, now: Timestamp) -> bool {
    now < account.session.auth_time.plus(WITHIN)
}
