//! Login APIs of other products, each described in a file and answered by this product's own use cases.
//!
//! A dialect translates and nothing else: what a client sends into what a use case takes, what that answers or refuses
//! into the words that the client knows. A rule that one seems to need belongs to [`crate::identity`] or
//! [`crate::grants`].
//!
//! - The file: [`read`] and its companions make a [`Dialect`] of it, or name everything that is wrong with its place.
//!   What an endpoint can do is the closed set of `action`, what it may be refused for that of [`crate::web::fault`].
//! - Its place: [`Mounted`] is a file with what the configuration says of it; `openapi` describes it to its callers.
//! - A call: `serve` takes it from the network, `ask` finds the endpoint and reads the body, `input` the inputs, `run`
//!   calls the use case (`sign_in`, `account`), `template` and `answer` word what comes of it.

mod account;
mod action;
mod answer;
mod ask;
mod input;
mod model;
mod mount;
mod mounted;
mod openapi;
mod problem;
mod read;
mod read_endpoint;
mod read_errors;
mod reader;
mod route;
mod run;
mod serve;
mod shipped;
mod sign_in;
mod subject;
mod template;
#[cfg(test)]
mod tests;

pub use model::Dialect;
pub use mounted::{Dialects, Mounted, prepare};
pub use problem::{Problem, Problems};
pub use read::{read, read_file};
pub use shipped::{SHIPPED, Shipped};
