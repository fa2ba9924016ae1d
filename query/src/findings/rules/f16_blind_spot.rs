//! F16: services that send no spans, or lose the trace's context.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{Edge, count, shown};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::thresholds::threshold;
use crate::rollup::{Mode, PlaceKind, slot};

static UNPAIRED: Threshold = threshold(
    "F16.unpaired",
    0.95,
    "share",
    "of the calls to a service of ours have no other side",
    "对内部服务的调用中缺少对侧的比例",
);
static ORPHANS: Threshold = threshold(
    "F16.orphans",
    0.05,
    "share",
    "of a service's entries name a parent that is not stored",
    "入口 span 的父 span 未存储的比例",
);
static MINUTES: Threshold =
    threshold("F16.minutes", 30.0, "minutes", "how far back calls are looked at", "回看的分钟数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F16",
    name: "blind_spot",
    principle: "observability",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Blind spot or lost context", zh: "观测盲区或上下文丢失" },
    what: Words {
        en: "Calls to a service of ours have no other side, so it sends no spans or loses the context; or a \
             service's callers are not stored.",
        zh: "对内部服务的调用缺少对侧：该服务未上报或丢失上下文；或其调用方未存储。",
    },
    guard: Words {
        en: "The last two minutes do not count, for spans may still come. Sampling that keeps one side alone \
             looks the same: accept the finding then.",
        zh: "最近两分钟不计，因为 span 可能迟到。只保留一侧的采样看起来相同，此时请接受该发现。",
    },
    thresholds: &[&UNPAIRED, &ORPHANS, &MINUTES],
};

/// Spans of the last minutes may still come.
const LATE: i64 = 2;

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let end = case.minutes().end - LATE;
    let edges = case.edges(end - case.limit(&MINUTES) as i64..end);
    let edges: Vec<Edge> = edges.into_iter().filter(|edge| edge.mode == Mode::Sync).collect();
    unpaired(case, &edges, verdict);
    orphans(case, &edges, verdict);
}

/// Which service answers under which name: what other calls have shown.
fn names(edges: &[Edge]) -> BTreeMap<&str, &str> {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.target.kind == PlaceKind::Service) {
        names.insert(&edge.target.name, &edge.target.name);
        names.extend(edge.aliases.iter().map(|alias| (alias.as_str(), edge.target.name.as_str())));
    }
    names.extend(
        edges
            .iter()
            .filter(|edge| edge.source.kind == PlaceKind::Service)
            .map(|edge| (edge.source.name.as_str(), edge.source.name.as_str())),
    );
    names
}

fn unpaired(case: &Case<'_>, edges: &[Edge], verdict: &mut Verdict) {
    let names = names(edges);
    let mut calls: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    let mut shown_by: BTreeMap<(&str, &str), &Edge> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.source.kind == PlaceKind::Service) {
        let target = match edge.target.kind {
            PlaceKind::Service => edge.target.name.as_str(),
            PlaceKind::External => match names.get(edge.target.name.as_str()) {
                Some(service) => service,
                None => continue,
            },
            _ => continue,
        };
        let key = (edge.source.name.as_str(), target);
        let sum = calls.entry(key).or_default();
        sum.0 += edge.calls();
        // A call that was refused on its way never had another side.
        sum.1 += edge.calls() - count(&edge.sum, slot::PAIRED).min(edge.calls()) - refused(edge);
        shown_by.insert(key, edge);
    }
    for ((source, target), (all, alone)) in calls {
        let share = alone as f64 / all.max(1) as f64;
        if source == target || alone == 0 || share < case.limit(&UNPAIRED) {
            continue;
        }
        let id = format!("{source} → {target}");
        if !case.gate(&RULE, &id, all, all, verdict) {
            continue;
        }
        let claim = Text::new(
            format!(
                "{:.0} % of the calls from {source} to {target} have no span of {target}: it sends none, or loses \
                 the context",
                share * 100.0
            ),
            format!("{source} 对 {target} 的调用有 {:.0}% 缺少 {target} 的 span：未上报或丢失上下文", share * 100.0),
        );
        let subject = Subject::new(SubjectKind::Edge, id, &[target, source]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(all).confident(0.8);
        let found = found.measure("unpaired", share).against(&UNPAIRED, case);
        let proofs = shown_by[&(source, target)].proofs();
        verdict.found.push(found.proven(&proofs, Text::new("a call without another side", "缺少对侧的调用")));
    }
}

/// Calls that did not reach the callee, as far as the caller says so; failed ones may not have.
fn refused(edge: &Edge) -> u64 {
    let outcomes = ["breaker_open", "bulkhead", "no_instance", "limited", "timeout", "cancelled", "retry_exhausted"];
    let refused: u64 = outcomes.iter().map(|name| edge.outcome(name)).sum();
    let unpaired = edge.calls() - count(&edge.sum, slot::PAIRED).min(edge.calls());
    refused.max(count(&edge.sum, slot::ERRORS)).min(unpaired)
}

fn orphans(case: &Case<'_>, edges: &[Edge], verdict: &mut Verdict) {
    let services: BTreeSet<&str> =
        edges.iter().filter(|edge| edge.target.kind == PlaceKind::Service).map(|edge| shown(&edge.target)).collect();
    for service in services {
        let into = || edges.iter().filter(|edge| edge.target.kind == PlaceKind::Service && edge.target.name == service);
        let all: u64 = into().map(Edge::calls).sum();
        let Some(lost) = into().find(|edge| edge.source.kind == PlaceKind::Unknown) else { continue };
        let share = lost.calls() as f64 / all.max(1) as f64;
        if share <= case.limit(&ORPHANS) {
            continue;
        }
        let id = format!("orphans {service}");
        if !case.gate(&RULE, &id, all, lost.calls(), verdict) {
            continue;
        }
        if !lost.twice(|cell| count(cell, slot::CALLS) > 0) {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let claim = Text::new(
            format!("{:.0} % of the calls of {service} name a caller whose span is not stored", share * 100.0),
            format!("{service} 的调用中有 {:.0}% 的调用方 span 未存储", share * 100.0),
        );
        let subject = Subject::new(SubjectKind::Service, id, &[service]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(all).confident(0.8);
        let found = found.measure("orphans", share).against(&ORPHANS, case);
        verdict.found.push(found.proven(&lost.proofs(), Text::new("its parent is not stored", "其父 span 未存储")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, svc};
    use crate::rollup::Place;

    fn shop() -> World {
        World::new(5).edge((&svc("web"), &svc("cart")), "GET /", 0..20, 20, &[(slot::PAIRED, 20)])
    }

    #[test]
    fn calls_without_another_side_are_found() {
        let peer = Place::new(PlaceKind::External, "cart");
        let found = shop().edge((&svc("order"), &peer), "GET /", 0..20, 5, &[]).one(judge);
        assert_eq!(found.subject.id, "order → cart");
        shop().silent(judge);
        let failed = [(slot::ERRORS, 5)];
        shop().edge((&svc("order"), &peer), "GET /", 0..20, 5, &failed).silent(judge);
        let bank = Place::new(PlaceKind::External, "bank.example");
        shop().edge((&svc("order"), &bank), "GET /", 0..20, 5, &[]).silent(judge);
    }

    #[test]
    fn lost_callers_are_found() {
        let unknown = Place::new(PlaceKind::Unknown, "");
        let found = shop().edge((&unknown, &svc("cart")), "GET /", 0..20, 5, &[]).one(judge);
        assert_eq!((found.subject.id.as_str(), found.measured[0].1), ("orphans cart", 0.2));
        shop().edge((&unknown, &svc("cart")), "GET /", 0..2, 20, &[]).silent(judge);
    }

    #[test]
    fn few_calls_are_not_judged() {
        let peer = Place::new(PlaceKind::External, "cart");
        let few = shop().edge((&svc("order"), &peer), "GET /", 0..5, 3, &[]);
        assert!(few.reason(judge).contains("9 calls only"));
    }
}
