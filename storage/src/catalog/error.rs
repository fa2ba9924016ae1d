//! What can go wrong with the catalogue, sorted by what the caller does about it.

use super::{postgres, sqlite};

/// Nothing of the failed call was stored, unless the variant says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    /// Another process writes to the database: the same call may succeed later.
    #[error("the catalogue is busy: {0}")]
    Busy(String),
    /// The disk is full or fails, or the database does not answer: the same call may succeed once that
    /// is mended. A commit may then have happened or not; the catalogue knows.
    #[error("the catalogue cannot be reached or written: {0}")]
    Disk(String),
    /// The lake changed under the caller: list the segments again and decide anew.
    #[error("the lake was changed meanwhile: {0}")]
    Conflict(String),
    /// The database does not hold what it must: see `clew check`.
    #[error("the catalogue is damaged: {0}")]
    Damaged(String),
    /// Written by a later version: this one must not touch it.
    #[error("the catalogue has {what} {found}, this version knows {known}: use a newer Clew")]
    Newer { what: &'static str, found: String, known: String },
    /// A database that is no lake of Clew's.
    #[error("the catalogue is not one that Clew can use: {0}")]
    Foreign(String),
    /// The call itself makes no sense; it will never succeed.
    #[error("not a valid change: {0}")]
    Invalid(String),
}

impl CatalogError {
    /// Whether the same commit may succeed when it starts again from the new head of the lake.
    pub(super) fn another_writer(&self) -> bool {
        matches!(self, CatalogError::Busy(_))
    }
}

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        match &error {
            sqlx::Error::Database(database) => match database.try_downcast_ref() {
                Some(error) => postgres::classify(error, text),
                None => sqlite::classify(database.as_ref(), text),
            },
            sqlx::Error::Configuration(_) => CatalogError::Foreign(text),
            sqlx::Error::AnyDriverError(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::RowNotFound
            | sqlx::Error::TypeNotFound { .. } => CatalogError::Damaged(text),
            _ => CatalogError::Disk(text),
        }
    }
}

impl From<crate::fault::Injected> for CatalogError {
    fn from(injected: crate::fault::Injected) -> Self {
        CatalogError::Disk(injected.to_string())
    }
}
