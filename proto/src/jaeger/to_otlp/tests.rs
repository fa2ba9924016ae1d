//! Fields that have a place in OTLP, what is left out, and the traces of Jaeger's UI.

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::jaeger::v1::Envelope;
use crate::otlp::make::{boolean, int};

fn convert(value: serde_json::Value) -> Converted {
    trace(&serde_json::from_value(value).expect("a Jaeger trace"))
}

fn only_span(converted: &Converted) -> &OtlpSpan {
    assert_eq!((converted.spans, &converted.rejected), (1, &vec![]));
    &converted.resource_spans[0].scope_spans[0].spans[0]
}

#[test]
fn every_field_has_its_place() {
    let converted = convert(json!({
        "traceID": "abc", "processes": {"p1": {"serviceName": "cart", "tags": [{"key": "ip", "type": "string", "value": "1.2.3.4"}]}},
        "spans": [{
            "traceID": "abc", "spanID": "1f", "flags": 3, "operationName": "get", "startTime": 5, "duration": 7, "processID": "p1",
            "references": [
                {"refType": "FOLLOWS_FROM", "traceID": "abc", "spanID": "2"},
                {"refType": "CHILD_OF", "traceID": "abd", "spanID": "3"},
                {"refType": "CHILD_OF", "traceID": "abc", "spanID": "4"},
            ],
            "tags": [
                {"key": "span.kind", "type": "string", "value": "client"},
                {"key": "error", "type": "bool", "value": true},
                {"key": "otel.status_description", "type": "string", "value": "broken"},
                {"key": "otel.scope.name", "type": "string", "value": "lib"},
                {"key": "otel.scope.version", "type": "string", "value": "2"},
                {"key": "w3c.tracestate", "type": "string", "value": "a=b"},
                {"key": "n", "type": "int64", "value": "9007199254740993"},
            ],
            "logs": [{"timestamp": 6, "fields": [
                {"key": "event", "type": "string", "value": "retry"}, {"key": "hard", "type": "bool", "value": false},
            ]}],
            "warnings": ["clock"],
        }],
    }));
    let group = &converted.resource_spans[0];
    let resource = group.resource.as_ref().expect("a resource");
    assert_eq!(resource.attributes, [text("service.name", "cart"), text("ip", "1.2.3.4")]);
    let scope = group.scope_spans[0].scope.as_ref().expect("a scope");
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("lib", "2"));
    let span = only_span(&converted);
    assert_eq!(hex::encode(&span.trace_id), "00000000000000000000000000000abc");
    assert_eq!(
        (hex::encode(&span.span_id), hex::encode(&span.parent_span_id)),
        ("000000000000001f".into(), "0000000000000004".into())
    );
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (5_000, 12_000));
    assert_eq!((span.kind, span.flags, span.trace_state.as_str()), (3, 1, "a=b"));
    assert_eq!(span.status, Some(Status { message: "broken".into(), code: 2 }));
    assert_eq!(span.attributes, [int("n", 9_007_199_254_740_993), texts("@jaeger@warnings", ["clock"])]);
    let event = Event {
        time_unix_nano: 6_000,
        name: "retry".into(),
        attributes: vec![boolean("hard", false)],
        ..Default::default()
    };
    assert_eq!(span.events, [event]);
    let kinds: Vec<_> = span.links.iter().map(|link| (link.span_id[7], link.attributes.clone())).collect();
    let kind = |name| vec![text("opentracing.ref_type", name)];
    assert_eq!(kinds, [(2, kind("follows_from")), (3, kind("child_of"))]);
}

#[test]
fn a_span_without_child_of_follows_its_first_reference() {
    let converted = convert(json!({"traceID": "1", "spans": [{
        "traceID": "1", "spanID": "2", "operationName": "", "startTime": 0, "duration": 0,
        "references": [{"refType": "FOLLOWS_FROM", "traceID": "1", "spanID": "3"}],
    }]}));
    let span = only_span(&converted);
    assert_eq!((span.parent_span_id.last(), span.links.len(), span.status.clone()), (Some(&3), 0, None));
}

#[test]
fn ids_that_are_not_hex_cost_their_span_only() {
    let span = |id: &str| json!({"traceID": "1", "spanID": id, "operationName": "x", "startTime": 1, "duration": 1});
    let converted = convert(json!({"traceID": "1", "spans": [span("span-1"), span("2")]}));
    assert_eq!(converted.spans, 1);
    assert_eq!(converted.rejected, [r#"span "span-1": id "span-1" is not hex"#]);
}

#[test]
fn traces_of_jaegers_ui() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance/jaeger/ui_traces"));
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return;
    };
    let mut traces = 0;
    for file in files {
        let path = file.expect("a file").path();
        let body = std::fs::read(&path).expect("readable");
        let Ok(read) = serde_json::from_slice::<Trace>(&body) else { continue };
        let converted = trace(&read);
        assert_eq!(converted.spans + converted.rejected.len(), read.spans.len(), "{}", path.display());
        // The ids of this one are words.
        assert_eq!(
            converted.spans == 0,
            path.ends_with("tracegraph.json"),
            "{}: {:?}",
            path.display(),
            converted.rejected
        );
        traces += 1;
    }
    assert!(traces > 10, "{traces}");
}

#[test]
fn jaegers_own_answer_is_read() {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/conformance/jaeger/fixtures/otlp2jaeger_out.json"
    ));
    let Ok(body) = std::fs::read(&path) else {
        eprintln!("SKIPPED: {} is absent", path.display());
        return;
    };
    let envelope: Envelope<Vec<Trace>> = serde_json::from_slice(&body).expect("an envelope");
    for read in envelope.data.expect("traces") {
        let converted = trace(&read);
        assert_eq!((converted.spans, converted.rejected.len()), (read.spans.len(), 0));
    }
}
