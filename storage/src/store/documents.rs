//! Small texts that the layers above keep beside the segments, and who may work on them.

use super::*;
use crate::catalog::DocumentChange;

impl Store {
    /// (id, text) of all documents of a kind, by id.
    pub async fn documents(&self, kind: &str) -> Result<Vec<(String, String)>, WriteError> {
        Ok(self.catalog.documents(kind).await?)
    }

    /// Replaces and removes documents of a kind, all or none; durable when it returns.
    pub async fn put_documents(&self, kind: &str, changes: &[DocumentChange]) -> Result<(), WriteError> {
        if changes.is_empty() {
            return Ok(());
        }
        Ok(self.catalog.put_documents(kind, changes).await?)
    }

    /// Takes or keeps what one process at a time should do; false while another of the same lake has it.
    pub async fn lease(&self, name: &str, time: Duration) -> Result<bool, WriteError> {
        Ok(self.catalog.lease(name, i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)).await?)
    }
}
