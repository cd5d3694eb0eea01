//! What people see and change of their own account.
//!
//! One file for each page. That somebody proved just now who they are, where it matters (SE-7), is asked before
//! ([`super::reauthentication`]); what applications were allowed is in [`crate::grants::given`].

pub mod addresses;
pub mod deletion;
pub mod export;
pub mod overview;
pub mod profile;
pub mod sessions;
