//! Traces as export requests: rows under the instance and the library that sent them.

use std::collections::BTreeMap;

use proto::Message;
use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::common::v1::InstrumentationScope;
use proto::otlp::messages::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proto::otlp::messages::resource::v1::Resource;
use proto::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span};

use super::attributes;
use super::story::Instance;
use super::walk::{Made, Trace};

/// What is sent at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) traces: u64,
    pub(super) spans: u64,
    pub(super) logs: u64,
    /// OTLP protobuf; empty where there are no rows.
    pub(super) trace_request: Vec<u8>,
    pub(super) log_request: Vec<u8>,
}

/// Rows by instance, then by library; sorted, so that the same rows are the same bytes.
type Grouped<T> = BTreeMap<(&'static str, u32, &'static str), (Instance, BTreeMap<&'static str, Vec<T>>)>;

pub(super) fn batch(traces: Vec<Trace>) -> Batch {
    let mut batch = Batch::default();
    let mut spans: Grouped<Span> = BTreeMap::new();
    let mut logs: Grouped<LogRecord> = BTreeMap::new();
    for trace in traces {
        batch.traces += trace.traces;
        batch.spans += trace.spans.len() as u64;
        batch.logs += trace.logs.len() as u64;
        trace.spans.into_iter().for_each(|made| group(&mut spans, made));
        trace.logs.into_iter().for_each(|made| group(&mut logs, made));
    }
    let resource_spans = spans.into_values().map(|(by, libraries)| ResourceSpans {
        resource: resource(by),
        scope_spans: libraries
            .into_iter()
            .map(|(library, spans)| ScopeSpans { scope: scope(by, library), spans, ..Default::default() })
            .collect(),
        ..Default::default()
    });
    let resource_logs = logs.into_values().map(|(by, libraries)| ResourceLogs {
        resource: resource(by),
        scope_logs: libraries
            .into_iter()
            .map(|(library, log_records)| ScopeLogs { scope: scope(by, library), log_records, ..Default::default() })
            .collect(),
        ..Default::default()
    });
    batch.trace_request = ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec();
    batch.log_request = ExportLogsServiceRequest { resource_logs: resource_logs.collect() }.encode_to_vec();
    batch
}

fn group<T>(groups: &mut Grouped<T>, made: Made<T>) {
    let Made { by, library, row } = made;
    let key = (by.service.name, by.number, by.version);
    let (_, libraries) = groups.entry(key).or_insert_with(|| (by, BTreeMap::new()));
    libraries.entry(library).or_default().push(row);
}

fn resource(by: Instance) -> Option<Resource> {
    Some(Resource { attributes: attributes::resource(by), ..Default::default() })
}

fn scope(by: Instance, library: &str) -> Option<InstrumentationScope> {
    let name = attributes::scope(by.service.language, library);
    Some(InstrumentationScope { name, version: "2.10.0".to_owned(), ..Default::default() })
}
