//! Who belongs where, and who may receive a credential.

pub mod admission;
