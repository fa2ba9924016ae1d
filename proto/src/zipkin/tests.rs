//! The mapping's examples, shared ids, and the traces of Zipkin's UI.

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::otlp::messages::trace::v1::Status;

fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance")).join(path);
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn convert(value: Json) -> Converted {
    to_otlp(&serde_json::from_value::<Vec<Span>>(value).expect("Zipkin spans"))
}

fn first(converted: &Converted) -> &OtlpSpan {
    &converted.resource_spans[0].scope_spans[0].spans[0]
}

#[test]
fn every_field_has_its_place() {
    let converted = convert(json!([{
        "traceId": "5af7183fb1d4cf5f", "parentId": "6b221d5bc9e6496c", "id": "352bff9a74ca9ad2", "kind": "CLIENT", "name": "get",
        "timestamp": 1_556_604_172_355_737_u64, "duration": 1431, "debug": true,
        "localEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.1", "port": 3306},
        "remoteEndpoint": {"serviceName": "db", "ipv6": "::1", "port": 5432},
        "annotations": [{"timestamp": 9, "value": "ws"}, {"timestamp": 10, "value": "\"retry\": {\"n\": 2, \"why\": \"slow\"}"}],
        "tags": {"http.method": "GET", "otel.scope.name": "lib", "otel.scope.version": "1"},
    }]));
    let group = &converted.resource_spans[0];
    assert_eq!(group.resource.as_ref().expect("a resource").attributes, [text("service.name", "backend")]);
    let scope = group.scope_spans[0].scope.as_ref().expect("a scope");
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("lib", "1"));
    let span = first(&converted);
    assert_eq!(hex::encode(&span.trace_id), "00000000000000005af7183fb1d4cf5f");
    assert_eq!((span.kind, span.flags, span.status.clone()), (3, 1, None));
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_431_000);
    let expected = [
        text("network.local.address", "192.168.99.1"),
        int("network.local.port", 3306),
        text("peer.service", "db"),
        text("network.peer.address", "::1"),
        int("network.peer.port", 5432),
        boolean("zipkin.debug", true),
        text("http.method", "GET"),
    ];
    assert_eq!(span.attributes, expected);
    assert_eq!((span.events[0].name.as_str(), span.events[0].time_unix_nano), ("ws", 9_000));
    assert_eq!(span.events[1].name, "retry");
    assert_eq!(span.events[1].attributes, [int("n", 2), text("why", "slow")]);
}

#[test]
fn shared_ids_stay() {
    let span = |kind, shared| json!({"traceId": "1", "id": "2", "kind": kind, "timestamp": 1, "duration": 1, "shared": shared});
    let converted = convert(json!([span("CLIENT", Json::Null), span("SERVER", json!(true))]));
    let spans = &converted.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans[0].span_id, spans[1].span_id);
    assert_eq!((spans[0].kind, spans[1].kind), (3, 2));
}

#[test]
fn a_span_without_a_time_starts_at_its_first_annotation() {
    let converted = convert(
        json!([{"traceId": "1", "id": "2", "annotations": [{"timestamp": 8, "value": "b"}, {"timestamp": 7, "value": "a"}]}]),
    );
    assert_eq!(first(&converted).start_time_unix_nano, 7_000);
}

#[test]
fn what_cannot_be_read_costs_its_span_only() {
    let converted = convert(json!([
        {"traceId": "xyz", "id": "1"},
        {"traceId": "1", "id": "2", "binaryAnnotations": []},
        {"traceId": "1", "id": "3"},
    ]));
    assert_eq!(converted.spans, 1);
    assert_eq!(converted.rejected.len(), 2);
    assert!(converted.rejected[0].contains("\"xyz\" is not hex"));
    assert!(converted.rejected[1].contains("version 1"));
}

#[test]
fn examples_of_the_mapping() {
    let Some(path) = shared("otlp/zipkin_mapping.json") else { return };
    let file: Json = serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON");
    let examples = &file["zipkin_to_otlp_examples"];
    let cases = examples["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let mut span = examples["base_span"].clone();
        for (key, value) in case["extra_tags"].as_object().expect("tags") {
            span["tags"][key] = value.clone();
        }
        if case["drop_remote_service_name"] == true {
            span["remoteEndpoint"].as_object_mut().expect("an endpoint").remove("serviceName");
        }
        let converted = convert(json!([span]));
        let span = first(&converted);
        let status = &case["expect_status"];
        let message = status["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(span.status, Some(Status { message, code: status["code"].as_i64().expect("a code") as i32 }));
        for absent in case["expect_attributes_absent"].as_array().into_iter().flatten() {
            assert!(!span.attributes.iter().any(|attribute| *absent == *attribute.key), "{absent}");
        }
        for (key, value) in case["expect_attributes"].as_object().into_iter().flatten() {
            assert!(span.attributes.contains(&text(key, value.as_str().expect("text"))), "{key}");
        }
    }
}

#[test]
fn traces_of_zipkins_ui() {
    let Some(folder) = shared("zipkin/lens_testdata") else { return };
    let mut spans = 0;
    for file in std::fs::read_dir(folder).expect("readable") {
        let path = file.expect("a file").path();
        let body: Json = serde_json::from_slice(&std::fs::read(&path).expect("readable")).expect("JSON");
        let list = if body.is_array() { body } else { json!([body]) };
        let sent = list.as_array().map_or(0, Vec::len);
        let converted = convert(list);
        assert_eq!((converted.spans, converted.rejected), (sent, vec![]), "{}", path.display());
        spans += sent;
    }
    assert!(spans > 40, "{spans}");
}
