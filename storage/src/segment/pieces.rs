//! The blocks of a read in pieces, in the order of time: who wants the first rows stops before the rest.

use std::cmp::Reverse;
use std::ops::Range;

use super::index::BLOCK_ROWS;
use super::parquet::PAGE_ROWS;
use super::runs::Runs;

/// Which rows come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOrder {
    NewestFirst,
    OldestFirst,
}

/// Some rows of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bounds of the times of its rows and of those in all pieces after it, ns.
    pub least: i64,
    pub greatest: i64,
    pub(crate) rows: Vec<Range<usize>>,
}

/// Blocks of a page. The first two pieces are one each, and each two are twice as large as those before them, up to
/// 2^[`DOUBLED`] pages. So a page of answers reads little, and a search through everything opens few readers.
const PAGE_BLOCKS: usize = PAGE_ROWS / BLOCK_ROWS;
const DOUBLED: usize = 6;

/// `hits` are numbers of blocks, ascending; `times` are the least and greatest of every block.
pub(super) fn pieces(hits: &[u32], times: &[(i64, i64)], runs: &Runs, order: TimeOrder) -> Vec<Piece> {
    let mut pages: Vec<Page<'_>> = hits
        .chunk_by(|a, b| runs.page(*a, PAGE_BLOCKS as u32) == runs.page(*b, PAGE_BLOCKS as u32))
        .map(|blocks| Page::new(blocks, times))
        .collect();
    match order {
        TimeOrder::NewestFirst => pages.sort_by_key(|page| Reverse(page.greatest)),
        TimeOrder::OldestFirst => pages.sort_by_key(|page| page.least),
    }
    let (mut rest, mut pieces) = (&*pages, Vec::new());
    while !rest.is_empty() {
        let taken;
        let size = 1 << (pieces.len() / 2).min(DOUBLED);
        (taken, rest) = rest.split_at(rest.len().min(size));
        let (least, greatest) = bounds(taken.iter().map(|page| (page.least, page.greatest)));
        let mut blocks: Vec<u32> = taken.iter().flat_map(|page| page.blocks).copied().collect();
        blocks.sort_unstable();
        pieces.push(Piece { least, greatest, rows: runs.ranges(&blocks) });
    }
    let mut after = (i64::MAX, i64::MIN);
    for piece in pieces.iter_mut().rev() {
        after = (after.0.min(piece.least), after.1.max(piece.greatest));
        (piece.least, piece.greatest) = after;
    }
    pieces
}

/// Blocks that are decoded as a whole.
struct Page<'a> {
    blocks: &'a [u32],
    least: i64,
    greatest: i64,
}

impl<'a> Page<'a> {
    fn new(blocks: &'a [u32], times: &[(i64, i64)]) -> Self {
        let (least, greatest) = bounds(blocks.iter().filter_map(|block| times.get(*block as usize)).copied());
        Self { blocks, least, greatest }
    }
}

fn bounds(times: impl Iterator<Item = (i64, i64)>) -> (i64, i64) {
    times.fold((i64::MAX, i64::MIN), |(a, b), (c, d)| (a.min(c), b.max(d)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every block once, and bounds that hold for all that follows.
        #[test]
        fn pieces_are_all_blocks_in_order(
            hits in prop::collection::btree_set(0u32..1000, 0..400),
            times in prop::collection::vec((0i64..1000, 0i64..50), 1000),
            cut in 1u32..999,
            newest in any::<bool>(),
        ) {
            let hits: Vec<u32> = hits.into_iter().collect();
            let times: Vec<_> = times.into_iter().map(|(least, more)| (least, least + more)).collect();
            let order = if newest { TimeOrder::NewestFirst } else { TimeOrder::OldestFirst };
            let block_rows = BLOCK_ROWS as u32;
            let runs = Runs::new([cut * block_rows - 9, (1000 - cut) * block_rows - 7]);
            let block_of: HashMap<usize, u32> = (0..1000).map(|block| (runs.range(block).start, block)).collect();
            let pieces = pieces(&hits, &times, &runs, order);
            let blocks = |piece: &Piece| -> Vec<u32> {
                piece.rows.iter().flat_map(|range| range.clone()).filter_map(|row| block_of.get(&row)).copied().collect()
            };
            let all: Vec<Vec<u32>> = pieces.iter().map(blocks).collect();
            for (at, piece) in pieces.iter().enumerate() {
                for block in all[at..].iter().flatten() {
                    let (least, greatest) = times[*block as usize];
                    prop_assert!(piece.least <= least && greatest <= piece.greatest);
                }
                let rows: usize = piece.rows.iter().map(ExactSizeIterator::len).sum();
                prop_assert_eq!(rows, all[at].iter().map(|block| runs.range(*block).len()).sum::<usize>());
            }
            let firsts: Vec<_> = all.iter().map(|blocks| bounds(blocks.iter().map(|b| times[*b as usize]))).collect();
            let sorted = match order {
                TimeOrder::NewestFirst => firsts.is_sorted_by(|a, b| a.1 >= b.1),
                TimeOrder::OldestFirst => firsts.is_sorted_by(|a, b| a.0 <= b.0),
            };
            prop_assert!(sorted, "{:?}", firsts);
            let mut found = all.concat();
            found.sort_unstable();
            prop_assert_eq!(found, hits);
        }
    }

    #[test]
    fn the_first_piece_is_a_page_and_the_last_row_is_the_last() {
        let hits: Vec<u32> = (0..10).collect();
        let times: Vec<_> = (0..10).map(|block| (block, block + 1)).collect();
        let rows = |order| {
            let pieces = pieces(&hits, &times, &Runs::new([2_500]), order);
            pieces.into_iter().flat_map(|piece| piece.rows).collect::<Vec<_>>()
        };
        assert_eq!(rows(TimeOrder::NewestFirst), [2_048..2_500, 1_024..2_048, 0..1_024]);
        assert_eq!(rows(TimeOrder::OldestFirst), [0..1_024, 1_024..2_048, 2_048..2_500]);
    }
}
