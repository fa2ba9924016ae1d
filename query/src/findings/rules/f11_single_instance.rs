//! F11: a service that others depend on and that runs once.

use std::collections::{BTreeMap, BTreeSet};

use storage::rollup::Minute;

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{count, proofs};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::thresholds::threshold;
use crate::rollup::{Cells, Key, PlaceKind, slot};

static HOURS: Threshold =
    threshold("F11.hours", 24.0, "hours", "never more than one instance", "从未超过一个实例的小时数");
static RATE: Threshold = threshold("F11.rate", 1.0, "calls/s", "that it serves", "每秒服务的调用数");
static FAN_IN: Threshold = threshold("F11.fan_in", 2.0, "services", "that call it", "调用它的服务数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F11",
    name: "single_instance",
    principle: "independent_operation",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Single instance", zh: "单实例" },
    what: Words {
        en: "A busy service that several others call has run as one instance for a day: its restart is \
             everybody's outage.",
        zh: "被多个服务调用的繁忙服务一整天只有一个实例：它重启就是所有人的故障。",
    },
    guard: Words {
        en: "Instances count that are there in three minutes in a row, so that a restart, which changes the id, \
             is not two.",
        zh: "连续三分钟同时存在才算两个实例，重启换 id 不算。",
    },
    thresholds: &[&HOURS, &RATE, &FAN_IN],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    let Some(day) = case.day else {
        verdict.skip(&RULE, None, "the last day is not read yet", "最近一天的数据尚未读取");
        return;
    };
    let first = day.series.iter().filter_map(|series| series.cells.keys().next()).min();
    let last = day.series.iter().filter_map(|series| series.cells.keys().last()).max();
    let (Some(first), Some(last)) = (first, last) else {
        verdict.skip(&RULE, None, "there is no data of the last day", "最近一天没有数据");
        return;
    };
    let hours = (last - first + 1) as f64 / 60.0;
    // A few minutes at the edges may be without traffic.
    if hours < case.limit(&HOURS) * 0.98 {
        let least = case.limit(&HOURS);
        verdict.skip(
            &RULE,
            None,
            format!("there are {hours:.1} hours of data; {least} are needed"),
            format!("只有 {hours:.1} 小时的数据，至少需要 {least} 小时"),
        );
        return;
    }
    let minutes = (last - first + 1) as f64;
    for (service, instances) in presence(day) {
        let (calls, callers, shown) = served(day, service);
        let rate = calls as f64 / (minutes * 60.0);
        if rate < case.limit(&RATE) || (callers.len() as f64) < case.limit(&FAN_IN) || at_once(&instances) > 1 {
            continue;
        }
        if instances.contains_key("") {
            verdict.skip(
                &RULE,
                Some(service),
                "its spans name no service.instance.id",
                "其 span 没有 service.instance.id",
            );
            continue;
        }
        let named = callers.iter().copied().collect::<Vec<_>>().join(", ");
        let claim = Text::new(
            format!("{service} runs as one instance, serves {rate:.1} calls a second, and {named} depend on it"),
            format!("{service} 只有一个实例，每秒服务 {rate:.1} 次调用，且 {named} 依赖它"),
        );
        let services: Vec<&str> = std::iter::once(service).chain(callers.iter().copied()).collect();
        let subject = Subject::new(SubjectKind::Service, service, &services);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(calls);
        let found = found.measure("instances", 1.0).measure("rate", rate).measure("fan_in", callers.len() as f64);
        let found = found.against(&HOURS, case).against(&RATE, case).against(&FAN_IN, case);
        verdict.found.push(found.proven(&shown, Text::new("a call that it served", "它服务的一次调用")));
    }
}

type Instances<'a> = BTreeMap<&'a str, BTreeSet<Minute>>;

fn presence(day: &Cells) -> BTreeMap<&str, Instances<'_>> {
    let mut services: BTreeMap<&str, Instances<'_>> = BTreeMap::new();
    for series in &day.series {
        if let Key::Presence { service, instance, .. } = &series.key {
            let minutes = services.entry(service).or_default().entry(instance).or_default();
            minutes.extend(series.cells.keys());
        }
    }
    services
}

/// The most instances that are there in three minutes in a row.
fn at_once(instances: &Instances<'_>) -> usize {
    let mut counts: BTreeMap<Minute, usize> = BTreeMap::new();
    for minutes in instances.values() {
        for minute in
            minutes.iter().filter(|minute| minutes.contains(&(*minute + 1)) && minutes.contains(&(*minute + 2)))
        {
            *counts.entry(*minute).or_default() += 1;
        }
    }
    counts.into_values().max().unwrap_or(0)
}

/// Calls of other services, who they are, and some of them.
fn served<'a>(day: &'a Cells, name: &str) -> (u64, BTreeSet<&'a str>, Vec<crate::findings::observe::Proof>) {
    let (mut calls, mut callers, mut sum) = (0, BTreeSet::new(), storage::rollup::Cell::default());
    for series in &day.series {
        let Key::Edge { source, target, .. } = &series.key else { continue };
        if target.kind != PlaceKind::Service || target.name != name || source == target {
            continue;
        }
        calls += series.cells.values().map(|cell| count(cell, slot::CALLS)).sum::<u64>();
        if source.kind == PlaceKind::Service {
            callers.insert(source.name.as_str());
        }
        series.cells.values().rev().take(3).for_each(|cell| sum.merge(cell, 1));
    }
    (calls, callers, proofs(&sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, svc};

    fn world(hours: i64) -> World {
        let mut world = World::new(5);
        world.hours = 24;
        world
            .presence(("auth", "1", "a"), 0..hours * 60)
            .edge((&svc("web"), &svc("auth")), "Check", 0..hours * 60, 60, &[])
            .edge((&svc("order"), &svc("auth")), "Check", 0..hours * 60, 60, &[])
    }

    #[test]
    fn one_instance_for_a_day_is_found() {
        let found = world(24).one(judge);
        assert_eq!((found.subject.id.as_str(), found.measured[1].1), ("auth", 2.0));
    }

    #[test]
    fn two_instances_are_healthy_and_a_restart_is_not_two() {
        world(24).presence(("auth", "1", "b"), 600..620).silent(judge);
        world(24).presence(("auth", "1", "b"), 600..602).one(judge);
    }

    #[test]
    fn less_than_a_day_is_not_judged() {
        assert!(world(5).reason(judge).contains("5.0 hours"));
        assert!(World::new(5).reason(judge).contains("not read yet"));
        assert!(world(24).presence(("auth", "1", ""), 0..1).reason(judge).contains("service.instance.id"));
    }
}
