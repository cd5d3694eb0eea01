//! (to be written)

pub mod assets;
pub mod page;
pub mod ui;
