//! Writes the two files of a segment batch by batch: memory holds the files in the making, not the rows.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch, interleave_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::index::{IndexError, IndexWriter};
use super::{Segment, order, parquet as layout};
use crate::catalog::ColumnStats;
use crate::lake::{Draft, Failure, LakeError};
use crate::scan::{Read, ReadError};
use crate::schema::Table;
use crate::terms::Prune;

/// A new segment that nobody knows yet, and what the catalogue will say of it.
#[derive(Debug)]
pub struct Encoded {
    pub table: Table,
    /// Whole, but not yet published.
    pub parquet: Draft,
    pub parquet_footer: u64,
    pub index: Vec<u8>,
    pub rows: u64,
    pub columns: Vec<ColumnStats>,
    /// ns.
    pub min_time: i64,
    pub max_time: i64,
}

/// The rows cannot be written as a segment.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The disk is full or fails; the others are faults of this program or its libraries.
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("the rows cannot be ordered: {0}")]
    Arrow(#[from] ArrowError),
    #[error("the Parquet file cannot be written: {0}")]
    Parquet(#[from] ParquetError),
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl EncodeError {
    /// The disk's fault where it is.
    pub(super) fn of(self, failure: &Failure) -> Self {
        failure.get().map_or(self, Self::Lake)
    }
}

/// A segment that is written from others could not be.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl From<ArrowError> for RewriteError {
    fn from(error: ArrowError) -> Self {
        Self::Encode(error.into())
    }
}

/// Rows of a flush that are put in order at once. Each piece costs a look at every batch's dictionaries.
const PIECE_ROWS: usize = 65_536;

/// Orders rows and writes them; None where there are none. CPU-bound. The rows are not copied as a whole.
pub fn encode(
    table: Table,
    schema: SchemaRef,
    batches: &[RecordBatch],
    draft: Draft,
) -> Result<Option<Encoded>, EncodeError> {
    let columns = order::key_columns(table);
    let keys = batches.iter().map(|batch| super::project(batch, columns)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = keys.first() else { return Ok(None) };
    let keys = concat_batches(&first.schema(), &keys)?;
    let mut ends: Vec<usize> = Vec::with_capacity(batches.len());
    for batch in batches {
        ends.push(ends.last().unwrap_or(&0) + batch.num_rows());
    }
    let place = |row: &u32| {
        let row = *row as usize;
        let batch = ends.partition_point(|end| *end <= row);
        (batch, row - if batch == 0 { 0 } else { ends[batch - 1] })
    };
    let encoder = Encoder::new(table, schema, draft)?;
    super::merge::in_order(encoder, &keys, PIECE_ROWS, |rows| {
        let mut places: Vec<_> = rows.iter().map(place).collect();
        // Only batches that it takes rows from: neighbours came together, and each one costs a look at it.
        let (mut numbers, mut used) = (vec![usize::MAX; batches.len()], Vec::new());
        for (batch, _) in &mut places {
            if numbers[*batch] == usize::MAX {
                numbers[*batch] = used.len();
                used.push(&batches[*batch]);
            }
            *batch = numbers[*batch];
        }
        Ok(interleave_record_batch(&used, &places)?)
    })
}

/// The rows of a segment that `keep` says, as a segment; None where that is none of them. `keep` sees
/// each batch with all columns.
pub fn keep_rows(
    segment: &Segment,
    schema: SchemaRef,
    draft: Draft,
    mut keep: impl FnMut(&RecordBatch) -> Result<BooleanArray, ReadError>,
) -> Result<Option<Encoded>, RewriteError> {
    let table = segment.meta().table;
    let mut encoder = Encoder::new(table, schema, draft)?;
    let all = table.schema();
    let columns = all_columns(&all);
    let read = Read { columns: &columns, prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    for chunk in segment.read(&read)? {
        let batch = plain(segment, &chunk?.batch)?;
        let keep = keep(&batch)?;
        encoder.push(&filter_record_batch(&batch, &keep)?)?;
    }
    Ok(encoder.finish()?)
}

/// Names of all columns, in the schema's order.
pub(super) fn all_columns(schema: &SchemaRef) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).collect()
}

/// The batch in the table's own schema: without the field ids that a file carries.
pub(super) fn plain(segment: &Segment, batch: &RecordBatch) -> Result<RecordBatch, ReadError> {
    let meta = segment.meta();
    RecordBatch::try_new(meta.table.schema(), batch.columns().to_vec())
        .map_err(|error| ReadError::Damaged { file: meta.parquet.display().to_string(), what: error.to_string() })
}

/// Takes rows in their final order.
pub(super) struct Encoder {
    table: Table,
    /// As in the file, with field ids.
    schema: SchemaRef,
    parquet: ArrowWriter<Draft>,
    failure: Failure,
    index: IndexWriter,
    columns: Vec<ColumnStats>,
    bounds: Option<(i64, i64)>,
    rows: u64,
}

impl Encoder {
    pub(super) fn new(table: Table, schema: SchemaRef, draft: Draft) -> Result<Self, EncodeError> {
        let failure = draft.failure();
        let parquet =
            layout::writer(table, schema.clone(), draft).map_err(|error| EncodeError::from(error).of(&failure))?;
        let index = IndexWriter::new(table)?;
        Ok(Self { table, schema, parquet, failure, index, columns: Vec::new(), bounds: None, rows: 0 })
    }

    pub(super) fn table(&self) -> Table {
        self.table
    }

    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        let Some((least, greatest)) = order::time_bounds(self.table, batch) else { return Ok(()) };
        let (from, to) = self.bounds.unwrap_or((least, greatest));
        self.bounds = Some((from.min(least), to.max(greatest)));
        self.rows += batch.num_rows() as u64;
        ColumnStats::add_batch(&mut self.columns, batch);
        self.index.push(batch)?;
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())?;
        self.parquet.write(&batch).map_err(|error| EncodeError::from(error).of(&self.failure))
    }

    /// None without rows.
    pub(super) fn finish(self) -> Result<Option<Encoded>, EncodeError> {
        let Some((min_time, max_time)) = self.bounds else { return Ok(None) };
        let parquet = self.parquet.into_inner().map_err(|error| EncodeError::from(error).of(&self.failure))?;
        let index = self.index.finish(&self.columns)?;
        Ok(Some(Encoded {
            table: self.table,
            parquet_footer: layout::footer_bytes(&parquet),
            parquet,
            index,
            rows: self.rows,
            columns: self.columns,
            min_time,
            max_time,
        }))
    }
}
