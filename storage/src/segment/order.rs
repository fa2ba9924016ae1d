//! The order of rows in a segment: what is read together lies together.
//!
//! Spans: whole traces, by the trace's first start. So a trace is a few neighbouring rows, and
//! neighbouring traces are of one time, which time ranges and newest-first searches use.
//! Logs: by time, then row id. Metrics: by name, then time.

use arrow::array::{AsArray, FixedSizeBinaryArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt64Type};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::{HashMap, HashSet};

use crate::schema::{Table, col};

/// One batch of all rows, in the order of `table`: what writing piece by piece must come to.
#[cfg(test)]
pub(crate) fn ordered(table: Table, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let all = arrow::compute::concat_batches(&table.schema(), batches)?;
    let order = order(table, &all);
    let order = if table == Table::Spans { without_duplicates(&all, order)? } else { order };
    take_record_batch(&all, &UInt32Array::from(order))
}

/// What [`order`] looks at.
pub(super) fn key_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Spans => &[col::TRACE_ID, col::SPAN_ID, col::START_TIME],
        Table::Logs => &[col::TIME, col::ROW_ID],
        Table::Metrics => &[col::METRIC_NAME, col::TIME],
    }
}

/// Row numbers in the order of `table`, of a batch with at least the key columns.
pub(super) fn order(table: Table, batch: &RecordBatch) -> Vec<u32> {
    match table {
        Table::Spans => span_order(batch),
        Table::Logs => log_order(batch),
        Table::Metrics => metric_order(batch),
    }
}

/// Trace, start and span id of rows: where these are equal, the rows may be one span sent twice.
pub(super) struct SpanKeys<'a> {
    traces: &'a FixedSizeBinaryArray,
    times: &'a [i64],
    spans: &'a FixedSizeBinaryArray,
}

impl<'a> SpanKeys<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Self {
        Self { traces: ids(batch, col::TRACE_ID), times: times(Table::Spans, batch), spans: ids(batch, col::SPAN_ID) }
    }

    pub(super) fn get(&self, row: u32) -> (&'a [u8], i64, &'a [u8]) {
        let row = row as usize;
        (self.traces.value(row), self.times[row], self.spans.value(row))
    }
}

impl SpanKeys<'_> {
    /// Equal where the keys are, and nearly only there.
    pub(super) fn hash(&self, row: u32) -> u64 {
        let (trace, time, span) = self.get(row);
        let mut key = [0; 32];
        key[..16].copy_from_slice(trace);
        key[16..24].copy_from_slice(&time.to_le_bytes());
        key[24..].copy_from_slice(span);
        xxhash_rust::xxh3::xxh3_64(&key)
    }
}

fn ids<'a>(batch: &'a RecordBatch, column: &str) -> &'a FixedSizeBinaryArray {
    batch.column_by_name(column).expect("a key column").as_fixed_size_binary()
}

/// Drops spans that were sent twice: equal in everything but when they were received. Exporters
/// that batch anew before a retry make them, and the request hash cannot see it.
pub(super) fn without_duplicates(batch: &RecordBatch, order: Vec<u32>) -> Result<Vec<u32>, ArrowError> {
    let keys = SpanKeys::of(batch);
    let mut kept = Vec::with_capacity(order.len());
    for run in order.chunk_by(|a, b| keys.get(*a) == keys.get(*b)) {
        if run.len() == 1 {
            kept.push(run[0]);
            continue;
        }
        // A run may be as long as a request: contents are hashed, not compared pair by pair.
        let contents = contents(batch, run)?;
        let mut seen = HashSet::new();
        kept.extend(run.iter().zip(contents.iter()).filter(|(_, content)| seen.insert(*content)).map(|(row, _)| *row));
    }
    Ok(kept)
}

/// Everything of some rows but when they were received, in a form that compares.
fn contents(batch: &RecordBatch, rows: &[u32]) -> Result<Rows, ArrowError> {
    let rows = take_record_batch(batch, &UInt32Array::from(rows.to_vec()))?;
    let schema = rows.schema();
    let (fields, columns): (Vec<_>, Vec<_>) = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .filter(|(field, _)| field.name() != col::RECEIVED_TIME)
        .map(|(field, column)| (SortField::new(field.data_type().clone()), column.clone()))
        .unzip();
    RowConverter::new(fields)?.convert_columns(&columns)
}

/// Values of the time column, ns.
pub fn times(table: Table, batch: &RecordBatch) -> &[i64] {
    batch
        .column_by_name(table.time_column())
        .and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>())
        .map_or(&[], |column| column.values().as_ref())
}

/// Least and greatest time; None without rows.
pub fn time_bounds(table: Table, batch: &RecordBatch) -> Option<(i64, i64)> {
    let times = times(table, batch);
    Some((*times.iter().min()?, *times.iter().max()?))
}

fn span_order(batch: &RecordBatch) -> Vec<u32> {
    let SpanKeys { traces, times, spans } = SpanKeys::of(batch);
    let mut first = HashMap::with_capacity(times.len() / 8);
    for (row, time) in times.iter().enumerate() {
        let start = first.entry(traces.value(row)).or_insert(*time);
        *start = (*start).min(*time);
    }
    let keys: Vec<_> = (0..times.len())
        .map(|row| (first[traces.value(row)], traces.value(row), times[row], spans.value(row)))
        .collect();
    sorted_by_key(&keys)
}

fn log_order(batch: &RecordBatch) -> Vec<u32> {
    let ids = batch.column_by_name(col::ROW_ID).and_then(|c| c.as_primitive_opt::<UInt64Type>());
    let keys: Vec<_> = times(Table::Logs, batch)
        .iter()
        .enumerate()
        .map(|(row, time)| (*time, ids.map_or(0, |ids| ids.value(row))))
        .collect();
    sorted_by_key(&keys)
}

fn metric_order(batch: &RecordBatch) -> Vec<u32> {
    let names = batch.column_by_name(col::METRIC_NAME).and_then(|c| c.as_dictionary_opt::<Int32Type>());
    let name = |row: usize| {
        let names = names?;
        names.key(row).and_then(|key| names.values().as_string_opt::<i32>().map(|values| values.value(key)))
    };
    let keys: Vec<_> = times(Table::Metrics, batch).iter().enumerate().map(|(row, time)| (name(row), *time)).collect();
    sorted_by_key(&keys)
}

/// Rows in the order of their keys; equal keys stay as they came.
fn sorted_by_key<K: Ord>(keys: &[K]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_by(|a, b| keys[*a as usize].cmp(&keys[*b as usize]));
    order
}
