//! Several segments become one without being read: pages are copied, indexes joined, and each segment becomes a run.
//!
//! Rows of neighbours in time need not be sorted among each other: whoever looks for a trace finds its blocks, whoever
//! wants the newest rows goes by the times of blocks. What a merge that reads rows does beside, dropping spans that
//! were sent twice, it has nothing to do where no two keys are equal.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use parquet::file::metadata::ParquetMetaData;

use super::encode::{EncodeError, Encoded, RewriteError};
use super::index::{JoinError, Joinable, join};
use super::order::{self, SpanKeys};
use super::parquet::{self as layout, GROUP_ROWS};
use super::{Readers, Segment, SegmentMeta};
use crate::lake::Draft;
use crate::scan::{Read, ReadError};
use crate::schema::Table;
use crate::terms::Prune;

/// Smaller segments are written anew: row groups and dictionaries pay from some size on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) rows: u64,
    /// Of Parquet: of large rows fewer will do.
    pub(super) bytes: u64,
}

pub(super) const LEAST: Least = Least { rows: GROUP_ROWS as u64 / 2, bytes: 4 << 20 };

impl Least {
    fn admits(self, meta: &SegmentMeta) -> bool {
        meta.rows >= self.rows || meta.parquet_bytes >= self.bytes
    }
}

/// Segments that may become one as they are.
pub(super) struct Concatenation<'a> {
    segments: &'a [Arc<Segment>],
    readers: &'a [Arc<Readers>],
    footers: Vec<Arc<ParquetMetaData>>,
    indexes: Vec<Joinable<'a>>,
}

impl<'a> Concatenation<'a> {
    /// None where rows must be looked at: segments that are too small, columns or formats that differ, spans that came twice.
    pub(super) fn new(
        table: Table,
        schema: &SchemaRef,
        least: Least,
        segments: &'a [Arc<Segment>],
        readers: &'a [Arc<Readers>],
    ) -> Result<Option<Self>, RewriteError> {
        if !segments.iter().all(|segment| least.admits(segment.meta())) {
            return Ok(None);
        }
        let indexes = readers.iter().map(|one| one.index.joinable()).collect::<Result<Option<Vec<_>>, _>>()?;
        let Some(indexes) = indexes else { return Ok(None) };
        if !indexes.windows(2).all(|two| two[0].columns().eq(two[1].columns())) {
            return Ok(None);
        }
        let columns = layout::columns(schema).map_err(EncodeError::from)?;
        let mut footers = Vec::with_capacity(readers.len());
        for one in readers {
            let footer = layout::whole_footer(&one.parquet).map_err(|error| super::read_error(&one.parquet, error))?;
            if footer.file_metadata().schema_descr() != &columns {
                return Ok(None);
            }
            footers.push(footer);
        }
        if table == Table::Spans && has_twins(segments)? {
            return Ok(None);
        }
        Ok(Some(Self { segments, readers, footers, indexes }))
    }

    /// One segment of all rows.
    pub(super) fn write(self, table: Table, schema: &SchemaRef, draft: Draft) -> Result<Encoded, RewriteError> {
        let (index, columns) = join(&self.indexes).map_err(|error| match error {
            JoinError::Read(error) => RewriteError::Read(error),
            JoinError::Index(error) => EncodeError::Index(error).into(),
        })?;
        let failure = draft.failure();
        let files = self.readers.iter().map(|one| &one.parquet).zip(&self.footers);
        let parquet =
            layout::concat(table, schema, files, draft).map_err(|error| match layout::read_cause(&error) {
                Some(read) => RewriteError::Read(read),
                None => EncodeError::from(error).of(&failure).into(),
            })?;
        let metas = || self.segments.iter().map(|segment| segment.meta());
        Ok(Encoded {
            table,
            parquet_footer: layout::footer_bytes(&parquet),
            parquet,
            index,
            rows: metas().map(|meta| meta.rows).sum(),
            columns,
            min_time: metas().map(|meta| meta.min_time).min().unwrap_or_default(),
            max_time: metas().map(|meta| meta.max_time).max().unwrap_or_default(),
        })
    }
}

/// Whether two spans have one trace, start and id: then they may be one that was sent twice. 8 bytes a row.
fn has_twins(segments: &[Arc<Segment>]) -> Result<bool, ReadError> {
    let read = Read { columns: order::key_columns(Table::Spans), prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    let mut keys = Vec::with_capacity(segments.iter().map(|segment| segment.meta().rows as usize).sum());
    for segment in segments {
        for chunk in segment.read(&read)? {
            let batch = chunk?.batch;
            let spans = SpanKeys::of(&batch);
            keys.extend((0..batch.num_rows() as u32).map(|row| spans.hash(row)));
        }
    }
    keys.sort_unstable();
    Ok(keys.windows(2).any(|two| two[0] == two[1]))
}

#[cfg(test)]
mod tests;
