//! F8: calls that a fallback answers, or whose failure nobody is told.

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{outcome, shown};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::thresholds::{CALLS, threshold};
use crate::rollup::PlaceKind;

static SHARE: Threshold = threshold("F8.share", 0.01, "share", "of the calls are degraded", "降级调用所占比例");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F8",
    name: "degraded",
    principle: "fault_tolerance",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Degraded answers", zh: "服务降级" },
    what: Words {
        en: "A fallback answers, or a call fails for good while what it was made for goes well.",
        zh: "由降级逻辑应答，或者调用最终失败而上层仍返回成功。",
    },
    guard: Words {
        en: "A call that is tried again is none, nor one that was cancelled or answered 404.",
        zh: "被重试、被取消或返回 404 的调用不计入。",
    },
    thresholds: &[&SHARE],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let least = case.limit(&CALLS);
    for edge in case.edges(case.minutes()) {
        let (calls, fallbacks) = (edge.calls(), edge.outcome("fallback"));
        if fallbacks == 0 || (fallbacks as f64) < case.limit(&SHARE) * calls as f64 {
            continue;
        }
        let proofs = edge.proofs();
        // An edge keeps three exemplars, not its traces: a hit is a trace here.
        if !case.gate(&RULE, &edge.name(), calls, fallbacks, verdict) {
            continue;
        }
        if !edge.twice(|cell| outcome(cell, "fallback") > 0) {
            case.once(&RULE, &edge.name(), verdict);
            continue;
        }
        let callee = if edge.target.kind == PlaceKind::Service { shown(&edge.target) } else { "" };
        let caller = if edge.source.kind == PlaceKind::Service { shown(&edge.source) } else { "" };
        let share = fallbacks as f64 / calls as f64;
        let claim = Text::new(
            format!("{:.1} % of the calls {} are answered by a fallback", share * 100.0, edge.name()),
            format!("{} 的调用有 {:.1}% 由降级逻辑应答", edge.name(), share * 100.0),
        );
        let subject = Subject::new(SubjectKind::Edge, format!("fallback {}", edge.name()), &[callee, caller]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(calls);
        let found = found.measure("share", share).against(&SHARE, case);
        verdict.found.push(found.proven(&proofs, Text::new("a call of this edge", "该调用关系中的一次调用")));
    }
    for track in case.tracks(Family::Swallowed).into_iter().filter(|track| track.sum.hits > 0) {
        let [service, target, operation] = [0, 1, 2].map(|at| track.part(at));
        let (calls, share) = (track.sum.of, track.sum.share());
        let id = format!("{service} → {target} {operation}");
        if share < case.limit(&SHARE) || (calls as f64) < least && track.sum.hits < 2 {
            continue;
        }
        if !case.gate(&RULE, &id, calls, track.sum.traces, verdict) {
            continue;
        }
        if !track.hit_twice() {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let claim = Text::new(
            format!(
                "{:.1} % of the calls `{operation}` from {service} to {target} fail, and {service} answers well",
                share * 100.0
            ),
            format!("{service} 调用 {target} 的 `{operation}` 有 {:.1}% 失败，而 {service} 仍返回成功", share * 100.0),
        );
        let subject = Subject::new(SubjectKind::Edge, format!("swallowed {id}"), &[service]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(calls).confident(0.8);
        let found = found.measure("share", share).against(&SHARE, case);
        let why = Text::new("the call failed and the answer went well", "调用失败而应答成功");
        verdict.found.push(found.proven(&track.sum.proofs, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, svc};
    use crate::rollup::slot;

    const FALLBACK: u16 = slot::OUTCOME + 8;
    const KEY: [&str; 3] = ["cart", "rates", "GET /rates"];

    #[test]
    fn fallbacks_and_hidden_failures_are_found() {
        let edge = World::new(5).edge((&svc("web"), &svc("cart")), "GET /", 0..5, 20, &[(FALLBACK, 2)]).one(judge);
        assert_eq!((edge.measured[0].1, edge.n), (0.1, 100));
        let hidden = World::new(5).seen(Family::Swallowed, &KEY, 20, 2).one(judge);
        assert!(hidden.claim.en.contains("cart answers well"));
    }

    #[test]
    fn a_healthy_edge_is_silent() {
        let healthy = World::new(5).edge((&svc("web"), &svc("cart")), "GET /", 0..5, 20, &[]);
        healthy.seen(Family::Swallowed, &KEY, 500, 0).silent(judge);
        World::new(5).seen(Family::Swallowed, &KEY, 1_000, 2).silent(judge);
    }

    #[test]
    fn few_calls_are_not_judged() {
        let few = World::new(5).edge((&svc("web"), &svc("cart")), "GET /", 0..5, 2, &[(FALLBACK, 1)]);
        assert!(few.reason(judge).contains("10 calls only"));
        let few = World::new(5).seen(Family::Swallowed, &KEY, 2, 1);
        assert!(few.reason(judge).contains("10 calls only"));
    }
}
