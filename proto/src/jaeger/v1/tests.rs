//! What is written, and that it is read back as it was.

use serde_json::{Value, json};

use super::*;

fn span() -> Span {
    Span {
        trace_id: "83a9efd15c1c98a977e0711cc93ee28b".into(),
        span_id: "e127af99e3b3e074".into(),
        operation_name: "okey-dokey-0".into(),
        references: vec![Reference {
            ref_type: RefType::ChildOf,
            trace_id: "83a9efd15c1c98a977e0711cc93ee28b".into(),
            span_id: "909541b92cf05311".into(),
        }],
        start_time: 1_706_678_909_209_712,
        duration: 123,
        tags: vec![KeyValue { key: "span.kind".into(), value: TagValue::String("server".into()) }],
        logs: vec![Log { timestamp: 1, fields: vec![KeyValue { key: "ok".into(), value: TagValue::Bool(true) }] }],
        process_id: "p1".into(),
        ..Default::default()
    }
}

#[test]
fn a_trace_is_written_as_jaeger_does() {
    let process = Process { service_name: "telemetrygen".into(), tags: vec![] };
    let trace = Trace {
        trace_id: span().trace_id,
        spans: vec![span()],
        processes: [("p1".to_owned(), process)].into(),
        warnings: None,
    };
    let envelope = Envelope::new(vec![trace], 0);
    let expected = json!({"data": [{
        "traceID": "83a9efd15c1c98a977e0711cc93ee28b",
        "spans": [{
            "traceID": "83a9efd15c1c98a977e0711cc93ee28b", "spanID": "e127af99e3b3e074", "operationName": "okey-dokey-0",
            "references": [{"refType": "CHILD_OF", "traceID": "83a9efd15c1c98a977e0711cc93ee28b", "spanID": "909541b92cf05311"}],
            "startTime": 1_706_678_909_209_712_u64, "duration": 123,
            "tags": [{"key": "span.kind", "type": "string", "value": "server"}],
            "logs": [{"timestamp": 1, "fields": [{"key": "ok", "type": "bool", "value": true}]}],
            "processID": "p1", "warnings": null,
        }],
        "processes": {"p1": {"serviceName": "telemetrygen", "tags": []}},
        "warnings": null,
    }], "total": 0, "limit": 0, "offset": 0, "errors": null});
    assert_eq!(json!(envelope), expected);
    assert_eq!(serde_json::from_value::<Envelope<Vec<Trace>>>(expected).expect("valid"), envelope);
}

#[test]
fn tags_of_every_type_are_read_back() {
    let written = [
        (TagValue::String("x".into()), json!({"key": "k", "type": "string", "value": "x"})),
        (TagValue::Bool(true), json!({"key": "k", "type": "bool", "value": true})),
        (TagValue::Int64(-23456), json!({"key": "k", "type": "int64", "value": -23456})),
        (
            TagValue::Int64(9_007_199_254_740_991),
            json!({"key": "k", "type": "int64", "value": 9_007_199_254_740_991_i64}),
        ),
        (TagValue::Int64(i64::MIN), json!({"key": "k", "type": "int64", "value": "-9223372036854775808"})),
        (TagValue::Float64(72.5), json!({"key": "k", "type": "float64", "value": 72.5})),
        (TagValue::Float64(f64::INFINITY), json!({"key": "k", "type": "float64", "value": "inf"})),
        (TagValue::Binary(vec![0, 0, 48, 57]), json!({"key": "k", "type": "binary", "value": "AAAwOQ=="})),
    ];
    for (value, expected) in written {
        let tag = KeyValue { key: "k".into(), value };
        assert_eq!(json!(tag), expected);
        assert_eq!(serde_json::from_value::<KeyValue>(expected).expect("valid"), tag);
    }
}

#[test]
fn tags_without_a_type_and_with_a_wrong_one() {
    let read = |tag: Value| serde_json::from_value::<KeyValue>(tag).map(|tag| tag.value);
    assert_eq!(read(json!({"key": "k", "value": 1})).expect("valid"), TagValue::Int64(1));
    assert_eq!(read(json!({"key": "k", "value": 1.5})).expect("valid"), TagValue::Float64(1.5));
    let error = read(json!({"key": "k", "type": "int64", "value": "x"})).expect_err("refused");
    assert!(error.to_string().contains("tag \"k\": the value is not of type int64"), "{error}");
    assert!(read(json!({"key": "k", "type": "tuple", "value": 1})).is_err());
    assert!(read(json!({"key": "k", "value": null})).is_err());
}

#[test]
fn null_lists_and_missing_fields_are_empty() {
    let read: Span = serde_json::from_value(json!({
        "traceID": "1", "spanID": "2", "operationName": "o", "startTime": 1, "duration": 2,
        "references": null, "tags": null, "process": {"serviceName": "s", "tags": null},
    }))
    .expect("valid");
    assert!(read.references.is_empty() && read.tags.is_empty() && read.logs.is_empty());
    assert_eq!(read.process.map(|process| process.service_name).as_deref(), Some("s"));
}

#[test]
fn an_error_has_no_data() {
    let expected =
        json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": 404, "msg": "trace not found"}]});
    assert_eq!(json!(Envelope::<Vec<Trace>>::error(404, "trace not found")), expected);
    let error = Error { code: None, msg: "m".into(), trace_id: Some("1".into()) };
    assert_eq!(json!(error), json!({"msg": "m", "traceID": "1"}));
}

#[test]
fn shared_fixtures_are_read_and_written_back() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance/jaeger/fixtures/");
    for name in ["otlp2jaeger_out.json", "uimodel_ui_01.json"] {
        let path = format!("{folder}{name}");
        let Ok(text) = std::fs::read(&path) else {
            eprintln!("SKIPPED: {path} is absent");
            continue;
        };
        let fixture: Value = serde_json::from_slice(&text).expect(name);
        let written = if fixture.get("data").is_some() {
            json!(serde_json::from_value::<Envelope<Vec<Trace>>>(fixture.clone()).expect(name))
        } else {
            json!(serde_json::from_value::<Trace>(fixture.clone()).expect(name))
        };
        assert_eq!(written, fixture, "{name}");
    }
}
