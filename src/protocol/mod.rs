//! The rules of OAuth 2 and OpenID Connect as pure functions: text in, a typed request or an [`OAuthError`]
//! out.
//!
//! Nothing here reads a database, a clock, a key or a socket; what a rule needs to know is passed in. What is
//! stored, signed and sent is decided by [`crate::grants`], [`crate::keys`] and [`crate::web`].
//!
//! - At the edge: [`params`], [`error`], [`client_auth`], [`assertion`], [`bearer`].
//! - An authorization request: [`authorize`] checks it, [`next_step`] says what the browser does next,
//!   [`response`] brings the answer to a checked [`redirect`] address, [`difference`] says what is wrong with another.
//! - Its parts: [`scope`], [`claims`], [`pkce`], [`targets`], [`acr`]. A proxy's: [`demands`].
//! - Tokens: [`token`] is the endpoint's request and answer, [`tokens`] what is inside of them.
//! - What is published and registered: [`metadata`], [`registration`].

pub mod acr;
pub mod assertion;
pub mod authorize;
pub mod bearer;
pub mod claims;
pub mod client_auth;
pub mod demands;
pub mod difference;
pub mod error;
pub mod factors;
#[cfg(test)]
mod fixtures;
pub mod metadata;
pub mod next_step;
pub mod params;
pub mod pkce;
pub mod redirect;
pub mod registration;
pub mod response;
pub mod scope;
pub mod targets;
pub mod token;
pub mod tokens;

pub use error::{ErrorCode, OAuthError};
pub use params::{Bounds, ParamError, Params};
pub use scope::ScopeSet;
