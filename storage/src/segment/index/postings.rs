//! Which blocks hold a term: an inverted index over hashes of terms.
//!
//! ```text
//!   ┌─────────┬─────────┬───┬──────────────────────────┬──────────────────────────────────────┐
//!   │ stride  │ stride  │ … │ hash u64, offset u32     │ strides u32, blocks u32, hash bits   │
//!   │ of bits │ of bits │   │ of each stride           │ u32, Rice parameter of hashes u32    │
//!   └─────────┴─────────┴───┴──────────────────────────┴──────────────────────────────────────┘
//!   a stride: of each term the step to its hash (Rice), how many blocks (gamma), the gaps between them (Rice)
//! ```
//! The term itself is not here: hashes are cut to [`SPARE_BITS`] more bits than it takes to number them, so a term that
//! is nowhere is taken for another one time in eight thousand, or in a thousand once eight indexes are one, and costs
//! reading rows that do not match. A
//! value that is in one row of a segment takes some three bytes, one that is everywhere a bit a block.

use std::ops::Range;

use hashbrown::HashMap;

use super::Blob;
use super::bits::{BitReader, BitWriter};
use crate::scan::ReadError;
use crate::terms::Field;

mod join;

pub(super) use join::{Source, join};

/// Bits of a hash beyond those that number the terms. Those of an index that is joined from others are as many as theirs.
const SPARE_BITS: u32 = 13;
/// A stride ends after this many bytes, and is decoded up to the term that is asked for.
const STRIDE_BYTES: usize = 1024;
const ENTRY_BYTES: usize = 12;
const TAIL_BYTES: u64 = 16;

/// Of a term; equal for the writer and who asks.
pub(super) fn hash(field: Field, term: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(term, field as u64)
}

/// The terms of a segment in the making.
#[derive(Default)]
pub(super) struct PostingsWriter {
    /// By hash: number of the term, and one more than the last block that it was seen in.
    known: HashMap<u64, (u32, u32), Hashed>,
    /// Of each block its terms, one block after the other.
    terms: Vec<u32>,
    /// Where each block ends among them.
    ends: Vec<usize>,
}

/// The keys are hashes already.
type Hashed = std::hash::BuildHasherDefault<AsIs>;

#[derive(Default)]
struct AsIs(u64);

impl std::hash::Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl PostingsWriter {
    /// Adds a term to the block that is begun. True where the segment did not have it.
    pub(super) fn add(&mut self, hash: u64) -> bool {
        let (number, block) = (self.known.len() as u32, self.ends.len() as u32 + 1);
        let mut new = false;
        let (number, last) = self.known.entry(hash).or_insert_with(|| {
            new = true;
            (number, 0)
        });
        if std::mem::replace(last, block) != block {
            self.terms.push(*number);
        }
        new
    }

    pub(super) fn end_block(&mut self) {
        self.ends.push(self.terms.len());
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        let mut hashes: Vec<(u64, u32)> = self.known.iter().map(|(hash, (number, _))| (*hash, *number)).collect();
        hashes.sort_unstable();
        drop(self.known);
        let lists = Lists::new(&self.terms, &self.ends, hashes.len());
        let bits = hashes.len().max(1).ilog2() + 1 + SPARE_BITS;
        let mut strides = Strides::new(self.ends.len() as u32, bits, hashes.len(), out);
        let cut = |hash: u64| hash >> (u64::BITS - bits);
        for same in hashes.chunk_by(|a, b| cut(a.0) == cut(b.0)) {
            let (hash, number) = same[0];
            if same.len() == 1 {
                strides.push(cut(hash), lists.of(number));
            } else {
                let mut union: Vec<u32> = same.iter().flat_map(|(_, number)| lists.of(*number)).copied().collect();
                union.sort_unstable();
                union.dedup();
                strides.push(cut(hash), &union);
            }
        }
        strides.finish();
    }
}

/// The blocks of each term, ascending.
struct Lists {
    blocks: Vec<u32>,
    /// Where the list of each term ends.
    ends: Vec<u32>,
}

impl Lists {
    fn new(terms: &[u32], ends_of_blocks: &[usize], count: usize) -> Self {
        let mut ends = vec![0u32; count];
        terms.iter().for_each(|term| ends[*term as usize] += 1);
        // First where each list begins; filling it moves that to where it ends.
        let mut from = 0;
        for end in &mut ends {
            from += std::mem::replace(end, from);
        }
        let (mut blocks, mut at) = (vec![0; terms.len()], 0);
        for (block, end) in (0..).zip(ends_of_blocks) {
            for term in &terms[at..*end] {
                let place = &mut ends[*term as usize];
                blocks[*place as usize] = block;
                *place += 1;
            }
            at = *end;
        }
        Self { blocks, ends }
    }

    fn of(&self, term: u32) -> &[u32] {
        let from = term.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.blocks[from as usize..self.ends[term as usize] as usize]
    }
}

/// Writes terms in the order of their hashes.
struct Strides<'a> {
    blocks: u32,
    hash_bits: u32,
    step_bits: u32,
    out: &'a mut Vec<u8>,
    from: usize,
    begun: BitWriter,
    last: u64,
    directory: Vec<u8>,
    count: u32,
}

impl<'a> Strides<'a> {
    fn new(blocks: u32, hash_bits: u32, terms: usize, out: &'a mut Vec<u8>) -> Self {
        let step_bits = hash_bits.saturating_sub(terms.max(1).ilog2() + 1);
        let (from, begun, directory) = (out.len(), BitWriter::default(), Vec::new());
        Self { blocks, hash_bits, step_bits, out, from, begun, last: 0, directory, count: 0 }
    }

    fn push(&mut self, hash: u64, blocks: &[u32]) {
        if self.begun.len() == 0 || self.begun.len() >= STRIDE_BYTES {
            self.out.extend(self.begun.finish());
            self.directory.extend_from_slice(&hash.to_le_bytes());
            self.directory.extend_from_slice(&((self.out.len() - self.from) as u32).to_le_bytes());
            (self.last, self.count) = (hash, self.count + 1);
        }
        self.begun.rice(hash - self.last, self.step_bits);
        self.last = hash;
        let count = blocks.len() as u32;
        self.begun.gamma(count);
        if count < self.blocks {
            let k = gap_bits(self.blocks, count);
            let mut next = 0;
            for block in blocks {
                self.begun.rice(u64::from(block - next), k);
                next = block + 1;
            }
        }
    }

    fn finish(mut self) {
        self.out.extend(self.begun.finish());
        self.out.extend_from_slice(&self.directory);
        for number in [self.count, self.blocks, self.hash_bits, self.step_bits] {
            self.out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// Rice parameter for `count` of `blocks` that fall at random: the mean gap lies in 2^k to 2^(k+1).
fn gap_bits(blocks: u32, count: u32) -> u32 {
    (blocks / count.max(1)).checked_ilog2().unwrap_or(0)
}

/// Reads what [`PostingsWriter`] wrote.
pub(super) struct Postings {
    from: u64,
    /// First hash of each stride, and where it begins in the file.
    directory: Vec<(u64, u64)>,
    /// Where the last stride ends.
    end: u64,
    blocks: u32,
    hash_bits: u32,
    step_bits: u32,
}

impl Postings {
    pub(super) fn open(blob: &Blob, range: Range<u64>) -> Result<Self, ReadError> {
        let damaged = || blob.damaged("the list of terms has a wrong length");
        let tail_from = range.end.checked_sub(TAIL_BYTES).filter(|at| *at >= range.start).ok_or_else(damaged)?;
        let tail = blob.read(tail_from..range.end)?;
        let [strides, blocks, hash_bits, step_bits] =
            std::array::from_fn(|at| u32::from_le_bytes(std::array::from_fn(|byte| tail[4 * at + byte])));
        let end = tail_from.checked_sub(u64::from(strides) * ENTRY_BYTES as u64).filter(|at| *at >= range.start);
        let end = end.ok_or_else(damaged)?;
        let sound = (1..u64::BITS).contains(&hash_bits) && step_bits < u64::BITS;
        if !sound {
            return Err(damaged());
        }
        let entries = blob.read(end..tail_from)?;
        let directory: Vec<_> = entries
            .as_chunks::<ENTRY_BYTES>()
            .0
            .iter()
            .map(|entry| {
                let hash = u64::from_le_bytes(std::array::from_fn(|at| entry[at]));
                let offset = u32::from_le_bytes(std::array::from_fn(|at| entry[8 + at]));
                (hash, range.start + u64::from(offset))
            })
            .collect();
        Ok(Self { from: range.start, directory, end, blocks, hash_bits, step_bits })
    }

    /// Blocks that may hold a term of this hash, ascending.
    pub(super) fn find(&self, blob: &Blob, hash: u64) -> Result<Vec<u32>, ReadError> {
        let wanted = hash >> (u64::BITS - self.hash_bits);
        let after = self.directory.partition_point(|(first, _)| *first <= wanted);
        let Some(&(first, from)) = after.checked_sub(1).and_then(|at| self.directory.get(at)) else {
            return Ok(Vec::new());
        };
        let to = self.directory.get(after).map_or(self.end, |(_, next)| *next);
        let stride = blob.read(from..to)?;
        let mut bits = BitReader::new(&stride);
        let (mut hash, mut blocks) = (first, Vec::new());
        // The bits left over in the last byte are zeros: no number.
        while let Some(step) = bits.rice(self.step_bits) {
            hash = hash.saturating_add(step);
            if hash > wanted {
                break;
            }
            self.blocks(&mut bits, &mut blocks).ok_or_else(|| blob.damaged("a list of blocks ends early"))?;
            if hash == wanted {
                return Ok(blocks);
            }
        }
        Ok(Vec::new())
    }

    /// Reads one list of blocks.
    fn blocks(&self, bits: &mut BitReader<'_>, blocks: &mut Vec<u32>) -> Option<()> {
        blocks.clear();
        let count = bits.gamma()?;
        if count >= self.blocks {
            blocks.extend(0..self.blocks);
            return Some(());
        }
        let k = gap_bits(self.blocks, count);
        let mut next = 0u64;
        for _ in 0..count {
            let block = next.checked_add(bits.rice(k)?)?;
            blocks.push(u32::try_from(block).ok().filter(|block| *block < self.blocks)?);
            next = block + 1;
        }
        Some(())
    }

    /// Bytes.
    pub(super) fn memory(&self) -> usize {
        size_of_val(self.directory.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::segment::blob::Checksums;

    fn open(bytes: &[u8]) -> (Blob, Postings, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("terms");
        // It lies somewhere in a file.
        let file = [b"before".as_slice(), bytes, b"after"].concat();
        std::fs::write(&path, &file).expect("written");
        let blob = Blob::open(&path, "terms", file.len() as u64, Checksums::of(&file)).expect("opened");
        let postings = Postings::open(&blob, 6..6 + bytes.len() as u64).expect("opened");
        (blob, postings, dir)
    }

    fn written(blocks: &[Vec<u64>]) -> Vec<u8> {
        let mut writer = PostingsWriter::default();
        for block in blocks {
            for hash in block {
                writer.add(*hash);
            }
            writer.end_block();
        }
        let mut bytes = Vec::new();
        writer.write(&mut bytes);
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// `spread` makes terms rare or common; some are in every block.
        #[test]
        fn every_term_is_found_where_it_is(
            blocks in prop::collection::vec(prop::collection::vec((any::<u16>(), 0u32..16), 0..60), 0..60),
        ) {
            let hash = |n: u16, spread: u32| super::hash(Field::Tag, &(n >> spread).to_le_bytes());
            let blocks: Vec<Vec<u64>> = blocks.iter().map(|terms| terms.iter().map(|(n, s)| hash(*n, *s)).collect()).collect();
            let (blob, postings, _dir) = open(&written(&blocks));
            let mut expected: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
            for (number, block) in (0..).zip(&blocks) {
                for hash in block {
                    let list = expected.entry(*hash).or_default();
                    if list.last() != Some(&number) {
                        list.push(number);
                    }
                }
            }
            for (hash, blocks) in &expected {
                let found = postings.find(&blob, *hash).expect("read");
                prop_assert!(blocks.iter().all(|block| found.binary_search(block).is_ok()), "{blocks:?} of {found:?}");
                prop_assert!(found.is_sorted());
            }
        }
    }

    #[test]
    fn what_is_not_there_is_rarely_found_and_what_is_costs_little() {
        let term = |n: u32| hash(Field::Tag, &n.to_le_bytes());
        let blocks: Vec<Vec<u64>> = (0..400).map(|block| (0..250).map(|n| term(block * 250 + n)).collect()).collect();
        let bytes = written(&blocks);
        assert!(bytes.len() < 100_000 * 7 / 2, "{} bytes for 100,000 terms", bytes.len());
        let (blob, postings, _dir) = open(&bytes);
        let found = (200_000..220_000).filter(|n| !postings.find(&blob, term(*n)).expect("read").is_empty()).count();
        assert!(found < 15, "{found} of 20,000");
    }

    #[test]
    fn a_term_of_every_block_takes_no_room() {
        let blocks = vec![vec![hash(Field::Key, b"everywhere")]; 10_000];
        let bytes = written(&blocks);
        assert!(bytes.len() < 40, "{}", bytes.len());
        let (blob, postings, _dir) = open(&bytes);
        assert_eq!(postings.find(&blob, blocks[0][0]).expect("read"), (0..10_000).collect::<Vec<_>>());
    }
}
