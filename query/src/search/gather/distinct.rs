//! Equal spans count once: the same span can be stored twice when an exporter sends it again.

use std::hash::BuildHasher;

use arrow::array::ArrayRef;
use arrow::row::{RowConverter, SortField};
use hashbrown::{DefaultHashBuilder, HashSet};
use storage::scan::ReadError;
use storage::schema::col;
use storage::store::Source;

use super::SpanRow;
use crate::rows::{SPAN_COLUMNS, damaged};

/// Rows fetched at once.
const FETCH: usize = 8192;

/// Drops spans that equal one before them in every column but the time of arrival. Spans that look
/// alike stand together; only those are read whole.
pub(super) fn keep_distinct(sources: &[Source], spans: &mut Vec<SpanRow>) -> Result<(), ReadError> {
    let mut alike = vec![false; spans.len()];
    for at in 1..spans.len() {
        if spans[at].looks_like(&spans[at - 1]) {
            (alike[at], alike[at - 1]) = (true, true);
        }
    }
    if !alike.contains(&true) {
        return Ok(());
    }
    let contents = contents(sources, spans, &alike)?;
    let mut seen = HashSet::new();
    let mut at = 0;
    spans.retain(|span| {
        let new = contents[at].is_none_or(|content| seen.insert((span.id, content)));
        at += 1;
        new
    });
    Ok(())
}

/// Hash of the content of each chosen span.
fn contents(sources: &[Source], spans: &[SpanRow], chosen: &[bool]) -> Result<Vec<Option<u64>>, ReadError> {
    let columns: Vec<&str> = SPAN_COLUMNS.iter().copied().filter(|column| *column != col::RECEIVED_TIME).collect();
    let mut wanted: Vec<(u32, u32, usize)> =
        (0..spans.len()).filter(|&at| chosen[at]).map(|at| (spans[at].stored.0, spans[at].stored.1, at)).collect();
    wanted.sort_unstable();
    let hasher = DefaultHashBuilder::default();
    let mut contents = vec![None; spans.len()];
    for same_source in wanted.chunk_by(|a, b| a.0 == b.0) {
        for part in same_source.chunks(FETCH) {
            let rows: Vec<u32> = part.iter().map(|(_, row, _)| *row).collect();
            let batch = sources[part[0].0 as usize].fetch(&columns, &rows)?;
            for (row, (_, _, at)) in as_rows(batch.columns())?.iter().zip(part) {
                contents[*at] = Some(hasher.hash_one(row.as_ref()));
            }
        }
    }
    Ok(contents)
}

/// Each row as bytes; a dictionary reads as its values.
fn as_rows(columns: &[ArrayRef]) -> Result<arrow::row::Rows, ReadError> {
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    RowConverter::new(fields)
        .and_then(|converter| converter.convert_columns(columns))
        .map_err(|error| damaged(error.to_string()))
}
