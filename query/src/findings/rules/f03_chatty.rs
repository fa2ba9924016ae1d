//! F3: the same call again and again for one piece of work (N+1).

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::{Family, Repeats};
use crate::findings::thresholds::{Thresholds, threshold};

static DB_CALLS: Threshold = threshold(
    "F3.db_calls",
    5.0,
    "calls",
    "more calls of a database than this under one parent",
    "同一父 span 下的数据库调用数，超过此值",
);
static DB_MS: Threshold =
    threshold("F3.db_ms", 50.0, "ms", "that take longer than this together", "这些调用合计耗时超过");
static RPC_CALLS: Threshold = threshold(
    "F3.rpc_calls",
    10.0,
    "calls",
    "so many calls of a service under one parent",
    "同一父 span 下对同一服务的调用数",
);
static SEQUENTIAL: Threshold =
    threshold("F3.sequential", 0.8, "share", "of them begin when the one before has ended", "其中依次执行的比例");
static TRACES: Threshold =
    threshold("F3.traces", 0.1, "share", "of the runs of the operation show it", "该操作中出现此情况的比例");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F3",
    name: "chatty",
    principle: "communication",
    version: 1,
    severity: Severity::Warning,
    title: Words { en: "N+1 and chatty calls", zh: "N+1 与频繁调用" },
    what: Words {
        en: "One piece of work makes the same call many times, one after the other, where one call would do.",
        zh: "一次处理中依次重复同一调用多次，本可合并为一次。",
    },
    guard: Words {
        en: "Calls that failed and their retries do not count, nor do messages, nor calls side by side.",
        zh: "失败及其重试、消息、并行调用都不计入。",
    },
    thresholds: &[&DB_CALLS, &DB_MS, &RPC_CALLS, &SEQUENTIAL, &TRACES],
};

/// From when on one trace shows it.
pub(in crate::findings) fn repeats(thresholds: &Thresholds) -> Repeats {
    Repeats {
        db_calls: thresholds.get(&DB_CALLS),
        db_ms: thresholds.get(&DB_MS),
        rpc_calls: thresholds.get(&RPC_CALLS),
        sequential: thresholds.get(&SEQUENTIAL),
    }
}

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let runs = case.tracks(Family::Entries);
    for track in case.tracks(Family::Chatty) {
        let [kind, service, operation, target, callee] = [0, 1, 2, 3, 4].map(|at| track.part(at));
        let of = runs.iter().find(|run| run.part(0) == service && run.part(1) == operation);
        let of = of.map_or(track.sum.hits, |run| run.sum.of);
        let id = format!("{service} {operation} → {target} {callee}");
        let share = track.sum.hits as f64 / of.max(1) as f64;
        if share < case.limit(&TRACES) || !case.gate(&RULE, &id, of, track.sum.traces, verdict) {
            continue;
        }
        if !track.hit_twice() {
            case.once(&RULE, &id, verdict);
            continue;
        }
        let most = track.sum.proofs.first().map_or(0, |proof| proof.weight);
        let claim = Text::new(
            format!(
                "{operation} of {service} asks {target} for `{callee}` up to {most} times in turn ({:.0} % of its \
                 runs)",
                share * 100.0
            ),
            format!(
                "{service} 的 {operation} 依次向 {target} 重复调用 `{callee}`，最多 {most} 次（占其执行的 {:.0}%）",
                share * 100.0
            ),
        );
        let why = Text::new("the same call again and again", "同一调用反复出现");
        let subject = Subject::new(SubjectKind::Operation, id, &[service]);
        let found = case.draft(&RULE, Severity::Warning, subject, claim).n(of);
        let found = found.measure("share", share).measure("most_calls", most as f64);
        let limits = if kind == "db" { [&DB_CALLS, &DB_MS] } else { [&RPC_CALLS, &SEQUENTIAL] };
        let found = limits.into_iter().fold(found.against(&TRACES, case), |found, limit| found.against(limit, case));
        verdict.found.push(found.proven(&track.sum.proofs, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::World;

    const KEY: [&str; 5] = ["db", "order", "GET /orders", "mysql://db/shop", "mysql SELECT items"];
    const RUN: [&str; 2] = ["order", "GET /orders"];

    #[test]
    fn a_tenth_of_the_runs_is_enough() {
        let found = World::new(5).seen(Family::Entries, &RUN, 20, 0).seen(Family::Chatty, &KEY, 0, 4).one(judge);
        assert_eq!((found.n, found.measured[0].1), (100, 0.2));
        World::new(5).seen(Family::Entries, &RUN, 20, 0).silent(judge);
        World::new(5).seen(Family::Entries, &RUN, 100, 0).seen(Family::Chatty, &KEY, 0, 4).silent(judge);
    }

    #[test]
    fn few_runs_are_not_judged() {
        let few = World::new(5).seen(Family::Entries, &RUN, 2, 0).seen(Family::Chatty, &KEY, 0, 2);
        assert!(few.reason(judge).contains("10 calls only"));
    }
}
