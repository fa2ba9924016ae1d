//! That each fault leaves its mark in the traces, and that the healthy shop bears none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clap::ValueEnum;
use proto::otlp::messages::common::v1::any_value::Value;

use super::*;

/// Traces all over a story of ten minutes.
fn told(fault: Mark) -> Vec<Trace> {
    let story = Story { seed: 1, begin_ns: BEGIN, length_ns: 600_000_000_000, marks: Marks::of(&[fault]) };
    (0..3_000).map(|number| trace(&story, number, BEGIN + number * 200_000_000)).collect()
}

fn spans(traces: &[Trace]) -> impl Iterator<Item = &Made<Span>> {
    traces.iter().flat_map(|trace| &trace.spans)
}

fn value<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match attribute(span, key)?.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn logs(traces: &[Trace]) -> impl Iterator<Item = (&LogRecord, String)> {
    traces.iter().flat_map(|trace| &trace.logs).map(|made| (&made.row, format!("{:?}", made.row.body)))
}

/// Each span with its ancestors, nearest first.
fn lines(trace: &Trace) -> Vec<Vec<&Made<Span>>> {
    let by_id: HashMap<&[u8], &Made<Span>> = trace.spans.iter().map(|made| (&*made.row.span_id, made)).collect();
    let up = |made: &&Made<Span>| by_id.get(&*made.row.parent_span_id).copied();
    trace.spans.iter().map(|made| std::iter::successors(Some(made), up).collect()).collect()
}

fn is(kind: SpanKind, span: &Span) -> bool {
    span.kind == i32::from(kind)
}

/// The services of the servers above a span, the root first.
fn servers(line: &[&Made<Span>]) -> Vec<&'static str> {
    line.iter().rev().filter(|made| is(SpanKind::Server, &made.row)).map(|made| made.by.service.name).collect()
}

/// How many spans say this, in events or attributes.
fn say(traces: &[Trace], what: &str) -> usize {
    let says = |span: &Span| {
        let events = span.events.iter().flat_map(|event| &event.attributes);
        events.chain(&span.attributes).any(|attribute| format!("{attribute:?}").contains(what))
    };
    spans(traces).filter(|made| says(&made.row)).count()
}

fn call_cycle(traces: &[Trace]) -> bool {
    traces.iter().flat_map(lines).any(|line| {
        let servers = servers(&line);
        servers.windows(3).any(|three| three[0] == three[2] && three[0] != three[1])
    })
}

fn shared_database(traces: &[Trace]) -> bool {
    let mut users: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for Made { by, row, .. } in spans(traces) {
        let [system, namespace] = [["db.system.name", "db.system"], ["db.namespace", "db.name"]]
            .map(|keys| keys.iter().find_map(|key| value(row, key)));
        let address = value(row, "server.address").or(value(row, "net.peer.name"));
        if system.is_some() {
            users.entry((system, address, namespace)).or_default().insert(by.service.name);
        }
    }
    assert!(users.len() > 8, "{users:?}");
    users.values().any(|services| services.len() > 1)
}

fn n_plus_one(traces: &[Trace]) -> bool {
    let mut most = 0;
    for trace in traces {
        let mut counts: HashMap<(&[u8], &str), usize> = HashMap::new();
        for Made { row, .. } in &trace.spans {
            *counts.entry((&row.parent_span_id, &row.name)).or_default() += 1;
        }
        most = counts
            .into_iter()
            .filter(|((parent, _), _)| !parent.is_empty())
            .map(|(_, n)| n)
            .max()
            .unwrap_or(0)
            .max(most);
    }
    most > 5
}

fn deep_chain(traces: &[Trace]) -> bool {
    let depth = |trace| lines(trace).iter().map(|line| servers(line).len()).max().unwrap_or(0);
    let mut depths: Vec<usize> = traces.iter().map(depth).collect();
    depths.sort_unstable();
    depths[depths.len() * 95 / 100] > 10
}

fn retry_storm(traces: &[Trace]) -> bool {
    let retries: BTreeSet<_> = spans(traces)
        .filter(|made| attribute(&made.row, "http.request.resend_count").is_some())
        .map(|made| made.by.service.name)
        .collect();
    retries.len() > 1
}

/// Servers that ended after their client gave up; and how long that waited.
fn timeout_inverted(traces: &[Trace]) -> bool {
    let given_up: BTreeSet<_> = traces
        .iter()
        .flat_map(lines)
        .filter(|line| line.len() > 1 && is(SpanKind::Server, &line[0].row))
        .filter(|line| line[0].row.end_time_unix_nano > line[1].row.end_time_unix_nano)
        .filter(|line| line[1].row.status.is_some())
        .map(|line| line[1])
        .map(|made| (made.by.service.name, (made.row.end_time_unix_nano - made.row.start_time_unix_nano) / 1_000_000))
        .collect();
    given_up == BTreeSet::from([("api-gateway", 800), ("checkout", 900)])
}

fn bypass(traces: &[Trace]) -> bool {
    let roots = spans(traces).filter(|made| made.row.parent_span_id.is_empty() && is(SpanKind::Server, &made.row));
    let (gateway, other): (Vec<_>, Vec<_>) = roots.partition(|made| made.by.service.name == "api-gateway");
    assert!(gateway.len() > 1_000);
    other.iter().filter(|made| made.by.service.name == "checkout").count() > 100 && gateway.len() > other.len()
}

fn alone(traces: &[Trace]) -> bool {
    let mut instances: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for Made { by, .. } in spans(traces) {
        instances.entry(by.service.name).or_default().insert(by.number);
    }
    let alone: Vec<_> = instances.into_iter().filter(|(_, numbers)| numbers.len() == 1).map(|(name, _)| name).collect();
    assert!(alone.is_empty() || alone == ["catalog"], "{alone:?}");
    !alone.is_empty()
}

fn versions(traces: &[Trace], service: &str) -> usize {
    let versions = spans(traces).filter(|made| made.by.service.name == service).map(|made| made.by.version);
    versions.collect::<BTreeSet<_>>().len()
}

fn orphans(traces: &[Trace]) -> bool {
    let orphaned = |line: &[&Made<Span>]| line.last().is_some_and(|made| !made.row.parent_span_id.is_empty());
    let share = traces.iter().filter(|trace| lines(trace).iter().any(|line| orphaned(line))).count();
    assert!(share == 0 || share * 100 / traces.len() > 5);
    share > 0
}

fn skewed(traces: &[Trace]) -> bool {
    let mut early = BTreeSet::new();
    for line in traces.iter().flat_map(lines) {
        let [callee, caller, ..] = &*line else { continue };
        if is(SpanKind::Server, &callee.row) && callee.row.end_time_unix_nano > caller.row.end_time_unix_nano {
            early.insert((callee.by.service.name, callee.by.number));
        }
    }
    assert!(early.is_empty() || early == BTreeSet::from([("catalog", 1)]), "{early:?}");
    !early.is_empty()
}

fn silent(traces: &[Trace]) -> bool {
    let last =
        spans(traces).filter(|made| made.by.service.name == "inventory").map(|made| made.row.end_time_unix_nano).max();
    last.is_some_and(|last| last < BEGIN + 245_000_000_000) && say(traces, "No provider available") > 100
}

fn bursts(traces: &[Trace]) -> bool {
    let (mut inside, mut outside) = (0, 0);
    for (log, body) in logs(traces).filter(|(log, _)| log.severity_text == "ERROR") {
        let second = (log.time_unix_nano - BEGIN) / 1_000_000_000;
        // A line may come a little after its trace began.
        let burst = second >= 540 && second % 60 < 22;
        *(if burst && body.contains("unreadable") { &mut inside } else { &mut outside }) += 1;
    }
    inside > 20 && outside == 0
}

fn secrets(traces: &[Trace]) -> bool {
    let log = |what: &str| logs(traces).any(|(_, body)| body.contains(what));
    say(traces, "Bearer eyJ") > 0 && log("4111 1111 1111 1111") && log("AKIA")
}

fn lag(traces: &[Trace]) -> bool {
    let mut lags = [Vec::new(), Vec::new()];
    for line in traces.iter().flat_map(lines) {
        let [consumer, producer, ..] = &*line else { continue };
        if is(SpanKind::Consumer, &consumer.row) {
            let late = producer.row.start_time_unix_nano > BEGIN + 250_000_000_000;
            lags[usize::from(late)].push(consumer.row.start_time_unix_nano - producer.row.end_time_unix_nano);
        }
    }
    let [before, after] = lags.map(|mut lags| {
        lags.sort_unstable();
        lags[lags.len() / 2]
    });
    after > 20 * before
}

fn zones(traces: &[Trace]) -> bool {
    let lost = traces.iter().flat_map(lines).filter(|line| {
        line.len() > 1 && line[1].row.status.as_ref().is_some_and(|status| status.message == "Connection reset by peer")
    });
    let pairs: Vec<_> = lost
        .filter(|line| is(SpanKind::Server, &line[0].row))
        .map(|line| (line[1].by.zone(), line[0].by.zone(), line[0].row.status.is_some()))
        .collect();
    pairs.len() > 100 && pairs.iter().all(|pair| (pair.0, pair.1) == ("cn-east-1a", "cn-east-1b"))
}

/// What a fault is seen by.
fn sign(fault: Mark) -> fn(&[Trace]) -> bool {
    match fault {
        Mark::Everyday | Mark::Healthy => |_| false,
        Mark::CallCycle => call_cycle,
        Mark::SharedDatabase => shared_database,
        Mark::NPlusOne => n_plus_one,
        Mark::DeepChain => deep_chain,
        Mark::RetryStorm => retry_storm,
        Mark::Timeout => timeout_inverted,
        Mark::BreakerOpen => |traces| say(traces, "CallNotPermittedException") > 50,
        Mark::Degraded => |traces| spans(traces).filter(|made| made.row.name.ends_with(".fallback")).count() > 50,
        Mark::RateLimited => |traces| say(traces, "FlowException") > 50,
        Mark::GatewayBypass => bypass,
        Mark::SingleInstance => alone,
        Mark::BadRelease => |traces| versions(traces, "user") == 2 && say(traces, "Level.code()") > 100,
        Mark::LockstepRelease => |traces| versions(traces, "cart") == 5 && versions(traces, "inventory") == 5,
        Mark::ErrorOrigin => |traces| say(traces, "order sequence is exhausted") > 50,
        Mark::Bottleneck => |traces| {
            let slow = |made: &&Made<Span>| made.row.end_time_unix_nano - made.row.start_time_unix_nano > 60_000_000;
            spans(traces).filter(|made| made.row.name == "SELECT products").filter(slow).count() > 20
        },
        Mark::LostContext => orphans,
        Mark::ClockSkew => skewed,
        Mark::SilentService => silent,
        Mark::LogBurst => bursts,
        Mark::LeakedSecret => secrets,
        Mark::QueueLag => lag,
        Mark::ZonePartition => zones,
    }
}

#[test]
fn each_fault_is_there_and_none_of_them_in_a_healthy_shop() {
    let healthy = told(Mark::Healthy);
    for fault in Mark::value_variants().iter().filter(|fault| **fault != Mark::Healthy && **fault != Mark::Everyday) {
        assert!(sign(*fault)(&told(*fault)), "{fault:?} does not show");
        assert!(!sign(*fault)(&healthy), "a healthy shop has {fault:?}");
    }
}

#[test]
fn in_a_healthy_shop_nearly_nothing_fails() {
    let healthy = told(Mark::Healthy);
    let failed = healthy.iter().filter(|trace| trace.spans.iter().any(|made| made.row.status.is_some())).count();
    assert!((1..healthy.len() / 100).contains(&failed), "{failed} of {}", healthy.len());
    assert!(logs(&healthy).all(|(log, _)| log.severity_text != "ERROR"));
    assert_eq!(versions(&healthy, "payment"), 2, "a release without trouble");
    assert!(healthy.iter().all(|trace| lines(trace).iter().all(|line| servers(line).len() <= 4)));
}
