//! A segment: rows of one table that never change, as one Parquet file and one index.

pub mod blob;
mod cache;
mod encode;
pub(crate) mod extract;
mod index;
mod merge;
mod order;
mod parquet;
pub(crate) mod services;
mod traces;

use std::collections::BTreeSet;
use std::iter::once;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, RowSelection, RowSelector};
use ::parquet::errors::ParquetError;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;

use crate::lake::Lake;
use crate::scan::{Chunk, Read, ReadError};
use crate::schema::Table;
use crate::terms::Field;
use blob::{Blob, Checksums};
pub use cache::ReaderCache;
pub use encode::{EncodeError, Encoded, RewriteError, encode, keep_rows};
pub use index::IndexError;
use index::IndexReader;
pub use merge::merge;
#[cfg(test)]
pub(crate) use order::ordered;
pub use order::{time_bounds, times};
pub use parquet::file_schema;
pub use services::ServiceRows;
pub use traces::trace_fingerprint;

/// Rows of one chunk of a read.
const CHUNK_ROWS: usize = 4096;

/// What is asked of a bucket when a segment is opened, bytes: an index up to this, and where a footer
/// nearly always lies.
const WHOLE_INDEX: u64 = 16 << 20;
const FOOTER: u64 = 256 << 10;

/// What the catalogue knows of a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentMeta {
    /// Given by the catalogue.
    pub id: i64,
    pub table: Table,
    /// Relative to the lake's root.
    pub parquet: PathBuf,
    pub index: PathBuf,
    pub parquet_bytes: u64,
    pub index_bytes: u64,
    pub rows: u64,
    pub min_time: i64,
    pub max_time: i64,
    pub parquet_checksums: Checksums,
    pub index_checksums: Checksums,
    /// Tail rules by which it was thinned, by [`crate::retention::Retention::id`].
    pub thinned: Vec<u64>,
}

/// A segment of a snapshot. Files are opened when first read.
pub struct Segment {
    meta: SegmentMeta,
    lake: Lake,
    cache: Arc<ReaderCache>,
    services: OnceLock<ServiceRows>,
}

/// Open files of one segment and what was decoded of them.
pub struct Readers {
    parquet: Arc<Blob>,
    metadata: ArrowReaderMetadata,
    index: IndexReader,
}

impl Readers {
    fn memory(&self) -> usize {
        self.metadata.metadata().memory_size() + self.index.memory()
    }
}

impl Segment {
    pub fn new(meta: SegmentMeta, lake: &Lake, cache: Arc<ReaderCache>) -> Self {
        Self { meta, lake: lake.clone(), cache, services: OnceLock::new() }
    }

    pub fn meta(&self) -> &SegmentMeta {
        &self.meta
    }

    /// The same, judged by one more tail rule.
    pub(crate) fn marked(&self, rule: u64) -> Self {
        let thinned = self.meta.thinned.iter().copied().chain([rule]).collect();
        Self::new(SegmentMeta { thinned, ..self.meta.clone() }, &self.lake, self.cache.clone())
    }

    fn open(&self) -> Result<Readers, ReadError> {
        let meta = &self.meta;
        let (parquet, index) = (Arc::new(self.parquet_blob()?), Arc::new(self.index_blob()?));
        // An index is read nearly whole, and both at once.
        index.prefetch(once(0..index.size().min(WHOLE_INDEX)));
        parquet.prefetch(once(parquet.size().saturating_sub(FOOTER)..parquet.size()));
        let metadata = parquet::metadata(&parquet).map_err(|error| read_error(&parquet, error))?;
        if metadata.metadata().file_metadata().num_rows() as u64 != meta.rows {
            return Err(parquet.damaged(format!("its footer speaks of other than {} rows", meta.rows)));
        }
        let index = IndexReader::open(index)?;
        Ok(Readers { parquet, metadata, index })
    }

    fn parquet_blob(&self) -> Result<Blob, ReadError> {
        let meta = &self.meta;
        self.lake.blob(&meta.parquet.to_string_lossy(), meta.parquet_bytes, meta.parquet_checksums.clone())
    }

    fn index_blob(&self) -> Result<Blob, ReadError> {
        let meta = &self.meta;
        self.lake.blob(&meta.index.to_string_lossy(), meta.index_bytes, meta.index_checksums.clone())
    }

    fn readers(&self) -> Result<Arc<Readers>, ReadError> {
        self.cache.get_or_open(self.meta.id, Readers::memory, || self.open())
    }

    /// Chunks of rows that may match, in row order.
    pub fn read(
        &self,
        read: &Read<'_>,
    ) -> Result<Box<dyn Iterator<Item = Result<Chunk, ReadError>> + Send>, ReadError> {
        let readers = self.readers()?;
        let ranges = self.ranges(&readers, read)?;
        if ranges.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let total = self.meta.rows as usize;
        let whole = ranges.len() == 1 && ranges[0] == (0..total);
        let selection = (!whole).then(|| RowSelection::from_consecutive_ranges(ranges.iter().cloned(), total));
        let inner = parquet::reader(&readers.parquet, readers.metadata.clone(), read.columns, selection, CHUNK_ROWS)
            .map_err(|error| read_error(&readers.parquet, error))?;
        let columns = read.columns.iter().map(|name| (*name).to_owned()).collect();
        let rows = Box::new(ranges.into_iter().flatten().map(|row| row as u32));
        Ok(Box::new(Chunks { blob: readers.parquet.clone(), inner, columns, rows, failed: false }))
    }

    /// Columns of the rows with these numbers, ascending.
    pub fn fetch(&self, columns: &[&str], rows: &[u32]) -> Result<RecordBatch, ReadError> {
        let readers = self.readers()?;
        let blob = &readers.parquet;
        let selection = selection_of(rows);
        let inner = parquet::reader(blob, readers.metadata.clone(), columns, Some(selection), rows.len().max(1))
            .map_err(|error| read_error(blob, error))?;
        let schema = arrow::array::RecordBatchReader::schema(&inner);
        let batches: Vec<RecordBatch> = inner.collect::<Result<_, _>>().map_err(|error| arrow_error(blob, error))?;
        let batch = concat_batches(&schema, &batches).map_err(|error| arrow_error(blob, error))?;
        if batch.num_rows() != rows.len() {
            return Err(blob.damaged(format!("{} rows came where {} were asked for", batch.num_rows(), rows.len())));
        }
        project(&batch, columns).map_err(|error| arrow_error(blob, error))
    }

    /// Adds the distinct terms of `field` that begin with `prefix`, in order, at most `limit`. True where
    /// there are others that the index does not know by name.
    pub fn terms(
        &self,
        field: Field,
        prefix: &[u8],
        limit: usize,
        found: &mut BTreeSet<Vec<u8>>,
    ) -> Result<bool, ReadError> {
        self.readers()?.index.terms(field, prefix, limit, found)
    }

    /// Reads both files whole against their checksums, from where they are and not from a cache, and
    /// opens them.
    pub fn verify(&self) -> Result<(), ReadError> {
        for (path, blob) in [(&self.meta.parquet, self.parquet_blob()?), (&self.meta.index, self.index_blob()?)] {
            self.lake.forget(&path.to_string_lossy());
            blob.verify()?;
        }
        self.open().map(drop)
    }

    /// Row ranges of the blocks that may match, ascending and apart.
    fn ranges(&self, readers: &Readers, read: &Read<'_>) -> Result<Vec<std::ops::Range<usize>>, ReadError> {
        let allowed = readers.index.blocks(read.prune)?;
        let rows = self.meta.rows as usize;
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for (number, (range, (least, greatest))) in index::blocks(rows).zip(readers.index.times()).enumerate() {
            let in_time = *greatest >= read.from && (*least < read.to || read.to == i64::MAX);
            let hit = allowed.as_ref().is_none_or(|blocks| blocks.binary_search(&(number as u32)).is_ok());
            if !in_time || !hit {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        Ok(ranges)
    }
}

/// Reads chunk by chunk; ends after the first error.
struct Chunks {
    blob: Arc<Blob>,
    inner: ParquetRecordBatchReader,
    columns: Vec<String>,
    rows: Box<dyn Iterator<Item = u32> + Send>,
    failed: bool,
}

impl Iterator for Chunks {
    type Item = Result<Chunk, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let chunk = self.inner.next()?.and_then(|batch| project(&batch, &self.columns));
        Some(match chunk {
            Ok(batch) => {
                let rows = self.rows.by_ref().take(batch.num_rows()).collect();
                Ok(Chunk { batch, rows })
            }
            Err(error) => {
                self.failed = true;
                Err(arrow_error(&self.blob, error))
            }
        })
    }
}

fn selection_of(rows: &[u32]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0;
    for row in rows.iter().map(|row| *row as usize) {
        if row > next {
            selectors.push(RowSelector::skip(row - next));
        }
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    RowSelection::from(selectors)
}

/// Columns by name, in the order asked for.
pub(crate) fn project(batch: &RecordBatch, columns: &[impl AsRef<str>]) -> Result<RecordBatch, ArrowError> {
    let positions = columns.iter().map(|name| batch.schema().index_of(name.as_ref())).collect::<Result<Vec<_>, _>>()?;
    batch.project(&positions)
}

/// A damaged block shows up inside the Parquet reader's error; its own message says which file.
fn read_error(blob: &Blob, error: ParquetError) -> ReadError {
    match error {
        ParquetError::External(inner) => match inner.downcast::<ReadError>() {
            Ok(read) => *read,
            Err(other) => other
                .downcast_ref::<std::io::Error>()
                .and_then(blob::cause)
                .unwrap_or_else(|| blob.damaged(other.to_string())),
        },
        other => blob.damaged(other.to_string()),
    }
}

fn arrow_error(blob: &Blob, error: ArrowError) -> ReadError {
    match error {
        ArrowError::ExternalError(inner) => match inner.downcast::<ParquetError>() {
            Ok(parquet) => read_error(blob, *parquet),
            Err(other) => blob.damaged(other.to_string()),
        },
        other => blob.damaged(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
