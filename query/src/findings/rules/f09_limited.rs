//! F9: calls that a quota or an overloaded service refuses.

use std::collections::BTreeMap;

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{Edge, outcome, shown};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::thresholds::{CALLS, threshold};
use crate::rollup::Place;

static SHARE: Threshold =
    threshold("F9.share", 0.01, "share", "of an edge's calls are refused", "被拒绝的调用所占比例");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F9",
    name: "limited",
    principle: "fault_tolerance",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Limited or shed calls", zh: "限流与过载保护" },
    what: Words {
        en: "A quota is used up, or a service protects itself: calls are refused. Callers are ranked by their share.",
        zh: "配额耗尽或服务自我保护，调用被拒绝；按占比列出调用方。",
    },
    guard: Words {
        en: "Known quotas can be accepted; a single refused call is none.",
        zh: "已知配额可以标记为接受；单次拒绝不算。",
    },
    thresholds: &[&SHARE],
};

const REFUSALS: [&str; 2] = ["limited", "shed"];

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let edges = case.edges(case.minutes());
    let mut callers: BTreeMap<&Place, Vec<(&str, u64)>> = BTreeMap::new();
    for edge in &edges {
        callers.entry(&edge.target).or_default().push((shown(&edge.source), edge.calls()));
    }
    let few = edges.iter().filter(|edge| (edge.calls() as f64) < case.limit(&CALLS) && refused(edge) == 0);
    let few: Vec<String> = few.map(Edge::name).collect();
    verdict.few(&RULE, ("edges", "调用关系"), &few, case);
    for edge in &edges {
        let refused = refused(edge);
        let (calls, share) = (edge.calls(), refused as f64 / edge.calls().max(1) as f64);
        if refused == 0 || share < case.limit(&SHARE) || !case.gate(&RULE, &edge.name(), calls, refused, verdict) {
            continue;
        }
        if !edge.twice(|cell| REFUSALS.iter().any(|name| outcome(cell, name) > 0)) {
            case.once(&RULE, &edge.name(), verdict);
            continue;
        }
        let mut ranked = callers.get(&edge.target).cloned().unwrap_or_default();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let all: u64 = ranked.iter().map(|(_, calls)| calls).sum();
        let of = |calls: u64| calls as f64 * 100.0 / all.max(1) as f64;
        let ranked: Vec<String> =
            ranked.iter().take(3).map(|&(name, calls)| format!("{name} {:.0} %", of(calls))).collect();
        let claim = Text::new(
            format!(
                "{:.1} % of the calls {} are refused by a limit; its callers: {}",
                share * 100.0,
                edge.name(),
                ranked.join(", ")
            ),
            format!("{} 的调用有 {:.1}% 被限流拒绝；调用方占比：{}", edge.name(), share * 100.0, ranked.join("、")),
        );
        let subject = Subject::new(SubjectKind::Edge, edge.name(), &[shown(&edge.target), shown(&edge.source)]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(calls).against(&SHARE, case);
        let found = found.measure("share", share).measure("limited", edge.outcome("limited") as f64);
        let found = found.measure("shed", edge.outcome("shed") as f64);
        verdict.found.push(found.proven(&edge.proofs(), Text::new("a call of this edge", "该调用关系中的一次调用")));
    }
}

fn refused(edge: &Edge) -> u64 {
    REFUSALS.iter().map(|name| edge.outcome(name)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, svc};
    use crate::rollup::slot;

    fn limited(calls: i64, refused: i64, minutes: i64) -> World {
        let slots = [(slot::OUTCOME + 4, refused)];
        World::new(5).edge((&svc("web"), &svc("stock")), "Reserve", 0..minutes, calls, &slots).edge(
            (&svc("job"), &svc("stock")),
            "Reserve",
            0..5,
            60,
            &[],
        )
    }

    #[test]
    fn refusals_are_found_with_the_callers() {
        let found = limited(20, 1, 5).one(judge);
        assert!(found.claim.en.contains("job 75 %") && found.measured[0].1 == 0.05, "{found:?}");
    }

    #[test]
    fn a_healthy_edge_is_silent() {
        limited(20, 0, 5).silent(judge);
        limited(1_000, 1, 5).silent(judge);
    }

    #[test]
    fn few_calls_and_single_minutes_are_not_judged() {
        assert!(limited(3, 1, 5).reason(judge).contains("15 calls only"));
        assert!(limited(40, 5, 1).reason(judge).contains("one window"));
    }
}
