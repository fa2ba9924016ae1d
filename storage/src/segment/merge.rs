//! Several segments become one, in bounded memory: long ones are put together as they are ([`super::concat`]); of short
//! ones the keys of all rows are ordered, then whole rows are fetched piece by piece in that order.
//!
//! A plain merge of the sorted inputs would not do: a trace that lies in two of them begins, in the
//! result, where the earlier part begins. Pieces are fetched by row number, which costs little where
//! they are neighbours, and they nearly always are.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::Segment;
use super::concat::{Concatenation, LEAST};
use super::encode::{EncodeError, Encoded, Encoder, RewriteError, all_columns, plain};
use super::order::{self, SpanKeys};
use crate::lake::Draft;
use crate::scan::{Read, ReadError};
use crate::schema::Table;
use crate::terms::Prune;

/// Whole rows in memory at once: some 15 MB of spans, three times while they are put in order.
const PIECE_ROWS: usize = 16_384;

/// One segment of all rows, spans that were sent twice once. All segments are of `table`. CPU-bound.
pub fn merge(
    table: Table,
    schema: SchemaRef,
    segments: &[Arc<Segment>],
    draft: Draft,
) -> Result<Option<Encoded>, RewriteError> {
    let readers = segments.iter().map(|segment| segment.readers()).collect::<Result<Vec<_>, _>>()?;
    if let Some(whole) = Concatenation::new(table, &schema, LEAST, segments, &readers)? {
        return whole.write(table, &schema, draft).map(Some);
    }
    drop(readers);
    let keys = keys(table, segments)?;
    in_order(Encoder::new(table, schema, draft)?, &keys, PIECE_ROWS, |rows| fetch(table, segments, rows))
}

/// Writes rows in the order of their keys. `fetch` gives rows by their number among the keys, in the order asked.
pub(super) fn in_order<E: From<EncodeError> + From<ArrowError>>(
    mut encoder: Encoder,
    keys: &RecordBatch,
    piece_rows: usize,
    mut fetch: impl FnMut(&[u32]) -> Result<RecordBatch, E>,
) -> Result<Option<Encoded>, E> {
    let table = encoder.table();
    let order = order::order(table, keys);
    let spans = (table == Table::Spans).then(|| SpanKeys::of(keys));
    let twins = |a: u32, b: u32| spans.as_ref().is_some_and(|keys| keys.get(a) == keys.get(b));
    let mut from = 0;
    while from < order.len() {
        let mut to = (from + piece_rows).min(order.len());
        // Twins must be seen together.
        while to < order.len() && twins(order[to - 1], order[to]) {
            to += 1;
        }
        let mut piece = fetch(&order[from..to])?;
        if table == Table::Spans {
            let all: Vec<u32> = (0..piece.num_rows() as u32).collect();
            let kept = order::without_duplicates(&piece, all)?;
            if kept.len() < piece.num_rows() {
                piece = take_record_batch(&piece, &UInt32Array::from(kept))?;
            }
        }
        encoder.push(&piece)?;
        from = to;
    }
    Ok(encoder.finish()?)
}

/// The key columns of all rows, segment after segment.
fn keys(table: Table, segments: &[Arc<Segment>]) -> Result<RecordBatch, RewriteError> {
    let columns = order::key_columns(table);
    let full = table.schema();
    let fields: Vec<_> = columns.iter().filter_map(|name| full.field_with_name(name).ok().cloned()).collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let read = Read { columns, prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    let mut batches = Vec::new();
    for segment in segments {
        let mut found = 0;
        for chunk in segment.read(&read)? {
            let batch = chunk?.batch;
            found += batch.num_rows() as u64;
            batches.push(RecordBatch::try_new(schema.clone(), batch.columns().to_vec())?);
        }
        let meta = segment.meta();
        if found != meta.rows {
            let what = format!("{found} rows were read where {} are stored", meta.rows);
            return Err(ReadError::Damaged { file: meta.parquet.display().to_string(), what }.into());
        }
    }
    Ok(concat_batches(&schema, &batches)?)
}

/// Whole rows by their number among the rows of all segments, in the order given.
fn fetch(table: Table, segments: &[Arc<Segment>], numbers: &[u32]) -> Result<RecordBatch, RewriteError> {
    // Each segment is asked once, for ascending rows; then the rows take their places.
    let mut places: Vec<(u32, u32)> = numbers.iter().copied().zip(0..).collect();
    places.sort_unstable();
    let schema = table.schema();
    let columns = all_columns(&schema);
    let (mut batches, mut first, mut at) = (Vec::new(), 0, 0);
    for segment in segments {
        let end = first + segment.meta().rows as u32;
        let count = places[at..].partition_point(|(number, _)| *number < end);
        if count > 0 {
            let rows: Vec<u32> = places[at..at + count].iter().map(|(number, _)| number - first).collect();
            batches.push(plain(segment, &segment.fetch(&columns, &rows)?)?);
        }
        (first, at) = (end, at + count);
    }
    let fetched = concat_batches(&schema, &batches)?;
    let mut order = vec![0; places.len()];
    for (row, (_, place)) in (0..).zip(&places) {
        order[*place as usize] = row;
    }
    Ok(take_record_batch(&fetched, &UInt32Array::from(order))?)
}

#[cfg(test)]
mod tests;
