//! What queries answer with. Times are ns since the epoch, the bits as sent; durations are ns.

use storage::attrs::{Attributes, Event, Link};
use storage::ids::{RowId, SpanId, TraceId};
use storage::store::Snapshot;

/// Where a span or a log record came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    pub attributes: Attributes,
    pub dropped_attributes: u32,
    pub schema_url: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    pub name: String,
    pub version: String,
    pub attributes: Attributes,
    pub dropped_attributes: u32,
    pub schema_url: String,
}

/// One span with everything that was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent_span_id: Option<SpanId>,
    pub trace_state: String,
    pub flags: u32,
    pub name: String,
    /// OTLP SpanKind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    pub start: u64,
    pub end: u64,
    pub attributes: Attributes,
    pub dropped_attributes: u32,
    pub events: Vec<Event>,
    pub dropped_events: u32,
    pub links: Vec<Link>,
    pub dropped_links: u32,
    /// OTLP StatusCode: 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    pub status_message: String,
    pub service: String,
    pub resource: std::sync::Arc<Resource>,
    pub scope: std::sync::Arc<Scope>,
    // normalised at ingest
    pub role: String,
    pub peer: Option<String>,
    pub protocol: Option<String>,
    pub operation: String,
    pub outcome: String,
    pub received: u64,
}

/// A whole trace: spans by start time, then span id; equal spans once.
#[derive(Clone, Debug)]
pub struct Trace {
    pub id: TraceId,
    pub spans: Vec<Span>,
    pub tree: CallTree,
    /// Sections of the critical path, by start time. `span` indexes `spans`.
    pub critical_path: Vec<Section>,
    /// Where errors begin.
    pub error_origins: Vec<ErrorOrigin>,
    /// When the last of its spans was received.
    pub last_arrival: u64,
    pub notes: Notes,
}

/// The call tree over the spans of a trace, by index; a forest where there are several roots.
#[derive(Clone, Debug, Default)]
pub struct CallTree {
    /// Parent of each span; None: a root, or its parent is missing.
    pub parent: Vec<Option<usize>>,
    /// Children of each span, by start time.
    pub children: Vec<Vec<usize>>,
    /// Spans without a parent id, and orphans, by start time: where display begins.
    pub roots: Vec<usize>,
    /// Spans whose parent id names no span of the trace.
    pub orphans: Vec<usize>,
    /// What orphans name as their parents: spans that were not sent, or are still on their way.
    pub missing: Vec<MissingSpan>,
    /// ns not covered by children, clipped to the span.
    pub self_time: Vec<u64>,
    /// Depth below the root, 0 for roots.
    pub depth: Vec<u32>,
}

/// A span that others name as their parent and that is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSpan {
    pub id: SpanId,
    /// By start.
    pub children: Vec<usize>,
}

/// A failed span that no failed span below explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorOrigin {
    pub span: usize,
    pub blame: Blame,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The span's own work.
    Span,
    /// The callee ended well: the call between them.
    Edge,
    /// Nobody in the store answered: the callee, or the way to it.
    Peer,
}

/// Sums over spans of a trace; ns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistic {
    /// None: the spans without the attribute.
    pub group: Option<String>,
    pub count: u64,
    pub errors: u64,
    pub total: u64,
    pub min: u64,
    pub max: u64,
    /// Not covered by children.
    pub self_total: u64,
    pub self_min: u64,
    pub self_max: u64,
}

/// Links of a trace, by the start of the span where they are, or came from.
#[derive(Clone, Debug)]
pub struct TraceLinks {
    /// From spans of the trace.
    pub forward: Vec<LinkedSpan>,
    /// To spans of the trace.
    pub backward: Vec<LinkedSpan>,
    /// Spans that begin within it were asked for links to the trace.
    pub range: crate::Range,
    pub notes: Notes,
}

/// The far end of a link; what is told of it where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedSpan {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    /// The span of the asked trace.
    pub here: SpanId,
    pub service: Option<String>,
    pub name: Option<String>,
    pub start: Option<u64>,
}

/// How far the clocks of a trace's instances are apart.
#[derive(Clone, Debug)]
pub struct TraceSkew {
    pub offsets: Vec<ClockOffset>,
    /// What to add to the times of a span, ns; those that would move.
    pub shifts: Vec<(SpanId, i64)>,
    pub notes: Notes,
}

/// Of one instance that calls another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// Service and instance.
    pub caller: (String, String),
    pub callee: (String, String),
    /// What can be added to the callee's times, ns. Where `low` is more than `high`, its calls contradict each other.
    pub low: i64,
    pub high: i64,
    pub calls: u64,
    /// What to add, ns; None where 0 is possible, or where it cannot be told.
    pub offset: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    pub span: usize,
    pub start: u64,
    pub end: u64,
}

/// What keeps an answer from being whole; empty when it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// Parts that could not be read, or limits that cut the answer; one English sentence each.
    pub warnings: Vec<String>,
    /// Rows looked at.
    pub rows_read: u64,
    /// Whether the newest span of a trace arrived less than 30 s ago.
    pub maybe_incomplete: bool,
}

impl Notes {
    /// Of an answer out of this snapshot: they begin with what the store has lost.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self { warnings: snapshot.losses().to_vec(), ..Self::default() }
    }

    /// The same of an answer that counts or lists what lies in a range. One trace as such is whole or gone.
    pub fn over(snapshot: &Snapshot, range: crate::Range) -> Self {
        let mut notes = Self::of(snapshot);
        if snapshot.thinned(range.from, range.to) {
            notes
                .warnings
                .push("a part of this range was thinned by a retention rule: it holds what the rule keeps".to_owned());
        }
        notes
    }
}

/// One line of a trace search.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    pub id: TraceId,
    pub root_service: String,
    pub root_name: String,
    pub root_kind: i32,
    pub start: u64,
    pub end: u64,
    pub span_count: u64,
    pub error_count: u64,
    pub orphan_count: u64,
    /// By span count, then name.
    pub services: Vec<ServiceCount>,
    /// Number of spans that the filter matched, and the first few of them by start.
    pub matched: u64,
    pub matched_spans: Vec<SpanId>,
    /// Start of the newest matched span in the asked range: the sort key, newest first, then trace id.
    pub key: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCount {
    pub name: String,
    pub span_count: u64,
    pub error_count: u64,
}

/// Newest first. `next` continues after the last item and stays valid while the store lives.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
    pub notes: Notes,
}

/// One log record with everything that was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    pub id: RowId,
    /// As sent, or the observed or received time where `time_inferred`.
    pub time: u64,
    pub time_inferred: bool,
    pub observed_time: u64,
    pub severity_number: i32,
    pub severity_text: String,
    pub event_name: String,
    pub body: storage::attrs::Value,
    pub attributes: Attributes,
    pub dropped_attributes: u32,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    pub flags: u32,
    pub service: String,
    pub resource: std::sync::Arc<Resource>,
    pub scope: std::sync::Arc<Scope>,
}

/// Log counts per time bucket, by severity name.
#[derive(Clone, Debug)]
pub struct Histogram {
    pub from: u64,
    pub step: u64,
    /// (severity name, count per bucket), severities in rising order.
    pub series: Vec<(String, Vec<u64>)>,
    pub notes: Notes,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    pub service: String,
    pub name: String,
    pub kind: i32,
}

/// Kinds of nodes in the service graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    Service,
    Database,
    Topic,
    External,
    /// Callers that are not seen: the entry of a trace.
    User,
    /// Callers whose span is not stored, and whom nobody knows that is called.
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub id: String,
    pub name: String,
    pub kind: NodeKind,
    /// The role of a service among the others.
    pub layer: Option<String>,
    /// Of the user and the unknown, those that they send, too.
    pub calls: u64,
    pub errors: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    pub source: String,
    pub target: String,
    pub protocol: Option<String>,
    /// Of the callee; None where an edge is of all operations.
    pub operation: Option<String>,
    pub mode: crate::rollup::Mode,
    pub identity: Identity,
    pub calls: u64,
    pub errors: u64,
    /// Calls of which both sides are stored.
    pub paired: u64,
    /// Client side (the caller's clock); None where the caller's span is missing.
    pub client: Option<Quantiles>,
    /// Server side; None where the callee's span is missing.
    pub server: Option<Quantiles>,
    /// From sending a message to its reception.
    pub lag: Option<Quantiles>,
    /// (outcome, count) other than ok.
    pub outcomes: Vec<(String, u64)>,
    /// A few traces: errors first, then slowest.
    pub exemplars: Vec<(TraceId, SpanId)>,
}

/// ns, within 1% of the exact value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
}

/// How it is known who stands at both ends of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// Both sides of some calls are stored.
    Paired,
    /// Only by the name or address that callers have for the callee.
    Inferred,
    /// One end sends no spans.
    Virtual,
}

#[derive(Clone, Debug)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    /// Whole minutes, ns.
    pub window: crate::Range,
    pub exactness: Exactness,
    pub notes: Notes,
}

/// What counts cannot know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exactness {
    /// Calls to services, external hosts or nobody knows whom that nobody in the store answered.
    pub unpaired: u64,
    /// Calls whose caller is not stored.
    pub orphans: u64,
    /// Spans that were acknowledged by then are counted, ns.
    pub as_of: i64,
}

/// A tag key as seen in a time range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// span, resource, scope, event, link, log, or intrinsic.
    pub scope: String,
    pub key: String,
}
