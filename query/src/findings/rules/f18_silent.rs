//! F18: a service that fell silent while it is called, and calls that found nobody.

use std::collections::{BTreeMap, BTreeSet};

use storage::rollup::Minute;

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{Edge, count, outcome, proofs, shown};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::thresholds::{CALLS, threshold};
use crate::rollup::{Key, PlaceKind, slot};

static GAP: Threshold = threshold("F18.gap_min", 5.0, "minutes", "without a span, at least", "至少多少分钟没有 span");
static GAPS: Threshold = threshold("F18.gaps", 10.0, "times", "the 99th percentile of its gaps", "其间隔 P99 的倍数");
static NO_INSTANCE: Threshold =
    threshold("F18.no_instance", 5.0, "calls/min", "that found no instance", "每分钟找不到实例的调用数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F18",
    name: "silent_service",
    principle: "registry",
    version: 1,
    severity: Severity::Critical,
    title: Words { en: "Silent service, no instance", zh: "服务失联或无可用实例" },
    what: Words {
        en: "A service sends no more spans while others go on calling it; or calls find no instance in the registry.",
        zh: "某服务不再上报 span，而其他服务仍在调用它；或调用在注册中心找不到实例。",
    },
    guard: Words {
        en: "The silence must be long for this service: ten times its usual gaps; its callers must still call it; \
             two minutes in a row.",
        zh: "沉默须远长于该服务平时的间隔（十倍）；调用方仍在调用；连续两分钟。",
    },
    thresholds: &[&GAP, &GAPS, &NO_INSTANCE],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    for edge in case.edges(case.minutes()) {
        no_instance(case, &edge, verdict);
    }
    let end = case.minutes().end;
    for (service, minutes) in heard_of(case, end) {
        silent(case, service, &minutes, end, verdict);
    }
}

fn no_instance(case: &Case<'_>, edge: &Edge, verdict: &mut Verdict) {
    let none = edge.outcome("no_instance");
    let least = case.limit(&NO_INSTANCE);
    let id = format!("no instance {}", edge.name());
    if none == 0 || !edge.minutes.values().any(|cell| outcome(cell, "no_instance") as f64 >= least) {
        return;
    }
    if !edge.twice(|cell| outcome(cell, "no_instance") as f64 >= least) {
        case.once(&RULE, &id, verdict);
        return;
    }
    if !case.gate(&RULE, &id, edge.calls(), none, verdict) {
        return;
    }
    let per_minute = none as f64 / edge.minutes.len().max(1) as f64;
    let claim = Text::new(
        format!("{per_minute:.0} calls a minute of {} find no instance", edge.name()),
        format!("{} 每分钟有 {per_minute:.0} 次调用找不到实例", edge.name()),
    );
    let of = |place: &crate::rollup::Place| {
        if place.kind == PlaceKind::Service { shown(place).to_owned() } else { String::new() }
    };
    let subject = Subject::new(SubjectKind::Edge, id, &[&of(&edge.target), &of(&edge.source)]);
    let found = case.draft(&RULE, Severity::Critical, subject, claim).n(edge.calls());
    let found = found.measure("per_minute", per_minute).against(&NO_INSTANCE, case);
    verdict.found.push(found.proven(&edge.proofs(), Text::new("a call of this edge", "该调用关系中的一次调用")));
}

/// Minutes in which each service sent spans.
fn heard_of<'a>(case: &Case<'a>, end: Minute) -> BTreeMap<&'a str, BTreeSet<Minute>> {
    let mut heard: BTreeMap<&str, BTreeSet<Minute>> = BTreeMap::new();
    for series in &case.cells.series {
        if let Key::Presence { service, .. } = &series.key {
            heard.entry(service).or_default().extend(series.cells.range(..end).map(|(minute, _)| *minute));
        }
    }
    heard
}

fn silent(case: &Case<'_>, service: &str, minutes: &BTreeSet<Minute>, end: Minute, verdict: &mut Verdict) {
    let Some(&last) = minutes.last() else { return };
    let gap = end - 1 - last;
    if (gap as f64) <= case.limit(&GAP) {
        return;
    }
    let mut gaps: Vec<i64> = minutes.iter().zip(minutes.iter().skip(1)).map(|(one, next)| next - one).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(1);
    if (gap as f64) <= case.limit(&GAPS) * usual as f64 {
        return;
    }
    let before = case.edges(end - 60..last + 1);
    let aliases: BTreeSet<&str> = before
        .iter()
        .filter(|edge| edge.target.kind == PlaceKind::Service && edge.target.name == service)
        .flat_map(|edge| edge.aliases.iter().map(String::as_str))
        .chain([service])
        .collect();
    let after = case.edges(last + 1..end);
    let still: Vec<&Edge> = after
        .iter()
        .filter(|edge| edge.source.kind == PlaceKind::Service && edge.source.name != service)
        .filter(|edge| edge.target.kind != PlaceKind::Database && aliases.contains(edge.target.name.as_str()))
        .collect();
    let calls: u64 = still.iter().map(|edge| edge.calls()).sum();
    if calls == 0 {
        return;
    }
    if (calls as f64) < case.limit(&CALLS) || minutes.len() < 10 {
        verdict.skip(
            &RULE,
            Some(service),
            format!(
                "silent for {gap} minutes, with {calls} calls since and {} minutes of traffic before",
                minutes.len()
            ),
            format!("已沉默 {gap} 分钟，其间有 {calls} 次调用，此前有 {} 分钟流量", minutes.len()),
        );
        return;
    }
    let callers: BTreeSet<&str> = still.iter().map(|edge| shown(&edge.source)).collect();
    let named = callers.iter().copied().collect::<Vec<_>>().join(", ");
    let claim = Text::new(
        format!("{service} has sent no span for {gap} minutes, and {named} called it {calls} times since"),
        format!("{service} 已有 {gap} 分钟没有 span，其间 {named} 调用了它 {calls} 次"),
    );
    let services: Vec<&str> = std::iter::once(service).chain(callers).collect();
    let mut sum = storage::rollup::Cell::default();
    still.iter().for_each(|edge| sum.merge(&edge.sum, 1));
    debug_assert!(count(&sum, slot::CALLS) == calls);
    let subject = Subject::new(SubjectKind::Service, service, &services);
    let found = case.draft(&RULE, Severity::Critical, subject, claim).n(calls).confident(0.85);
    let found = found.measure("gap_min", gap as f64).before("gap_p99_min", usual as f64);
    let found = found.against(&GAP, case).against(&GAPS, case);
    verdict.found.push(found.proven(&proofs(&sum), Text::new("a call that nobody answered", "无人应答的调用")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, svc};
    use crate::rollup::Place;

    const NONE: u16 = slot::OUTCOME + 9;

    fn world(silent: i64, calls_since: i64) -> World {
        let world = World::new(5).presence(("stock", "1", "a"), silent..50).edge(
            (&svc("cart"), &svc("stock")),
            "Reserve",
            silent..50,
            10,
            &[(slot::PAIRED, 10)],
        );
        let peer = Place::new(PlaceKind::External, "stock");
        if calls_since > 0 { world.edge((&svc("cart"), &peer), "Reserve", 0..silent, calls_since, &[]) } else { world }
    }

    #[test]
    fn a_service_that_is_called_and_silent_is_found() {
        let found = world(15, 10).one(judge);
        assert_eq!((found.subject.id.as_str(), found.n), ("stock", 150));
    }

    #[test]
    fn a_service_that_nobody_calls_may_rest() {
        world(15, 0).silent(judge);
        world(3, 10).silent(judge);
    }

    #[test]
    fn few_calls_since_are_not_judged() {
        assert!(world(15, 1).reason(judge).contains("15 calls since"));
    }

    #[test]
    fn calls_that_find_nobody_are_found() {
        let edge = |minutes: i64, none: i64| {
            World::new(5).edge((&svc("cart"), &svc("user")), "Get", 0..minutes, 20, &[(NONE, none)])
        };
        assert!(edge(4, 6).one(judge).subject.id.starts_with("no instance"));
        edge(4, 1).silent(judge);
        assert!(edge(1, 9).reason(judge).contains("one window"));
    }
}
