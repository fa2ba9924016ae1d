//! F5: retries that multiply the load.

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Family;
use crate::findings::thresholds::threshold;

static SHARE: Threshold = threshold(
    "F5.share",
    0.1,
    "share",
    "of the calls are retries, in two minutes in a row",
    "连续两分钟内重试调用所占比例",
);
static LAYERS: Threshold = threshold(
    "F5.layers",
    2.0,
    "services",
    "so many services retry below each other: severe",
    "同一链路中逐层重试的服务数，达到即为严重",
);

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F5",
    name: "retry_storm",
    principle: "fault_tolerance",
    version: 1,
    severity: Severity::Critical,
    title: Words { en: "Retry storm", zh: "重试风暴" },
    what: Words {
        en: "A large share of an edge's calls are retries; severe where several layers retry, for attempts multiply.",
        zh: "某调用关系中重试占比过高；多层同时重试时为严重，因为尝试次数会相乘。",
    },
    guard: Words {
        en: "A call repeats another of the same parent, target and operation that failed before it began; \
             redirects and 401, 407 are none.",
        zh: "同一父 span 下、目标与操作相同、在前一次失败之后开始的调用才算；重定向与 401、407 不算。",
    },
    thresholds: &[&SHARE, &LAYERS],
};

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let share = case.limit(&SHARE);
    for track in case.tracks(Family::Retries).into_iter().filter(|track| track.sum.share() > share) {
        let [service, target, operation] = [0, 1, 2].map(|at| track.part(at));
        let id = format!("{service} → {target} {operation}");
        if !case.gate(&RULE, &id, track.sum.of, track.sum.traces, verdict) {
            continue;
        }
        if !track.twice(|of, hits| hits as f64 > share * of as f64) {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let claim = Text::new(
            format!(
                "{:.0} % of the calls `{operation}` from {service} to {target} are retries",
                track.sum.share() * 100.0
            ),
            format!("{service} 对 {target} 的 `{operation}` 调用中有 {:.0}% 是重试", track.sum.share() * 100.0),
        );
        let subject = Subject::new(SubjectKind::Edge, id, &[service]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(track.sum.of);
        let found = found.measure("share", track.sum.share()).against(&SHARE, case);
        verdict
            .found
            .push(found.proven(&track.sum.proofs, Text::new("attempts after a failure", "失败之后的再次尝试")));
    }
    for track in
        case.tracks(Family::RetryLayers).into_iter().filter(|track| track.parts.len() as f64 >= case.limit(&LAYERS))
    {
        let services: Vec<&str> = track.parts.iter().map(String::as_str).collect();
        let id = format!("layers {}", services.join(" → "));
        if !case.gate(&RULE, &id, track.sum.hits, track.sum.traces, verdict) {
            continue;
        }
        if !track.hit_twice() {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let named = services.join(", ");
        let claim = Text::new(
            format!("{named} retry below each other: attempts multiply"),
            format!("{} 逐层重试：尝试次数相乘", services.join("、")),
        );
        let subject = Subject::new(SubjectKind::Edge, id, &services);
        let found = case.draft(&RULE, Severity::Critical, subject, claim).n(track.sum.hits);
        let found = found.measure("layers", services.len() as f64).against(&LAYERS, case);
        verdict.found.push(found.proven(&track.sum.proofs, Text::new("retries within a retry", "重试之中的重试")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    const EDGE: [&str; 3] = ["web", "cart", "GET /cart"];

    #[test]
    fn retries_and_layers_are_found() {
        let found = World::new(5).seen(Family::Retries, &EDGE, 50, 10).one(judge);
        assert_eq!((found.severity, found.measured[0].1), (Severity::Warning, 0.2));
        let layers = World::new(5).seen(Family::RetryLayers, &["web", "cart"], 5, 5).one(judge);
        assert_eq!(layers.severity, Severity::Critical);
    }

    #[test]
    fn a_retry_now_and_then_is_healthy() {
        World::new(5).seen(Family::Retries, &EDGE, 50, 2).silent(judge);
    }

    #[test]
    fn few_calls_and_one_minute_are_not_judged() {
        assert!(World::new(5).seen(Family::Retries, &EDGE, 2, 1).reason(judge).contains("10 calls only"));
        assert!(World::new(5).lately(1, Family::Retries, &EDGE, 50, 25).reason(judge).contains("one window"));
    }
}
