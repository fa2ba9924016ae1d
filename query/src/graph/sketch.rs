//! A histogram of durations whose buckets grow by a fixed factor: additive, and exact to 1%.
//!
//! Buckets never collapse, so that sketches add and subtract bucket by bucket whatever the order
//! (the idea of DDSketch, Masson et al., VLDB 2019, §2). All of `u64` needs 2,219 buckets at most.

use std::collections::BTreeMap;

use storage::rollup::Counts;

use crate::model::Quantiles;

/// Relative error of a quantile.
const ALPHA: f64 = 0.01;
const GAMMA: f64 = (1.0 + ALPHA) / (1.0 - ALPHA);

/// Past all buckets of `u64`.
const ZERO: u16 = 2_303;

/// Counts of values, ns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    zeros: u64,
    /// Bucket i holds the values in `(γ^(i-1), γ^i]`.
    buckets: BTreeMap<u16, u64>,
}

impl Sketch {
    pub fn add(&mut self, value: u64) {
        self.add_bucket(bucket(value), 1);
    }

    /// So many values of a bucket, as [`bucket`] numbers them.
    pub fn add_bucket(&mut self, bucket: u16, count: u64) {
        match bucket {
            ZERO => self.zeros += count,
            _ => *self.buckets.entry(bucket).or_default() += count,
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.zeros += other.zeros;
        for (&bucket, count) in &other.buckets {
            *self.buckets.entry(bucket).or_default() += count;
        }
    }

    pub fn count(&self) -> u64 {
        self.zeros + self.buckets.values().sum::<u64>()
    }

    /// The value of rank `⌊q (n − 1)⌋` within 1%, rounded to whole ns; None where there are no values.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let last = self.count().checked_sub(1)?;
        let rank = (q.clamp(0.0, 1.0) * last as f64) as u64;
        let mut below = self.zeros;
        if rank < below {
            return Some(0);
        }
        let (&greatest, _) = self.buckets.last_key_value()?;
        let found = self.buckets.iter().find(|&(_, count)| {
            below += count;
            rank < below
        });
        Some(middle(found.map_or(greatest, |(&bucket, _)| bucket)))
    }

    pub fn quantiles(&self) -> Option<Quantiles> {
        Some(Quantiles { p50: self.quantile(0.5)?, p95: self.quantile(0.95)?, p99: self.quantile(0.99)? })
    }
}

/// Quantiles of a sketch among the counts of a cell: bucket `i` at slot `first + i`.
pub fn quantiles_of(counts: &Counts, first: u16) -> Option<Quantiles> {
    let mut buckets: Vec<(u16, u64)> = counts
        .slots(first..first + ZERO + 1)
        .filter_map(|(slot, count)| Some((slot - first, u64::try_from(count).ok()?)))
        .collect();
    if buckets.last().is_some_and(|(bucket, _)| *bucket == ZERO) {
        buckets.rotate_right(1); // zeros are the least
    }
    let last = buckets.iter().map(|(_, count)| count).sum::<u64>().checked_sub(1)?;
    let quantile = |q: f64| {
        let (rank, mut below) = ((q * last as f64) as u64, 0);
        let found = buckets.iter().find(|(_, count)| {
            below += count;
            rank < below
        });
        found.or(buckets.last()).map(|(bucket, _)| if *bucket == ZERO { 0 } else { middle(*bucket) })
    };
    Some(Quantiles { p50: quantile(0.5)?, p95: quantile(0.95)?, p99: quantile(0.99)? })
}

/// The number of a value's bucket, below 2,304; 0 has one of its own, the last.
pub fn bucket(value: u64) -> u16 {
    match value {
        0 => ZERO,
        _ => ((value as f64).ln() / GAMMA.ln()).ceil() as u16,
    }
}

/// The value that is off by the same share at both ends of the bucket.
fn middle(bucket: u16) -> u64 {
    (2.0 * GAMMA.powi(i32::from(bucket)) / (GAMMA + 1.0)).round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|&value| sketch.add(value));
        sketch
    }

    fn durations() -> impl Strategy<Value = Vec<u64>> {
        let one = prop_oneof![0u64..200, 1_000u64..10_000_000_000, any::<u64>(), Just(u64::MAX)];
        proptest::collection::vec(one, 1..300)
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(Sketch::default().quantiles(), None);
        assert_eq!(sketch(&[0, 0, 5]).quantile(0.5), Some(0));
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent(mut values in durations(), q in 0.0f64..=1.0) {
            let found = sketch(&values).quantile(q).expect("values") as f64;
            values.sort_unstable();
            let exact = values[(q * (values.len() - 1) as f64) as usize] as f64;
            // half a nanosecond of rounding, and the last bits of the logarithm
            prop_assert!((found - exact).abs() <= exact * (ALPHA + 1e-9) + 0.5, "{found} for {exact}");
        }

        #[test]
        fn a_cell_holds_the_same_sketch(values in durations()) {
            let mut counts = Counts::default();
            values.iter().for_each(|&value| counts.add(4096 + bucket(value), 1));
            counts.add(7, 3);
            prop_assert_eq!(quantiles_of(&counts, 4096), sketch(&values).quantiles());
        }

        #[test]
        fn parts_add_up_to_the_whole(values in durations(), cut in any::<proptest::sample::Index>()) {
            let (left, right) = values.split_at(cut.index(values.len()));
            let (mut there, mut back) = (sketch(left), sketch(right));
            there.merge(&sketch(right));
            back.merge(&sketch(left));
            prop_assert_eq!(&there, &sketch(&values));
            prop_assert_eq!(&there, &back);
            prop_assert_eq!(there.count(), values.len() as u64);
        }
    }
}
