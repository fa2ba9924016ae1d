//! The live buffer: rows that are durable in the log and not yet in a segment.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use hashbrown::{HashMap, HashSet};

use crate::scan::{Chunk, Read, ReadError};
use crate::schema::Table;
use crate::segment::{self, extract};
use crate::terms::{Field, Prune};

/// Batches grow by merging neighbours up to this many rows: a snapshot stays a short list
/// however small the requests are, and each row is copied at most log2 of this often.
const MERGED_ROWS: usize = 16_384;
/// And no larger than this: appends wait while neighbours are copied.
const MERGED_BYTES: usize = 8 << 20;

/// Rows of one table that were appended together or merged. Never changes.
pub struct LiveBatch {
    table: Table,
    rows: RecordBatch,
    bounds: (i64, i64),
    bytes: usize,
    /// Rows of each trace; made when first asked for.
    traces: OnceLock<HashMap<[u8; 16], Vec<u32>>>,
    /// Distinct terms but words; made when first asked for.
    terms: OnceLock<BTreeSet<(Field, Vec<u8>)>>,
}

impl LiveBatch {
    /// None without rows.
    pub fn new(table: Table, rows: RecordBatch) -> Option<Self> {
        let bounds = segment::time_bounds(table, &rows)?;
        let bytes = rows.get_array_memory_size();
        Some(Self { table, rows, bounds, bytes, traces: OnceLock::new(), terms: OnceLock::new() })
    }

    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    pub fn row_count(&self) -> usize {
        self.rows.num_rows()
    }

    pub fn time_bounds(&self) -> (i64, i64) {
        self.bounds
    }

    /// Of Arrow, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All rows in one chunk, or those of the traces where only some are wanted.
    pub fn read(&self, read: &Read<'_>) -> Result<Option<Chunk>, ReadError> {
        let batch = segment::project(&self.rows, read.columns).map_err(|error| foreign(&error))?;
        let Some(ids) = only_traces(read.prune) else {
            return Ok(Some(Chunk { rows: (0..batch.num_rows() as u32).collect(), batch }));
        };
        let mut rows: Vec<u32> = ids.iter().filter_map(|id| self.traces().get(*id)).flatten().copied().collect();
        if rows.is_empty() {
            return Ok(None);
        }
        rows.sort_unstable();
        rows.dedup();
        let batch = take_record_batch(&batch, &UInt32Array::from(rows.clone())).map_err(|error| foreign(&error))?;
        Ok(Some(Chunk { batch, rows }))
    }

    pub fn fetch(&self, columns: &[&str], rows: &[u32]) -> Result<RecordBatch, ReadError> {
        let batch = segment::project(&self.rows, columns).map_err(|error| foreign(&error))?;
        take_record_batch(&batch, &UInt32Array::from(rows.to_vec())).map_err(|error| foreign(&error))
    }

    /// Adds up to `limit` distinct terms of `field` that begin with `prefix`, the first in order.
    pub fn terms(&self, field: Field, prefix: &[u8], limit: usize, found: &mut BTreeSet<Vec<u8>>) {
        let terms = self.terms.get_or_init(|| {
            let mut seen: HashMap<Field, HashSet<Vec<u8>>> = HashMap::new();
            extract::each_tag(self.table, &self.rows, 0..self.rows.num_rows(), |field, term| {
                let terms = seen.entry(field).or_default();
                if !terms.contains(term) {
                    terms.insert(term.to_vec());
                }
            });
            let of_field = |(field, terms): (Field, HashSet<Vec<u8>>)| terms.into_iter().map(move |term| (field, term));
            seen.into_iter().flat_map(of_field).collect()
        });
        let from = (field, prefix.to_vec());
        let matching = terms.range(from..).take_while(|(f, term)| *f == field && term.starts_with(prefix));
        found.extend(matching.take(limit).map(|(_, term)| term.clone()));
    }

    fn traces(&self) -> &HashMap<[u8; 16], Vec<u32>> {
        self.traces.get_or_init(|| {
            let mut traces: HashMap<_, Vec<u32>> = HashMap::new();
            let Some(ids) = extract::trace_ids(&self.rows) else { return traces };
            for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
                if let Ok(id) = ids.value(row).try_into() {
                    traces.entry(id).or_default().push(row as u32);
                }
            }
            traces
        })
    }
}

/// Adds a batch at the end; neighbours of like size are merged.
pub(crate) fn push(batches: &mut Vec<Arc<LiveBatch>>, new: LiveBatch) {
    batches.push(Arc::new(new));
    while let [.., before, last] = batches.as_slice() {
        let rows = before.row_count() + last.row_count();
        let large = rows > MERGED_ROWS || before.bytes + last.bytes > MERGED_BYTES;
        if large || before.row_count() > 2 * last.row_count() {
            return;
        }
        let table = last.table;
        let Ok(merged) = concat_batches(before.rows.schema_ref(), [&before.rows, &last.rows]) else { return };
        let Some(merged) = LiveBatch::new(table, merged) else { return };
        batches.truncate(batches.len() - 2);
        batches.push(Arc::new(merged));
    }
}

/// The traces that rows must be of; None where the prune does not say so.
fn only_traces(prune: &Prune) -> Option<Vec<&[u8]>> {
    match prune {
        Prune::Term(Field::TraceId, id) => Some(vec![id]),
        Prune::Every(all) => all.iter().find_map(only_traces),
        Prune::Any(any) => {
            let ids = any.iter().map(only_traces).collect::<Option<Vec<_>>>()?;
            Some(ids.concat())
        }
        _ => None,
    }
}

fn foreign(error: &arrow::error::ArrowError) -> ReadError {
    ReadError::Damaged { file: "live buffer".to_owned(), what: error.to_string() }
}
