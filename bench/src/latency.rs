//! Times that were taken, and their quantiles.

use std::time::Duration;

/// Every single time is kept: there are a few thousand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    taken: Vec<Duration>,
}

impl Latencies {
    pub(crate) fn push(&mut self, taken: Duration) {
        self.taken.push(taken);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.taken.extend(other.taken);
    }

    pub(crate) fn len(&self) -> usize {
        self.taken.len()
    }

    /// The least time that this share of all does not exceed, ms; NaN of none.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.taken.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).map_or(f64::NAN, |taken| taken.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_taken() {
        let mut latencies = Latencies::default();
        assert!(latencies.quantile_ms(0.5).is_nan());
        (1..=200).rev().for_each(|ms| latencies.push(Duration::from_millis(ms)));
        let at = |share| latencies.quantile_ms(share);
        assert_eq!((at(0.0), at(0.5), at(0.99), at(1.0)), (1.0, 100.0, 198.0, 200.0));
    }
}
