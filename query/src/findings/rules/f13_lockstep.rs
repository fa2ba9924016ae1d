//! F13: services that can only be released together.

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::releases::changes;
use crate::findings::thresholds::threshold;

static WITHIN: Threshold =
    threshold("F13.within", 30.0, "minutes", "two services change their version", "两个服务变更版本的时间间隔");
static RELEASES: Threshold =
    threshold("F13.releases", 4.0, "releases", "the last ones of each are looked at", "各自最近的发布次数");
static TOGETHER: Threshold = threshold("F13.together", 3.0, "releases", "of these together", "其中同时发布的次数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F13",
    name: "lockstep_release",
    principle: "independent_release",
    version: 1,
    severity: Severity::Info,
    title: Words { en: "Lockstep releases", zh: "捆绑发布" },
    what: Words {
        en: "Two services change their version within half an hour, in three of the last four releases of both.",
        zh: "两个服务在各自最近四次发布中有三次在半小时内同时发布。",
    },
    guard: Words {
        en: "Services that bear the same version are one deployable, not two; the first version that was seen is \
             no release.",
        zh: "版本号相同的服务视为同一发布单元；首次见到的版本不算发布。",
    },
    thresholds: &[&WITHIN, &RELEASES, &TOGETHER],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    let last = case.limit(&RELEASES) as usize;
    let mut services: Vec<(&str, Vec<(i64, &str)>)> = Vec::new();
    for service in case.releases.keys() {
        let mut releases = changes(case.releases, service);
        releases.retain(|&(at, _)| at <= case.to);
        if releases.len() >= last {
            services.push((service, releases.split_off(releases.len() - last)));
        }
    }
    if services.len() < 2 {
        let (en, zh) = (
            format!("fewer than two services with {last} releases since Clew runs"),
            format!("自 Clew 运行以来，发布满 {last} 次的服务不足两个"),
        );
        verdict.skip(&RULE, None, en, zh);
        return;
    }
    let within = (case.limit(&WITHIN) * 60e9) as i64;
    for (at, (one, releases)) in services.iter().enumerate() {
        for (other, others) in &services[at + 1..] {
            let met: Vec<(&str, &str)> = releases
                .iter()
                .filter_map(|(when, version)| {
                    let near = others.iter().find(|(then, _)| when.abs_diff(*then) <= within.unsigned_abs())?;
                    Some((*version, near.1))
                })
                .collect();
            if (met.len() as f64) < case.limit(&TOGETHER) || met.iter().all(|(version, same)| version == same) {
                continue;
            }
            let claim = Text::new(
                format!("{one} and {other} were released together in {} of their last {last} releases", met.len()),
                format!("{one} 与 {other} 在最近 {last} 次发布中有 {} 次同时发布", met.len()),
            );
            let subject = Subject::new(SubjectKind::Service, format!("{one} + {other}"), &[one, other]);
            let found = case.draft(&RULE, Severity::Info, subject, claim).n(last as u64).confident(0.6);
            let found = found.measure("together", met.len() as f64).against(&TOGETHER, case);
            verdict.found.push(found.against(&WITHIN, case).against(&RELEASES, case));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    /// Five versions of each, the second service so many minutes later.
    fn world(later: i64, same: bool, releases: i64) -> World {
        let mut world = World::new(5);
        for release in 0..=releases {
            let at = 10_000 - release * 1_000;
            let other = if same { format!("1.{release}") } else { format!("7.{release}") };
            world = world.release("cart", &format!("1.{release}"), at).release("order", &other, at - later);
        }
        world
    }

    #[test]
    fn releases_together_are_found() {
        let found = world(10, false, 4).one(judge);
        assert_eq!((found.subject.id.as_str(), found.measured[0].1), ("cart + order", 4.0));
    }

    #[test]
    fn releases_apart_and_one_deployable_are_healthy() {
        world(300, false, 4).silent(judge);
        world(10, true, 4).silent(judge);
    }

    #[test]
    fn few_releases_are_not_judged() {
        assert!(world(10, false, 3).reason(judge).contains("fewer than two services"));
    }
}
