//! A segment: rows of one table that never change, as one Parquet file and one index.

pub mod blob;
mod cache;
mod concat;
mod constant;
mod encode;
pub(crate) mod extract;
mod index;
mod merge;
mod order;
mod pages;
mod parquet;
mod pieces;
mod rows;
mod runs;
pub(crate) mod services;
mod traces;

use std::collections::BTreeSet;
use std::iter::once;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
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
use pages::PageCache;
pub use parquet::file_schema;
pub use pieces::{Piece, TimeOrder};
use rows::{Levels, Rows};
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
    /// Of the segment.
    id: i64,
    parquet: Arc<Blob>,
    metadata: ArrowReaderMetadata,
    index: IndexReader,
    pages: Arc<PageCache>,
    levels: Levels,
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
        let index = IndexReader::open(index, meta.rows)?;
        Ok(Readers {
            id: meta.id,
            parquet,
            metadata,
            index,
            pages: self.cache.pages.clone(),
            levels: Levels::default(),
        })
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
    pub fn read(&self, read: &Read<'_>) -> Result<Chunks, ReadError> {
        let readers = self.readers()?;
        let blocks = Self::blocks(&readers, read)?;
        let ranges = readers.index.runs().ranges(&blocks);
        self.chunks(&readers, read.columns, &traces::narrowed(&readers, read, ranges)?)
    }

    /// The rows of a read in pieces.
    pub fn pieces(&self, read: &Read<'_>, order: TimeOrder) -> Result<Vec<Piece>, ReadError> {
        let readers = self.readers()?;
        let blocks = Self::blocks(&readers, read)?;
        Ok(pieces::pieces(&blocks, readers.index.times(), readers.index.runs(), order))
    }

    /// Chunks of one of [`Self::pieces`], in row order.
    pub fn read_piece(&self, columns: &[&str], piece: &Piece) -> Result<Chunks, ReadError> {
        self.chunks(&*self.readers()?, columns, &piece.rows)
    }

    fn chunks(&self, readers: &Readers, columns: &[&str], ranges: &[Range<usize>]) -> Result<Chunks, ReadError> {
        let open = || rows::rows(readers, columns, ranges, CHUNK_ROWS);
        let inner = (!ranges.is_empty()).then(open).transpose();
        let inner = inner.map_err(|error| read_error(&readers.parquet, error))?;
        let rows = ranges.iter().cloned().flatten().map(|row| row as u32).collect::<Vec<_>>().into_iter();
        Ok(Chunks { blob: readers.parquet.clone(), inner, rows, failed: false })
    }

    /// Columns of the rows with these numbers, ascending.
    pub fn fetch(&self, columns: &[&str], rows: &[u32]) -> Result<RecordBatch, ReadError> {
        let readers = self.readers()?;
        let blob = &readers.parquet;
        let inner = rows::rows(&readers, columns, &ranges_of(rows), rows.len().max(1))
            .map_err(|error| read_error(blob, error))?;
        let schema = inner.schema();
        let batches: Vec<RecordBatch> = inner.collect::<Result<_, _>>().map_err(|error| arrow_error(blob, error))?;
        let batch = concat_batches(&schema, &batches).map_err(|error| arrow_error(blob, error))?;
        if batch.num_rows() != rows.len() {
            return Err(blob.damaged(format!("{} rows came where {} were asked for", batch.num_rows(), rows.len())));
        }
        Ok(batch)
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

    /// Numbers of the blocks that may match, ascending.
    fn blocks(readers: &Readers, read: &Read<'_>) -> Result<Vec<u32>, ReadError> {
        let times = readers.index.times();
        let in_time = |block: &u32| {
            let bounds = times.get(*block as usize);
            bounds.is_some_and(|(least, greatest)| *greatest >= read.from && (*least < read.to || read.to == i64::MAX))
        };
        Ok(match readers.index.blocks(read.prune)? {
            Some(hits) => hits.into_iter().filter(in_time).collect(),
            None => (0..times.len() as u32).filter(in_time).collect(),
        })
    }
}

/// Reads chunk by chunk; ends after the first error.
pub struct Chunks {
    blob: Arc<Blob>,
    /// None where there is nothing to read.
    inner: Option<Rows>,
    rows: std::vec::IntoIter<u32>,
    failed: bool,
}

impl Iterator for Chunks {
    type Item = Result<Chunk, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        Some(match self.inner.as_mut()?.next()? {
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

fn ranges_of(rows: &[u32]) -> Vec<Range<usize>> {
    let runs = rows.chunk_by(|a, b| a + 1 == *b);
    runs.filter_map(|run| Some(*run.first()? as usize..*run.last()? as usize + 1)).collect()
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
