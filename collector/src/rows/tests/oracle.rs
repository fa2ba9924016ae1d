//! Whatever prost encodes is in the rows: the properties of the conversion.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{ArrayValue, InstrumentationScope, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::collection::vec;
use proptest::prelude::*;
use storage::attrs::{Event, Link, parse_events, parse_links, parse_value};

use super::*;

/// Short texts, often equal, with what JSON escapes, and Chinese.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-c$]{1,3}".prop_map(|text| text),
        "\\PC{0,12}".prop_map(|text| text),
        Just("a\"b\\c\n\t\u{0}\u{1f}\u{7f}线索😀".to_owned()),
        Just("service.name".to_owned()),
        Just("http.response.status_code".to_owned()),
    ]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    use any_value::Value as V;
    let leaf = prop_oneof![
        Just(AnyValue { value: None }),
        text().prop_map(|text| sent(V::StringValue(text))),
        any_bool().prop_map(|yes| sent(V::BoolValue(yes))),
        prop_oneof![Just(i64::MIN), Just(i64::MAX), -3i64..3].prop_map(|number| sent(V::IntValue(number))),
        double().prop_map(|number| sent(V::DoubleValue(number))),
        vec(0u8.., 0..5).prop_map(|bytes| sent(V::BytesValue(bytes))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| sent(V::ArrayValue(ArrayValue { values }))),
            vec((text(), inner), 0..12)
                .prop_map(|pairs| sent(V::KvlistValue(KeyValueList { values: pairs_of(pairs) }))),
        ]
    })
}

fn any_bool() -> impl Strategy<Value = bool> {
    prop_oneof![Just(true), Just(false)]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
        Just(5e-324),
        Just(1e300),
        Just(3.0),
        -1e6..1e6
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), Just(1 << 63), 1_700_000_000_000_000_000u64..1_700_000_000_000_000_009]
}

fn pairs_of(pairs: Vec<(String, AnyValue)>) -> Vec<KeyValue> {
    pairs.into_iter().map(|(key, value)| KeyValue { key, value: Some(value), ..KeyValue::default() }).collect()
}

fn list() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((text(), any_value()), 0..5).prop_map(pairs_of)
}

fn id<const N: usize>() -> impl Strategy<Value = Vec<u8>> {
    vec(1u8..4, N)
}

fn optional_id<const N: usize>() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![]), id::<N>()]
}

fn resource() -> impl Strategy<Value = Resource> {
    (list(), 0u32..3).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        ..Resource::default()
    })
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), list(), 0u32..3).prop_map(|(name, version, attributes, dropped_attributes_count)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count }
    })
}

fn event() -> impl Strategy<Value = span::Event> {
    (time(), text(), list(), 0u32..2).prop_map(|(time_unix_nano, name, attributes, dropped_attributes_count)| {
        span::Event { time_unix_nano, name, attributes, dropped_attributes_count }
    })
}

fn link() -> impl Strategy<Value = span::Link> {
    (vec(0u8.., 0..17), id::<8>(), text(), list(), 0u32..2, 0u32..2).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| span::Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (id::<16>(), id::<8>(), optional_id::<8>());
    let head = (text(), text(), 0i32..8, 0u32.., time(), time());
    let lists = (list(), vec(event(), 0..3), vec(link(), 0..3), (0u32..3, 0u32..3, 0u32..3));
    let status = prop_oneof![Just(None), (text(), 0i32..4).prop_map(|(message, code)| Some(Status { message, code }))];
    (ids, head, lists, status).prop_map(|(ids, head, lists, status)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        trace_state: head.0,
        name: head.1,
        kind: head.2,
        flags: head.3,
        start_time_unix_nano: head.4,
        end_time_unix_nano: head.5,
        attributes: lists.0,
        events: lists.1,
        links: lists.2,
        dropped_attributes_count: lists.3.0,
        dropped_events_count: lists.3.1,
        dropped_links_count: lists.3.2,
        status,
    })
}

fn log() -> impl Strategy<Value = LogRecord> {
    let ids = (optional_id::<16>(), optional_id::<8>());
    let body = prop_oneof![Just(None), any_value().prop_map(Some)];
    (ids, (time(), time(), 0i32..30, text(), text()), body, (list(), 0u32..3, 0u32..)).prop_map(
        |(ids, head, body, rest)| LogRecord {
            trace_id: ids.0,
            span_id: ids.1,
            time_unix_nano: head.0,
            observed_time_unix_nano: head.1,
            severity_number: head.2,
            severity_text: head.3,
            event_name: head.4,
            body,
            attributes: rest.0,
            dropped_attributes_count: rest.1,
            flags: rest.2,
        },
    )
}

fn none_if_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// NaN is not equal to itself; its text is.
fn same<T: std::fmt::Debug>(found: T, sent: T) {
    assert_eq!(format!("{found:?}"), format!("{sent:?}"));
}

fn check_origin(row: &Row<'_>, resource: &Resource, resource_url: &str, scope: &InstrumentationScope, scope_url: &str) {
    same(row.attributes(col::RESOURCE_ATTRIBUTES), attributes(&resource.attributes));
    same(row.attributes(col::SCOPE_ATTRIBUTES), attributes(&scope.attributes));
    assert_eq!(row.u32(col::RESOURCE_DROPPED_ATTRIBUTES), resource.dropped_attributes_count);
    assert_eq!(row.u32(col::SCOPE_DROPPED_ATTRIBUTES), scope.dropped_attributes_count);
    assert_eq!(row.text(col::RESOURCE_SCHEMA_URL), none_if_empty(resource_url));
    assert_eq!(row.text(col::SCOPE_SCHEMA_URL), none_if_empty(scope_url));
    assert_eq!(row.text(col::SCOPE_NAME), none_if_empty(&scope.name));
    assert_eq!(row.text(col::SCOPE_VERSION), none_if_empty(&scope.version));
    assert_eq!(row.time(col::RECEIVED_TIME) as i64, RECEIVED);
    let named = resource.attributes.iter().find_map(|pair| match &pair.value.as_ref()?.value {
        Some(any_value::Value::StringValue(text)) if pair.key == "service.name" => Some(text.clone()),
        _ => None,
    });
    let others = resource.attributes.iter().filter(|pair| pair.key == "service.name").count();
    if others <= 1 && (named.is_some() || others == 0) {
        assert_eq!(row.text(col::SERVICE_NAME), Some(named.unwrap_or_default()));
    }
}

fn check_span(row: &Row<'_>, span: &Span) {
    assert_eq!(row.id(col::TRACE_ID).as_ref(), Some(&span.trace_id));
    assert_eq!(row.id(col::SPAN_ID).as_ref(), Some(&span.span_id));
    assert_eq!(row.id(col::PARENT_SPAN_ID).unwrap_or_default(), span.parent_span_id);
    assert_eq!(row.text(col::TRACE_STATE), none_if_empty(&span.trace_state));
    assert_eq!(row.u32(col::FLAGS), span.flags);
    assert_eq!(row.text(col::NAME).as_ref(), Some(&span.name));
    assert_eq!(row.i32(col::KIND), span.kind);
    assert_eq!(row.time(col::START_TIME), span.start_time_unix_nano);
    let end = row.time(col::START_TIME).wrapping_add(row.i64(col::DURATION).expect("never null") as u64);
    assert_eq!(end, span.end_time_unix_nano);
    let status = span.status.clone().unwrap_or_default();
    assert_eq!(row.i32(col::STATUS_CODE), status.code);
    assert_eq!(row.text(col::STATUS_MESSAGE), none_if_empty(&status.message));
    same(row.attributes(col::ATTRIBUTES), attributes(&span.attributes));
    assert_eq!(row.u32(col::DROPPED_ATTRIBUTES), span.dropped_attributes_count);
    assert_eq!(row.u32(col::DROPPED_EVENTS), span.dropped_events_count);
    assert_eq!(row.u32(col::DROPPED_LINKS), span.dropped_links_count);
    let events = row.text(col::EVENTS).map_or_else(Vec::new, |text| parse_events(&text).expect("events"));
    let sent: Vec<Event> = span
        .events
        .iter()
        .map(|event| Event {
            time: event.time_unix_nano,
            name: event.name.clone(),
            attributes: attributes(&event.attributes),
            dropped_attributes: event.dropped_attributes_count,
        })
        .collect();
    same(events, sent);
    let links = row.text(col::LINKS).map_or_else(Vec::new, |text| parse_links(&text).expect("links"));
    let sent: Vec<Link> = span
        .links
        .iter()
        .map(|link| Link {
            trace_id: link.trace_id.clone(),
            span_id: link.span_id.clone(),
            trace_state: link.trace_state.clone(),
            attributes: attributes(&link.attributes),
            dropped_attributes: link.dropped_attributes_count,
            flags: link.flags,
        })
        .collect();
    same(links, sent);
    assert!(row.text(col::ROLE).is_some() && row.text(col::OPERATION).is_some() && row.text(col::OUTCOME).is_some());
}

fn check_log(row: &Row<'_>, log: &LogRecord) {
    let (sent, observed) = (log.time_unix_nano, log.observed_time_unix_nano);
    let (time, inferred) =
        if sent != 0 { (sent, false) } else { (if observed != 0 { observed } else { RECEIVED as u64 }, true) };
    assert_eq!(row.time(col::TIME), time);
    assert_eq!(row.bool(col::TIME_INFERRED), inferred);
    assert_eq!(row.time(col::OBSERVED_TIME), observed);
    assert_eq!(row.id(col::TRACE_ID).unwrap_or_default(), log.trace_id);
    assert_eq!(row.id(col::SPAN_ID).unwrap_or_default(), log.span_id);
    assert_eq!(row.u32(col::FLAGS), log.flags);
    assert_eq!(row.i32(col::SEVERITY_NUMBER), log.severity_number);
    assert_eq!(row.text(col::SEVERITY_TEXT), none_if_empty(&log.severity_text));
    assert_eq!(row.text(col::EVENT_NAME), none_if_empty(&log.event_name));
    let body = match (row.text(col::BODY_TYPE).as_deref(), row.text(col::BODY)) {
        (None, None) => Value::Null,
        (Some("text"), Some(text)) => Value::String(text),
        (Some("json"), Some(text)) => parse_value(&text).expect("typed JSON text"),
        other => panic!("{other:?}"),
    };
    same(body, value(log.body.as_ref()));
    same(row.attributes(col::ATTRIBUTES), attributes(&log.attributes));
    assert_eq!(row.u32(col::DROPPED_ATTRIBUTES), log.dropped_attributes_count);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_value_of_a_span_survives(
        groups in vec((resource(), text(), vec((scope(), text(), vec(span(), 0..4)), 0..3)), 0..3)
    ) {
        let request = ExportTraceServiceRequest {
            resource_spans: groups.iter().map(|(resource, schema_url, scopes)| ResourceSpans {
                resource: Some(resource.clone()),
                schema_url: schema_url.clone(),
                scope_spans: scopes.iter().map(|(scope, schema_url, spans)| ScopeSpans {
                    scope: Some(scope.clone()),
                    schema_url: schema_url.clone(),
                    spans: spans.clone(),
                }).collect(),
            }).collect(),
        };
        let (batch, rejected) = batch(Signal::Traces, &request);
        prop_assert_eq!(rejected.message(), None);
        let mut row = 0;
        for (resource, resource_url, scopes) in &groups {
            for (scope, scope_url, spans) in scopes {
                for span in spans {
                    check_span(&Row(&batch, row), span);
                    check_origin(&Row(&batch, row), resource, resource_url, scope, scope_url);
                    row += 1;
                }
            }
        }
        prop_assert_eq!(batch.num_rows(), row);
    }

    #[test]
    fn every_value_of_a_log_record_survives(
        groups in vec((resource(), text(), vec((scope(), text(), vec(log(), 0..5)), 0..3)), 0..3)
    ) {
        let request = ExportLogsServiceRequest {
            resource_logs: groups.iter().map(|(resource, schema_url, scopes)| ResourceLogs {
                resource: Some(resource.clone()),
                schema_url: schema_url.clone(),
                scope_logs: scopes.iter().map(|(scope, schema_url, log_records)| ScopeLogs {
                    scope: Some(scope.clone()),
                    schema_url: schema_url.clone(),
                    log_records: log_records.clone(),
                }).collect(),
            }).collect(),
        };
        let (batch, rejected) = batch(Signal::Logs, &request);
        prop_assert_eq!(rejected.message(), None);
        let mut row = 0;
        for (resource, resource_url, scopes) in &groups {
            for (scope, scope_url, logs) in scopes {
                for log in logs {
                    check_log(&Row(&batch, row), log);
                    check_origin(&Row(&batch, row), resource, resource_url, scope, scope_url);
                    row += 1;
                }
            }
        }
        prop_assert_eq!(batch.num_rows(), row);
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in vec(0u8.., 0..300), flips in vec((0usize..2000, 0u8..), 0..6), span in span()) {
        for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
            // Both answers are fine; that there is one is the property.
            let _ = convert(signal, &bytes, RECEIVED, &Rules::default()).map(|converted| converted.accepted());
        }
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let request = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        bytes = request.encode_to_vec();
        for (at, with) in flips {
            let length = bytes.len();
            bytes[at % length] ^= with;
        }
        if let Ok(converted) = convert(Signal::Traces, &bytes, RECEIVED, &Rules::default()) {
            let rows = converted.accepted() + converted.rejected.count();
            prop_assert_eq!(rows, count(Signal::Traces, &bytes).expect("just read"));
        }
    }
}
