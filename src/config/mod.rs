//! Every setting: its name, its default, its check, and where its value came from.
//!
//! [`load`] reads a TOML file and the environment (`COUNTERSIGN__SECTION__KEY`, which wins), and answers with a
//! [`Config`] that has passed every check, or with all [`Problems`] at once (BU-5). What the settings mean to a
//! request is left to those who read them; nothing here opens a socket or a database.
//!
//! A secret `x` can be given as `x_file = "path"`. Relative paths start at the working directory.

mod check;
pub mod dialect;
pub mod duration;
mod issuer;
mod load;
mod mailbox;
mod network;
mod problem;
mod provider;
mod schema;
mod sections;

pub use dialect::Dialect;
pub use issuer::{BadIssuer, Issuer};
pub use load::{CONFIG_VARIABLE, Loaded, Setting, environment, load};
pub use mailbox::{BadMailbox, Mailbox};
pub use network::{BadNetwork, Network};
pub use problem::{Problem, Problems, Source, Sources};
pub use provider::{ANY, Provider, is_tenant_id};
pub use schema::{keys, nearest};
pub use sections::{
    ApiKeys, Branding, Config, Database, ForwardedHeader, Keys, Lifetimes, Limit, Limits, Log, LogFormat,
    Mail, Organizations, Outbound, Password, Pkce, Protocol, Registration, RegistrationMode, Server, Tls,
};
