//! Which blocks hold a trace: sorted pairs of a 64-bit fingerprint of the trace id and a block number.
//!
//! A directory of every [`STRIDE`]th fingerprint stays in memory, so a lookup reads one stride
//! (or a few, where a trace fills many blocks). Two traces with one fingerprint cost a wasted
//! read, never a wrong answer: rows are compared with the whole id.

use std::ops::Range;

use arrow::array::{Array, RecordBatch};

use super::{BLOCK_ROWS, Blob};
use crate::scan::ReadError;
use crate::segment::extract::trace_ids;

const STRIDE: usize = 256;
const PAIR_BYTES: usize = 12;

fn fingerprint(id: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(id)
}

/// Appends the pairs of a batch, then every stride's first fingerprint, then the number of pairs (u64).
pub(super) fn write(out: &mut Vec<u8>, batch: &RecordBatch) {
    let mut pairs = Vec::new();
    if let Some(ids) = trace_ids(batch) {
        for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
            let pair = (fingerprint(ids.value(row)), (row / BLOCK_ROWS) as u32);
            if pairs.last() != Some(&pair) {
                pairs.push(pair);
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    for (fingerprint, block) in &pairs {
        out.extend_from_slice(&fingerprint.to_le_bytes());
        out.extend_from_slice(&block.to_le_bytes());
    }
    for (fingerprint, _) in pairs.iter().step_by(STRIDE) {
        out.extend_from_slice(&fingerprint.to_le_bytes());
    }
    out.extend_from_slice(&(pairs.len() as u64).to_le_bytes());
}

pub(super) struct Fingerprints {
    from: u64,
    pairs: usize,
    strides: Vec<u64>,
}

impl Fingerprints {
    pub(super) fn open(blob: &Blob, range: Range<u64>) -> Result<Self, ReadError> {
        let damaged = || blob.damaged("the list of traces has a wrong length");
        let tail =
            blob.read(range.end.checked_sub(8).filter(|at| *at >= range.start).ok_or_else(damaged)?..range.end)?;
        let pairs = u64::from_le_bytes(tail.as_ref().try_into().map_err(|_| damaged())?) as usize;
        let strides_from = range.start + (pairs as u64).saturating_mul(PAIR_BYTES as u64);
        let strides_to = strides_from.saturating_add(pairs.div_ceil(STRIDE) as u64 * 8);
        if strides_to != range.end - 8 {
            return Err(damaged());
        }
        let strides = blob.read(strides_from..strides_to)?;
        let strides = strides.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        Ok(Self { from: range.start, pairs, strides })
    }

    /// Blocks that may hold the trace, ascending.
    pub(super) fn find(&self, blob: &Blob, id: &[u8]) -> Result<Vec<u32>, ReadError> {
        let wanted = fingerprint(id);
        // The first pair may lie at the end of the stride before the first that begins with it.
        let first = self.strides.partition_point(|start| *start < wanted).saturating_sub(1);
        let last = self.strides.partition_point(|start| *start <= wanted);
        let (from, to) = (first * STRIDE, (last * STRIDE).min(self.pairs));
        if from >= to {
            return Ok(Vec::new());
        }
        let at = |pair: usize| self.from + (pair * PAIR_BYTES) as u64;
        let bytes = blob.read(at(from)..at(to))?;
        let mut blocks: Vec<u32> = bytes
            .as_chunks::<PAIR_BYTES>()
            .0
            .iter()
            .filter(|pair| pair[..8] == wanted.to_le_bytes())
            .filter_map(|pair| pair[8..].try_into().ok().map(u32::from_le_bytes))
            .collect();
        blocks.dedup();
        Ok(blocks)
    }

    pub(super) fn memory(&self) -> usize {
        self.strides.len() * 8
    }
}
