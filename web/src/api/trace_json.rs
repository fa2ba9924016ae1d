//! JSON of one trace: the whole of it, a span of it, and the columns of its skeleton.

use std::collections::HashMap;

use query::model::{self, Trace};
use serde::Serialize;
use serde::ser::Serializer;
use utoipa::ToSchema;

use super::chain_json::{self, ErrorOrigin, MissingSpan};
use super::json::{
    Attribute, Attrs, Hex, HexBytes, Notes, Ns, Resource, Scope, ServiceCount, SpanKind, SpanStatus, kind_name,
    status_name,
};
use crate::intern::{Interner, resource_key, scope_key};

/// A whole trace, late spans included.
#[derive(Serialize, ToSchema)]
#[schema(as = Trace)]
pub(crate) struct TraceJson<'a> {
    trace_id: Hex,
    /// Earliest start.
    start_ns: Ns,
    /// From the earliest start to the latest end.
    duration_ns: u64,
    services: Vec<ServiceCount>,
    /// By start time.
    #[schema(value_type = Vec<TraceSpan<'_>>)]
    spans: Spans<'a>,
    resources: Vec<Resource<'a>>,
    scopes: Vec<Scope<'a>>,
    /// Spans without a parent, and orphans: where display begins.
    roots: Vec<Hex>,
    /// Spans whose parent is not in the trace.
    orphans: Vec<Hex>,
    /// What orphans name as their parents.
    missing: Vec<MissingSpan>,
    critical_path: Vec<CriticalSection>,
    /// Where errors begin, by start.
    error_origins: Vec<ErrorOrigin>,
    /// When the last of its spans was received.
    last_arrival_ns: Ns,
    notes: Notes,
}

/// A stretch of the critical path; ns since the epoch.
#[derive(Serialize, ToSchema)]
pub(crate) struct CriticalSection {
    span_id: Hex,
    start: Ns,
    end: Ns,
}

impl<'a> TraceJson<'a> {
    pub(crate) fn of(trace: &'a Trace) -> Self {
        let start = trace.spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = trace.spans.iter().map(|span| span.end).max().unwrap_or_default();
        let (mut resources, mut scopes) = (Interner::new(resource_key), Interner::new(scope_key));
        let origins = trace.spans.iter().map(|span| (resources.number(&span.resource), scopes.number(&span.scope)));
        let origins = origins.collect();
        let ids =
            |rows: &[usize]| rows.iter().filter_map(|&row| Some(Hex::from(trace.spans.get(row)?.span_id))).collect();
        let section = |section: &model::Section| {
            let span_id = Hex::from(trace.spans.get(section.span)?.span_id);
            Some(CriticalSection { span_id, start: Ns(section.start), end: Ns(section.end) })
        };
        Self {
            trace_id: Hex::from(trace.id),
            start_ns: Ns(start),
            duration_ns: end.saturating_sub(start),
            services: count_services(&trace.spans),
            roots: ids(&trace.tree.roots),
            orphans: ids(&trace.tree.orphans),
            missing: chain_json::missing(trace),
            critical_path: trace.critical_path.iter().filter_map(section).collect(),
            error_origins: chain_json::error_origins(trace),
            last_arrival_ns: Ns(trace.last_arrival),
            spans: Spans { trace, origins },
            resources: resources.values.into_iter().map(Resource::from).collect(),
            scopes: scopes.values.into_iter().map(Scope::from).collect(),
            notes: trace.notes.clone().into(),
        }
    }
}

/// By span count, then name.
fn count_services(spans: &[model::Span]) -> Vec<ServiceCount> {
    let mut counts: HashMap<&str, (u64, u64)> = HashMap::new();
    for span in spans {
        let count = counts.entry(&span.service).or_default();
        count.0 += 1;
        count.1 += u64::from(span.status_code == 2);
    }
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|(name, (span_count, error_count))| ServiceCount { name: name.to_owned(), span_count, error_count })
        .collect();
    counts.sort_by(|a, b| b.span_count.cmp(&a.span_count).then_with(|| a.name.cmp(&b.name)));
    counts
}

/// Spans of a trace, made one at a time while they are written.
struct Spans<'a> {
    trace: &'a Trace,
    /// Number of the resource and the scope of each span.
    origins: Vec<(usize, usize)>,
}

impl Serialize for Spans<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.trace.spans.iter().zip(&self.origins).enumerate();
        serializer.collect_seq(rows.map(|(row, (span, &(resource, scope)))| {
            let self_ns = self.trace.tree.self_time.get(row).copied().unwrap_or_default();
            TraceSpan { span: SpanJson::of(span), self_ns, resource, scope }
        }))
    }
}

/// A span of a trace; `resource` and `scope` are numbers in the lists of the trace.
#[derive(Serialize, ToSchema)]
pub(crate) struct TraceSpan<'a> {
    #[serde(flatten)]
    span: SpanJson<'a>,
    /// Not covered by children.
    self_ns: u64,
    resource: usize,
    scope: usize,
}

/// A span by itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoneSpan<'a> {
    #[serde(flatten)]
    span: SpanJson<'a>,
    resource: Resource<'a>,
    scope: Scope<'a>,
}

/// Every span with the asked id: more than one where the id was used twice.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoneSpans<'a> {
    spans: Vec<LoneSpan<'a>>,
    notes: Notes,
}

impl<'a> LoneSpans<'a> {
    pub(crate) fn of(spans: &'a [model::Span], notes: model::Notes) -> Self {
        let spans = spans.iter().map(|span| LoneSpan {
            span: SpanJson::of(span),
            resource: Resource::from(&*span.resource),
            scope: Scope::from(&*span.scope),
        });
        Self { spans: spans.collect(), notes: notes.into() }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Span)]
pub(crate) struct SpanJson<'a> {
    span_id: Hex,
    parent_span_id: Option<Hex>,
    name: &'a str,
    #[schema(value_type = SpanKind)]
    kind: &'static str,
    service: &'a str,
    start_ns: Ns,
    /// Negative where the end was sent before the start.
    duration_ns: i64,
    #[schema(value_type = SpanStatus)]
    status: &'static str,
    status_message: &'a str,
    /// entry, exit or internal.
    role: &'a str,
    peer: Option<&'a str>,
    protocol: Option<&'a str>,
    operation: &'a str,
    outcome: &'a str,
    trace_state: &'a str,
    flags: u32,
    #[schema(value_type = Vec<Attribute>)]
    attributes: Attrs<'a>,
    dropped_attributes: u32,
    events: Vec<EventJson<'a>>,
    dropped_events: u32,
    links: Vec<LinkJson<'a>>,
    dropped_links: u32,
}

impl<'a> SpanJson<'a> {
    fn of(span: &'a model::Span) -> Self {
        Self {
            span_id: Hex::from(span.span_id),
            parent_span_id: span.parent_span_id.map(Hex::from),
            name: &span.name,
            kind: kind_name(span.kind),
            service: &span.service,
            start_ns: Ns(span.start),
            duration_ns: span.end.wrapping_sub(span.start).cast_signed(),
            status: status_name(span.status_code),
            status_message: &span.status_message,
            role: &span.role,
            peer: span.peer.as_deref(),
            protocol: span.protocol.as_deref(),
            operation: &span.operation,
            outcome: &span.outcome,
            trace_state: &span.trace_state,
            flags: span.flags,
            attributes: Attrs(&span.attributes),
            dropped_attributes: span.dropped_attributes,
            events: span.events.iter().map(EventJson::of).collect(),
            dropped_events: span.dropped_events,
            links: span.links.iter().map(LinkJson::of).collect(),
            dropped_links: span.dropped_links,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
struct EventJson<'a> {
    time_ns: Ns,
    name: &'a str,
    #[schema(value_type = Vec<Attribute>)]
    attributes: Attrs<'a>,
    dropped_attributes: u32,
}

impl<'a> EventJson<'a> {
    fn of(event: &'a storage::attrs::Event) -> Self {
        Self {
            time_ns: Ns(event.time),
            name: &event.name,
            attributes: Attrs(&event.attributes),
            dropped_attributes: event.dropped_attributes,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Link)]
struct LinkJson<'a> {
    #[schema(value_type = String)]
    trace_id: HexBytes<'a>,
    #[schema(value_type = String)]
    span_id: HexBytes<'a>,
    trace_state: &'a str,
    #[schema(value_type = Vec<Attribute>)]
    attributes: Attrs<'a>,
    dropped_attributes: u32,
    flags: u32,
}

impl<'a> LinkJson<'a> {
    fn of(link: &'a storage::attrs::Link) -> Self {
        Self {
            trace_id: HexBytes(&link.trace_id),
            span_id: HexBytes(&link.span_id),
            trace_state: &link.trace_state,
            attributes: Attrs(&link.attributes),
            dropped_attributes: link.dropped_attributes,
            flags: link.flags,
        }
    }
}
