//! Signing keys, the JWKS, and JWTs: what we sign, what we verify, and how private keys rest.
//!
//! - [`master`]: the one key outside the database, under which private keys are sealed.
//! - [`generate()`] makes a key, [`schedule`] says when each key is published, signs and leaves.
//! - [`keyring`]: the keys of this instance, opened: signers, JWKS, and the verification of our own tokens.
//! - [`client_keys`]: the verification of what clients sign with keys of their own.
//! - [`PublicKeys`]: the JWKS as an API holds it, for [`crate::verify`].
//!
//! Rows come in and go out as [`SealedKey`]; reading and writing them is left to [`crate::store`], and deciding
//! what a token says to [`crate::grants`]. Nothing outside this module names a JOSE library.

#[cfg(feature = "server")]
pub mod client_keys;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(feature = "server")]
pub mod generate;
pub mod json;
mod jwk;
mod jws;
#[cfg(feature = "server")]
pub mod keyring;
#[cfg(feature = "server")]
pub mod master;
mod public_keys;
#[cfg(feature = "server")]
pub mod schedule;
#[cfg(feature = "server")]
mod signer;
pub mod verify;

#[cfg(feature = "server")]
pub use client_keys::{check_jwks_registration, key_ids, verify_with_jwks};
#[cfg(feature = "server")]
pub use generate::{GenerateError, Generated, generate};
#[cfg(feature = "server")]
pub use jws::{Peeked, peek_header};
#[cfg(feature = "server")]
pub use keyring::{JwksDocument, Keyring, KeyringError, SealedKey, seal_new};
#[cfg(feature = "server")]
pub use master::{MasterKeyError, load_existing, load_or_create};
pub use public_keys::{NotAKeySet, PublicKeys};
#[cfg(feature = "server")]
pub use schedule::{KeyPolicy, KeyTimes, RotationPlan, plan_rotation, rotation_due, settle, signing_key};
#[cfg(feature = "server")]
pub use signer::{SignError, Signer};
pub use verify::{Expect, Header, Verified, VerifyError};
