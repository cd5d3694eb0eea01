//! Second factors: what an account has, and how each is enrolled and shown (MF-1 to MF-4).
//!
//! An account that has any of them is asked for one at every sign-in that did not prove two factors by itself,
//! whichever way it came in (PW-10): [`crate::identity::session::begin`] sees to that.

pub mod enrol;
pub mod manage;
pub mod newcomer;
pub mod passkey;
pub mod recovery;
pub mod second;
pub mod totp;

use crate::model::UserId;
use crate::store::{self, Conn, factors, passkeys};

/// What an account can show besides its first factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrolled {
    /// An authenticator application.
    pub totp: bool,
    pub passkeys: usize,
    /// Recovery codes that are left. They stand in for a factor and are none by themselves.
    pub recovery_codes: i64,
}

impl Enrolled {
    pub fn of(db: &mut Conn, user: UserId) -> Result<Self, store::Error> {
        Ok(Self {
            totp: factors::totp(db, user)?.is_some_and(|totp| totp.confirmed_at.is_some()),
            passkeys: passkeys::of_user(db, user)?.len(),
            recovery_codes: factors::recovery_codes_left(db, user)?,
        })
    }

    /// Whether there is a second factor at all.
    pub fn any(&self) -> bool {
        self.totp || self.passkeys > 0
    }

    /// Whether there is one and no other.
    pub fn is_single(&self) -> bool {
        usize::from(self.totp) + self.passkeys == 1
    }
}
