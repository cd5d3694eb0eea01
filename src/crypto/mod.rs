//! Randomness, secrets, digests, sealing and the one comparison of secrets.
//!
//! Everything here is a thin, typed use of `ring` and `subtle`. Signing keys and JWTs are in [`crate::keys`].

mod random;
mod seal;
mod secret;

pub use random::Random;
pub use seal::{MasterKey, SealError, seal_with, unseal_with};
pub use secret::{Digest, Secret, constant_time_eq};
