//! The ingest part of the list of bad input: a clear answer, and the neighbours kept.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use storage::attrs::MAX_DEPTH;

use super::*;

fn good(name: &str) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.into(),
        start_time_unix_nano: 10,
        end_time_unix_nano: 20,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = Some(Resource { attributes: vec![text_attribute("service.name", "cart")], ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

fn log_request(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

fn names(batch: &RecordBatch) -> Vec<String> {
    (0..batch.num_rows()).filter_map(|row| Row(batch, row).text(col::NAME)).collect()
}

/// A span among good ones is rejected for `reason`, and the good ones are kept.
#[track_caller]
fn rejected_alone(bad: Span, reason: &str) {
    let (batch, rejected) = batch(Signal::Traces, &request(vec![good("before"), bad, good("after")]));
    assert_eq!(names(&batch), ["before", "after"]);
    assert_eq!(rejected.count(), 1);
    let message = rejected.message().expect("a reason");
    assert!(message.contains(reason) && message.contains("resource 0, scope 0, span 1"), "{message}");
}

fn nested(levels: usize, wrap: impl Fn(AnyValue) -> any_value::Value) -> AnyValue {
    (0..levels).fold(sent(any_value::Value::IntValue(7)), |inner, _| sent(wrap(inner)))
}

fn in_array(inner: AnyValue) -> any_value::Value {
    any_value::Value::ArrayValue(ArrayValue { values: vec![inner] })
}

fn in_map(inner: AnyValue) -> any_value::Value {
    let pair = KeyValue { key: "k".into(), value: Some(inner), ..KeyValue::default() };
    any_value::Value::KvlistValue(KeyValueList { values: vec![pair] })
}

/// A map that cannot be written as an object, which takes more levels of JSON.
fn in_dollar_map(inner: AnyValue) -> any_value::Value {
    let pair = KeyValue { key: "$k".into(), value: Some(inner), ..KeyValue::default() };
    any_value::Value::KvlistValue(KeyValueList { values: vec![pair] })
}

fn with_value(value: AnyValue) -> Span {
    let pair = KeyValue { key: "deep".into(), value: Some(value), ..KeyValue::default() };
    Span { attributes: vec![pair], ..good("bad") }
}

#[test]
fn ids_of_a_span_must_be_whole() {
    for length in [0, 8, 15, 17, 32] {
        rejected_alone(
            Span { trace_id: vec![1; length], ..good("bad") },
            &format!("trace_id has {length} bytes, must be 16"),
        );
    }
    for length in [0, 7, 9, 16] {
        rejected_alone(
            Span { span_id: vec![1; length], ..good("bad") },
            &format!("span_id has {length} bytes, must be 8"),
        );
    }
    rejected_alone(Span { trace_id: vec![0; 16], ..good("bad") }, "trace_id is all zero");
    rejected_alone(Span { span_id: vec![0; 8], ..good("bad") }, "span_id is all zero");
    rejected_alone(Span { parent_span_id: vec![1; 7], ..good("bad") }, "parent_span_id has 7 bytes, must be 8");
    let (batch, rejected) = batch(Signal::Traces, &request(vec![Span { parent_span_id: vec![0; 8], ..good("root") }]));
    assert_eq!((Row(&batch, 0).id(col::PARENT_SPAN_ID), rejected.count()), (None, 0));
}

#[test]
fn nesting_is_bounded_and_what_is_kept_can_be_read() {
    for wrap in [in_array, in_map] {
        let (batch, rejected) = batch(Signal::Traces, &request(vec![with_value(nested(MAX_DEPTH, wrap))]));
        assert_eq!(rejected.message(), None);
        assert_eq!(Row(&batch, 0).attributes(col::ATTRIBUTES).len(), 1);
        rejected_alone(with_value(nested(MAX_DEPTH + 1, wrap)), "nested deeper than 64 levels");
    }
    // 42 × 3 levels of JSON are the most that readers follow.
    let (batch, rejected) = batch(Signal::Traces, &request(vec![with_value(nested(42, in_dollar_map))]));
    assert_eq!(rejected.message(), None);
    assert_eq!(Row(&batch, 0).attributes(col::ATTRIBUTES).len(), 1);
    rejected_alone(with_value(nested(43, in_dollar_map)), "nested deeper than 64 levels");
}

#[test]
fn nesting_of_a_hundred_thousand_levels_overflows_no_stack() {
    // Heads of AnyValue.array_value { values }, from the inside out: prost would recurse.
    let mut heads = Vec::new();
    let mut length = 0;
    for field in [1u8, 5].repeat(100_000) {
        let mut head = vec![field << 3 | 2];
        prost::encoding::encode_varint(length, &mut head);
        length += head.len() as u64;
        heads.push(head);
    }
    let value: Vec<u8> = heads.into_iter().rev().flatten().collect();
    let attribute = [delimited(1, b"k"), delimited(2, &value)].concat();
    let span = [good("bad").encode_to_vec(), delimited(9, &attribute)].concat();
    let spans = [delimited(2, &good("before").encode_to_vec()), delimited(2, &span)].concat();
    let body = delimited(1, &delimited(2, &spans));
    let converted = convert(Signal::Traces, &body, RECEIVED, &Rules::default()).expect("framing holds");
    assert_eq!((converted.accepted(), converted.rejected.count()), (1, 1));
    assert!(converted.rejected.message().is_some_and(|message| message.contains("nested deeper")));
}

fn delimited(field: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

#[test]
fn bytes_that_are_not_utf8_cost_only_themselves() {
    let attribute = [delimited(1, b"k\xfe"), delimited(2, &delimited(1, b"a\xffb\0c"))].concat();
    let span = [good("").encode_to_vec(), delimited(5, b"op\xc3"), delimited(9, &attribute)].concat();
    let body = delimited(1, &delimited(2, &delimited(2, &span)));
    let converted = convert(Signal::Traces, &body, RECEIVED, &Rules::default()).expect("framing holds");
    let batch = converted.batch.expect("a row");
    let row = Row(&batch, 0);
    assert_eq!(row.text(col::NAME).as_deref(), Some("op\u{fffd}"));
    assert_eq!(row.attributes(col::ATTRIBUTES), [("k\u{fffd}".into(), Value::String("a\u{fffd}b\0c".into()))]);
}

#[test]
fn a_broken_span_is_rejected_and_a_broken_frame_refuses_the_request() {
    let broken = delimited(2, b"\x0a\x10short");
    let spans =
        [delimited(2, &good("before").encode_to_vec()), broken, delimited(2, &good("after").encode_to_vec())].concat();
    let converted = convert(Signal::Traces, &delimited(1, &delimited(2, &spans)), RECEIVED, &Rules::default())
        .expect("framing holds");
    assert_eq!((converted.accepted(), converted.rejected.count()), (2, 1));
    assert!(converted.rejected.message().is_some_and(|message| message.contains("malformed protobuf at byte")));
    let whole = request(vec![good("a")]).encode_to_vec();
    for cut in 1..whole.len() {
        assert!(convert(Signal::Traces, &whole[..cut], RECEIVED, &Rules::default()).is_err(), "cut at {cut}");
    }
    for garbage in [&b"garbage"[..], &[0xff; 64], b"{\"resourceSpans\":[]}", &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]] {
        assert!(matches!(convert(Signal::Traces, garbage, RECEIVED, &Rules::default()), Err(BadRequest::Malformed(_))));
    }
}

#[test]
fn a_resource_that_cannot_be_kept_costs_its_own_spans() {
    let mut body = request(vec![good("kept")]);
    let mut bad = request(vec![good("lost"), good("lost")]).resource_spans;
    let deep = KeyValue { key: "deep".into(), value: Some(nested(70, in_array)), ..KeyValue::default() };
    bad[0].resource = Some(Resource { attributes: vec![deep], ..Resource::default() });
    body.resource_spans.extend(bad);
    let (batch, rejected) = batch(Signal::Traces, &body);
    assert_eq!((names(&batch), rejected.count()), (vec!["kept".to_owned()], 2));
    assert!(
        rejected.message().is_some_and(|message| message.contains("resource 1, scope 0, span 0: resource.attributes"))
    );
}

#[test]
fn wide_and_large_spans() {
    let many = (0..100_000).map(|number| text_attribute(&format!("k{number}"), "v")).collect();
    let (wide, rejected) = batch(Signal::Traces, &request(vec![Span { attributes: many, ..good("wide") }]));
    assert_eq!(rejected.message(), None);
    assert_eq!(Row(&wide, 0).attributes(col::ATTRIBUTES).len(), 100_000);
    let large = text_attribute("k", &"x".repeat(10 << 20));
    let (batch, rejected) = batch(Signal::Traces, &request(vec![Span { attributes: vec![large], ..good("large") }]));
    assert_eq!((batch.num_rows(), rejected.count()), (1, 0));
    // Six bytes of JSON for one of text.
    let control = text_attribute("k", &"\u{1}".repeat(3 << 20));
    rejected_alone(Span { attributes: vec![control], ..good("bad") }, "larger than 16777216 bytes");
}

#[test]
fn times_are_stored_as_sent() {
    for (start, end) in [(0, 0), (u64::MAX, u64::MAX), (20, 10), (0, u64::MAX), (1 << 63, 5)] {
        let span = Span { start_time_unix_nano: start, end_time_unix_nano: end, ..good("x") };
        let (batch, rejected) = batch(Signal::Traces, &request(vec![span]));
        let row = Row(&batch, 0);
        let duration = row.i64(col::DURATION).expect("never null");
        assert_eq!((row.time(col::START_TIME), start.wrapping_add(duration as u64)), (start, end));
        assert_eq!(rejected.count(), 0);
    }
}

#[test]
fn duplicates_and_odd_parents_are_kept() {
    let own_parent = Span { parent_span_id: vec![2; 8], ..good("self") };
    let (batch, rejected) = batch(Signal::Traces, &request(vec![good("a"), good("a"), own_parent]));
    assert_eq!((batch.num_rows(), rejected.count()), (3, 0));
}

#[test]
fn a_log_record_with_bad_ids_is_kept_without_them() {
    let record = |trace: usize, span: usize| LogRecord {
        trace_id: vec![1; trace],
        span_id: vec![1; span],
        time_unix_nano: 1,
        ..LogRecord::default()
    };
    let zero = LogRecord { trace_id: vec![0; 16], span_id: vec![0; 8], ..LogRecord::default() };
    let (batch, rejected) = batch(Signal::Logs, &log_request(vec![record(16, 8), record(15, 9), zero]));
    let ids: Vec<_> = (0..3).map(|row| Row(&batch, row).id(col::TRACE_ID).is_some()).collect();
    assert_eq!((ids, rejected.count()), (vec![true, false, false], 0));
    assert!(rejected.message().is_some_and(|message| message.starts_with("2 trace or span ids of a wrong length")));
}

#[test]
fn a_log_record_whose_attributes_fail_leaves_no_trace_of_its_body() {
    let deep = KeyValue { key: "deep".into(), value: Some(nested(70, in_map)), ..KeyValue::default() };
    let say = |text: &str| Some(sent(any_value::Value::StringValue(text.into())));
    let bad = LogRecord { body: say("bad"), attributes: vec![deep], ..LogRecord::default() };
    let records = vec![
        bad,
        LogRecord { body: say("good"), ..LogRecord::default() },
        LogRecord { body: say(""), ..LogRecord::default() },
    ];
    let (batch, rejected) = batch(Signal::Logs, &log_request(records));
    assert_eq!(rejected.count(), 1);
    let bodies: Vec<_> = (0..batch.num_rows()).map(|row| Row(&batch, row).text(col::BODY)).collect();
    assert_eq!(bodies, [Some("good".into()), Some(String::new())]);
}

#[test]
fn the_message_names_the_first_offenders_and_counts_the_rest() {
    let bad = |name: &str| Span { trace_id: vec![], ..good(name) };
    let (_, rejected) = batch(Signal::Traces, &request((0..5).map(|n| bad(&format!("op{n}"))).collect()));
    assert_eq!(
        rejected.message().as_deref(),
        Some(
            "5 spans rejected: resource 0, scope 0, span 0 \"op0\": trace_id has 0 bytes, must be 16; \
             resource 0, scope 0, span 1 \"op1\": trace_id has 0 bytes, must be 16; \
             resource 0, scope 0, span 2 \"op2\": trace_id has 0 bytes, must be 16; and 2 more"
        )
    );
}

#[test]
fn references_of_the_profiles_signal_count_as_empty() {
    let span = with_value(sent(any_value::Value::StringValueStrindex(3)));
    let (batch, rejected) = batch(Signal::Traces, &request(vec![span]));
    assert_eq!(Row(&batch, 0).attributes(col::ATTRIBUTES), [("deep".into(), Value::Null)]);
    assert_eq!((rejected.count(), rejected.message().is_some()), (0, true));
}

#[test]
fn more_rows_than_a_request_may_have_are_refused() {
    let records = delimited(2, b"").repeat(MAX_ROWS + 1);
    let body = delimited(1, &delimited(2, &records));
    assert_eq!(
        convert(Signal::Logs, &body, RECEIVED, &Rules::default()).err(),
        Some(BadRequest::TooManyRows(MAX_ROWS + 1))
    );
}
