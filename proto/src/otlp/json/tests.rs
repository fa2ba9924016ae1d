//! What is read from JSON, and what is refused.

use prost::Message as _;
use serde_json::{Value, json};

use super::{JsonError, logs_to_protobuf, metrics_to_protobuf, traces_to_protobuf};
use crate::otlp::messages::common::v1::any_value::Value as Any;
use crate::otlp::messages::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use crate::otlp::messages::logs::v1::{LogRecord, LogsData};
use crate::otlp::messages::metrics::v1 as metrics;
use crate::otlp::messages::resource::v1::Resource;
use crate::otlp::messages::trace::v1::span::{Event, Link};
use crate::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};

mod shared;

fn traces(body: &Value) -> Result<TracesData, JsonError> {
    let bytes = traces_to_protobuf(body.to_string().as_bytes())?;
    Ok(TracesData::decode(bytes.as_slice()).expect("valid protobuf"))
}

fn with_span(span: Value) -> Value {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
}

fn span(span: Value) -> Result<Span, JsonError> {
    Ok(traces(&with_span(span))?.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0))
}

fn value(value: Value) -> Result<AnyValue, JsonError> {
    let mut span = span(json!({"attributes": [{"key": "k", "value": value}]}))?;
    Ok(span.attributes.remove(0).value.unwrap_or_default())
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn error(result: Result<impl std::fmt::Debug, JsonError>) -> JsonError {
    result.expect_err("refused")
}

#[test]
fn every_field_of_a_trace() {
    let body = json!({"resourceSpans": [{
        "resource": {
            "attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}],
            "droppedAttributesCount": 1,
            "entityRefs": [{"schemaUrl": "s", "type": "service", "idKeys": ["a", "b"], "descriptionKeys": ["c"]}],
        },
        "scopeSpans": [{
            "scope": {"name": "lib", "version": "1", "droppedAttributesCount": 2,
                      "attributes": [{"key": "x", "value": {"boolValue": true}}]},
            "spans": [{
                "traceId": "5B8EFFF798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "parentSpanId": "",
                "traceState": "a=b", "flags": 257, "name": "n", "kind": 2,
                "startTimeUnixNano": "1700006400000000001", "endTimeUnixNano": 1_700_006_400_000_000_002_u64,
                "attributes": [{"key": "i", "value": {"intValue": "-9223372036854775808"}}],
                "droppedAttributesCount": 3, "droppedEventsCount": 4, "droppedLinksCount": "5",
                "events": [{"timeUnixNano": "7", "name": "e", "droppedAttributesCount": 6,
                            "attributes": [{"key": "d", "value": {"doubleValue": 1.5}}]}],
                "links": [{"traceId": "01", "spanId": "02", "traceState": "t", "flags": 1, "droppedAttributesCount": 7,
                           "attributes": [{"key": "b", "value": {"bytesValue": "Zm9v"}}]}],
                "status": {"code": 2, "message": "bad"},
            }],
            "schemaUrl": "scope",
        }],
        "schemaUrl": "resource",
    }]});
    let entity = EntityRef {
        schema_url: "s".into(),
        r#type: "service".into(),
        id_keys: vec!["a".into(), "b".into()],
        description_keys: vec!["c".into()],
    };
    let expected = Span {
        trace_id: hex::decode("5b8efff798038103d269b633813fc60c").expect("hex"),
        span_id: hex::decode("eee19b7ec3c1b174").expect("hex"),
        trace_state: "a=b".into(),
        parent_span_id: vec![],
        flags: 257,
        name: "n".into(),
        kind: 2,
        start_time_unix_nano: 1_700_006_400_000_000_001,
        end_time_unix_nano: 1_700_006_400_000_000_002,
        attributes: vec![pair("i", Any::IntValue(i64::MIN))],
        dropped_attributes_count: 3,
        events: vec![Event {
            time_unix_nano: 7,
            name: "e".into(),
            attributes: vec![pair("d", Any::DoubleValue(1.5))],
            dropped_attributes_count: 6,
        }],
        dropped_events_count: 4,
        links: vec![Link {
            trace_id: vec![1],
            span_id: vec![2],
            trace_state: "t".into(),
            attributes: vec![pair("b", Any::BytesValue(b"foo".to_vec()))],
            dropped_attributes_count: 7,
            flags: 1,
        }],
        dropped_links_count: 5,
        status: Some(Status { message: "bad".into(), code: 2 }),
    };
    let expected = ResourceSpans {
        resource: Some(Resource {
            attributes: vec![pair("service.name", Any::StringValue("cart".into()))],
            dropped_attributes_count: 1,
            entity_refs: vec![entity],
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "lib".into(),
                version: "1".into(),
                attributes: vec![pair("x", Any::BoolValue(true))],
                dropped_attributes_count: 2,
            }),
            spans: vec![expected],
            schema_url: "scope".into(),
        }],
        schema_url: "resource".into(),
    };
    assert_eq!(traces(&body).expect("valid"), TracesData { resource_spans: vec![expected] });
}

#[test]
fn every_field_of_a_log_record() {
    let body = json!({"resourceLogs": [{"resource": {}, "schemaUrl": "r", "scopeLogs": [{"scope": {"name": "s"}, "schemaUrl": "u",
        "logRecords": [{
            "timeUnixNano": "1", "observedTimeUnixNano": "2", "severityNumber": 9, "severityText": "Info",
            "body": {"kvlistValue": {"values": [{"key": "a", "value": {"arrayValue": {"values": [{}, {"intValue": 1}]}}}]}},
            "attributes": [{"key": "k", "value": {"stringValue": "v"}}], "droppedAttributesCount": 3, "flags": 1,
            "traceId": "0A", "spanId": "0b", "eventName": "event",
        }, {"severityNumber": "SEVERITY_NUMBER_FATAL4"}]}]}]});
    let bytes = logs_to_protobuf(body.to_string().as_bytes()).expect("valid");
    let mut resource = LogsData::decode(bytes.as_slice()).expect("valid protobuf").resource_logs.remove(0);
    let scope = resource.scope_logs.remove(0);
    assert_eq!((resource.schema_url.as_str(), scope.schema_url.as_str()), ("r", "u"));
    let list = ArrayValue { values: vec![AnyValue::default(), AnyValue { value: Some(Any::IntValue(1)) }] };
    let body = Any::KvlistValue(KeyValueList { values: vec![pair("a", Any::ArrayValue(list))] });
    let first = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 9,
        severity_text: "Info".into(),
        body: Some(AnyValue { value: Some(body) }),
        attributes: vec![pair("k", Any::StringValue("v".into()))],
        dropped_attributes_count: 3,
        flags: 1,
        trace_id: vec![10],
        span_id: vec![11],
        event_name: "event".into(),
    };
    assert_eq!(scope.log_records, [first, LogRecord { severity_number: 24, ..Default::default() }]);
}

#[test]
fn every_kind_of_metric() {
    let number = json!({"startTimeUnixNano": "1", "timeUnixNano": "2", "asInt": "-3", "flags": 1,
        "attributes": [{"key": "k", "value": {"intValue": 1}}],
        "exemplars": [{"timeUnixNano": "4", "asDouble": "NaN", "spanId": "05", "traceId": "06",
                       "filteredAttributes": [{"key": "f", "value": {}}]}]});
    let histogram = json!({"count": "3", "sum": 1.5, "min": 0, "max": "Infinity", "bucketCounts": ["1", 2],
        "explicitBounds": [0.5], "flags": 2});
    let exponential = json!({"count": 1, "scale": -2, "zeroCount": 7, "zeroThreshold": 0.25, "sum": 0,
        "positive": {"offset": -1, "bucketCounts": ["18446744073709551615", 0]}, "negative": {}});
    let summary = json!({"count": 2, "sum": 3.5, "quantileValues": [{"quantile": 0.5, "value": 1}]});
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "g", "description": "d", "unit": "1", "gauge": {"dataPoints": [number]},
         "metadata": [{"key": "m", "value": {"stringValue": "v"}}]},
        {"name": "s", "sum": {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE", "isMonotonic": true}},
        {"name": "h", "histogram": {"aggregationTemporality": 1, "dataPoints": [histogram]}},
        {"name": "e", "exponentialHistogram": {"dataPoints": [exponential]}},
        {"name": "q", "summary": {"dataPoints": [summary]}},
    ]}]}]});
    let bytes = metrics_to_protobuf(body.to_string().as_bytes()).expect("valid");
    let data = metrics::MetricsData::decode(bytes.as_slice()).expect("valid protobuf");
    let found: Vec<_> = data.resource_metrics[0].scope_metrics[0].metrics.iter().map(|metric| &metric.data).collect();
    use metrics::metric::Data;
    let Some(Data::Gauge(gauge)) = found[0] else { panic!("{found:?}") };
    let point = &gauge.data_points[0];
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano, point.flags), (1, 2, 1));
    assert_eq!(point.value, Some(metrics::number_data_point::Value::AsInt(-3)));
    let exemplar = &point.exemplars[0];
    assert_eq!((exemplar.time_unix_nano, &*exemplar.span_id, &*exemplar.trace_id), (4, &[5][..], &[6][..]));
    assert!(matches!(exemplar.value, Some(metrics::exemplar::Value::AsDouble(value)) if value.is_nan()));
    let sum = metrics::Sum { data_points: vec![], aggregation_temporality: 2, is_monotonic: true };
    assert_eq!(found[1], &Some(Data::Sum(sum)));
    let Some(Data::Histogram(histogram)) = found[2] else { panic!("{found:?}") };
    let point = metrics::HistogramDataPoint {
        count: 3,
        sum: Some(1.5),
        min: Some(0.0),
        max: Some(f64::INFINITY),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        flags: 2,
        ..Default::default()
    };
    assert_eq!((histogram.aggregation_temporality, &histogram.data_points), (1, &vec![point]));
    let Some(Data::ExponentialHistogram(histogram)) = found[3] else { panic!("{found:?}") };
    use metrics::exponential_histogram_data_point::Buckets;
    let point = metrics::ExponentialHistogramDataPoint {
        count: 1,
        scale: -2,
        zero_count: 7,
        zero_threshold: 0.25,
        sum: Some(0.0),
        positive: Some(Buckets { offset: -1, bucket_counts: vec![u64::MAX, 0] }),
        negative: Some(Buckets::default()),
        ..Default::default()
    };
    assert_eq!(histogram.data_points, [point]);
    let Some(Data::Summary(summary)) = found[4] else { panic!("{found:?}") };
    let quantile = metrics::summary_data_point::ValueAtQuantile { quantile: 0.5, value: 1.0 };
    assert_eq!((summary.data_points[0].count, &summary.data_points[0].quantile_values), (2, &vec![quantile]));
}

#[test]
fn unknown_keys_are_ignored_and_null_is_absent() {
    let body = json!({"extra": {"a": [1]}, "resourceSpans": [{"extra": "", "resource": null, "scopeSpans": null}]});
    assert_eq!(traces(&body), Ok(TracesData { resource_spans: vec![ResourceSpans::default()] }));
    assert_eq!(value(json!({"unknown": {"extra": ""}})), Ok(AnyValue::default()));
    assert_eq!(value(json!({"stringValue": null, "intValue": 1})), Ok(AnyValue { value: Some(Any::IntValue(1)) }));
    assert_eq!(traces_to_protobuf(b" {} ").expect("valid"), b"");
}

#[test]
fn snake_case_is_read() {
    let body = json!({"resource_spans": [{"scope_spans": [{"spans": [{"start_time_unix_nano": "5", "trace_id": "ab",
        "attributes": [{"key": "k", "value": {"kvlist_value": {"values": []}}}]}]}]}]});
    let span = traces(&body).expect("valid").resource_spans.remove(0).scope_spans.remove(0).spans.remove(0);
    assert_eq!((span.start_time_unix_nano, span.trace_id), (5, vec![0xab]));
    assert_eq!(span.attributes, [pair("k", Any::KvlistValue(KeyValueList::default()))]);
}

#[test]
fn integers_are_exact_and_bounded() {
    let int = |found: Value| value(json!({ "intValue": found })).map(|value| value.value);
    assert_eq!(int(json!(i64::MAX)), Ok(Some(Any::IntValue(i64::MAX))));
    assert_eq!(int(json!("-1")), Ok(Some(Any::IntValue(-1))));
    assert_eq!(int(json!(5.0)), Ok(Some(Any::IntValue(5))));
    assert_eq!(int(json!("1e3")), Ok(Some(Any::IntValue(1000))));
    for bad in [json!(1.5), json!("x"), json!(""), json!("inf"), json!(u64::MAX), json!(1e19), json!(true), json!([1])]
    {
        assert_eq!(error(int(bad)).path, "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.intValue");
    }
    let time = |time: Value| span(json!({ "startTimeUnixNano": time })).map(|span| span.start_time_unix_nano);
    assert_eq!(time(json!("18446744073709551615")), Ok(u64::MAX));
    assert_eq!(time(json!("-6795364578871345152")), Ok(-6_795_364_578_871_345_152_i64 as u64));
    assert!(error(time(json!(1e20))).message.contains("is not between"));
    assert!(span(json!({"flags": 4_294_967_296_u64})).is_err());
}

#[test]
fn doubles_have_names_for_what_json_cannot_write() {
    let double = |found: Value| -> Result<f64, JsonError> {
        match value(json!({ "doubleValue": found }))?.value {
            Some(Any::DoubleValue(value)) => Ok(value),
            other => panic!("{other:?}"),
        }
    };
    assert!(double(json!("NaN")).expect("valid").is_nan());
    assert_eq!(double(json!("-Infinity")), Ok(f64::NEG_INFINITY));
    assert_eq!((double(json!("2.5")), double(json!(3))), (Ok(2.5), Ok(3.0)));
    for bad in ["inf", "nan", "", "infinity", "1e999"] {
        assert!(double(json!(bad)).is_err(), "{bad}");
    }
}

#[test]
fn enumerations_are_numbers_or_known_names() {
    let kind = |kind: Value| span(json!({ "kind": kind })).map(|span| span.kind);
    assert_eq!((kind(json!(99)), kind(json!("SPAN_KIND_SERVER")), kind(json!(-1))), (Ok(99), Ok(2), Ok(-1)));
    assert!(error(kind(json!("server"))).message.contains("\"server\" is not a name SPAN_KIND_"));
    let code = span(json!({"status": {"code": "STATUS_CODE_ERROR"}})).expect("valid").status;
    assert_eq!(code.map(|status| status.code), Some(2));
}

#[test]
fn ids_are_hex_of_any_length() {
    assert_eq!(span(json!({"traceId": "00ff"})).expect("valid").trace_id, [0, 255]);
    for bad in ["--", "abc", "0g", "Zm9v+A=="] {
        let found = error(span(json!({ "spanId": bad })));
        assert_eq!(found.path, "resourceSpans[0].scopeSpans[0].spans[0].spanId");
        assert!(found.to_string().starts_with(&format!("{}: {bad:?} is not a hex id", found.path)), "{found}");
    }
}

#[test]
fn bytes_are_base64_of_either_alphabet() {
    let bytes = |text: &str| value(json!({ "bytesValue": text })).map(|value| value.value);
    assert_eq!(bytes("+/8="), Ok(Some(Any::BytesValue(vec![0xfb, 0xff]))));
    assert_eq!(bytes("-_8"), Ok(Some(Any::BytesValue(vec![0xfb, 0xff]))));
    assert!(bytes("!").is_err());
}

#[test]
fn what_is_set_twice_is_an_error() {
    let twice = br#"{"resourceSpans":[{"schemaUrl":"a","schema_url":"b"}]}"#;
    let found = error(traces_to_protobuf(twice));
    assert_eq!(found.path, "resourceSpans[0].schemaUrl");
    assert!(found.message.starts_with("the key is there twice"), "{found}");
    let found = error(value(json!({"intValue": 1, "stringValue": "x"})));
    assert!(found.message.starts_with("intValue is set too"), "{found}");
}

#[test]
fn other_shapes_are_errors_with_a_place() {
    for bad in [&b"1234"[..], b"", b"[]", b"null", b"{\"resourceSpans\":[{\"resource\":", b"{} x", b"\"\xff\""] {
        assert!(traces_to_protobuf(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
    assert_eq!(error(traces(&json!({"resourceSpans": {}}))).path, "resourceSpans");
    assert_eq!(error(traces(&json!({"resourceSpans": [{}, 1]}))).path, "resourceSpans[1]");
    assert_eq!(error(span(json!({"name": 1}))).path, "resourceSpans[0].scopeSpans[0].spans[0].name");
    assert!(traces_to_protobuf(b"{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}").is_err());
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#, "]}}");
        let value = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
        let head = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":"#;
        traces_to_protobuf(format!("{head}{value}}}]}}]}}]}}]}}").as_bytes())
    };
    assert!(nested(35).is_ok());
    assert!(error(nested(100)).message.contains("recursion limit"));
    assert!(error(nested(100_000)).message.contains("recursion limit"));
    let unknown = format!(r#"{{"unknown":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(traces_to_protobuf(unknown.as_bytes()).is_ok());
}
