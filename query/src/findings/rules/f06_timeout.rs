//! F6: time limits that are missing, upside down, or leave work behind.

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::Track;
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::thresholds::threshold;

static ABANDONED: Threshold = threshold(
    "F6.abandoned",
    0.01,
    "share",
    "of the calls are worked on after the caller gave up",
    "调用方放弃后仍在执行的调用比例",
);
static SAMPLES: Threshold =
    threshold("F6.samples", 5.0, "calls", "timed out, to infer a limit", "推断超时上限所需的超时次数");
static SPREAD: Threshold =
    threshold("F6.spread", 0.1, "share", "by which those durations may differ", "这些耗时允许的离散程度");
static MISSING: Threshold =
    threshold("F6.missing_s", 60.0, "s", "a call may last without a time limit", "没有超时限制的调用最长时间");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F6",
    name: "timeout",
    principle: "fault_tolerance",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Time limits", zh: "超时设置" },
    what: Words {
        en: "A callee works on when its caller has given up; an inner limit is not shorter than the outer one; a \
             call has no limit at all.",
        zh: "调用方放弃后被调用方仍在执行；内层超时不短于外层；调用根本没有超时限制。",
    },
    guard: Words {
        en: "Messages do not count; limits are inferred only where calls time out after the same time; a call \
             that is always long is a stream.",
        zh: "消息不计；只有超时耗时一致时才推断上限；总是很长的调用视为流。",
    },
    thresholds: &[&ABANDONED, &SAMPLES, &SPREAD, &MISSING],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let limits = case.tracks(Family::Limits);
    missing(case, &limits, verdict);
    if !case.two_sided(&RULE, verdict) {
        return;
    }
    abandoned(case, verdict);
    inverted(case, &limits, verdict);
}

fn abandoned(case: &Case<'_>, verdict: &mut Verdict) {
    let least = case.limit(&ABANDONED);
    for track in case.tracks(Family::Abandoned) {
        if track.sum.hits == 0 || track.sum.share() < least {
            continue;
        }
        let [caller, callee, operation] = [0, 1, 2].map(|at| track.part(at));
        let id = format!("abandoned {caller} → {callee} {operation}");
        if !case.gate(&RULE, &id, track.sum.of, track.sum.traces, verdict) {
            continue;
        }
        if !track.hit_twice() {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let longer = track.sum.values.quantile(0.5).unwrap_or(0) as f64 / 1e6;
        let share = track.sum.share() * 100.0;
        let claim = Text::new(
            format!(
                "{callee} works on `{operation}` for {longer:.0} ms more (median) when {caller} has given up, in \
                 {share:.1} % of the calls"
            ),
            format!(
                "{caller} 放弃之后，{callee} 仍继续执行 `{operation}`（中位数 {longer:.0} 毫秒），占调用的 {share:.1}%"
            ),
        );
        let subject = Subject::new(SubjectKind::Edge, id, &[caller, callee]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(track.sum.of);
        let found = found.measure("share", track.sum.share()).measure("longer_ms", longer).against(&ABANDONED, case);
        let why = Text::new("the callee ends after the caller gave up", "被调用方在调用方放弃之后才结束");
        verdict.found.push(found.proven(&track.sum.proofs, why));
    }
}

/// The time (ms) after which calls of an edge time out, where it is one.
fn inferred(case: &Case<'_>, track: &Track) -> Option<f64> {
    let values = &track.sum.values;
    let (low, high) = (values.quantile(0.05)? as f64, values.quantile(0.95)? as f64);
    let enough = values.count() as f64 >= case.limit(&SAMPLES);
    (enough && high - low <= case.limit(&SPREAD) * high).then_some(high / 1e6)
}

/// The caller of a caller gives up first, so that the inner limit never helps.
fn inverted(case: &Case<'_>, limits: &[Track], verdict: &mut Verdict) {
    let known: Vec<(&Track, f64)> = limits.iter().filter_map(|track| Some((track, inferred(case, track)?))).collect();
    for (outer, outer_ms) in &known {
        for (inner, inner_ms) in known.iter().filter(|(inner, _)| inner.part(0) == outer.part(1)) {
            let [a, b, c] = [outer.part(0), outer.part(1), inner.part(1)];
            if inner_ms < outer_ms || a == b || b == c {
                continue;
            }
            let id = format!("inversion {a} → {b} → {c}");
            let calls = outer.sum.of.min(inner.sum.of);
            if !case.gate(&RULE, &id, calls, outer.sum.traces.min(inner.sum.traces), verdict) {
                continue;
            }
            let claim = Text::new(
                format!(
                    "{a} waits {outer_ms:.0} ms for {b}, which waits {inner_ms:.0} ms for {c}: the inner limit \
                     comes too late"
                ),
                format!("{a} 等待 {b} {outer_ms:.0} 毫秒，而 {b} 等待 {c} {inner_ms:.0} 毫秒：内层超时来得太晚"),
            );
            let subject = Subject::new(SubjectKind::Edge, id, &[b, a, c]);
            let found = case.draft(&RULE, Severity::Warning, subject, claim).n(calls).confident(0.7);
            let found = found.measure("outer_ms", *outer_ms).measure("inner_ms", *inner_ms);
            let found = found.against(&SAMPLES, case).against(&SPREAD, case);
            let found = found.proven(
                &outer.sum.proofs[..outer.sum.proofs.len().min(1)],
                Text::new("the outer call timed out", "外层调用超时"),
            );
            verdict.found.push(found.proven(&inner.sum.proofs, Text::new("the inner call timed out", "内层调用超时")));
        }
    }
}

/// A call lasted for ever, so to speak, and none was ever cut off.
fn missing(case: &Case<'_>, limits: &[Track], verdict: &mut Verdict) {
    let most = case.limit(&MISSING) * 1e9;
    for track in limits.iter().filter(|track| track.sum.hits == 0 && track.sum.most as f64 > most) {
        let [service, target, operation] = [0, 1, 2].map(|at| track.part(at));
        let id = format!("missing {service} → {target} {operation}");
        let calls = track.sum.of;
        if (calls as f64) < case.limit(&crate::findings::thresholds::CALLS) {
            verdict.skip(
                &RULE,
                Some(&id),
                format!("a call of {:.0} s among {calls} calls only", track.sum.most as f64 / 1e9),
                format!("仅 {calls} 次调用中有一次长达 {:.0} 秒", track.sum.most as f64 / 1e9),
            );
            continue;
        }
        // Where the shortest of the traces kept are long as well, it is a stream.
        if track.sum.proofs.iter().all(|proof| proof.weight as f64 > most) && track.sum.proofs.len() >= 3 {
            verdict.skip(
                &RULE,
                Some(&id),
                "its calls are always long: a stream, as it seems",
                "其调用总是很长，看起来是流式调用",
            );
            continue;
        }
        let longest = track.sum.most as f64 / 1e9;
        let claim = Text::new(
            format!("a call `{operation}` from {service} to {target} lasted {longest:.0} s, and none was ever cut off"),
            format!("{service} 对 {target} 的 `{operation}` 调用持续了 {longest:.0} 秒，且从未因超时中断"),
        );
        let subject = Subject::new(SubjectKind::Edge, id, &[service]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(calls).confident(0.6);
        let found = found.measure("longest_s", longest).against(&MISSING, case);
        verdict.found.push(
            found.proven(
                &track.sum.proofs[..1.min(track.sum.proofs.len())],
                Text::new("the longest call", "最长的调用"),
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, span, trace};

    const EDGE: [&str; 3] = ["order", "pay", "Charge"];

    /// Calls of which so many a minute time out after so many ms.
    fn limited(world: World, edge: [&str; 3], ms: u64) -> World {
        let mut world = world.seen(Family::Limits, &edge, 20, 2);
        for window in &mut world.windows {
            let seen = window.seen(Family::Limits, &edge);
            (0..2).for_each(|_| seen.values.add(ms * 1_000_000));
        }
        world
    }

    #[test]
    fn work_for_nobody_is_found() {
        let found = World::new(5).seen(Family::Abandoned, &EDGE, 20, 2).one(judge);
        assert!(found.subject.id.starts_with("abandoned order → pay") && found.evidence.len() == 3);
        World::new(5).seen(Family::Abandoned, &EDGE, 20, 0).silent(judge);
        assert!(World::new(5).seen(Family::Abandoned, &EDGE, 2, 1).reason(judge).contains("10 calls"));
    }

    #[test]
    fn an_inner_limit_that_comes_too_late_is_found() {
        let world = |inner| limited(limited(World::new(5), ["web", "order", "Place"], 1_000), EDGE, inner);
        let found = world(3_000).one(judge);
        assert_eq!(found.subject.id, "inversion web → order → pay");
        world(500).silent(judge);
    }

    #[test]
    fn a_call_without_end_is_found() {
        let slow = |calls: u64, seconds: u64| {
            let mut world = World::new(5).seen(Family::Limits, &EDGE, calls, 0);
            let seen = world.windows[2].seen(Family::Limits, &EDGE);
            seen.most = seconds * 1_000_000_000;
            seen.prove(seen.most, trace(1), [span(1)]);
            world
        };
        assert!(slow(20, 90).one(judge).claim.en.contains("lasted 90 s"));
        slow(20, 9).silent(judge);
        assert!(slow(2, 90).reason(judge).contains("10 calls only"));
    }
}
