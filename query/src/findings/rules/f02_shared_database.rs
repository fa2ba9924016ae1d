//! F2: one database that several services use.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Rule, Severity, Threshold, Verdict, Words};
use crate::findings::judge::{Edge, count, shown};
use crate::findings::model::{Subject, SubjectKind, Text};
use crate::findings::observe::Proof;
use crate::findings::thresholds::{CALLS, threshold};
use crate::rollup::{PlaceKind, slot};

static SERVICES: Threshold =
    threshold("F2.services", 2.0, "services", "services that use one database", "共用同一数据库的服务数");
static WRITERS: Threshold = threshold(
    "F2.writers",
    2.0,
    "services",
    "services that write one collection: severe",
    "写同一张表的服务数，达到即为严重",
);
static MINUTES: Threshold =
    threshold("F2.minutes", 60.0, "minutes", "how far back calls are looked at", "回看的分钟数");

pub(in crate::findings) static RULE: Rule = Rule {
    id: "F2",
    name: "shared_database",
    principle: "own_database",
    version: 1,
    severity: Severity::Critical,
    title: Words { en: "Shared database", zh: "共享数据库" },
    what: Words {
        en: "Two services or more use the same database (system, address and namespace); severe where they write \
             the same collection.",
        zh: "两个以上服务使用同一个数据库（类型、地址、库名相同）；写同一张表时为严重。",
    },
    guard: Words {
        en: "Caches are only mentioned; without a namespace it is called possible. A service counts from 20 calls on.",
        zh: "缓存只作提示；没有库名时只说“可能”；某服务至少 20 次调用才计入。",
    },
    thresholds: &[&SERVICES, &WRITERS, &MINUTES],
};

const CACHES: &[&str] = &["redis", "memcached", "valkey", "hazelcast", "ehcache", "aerospike"];
const WRITES: &[&str] = &[
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "MERGE",
    "UPSERT",
    "TRUNCATE",
    "DROP",
    "SAVE",
    "BULK",
    "INDEX",
    "FINDANDMODIFY",
];

pub(in crate::findings) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    if !case.has_spans(&RULE, verdict) {
        return;
    }
    let minutes = case.minutes();
    let minutes = minutes.end - case.limit(&MINUTES) as i64..minutes.end;
    let mut databases: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
    for edge in case.edges(minutes) {
        if edge.target.kind == PlaceKind::Database && edge.source.kind == PlaceKind::Service {
            databases.entry(edge.target.name.clone()).or_default().push(edge);
        }
    }
    for (name, edges) in databases {
        database(&name, &edges, case, verdict);
    }
}

fn database(name: &str, edges: &[Edge], case: &Case<'_>, verdict: &mut Verdict) {
    let (system, place) = name.split_once("://").unwrap_or((name, ""));
    let all: BTreeSet<&str> = edges.iter().map(|edge| shown(&edge.source)).collect();
    if (all.len() as f64) < case.limit(&SERVICES) || place.is_empty() {
        return;
    }
    let used: Vec<&Edge> = edges.iter().filter(|edge| edge.calls() as f64 >= case.limit(&CALLS)).collect();
    let services: BTreeSet<&str> = used.iter().map(|edge| shown(&edge.source)).collect();
    if (services.len() as f64) < case.limit(&SERVICES)
        || !used.iter().any(|edge| edge.twice(|cell| count(cell, slot::CALLS) > 0))
    {
        let named = all.iter().copied().collect::<Vec<_>>().join(", ");
        verdict.skip(
            &RULE,
            Some(name),
            format!("{named} use it, but not with enough calls each"),
            format!("{named} 都使用它，但各自的调用数不足"),
        );
        return;
    }
    let shared = shared_collection(&used, case.limit(&WRITERS));
    let has_namespace = place.split_once('/').is_some_and(|(_, namespace)| !namespace.is_empty());
    let severity = match (&shared, CACHES.contains(&system), has_namespace) {
        (_, true, _) | (_, _, false) => Severity::Info,
        (Some(_), ..) => Severity::Critical,
        (None, ..) => Severity::Warning,
    };
    let named: Vec<&str> = services.iter().copied().collect();
    let listed = named.join(", ");
    let (possibly, maybe) = if has_namespace { ("", "") } else { ("possibly ", "可能") };
    let claim = match &shared {
        Some((collection, writers)) => Text::new(
            format!("{} write the same collection {collection} of {name}", writers.join(", ")),
            format!("{} 写同一数据库 {name} 的同一张表 {collection}", writers.join("、")),
        ),
        None => Text::new(
            format!("{listed} {possibly}share the database {name}"),
            format!("{} {maybe}共享数据库 {name}", named.join("、")),
        ),
    };
    let calls = used.iter().map(|edge| edge.calls()).sum();
    let subject = Subject::new(SubjectKind::Database, name, &named);
    let mut found =
        case.draft(&RULE, severity, subject, claim).n(calls).against(&SERVICES, case).against(&WRITERS, case);
    found = found.measure("services", services.len() as f64);
    found = found.measure("writers", shared.as_ref().map_or(0, |(_, writers)| writers.len()) as f64);
    found = found.confident(if has_namespace { 0.95 } else { 0.5 });
    for edge in used.iter().take(crate::findings::observe::MOST_PROOFS) {
        let who = shown(&edge.source);
        let why = Text::new(format!("{who} uses it here"), format!("{who} 在此使用它"));
        let proofs: Vec<Proof> = edge.proofs().into_iter().take(1).collect();
        found = found.proven(&proofs, why);
    }
    verdict.found.push(found);
}

/// The collection that most services write, where it is enough of them.
fn shared_collection<'a>(edges: &[&'a Edge], least: f64) -> Option<(String, Vec<&'a str>)> {
    let mut writers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in edges {
        for operation in edge.operations.iter().filter(|(_, calls)| **calls > 0).map(|(operation, _)| operation) {
            if let Some(collection) = written(operation) {
                writers.entry(collection).or_default().insert(shown(&edge.source));
            }
        }
    }
    let most = writers.into_iter().max_by_key(|(_, services)| services.len())?;
    (most.1.len() as f64 >= least).then(|| (most.0.to_owned(), most.1.into_iter().collect()))
}

/// `mysql INSERT orders` writes `orders`.
fn written(operation: &str) -> Option<&str> {
    let mut words = operation.split_whitespace().skip(1);
    let verb = words.next()?;
    WRITES.iter().any(|write| verb.eq_ignore_ascii_case(write)).then(|| words.next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::judge::testing::{World, db, svc};

    const SHOP: &str = "mysql://db:3306/shop";

    fn world(second: &str, operation: &str, calls: i64) -> World {
        let of_order = db(SHOP);
        World::new(5).edge((&svc("order"), &of_order), "mysql INSERT orders", 0..20, 5, &[]).edge(
            (&svc("report"), &db(second)),
            operation,
            0..20,
            calls,
            &[],
        )
    }

    #[test]
    fn two_writers_are_severe_two_readers_are_not() {
        let found = world(SHOP, "mysql UPDATE orders", 5).one(judge);
        assert_eq!((found.severity, found.subject.services.len()), (Severity::Critical, 2));
        assert!(found.claim.en.contains("collection orders") && found.evidence.len() == 2);
        assert_eq!(world(SHOP, "mysql SELECT orders", 5).one(judge).severity, Severity::Warning);
    }

    #[test]
    fn a_database_each_is_healthy_even_on_one_server() {
        world("mysql://db:3306/report", "mysql UPDATE orders", 5).silent(judge);
    }

    #[test]
    fn caches_and_unknown_namespaces_are_only_mentioned() {
        let cache = |name: &str| {
            let place = db(name);
            World::new(5).edge((&svc("a"), &place), "GET", 0..20, 5, &[]).edge(
                (&svc("b"), &place),
                "GET",
                0..20,
                5,
                &[],
            )
        };
        assert_eq!(cache("redis://cache:6379/0").one(judge).severity, Severity::Info);
        assert!(cache("mysql://db:3306").one(judge).claim.en.contains("possibly"));
    }

    #[test]
    fn a_rare_user_is_not_judged() {
        assert!(world(SHOP, "mysql UPDATE orders", 0).judged(judge).found.is_empty());
        let rare = World::new(5).edge((&svc("order"), &db(SHOP)), "mysql INSERT orders", 0..20, 5, &[]).edge(
            (&svc("report"), &db(SHOP)),
            "mysql UPDATE orders",
            0..2,
            1,
            &[],
        );
        assert!(rare.reason(judge).contains("not with enough calls"));
    }
}
