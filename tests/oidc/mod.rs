//! The protocol from outside: what a client, a browser and an API see.

mod authorize;
mod client_credentials;
mod consent;
mod discovery;
mod flows;
mod headers;
mod introspection;
mod logout;
mod par;
pub mod private_key_jwt;
mod refresh;
mod resources;
mod revocation;
mod sessions;
mod status_list;
mod token;
mod userinfo;
