//! What can go wrong with the database, in the three kinds that callers treat differently.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

/// A failed query or transaction. An absent row is no error: queries answer `Option`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot answer now. Callers say 503, never that a credential is wrong (CR-3).
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Another row has this value, which only one may have.
    #[error("{0:?} is taken already")]
    Taken(Unique),
    /// A stored value does not read as what it should be, or a query is wrong: a defect of ours.
    #[error("the database holds or was asked something unexpected: {0}")]
    Broken(String),
}

/// Values that only one row may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    Email,
    Username,
    ClientId,
    ResourceIdentifier,
    OrganisationSlug,
    WorkspaceSlug,
    RoleKey,
    Other,
}

impl Error {
    /// A stored document that does not parse.
    pub fn broken(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Broken(format!("{what}: {error}"))
    }
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                Self::Taken(unique(info.as_ref()))
            }
            // An out-of-band failure (no connection, disk full, read-only) has no kind of its own in diesel.
            DieselError::DatabaseError(
                DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation,
                info,
            ) => Self::Broken(info.message().to_owned()),
            DieselError::DatabaseError(_, info) => Self::Unavailable(info.message().to_owned()),
            DieselError::BrokenTransactionManager => Self::Unavailable("the connection was lost".to_owned()),
            DieselError::RollbackErrorOnCommit { rollback_error, .. } => {
                Self::Unavailable(rollback_error.to_string())
            }
            other => Self::Broken(other.to_string()),
        }
    }
}

/// PostgreSQL names the constraint (`emails_pkey`), SQLite the column (`UNIQUE constraint failed: emails.folded`).
fn unique(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> Unique {
    let name = info.constraint_name().unwrap_or_else(|| info.message());
    let named = |candidates: [&str; 2]| candidates.iter().any(|candidate| name.contains(candidate));
    if named(["emails_pkey", "emails.folded"]) {
        Unique::Email
    } else if named(["users_username_key", "users.username"]) {
        Unique::Username
    } else if named(["clients_client_id_key", "clients.client_id"]) {
        Unique::ClientId
    } else if named(["resources_identifier_key", "resources.identifier"]) {
        Unique::ResourceIdentifier
    } else if named(["organisations_slug_key", "organisations.slug"]) {
        Unique::OrganisationSlug
    } else if named(["workspaces_organisation_id_slug_key", "workspaces.slug"]) {
        Unique::WorkspaceSlug
    } else if named(["roles_organisation_id_key_key", "roles.key"]) {
        Unique::RoleKey
    } else {
        Unique::Other
    }
}
