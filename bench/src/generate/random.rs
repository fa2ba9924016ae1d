//! Distributions and ids, all from a seeded generator that is passed in.

use rand::Rng;
use rand::rngs::SmallRng;

/// Indices of which the i-th comes in proportion to 1/(i+1).
pub(crate) struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    /// Over `0..count`; `count` is at least 1.
    pub(crate) fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count.max(1)).map(|rank| 1.0 / rank as f64);
        let cumulative = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    pub(crate) fn pick(&self, random: &mut SmallRng) -> usize {
        let whole = self.cumulative.last().copied().unwrap_or(1.0);
        let at = random.random::<f64>() * whole;
        self.cumulative.partition_point(|&sum| sum < at).min(self.cumulative.len() - 1)
    }
}

/// Lognormal by its median and the standard deviation of the logarithm.
pub(crate) fn lognormal(random: &mut SmallRng, median: f64, sigma: f64) -> f64 {
    // Box and Muller; 1 − u keeps the logarithm finite.
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    median * (sigma * normal).exp()
}

pub(crate) fn one_of<'a, T: ?Sized>(random: &mut SmallRng, list: &'a [&'a T]) -> &'a T {
    list[random.random_range(0..list.len())]
}

/// Keeps `most` items of a stream, each with equal probability.
pub(crate) struct Reservoir<T> {
    kept: Vec<T>,
    most: usize,
    seen: u64,
}

impl<T> Reservoir<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most, seen: 0 }
    }

    /// `make` is called only for what is kept.
    pub(crate) fn offer(&mut self, random: &mut SmallRng, make: impl FnOnce() -> T) {
        self.seen += 1;
        if self.kept.len() < self.most {
            self.kept.push(make());
        } else if let Ok(at) = usize::try_from(random.random_range(0..self.seen))
            && at < self.most
        {
            self.kept[at] = make();
        }
    }

    pub(crate) fn into_kept(self) -> Vec<T> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn lognormal_has_its_median_and_tail() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut drawn: Vec<f64> = (0..20_000).map(|_| lognormal(&mut random, 8.0, 1.558)).collect();
        drawn.sort_by(f64::total_cmp);
        let (median, p99) = (drawn[10_000], drawn[19_800]);
        assert!((7.5..8.5).contains(&median), "{median}");
        assert!((250.0..360.0).contains(&p99), "{p99}");
    }

    #[test]
    fn zipf_prefers_the_first() {
        let mut random = SmallRng::seed_from_u64(1);
        let zipf = Zipf::new(100);
        let mut counts = [0; 100];
        (0..10_000).for_each(|_| counts[zipf.pick(&mut random)] += 1);
        assert!(counts[0] > counts[1] && counts[1] > counts[9] && counts[9] > counts[99], "{counts:?}");
    }

    #[test]
    fn a_reservoir_keeps_early_and_late_ones() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut reservoir = Reservoir::new(100);
        (0..10_000).for_each(|n| reservoir.offer(&mut random, || n));
        let kept = reservoir.into_kept();
        assert_eq!(kept.len(), 100);
        let late = kept.iter().filter(|&&n| n >= 5_000).count();
        assert!((30..70).contains(&late), "{late}");
    }
}
