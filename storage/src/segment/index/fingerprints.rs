//! Which blocks hold a trace: sorted pairs of a 64-bit fingerprint of the trace id and a block number.
//!
//! A directory of every [`STRIDE`]th fingerprint stays in memory, so a lookup reads one stride
//! (or a few, where a trace fills many blocks). Two traces with one fingerprint cost a wasted
//! read, never a wrong answer: rows are compared with the whole id.

use std::ops::Range;

use arrow::array::{Array, RecordBatch};

use super::Blob;
use crate::scan::ReadError;
use crate::segment::extract::trace_ids;

const STRIDE: usize = 256;
const PAIR_BYTES: usize = 12;

/// Of a trace id.
pub(in crate::segment) fn fingerprint(id: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(id)
}

/// The pairs of a segment in the making.
#[derive(Default)]
pub(super) struct Pairs(Vec<(u64, u32)>);

impl Pairs {
    /// Adds the traces of these rows of a batch, which are a block of the segment.
    pub(super) fn add(&mut self, batch: &RecordBatch, rows: Range<usize>, block: u32) {
        let Some(ids) = trace_ids(batch) else { return };
        let from = self.0.len();
        for row in rows.filter(|row| ids.is_valid(*row)) {
            let pair = (fingerprint(ids.value(row)), block);
            if self.0[from..].last() != Some(&pair) {
                self.0.push(pair);
            }
        }
    }

    pub(super) fn push(&mut self, fingerprint: u64, block: u32) {
        self.0.push((fingerprint, block));
    }

    /// Appends the pairs, then every stride's first fingerprint, then the number of pairs (u64).
    pub(super) fn write(mut self, out: &mut Vec<u8>) {
        self.0.sort_unstable();
        self.0.dedup();
        for (fingerprint, block) in &self.0 {
            out.extend_from_slice(&fingerprint.to_le_bytes());
            out.extend_from_slice(&block.to_le_bytes());
        }
        for (fingerprint, _) in self.0.iter().step_by(STRIDE) {
            out.extend_from_slice(&fingerprint.to_le_bytes());
        }
        out.extend_from_slice(&(self.0.len() as u64).to_le_bytes());
    }
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

    pub(super) fn pairs(&self) -> u64 {
        self.pairs as u64
    }

    /// Every pair, ascending.
    pub(super) fn each(&self, blob: &Blob, mut see: impl FnMut(u64, u32)) -> Result<(), ReadError> {
        const PIECE: usize = 32 << 10;
        let at = |pair: usize| self.from + (pair * PAIR_BYTES) as u64;
        for from in (0..self.pairs).step_by(PIECE) {
            let bytes = blob.read(at(from)..at((from + PIECE).min(self.pairs)))?;
            for pair in bytes.as_chunks::<PAIR_BYTES>().0 {
                let fingerprint = u64::from_le_bytes(std::array::from_fn(|i| pair[i]));
                see(fingerprint, u32::from_le_bytes(std::array::from_fn(|i| pair[8 + i])));
            }
        }
        Ok(())
    }

    pub(super) fn memory(&self) -> usize {
        self.strides.len() * 8
    }
}
