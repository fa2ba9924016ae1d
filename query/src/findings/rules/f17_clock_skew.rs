//! F17: instances whose clocks differ.

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::Track;
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::thresholds::threshold;

static SKEW: Threshold =
    threshold("F17.skew_ms", 10.0, "ms", "by which two clocks differ at least", "两个时钟至少相差");
static PAIRS: Threshold =
    threshold("F17.pairs", 20.0, "calls", "of two instances, to tell", "判断所需两实例间的调用数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F17",
    name: "clock_skew",
    principle: "observability",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Clock skew", zh: "时钟偏差" },
    what: Words {
        en: "A callee's spans would lie outside of their callers' unless its clock differs: order and latency in \
             traces mislead.",
        zh: "若时钟一致，被调用方的 span 将落在调用方之外：链路中的先后与延迟会误导人。",
    },
    guard: Words {
        en: "The difference must explain every one of twenty synchronous calls of the two instances; calls that \
             failed do not count.",
        zh: "该偏差必须能解释两实例间至少二十次同步调用；失败的调用不计。",
    },
    thresholds: &[&SKEW, &PAIRS],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.two_sided(&RULE, verdict) {
        return;
    }
    for track in case.tracks(Family::Skew) {
        let least = least_skew(&track);
        let ms = least as f64 / 1e6;
        if ms.abs() <= case.limit(&SKEW) {
            continue;
        }
        let [caller, from, callee, to] = [0, 1, 2, 3].map(|at| track.part(at));
        let id = format!("{caller}/{from} → {callee}/{to}");
        if (track.sum.of as f64) < case.limit(&PAIRS) {
            let (pairs, needed) = (track.sum.of, case.limit(&PAIRS));
            verdict.skip(
                &RULE,
                Some(&id),
                format!("seen in {pairs} calls only; {needed} are needed"),
                format!("只有 {pairs} 次调用，至少需要 {needed} 次"),
            );
            continue;
        }
        if !track.hit_twice() {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let (en, zh) = if least > 0 { ("ahead of", "快") } else { ("behind", "慢") };
        let claim = Text::new(
            format!("the clock of {callee}/{to} is at least {:.0} ms {en} that of {caller}/{from}", ms.abs()),
            format!("{callee}/{to} 的时钟比 {caller}/{from} 至少{zh} {:.0} 毫秒", ms.abs()),
        );
        let subject = Subject::new(SubjectKind::Instance, id, &[callee, caller]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(track.sum.of);
        let found = found.measure("skew_ms", ms).against(&SKEW, case).against(&PAIRS, case);
        verdict.found.push(
            found.proven(&track.sum.proofs, Text::new("the callee's span lies outside", "被调用方的 span 落在外面")),
        );
    }
}

/// The least difference (ns) that explains all calls: positive where the callee is ahead; 0 where none need be, or
/// none can (the clocks drift).
fn least_skew(track: &Track) -> i64 {
    let (low, high) = (track.sum.low, track.sum.high);
    if low > high {
        return 0;
    }
    if low > 0 { low } else { high.min(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    const MS: i64 = 1_000_000;
    const PAIR: [&str; 4] = ["web", "w1", "cart", "c1"];

    fn world(calls: u64, low: i64, high: i64) -> World {
        let mut world = World::new(5).seen(Family::Skew, &PAIR, calls, calls);
        for window in &mut world.windows {
            let seen = window.seen(Family::Skew, &PAIR);
            (seen.low, seen.high) = (low * MS, high * MS);
        }
        world
    }

    #[test]
    fn a_clock_that_is_ahead_or_behind_is_found() {
        assert_eq!(world(10, 30, 45).one(judge).measured[0].1, 30.0);
        assert!(world(10, -45, -30).one(judge).claim.en.contains("30 ms behind"));
    }

    #[test]
    fn what_no_skew_explains_or_needs_is_healthy() {
        world(10, -20, 20).silent(judge);
        world(10, 5, 20).silent(judge);
        world(10, 40, 20).silent(judge);
    }

    #[test]
    fn few_pairs_are_not_judged() {
        assert!(world(2, 30, 45).reason(judge).contains("10 calls only"));
    }
}
