//! Which traces a segment holds, by the fingerprints of its index.

use super::Segment;
use crate::scan::ReadError;

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
