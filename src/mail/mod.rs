//! (to be written)

pub mod message;
