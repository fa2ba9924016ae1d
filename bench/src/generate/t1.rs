//! Shape T1: ten spans a trace, ten services, eleven attributes out of 97 keys of 1000 uniform values each.
//!
//! The worst case for an inverted index: no value repeats among neighbours.

use proto::otlp::make::text;
use proto::otlp::messages::common::v1::KeyValue;
use proto::otlp::messages::trace::v1::{Span, Status};
use rand::Rng;
use rand::rngs::SmallRng;

use super::spans::{self, Common, Made, SpanSource};

pub const SPANS_A_TRACE: usize = 10;
const SERVICES: usize = 10;
const ATTRIBUTES: usize = 11;
pub const KEYS: u32 = 97;
pub const VALUES: u32 = 1000;

/// The spans of one trace that begins at `start` (ns), each with the number of its service, parents first.
pub fn spans(random: &mut SmallRng, trace: [u8; 16], start: u64) -> Vec<(usize, Span)> {
    let mut parent = Vec::new();
    let span = |depth: usize| {
        let span_id = random.random::<[u8; 8]>().to_vec();
        let slow = random.random_ratio(1, 1000);
        let duration = if slow { 1_500_000_000 } else { random.random_range(100_000..50_000_000) };
        let start = start + depth as u64 * 50_000;
        let span = Span {
            trace_id: trace.to_vec(),
            span_id: span_id.clone(),
            parent_span_id: std::mem::replace(&mut parent, span_id),
            name: format!("op-{}", random.random_range(0..20)),
            kind: if depth.is_multiple_of(2) { 2 } else { 3 },
            start_time_unix_nano: start,
            end_time_unix_nano: start + duration,
            attributes: (0..ATTRIBUTES).map(|_| attribute(random)).collect(),
            status: random.random_ratio(1, 100).then(|| Status { code: 2, message: "failed".to_owned() }),
            ..Span::default()
        };
        (depth % SERVICES, span)
    };
    (0..SPANS_A_TRACE).map(span).collect()
}

/// An encoded request of spans, each with the number of its service.
pub fn request(spans: impl IntoIterator<Item = (usize, Span)>) -> Vec<u8> {
    spans::request(&T1, spans.into_iter().map(|(service, span)| Made { service, span }))
}

pub(crate) struct T1;

impl SpanSource for T1 {
    fn trace(&mut self, random: &mut SmallRng, start: u64) -> Vec<Made> {
        let trace = random.random();
        spans(random, trace, start).into_iter().map(|(service, span)| Made { service, span }).collect()
    }

    fn service(&self, service: usize) -> String {
        format!("service-{service}")
    }

    fn resource(&self, service: usize) -> Vec<KeyValue> {
        vec![text("service.name", self.service(service)), text("host.name", "bench")]
    }

    fn common(&self) -> Common {
        Common { resource: true, key: "host.name", value: "bench" }
    }

    fn rare(&self) -> &'static [&'static str] {
        &[]
    }

    fn tag(&self) -> &'static str {
        "key-0"
    }
}

fn attribute(random: &mut SmallRng) -> KeyValue {
    let key = format!("key-{}", random.random_range(0..KEYS));
    text(&key, format!("value-{}", random.random_range(0..VALUES)))
}
