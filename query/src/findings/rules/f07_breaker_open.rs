//! F7: circuit breakers that are open.

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{Edge, count, outcome, shown};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::releases::released_within;
use crate::findings::thresholds::threshold;
use crate::rollup::{PlaceKind, slot};

static PER_MINUTE: Threshold =
    threshold("F7.per_minute", 5.0, "calls/min", "refused by an open breaker", "每分钟被熔断拒绝的调用数");
static DROP: Threshold = threshold("F7.drop", 0.8, "share", "of an edge's calls are gone", "调用量下降的比例");
static INBOUND: Threshold =
    threshold("F7.inbound", 0.7, "share", "of its own calls the caller still gets", "调用方自身流量仍保有的比例");
static BASELINE: Threshold =
    threshold("F7.baseline", 30.0, "minutes", "before, that the drop is compared with", "用于比较的基线分钟数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F7",
    name: "breaker_open",
    principle: "fault_tolerance",
    version: 1,
    severity: Severity::Critical,
    title: Words { en: "Circuit breaker open", zh: "熔断器打开" },
    what: Words {
        en: "Calls are refused by an open breaker; or an edge falls silent while its caller is busy and its log \
             speaks of a breaker.",
        zh: "调用被打开的熔断器拒绝；或某调用关系突然沉默，而调用方仍繁忙且日志提到熔断。",
    },
    guard: Words {
        en: "Two minutes in a row; a silent edge is none shortly after a release of either side.",
        zh: "需连续两分钟；任一侧刚发布后不判断沉默的调用关系。",
    },
    thresholds: &[&PER_MINUTE, &DROP, &INBOUND, &BASELINE],
};

/// After a release less traffic is nothing strange, ns.
const AFTER_RELEASE: i64 = 10 * 60_000_000_000;

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let edges = case.edges(case.minutes());
    for edge in &edges {
        refused(case, edge, verdict);
    }
    let logs = case.tracks(Family::BreakerLog);
    if logs.iter().any(|log| log.sum.hits > 0) {
        for log in logs {
            silent(case, &edges, log.part(0), verdict);
        }
    }
}

fn refused(case: &Case<'_>, edge: &Edge, verdict: &mut Verdict) {
    let refusals = edge.outcome("breaker_open");
    if refusals == 0 {
        return;
    }
    let least = case.limit(&PER_MINUTE);
    if !edge.twice(|cell| outcome(cell, "breaker_open") as f64 >= least) {
        if edge.minutes.values().any(|cell| outcome(cell, "breaker_open") as f64 >= least) {
            case.once(&RULE, &edge.name(), verdict);
        }
        return;
    }
    if !case.gate(&RULE, &edge.name(), edge.calls(), refusals, verdict) {
        return;
    }
    let per_minute = refusals as f64 / edge.minutes.len().max(1) as f64;
    let claim = Text::new(
        format!("a breaker is open: it refuses {per_minute:.0} calls a minute of {}", edge.name()),
        format!("熔断器已打开：{} 每分钟有 {per_minute:.0} 次调用被拒绝", edge.name()),
    );
    let service = |place: &crate::rollup::Place| {
        if place.kind == PlaceKind::Service { shown(place).to_owned() } else { String::new() }
    };
    let (callee, caller) = (service(&edge.target), service(&edge.source));
    let subject = Subject::new(SubjectKind::Edge, edge.name(), &[&callee, &caller]);
    let found = case.draft(&RULE, Severity::Critical, subject, claim).n(edge.calls());
    let found = found.measure("per_minute", per_minute).against(&PER_MINUTE, case);
    verdict.found.push(found.proven(&edge.proofs(), Text::new("a call of this edge", "该调用关系中的一次调用")));
}

/// Edges of a caller that went silent while the caller did not.
fn silent(case: &Case<'_>, now: &[Edge], caller: &str, verdict: &mut Verdict) {
    let minutes = case.minutes();
    let span = case.limit(&BASELINE) as i64;
    let before = case.edges(minutes.start - span..minutes.start);
    let rate = |edges: &[Edge], of: &dyn Fn(&Edge) -> bool, minutes: i64| {
        let calls: u64 = edges.iter().filter(|edge| of(edge)).map(Edge::calls).sum();
        calls as f64 / minutes.max(1) as f64
    };
    let length = minutes.end - minutes.start;
    let inbound = |edge: &Edge| edge.target.kind == PlaceKind::Service && edge.target.name == caller;
    let (calls_now, calls_before) = (rate(now, &inbound, length), rate(&before, &inbound, span));
    if calls_before == 0.0 || calls_now < case.limit(&INBOUND) * calls_before {
        return;
    }
    for edge in before.iter().filter(|edge| edge.source.kind == PlaceKind::Service && edge.source.name == caller) {
        let same = |other: &Edge| (&other.source, &other.target, other.mode) == (&edge.source, &edge.target, edge.mode);
        let (rate_now, rate_before) = (rate(now, &same, length), edge.calls() as f64 / span.max(1) as f64);
        let fresh = released_within(case.releases, caller, case.to, AFTER_RELEASE)
            .or_else(|| released_within(case.releases, &edge.target.name, case.to, AFTER_RELEASE));
        let steady = count(&edge.sum, slot::CALLS) > 0 && edge.minutes.len() as i64 * 2 >= span;
        if !steady || rate_now > (1.0 - case.limit(&DROP)) * rate_before || fresh.is_some() {
            continue;
        }
        let id = format!("silent {}", edge.name());
        if !case.gate(&RULE, &id, edge.calls(), edge.calls(), verdict) {
            continue;
        }
        let claim = Text::new(
            format!(
                "{} fell from {rate_before:.1} to {rate_now:.1} calls a minute while {caller} is as busy as \
                 before, and its log speaks of an open breaker",
                edge.name()
            ),
            format!(
                "{} 的调用从每分钟 {rate_before:.1} 次降到 {rate_now:.1} 次，而 {caller} \
                 流量不变，且日志提到熔断器打开",
                edge.name()
            ),
        );
        let subject = Subject::new(SubjectKind::Edge, id, &[caller]);
        let found = case.draft(&RULE, Severity::Critical, subject, claim).n(edge.calls()).confident(0.7);
        let found = found.measure("per_minute", rate_now).before("per_minute", rate_before);
        let found = found.against(&DROP, case).against(&INBOUND, case);
        verdict
            .found
            .push(found.proven(&edge.proofs(), Text::new("a call before it fell silent", "沉默之前的一次调用")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, svc, user};

    const BREAKER: u16 = slot::OUTCOME + 6;

    fn refusing(minutes: i64, calls: i64, refused: i64) -> World {
        World::new(5).edge((&svc("cart"), &svc("stock")), "Reserve", 0..minutes, calls, &[(BREAKER, refused)])
    }

    #[test]
    fn an_open_breaker_is_found() {
        let found = refusing(4, 20, 6).one(judge);
        assert_eq!((found.severity, found.measured[0].1), (Severity::Critical, 6.0));
        refusing(5, 20, 0).silent(judge);
        refusing(5, 20, 4).silent(judge);
    }

    #[test]
    fn one_minute_and_few_calls_are_not_judged() {
        assert!(refusing(1, 30, 9).reason(judge).contains("one window"));
        assert!(refusing(2, 6, 6).reason(judge).contains("12 calls only"));
    }

    /// Calls of an edge until `silent` minutes ago, under a caller that is as busy as ever.
    fn quiet(silent: i64, log: u64) -> World {
        World::new(5)
            .edge((&user(), &svc("cart")), "GET /cart", 0..40, 20, &[])
            .edge((&svc("cart"), &svc("stock")), "Reserve", silent..40, 10, &[])
            .seen(Family::BreakerLog, &["cart"], 0, log)
    }

    #[test]
    fn an_edge_that_falls_silent_needs_a_log_and_no_release() {
        assert_eq!(quiet(5, 1).one(judge).subject.id, "silent cart → stock");
        quiet(5, 0).silent(judge);
        quiet(0, 1).silent(judge);
        quiet(5, 1).release("cart", "1", 900).release("cart", "2", 6).silent(judge);
    }
}
