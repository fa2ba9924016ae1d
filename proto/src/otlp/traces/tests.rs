//! What is written, and that it is read back as it was.

use prost::Message as _;
use serde_json::json;

use super::*;
use crate::otlp::json::traces_to_protobuf;
use crate::otlp::messages::common::v1 as common;
use crate::otlp::messages::trace::v1 as trace;

#[test]
fn what_is_empty_is_left_out() {
    let span = Span {
        trace_id: 1_u128.to_be_bytes().into(),
        span_id: 2_u64.to_be_bytes().into(),
        name: "foobar".into(),
        kind: 2,
        status: Status { code: 2, ..Default::default() },
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    let expected = json!({"result": {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [{
        "traceId": "00000000000000000000000000000001", "spanId": "0000000000000002",
        "name": "foobar", "kind": 2, "status": {"code": 2},
    }]}]}]}});
    assert_eq!(json!(TracesResult { result: TracesData { resource_spans } }), expected);
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value }
}

fn full() -> TracesData {
    let values = vec![
        AnyValue::Empty,
        AnyValue::String("线索".into()),
        AnyValue::Bool(false),
        AnyValue::Int(i64::MIN),
        AnyValue::Double(0.1),
        AnyValue::Double(f64::NEG_INFINITY),
        AnyValue::Double(f64::INFINITY),
        AnyValue::Double(1e300),
        AnyValue::Bytes(vec![0xfb, 0xff]),
        AnyValue::Array(vec![]),
        AnyValue::KvList(vec![pair("k", AnyValue::Int(0)), pair("k", AnyValue::Empty)]),
    ];
    let span = Span {
        trace_id: [7; 16].into(),
        span_id: [8; 8].into(),
        trace_state: "a=b".into(),
        parent_span_id: [9; 8].into(),
        flags: 1,
        name: "n".into(),
        kind: 3,
        start_time_unix_nano: u64::MAX,
        end_time_unix_nano: 1,
        attributes: vec![pair("all", AnyValue::Array(values))],
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: 5,
            name: "e".into(),
            attributes: vec![pair("a", AnyValue::Bool(true))],
            dropped_attributes_count: 2,
        }],
        dropped_events_count: 3,
        links: vec![Link {
            trace_id: [1; 16].into(),
            span_id: [2; 8].into(),
            trace_state: "t".into(),
            attributes: vec![pair("b", AnyValue::String(String::new()))],
            dropped_attributes_count: 4,
            flags: 5,
        }],
        dropped_links_count: 6,
        status: Status { message: "m".into(), code: 1 },
    };
    let scope = Scope {
        name: "s".into(),
        version: "1".into(),
        attributes: vec![pair("c", AnyValue::Int(1))],
        dropped_attributes_count: 7,
    };
    let resource = Resource { attributes: vec![pair("d", AnyValue::Double(2.0))], dropped_attributes_count: 8 };
    let scope_spans = vec![ScopeSpans { scope, spans: vec![span], schema_url: "u".into() }];
    TracesData { resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url: "v".into() }] }
}

#[test]
fn all_fields_and_types_are_read_back() {
    let written = full();
    let bytes = traces_to_protobuf(json!(written).to_string().as_bytes()).expect("valid");
    let read = trace::TracesData::decode(bytes.as_slice()).expect("valid protobuf");
    assert_eq!(read, message(&written));
}

#[test]
fn nan_has_a_name() {
    assert_eq!(json!(AnyValue::Double(f64::NAN)), json!({"doubleValue": "NaN"}));
}

fn message(data: &TracesData) -> trace::TracesData {
    let resource_spans = data.resource_spans.iter().map(|resource_spans| trace::ResourceSpans {
        resource: Some(crate::otlp::messages::resource::v1::Resource {
            attributes: pairs(&resource_spans.resource.attributes),
            dropped_attributes_count: resource_spans.resource.dropped_attributes_count,
            entity_refs: vec![],
        }),
        scope_spans: resource_spans.scope_spans.iter().map(scope_spans).collect(),
        schema_url: resource_spans.schema_url.clone(),
    });
    trace::TracesData { resource_spans: resource_spans.collect() }
}

fn scope_spans(scope_spans: &ScopeSpans) -> trace::ScopeSpans {
    trace::ScopeSpans {
        scope: Some(common::InstrumentationScope {
            name: scope_spans.scope.name.clone(),
            version: scope_spans.scope.version.clone(),
            attributes: pairs(&scope_spans.scope.attributes),
            dropped_attributes_count: scope_spans.scope.dropped_attributes_count,
        }),
        spans: scope_spans.spans.iter().map(span).collect(),
        schema_url: scope_spans.schema_url.clone(),
    }
}

fn span(span: &Span) -> trace::Span {
    let event = |event: &Event| trace::span::Event {
        time_unix_nano: event.time_unix_nano,
        name: event.name.clone(),
        attributes: pairs(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    };
    let link = |link: &Link| trace::span::Link {
        trace_id: link.trace_id.0.clone(),
        span_id: link.span_id.0.clone(),
        trace_state: link.trace_state.clone(),
        attributes: pairs(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    };
    trace::Span {
        trace_id: span.trace_id.0.clone(),
        span_id: span.span_id.0.clone(),
        trace_state: span.trace_state.clone(),
        parent_span_id: span.parent_span_id.0.clone(),
        flags: span.flags,
        name: span.name.clone(),
        kind: span.kind,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        attributes: pairs(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(event).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: span.dropped_links_count,
        status: Some(trace::Status { message: span.status.message.clone(), code: span.status.code }),
    }
}

fn pairs(pairs: &[KeyValue]) -> Vec<common::KeyValue> {
    let pair =
        |pair: &KeyValue| common::KeyValue { key: pair.key.clone(), value: Some(value(&pair.value)), key_strindex: 0 };
    pairs.iter().map(pair).collect()
}

fn value(any: &AnyValue) -> common::AnyValue {
    use common::any_value::Value;
    let value = match any {
        AnyValue::Empty => None,
        AnyValue::String(text) => Some(Value::StringValue(text.clone())),
        AnyValue::Bool(value) => Some(Value::BoolValue(*value)),
        AnyValue::Int(value) => Some(Value::IntValue(*value)),
        AnyValue::Double(value) => Some(Value::DoubleValue(*value)),
        AnyValue::Bytes(bytes) => Some(Value::BytesValue(bytes.clone())),
        AnyValue::Array(values) => {
            Some(Value::ArrayValue(common::ArrayValue { values: values.iter().map(value).collect() }))
        }
        AnyValue::KvList(values) => Some(Value::KvlistValue(common::KeyValueList { values: pairs(values) })),
    };
    common::AnyValue { value }
}
