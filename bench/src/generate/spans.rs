//! Traces of a shape, in the order of time, in requests; one span in twenty comes late.

use std::collections::BTreeMap;

use proto::Message;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::common::v1::KeyValue;
use proto::otlp::messages::resource::v1::Resource;
use proto::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::tally::SpanTally;
use super::{Emit, Plan};
use crate::manifest::Manifest;

/// A span, and the number of the service it is of.
pub(crate) struct Made {
    pub(crate) service: usize,
    pub(crate) span: Span,
}

/// An attribute that a large part of all traces has.
pub(crate) struct Common {
    /// Of the resource, or of the span.
    pub(crate) resource: bool,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
}

/// A shape of traces.
pub(crate) trait SpanSource {
    /// The spans of one more trace, parents first, that begins at `start` (ns).
    fn trace(&mut self, random: &mut SmallRng, start: u64) -> Vec<Made>;
    /// The name of a service by its number.
    fn service(&self, service: usize) -> String;
    /// Resource attributes of a service, its name among them.
    fn resource(&self, service: usize) -> Vec<KeyValue>;
    fn common(&self) -> Common;
    /// Keys of texts and integers with many values that every span has; empty where all keys are such.
    fn rare(&self) -> &'static [&'static str];
    /// A key whose values people look through.
    fn tag(&self) -> &'static str;
}

/// Of all spans, those that arrive after others that are younger: one in so many.
const ONE_LATE_IN: u32 = 20;
/// How late at most: this part of the whole.
const LATE_PART: u64 = 20;

/// Gives `emit` exactly `plan.rows` spans in requests of `plan.batch`.
pub(super) fn generate(source: &mut dyn SpanSource, plan: &Plan, emit: Emit<'_>) -> std::io::Result<Manifest> {
    let mut random = SmallRng::seed_from_u64(plan.seed);
    let mut tally = SpanTally::new(plan);
    let mut batch = Vec::with_capacity(plan.batch);
    let mut late: BTreeMap<(u64, u64), Made> = BTreeMap::new();
    let mut made = 0;
    while made < plan.rows {
        let mut trace = source.trace(&mut random, plan.time(made));
        trace.truncate(usize::try_from(plan.rows - made).unwrap_or(usize::MAX));
        tally.trace(source, &trace);
        for each in trace {
            made += 1;
            if random.random_ratio(1, ONE_LATE_IN) {
                let due = made + random.random_range(1..=plan.rows / LATE_PART + 1);
                late.insert((due, made), each);
            } else {
                push(source, &mut batch, each, plan, emit)?;
            }
        }
        while let Some(entry) = late.first_entry().filter(|entry| entry.key().0 <= made) {
            push(source, &mut batch, entry.remove(), plan, emit)?;
        }
    }
    for each in late.into_values() {
        push(source, &mut batch, each, plan, emit)?;
    }
    send(source, &mut batch, emit)?;
    Ok(tally.finish(source))
}

fn push(
    source: &dyn SpanSource,
    batch: &mut Vec<Made>,
    made: Made,
    plan: &Plan,
    emit: Emit<'_>,
) -> std::io::Result<()> {
    batch.push(made);
    if batch.len() < plan.batch { Ok(()) } else { send(source, batch, emit) }
}

fn send(source: &dyn SpanSource, batch: &mut Vec<Made>, emit: Emit<'_>) -> std::io::Result<()> {
    let rows = batch.len() as u32;
    if rows == 0 { Ok(()) } else { emit(&request(source, batch.drain(..)), rows) }
}

/// One encoded request: spans under their services, as a collector's batches are.
pub(super) fn request(source: &dyn SpanSource, batch: impl Iterator<Item = Made>) -> Vec<u8> {
    let mut by_service: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
    for made in batch {
        by_service.entry(made.service).or_default().push(made.span);
    }
    let resource_spans = by_service.into_iter().map(|(service, spans)| ResourceSpans {
        resource: Some(Resource { attributes: source.resource(service), ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}
