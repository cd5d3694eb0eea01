//! Countersign: a standalone identity provider and token issuer.
//!
//! This page is the map of the house: its words, its rooms, which way the doors open, and the ways through.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | instance | one deployment with one issuer |
//! | user | a person, global to the instance |
//! | organisation | a tenant; its workspaces are parts of it |
//! | membership | a user in an organisation, with roles in the whole of it or in one workspace |
//! | role | a name with a rank and permissions; the higher rank includes the lower ones |
//! | client | an application that asks for tokens (an OAuth client) |
//! | resource | an API: the `aud` of an access token, with its scopes |
//! | session | a browser signed in as one user; a browser may hold several |
//! | authorization request | what a client asked for, stored once validated, while the browser is on its way |
//! | consent | what a user allows a client, remembered |
//! | grant | one authorization that was given; owns one family of refresh tokens |
//! | signing key | a private key sealed in the database, its public half in the JWKS |
//! | revocation | an access token that died before its time |
//! | outbox | mail waiting to be sent |
//! | admission | the one decision whether a subject may receive a credential now |
//!
//! # Rooms
//!
//! - [`clock`], [`crypto`], [`model`]: time, secrets, plain data. They import nothing above them.
//! - [`protocol`]: the rules of OAuth and OpenID Connect as pure functions. No I/O, no actix, no diesel.
//! - [`config`]: every setting, its default and its check; all problems reported at once.
//! - [`store`]: the only SQL. One code path over SQLite and PostgreSQL.
//! - [`keys`]: signing keys, JWKS, JWTs.
//! - [`mail`]: the outbox and its worker.
//! - [`outbound`]: the one HTTP client for fetches from others.
//! - [`audit`]: what is recorded of every security event.
//! - [`identity`]: who is at the browser. Passwords, sessions, registration, limits.
//! - [`tenancy`]: who belongs where, and [`tenancy::admission`].
//! - [`grants`]: issuing, rotating and revoking tokens; one file per grant.
//! - [`web`]: HTTP. Handlers extract, call one function, and answer.
//! - [`dialect`]: login APIs of other products, each described in a file and answered by the same functions.
//! - [`cli`]: the same functions from a shell.
//! - [`signing`]: the keys of this node, made when due; [`registry`]: clients and resources in memory;
//!   [`status`]: the lists of what was revoked, signed; [`ledger`]: the audit in one order, chained and signed;
//!   [`explain`]: why requests were refused, for those who are asked.
//! - [`verify`]: for APIs in Rust: offline verification with revocation. Builds without the rest.
//! - [`app`]: the parts put together; [`jobs`]: what runs beside the requests; [`metrics`]: what is counted for
//!   Prometheus, [`usage`]: by the hour, for the console; [`findings`]: what is wrong, and what to do.
//!
//! # Doors
//!
//! Imports point one way: [`web`], [`dialect`], [`cli`] → [`identity`], [`tenancy`], [`grants`] → [`store`], [`keys`],
//! [`mail`], [`outbound`], [`audit`] → [`model`], [`crypto`], [`clock`]. Only `store` names diesel; only `web`,
//! `dialect` and `app` name actix; `protocol` names neither and does no I/O; pages never import each other; `clock`
//! alone reads the time and `crypto` alone makes randomness. `tests/architecture` has the whole table and holds it.
//!
//! [`app`] is both the end of the parts and the beginning of the use cases: it is put together from the rooms below,
//! and every use case takes it.
//!
//! # Ways through
//!
//! - **A browser is sent to sign in.** `web::oidc` reads `/oauth2/authorize`; [`protocol::authorize`] judges it (client
//!   and redirect URI first); [`grants::authorization`] stores it and gives it a handle. At the handle's address one
//!   pure function, [`protocol::next_step`], says what comes next: sign in, choose, consent, issue or refuse. Pages
//!   (`web::login`) change what is stored, through [`identity`], and come back there.
//! - **A code or token becomes tokens.** `web::oidc` proves the client with [`grants::client_auth`] and calls
//!   [`grants::exchange`]: one write transaction redeems or rotates, then the tokens are signed. A replay is an outcome,
//!   not an error, so that the revocation it causes is committed.
//! - **Somebody looks after their account.** `web::account` shows and changes, through `identity::account` and what stands
//!   beside it; what matters asks [`identity::reauthentication`] first and is told by [`identity::notice`].
//! - **One gate.** Whatever issues or extends a credential needs the [`tenancy::admission::Admission`] that only that
//!   module can make.
//! - **An API verifies offline** with the JWKS of [`keys`] and the lists of [`status`], as [`verify`] does, or asks
//!   [`grants::introspection`].
//! - **A token is revoked.** Each was given a place in a status list ([`store::status`]) in the transaction that allowed
//!   it; whatever ends its grant marks the places, and within a second every node serves a list that says so.
//! - **A client in the field signs in by its old API.** [`dialect`] reads the call as its file says, calls what the
//!   pages call, gives tokens by [`grants::first_party`] and words the answer.
//! - **A proxy asks whether a request may pass.** `web::forward_auth` reads what is demanded
//!   ([`protocol::demands`]); [`grants::forward`] looks at the one credential and tells who it is.
//! - **A key is rotated.** [`keys::schedule`] rules on stored times, [`signing`] makes what is due, [`jobs`] notices on
//!   every node what another one changed.
//! - **Something happens.** Its [`audit`] event is written in its transaction; a second later it has its place in the
//!   [`ledger`], which shows whoever reads an export that nothing was changed.
//! - **A request is refused.** Whoever refuses writes on the request's [`model::explanation::Slip`] which rule it was;
//!   `web::observe` hands it to [`explain`], where an operator finds it by the reference that the visitor was shown.
//! - **A mail is sent.** Its cause writes it into the outbox in its own transaction; [`mail`] sends it later.
//!
//! How to run it is in `README.md`, how to operate it in `deploy/README.md`.
//!
//! # Features
//!
//! `server` (default) is all of it; `verify` (default) is [`verify`]. With `default-features = false, features =
//! ["verify"]` an API gets the verifier without the server's dependencies.
#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod cli;
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
pub mod crypto;
#[cfg(feature = "server")]
pub mod dialect;
#[cfg(feature = "server")]
pub mod explain;
#[cfg(feature = "server")]
pub mod findings;
#[cfg(feature = "server")]
pub mod grants;
#[cfg(feature = "server")]
pub mod identity;
#[cfg(feature = "server")]
pub mod jobs;
#[cfg(any(feature = "server", feature = "verify"))]
pub mod keys;
#[cfg(feature = "server")]
pub mod ledger;
#[cfg(feature = "server")]
pub mod mail;
#[cfg(feature = "server")]
pub mod metrics;
pub mod model;
#[cfg(feature = "server")]
pub mod outbound;
#[cfg(feature = "server")]
pub mod protocol;
#[cfg(feature = "server")]
pub mod registry;
#[cfg(feature = "server")]
pub mod signing;
#[cfg(feature = "server")]
pub mod status;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod tenancy;
#[cfg(feature = "server")]
pub mod usage;
#[cfg(feature = "verify")]
pub mod verify;
#[cfg(feature = "server")]
pub mod web;
