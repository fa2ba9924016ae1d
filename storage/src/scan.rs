//! Reading rows out of one snapshot: live batches and segments alike.

use arrow::record_batch::RecordBatch;

use crate::terms::Prune;

/// What can be said of a failed read: the answer lacks these rows and must say so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// A checksum or a format does not hold. The rest of the store reads on.
    #[error("{file} is damaged: {what}")]
    Damaged { file: String, what: String },
    #[error("{file} cannot be read: {what}")]
    Io { file: String, what: String },
}

/// What to read of a source.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// In the order wanted.
    pub columns: &'a [&'a str],
    /// Only blocks of rows that may match.
    pub prune: &'a Prune,
    /// Bounds of the table's time column, ns, `from <= t < to`. Coarse: the caller checks each row.
    pub from: i64,
    pub to: i64,
}

/// Rows of one source. `rows[i]` is the number of row `i` of `batch` within the source.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub batch: RecordBatch,
    pub rows: Vec<u32>,
}
