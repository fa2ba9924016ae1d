//! The blocks of a read in pieces, in the order of time: who wants the first rows stops before the rest.

use std::ops::Range;

use super::index::BLOCK_ROWS;
use super::parquet::PAGE_ROWS;

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

/// Blocks of the first piece, a page; each one is twice as large as that before it, up to the last number.
/// So a page of answers reads little, and a search through everything opens few readers.
const FIRST: usize = PAGE_ROWS / BLOCK_ROWS;
const MOST: usize = 64 * FIRST;

/// `hits` are numbers of blocks, ascending; `times` are the least and greatest of every block of a segment of `rows` rows.
pub(super) fn pieces(hits: &[u32], times: &[(i64, i64)], rows: usize, order: TimeOrder) -> Vec<Piece> {
    let (mut rest, mut size, mut pieces) = (hits, FIRST, Vec::new());
    while !rest.is_empty() {
        let taken;
        (taken, rest) = match order {
            TimeOrder::NewestFirst => {
                let at = whole_pages(rest, rest.len().saturating_sub(size));
                (&rest[at..], &rest[..at])
            }
            TimeOrder::OldestFirst => rest.split_at(whole_pages(rest, rest.len().min(size))),
        };
        let bounds = taken.iter().filter_map(|block| times.get(*block as usize));
        let (least, greatest) = bounds.fold((i64::MAX, i64::MIN), |(a, b), (c, d)| (a.min(*c), b.max(*d)));
        pieces.push(Piece { least, greatest, rows: ranges(taken, rows) });
        size = (2 * size).min(MOST);
    }
    let mut after = (i64::MAX, i64::MIN);
    for piece in pieces.iter_mut().rev() {
        after = (after.0.min(piece.least), after.1.max(piece.greatest));
        (piece.least, piece.greatest) = after;
    }
    pieces
}

/// Row ranges of blocks, ascending and apart.
pub(super) fn ranges(blocks: &[u32], rows: usize) -> Vec<Range<usize>> {
    let neighbours = blocks.chunk_by(|a, b| a + 1 == *b);
    neighbours
        .filter_map(|run| {
            Some(*run.first()? as usize * BLOCK_ROWS..((*run.last()? as usize + 1) * BLOCK_ROWS).min(rows))
        })
        .collect()
}

/// Moves a cut between blocks down to the border of a page, which is decoded as a whole anyway; up, where nothing
/// would be left below it.
fn whole_pages(blocks: &[u32], cut: usize) -> usize {
    let page = |at: usize| blocks.get(at).map(|block| *block as usize / FIRST);
    let same = |at: usize| at > 0 && at < blocks.len() && page(at) == page(at - 1);
    let below = (0..=cut).rev().find(|at| !same(*at)).unwrap_or(0);
    if below > 0 || cut == 0 { below } else { (cut..=blocks.len()).find(|at| !same(*at)).unwrap_or(blocks.len()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every block once, none before one that is in order before it, bounds that hold for all that follows.
        #[test]
        fn pieces_are_all_blocks_in_order(
            hits in prop::collection::btree_set(0u32..1000, 0..400),
            times in prop::collection::vec((0i64..1000, 0i64..50), 1000),
            newest in any::<bool>(),
        ) {
            let hits: Vec<u32> = hits.into_iter().collect();
            let times: Vec<_> = times.into_iter().map(|(least, more)| (least, least + more)).collect();
            let order = if newest { TimeOrder::NewestFirst } else { TimeOrder::OldestFirst };
            let pieces = pieces(&hits, &times, 1000 * BLOCK_ROWS - 7, order);
            let blocks = |piece: &Piece| -> Vec<u32> {
                let blocks = piece.rows.iter().flat_map(|range| range.clone().step_by(BLOCK_ROWS));
                blocks.map(|row| (row / BLOCK_ROWS) as u32).collect()
            };
            let mut all: Vec<Vec<u32>> = pieces.iter().map(blocks).collect();
            for (at, piece) in pieces.iter().enumerate() {
                for block in all[at..].iter().flatten() {
                    let (least, greatest) = times[*block as usize];
                    prop_assert!(piece.least <= least && greatest <= piece.greatest);
                }
            }
            if newest {
                all.reverse();
            }
            prop_assert_eq!(all.concat(), hits);
        }
    }

    #[test]
    fn the_first_piece_is_a_page_and_the_last_row_is_the_last() {
        let hits: Vec<u32> = (0..10).collect();
        let times = vec![(0, 1); 10];
        let rows = |order| {
            let pieces = pieces(&hits, &times, 2_500, order);
            pieces.into_iter().flat_map(|piece| piece.rows).collect::<Vec<_>>()
        };
        assert_eq!(rows(TimeOrder::NewestFirst), [1_024..2_500, 0..1_024]);
        assert_eq!(rows(TimeOrder::OldestFirst), [0..1_024, 1_024..2_500]);
    }
}
