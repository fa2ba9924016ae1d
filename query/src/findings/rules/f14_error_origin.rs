//! F14: where the failures of an operation begin.

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::thresholds::threshold;

static FAILED: Threshold =
    threshold("F14.failed", 0.05, "share", "of an operation's traces fail", "操作失败的链路比例");
static SHARE: Threshold =
    threshold("F14.share", 0.5, "share", "of these begin to fail at one place", "失败始于同一处的比例");
static FAILURES: Threshold =
    threshold("F14.failures", 10.0, "traces", "fewer failed traces are not judged", "失败链路少于此值不作判断");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F14",
    name: "error_origin",
    principle: "observability",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Origin of errors", zh: "错误源头" },
    what: Words {
        en: "Most failures of an operation begin at one place further down: a service, a call between two, or a \
             peer that sends no spans.",
        zh: "某操作的多数失败源于下游同一处：某个服务、两服务之间的调用，或不上报 span 的对端。",
    },
    guard: Words {
        en: "The failed span without a failed synchronous child is the origin; the operation itself must fail often.",
        zh: "没有失败的同步子 span 的失败 span 才是源头；操作本身须经常失败。",
    },
    thresholds: &[&FAILED, &SHARE, &FAILURES],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.two_sided(&RULE, verdict) {
        return;
    }
    let origins = case.tracks(Family::Origin);
    for root in case.tracks(Family::Roots) {
        let (service, operation) = (root.part(0), root.part(1));
        let id = format!("{service} {operation}");
        if root.sum.hits == 0 || root.sum.share() < case.limit(&FAILED) {
            continue;
        }
        if !case.gate(&RULE, &id, root.sum.of, root.sum.traces, verdict) {
            continue;
        }
        if (root.sum.hits as f64) < case.limit(&FAILURES) {
            let (least, hits) = (case.limit(&FAILURES), root.sum.hits);
            verdict.skip(
                &RULE,
                Some(&id),
                format!("{hits} failed traces only; {least} are needed"),
                format!("只有 {hits} 条失败链路，至少需要 {least} 条"),
            );
            continue;
        }
        for origin in origins.iter().filter(|origin| origin.part(0) == service && origin.part(1) == operation) {
            let share = origin.sum.hits as f64 / root.sum.hits as f64;
            if share < case.limit(&SHARE) {
                continue;
            }
            let (kind, place, at) = (origin.part(2), origin.part(3), origin.part(4));
            let subject_id = format!("{id} ← {place} {at}");
            if !origin.hit_twice() {
                case.once(&RULE, &subject_id, verdict);
                continue;
            }
            let (what, named) = match kind {
                "edge" => ("on the way", "途中"),
                "peer" => ("at a peer that sends no spans", "不上报 span 的对端"),
                _ => ("in the service", "服务内部"),
            };
            let claim = Text::new(
                format!(
                    "{:.0} % of the failures of {operation} of {service} begin {what}: {place} (`{at}`)",
                    share * 100.0
                ),
                format!("{service} 的 {operation} 的失败有 {:.0}% 始于{named}：{place}（`{at}`）", share * 100.0),
            );
            let origin_service = if kind == "service" { place } else { "" };
            let subject = Subject::new(SubjectKind::Operation, subject_id, &[origin_service, service]);
            let found = case.draft(&RULE, Severity::Warning, subject, claim).n(root.sum.of);
            let found = found.measure("share", share).measure("failed", root.sum.share());
            let found = found.against(&SHARE, case).against(&FAILED, case);
            verdict
                .found
                .push(found.proven(&origin.sum.proofs, Text::new("from the origin up to the root", "从源头到根")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    const ROOT: [&str; 2] = ["web", "POST /orders"];
    const ORIGIN: [&str; 5] = ["web", "POST /orders", "service", "pay", "Charge"];

    #[test]
    fn the_place_where_most_failures_begin_is_found() {
        let found = World::new(5).seen(Family::Roots, &ROOT, 20, 4).seen(Family::Origin, &ORIGIN, 0, 4).one(judge);
        assert_eq!(found.subject.services, ["pay", "web"]);
    }

    #[test]
    fn a_failure_now_and_then_is_healthy() {
        World::new(5).seen(Family::Roots, &ROOT, 200, 4).seen(Family::Origin, &ORIGIN, 0, 4).silent(judge);
        World::new(5).seen(Family::Roots, &ROOT, 20, 4).seen(Family::Origin, &ORIGIN, 0, 1).silent(judge);
    }

    #[test]
    fn few_failures_are_not_judged() {
        let few = World::new(5).seen(Family::Roots, &ROOT, 6, 1).seen(Family::Origin, &ORIGIN, 0, 1);
        assert!(few.reason(judge).contains("5 failed traces only"));
    }
}
