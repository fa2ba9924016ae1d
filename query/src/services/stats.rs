//! Whether two versions differ, and by how much: error ratios by Wilson's interval, durations by a
//! quantile of the same mix of operations.

use std::collections::BTreeMap;

use storage::rollup::Cell;

use super::model::Verdict;
use super::view;
use crate::graph::sketch::Sketch;
use crate::rollup::slot;

/// Fewest calls of each version whose error ratios are compared.
pub const MIN_ERROR_CALLS: u64 = 200;
/// Fewest calls of each version whose durations are compared.
pub const MIN_LATENCY_CALLS: u64 = 500;
/// Least difference of error ratios that matters.
pub const ERROR_POINTS: f64 = 0.01;
/// Least ratio of the standardised p95 that matters.
pub const LATENCY_RATIO: f64 = 1.3;
/// Fewest calls of an operation in each version that its distribution is taken from.
pub const MIN_OPERATION_CALLS: u64 = 20;
/// A kind of event is new in one version where the other, had it the same rate, would show this many:
/// none at all has then a chance below 5 %.
pub const EXPECTED: f64 = 3.0;
/// Of the normal distribution, 95 %.
const Z: f64 = 1.96;

/// Calls of one version by operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) operations: BTreeMap<String, Cell>,
}

impl Sample {
    pub(crate) fn sum(&self) -> Cell {
        let mut sum = Cell::default();
        self.operations.values().for_each(|cell| sum.merge(cell, 1));
        sum
    }

    pub(crate) fn only(&self, operation: &str) -> Self {
        let operations = self.operations.get_key_value(operation);
        Self { operations: operations.map(|(name, cell)| (name.clone(), cell.clone())).into_iter().collect() }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.operations.values().map(calls).sum()
    }

    fn errors(&self) -> u64 {
        self.operations.values().map(|cell| view::count(cell, slot::ERRORS)).sum()
    }
}

/// What the calls of both say, with reasons in words.
pub(crate) fn judge(base: &Sample, head: &Sample) -> (Verdict, Vec<String>) {
    let (few, many) = (base.calls().min(head.calls()), base.calls().max(head.calls()));
    if few < MIN_ERROR_CALLS {
        let told = format!("too few calls to tell: {few} and {many}, where {MIN_ERROR_CALLS} of each are needed");
        return (Verdict::Unknown, vec![told]);
    }
    let found: Vec<(Verdict, String)> = [errors(base, head), latency(base, head)].into_iter().flatten().collect();
    let says = |wanted| found.iter().any(|(verdict, _)| *verdict == wanted);
    let verdict = [Verdict::Worse, Verdict::Better].into_iter().find(|verdict| says(*verdict)).unwrap_or(Verdict::Same);
    (verdict, found.into_iter().map(|(_, reason)| reason).collect())
}

fn errors(base: &Sample, head: &Sample) -> Option<(Verdict, String)> {
    let (old, new) = (wilson(base.errors(), base.calls()), wilson(head.errors(), head.calls()));
    let ratio = |sample: &Sample| sample.errors() as f64 / sample.calls() as f64;
    let verdict = if new.0 > old.1 && ratio(head) - ratio(base) >= ERROR_POINTS {
        Verdict::Worse
    } else if old.0 > new.1 && ratio(base) - ratio(head) >= ERROR_POINTS {
        Verdict::Better
    } else {
        return None;
    };
    let tell = |sample: &Sample, (low, high): (f64, f64)| {
        let percent = |ratio: f64| format!("{:.2}", 100.0 * ratio);
        let (errors, calls) = (sample.errors(), sample.calls());
        format!("{} % ({errors} of {calls}; {} to {} %)", percent(ratio(sample)), percent(low), percent(high))
    };
    Some((verdict, format!("{} of the calls fail, before it was {}", tell(head, new), tell(base, old))))
}

fn latency(base: &Sample, head: &Sample) -> Option<(Verdict, String)> {
    let (few, many) = (base.calls().min(head.calls()), base.calls().max(head.calls()));
    if few < MIN_LATENCY_CALLS {
        let told =
            format!("too few calls to compare durations: {few} and {many}, where {MIN_LATENCY_CALLS} are needed");
        return Some((Verdict::Same, told));
    }
    let (old, new) = standardised_p95(base, head)?;
    let ratio = new.max(1) as f64 / old.max(1) as f64;
    let verdict = if ratio >= LATENCY_RATIO {
        Verdict::Worse
    } else if ratio <= 1.0 / LATENCY_RATIO {
        Verdict::Better
    } else {
        return None;
    };
    let ms = |ns: u64| format!("{:.3} ms", ns as f64 / 1e6);
    let told = format!("the p95 of the same mix of operations is {}, {ratio:.2} times {}", ms(new), ms(old));
    Some((verdict, told))
}

/// The interval that holds the true ratio with 95 %: Wilson, "Probable inference, the law of succession,
/// and statistical inference" (1927). None of none is anything from 0 to 1.
pub fn wilson(part: u64, whole: u64) -> (f64, f64) {
    if whole == 0 {
        return (0.0, 1.0);
    }
    let (n, ratio) = (whole as f64, part.min(whole) as f64 / whole as f64);
    let middle = ratio + Z * Z / (2.0 * n);
    let half = Z * (ratio * (1.0 - ratio) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

/// The p95, ns, that either version would have if both were asked for their common operations in the
/// proportions of all calls: another mix of operations is no change of speed.
fn standardised_p95(base: &Sample, head: &Sample) -> Option<(u64, u64)> {
    let enough = |cell: &&Cell| calls(cell) >= MIN_OPERATION_CALLS;
    let common: Vec<(&Cell, &Cell)> = base
        .operations
        .iter()
        .filter_map(|(name, old)| Some((Some(old).filter(enough)?, head.operations.get(name).filter(enough)?)))
        .collect();
    let mixed = |own: &dyn Fn(&(&Cell, &Cell)) -> Cell| {
        let mut weights: BTreeMap<u64, f64> = BTreeMap::new();
        for both in &common {
            let (cell, weight) = (own(both), (calls(both.0) + calls(both.1)) as f64);
            let all = calls(&cell) as f64;
            for (slot, count) in cell.counts.slots(slot::SERVER..slot::SERVER + slot::SKETCH) {
                let value = middle(slot - slot::SERVER);
                *weights.entry(value).or_default() += weight * count.max(0) as f64 / all;
            }
        }
        quantile(&weights, 0.95)
    };
    Some((mixed(&|both| both.0.clone())?, mixed(&|both| both.1.clone())?))
}

fn quantile(weights: &BTreeMap<u64, f64>, q: f64) -> Option<u64> {
    let wanted = q * weights.values().sum::<f64>();
    let mut below = 0.0;
    let found = weights.iter().find(|(_, weight)| {
        below += **weight;
        below >= wanted
    });
    found.or(weights.last_key_value()).map(|(value, _)| *value)
}

/// The value that a bucket stands for.
fn middle(bucket: u16) -> u64 {
    let mut one = Sketch::default();
    one.add_bucket(bucket, 1);
    one.quantile(0.5).unwrap_or(0)
}

fn calls(cell: &Cell) -> u64 {
    view::count(cell, slot::CALLS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::sketch;

    fn sample(operations: &[(&str, u64, u64, u64)]) -> Sample {
        let mut sample = Sample::default();
        for (name, calls, errors, duration) in operations {
            let cell = sample.operations.entry((*name).to_owned()).or_default();
            cell.counts.add(slot::CALLS, *calls as i64);
            cell.counts.add(slot::ERRORS, *errors as i64);
            cell.counts.add(slot::SERVER + sketch::bucket(*duration), *calls as i64);
        }
        sample
    }

    fn verdict(base: &[(&str, u64, u64, u64)], head: &[(&str, u64, u64, u64)]) -> Verdict {
        judge(&sample(base), &sample(head)).0
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn wilson_as_in_tables() {
        let (low, high) = wilson(10, 100);
        assert!((low - 0.0552).abs() < 1e-3 && (high - 0.1744).abs() < 1e-3, "{low} {high}");
        assert_eq!((wilson(0, 50).0, wilson(50, 50).1, wilson(0, 0)), (0.0, 1.0, (0.0, 1.0)));
    }

    #[test]
    fn errors_decide_only_where_the_intervals_are_apart() {
        let fine = [("a", 1000, 1, MS)];
        assert_eq!(verdict(&fine, &[("a", 1000, 60, MS)]), Verdict::Worse);
        assert_eq!(verdict(&[("a", 1000, 60, MS)], &fine), Verdict::Better);
        assert_eq!(verdict(&fine, &[("a", 1000, 9, MS)]), Verdict::Same, "less than a point");
        assert_eq!(verdict(&[("a", 250, 5, MS)], &[("a", 250, 10, MS)]), Verdict::Same, "the intervals meet");
        assert_eq!(verdict(&fine, &[("a", 199, 199, MS)]), Verdict::Unknown);
        let (_, reasons) = judge(&sample(&fine), &sample(&[("a", 1000, 60, MS)]));
        assert!(reasons[0].contains("6.00 % (60 of 1000"), "{reasons:?}");
    }

    #[test]
    fn another_mix_of_operations_is_no_change_of_speed() {
        let base = [("fast", 900, 0, MS), ("slow", 100, 0, 100 * MS)];
        let mix = [("fast", 500, 0, MS), ("slow", 500, 0, 100 * MS)];
        assert_eq!(verdict(&base, &mix), Verdict::Same);
        let slower = [("fast", 500, 0, MS), ("slow", 500, 0, 140 * MS)];
        assert_eq!(verdict(&base, &slower), Verdict::Worse);
        assert_eq!(verdict(&slower, &base), Verdict::Better);
        let few = [("fast", 250, 0, MS), ("slow", 249, 0, 900 * MS)];
        let (verdict, reasons) = judge(&sample(&base), &sample(&few));
        assert_eq!(verdict, Verdict::Same, "too few to compare durations");
        assert!(reasons[0].contains("durations"), "{reasons:?}");
        assert_eq!(self::verdict(&base, &[("new", 1000, 0, 900 * MS)]), Verdict::Same, "nothing in common");
    }

    proptest! {
        #[test]
        fn a_version_is_as_good_as_itself(ops in prop::collection::vec((1u64..2000, 0u64..100, 0u64..MS), 1..5)) {
            let names = ["a", "b", "c", "d", "e"];
            let ops: Vec<_> = names.into_iter().zip(&ops).map(|(name, (n, e, d))| (name, *n, *e.min(n), *d)).collect();
            prop_assert!(matches!(verdict(&ops, &ops), Verdict::Same | Verdict::Unknown));
        }

        #[test]
        fn the_interval_holds_the_ratio(part in 0u64..1000, more in 0u64..1000) {
            let (low, high) = wilson(part, part + more);
            let ratio = if part + more == 0 { 0.5 } else { part as f64 / (part + more) as f64 };
            prop_assert!(0.0 <= low && low <= ratio + 1e-12 && ratio <= high + 1e-12 && high <= 1.0);
        }
    }
}
