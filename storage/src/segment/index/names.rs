//! The terms of a segment by name, in order: what listings of keys, values and operations are made of.
//!
//! ```text
//!   ┌───────┬───────┬───┬───────────────────────────────┬──────────────────────┬────────────────────┐
//!   │ chunk │ chunk │ … │ chunks: first name, offset    │ groups that are cut  │ u64: where the     │
//!   │       │       │   │                               │                      │ directory begins   │
//!   └───────┴───────┴───┴───────────────────────────────┴──────────────────────┴────────────────────┘
//!   a chunk: names that share their beginning with the one before (bytes shared, bytes more, these bytes)
//! ```
//! A name is the field's number and the term. Lengths are LEB128. A group (the values of one key, the
//! operations of one service) with more than [`MOST_OF_GROUP`] names keeps the first that came, and is marked: such a
//! listing serves nobody, and a request id in each span would fill the file.

mod join;

use std::collections::BTreeSet;
use std::ops::Range;

use hashbrown::HashMap;

use super::Blob;
use crate::scan::ReadError;
use crate::terms::Field;
pub(super) use join::join;

const MOST_OF_GROUP: u32 = 10_000;
/// Of all names of a segment, bytes. What has no room marks its group as cut.
const MOST_BYTES: usize = 32 << 20;
/// Bytes of a chunk, about.
const CHUNK_BYTES: usize = 4096;

/// The names of a segment in the making.
#[derive(Default)]
pub(super) struct NamesWriter {
    arena: Vec<u8>,
    names: Vec<Range<u32>>,
    groups: HashMap<Vec<u8>, u32>,
}

impl NamesWriter {
    /// Adds a term that the segment did not have.
    pub(super) fn add(&mut self, field: Field, term: &[u8]) {
        let from = self.arena.len();
        self.arena.push(field as u8);
        self.arena.extend_from_slice(term);
        let group = group(&self.arena[from..]);
        let count = match self.groups.get_mut(group) {
            Some(count) => count,
            None => self.groups.entry_ref(group).or_insert(0),
        };
        *count = count.saturating_add(if from > MOST_BYTES { MOST_OF_GROUP + 1 } else { 1 });
        if *count > MOST_OF_GROUP {
            self.arena.truncate(from);
        } else {
            self.names.push(from as u32..self.arena.len() as u32);
        }
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        let Self { arena, mut names, groups } = self;
        let name = |range: &Range<u32>| &arena[range.start as usize..range.end as usize];
        names.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        let mut chunks = ChunksWriter::new(out);
        names.iter().for_each(|range| chunks.push(name(range)));
        let mut cut: Vec<&[u8]> =
            groups.iter().filter(|(_, count)| **count > MOST_OF_GROUP).map(|(group, _)| group.as_slice()).collect();
        cut.sort_unstable();
        chunks.finish(&cut);
    }
}

/// Writes names in their order.
struct ChunksWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// Where the last chunk begins.
    from: usize,
    chunks: u64,
    directory: Vec<u8>,
    before: Vec<u8>,
}

impl<'a> ChunksWriter<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start, from: start, chunks: 0, directory: Vec::new(), before: Vec::new() }
    }

    fn push(&mut self, name: &[u8]) {
        if self.chunks == 0 || self.out.len() - self.from >= CHUNK_BYTES {
            (self.from, self.chunks) = (self.out.len(), self.chunks + 1);
            self.before.clear();
            push_text(&mut self.directory, name);
            push_number(&mut self.directory, (self.from - self.start) as u64);
        }
        let shared = name.iter().zip(&self.before).take_while(|(a, b)| a == b).count();
        push_number(self.out, shared as u64);
        push_text(self.out, &name[shared..]);
        self.before.clear();
        self.before.extend_from_slice(name);
    }

    /// `cut` are the groups of which not every name is here, ascending.
    fn finish(self, cut: &[impl AsRef<[u8]>]) {
        let Self { out, start, chunks, directory, .. } = self;
        let directory_at = (out.len() - start) as u64;
        push_number(out, chunks);
        out.extend_from_slice(&directory);
        push_number(out, cut.len() as u64);
        cut.iter().for_each(|group| push_text(out, group.as_ref()));
        out.extend_from_slice(&directory_at.to_le_bytes());
    }
}

/// What a name is counted with: all up to its first NUL, or those of its field.
fn group(name: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, &name[1..]).map_or(1, |at| at + 2);
    &name[..end]
}

/// Reads what [`NamesWriter`] wrote.
pub(super) struct Names {
    /// First name of each chunk, and where it begins in the file.
    chunks: Vec<(Vec<u8>, u64)>,
    /// Where the last chunk ends.
    end: u64,
    /// Groups of which not every name is here, ascending.
    cut: Vec<Vec<u8>>,
}

impl Names {
    pub(super) fn open(blob: &Blob, range: Range<u64>) -> Result<Self, ReadError> {
        let damaged = || blob.damaged("the names of terms cannot be read");
        let tail = range.end.checked_sub(8).filter(|at| *at >= range.start).ok_or_else(damaged)?;
        let at = blob.read(tail..range.end)?.as_ref().try_into().map_or(u64::MAX, u64::from_le_bytes);
        let end = range.start.checked_add(at).filter(|at| *at <= tail).ok_or_else(damaged)?;
        let directory = blob.read(end..tail)?;
        let mut rest = directory.as_ref();
        let mut read = || {
            let mut chunks = Vec::new();
            for _ in 0..number(&mut rest)? {
                let name = text(&mut rest)?.to_vec();
                chunks.push((name, range.start.checked_add(number(&mut rest)?).filter(|at| *at <= end)?));
            }
            let mut cut = Vec::new();
            for _ in 0..number(&mut rest)? {
                cut.push(text(&mut rest)?.to_vec());
            }
            Some((chunks, cut))
        };
        let (chunks, cut) = read().ok_or_else(damaged)?;
        Ok(Self { chunks, end, cut })
    }

    /// Adds the terms of `field` that begin with `prefix`, in order, at most `limit`. True where the
    /// segment has others that are not named here.
    pub(super) fn list(
        &self,
        blob: &Blob,
        field: Field,
        prefix: &[u8],
        limit: usize,
        found: &mut BTreeSet<Vec<u8>>,
    ) -> Result<bool, ReadError> {
        let wanted = [&[field as u8], prefix].concat();
        let first = self.chunks.partition_point(|(name, _)| *name < wanted).saturating_sub(1);
        let mut taken = 0;
        'chunks: for (at, (name, from)) in self.chunks.iter().enumerate().skip(first) {
            if *name > wanted && !name.starts_with(&wanted) {
                break;
            }
            let to = self.chunks.get(at + 1).map_or(self.end, |(_, next)| *next);
            let chunk = blob.read(*from..to)?;
            let (mut rest, mut name) = (chunk.as_ref(), Vec::new());
            while !rest.is_empty() {
                next(&mut rest, &mut name).ok_or_else(|| blob.damaged("a chunk of names ends early"))?;
                if name.starts_with(&wanted) {
                    if taken == limit {
                        break 'chunks;
                    }
                    found.insert(name[1..].to_vec());
                    taken += 1;
                } else if name > wanted {
                    break 'chunks;
                }
            }
        }
        Ok(self.cut.iter().any(|group| group.starts_with(&wanted) || wanted.starts_with(group)))
    }

    /// Bytes.
    pub(super) fn memory(&self) -> usize {
        self.chunks.iter().map(|(name, _)| name.len() + 32).sum()
    }
}

/// Replaces a name by the one after it.
fn next(rest: &mut &[u8], name: &mut Vec<u8>) -> Option<()> {
    let shared = usize::try_from(number(rest)?).ok().filter(|shared| *shared <= name.len())?;
    let more = text(rest)?;
    name.truncate(shared);
    name.extend_from_slice(more);
    Some(())
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    push_number(out, text.len() as u64);
    out.extend_from_slice(text);
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::segment::blob::Checksums;

    fn listed(terms: &BTreeSet<(Field, Vec<u8>)>, asked: &[(Field, &[u8], usize)]) -> Vec<(Vec<Vec<u8>>, bool)> {
        let mut writer = NamesWriter::default();
        terms.iter().rev().for_each(|(field, term)| writer.add(*field, term));
        let mut bytes = b"before".to_vec();
        writer.write(&mut bytes);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("written");
        let length = bytes.len() as u64;
        let blob = Blob::open(file.path(), "names", length, Checksums::of(&bytes)).expect("opened");
        let names = Names::open(&blob, 6..length).expect("opened");
        let list = |(field, prefix, limit): &(Field, &[u8], usize)| {
            let mut found = BTreeSet::new();
            let cut = names.list(&blob, *field, prefix, *limit, &mut found).expect("listed");
            (found.into_iter().collect(), cut)
        };
        asked.iter().map(list).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn listings_are_those_of_a_sorted_set(
            terms in prop::collection::btree_set((0u8..2, "[ab]{0,2}\0?[a-c]{0,40}"), 0..800),
            prefix in "[ab]{0,2}\0?[a-c]{0,2}",
            limit in 0usize..50,
        ) {
            let field = |n: u8| if n == 0 { Field::Tag } else { Field::Key };
            let terms: BTreeSet<_> = terms.into_iter().map(|(n, term)| (field(n), term.into_bytes())).collect();
            for field in [Field::Tag, Field::Key] {
                let expected: Vec<_> = terms
                    .iter()
                    .filter(|(known, term)| *known == field && term.starts_with(prefix.as_bytes()))
                    .map(|(_, term)| term.clone())
                    .take(limit)
                    .collect();
                let found = listed(&terms, &[(field, prefix.as_bytes(), limit)]);
                prop_assert_eq!(&found[0], &(expected, false));
            }
        }
    }

    #[test]
    fn a_key_of_too_many_values_is_cut_and_says_so() {
        let many = (0..=MOST_OF_GROUP).map(|n| (Field::Tag, format!("id\0{n:06}").into_bytes()));
        let terms = many.chain([(Field::Tag, b"size\0M".to_vec())]).collect();
        let whole: &[u8] = b"";
        let found =
            listed(&terms, &[(Field::Tag, b"id\x000001", 3), (Field::Tag, b"size\0", 3), (Field::Tag, whole, 3)]);
        assert_eq!((found[0].0.len(), found[0].1), (3, true));
        assert_eq!(found[1], (vec![b"size\0M".to_vec()], false));
        assert!(found[2].1);
    }
}
