//! F10: calls that go round the gateway, or up the layers.

use std::collections::BTreeSet;

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{Edge, shown};
use crate::findings::layers::{Layer, Placed};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::thresholds::{CALLS, threshold};
use crate::rollup::{Mode, Place, PlaceKind};

static BYPASS: Threshold =
    threshold("F10.bypass", 0.05, "share", "of the calls from outside go round the gateway", "绕过网关的外部调用比例");
static MINUTES: Threshold =
    threshold("F10.minutes", 60.0, "minutes", "how far back calls are looked at", "回看的分钟数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F10",
    name: "layering",
    principle: "layering",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Layers turned round", zh: "分层违规" },
    what: Words {
        en: "Calls from outside reach a service that is no gateway; or a basic service calls an aggregate, a \
             platform calls the business, a service calls the gateway.",
        zh: "外部调用直接到达非网关服务；或基础服务调用聚合服务、平台服务调用业务服务、服务反向调用网关。",
    },
    guard: Words {
        en: "Probes, scheduled work and pages before the gateway do not count, nor do messages. Layers that are inferred only mention; \
             those that the file tells warn.",
        zh: "探活、定时任务、网关前的页面服务与消息不计。推断的分层只作提示，配置文件指定的分层才警告。",
    },
    thresholds: &[&BYPASS, &MINUTES],
};

/// Share of a front's calls that come from users.
const FED_BY_USERS: f64 = 0.8;
/// Parts of operations that probes and schedulers call.
const PROBES: &[&str] = &[
    "health", "ready", "live", "ping", "metrics", "actuator", "status", "favicon", "probe", "schedule", "cron", "job",
];

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let end = case.minutes().end;
    let edges = case.edges(end - case.limit(&MINUTES) as i64..end);
    let edges: Vec<Edge> = edges.into_iter().filter(|edge| edge.mode == Mode::Sync).collect();
    let fronts = fronts(case, &edges);
    bypass(case, &edges, &fronts, verdict);
    inversions(case, &edges, &fronts, verdict);
}

/// Services before the gateway, such as the one that serves the pages: users call them, and they call the gateway.
fn fronts(case: &Case<'_>, edges: &[Edge]) -> BTreeSet<String> {
    let is_gateway = |place: &Place| case.layers.get(&place.name).is_some_and(|placed| placed.layer == Layer::Gateway);
    let before = edges.iter().filter(|edge| edge.source.kind == PlaceKind::Service && is_gateway(&edge.target));
    let fed_by_users = |service: &Place| {
        let into = edges.iter().filter(|edge| edge.target == *service);
        let (all, users) = into.fold((0, 0), |(all, users), edge| {
            (all + edge.calls(), users + if edge.source.kind == PlaceKind::User { edge.calls() } else { 0 })
        });
        users as f64 >= FED_BY_USERS * all as f64
    };
    before.filter(|edge| fed_by_users(&edge.source)).map(|edge| edge.source.name.clone()).collect()
}

fn bypass(case: &Case<'_>, edges: &[Edge], fronts: &BTreeSet<String>, verdict: &mut Verdict) {
    if !case.layers.values().any(|placed| placed.layer == Layer::Gateway) {
        verdict.skip(&RULE, Some("bypass"), "no service is known as a gateway", "没有已知的网关服务");
        return;
    }
    let outside: Vec<(&Edge, u64)> = edges
        .iter()
        .filter(|edge| edge.source.kind == PlaceKind::User && edge.target.kind == PlaceKind::Service)
        .map(|edge| (edge, asked_by_people(edge)))
        .collect();
    let all: u64 = outside.iter().map(|(_, calls)| calls).sum();
    for (edge, calls) in outside {
        let placed = case.layers.get(&edge.target.name);
        let share = calls as f64 / all.max(1) as f64;
        let gateway = placed.is_some_and(|placed| placed.layer == Layer::Gateway);
        if gateway || fronts.contains(&edge.target.name) || calls == 0 || share < case.limit(&BYPASS) {
            continue;
        }
        let service = shown(&edge.target);
        let id = format!("bypass {service}");
        if !case.gate(&RULE, &id, calls, calls, verdict) {
            continue;
        }
        let told = case.layers.values().any(|placed| placed.layer == Layer::Gateway && placed.told);
        let claim = Text::new(
            format!("{:.0} % of the calls from outside reach {service} without a gateway", share * 100.0),
            format!("{:.0}% 的外部调用绕过网关直接到达 {service}", share * 100.0),
        );
        let subject = Subject::new(SubjectKind::Service, id, &[service]);
        let found = case.draft(&RULE, if told { Severity::Warning } else { Severity::Info }, subject, claim).n(calls);
        let found = found.confident(if told { 0.9 } else { 0.5 }).measure("share", share).against(&BYPASS, case);
        verdict.found.push(found.proven(&edge.proofs(), Text::new("a trace that begins there", "从该服务开始的链路")));
    }
}

/// Calls of an edge but for those of probes and schedulers.
fn asked_by_people(edge: &Edge) -> u64 {
    let probe = |operation: &str| {
        let lower = operation.to_lowercase();
        PROBES.iter().any(|probe| lower.contains(probe))
    };
    let calls = edge.operations.iter().filter(|(operation, _)| !probe(operation)).map(|(_, calls)| *calls).sum::<i64>();
    u64::try_from(calls).unwrap_or(0)
}

fn inversions(case: &Case<'_>, edges: &[Edge], fronts: &BTreeSet<String>, verdict: &mut Verdict) {
    for edge in edges.iter().filter(|edge| edge.source.kind == PlaceKind::Service && edge.source != edge.target) {
        let (Some(source), Some(target)) = (case.layers.get(&edge.source.name), case.layers.get(&edge.target.name))
        else {
            continue;
        };
        let Some((en, zh)) = inversion(*source, *target).filter(|_| !fronts.contains(&edge.source.name)) else {
            continue;
        };
        if (edge.calls() as f64) < case.limit(&CALLS) {
            case.gate(&RULE, &edge.name(), edge.calls(), edge.calls(), verdict);
            continue;
        }
        let told = source.told && target.told;
        let claim = Text::new(format!("{en}: {}", edge.name()), format!("{zh}：{}", edge.name()));
        let subject = Subject::new(SubjectKind::Edge, edge.name(), &[shown(&edge.source), shown(&edge.target)]);
        let severity = if told { Severity::Warning } else { Severity::Info };
        let found =
            case.draft(&RULE, severity, subject, claim).n(edge.calls()).confident(if told { 0.95 } else { 0.5 });
        let found = found.measure("calls", edge.calls() as f64).against(&MINUTES, case);
        verdict.found.push(found.proven(&edge.proofs(), Text::new("a call up the layers", "一次反向调用")));
    }
}

fn inversion(source: Placed, target: Placed) -> Option<(&'static str, &'static str)> {
    match (source.layer, target.layer) {
        (Layer::Basic, Layer::Aggregate) => Some(("a basic service calls an aggregate", "基础服务调用聚合服务")),
        (Layer::Platform, Layer::Aggregate | Layer::Basic) => {
            Some(("a platform calls the business", "平台服务调用业务服务"))
        }
        (Layer::Gateway, Layer::Gateway) => None,
        (_, Layer::Gateway) => Some(("a service calls the gateway", "服务反向调用网关")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, svc, user};

    fn shop() -> World {
        World::new(5)
            .layer("gateway", Layer::Gateway)
            .layer("order", Layer::Aggregate)
            .layer("stock", Layer::Basic)
            .edge((&user(), &svc("gateway")), "GET /", 0..20, 10, &[])
            .edge((&svc("gateway"), &svc("order")), "GET /", 0..20, 10, &[])
            .edge((&svc("order"), &svc("stock")), "Reserve", 0..20, 10, &[])
    }

    #[test]
    fn a_way_round_the_gateway_is_found() {
        let found = shop().edge((&user(), &svc("order")), "GET /orders", 0..20, 2, &[]).one(judge);
        assert_eq!((found.subject.id.as_str(), found.severity), ("bypass order", Severity::Warning));
        shop().silent(judge);
        shop().edge((&user(), &svc("order")), "GET /health", 0..20, 5, &[]).silent(judge);
    }

    #[test]
    fn what_stands_before_the_gateway_is_no_way_round_it() {
        let pages = |world: World| {
            world.layer("pages", Layer::Other).edge((&user(), &svc("pages")), "GET /", 0..20, 10, &[]).edge(
                (&svc("pages"), &svc("gateway")),
                "GET /",
                0..20,
                10,
                &[],
            )
        };
        pages(shop()).silent(judge);
        let found = shop().edge((&svc("stock"), &svc("gateway")), "GET /", 0..20, 10, &[]).one(judge);
        assert!(found.claim.en.contains("a service calls the gateway"));
    }

    #[test]
    fn calls_up_the_layers_are_found() {
        let found = shop().edge((&svc("stock"), &svc("order")), "Notify", 0..20, 2, &[]).one(judge);
        assert!(found.claim.en.contains("basic service calls an aggregate"));
    }

    #[test]
    fn few_calls_and_no_gateway_are_not_judged() {
        let few = shop().edge((&svc("stock"), &svc("order")), "Notify", 0..5, 1, &[]);
        assert!(few.reason(judge).contains("5 calls only"));
        assert!(World::new(5).reason(judge).contains("gateway"));
    }
}
