//! What the tests act with: a running server with its database ([`TestApp`]), a browser without scripts
//! ([`Browser`]), an application ([`TestClient`]).

mod app;
mod browser;
mod client;
mod database;
mod html;
mod jwt;
mod key_server;
mod name_server;
mod organisation;
mod postgres;
mod process;
#[expect(dead_code, reason = "the unit tests of mail use the rest")]
pub mod smtp;
pub mod status;
mod tools;
mod upstream;

pub use app::{PASSWORD, Settings, TestApp, http_client};
pub use browser::{Browser, Page};
pub use client::{Flow, TestClient, TokenAnswer, Tokens, claims, part};
pub use database::{Database, START, TestDatabase, config, master_key};
pub use html::{text, unescape, without_references};
pub use jwt::{ClientKey, unsigned, verified};
pub use key_server::KeyServer;
pub use name_server::NameServer;
pub use organisation::TestOrganisation;
pub use postgres::PrivatePostgres;
pub use process::{Process, free_port};
pub use tools::{Dialogue, browser_journey, node, path, python, variable};
pub use upstream::{Mock, RealProvider, Signing, TENANT};

/// Declares tests that run on SQLite and on PostgreSQL. The argument says which, for [`TestApp::start`].
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($database:ident) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn run($database: $crate::support::Database) $body

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run($crate::support::Database::Sqlite).await;
            }

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run($crate::support::Database::Postgres).await;
            }
        }
    )+};
}
