//! Files of every format, read as the command reads them.

use std::path::{Path, PathBuf};

use proto::Message;
use proto::otlp::make::text;
use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::collector::metrics::v1::ExportMetricsServiceRequest;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proto::otlp::messages::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use proto::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::*;

fn batches_of(path: &Path) -> (Vec<Batch>, Result<(), Problem>) {
    let mut batches = Vec::new();
    let outcome = format::read_file(path, None, None, &mut |batch| {
        batches.push(batch);
        true
    });
    (batches, outcome)
}

/// Rows by signal, rows left out, and the problem, of a file with this content.
fn read_content(content: &[u8]) -> (Counts, Option<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    std::fs::write(&path, content).expect("written");
    let (batches, outcome) = batches_of(&path);
    let problem = outcome.err().map(|problem| problem.to_string().replace(&path.display().to_string(), "file"));
    (counts(&batches), problem)
}

fn counts(batches: &[Batch]) -> Counts {
    let mut counts = Counts::default();
    for batch in batches {
        counts.count(batch.signal, batch.rows);
        counts.rejected += batch.rejected.len() as u64;
    }
    counts
}

const SPAN: &str = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a","startTimeUnixNano":"1000","endTimeUnixNano":"2000"}"#;

fn otlp_json(spans: usize) -> String {
    let spans = vec![SPAN; spans].join(",");
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
}

#[test]
fn json_is_read_by_its_top_level() {
    let spans = |spans, rejected| (Counts { spans, rejected, ..Counts::default() }, None);
    let logs = (Counts { logs: 1, ..Counts::default() }, None);
    let metrics = (Counts { metrics: 1, ..Counts::default() }, None);
    let jaeger = r#"{"traceID":"1","spans":[{"traceID":"1","spanID":"2","operationName":"a","startTime":1,"duration":1},{"traceID":"1","spanID":"no","operationName":"a","startTime":1,"duration":1}],"processes":{}}"#;
    let zipkin = r#"{"traceId":"1","id":"2"}"#;
    assert_eq!(read_content(otlp_json(2).as_bytes()), spans(2, 0));
    assert_eq!(read_content(format!("{}\n{}\n", otlp_json(2), otlp_json(1)).as_bytes()), spans(3, 0));
    assert_eq!(
        read_content(br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#),
        logs
    );
    let gauge = br#"{"resource_metrics":[{"scopeMetrics":[{"metrics":[{"name":"x","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}"#;
    assert_eq!(read_content(gauge), metrics);
    assert_eq!(read_content(format!("[{},\n{}]", otlp_json(2), otlp_json(1)).as_bytes()), spans(3, 0));
    assert_eq!(read_content(jaeger.as_bytes()), spans(1, 1));
    assert_eq!(
        read_content(format!(r#"{{"data":[{jaeger},{jaeger}],"total":0,"errors":null}}"#).as_bytes()),
        spans(2, 2)
    );
    assert_eq!(read_content(zipkin.as_bytes()), spans(1, 0));
    assert_eq!(read_content(format!("[{zipkin},{zipkin}]").as_bytes()), spans(2, 0));
    assert_eq!(read_content(format!("[[{zipkin}],[{zipkin}]]").as_bytes()), spans(2, 0));
    assert_eq!(read_content(br#"[{"traceId":"1","id":7},{"traceId":"1","id":"2"}]"#), spans(1, 1));
}

#[test]
fn problems_name_the_file_and_the_line() {
    let (counts, problem) = read_content(b"\n[{\"parent\":\"a\"}, {\"child\":\"b\"}]");
    assert_eq!(counts, Counts::default());
    assert!(problem.as_deref().is_some_and(|text| text.starts_with("file:2: this is neither OTLP")), "{problem:?}");
    let (counts, problem) = read_content(format!("{}\n{{\"resourceSpans\": tru", otlp_json(1)).as_bytes());
    assert_eq!(counts.spans, 1);
    assert!(problem.as_deref().is_some_and(|text| text.starts_with("file:2: ")), "{problem:?}");
    let (_, problem) =
        read_content(b"\n{\"resourceSpans\":[{},{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"zz\"}]}]}]}");
    let expected = "file:2: resourceSpans[1].scopeSpans[0].spans[0].traceId: ";
    assert!(problem.as_deref().is_some_and(|text| text.starts_with(expected)), "{problem:?}");
    let (_, problem) = read_content(b"\x00\x01\x02");
    assert!(problem.as_deref().is_some_and(|text| text.starts_with("file: at byte 0: ")), "{problem:?}");
}

fn span_request(spans: usize) -> Vec<u8> {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        start_time_unix_nano: 5,
        end_time_unix_nano: 9,
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span; spans], ..Default::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
        .encode_to_vec()
}

fn log_request() -> Vec<u8> {
    let record = LogRecord { observed_time_unix_nano: 7, attributes: vec![text("a", "b")], ..Default::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..Default::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] }.encode_to_vec()
}

fn metric_request() -> Vec<u8> {
    let gauge = Gauge { data_points: vec![NumberDataPoint { time_unix_nano: 8, ..Default::default() }] };
    // As long as a trace id.
    let metric =
        Metric { name: "requests.per.sec".into(), data: Some(metric::Data::Gauge(gauge)), ..Default::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] }
        .encode_to_vec()
}

#[test]
fn protobuf_is_told_by_its_rows() {
    let counted = |spans, logs, metrics| (Counts { spans, logs, metrics, rejected: 0 }, None);
    assert_eq!(read_content(&span_request(3)), counted(3, 0, 0));
    assert_eq!(read_content(&log_request()), counted(0, 1, 0));
    assert_eq!(read_content(&metric_request()), counted(0, 0, 1));
    // Requests behind each other are one request.
    assert_eq!(read_content(&[span_request(1), span_request(2)].concat()), counted(3, 0, 0));
    let cut = &span_request(3)[..40];
    let (_, problem) = read_content(cut);
    assert!(problem.as_deref().is_some_and(|text| text.contains("ends inside an element")), "{problem:?}");
}

#[test]
fn long_protobuf_is_sent_in_parts() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("large.pb");
    let one = span_request(10_000);
    let times = (9 << 20) / one.len() + 1;
    std::fs::write(&path, one.repeat(times)).expect("written");
    let (batches, outcome) = batches_of(&path);
    assert_eq!(outcome, Ok(()));
    assert!(batches.len() >= 2, "{}", batches.len());
    assert_eq!(counts(&batches).spans, 10_000 * times as u64);
}

#[test]
fn times_move_together_and_those_unset_stay_so() {
    for (signal, request, latest) in
        [(Signal::Traces, span_request(1), 9), (Signal::Logs, log_request(), 7), (Signal::Metrics, metric_request(), 8)]
    {
        let batch = Batch { signal, request, rows: 1, rejected: Vec::new(), line: 0 };
        assert_eq!(shift::latest(&batch), Ok(latest));
        let moved = shift::shifted(batch, 1_000).expect("valid");
        assert_eq!(shift::latest(&moved), Ok(latest + 1_000));
    }
    let batch = Batch { signal: Signal::Logs, request: log_request(), rows: 1, rejected: Vec::new(), line: 0 };
    let moved = shift::shifted(batch, 1_000).expect("valid");
    let request = ExportLogsServiceRequest::decode(&*moved.request).expect("valid");
    assert_eq!(request.resource_logs[0].scope_logs[0].log_records[0].time_unix_nano, 0);
}

#[test]
fn reading_stops_when_nobody_wants_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("many.jsonl");
    std::fs::write(&path, format!("{}\n", otlp_json(1)).repeat(10)).expect("written");
    let mut seen = 0;
    let outcome = format::read_file(&path, None, None, &mut |_| {
        seen += 1;
        seen < 3
    });
    assert_eq!((outcome, seen), (Ok(()), 3));
}

/// Files of other projects that lie beside a development checkout.
#[test]
fn shared_files_are_read() {
    let shared = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/conformance"));
    if !shared.exists() {
        eprintln!("SKIPPED: {} is absent", shared.display());
        return;
    }
    let counted = |file: &str| {
        let (batches, outcome) = batches_of(&shared.join(file));
        assert_eq!(outcome, Ok(()), "{file}");
        counts(&batches)
    };
    let spans = |spans| Counts { spans, ..Counts::default() };
    let logs = |logs| Counts { logs, ..Counts::default() };
    assert_eq!(counted("jaeger/ui_traces/genai.json"), spans(57));
    assert_eq!(counted("jaeger/ui_traces/tracegraph.json"), Counts { rejected: 11, ..Counts::default() });
    assert_eq!(counted("zipkin/lens_testdata/messaging-kafka.json"), spans(28));
    assert_eq!(counted("zipkin/lens_testdata/zipkin2-chinese.json"), spans(1));
    assert_eq!(counted("traces/otel-demo/traces.jsonl"), spans(547));
    assert_eq!(counted("traces/otel-demo/logs.jsonl"), logs(23));
    assert_eq!(counted("logs/loghub/Zookeeper_2k.log"), logs(2_000));
    assert!(counted("otlp/proto_examples/metrics.json").metrics > 0);
}
