//! Which traces a segment holds, by the fingerprints of its index.

use std::ops::Range;

use arrow::array::{Array, AsArray};

use super::{CHUNK_ROWS, Readers, Segment, arrow_error, ranges_of, read_error, rows};
use crate::scan::{Read, ReadError};
use crate::schema::col;
use crate::terms::{Field, Prune};

impl Segment {
    /// Pairs of a trace and a block that holds rows of it: no fewer than there are traces.
    pub fn trace_pairs(&self) -> Result<u64, ReadError> {
        Ok(self.readers()?.index.trace_pairs())
    }

    /// Fingerprints of all traces, ascending, each once. 8 bytes a trace.
    pub fn trace_fingerprints(&self) -> Result<Vec<u64>, ReadError> {
        let mut found = Vec::new();
        self.readers()?.index.each_trace(|fingerprint, _| {
            if found.last() != Some(&fingerprint) {
                found.push(fingerprint);
            }
        })?;
        Ok(found)
    }

    /// Rows of the blocks that may hold one of these traces; `wanted` is ascending.
    pub fn rows_near(&self, wanted: &[u64]) -> Result<Vec<u32>, ReadError> {
        let readers = self.readers()?;
        let runs = readers.index.runs();
        let mut hit = vec![false; runs.blocks() as usize];
        let mut rest = wanted;
        readers.index.each_trace(|fingerprint, block| {
            rest = &rest[rest.partition_point(|one| *one < fingerprint)..];
            if rest.first() == Some(&fingerprint)
                && let Some(hit) = hit.get_mut(block as usize)
            {
                *hit = true;
            }
        })?;
        let ranges = (0..).zip(hit).filter(|(_, hit)| *hit).map(|(block, _)| runs.range(block));
        Ok(ranges.flatten().map(|row| row as u32).collect())
    }
}

/// Of a trace id.
pub fn trace_fingerprint(id: &[u8]) -> u64 {
    super::index::fingerprint(id)
}

/// Where whole traces are asked for, the rows that are theirs: the ids of the blocks are read first, and nothing of
/// the rows beside them.
pub(super) fn narrowed(
    readers: &Readers,
    read: &Read<'_>,
    ranges: Vec<Range<usize>>,
) -> Result<Vec<Range<usize>>, ReadError> {
    let Some(wanted) = asked(read.prune).filter(|_| !ranges.is_empty()) else { return Ok(ranges) };
    let blob = &readers.parquet;
    let ids = rows::rows(readers, &[col::TRACE_ID], &ranges, CHUNK_ROWS).map_err(|error| read_error(blob, error))?;
    let mut numbers = ranges.iter().cloned().flatten();
    let mut found: Vec<u32> = Vec::new();
    // Spans of a trace are neighbours: most rows are as the one before.
    let mut last: Option<([u8; 16], bool)> = None;
    let mut is_wanted = |id: &[u8]| match last {
        Some((same, wanted)) if same == id => wanted,
        _ => {
            let found = wanted.binary_search(&id).is_ok();
            last = id.try_into().ok().map(|id| (id, found));
            found
        }
    };
    for batch in ids {
        let batch = batch.map_err(|error| arrow_error(blob, error))?;
        let ids = batch.column(0).as_fixed_size_binary_opt();
        let ids = ids.ok_or_else(|| blob.damaged("its ids of traces are none"))?;
        for (row, number) in (0..ids.len()).zip(numbers.by_ref()) {
            if ids.is_valid(row) && is_wanted(ids.value(row)) {
                found.push(number as u32);
            }
        }
    }
    Ok(ranges_of(&found))
}

/// Ids of the traces, ascending, where nothing else is asked for.
fn asked(prune: &Prune) -> Option<Vec<&[u8]>> {
    let terms = match prune {
        Prune::Any(any) => any.as_slice(),
        one => std::slice::from_ref(one),
    };
    let id = |prune| match prune {
        &Prune::Term(Field::TraceId, ref id) => Some(id.as_slice()),
        _ => None,
    };
    let mut ids: Vec<&[u8]> = terms.iter().map(id).collect::<Option<_>>()?;
    ids.sort_unstable();
    Some(ids)
}
