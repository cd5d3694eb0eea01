//! HTTP. Handlers extract, call one function, and answer; what is right is decided below.

pub mod assets;
pub mod client_ip;
pub mod cookies;
pub mod csrf;
pub mod extract;
pub mod failure;
pub mod oidc;
pub mod page;
pub mod respond;
pub mod ui;
pub mod visit;
