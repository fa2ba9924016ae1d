//! Jaeger's own cases, read from the conformance data beside the checkout, and what they leave open.

use std::path::PathBuf;

use proto::jaeger::v1::{Envelope, RefType, TagValue};
use serde_json::{Value, json};

use super::search::{self, V1Search};
use super::{short_hex, to_v1, trace_id, transform};
use crate::params::Pairs;

const NOW: i64 = 1_700_000_000_000_000_000;

/// A file of the conformance data; None, said aloud, where it is absent.
fn shared(path: &str) -> Option<Value> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/jaeger").join(path);
    match std::fs::read(&file) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("conformance data is JSON")),
        Err(error) => {
            eprintln!("SKIPPED: {}: {error}", file.display());
            None
        }
    }
}

fn v1_of(document: &Value) -> Value {
    let spans = transform::spans(document.to_string().as_bytes()).expect("a document of spans");
    serde_json::to_value(Envelope::new(to_v1::traces(spans), 0)).expect("it serialises")
}

fn query_of(request: &str) -> Pairs {
    let query = request.split_once('?').map_or("", |(_, query)| query);
    Pairs::parse(query).expect("UTF-8")
}

#[test]
fn an_upload_becomes_what_jaeger_makes_of_it() {
    let (Some(sent), Some(wanted)) = (shared("fixtures/otlp2jaeger_in.json"), shared("fixtures/otlp2jaeger_out.json"))
    else {
        return;
    };
    assert_eq!(v1_of(&sent), wanted);
}

#[test]
fn v1_parameters_are_judged_as_jaeger_judges_them() {
    let Some(cases) = shared("http_api_cases.json") else { return };
    let cases = cases["query_parse_cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let request = case["request"].as_str().expect("a request");
        let judged = search::v1(&query_of(request), NOW);
        match case["error_regex"].as_str() {
            None => assert!(judged.is_ok(), "{request}: {judged:?}"),
            Some(pattern) => {
                let error = judged.expect_err(request);
                assert!(regex::Regex::new(pattern).expect("a pattern").is_match(&error), "{request}: {error}");
            }
        }
    }
}

#[test]
fn v3_parameters_are_judged_as_jaeger_judges_them() {
    let Some(cases) = shared("apiv3_cases.json") else { return };
    let cases = cases["find_traces_bad_params"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let pairs = case["params"].as_object().expect("parameters").iter().map(|(name, value)| {
            let value = match value.as_str().expect("text") {
                "<RFC3339 now>" => "2023-11-14T22:13:20.5Z",
                "<RFC3339 now-1h>" => "2023-11-14T21:13:20.5Z",
                other => other,
            };
            (name.as_str(), value)
        });
        let query = serde_urlencoded::to_string(pairs.collect::<Vec<_>>()).expect("a query");
        let error = search::v3(&Pairs::parse(&query).expect("UTF-8")).expect_err(&query);
        let wanted = case["contains"].as_str().expect("text");
        assert!(error.contains(wanted), "{query}: {error}");
    }
}

#[test]
fn names_that_jaeger_repairs_are_shown_repaired() {
    let Some(cases) = shared("sanitizer_cases.json") else { return };
    let document = |attributes: Value, name: &str| {
        json!({"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [
            {"traceId": "00000000000000000000000000000001", "spanId": "0000000000000002", "name": name}]}]}]})
    };
    for case in cases["service_name"].as_array().expect("cases") {
        let attributes = match (&case["service_name"], &case["service_name_int"]) {
            (_, Value::Number(number)) => json!([{"key": "service.name", "value": {"intValue": number.to_string()}}]),
            (Value::String(name), _) => json!([{"key": "service.name", "value": {"stringValue": name}}]),
            _ => json!([{"key": "host.name", "value": {"stringValue": "h"}}]),
        };
        let shown = v1_of(&document(attributes, "op"));
        assert_eq!(shown["data"][0]["processes"]["p1"]["serviceName"], case["expect"], "{case}");
    }
    for case in cases["span_name"].as_array().expect("cases") {
        let shown = v1_of(&document(json!([]), case["name"].as_str().expect("a name")));
        assert_eq!(shown["data"][0]["spans"][0]["operationName"], case["expect"], "{case}");
    }
}

#[test]
fn otlp_fields_become_tags_references_and_logs() {
    let document = json!({"resourceSpans": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "cart"}}, {"key": "host", "value": {"stringValue": "h1"}}]},
        "scopeSpans": [{"scope": {"name": "lib", "version": "1.2"}, "spans": [{
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b7", "parentSpanId": "00000000000000aa",
            "name": "GET /", "kind": 3, "startTimeUnixNano": "1700000000000001999", "endTimeUnixNano": "1700000000000000999",
            "traceState": "a=b", "flags": 257, "droppedEventsCount": 3,
            "status": {"code": 2, "message": "broken"},
            "attributes": [
                {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"boolValue": true}]}}},
                {"key": "blob", "value": {"bytesValue": "AP8="}},
                {"key": "large", "value": {"intValue": "9223372036854775807"}}],
            "events": [{"timeUnixNano": "1700000000000005000", "name": "retry", "attributes": [
                {"key": "n", "value": {"intValue": "2"}}]}],
            "links": [
                {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00000000000000aa"},
                {"traceId": "00000000000000000000000000000007", "spanId": "00000000000000bb", "attributes": [
                    {"key": "opentracing.ref_type", "value": {"stringValue": "child_of"}}]}]}]}]}]});
    let spans = transform::spans(document.to_string().as_bytes()).expect("a document of spans");
    let trace = to_v1::traces(spans).pop().expect("one trace");
    let span = &trace.spans[0];
    assert_eq!((span.start_time, span.duration, span.flags), (1_700_000_000_000_001, 0, 1));
    assert_eq!(
        span.warnings.as_deref(),
        Some(&["the span ends 1000 ns before it starts".to_owned(), "the sender dropped 3 events".to_owned()][..])
    );
    let tags: Vec<_> = span.tags.iter().map(|tag| (tag.key.as_str(), tag.value.clone())).collect();
    let text = |value: &str| TagValue::String(value.to_owned());
    assert_eq!(
        tags,
        [
            ("otel.scope.name", text("lib")),
            ("otel.scope.version", text("1.2")),
            ("list", text("[1,true]")),
            ("blob", TagValue::Binary(vec![0, 255])),
            ("large", TagValue::Int64(i64::MAX)),
            ("span.kind", text("client")),
            ("otel.status_code", text("ERROR")),
            ("error", TagValue::Bool(true)),
            ("otel.status_description", text("broken")),
            ("w3c.tracestate", text("a=b")),
        ]
    );
    let references: Vec<_> =
        span.references.iter().map(|to| (to.ref_type, to.trace_id.as_str(), to.span_id.as_str())).collect();
    assert_eq!(
        references,
        [
            (RefType::FollowsFrom, "0af7651916cd43dd8448eb211c80319c", "00000000000000aa"),
            (RefType::ChildOf, "0000000000000007", "00000000000000bb"),
        ]
    );
    let fields: Vec<_> = span.logs[0].fields.iter().map(|field| (field.key.as_str(), field.value.clone())).collect();
    assert_eq!(
        (span.logs[0].timestamp, fields),
        (1_700_000_000_000_005, vec![("event", text("retry")), ("n", TagValue::Int64(2))])
    );
    assert_eq!(trace.processes["p1"].service_name, "cart");
    assert_eq!(trace.processes["p1"].tags.len(), 1);
}

#[test]
fn ids_are_read_in_hex_and_base64_and_shown_short() {
    let id = trace_id("0af7651916cd43dd8448eb211c80319c").expect("hex");
    assert_eq!(trace_id("CvdlGRbNQ92ESOshHIAxnA=="), Some(id));
    assert_eq!(trace_id("123456aBC").map(short_hex).as_deref(), Some("0000000123456abc"));
    for bad in ["", "x200", "0af7651916cd43dd8448eb211c80319c0", "AA=="] {
        assert_eq!(trace_id(bad), None, "{bad}");
    }
}

#[test]
fn a_search_has_jaegers_defaults() {
    let Ok(V1Search::Search(search)) = search::v1(&query_of("/?service=cart&tag=http.method:GET&tag=a:b:c"), NOW)
    else {
        panic!("a search");
    };
    assert_eq!((search.limit, search.range.to), (100, NOW + 1));
    assert_eq!(search.range.from, NOW - 2 * 86_400 * 1_000_000_000);
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(search.form.tags, [tag("http.method", "GET"), tag("a", "b:c")]);
    for bad in ["service=a&tag=nocolon", "service=a&limit=-1", "service=a&limit=9223372036854775807", "operation=x"] {
        assert!(search::v1(&query_of(&format!("/?{bad}")), NOW).is_err(), "{bad}");
    }
    let missing = search::v1(&query_of("/?service=missing-service-name"), NOW).expect("a search");
    let V1Search::Search(missing) = missing else { panic!("a search") };
    let text = missing.question().query.to_string();
    assert!(text.contains("\"\"") && !text.contains("missing"), "{text}");
}
