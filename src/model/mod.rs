//! Plain data that every layer speaks: identifiers, the closed sets of words that columns hold, e-mail addresses.
//!
//! Nothing here reads a database, a clock or a socket. Rows are described beside their queries in [`crate::store`].

pub mod client;
pub mod email;
pub mod id;
pub mod language;
pub mod role;
pub mod slug;
pub mod user_agent;
pub mod words;

pub use client::{Client, ClientSecret, Resource};
pub use email::EmailAddress;
pub use id::*;
pub use language::Language;
pub use slug::Slug;
pub use words::*;
