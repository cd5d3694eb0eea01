//! The integration tests: a server and a database of its own for each test, driven through HTTP, on both databases.
//!
//! `bash tests/run.sh` starts what they need and runs them. One binary, so that there is one link.

mod support;

mod account;
mod admin;
mod api;
mod architecture;
mod cli;
mod dialect;
mod documents;
mod explain;
mod factors;
mod faults;
mod federation;
mod forward;
mod interop;
mod login;
mod mail;
mod oidc;
mod operations;
mod pages;
mod store;
mod tenancy;
