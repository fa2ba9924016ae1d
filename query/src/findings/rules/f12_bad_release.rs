//! F12: a release that fails more, or is slower, than the one before; versions side by side for too long.

use std::collections::{BTreeMap, BTreeSet};

use storage::rollup::{Cell, Minute, NANOS_PER_MINUTE};

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{count, proofs};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::thresholds::threshold;
use crate::graph::sketch::Sketch;
use crate::rollup::{Cells, Key, slot};

static ERROR_CALLS: Threshold = threshold(
    "F12.error_calls",
    200.0,
    "calls",
    "of each version, to compare failures",
    "比较错误率时每个版本所需调用数",
);
static ERROR_POINTS: Threshold = threshold(
    "F12.error_points",
    0.01,
    "share",
    "more failures, and Wilson intervals (95 %) apart",
    "错误率升高，且 95% Wilson 区间不相交",
);
static SLOW_CALLS: Threshold = threshold(
    "F12.slow_calls",
    500.0,
    "calls",
    "of each version, to compare durations",
    "比较耗时时每个版本所需调用数",
);
static SLOWER: Threshold = threshold(
    "F12.slower",
    1.3,
    "times",
    "the 95th percentile with the same mix of operations",
    "相同操作构成下 P95 的倍数",
);
static EXCEPTIONS: Threshold = threshold(
    "F12.exceptions",
    5.0,
    "times",
    "that an exception came which the version before did not throw",
    "旧版本没有的异常出现次数",
);
static VERSIONS: Threshold = threshold(
    "F12.versions",
    2.0,
    "versions",
    "more side by side than this for a day",
    "同时存在超过此数量的版本达一天",
);

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F12",
    name: "bad_release",
    principle: "independent_release",
    version: 1,
    severity: Severity::Critical,
    title: Words { en: "Bad release", zh: "问题发布" },
    what: Words {
        en: "The newest version of a service fails more, is slower, or throws what the one before did not; or \
             more than two versions run for a day.",
        zh: "服务的最新版本错误更多、更慢或抛出新的异常；或两个以上版本并存一天。",
    },
    guard: Words {
        en: "Minutes in which both versions run are preferred; confidence intervals must be apart; durations are \
             compared operation by operation.",
        zh: "优先比较两版本同时运行的分钟；置信区间必须分离；按操作逐一比较耗时。",
    },
    thresholds: &[&ERROR_CALLS, &ERROR_POINTS, &SLOW_CALLS, &SLOWER, &EXCEPTIONS, &VERSIONS],
};

/// Minutes in which both versions must run to be compared side by side.
const SIDE_BY_SIDE: usize = 5;

/// What a version served in the minutes that are compared.
#[derive(Default)]
struct Served {
    sum: Cell,
    operations: BTreeMap<String, Cell>,
}

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    for (service, versions) in versions(case.cells, case.minutes().end) {
        let mut order: Vec<(&str, i64)> =
            versions.iter().map(|(version, minutes)| (*version, first(case, service, version, minutes))).collect();
        order.sort_by_key(|(version, at)| (*at, *version));
        if let [.., (base, _), (head, _)] = order[..] {
            compare(case, service, (base, &versions[base]), (head, &versions[head]), verdict);
        }
    }
    match case.day {
        Some(day) => side_by_side(case, day, verdict),
        None => {
            verdict.skip(&RULE, Some("versions side by side"), "the last day is not read yet", "最近一天的数据尚未读取")
        }
    }
}

/// When the version was first seen, ns.
fn first(case: &Case<'_>, service: &str, version: &str, minutes: &BTreeSet<Minute>) -> i64 {
    let known = case.releases.get(service).and_then(|versions| versions.get(version)).copied();
    known.or(minutes.first().map(|minute| minute * NANOS_PER_MINUTE)).unwrap_or(case.to)
}

/// Minutes in which each version of each service served calls.
fn versions(cells: &Cells, end: Minute) -> BTreeMap<&str, BTreeMap<&str, BTreeSet<Minute>>> {
    let mut services: BTreeMap<&str, BTreeMap<&str, BTreeSet<Minute>>> = BTreeMap::new();
    for series in &cells.series {
        let Key::Serve { service, version, .. } = &series.key else { continue };
        if !version.is_empty() {
            let minutes = series.cells.range(..end).map(|(minute, _)| *minute);
            services.entry(service).or_default().entry(version).or_default().extend(minutes);
        }
    }
    services.values_mut().for_each(|versions| versions.retain(|_, minutes| !minutes.is_empty()));
    services
}

type Version<'a> = (&'a str, &'a BTreeSet<Minute>);

fn compare(case: &Case<'_>, service: &str, base: Version<'_>, head: Version<'_>, verdict: &mut Verdict) {
    let both: BTreeSet<Minute> = base.1.intersection(head.1).copied().collect();
    let canary = both.len() >= SIDE_BY_SIDE;
    let (before, after) = match canary {
        true => (served(case.cells, service, base.0, &both), served(case.cells, service, head.0, &both)),
        false => (served(case.cells, service, base.0, base.1), served(case.cells, service, head.0, head.1)),
    };
    let calls = |served: &Served| count(&served.sum, slot::CALLS);
    let id = format!("{service} {}", head.0);
    let least = case.limit(&ERROR_CALLS);
    if (calls(&before) as f64) < least || (calls(&after) as f64) < least {
        verdict.skip(
            &RULE,
            Some(&id),
            format!(
                "{} calls of {} and {} of {}; {least} of each are needed",
                calls(&before),
                base.0,
                calls(&after),
                head.0
            ),
            format!("{} 有 {} 次调用，{} 有 {} 次；各需 {least} 次", base.0, calls(&before), head.0, calls(&after)),
        );
        return;
    }
    let how = if canary { ("side by side", "同时运行") } else { ("before and after", "前后对比") };
    let confidence = if canary { 0.95 } else { 0.75 };
    let mut tell = |kind: &str, severity, claim: Text, measured: (&str, f64, f64), limits: [&Threshold; 2]| {
        let subject = Subject::new(SubjectKind::Release, format!("{kind} {id}"), &[service]);
        let found = case.draft(&RULE, severity, subject, claim).n(calls(&after)).confident(confidence);
        let found = found.measure(measured.0, measured.1).before(measured.0, measured.2);
        let found = limits.into_iter().fold(found, |found, limit| found.against(limit, case));
        let why = Text::new(format!("served by {}", head.0), format!("由 {} 服务", head.0));
        verdict.found.push(found.proven(&proofs(&after.sum), why));
    };
    let ratio = |served: &Served| count(&served.sum, slot::ERRORS) as f64 / calls(served).max(1) as f64;
    let (worse, better) = (ratio(&after), ratio(&before));
    let apart = wilson(count(&after.sum, slot::ERRORS), calls(&after)).0
        > wilson(count(&before.sum, slot::ERRORS), calls(&before)).1;
    if apart && worse - better >= case.limit(&ERROR_POINTS) {
        let claim = Text::new(
            format!(
                "{service} {} fails {:.1} % of its calls, {} {:.1} % ({})",
                head.0,
                worse * 100.0,
                base.0,
                better * 100.0,
                how.0
            ),
            format!(
                "{service} {} 的错误率为 {:.1}%，{} 为 {:.1}%（{}）",
                head.0,
                worse * 100.0,
                base.0,
                better * 100.0,
                how.1
            ),
        );
        tell("errors", Severity::Critical, claim, ("error_ratio", worse, better), [&ERROR_POINTS, &ERROR_CALLS]);
    }
    let enough = [&before, &after].iter().all(|served| calls(served) as f64 >= case.limit(&SLOW_CALLS));
    if let Some((slow, fast)) = standardised(&before, &after).filter(|_| enough)
        && slow >= case.limit(&SLOWER) * fast
    {
        let claim = Text::new(
            format!(
                "{service} {} takes {:.0} ms (95th percentile), {} {:.0} ms with the same mix of operations ({})",
                head.0,
                slow / 1e6,
                base.0,
                fast / 1e6,
                how.0
            ),
            format!(
                "{service} {} 的 P95 为 {:.0} 毫秒，{} 在相同操作构成下为 {:.0} 毫秒（{}）",
                head.0,
                slow / 1e6,
                base.0,
                fast / 1e6,
                how.1
            ),
        );
        tell("latency", Severity::Warning, claim, ("p95_ms", slow / 1e6, fast / 1e6), [&SLOWER, &SLOW_CALLS]);
    }
    exceptions(case, service, base.0, head.0, confidence, verdict);
}

fn served(cells: &Cells, name: &str, of: &str, minutes: &BTreeSet<Minute>) -> Served {
    let mut served = Served::default();
    for series in &cells.series {
        let Key::Serve { service, version, operation, .. } = &series.key else { continue };
        if service != name || version != of {
            continue;
        }
        for (_, cell) in series.cells.iter().filter(|(minute, _)| minutes.contains(minute)) {
            served.sum.merge(cell, 1);
            served.operations.entry(operation.clone()).or_default().merge(cell, 1);
        }
    }
    served
}

/// 95th percentiles (ns) of the newer version and of the older, had it served the same mix of operations.
fn standardised(before: &Served, after: &Served) -> Option<(f64, f64)> {
    /// Counts are scaled by it before they are weighted: buckets hold whole numbers.
    const SCALE: f64 = 1e6;
    let (mut old, mut new) = (Sketch::default(), Sketch::default());
    for (operation, cell) in &after.operations {
        let Some(was) = before.operations.get(operation) else { continue };
        let (calls, had) = (count(cell, slot::CALLS), count(was, slot::CALLS));
        if calls == 0 || had == 0 {
            continue;
        }
        for (sketch, cell, weight) in [(&mut new, cell, 1.0), (&mut old, was, calls as f64 / had as f64)] {
            for (slot, count) in cell.counts.slots(slot::SERVER..slot::SERVER + slot::SKETCH) {
                sketch.add_bucket(slot - slot::SERVER, (count.max(0) as f64 * weight * SCALE) as u64);
            }
        }
    }
    Some((new.quantile(0.95)? as f64, old.quantile(0.95)? as f64))
}

/// Wilson's interval of a share, 95 %.
fn wilson(hits: u64, of: u64) -> (f64, f64) {
    const Z: f64 = 1.96;
    let n = of.max(1) as f64;
    let share = hits as f64 / n;
    let (middle, margin) = (share + Z * Z / (2.0 * n), Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt());
    let whole = 1.0 + Z * Z / n;
    ((middle - margin) / whole, (middle + margin) / whole)
}

fn exceptions(case: &Case<'_>, service: &str, base: &str, head: &str, confidence: f64, verdict: &mut Verdict) {
    let known =
        |kind: &str| case.windows.iter().any(|window| window.get(Family::Exceptions, &[service, base, kind]).is_some());
    for track in case.tracks(Family::Exceptions) {
        let [of, version, kind] = [0, 1, 2].map(|at| track.part(at));
        if of != service
            || version != head
            || known(kind)
            || (track.sum.hits as f64) < case.limit(&EXCEPTIONS)
            || !track.hit_twice()
        {
            continue;
        }
        let claim = Text::new(
            format!("{service} {head} throws {kind}, which {base} did not"),
            format!("{service} {head} 抛出 {base} 没有的异常 {kind}"),
        );
        let subject = Subject::new(SubjectKind::Release, format!("exception {service} {head} {kind}"), &[service]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(track.sum.hits).confident(confidence * 0.9);
        let found = found.measure("count", track.sum.hits as f64).against(&EXCEPTIONS, case);
        verdict.found.push(found.proven(&track.sum.proofs, Text::new("it is thrown here", "在此抛出")));
    }
}

/// More versions at once than two, in most hours of a day.
fn side_by_side(case: &Case<'_>, day: &Cells, verdict: &mut Verdict) {
    const HOUR: i64 = 60;
    for (service, versions) in versions(day, case.minutes().end) {
        let mut hours: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for (version, minutes) in &versions {
            for minute in minutes {
                hours.entry(minute.div_euclid(HOUR)).or_default().insert(version);
            }
        }
        let many = hours.values().filter(|versions| versions.len() as f64 > case.limit(&VERSIONS)).count();
        if many < 24 {
            continue;
        }
        let named = versions.keys().copied().collect::<Vec<_>>().join(", ");
        let claim = Text::new(
            format!("{} versions of {service} have run side by side for a day: {named}", versions.len()),
            format!("{service} 有 {} 个版本并存达一天：{named}", versions.len()),
        );
        let calls =
            day.series.iter().filter(|series| matches!(&series.key, Key::Serve { service: of, .. } if of == service));
        let calls: u64 = calls.map(|series| count(&series.sum(), slot::CALLS)).sum();
        let subject = Subject::new(SubjectKind::Service, format!("versions {service}"), &[service]);
        let found = case.draft(&RULE, Severity::Info, subject, claim).n(calls);
        verdict.found.push(found.measure("versions", versions.len() as f64).against(&VERSIONS, case));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    const MS: u64 = 1_000_000;

    fn released(calls: i64, errors: i64, duration: u64) -> World {
        let mut world = World::new(5);
        world.hours = 1;
        world.serve(("pay", "1.0", "Charge"), 20..50, 50, 0, 20 * MS).serve(
            ("pay", "1.1", "Charge"),
            0..20,
            calls,
            errors,
            duration,
        )
    }

    #[test]
    fn failures_and_slowness_of_the_newest_are_found() {
        let found = released(50, 5, 20 * MS).one(judge);
        assert_eq!((found.severity, found.measured[0].1), (Severity::Critical, 0.1));
        let slow = released(50, 0, 40 * MS).one(judge);
        assert!(slow.subject.id.starts_with("latency") && slow.claim.en.contains("40 ms"), "{slow:?}");
    }

    #[test]
    fn the_same_is_healthy() {
        released(50, 0, 20 * MS).silent(judge);
        released(50, 0, 24 * MS).silent(judge);
    }

    #[test]
    fn few_calls_are_not_judged() {
        assert!(released(5, 3, 20 * MS).reason(judge).contains("100 of 1.1"));
    }

    #[test]
    fn a_canary_is_compared_in_its_own_minutes() {
        let mut world = World::new(5).serve(("pay", "1.0", "Charge"), 0..50, 50, 5, 20 * MS);
        world.hours = 1;
        // The old version fails as often as the new one does now: it is not the release.
        world.serve(("pay", "1.1", "Charge"), 0..20, 50, 5, 20 * MS).silent(judge);
    }

    #[test]
    fn a_new_exception_is_found() {
        let key = ["pay", "1.1", "NullPointerException"];
        let found = released(50, 0, 20 * MS).lately(3, Family::Exceptions, &key, 0, 3).one(judge);
        assert!(found.claim.en.contains("1.0 did not"));
        let old = ["pay", "1.0", "NullPointerException"];
        released(50, 0, 20 * MS)
            .lately(3, Family::Exceptions, &key, 0, 3)
            .seen(Family::Exceptions, &old, 0, 1)
            .silent(judge);
    }

    #[test]
    fn the_mix_of_operations_does_not_count() {
        let mut world = World::new(5);
        world.hours = 1;
        world
            .serve(("pay", "1.0", "Fast"), 20..50, 95, 0, 10 * MS)
            .serve(("pay", "1.0", "Slow"), 20..50, 4, 0, 900 * MS)
            .serve(("pay", "1.1", "Fast"), 0..20, 50, 0, 10 * MS)
            .serve(("pay", "1.1", "Slow"), 0..20, 50, 0, 900 * MS)
            .silent(judge);
    }

    #[test]
    fn intervals_hold_the_share() {
        let (low, high) = wilson(5, 100);
        assert!((0.02..0.03).contains(&low) && (0.11..0.12).contains(&high), "{low} {high}");
    }
}
