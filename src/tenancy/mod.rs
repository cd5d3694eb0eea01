//! Who belongs where, and who may receive a credential.

pub mod activity;
pub mod actor;
pub mod admission;
pub mod api_keys;
pub mod beginning;
pub mod branding;
pub mod clients;
pub mod console;
pub mod directory;
pub mod domain_watch;
pub mod domains;
pub mod invitations;
pub mod links;
pub mod management;
pub mod members;
pub mod membership;
pub mod organisations;
pub mod picture;
pub mod post;
pub mod resources;
pub mod roles;
pub mod users;
pub mod workspaces;

use crate::store;

/// An error of a use case, one kind of which is that the database failed.
trait UseCaseError: From<store::Error> {
    /// The failure of the database, or the error itself if it is a decision.
    fn into_failure(self) -> Result<store::Error, Self>;
}

/// Implements [`UseCaseError`] for enums with a variant `Store`.
macro_rules! use_case_errors {
    ($($error:ty),+) => {$(
        impl From<crate::store::Error> for $error {
            fn from(error: crate::store::Error) -> Self {
                Self::Store(error)
            }
        }
        impl crate::tenancy::UseCaseError for $error {
            fn into_failure(self) -> Result<crate::store::Error, Self> {
                match self {
                    Self::Store(error) => Ok(error),
                    decided => Err(decided),
                }
            }
        }
    )+};
}
use use_case_errors;

/// What a transaction answers: a failure of the database rolls it back (and may be tried again), a decision does not.
/// Whoever decides against something does so before the first change.
fn settle<T, E: UseCaseError>(result: Result<T, E>) -> Result<Result<T, E>, store::Error> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(error) => match error.into_failure() {
            Ok(failure) => Err(failure),
            Err(decided) => Ok(Err(decided)),
        },
    }
}

/// A name as people read it: trimmed, one line, 1 to 200 characters.
fn clean_name(name: &str) -> Option<String> {
    let name = name.trim();
    let good = (1..=users::MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    good.then(|| name.to_owned())
}
