//! Spans of shape T1: ten a trace, ten services, eleven attributes out of 97 keys of 1000 values each.

use bytes::Bytes;
use proto::Message;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::common::v1::{AnyValue, KeyValue, any_value};
use proto::otlp::messages::resource::v1::Resource;
use proto::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

pub(crate) const SPANS_A_TRACE: usize = 10;
const SERVICES: usize = 10;
const ATTRIBUTES: usize = 11;
const KEYS: u32 = 97;
const VALUES: u32 = 1000;

/// Deterministic: the same seed and time give the same bytes.
pub(crate) struct Load {
    traces: Vec<[u8; 16]>,
    seed: u64,
    start: u64,
}

impl Load {
    /// Spans that begin at `start`, ns since the epoch, or soon after.
    pub(crate) fn new(spans: usize, seed: u64, start: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let traces = (0..spans / SPANS_A_TRACE).map(|_| random.random()).collect();
        Self { traces, seed, start }
    }

    /// Encoded export requests, newest first: they are popped from the end.
    pub(crate) fn requests(&self, batch: usize) -> Vec<Bytes> {
        let mut random = SmallRng::seed_from_u64(self.seed + 1);
        let mut requests: Vec<Bytes> = self
            .traces
            .chunks(batch / SPANS_A_TRACE)
            .enumerate()
            .map(|(number, traces)| {
                let mut by_service: Vec<Vec<Span>> = vec![Vec::new(); SERVICES];
                for (at, trace) in traces.iter().enumerate() {
                    let start = self.start + (number * (batch / SPANS_A_TRACE) + at) as u64 * 1_000_000;
                    spans(&mut random, trace, start, &mut by_service);
                }
                request(by_service).encode_to_vec().into()
            })
            .collect();
        requests.reverse();
        requests
    }

    /// Trace ids spread over the whole load, as hex.
    pub(crate) fn sample(&self, count: usize) -> impl Iterator<Item = String> {
        let step = (self.traces.len() / count).max(1);
        self.traces.iter().step_by(step).take(count).map(|id| id.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Attributes that some spans have.
    pub(crate) fn pairs(&self, count: u32) -> impl Iterator<Item = (String, String)> {
        (0..count).map(|n| (format!("key-{}", n * 7 % KEYS), format!("value-{}", n * 131 % VALUES)))
    }
}

fn spans(random: &mut SmallRng, trace: &[u8; 16], start: u64, by_service: &mut [Vec<Span>]) {
    let mut parent = Vec::new();
    for depth in 0..SPANS_A_TRACE {
        let span_id = random.random::<[u8; 8]>().to_vec();
        let slow = random.random_ratio(1, 1000);
        let duration = if slow { 1_500_000_000 } else { random.random_range(100_000..50_000_000) };
        let start = start + depth as u64 * 50_000;
        by_service[depth % SERVICES].push(Span {
            trace_id: trace.to_vec(),
            span_id: span_id.clone(),
            parent_span_id: std::mem::replace(&mut parent, span_id),
            name: format!("op-{}", random.random_range(0..20)),
            kind: if depth % 2 == 0 { 2 } else { 3 },
            start_time_unix_nano: start,
            end_time_unix_nano: start + duration,
            attributes: (0..ATTRIBUTES).map(|_| attribute(random)).collect(),
            status: random.random_ratio(1, 100).then(|| Status { code: 2, message: "failed".to_owned() }),
            ..Span::default()
        });
    }
}

fn attribute(random: &mut SmallRng) -> KeyValue {
    let key = format!("key-{}", random.random_range(0..KEYS));
    text(&key, format!("value-{}", random.random_range(0..VALUES)))
}

fn text(key: &str, value: String) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value)) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn request(by_service: Vec<Vec<Span>>) -> ExportTraceServiceRequest {
    let resource_spans = by_service
        .into_iter()
        .enumerate()
        .filter(|(_, spans)| !spans.is_empty())
        .map(|(service, spans)| ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", format!("service-{service}")),
                    text("host.name", "bench".to_owned()),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        })
        .collect();
    ExportTraceServiceRequest { resource_spans }
}
