//! F1: services that call each other in a circle, within one trace.

use super::{Case, Rule, Severity, Verdict, Words};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F1",
    name: "call_cycle",
    principle: "decoupling",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "Call cycle", zh: "循环调用" },
    what: Words {
        en: "Services wait for each other in a circle: within one trace a service is called again further down.",
        zh: "服务之间形成环形同步调用：同一条链路中，某服务在下游再次被调用。",
    },
    guard: Words {
        en: "Only synchronous calls count; messages end a chain. The trace itself must show A … B … A.",
        zh: "只看同步调用，消息会中断调用链；必须有链路本身显示 A … B … A。",
    },
    thresholds: &[],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.two_sided(&RULE, verdict) {
        return;
    }
    for track in case.tracks(Family::Cycle) {
        let mut way: Vec<&str> = track.parts.iter().map(String::as_str).collect();
        let services = way.clone();
        way.extend(services.first());
        let id = way.join(" → ");
        if !case.gate(&RULE, &id, track.sum.hits, track.sum.traces, verdict) {
            continue;
        }
        if !track.hit_twice() {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let claim = Text::new(
            format!("{} services wait for each other in a circle: {id}", services.len()),
            format!("{} 个服务形成同步调用环：{id}", services.len()),
        );
        let why = Text::new("the trace comes back to the service that it left", "链路又回到了它离开的服务");
        let subject = Subject::new(SubjectKind::Edge, id, &services);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(track.sum.hits);
        let found = found.measure("services", services.len() as f64).measure("traces", track.sum.traces as f64);
        verdict.found.push(found.proven(&track.sum.proofs, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    #[test]
    fn a_circle_is_found_and_a_line_is_not() {
        let found = World::new(5).seen(Family::Cycle, &["cart", "order"], 10, 10).one(judge);
        assert_eq!((found.subject.id.as_str(), found.evidence.len()), ("cart → order → cart", 3));
        World::new(5).silent(judge);
    }

    #[test]
    fn too_few_calls_or_windows_are_not_judged() {
        let few = World::new(5).seen(Family::Cycle, &["cart", "order"], 1, 1);
        assert!(few.reason(judge).contains("5 calls only"));
        let once = World::new(5).lately(1, Family::Cycle, &["cart", "order"], 30, 30);
        assert!(once.reason(judge).contains("one window"));
    }
}
