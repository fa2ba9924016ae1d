//! Quantiles of what buckets count.

use std::collections::BTreeMap;

use super::Labels;

/// The quantile of each histogram, whose buckets are told apart by `le`; as Prometheus estimates it.
pub(super) fn quantiles(quantile: f64, buckets: Vec<(Labels, f64)>) -> Vec<(Labels, f64)> {
    let mut histograms: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (mut labels, count) in buckets {
        labels.remove("__name__");
        // What has no bound is no bucket.
        let Some(bound) = labels.remove("le").and_then(|text| bound(&text)) else { continue };
        histograms.entry(labels).or_default().push((bound, count));
    }
    histograms.into_iter().map(|(labels, buckets)| (labels, of(quantile, buckets))).collect()
}

fn bound(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        text => text.parse().ok().filter(|bound: &f64| !bound.is_nan()),
    }
}

/// Within a bucket, observations are taken to be spread evenly.
fn of(quantile: f64, mut buckets: Vec<(f64, f64)>) -> f64 {
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    if quantile.is_nan() || buckets.len() < 2 || buckets.last().is_none_or(|last| last.0 != f64::INFINITY) {
        return f64::NAN;
    }
    let total = buckets.last().map_or(0.0, |last| last.1);
    if total == 0.0 {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    let rank = quantile * total;
    let last = buckets.len() - 1;
    let at = buckets[..last].partition_point(|bucket| bucket.1 < rank);
    if at == last {
        return buckets[last - 1].0;
    }
    let (end, count) = buckets[at];
    if at == 0 && end <= 0.0 {
        return end;
    }
    let (start, below) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    start + (end - start) * ((rank - below) / (count - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(&str, f64)]) -> Vec<(Labels, f64)> {
        let labels =
            |bound: &str| Labels::from([("le".to_owned(), bound.to_owned()), ("a".to_owned(), "b".to_owned())]);
        buckets.iter().map(|(bound, count)| (labels(bound), *count)).collect()
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let buckets = [("0.1", 0.0), ("0.2", 8.0), ("0.4", 10.0), ("+Inf", 10.0)];
        for (quantile, expected) in [(0.4, 0.15), (0.9, 0.3), (1.0, 0.4), (2.0, f64::INFINITY)] {
            let found = quantiles(quantile, histogram(&buckets));
            assert_eq!(found[0].0, Labels::from([("a".to_owned(), "b".to_owned())]));
            assert!((found[0].1 - expected).abs() < 1e-9 || found[0].1 == expected, "{quantile}: {found:?}");
        }
    }

    #[test]
    fn what_is_over_the_last_bound_is_at_it_and_nothing_is_no_number() {
        assert_eq!(quantiles(0.9, histogram(&[("1", 1.0), ("+Inf", 10.0)]))[0].1, 1.0);
        assert!(quantiles(0.9, histogram(&[("1", 0.0), ("+Inf", 0.0)]))[0].1.is_nan());
        assert!(quantiles(0.9, histogram(&[("1", 1.0), ("2", 2.0)]))[0].1.is_nan());
    }
}
