//! Login APIs of other products, each described in a file and answered by this product's own use cases.

mod account;
mod action;
mod answer;
mod fault;
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
