//! Which segments become one next. A pure function, so that a day of it can be simulated
//! (`cargo run --release -p storage --example compaction`) and its constants chosen by figures.
//!
//! Size tiers: once [`Policy::fan_in`] segments differ in rows by less than the fan-in, those that are
//! neighbours in time are merged. So each row is written about log(fan-in) of the growth of the store again.
//! A merge whose result is to be the last waits till it is as large as it may become: that halves their number.

use std::collections::BTreeMap;

/// What the policy knows of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub rows: u64,
    /// Of Parquet.
    pub bytes: u64,
    /// ns.
    pub min_time: i64,
    pub max_time: i64,
    /// Only segments with the same mark are merged: those that retention has judged by the same rules.
    pub mark: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// At least so many segments make one, at most twice as many.
    pub fan_in: usize,
    /// Largest segment that a merge makes. One of half the size is left as it is.
    pub most_rows: u64,
    pub most_bytes: u64,
    /// Longest time that a merge may bring together, ns, unless one of its segments is longer: retention
    /// by age drops whole segments.
    pub most_span: i64,
}

impl Policy {
    /// Chosen by the figures in `docs/performance.md`.
    pub const CHOSEN: Policy =
        Policy { fan_in: 8, most_rows: 1_000_000, most_bytes: 96 << 20, most_span: 24 * 3_600_000_000_000 };

    /// Numbers of the segments of the next merge, by time; None when there is none to do.
    pub fn pick(&self, parts: &[Part]) -> Option<Vec<usize>> {
        let mut tiers: BTreeMap<(u32, u64), Vec<usize>> = BTreeMap::new();
        for (number, part) in parts.iter().enumerate().filter(|(_, part)| !self.is_full(part)) {
            tiers.entry((self.size_class(part.rows), part.mark)).or_default().push(number);
        }
        for mut tier in tiers.into_values() {
            // The newest row tells the order in which segments came, whatever came late with them.
            tier.sort_by_key(|number| (parts[*number].max_time, parts[*number].min_time));
            if let Some(run) = self.run(parts, &tier) {
                return Some(run);
            }
        }
        None
    }

    /// The first run of neighbours that is long enough or, where it would be the last merge of its rows, large
    /// enough: the next neighbour does not fit.
    fn run(&self, parts: &[Part], tier: &[usize]) -> Option<Vec<usize>> {
        (0..tier.len()).find_map(|from| {
            let (mut whole, mut full, mut longest) = (parts[tier[from]], false, 0);
            let mut run = Vec::new();
            for number in tier[from..].iter().take(2 * self.fan_in) {
                let part = parts[*number];
                longest = longest.max(part.max_time.saturating_sub(part.min_time));
                let next = if run.is_empty() { part } else { whole.with(&part) };
                let span = next.max_time.saturating_sub(next.min_time);
                full = next.rows > self.most_rows || next.bytes > self.most_bytes;
                if full || span > self.most_span.max(longest) {
                    break;
                }
                whole = next;
                run.push(*number);
            }
            let long = run.len() >= self.fan_in && (!self.is_full(&whole) || run.len() == 2 * self.fan_in);
            (long || (full && run.len() > 1)).then_some(run)
        })
    }

    fn is_full(&self, part: &Part) -> bool {
        part.rows >= self.most_rows / 2 || part.bytes >= self.most_bytes / 2
    }

    /// Segments of a class differ in rows by less than the fan-in.
    fn size_class(&self, rows: u64) -> u32 {
        rows.max(1).ilog(self.fan_in as u64)
    }
}

impl Part {
    /// Both in one.
    pub fn with(&self, other: &Part) -> Part {
        Part {
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
            min_time: self.min_time.min(other.min_time),
            max_time: self.max_time.max(other.max_time),
            mark: self.mark,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy { fan_in: 4, most_rows: 1_000, most_bytes: 100_000, most_span: 500 };

    fn part(rows: u64, time: i64) -> Part {
        Part { rows, bytes: rows * 100, min_time: time, max_time: time + 9, mark: 0 }
    }

    #[test]
    fn neighbours_of_a_size_make_one() {
        let parts: Vec<_> = [30, 10, 20, 0].map(|time| part(20, time)).into_iter().chain([part(300, 5)]).collect();
        assert_eq!(POLICY.pick(&parts), Some(vec![3, 1, 2, 0]));
        assert_eq!(POLICY.pick(&parts[..3]), None, "too few");
        let mut marked = parts.clone();
        marked[0].mark = 1;
        assert_eq!(POLICY.pick(&marked), None, "judged by other rules");
        let apart: Vec<_> = (0..4).map(|day| part(20, day * 1_000)).collect();
        assert_eq!(POLICY.pick(&apart), None, "retention could not drop a part of it");
        let full: Vec<_> = (0..9).map(|time| part(500, time)).collect();
        assert_eq!(POLICY.pick(&full), None);
        let waits: Vec<_> = (0..5).map(|time| part(150, time)).collect();
        assert_eq!(POLICY.pick(&waits), None, "two more fit in");
        let cut: Vec<_> = (0..7).map(|time| part(150, time)).collect();
        assert_eq!(POLICY.pick(&cut), Some((0..6).collect()));
        let cut: Vec<_> = (0..9).map(|time| part(400, time)).collect();
        assert_eq!(POLICY.pick(&cut), Some(vec![0, 1]), "more than two would be too large");
    }

    proptest! {
        #[test]
        fn merging_ends_and_keeps_its_bounds(
            rows in prop::collection::vec((1u64..800, 0i64..5_000, 0i64..900, 0u64..2), 0..200)
        ) {
            let mut parts: Vec<Part> = rows
                .into_iter()
                .map(|(rows, time, long, mark)| {
                    Part { rows, bytes: rows * 100, min_time: time, max_time: time + long, mark }
                })
                .collect();
            let total: u64 = parts.iter().map(|part| part.rows).sum();
            let mut merges = 0;
            while let Some(run) = POLICY.pick(&parts) {
                prop_assert!(run.len() > 1);
                let whole = run[1..].iter().fold(parts[run[0]], |whole, number| whole.with(&parts[*number]));
                prop_assert!(run.iter().all(|number| parts[*number].mark == whole.mark));
                prop_assert!(whole.rows <= POLICY.most_rows && whole.bytes <= POLICY.most_bytes);
                let longest = run.iter().map(|number| parts[*number].max_time - parts[*number].min_time).max();
                prop_assert!(whole.max_time - whole.min_time <= longest.unwrap_or(0).max(POLICY.most_span));
                let mut number = 0;
                parts.retain(|_| { number += 1; !run.contains(&(number - 1)) });
                parts.push(whole);
                merges += 1;
                prop_assert!(merges < 200, "it never ends");
            }
            prop_assert_eq!(total, parts.iter().map(|part| part.rows).sum::<u64>());
        }
    }
}
