//! Who belongs where, and who may receive a credential.

pub mod admission;
pub mod clients;
pub mod links;
pub mod resources;
pub mod users;
