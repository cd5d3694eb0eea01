//! Plain data that every layer speaks: identifiers, the closed sets of words that columns hold, e-mail addresses.
//!
//! Nothing here reads a database, a clock or a socket. Rows are described beside their queries in [`crate::store`].

#[cfg(feature = "server")]
pub mod api_key;
#[cfg(feature = "server")]
pub mod client;
#[cfg(feature = "server")]
pub mod colour;
#[cfg(feature = "server")]
pub mod email;
#[cfg(feature = "server")]
pub mod explanation;
#[cfg(feature = "server")]
pub mod id;
#[cfg(feature = "server")]
pub mod language;
#[cfg(feature = "server")]
pub mod phrase;
#[cfg(feature = "server")]
pub mod role;
#[cfg(feature = "server")]
pub mod slug;
pub mod status_list;
#[cfg(feature = "server")]
pub mod user_agent;
pub mod words;
#[cfg(feature = "server")]
pub mod zone;

#[cfg(feature = "server")]
pub use client::{Client, ClientSecret, Resource};
#[cfg(feature = "server")]
pub use email::EmailAddress;
#[cfg(feature = "server")]
pub use id::*;
#[cfg(feature = "server")]
pub use language::Language;
#[cfg(feature = "server")]
pub use slug::Slug;
pub use status_list::{Bits, EncodedList, ListClaims, Reference, STATUS_LIST_TYP, StatusClaim};
#[cfg(feature = "server")]
pub use status_list::{LIST_PLACES, Place, list_uri};
pub use words::*;
#[cfg(feature = "server")]
pub use zone::Zone;
