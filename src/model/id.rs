//! Identifiers: 16-byte UUID version 7 in the database, prefixed text (`usr_0192…`) everywhere else.
//!
//! The prefix makes a value of one kind unmistakable for another's in a log, a URL or a token, so the `sub` of a
//! machine (a client) can never be read as a user's (TE-9). Ids order by creation and are never reused (TK-8);
//! they are no secrets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::crypto::Random;

/// A text that is not an identifier of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of the form {prefix}_<32 hexadecimal digits>")]
pub struct BadId {
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// A fresh identifier, made at `now`.
            pub fn new(now: Timestamp, random: &Random) -> Self {
                Self(uuid_v7(now, random))
            }

            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From the 16 bytes that [`Self::as_bytes`] gave.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse(text, $prefix).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// A person. The `sub` of that person's tokens.
    UserId = "usr";
    /// An OAuth client, within the database. What the client calls itself is its `client_id`.
    ClientKey = "cli";
    /// A client's secret: a client may have two while it rotates.
    ClientSecretId = "sec";
    /// An API that access tokens are for.
    ResourceId = "res";
    /// A browser signed in as one user. The `sid` of its tokens; never the cookie's value.
    SessionId = "ses";
    /// What a user allowed a client at one authorization; owns a family of refresh tokens.
    GrantId = "grt";
    /// An authorization request that a browser is on its way through.
    RequestId = "arq";
    /// Who a user is at an identity provider.
    FederatedIdentityId = "fid";
    /// One recorded security event.
    AuditEventId = "evt";
    /// A message waiting to be sent.
    MessageId = "msg";
    /// A passkey, within the database. Its authenticator knows it by its credential id.
    PasskeyId = "pky";
    /// An organisation: a tenant.
    OrganisationId = "org";
    /// A part of an organisation.
    WorkspaceId = "wsp";
    /// A named set of permissions with a rank.
    RoleId = "rol";
    /// A user in an organisation.
    MembershipId = "mem";
    /// Somebody asked to join an organisation.
    InvitationId = "inv";
    /// A key of a machine. What the machine presents is the key's text, which nobody keeps.
    ApiKeyId = "key";
    /// A machine that acts by API keys. The `sub` of its tokens; it stays the same when a key is replaced.
    MachineId = "svc";
}

fn uuid_v7(now: Timestamp, random: &Random) -> Uuid {
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random.bytes::<10>()).into_uuid()
}

fn parse(text: &str, prefix: &'static str) -> Result<Uuid, BadId> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        // One spelling only: two texts for one id would slip past comparisons of text.
        .filter(|hex| hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        .and_then(|hex| Uuid::try_parse(hex).ok())
        .ok_or(BadId { prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let id = UserId::new(Timestamp::from_seconds(1_700_000_000), &Random::system());
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(UserId::from_bytes(id.as_bytes()), Some(id));
    }

    #[test]
    fn one_kind_is_not_another_and_has_one_spelling() {
        let id = UserId::new(Timestamp::from_seconds(1_700_000_000), &Random::system());
        assert!(id.to_string().parse::<SessionId>().is_err());
        for bad in
            ["", "usr_", "usr_zz", &id.to_string().to_uppercase(), &format!(" {id}"), &format!("{id}0")]
        {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_order_by_time() {
        let random = Random::system();
        let early = UserId::new(Timestamp::from_seconds(1), &random);
        assert!(early < UserId::new(Timestamp::from_seconds(2), &random));
    }
}
