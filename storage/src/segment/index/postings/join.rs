//! The lists of several segments become those of one whose rows are theirs, one segment after the other.

use super::super::bits::BitReader;
use super::{Postings, Strides};
use crate::scan::ReadError;
use crate::segment::blob::Blob;

/// With more strides than this, terms are counted in a sixteenth of all hashes.
const FEW_STRIDES: usize = 64;
const SAMPLE_BITS: u32 = 4;

/// Of one segment: its blocks follow those of the segments before it.
pub(in crate::segment::index) struct Source<'a> {
    pub(in crate::segment::index) blob: &'a Blob,
    pub(in crate::segment::index) postings: &'a Postings,
    pub(in crate::segment::index) first_block: u32,
}

/// Appends the lists of all sources; there are `blocks` blocks.
pub(in crate::segment::index) fn join(sources: &[Source<'_>], blocks: u32, out: &mut Vec<u8>) -> Result<(), ReadError> {
    let read = |source: &Source<'_>| source.blob.read(source.postings.from..source.postings.end);
    let bytes = sources.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let cursors = || sources.iter().zip(&bytes).map(|(source, bytes)| Cursor::new(source, bytes));
    // A hash that was cut cannot be told more exactly again.
    let bits = sources.iter().map(|source| source.postings.hash_bits).min().unwrap_or(1);
    let strides: usize = sources.iter().map(|source| source.postings.directory.len()).sum();
    let sampled = if strides > FEW_STRIDES { SAMPLE_BITS.min(bits - 1) } else { 0 };
    let mut terms = 0;
    each(cursors().collect(), bits, 1 << (bits - sampled), |_, _| terms += 1)?;
    let mut joined = Strides::new(blocks, bits, terms << sampled, out);
    each(cursors().collect(), bits, 1 << bits, |hash, list| joined.push(hash, list))?;
    joined.finish();
    Ok(())
}

/// Hands over each hash below `end`, cut to `bits`, with its blocks, both ascending.
fn each(mut cursors: Vec<Cursor<'_>>, bits: u32, end: u64, mut see: impl FnMut(u64, &[u32])) -> Result<(), ReadError> {
    let mut heads = cursors.iter_mut().map(|cursor| cursor.next(bits)).collect::<Result<Vec<_>, _>>()?;
    let mut list = Vec::new();
    while let Some(hash) = heads.iter().flatten().min().copied().filter(|hash| *hash < end) {
        list.clear();
        for (head, cursor) in heads.iter_mut().zip(&mut cursors) {
            // Several hashes of one source may be one when they are cut.
            while *head == Some(hash) {
                list.extend(cursor.blocks.iter().map(|block| cursor.first_block + block));
                *head = cursor.next(bits)?;
            }
        }
        if !list.is_sorted_by(|a, b| a < b) {
            list.sort_unstable();
            list.dedup();
        }
        see(hash, &list);
    }
    Ok(())
}

/// Goes through the terms of one source in the order of their hashes.
struct Cursor<'a> {
    blob: &'a Blob,
    postings: &'a Postings,
    first_block: u32,
    /// All strides.
    bytes: &'a [u8],
    /// Number of the next stride.
    stride: usize,
    begun: BitReader<'a>,
    hash: u64,
    /// Of the term that was read last.
    blocks: Vec<u32>,
}

impl<'a> Cursor<'a> {
    fn new(source: &Source<'a>, bytes: &'a [u8]) -> Self {
        let Source { blob, postings, first_block } = *source;
        Self { blob, postings, first_block, bytes, stride: 0, begun: BitReader::new(&[]), hash: 0, blocks: Vec::new() }
    }

    /// The hash of the next term, cut to `bits`; None after the last.
    fn next(&mut self, bits: u32) -> Result<Option<u64>, ReadError> {
        let damaged = || self.blob.damaged("the lists of terms cannot be read");
        let step = loop {
            // The bits left over in the last byte are zeros: no number.
            if let Some(step) = self.begun.rice(self.postings.step_bits) {
                break step;
            }
            let directory = &self.postings.directory;
            let Some((first, from)) = directory.get(self.stride) else { return Ok(None) };
            let to = directory.get(self.stride + 1).map_or(self.postings.end, |(_, next)| *next);
            let place = |at: u64| at.checked_sub(self.postings.from).and_then(|at| usize::try_from(at).ok());
            let range = place(*from).zip(place(to)).and_then(|(from, to)| self.bytes.get(from..to));
            self.begun = BitReader::new(range.ok_or_else(damaged)?);
            (self.stride, self.hash) = (self.stride + 1, *first);
        };
        self.hash =
            self.hash.checked_add(step).filter(|hash| hash >> self.postings.hash_bits == 0).ok_or_else(damaged)?;
        self.postings.blocks(&mut self.begun, &mut self.blocks).ok_or_else(damaged)?;
        Ok(Some(self.hash >> (self.postings.hash_bits - bits)))
    }
}
