//! The conformance cases that lie beside a development checkout, and are said to be skipped where they do not.

use std::path::PathBuf;

use serde_json::Value;

use super::super::{logs_to_protobuf, metrics_to_protobuf, traces_to_protobuf};
use crate::otlp::view::{LogsRequest, MetricsRequest, TraceRequest, View};

fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance/otlp")).join(path);
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn codec_cases() {
    let Some(path) = shared("json_codec_cases.json") else { return };
    let cases: Value = serde_json::from_slice(&read(path)).expect("JSON");
    let cases = cases["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let body = case["body"].as_str().expect("body");
        let result = traces_to_protobuf(body.as_bytes());
        // "200", "400" or words that name both.
        let status = case["status"].to_string();
        let allowed = if result.is_ok() { "200" } else { "400" };
        assert!(status.contains(allowed), "{}: {result:?}, expected {status}", case["id"]);
    }
}

#[test]
fn examples_of_the_specification() {
    let Some(folder) = shared("proto_examples") else { return };
    let file = |name: &str| read(folder.join(name));
    for name in ["trace.json", "collector_all_fields_trace.json"] {
        let bytes = traces_to_protobuf(&file(name)).expect(name);
        let request = TraceRequest::from_bytes(&bytes).expect(name);
        let spans: usize = request
            .resource_spans
            .iter()
            .flat_map(|resource| {
                resource.expect(name).scope_spans.iter().map(|scope| scope.expect(name).spans.len()).collect::<Vec<_>>()
            })
            .sum();
        assert_eq!(spans, if name == "trace.json" { 1 } else { 2 }, "{name}");
    }
    for name in ["logs.json", "events.json", "collector_all_fields_logs.json"] {
        let bytes = logs_to_protobuf(&file(name)).expect(name);
        assert!(!LogsRequest::from_bytes(&bytes).expect(name).resource_logs.is_empty(), "{name}");
    }
    let bytes = metrics_to_protobuf(&file("metrics.json")).expect("valid");
    let request = MetricsRequest::from_bytes(&bytes).expect("valid");
    let resource = request.resource_metrics.iter().next().expect("one").expect("valid");
    let scope = resource.scope_metrics.iter().next().expect("one").expect("valid");
    let points: Vec<_> = scope.metrics.iter().map(|metric| metric.expect("valid").data.len()).collect();
    assert_eq!(points, [1, 1, 1, 1]);
}
