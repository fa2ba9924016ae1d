//! Row ids where several processes write to one lake: a part of a writer's sequence numbers has a chapter
//! that no other part of any writer has. Where there is one writer, chapters are parts.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use crate::ids::RowId;

/// Appends are refused when the chapter of so many requests ahead is not known: more are never on their
/// way at once.
pub(super) const AHEAD: u64 = 1 << 22;

/// Which chapters this process writes.
#[derive(Debug)]
pub struct Chapters {
    /// None where part and chapter are the same.
    known: Option<RwLock<Known>>,
}

/// Part to chapter, and back.
type Known = (BTreeMap<u64, u64>, BTreeMap<u64, u64>);

impl Chapters {
    pub(super) fn new(known: Option<BTreeMap<u64, u64>>) -> Self {
        let chapters = Self { known: known.is_some().then(RwLock::default) };
        known.into_iter().flatten().for_each(|(part, number)| chapters.learn(part, number));
        chapters
    }

    pub(super) fn learn(&self, part: u64, number: u64) {
        if let Some(known) = &self.known {
            let (numbers, parts) = &mut *known.write();
            numbers.insert(part, number);
            parts.insert(number, part);
        }
    }

    /// The part of the sequence numbers whose chapter must be learnt before this request may have rows.
    pub(super) fn missing(&self, sequence: u64) -> Option<u64> {
        let part = sequence / RowId::CHAPTER;
        self.known.as_ref().filter(|known| !known.read().0.contains_key(&part)).map(|_| part)
    }

    /// The number of a request in its row ids. None while its chapter is [`Self::missing`].
    pub(super) fn number(&self, sequence: u64) -> Option<u64> {
        let Some(known) = &self.known else { return Some(sequence) };
        let chapter = *known.read().0.get(&(sequence / RowId::CHAPTER))?;
        Some(chapter * RowId::CHAPTER + sequence % RowId::CHAPTER)
    }

    /// The request that a row of this process came with, by its sequence number in the log here. None for
    /// rows of other processes.
    pub fn sequence(&self, id: u64) -> Option<u64> {
        let number = id / RowId::ROWS_PER_REQUEST;
        let Some(known) = &self.known else { return Some(number) };
        let part = *known.read().1.get(&(number / RowId::CHAPTER))?;
        Some(part * RowId::CHAPTER + number % RowId::CHAPTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_has_the_numbers_of_its_log() {
        let chapters = Chapters::new(None);
        for sequence in [1, RowId::CHAPTER, 5 * RowId::CHAPTER + 7] {
            assert_eq!(chapters.missing(sequence), None);
            assert_eq!(chapters.number(sequence), Some(sequence));
            assert_eq!(chapters.sequence(RowId::new(sequence, 9).0), Some(sequence));
        }
    }

    #[test]
    fn several_writers_have_numbers_of_their_own() {
        let chapters = Chapters::new(Some([(0, 3)].into()));
        assert_eq!(chapters.number(7), Some(3 * RowId::CHAPTER + 7));
        let next = RowId::CHAPTER + 1;
        assert_eq!((chapters.missing(7), chapters.missing(next), chapters.number(next)), (None, Some(1), None));
        chapters.learn(1, 5);
        assert_eq!((chapters.missing(next), chapters.number(next)), (None, Some(5 * RowId::CHAPTER + 1)));
        for sequence in [7, next] {
            let id = RowId::new(chapters.number(sequence).expect("known"), 11);
            assert_eq!(chapters.sequence(id.0), Some(sequence));
        }
        let foreign = RowId::new(4 * RowId::CHAPTER + 7, 0);
        assert_eq!(chapters.sequence(foreign.0), None);
    }
}
