//! That traces look like traces: whole, nested, told in logs, of every kind.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;

mod faults;

const BEGIN: u64 = 1_700_000_000_000_000_000;

fn story() -> Story {
    Story { seed: 1, begin_ns: BEGIN, length_ns: 900_000_000_000, marks: Marks::of(&[]) }
}

/// Traces all over a period.
fn period() -> Vec<Trace> {
    (0..1_800).map(|number| trace(&story(), number, BEGIN + number * 500_000_000)).collect()
}

fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a KeyValue> {
    span.attributes.iter().find(|attribute| attribute.key == key)
}

#[test]
fn the_same_number_is_the_same_trace() {
    let (one, two) = (trace(&story(), 7, BEGIN), trace(&story(), 7, BEGIN));
    assert!(one.spans.iter().map(|made| &made.row).eq(two.spans.iter().map(|made| &made.row)));
    assert!(one.logs.iter().map(|made| &made.row).eq(two.logs.iter().map(|made| &made.row)));
    let other = trace(&Story { seed: 2, ..story() }, 7, BEGIN);
    assert!(!one.spans.iter().map(|made| &made.row).eq(other.spans.iter().map(|made| &made.row)));
}

#[test]
fn parents_are_there_and_hold_their_children() {
    let mut abandoned = 0;
    for trace in period() {
        let by_id: HashMap<_, _> = trace.spans.iter().map(|made| (made.row.span_id.clone(), &made.row)).collect();
        assert_eq!(by_id.len(), trace.spans.len());
        for Made { row: span, .. } in &trace.spans {
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            assert!(span.end_time_unix_nano <= trace.end_ns);
            let Some(parent) = by_id.get(&span.parent_span_id) else {
                assert!(span.parent_span_id.is_empty());
                continue;
            };
            assert_eq!(span.trace_id, parent.trace_id);
            assert!(span.start_time_unix_nano >= parent.start_time_unix_nano, "{} in {}", span.name, parent.name);
            let inside = span.end_time_unix_nano <= parent.end_time_unix_nano;
            let message = span.kind == i32::from(SpanKind::Consumer);
            // Only who gave up waiting ends before what it asked for.
            if !inside && !message {
                assert!(parent.status.is_some(), "{} in {}", span.name, parent.name);
                abandoned += 1;
            }
        }
    }
    assert!(abandoned > 0);
}

#[test]
fn a_period_shows_everything() {
    let traces = period();
    let spans: Vec<&Span> = traces.iter().flat_map(|trace| &trace.spans).map(|made| &made.row).collect();
    let services: BTreeSet<&str> =
        traces.iter().flat_map(|trace| &trace.spans).map(|made| made.by.service.name).collect();
    assert_eq!(services.len(), 13, "{services:?}");
    let said = |what: &str| {
        spans.iter().any(|span| {
            span.events.iter().any(|event| format!("{:?}", event.attributes).contains(what))
                || format!("{:?}", span.attributes).contains(what)
                || span.name.contains(what)
        })
    };
    let expected = [
        "apache_dubbo",
        "\"grpc\"",
        "kafka",
        "mysql",
        "postgresql",
        "mongodb",
        "redis",
        "elasticsearch",
        "spring-cloud-gateway.route.id",
        "http.method",
        "FlowException",
        "CallNotPermittedException",
        "BulkheadFullException",
        "No provider available",
        "NullPointerException",
        "SocketTimeoutException",
        "context deadline exceeded",
        ".fallback",
        "resend_count",
        "OutOfStockException",
    ];
    for what in expected {
        assert!(said(what), "{what} does not occur");
    }
    assert!(spans.iter().any(|span| !span.links.is_empty()), "no links");
    let payments: BTreeSet<&str> = traces
        .iter()
        .flat_map(|trace| &trace.spans)
        .filter(|made| made.by.service.name == "payment")
        .map(|made| made.by.version)
        .collect();
    assert_eq!(payments.into_iter().collect::<Vec<_>>(), ["1.4.0", "1.5.0"]);
}

#[test]
fn most_is_well() {
    let traces = period();
    let failed = |trace: &&Trace| trace.spans.iter().any(|made| made.row.status.is_some());
    let share = traces.iter().filter(failed).count() as f64 / traces.len() as f64;
    assert!((0.02..0.15).contains(&share), "{share}");
}

#[test]
fn logs_belong_to_spans_and_are_filled_in() {
    let mut levels = BTreeMap::new();
    let mut chinese = 0;
    let mut stacks = 0;
    let mut maps = 0;
    for trace in period() {
        let ids: BTreeSet<_> = trace.spans.iter().map(|made| (&made.row.trace_id, &made.row.span_id)).collect();
        for Made { row: log, .. } in &trace.logs {
            assert!(ids.contains(&(&log.trace_id, &log.span_id)));
            *levels.entry(log.severity_text.clone()).or_insert(0) += 1;
            match log.body.as_ref().and_then(|body| body.value.as_ref()) {
                Some(proto::otlp::messages::common::v1::any_value::Value::StringValue(body)) => {
                    let first = body.lines().next().unwrap_or_default();
                    assert!(!first.contains(['{', '}']), "{first}");
                    chinese += usize::from(body.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c)));
                    stacks += usize::from(body.lines().count() > 2);
                }
                _ => maps += 1,
            }
        }
    }
    assert_eq!(levels.keys().collect::<Vec<_>>(), ["DEBUG", "ERROR", "INFO", "WARN"]);
    assert!(chinese > 500 && stacks > 10 && maps > 100, "{chinese} {stacks} {maps}");
}

#[test]
fn repeated_queries_occur() {
    let many = period().iter().any(|trace| {
        let mut counts: HashMap<(&[u8], &str), usize> = HashMap::new();
        for Made { row: span, .. } in &trace.spans {
            if attribute(span, "db.system.name").is_some() {
                *counts.entry((&span.parent_span_id, &span.name)).or_default() += 1;
            }
        }
        counts.values().any(|count| *count > 20)
    });
    assert!(many);
}
