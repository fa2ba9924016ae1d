//! F15: what the slow traces of an operation wait for.

use std::collections::BTreeMap;

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::{Proof, Sample};
use crate::findings::thresholds::threshold;

static SHARE: Threshold =
    threshold("F15.share", 0.4, "share", "of the critical path of the slowest 5 %", "最慢 5% 链路关键路径的占比");
static MORE: Threshold = threshold("F15.more", 0.15, "share", "more than in the other traces", "比其余链路高出的占比");
static TRACES: Threshold = threshold("F15.traces", 50.0, "traces", "fewer are not judged", "链路少于此值不作判断");
static TAIL: Threshold =
    threshold("F15.tail", 3.0, "times", "the median takes the 95th percentile", "P95 是中位数的倍数");
static WINDOWS: Threshold =
    threshold("F15.windows", 30.0, "windows", "of a minute that are looked at", "查看的一分钟窗口个数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F15",
    name: "bottleneck",
    principle: "performance",
    version: 1,
    severity: Severity::Info,
    title: Words { en: "Bottleneck", zh: "性能瓶颈" },
    what: Words {
        en: "The slowest traces of an operation wait for one operation further down, and more than the others do.",
        zh: "某操作最慢的链路主要在等待下游同一操作，且占比明显高于其余链路。",
    },
    guard: Words {
        en: "Fifty traces at least; the slow ones must be much slower than the median; each place's share is \
             compared with the other traces'.",
        zh: "至少五十条链路；慢链路须明显慢于中位数；与其余链路的占比比较。",
    },
    thresholds: &[&SHARE, &MORE, &TRACES, &TAIL, &WINDOWS],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.two_sided(&RULE, verdict) {
        return;
    }
    let most = case.limit(&WINDOWS) as usize;
    let windows = &case.windows[case.windows.len().saturating_sub(most)..];
    let mut operations: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for window in windows {
        for (operation, samples) in &window.paths {
            operations.entry(operation).or_default().extend(samples);
        }
    }
    let mut few = Vec::new();
    for (operation, mut samples) in operations {
        if (samples.len() as f64) < case.limit(&TRACES) {
            few.push(operation.replace('\u{1f}', " "));
            continue;
        }
        samples.sort_by_key(|sample| (sample.duration, sample.trace));
        slow(case, operation, &samples, verdict);
    }
    if let Some(first) = few.first() {
        let (count, least) = (few.len(), case.limit(&TRACES));
        verdict.skip(
            &RULE,
            Some("operations with few traces"),
            format!("{count} operations had fewer than {least} traces, {first} among them"),
            format!("有 {count} 个操作的链路少于 {least} 条，例如 {first}"),
        );
    }
}

/// `samples` by duration.
fn slow(case: &Case<'_>, operation: &str, samples: &[&Sample], verdict: &mut Verdict) {
    let cut = samples.len() * 95 / 100;
    let (others, slowest) = samples.split_at(cut.min(samples.len() - 1));
    let (median, p95) = (samples[samples.len() / 2].duration as f64, slowest[0].duration as f64);
    if p95 < case.limit(&TAIL) * median {
        return;
    }
    let mut places: BTreeMap<&str, f64> = BTreeMap::new();
    for (place, share, _) in slowest.iter().flat_map(|sample| &sample.shares) {
        *places.entry(place).or_default() += f64::from(*share) / slowest.len() as f64;
    }
    let Some((place, share)) = places.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
    let of = |sample: &Sample| {
        sample.shares.iter().find(|(known, ..)| known == place).map_or(0.0, |(_, share, _)| f64::from(*share))
    };
    let usual = others.iter().map(|sample| of(sample)).sum::<f64>() / others.len().max(1) as f64;
    if share < case.limit(&SHARE) || share - usual < case.limit(&MORE) {
        return;
    }
    let (operation, place) = (operation.replace('\u{1f}', " "), place.replace('\u{1f}', " "));
    let claim = Text::new(
        format!(
            "the slowest traces of {operation} ({:.0} ms and more) wait for {place} {:.0} % of the time, the \
             others {:.0} %",
            p95 / 1e6,
            share * 100.0,
            usual * 100.0
        ),
        format!(
            "{operation} 最慢的链路（{:.0} 毫秒以上）有 {:.0}% 的时间在等待 {place}，其余链路为 {:.0}%",
            p95 / 1e6,
            share * 100.0,
            usual * 100.0
        ),
    );
    let service = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    let subject = Subject::new(
        SubjectKind::Operation,
        format!("{operation} ← {place}"),
        &[&service(&place), &service(&operation)],
    );
    let proofs: Vec<Proof> = slowest
        .iter()
        .rev()
        .take(3)
        .map(|sample| Proof {
            weight: sample.duration,
            trace: sample.trace,
            spans: sample
                .shares
                .iter()
                .filter(|(known, ..)| known.replace('\u{1f}', " ") == place)
                .map(|(_, _, span)| *span)
                .collect(),
        })
        .collect();
    let found = case.draft(&RULE, Severity::Info, subject, claim).n(samples.len() as u64).confident(0.7);
    let found = found.measure("share", share).measure("p95_ms", p95 / 1e6).before("share", usual);
    let found = found.against(&SHARE, case).against(&MORE, case).against(&TAIL, case);
    verdict.found.push(found.proven(&proofs, Text::new("a slow trace waits here", "慢链路在此等待")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, span, trace};

    /// Per minute so many traces of 10 ms, and one of so many ms that waits for `pay`.
    fn world(fast: u64, slow_ms: u64, share: f32) -> World {
        let mut world = World::new(10);
        for (at, window) in world.windows.iter_mut().enumerate() {
            let sample = |number: u64, ms: u64, share: f32| Sample {
                trace: trace(at as u64 * 1_000 + number),
                root: span(number),
                duration: ms * 1_000_000,
                shares: vec![("pay\u{1f}Charge".to_owned(), share, span(number + 1))],
            };
            let samples = window.paths.entry("web\u{1f}POST /orders".to_owned()).or_default();
            samples.extend((0..fast).map(|number| sample(number, 10, 0.2)));
            samples.push(sample(fast, slow_ms, share));
        }
        world
    }

    #[test]
    fn what_slow_traces_wait_for_is_found() {
        let found = world(10, 100, 0.8).one(judge);
        assert_eq!((found.subject.id.as_str(), found.evidence.len()), ("web POST /orders ← pay Charge", 3));
    }

    #[test]
    fn slow_traces_that_are_like_the_others_are_healthy() {
        world(10, 20, 0.8).silent(judge);
        world(10, 100, 0.3).silent(judge);
    }

    #[test]
    fn few_traces_are_not_judged() {
        assert!(world(2, 100, 0.8).reason(judge).contains("fewer than 50"));
    }
}
