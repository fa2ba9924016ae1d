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

/// Batches grow by merging neighbours up to this many rows: a snapshot stays a short list however small the
/// requests are.
const MERGED_ROWS: usize = 16_384;
/// And no larger than this: appends wait while neighbours are copied.
const MERGED_BYTES: usize = 8 << 20;

/// Neighbours of like size merge when there are so many: two would copy each row log2 times, with four it is half as
/// often, and the list is at most three of each size.
const MERGED_AT_ONCE: usize = 4;

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
        Some(Self::of(table, rows, bounds))
    }

    /// All rows in one batch; None for so few batches that it is not worth it.
    fn merged(batches: &[Arc<Self>]) -> Option<Self> {
        let (table, first) = batches.first().map(|batch| (batch.table, &batch.rows))?;
        if batches.len() < MERGED_AT_ONCE {
            return None;
        }
        let rows = concat_batches(first.schema_ref(), batches.iter().map(|batch| &batch.rows)).ok()?;
        let bounds = batches.iter().map(|batch| batch.bounds).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        Some(Self::of(table, rows, bounds))
    }

    fn of(table: Table, rows: RecordBatch, bounds: (i64, i64)) -> Self {
        let bytes = rows.get_array_memory_size();
        Self { table, rows, bounds, bytes, traces: OnceLock::new(), terms: OnceLock::new() }
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
    loop {
        let alike = like_sized(batches);
        let from = batches.len() - alike.len();
        let Some(merged) = LiveBatch::merged(alike) else { return };
        batches.truncate(from);
        batches.push(Arc::new(merged));
    }
}

/// The last batches, as many as are of like size and fit together.
fn like_sized(batches: &[Arc<LiveBatch>]) -> &[Arc<LiveBatch>] {
    let (mut rows, mut bytes, mut largest) = (0, 0, 0);
    let alike = batches.iter().rev().take_while(|batch| {
        let fits = largest == 0 || batch.row_count() <= 2 * largest;
        (rows, bytes, largest) = (rows + batch.row_count(), bytes + batch.bytes, largest.max(batch.row_count()));
        fits && rows <= MERGED_ROWS && bytes <= MERGED_BYTES
    });
    &batches[batches.len() - alike.count()..]
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{TestSpan, spans};

    fn starts(batches: &[Arc<LiveBatch>]) -> Vec<i64> {
        batches.iter().flat_map(|batch| segment::times(Table::Spans, batch.rows()).to_vec()).collect()
    }

    proptest! {
        /// Small and large requests mixed: the list stays short, and holds every row once, in order.
        #[test]
        fn the_list_stays_short(sizes in proptest::collection::vec(prop_oneof![4 => 1..4i64, 1 => 30..90i64], 1..250)) {
            let (mut batches, mut pushed, mut longest) = (Vec::new(), 0, 0);
            for size in sizes {
                let rows: Vec<_> = (pushed..pushed + size).map(|at| TestSpan::new(1, at as u64 + 1, at)).collect();
                pushed += size;
                push(&mut batches, LiveBatch::new(Table::Spans, spans(&rows)).expect("rows"));
                longest = longest.max(batches.len());
            }
            // At most three of each size, sizes being powers of two up to what was pushed.
            prop_assert!(longest <= 3 * (pushed.ilog2() as usize + 1), "{longest} batches for {pushed} rows");
            prop_assert_eq!(starts(&batches), (0..pushed).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert_eq!(Some(batch.time_bounds()), segment::time_bounds(Table::Spans, batch.rows()));
            }
        }
    }

    #[test]
    fn equal_requests_merge_by_fours() {
        let mut batches = Vec::new();
        for at in 0..21 {
            push(&mut batches, LiveBatch::new(Table::Spans, spans(&[TestSpan::new(1, at + 1, 0)])).expect("rows"));
        }
        assert_eq!(batches.iter().map(|batch| batch.row_count()).collect::<Vec<_>>(), [16, 4, 1]);
    }
}
