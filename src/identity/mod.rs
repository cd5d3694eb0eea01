//! Who is at the browser.
//!
//! Each file is one way to find out, or one thing that follows from it: passwords, sessions, registration, the first
//! administrator. Nothing here speaks HTTP; the pages, the JSON API and the command line call the same functions.

pub mod account;
pub mod change_email;
pub mod change_password;
pub mod claims;
pub mod device;
pub mod factor;
pub mod federation;
pub mod invitation;
pub mod limits;
pub mod link;
pub mod magic;
pub mod notice;
pub mod password;
pub mod reauthentication;
pub mod recovery;
pub mod registration;
pub mod session;
pub mod setup;
pub mod sign_in;
