//! F4: chains of synchronous calls that are too deep.

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::thresholds::threshold;

static HOPS: Threshold =
    threshold("F4.hops", 6.0, "hops", "more hops at the 95th percentile than this: info", "P95 跳数超过此值：提示");
static MANY: Threshold = threshold("F4.many_hops", 9.0, "hops", "more than this: warning", "P95 跳数超过此值：警告");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F4",
    name: "deep_chain",
    principle: "decoupling",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Deep synchronous chain", zh: "同步调用链过深" },
    what: Words {
        en: "An operation waits for a service that waits for a service, and so on: each hop adds latency and a \
             way to fail.",
        zh: "一次操作逐层同步等待多个服务：每一跳都增加延迟与失败的可能。",
    },
    guard: Words {
        en: "Hops between services count, not spans; messages end a chain; the 95th percentile, not the deepest trace.",
        zh: "只数服务之间的跳数；消息中断调用链；看 P95 而不是最深的一条。",
    },
    thresholds: &[&HOPS, &MANY],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.two_sided(&RULE, verdict) {
        return;
    }
    for track in case.tracks(Family::Depth) {
        let hops = track.sum.values.quantile(0.95).unwrap_or(0);
        if hops as f64 <= case.limit(&HOPS) {
            continue;
        }
        let (service, operation) = (track.part(0), track.part(1));
        let id = format!("{service} {operation}");
        if !case.gate(&RULE, &id, track.sum.of, track.sum.traces, verdict) {
            continue;
        }
        if !track.hit_twice() {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let severity = if hops as f64 > case.limit(&MANY) { Severity::Warning } else { Severity::Info };
        let claim = Text::new(
            format!("{operation} of {service} waits through {hops} services in a row (95th percentile)"),
            format!("{service} 的 {operation} 依次同步经过 {hops} 跳（P95）"),
        );
        let subject = Subject::new(SubjectKind::Operation, id, &[service]);
        let found = case.draft(&RULE, severity, subject, claim).n(track.sum.of).measure("hops_p95", hops as f64);
        let found = found.against(&HOPS, case).against(&MANY, case);
        verdict.found.push(found.proven(&track.sum.proofs, Text::new("the deepest way down", "最深的一条路径")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    fn world(per_minute: u64, hops: u64) -> World {
        let mut world = World::new(5).seen(Family::Depth, &["web", "GET /"], per_minute, per_minute);
        for window in &mut world.windows {
            let seen = window.seen(Family::Depth, &["web", "GET /"]);
            (0..per_minute).for_each(|_| seen.values.add(hops));
        }
        world
    }

    #[test]
    fn depth_is_told_by_its_severity() {
        assert_eq!(world(10, 8).one(judge).severity, Severity::Info);
        assert_eq!(world(10, 12).one(judge).severity, Severity::Warning);
        world(10, 5).silent(judge);
    }

    #[test]
    fn few_traces_are_not_judged() {
        assert!(world(2, 12).reason(judge).contains("10 calls only"));
    }
}
