//! Which rows a block is: a segment may be put together of runs, each of which ends with a short block.

use std::ops::Range;

use super::index::BLOCK_ROWS;

/// Rows of a segment, block by block. A run begins with a whole block and a page of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Runs {
    /// First block and first row of each run, and of what would come after the last.
    begins: Vec<(u32, usize)>,
}

impl Runs {
    /// By the rows of each run, none of which is empty.
    pub(super) fn new(rows: impl IntoIterator<Item = u32>) -> Self {
        let mut begins = vec![(0, 0)];
        let (mut block, mut row) = (0, 0);
        for rows in rows {
            (block, row) = (block + rows.div_ceil(BLOCK_ROWS as u32), row + rows as usize);
            begins.push((block, row));
        }
        Self { begins }
    }

    pub(super) fn blocks(&self) -> u32 {
        self.end().0
    }

    pub(super) fn rows(&self) -> usize {
        self.end().1
    }

    fn end(&self) -> (u32, usize) {
        *self.begins.last().expect("there is always an end")
    }

    /// Rows of each run.
    pub(super) fn lengths(&self) -> impl Iterator<Item = u32> {
        self.begins.windows(2).map(|run| (run[1].1 - run[0].1) as u32)
    }

    /// Number of the run that a block is of, and the block's number in it.
    fn place(&self, block: u32) -> (usize, u32) {
        let run =
            self.begins[1..].partition_point(|(begin, _)| *begin <= block).min(self.begins.len().saturating_sub(2));
        (run, block - self.begins[run].0)
    }

    /// What is equal for the blocks of a page of `blocks` blocks, and ascends with them.
    pub(super) fn page(&self, block: u32, blocks: u32) -> (usize, u32) {
        let (run, block) = self.place(block);
        (run, block / blocks)
    }

    /// Rows of a block; none past the end.
    pub(super) fn range(&self, block: u32) -> Range<usize> {
        let (run, number) = self.place(block);
        let from = self.begins[run].1 + number as usize * BLOCK_ROWS;
        let end = self.begins.get(run + 1).map_or(from, |next| next.1);
        from.min(end)..(from + BLOCK_ROWS).min(end)
    }

    /// Row ranges of blocks (ascending), ascending and apart.
    pub(super) fn ranges(&self, blocks: &[u32]) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for range in blocks.iter().map(|block| self.range(*block)).filter(|range| !range.is_empty()) {
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn blocks_are_all_rows_in_order(rows in prop::collection::vec(1u32..2_000, 0..12)) {
            let runs = Runs::new(rows.clone());
            prop_assert_eq!(runs.rows(), rows.iter().sum::<u32>() as usize);
            prop_assert!(runs.lengths().eq(rows.iter().copied()));
            let all: Vec<u32> = (0..runs.blocks()).collect();
            let ranges: Vec<_> = all.iter().map(|block| runs.range(*block)).collect();
            prop_assert!(ranges.iter().all(|range| (1..=BLOCK_ROWS).contains(&range.len())));
            prop_assert!(ranges.windows(2).all(|two| two[0].end == two[1].start));
            prop_assert!(all.windows(2).all(|two| runs.page(two[0], 4) <= runs.page(two[1], 4)));
            let whole: Vec<_> = (!rows.is_empty()).then(|| 0..runs.rows()).into_iter().collect();
            prop_assert_eq!(runs.ranges(&all), whole);
            prop_assert!(runs.range(runs.blocks()).is_empty());
        }
    }

    #[test]
    fn a_run_ends_with_a_short_block() {
        let runs = Runs::new([300, 10, 256]);
        assert_eq!(runs.blocks(), 4);
        assert_eq!(runs.ranges(&[1, 3]), [256..300, 310..566]);
        assert_eq!(runs.ranges(&[1, 2]), std::slice::from_ref(&(256..310)));
        assert_eq!([0, 1, 2, 3].map(|block| runs.page(block, 4)), [(0, 0), (0, 0), (1, 0), (2, 0)]);
    }
}
