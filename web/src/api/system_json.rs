//! JSON of trace summaries, operations and the graph.

use std::collections::BTreeMap;

use query::model;
use serde::Serialize;
use storage::ids::{SpanId, TraceId};
use utoipa::ToSchema;

use super::json::{Hex, Notes, Ns, ServiceCount, SpanKind, kind_name};

#[derive(Serialize, ToSchema)]
pub(crate) struct TracePage {
    traces: Vec<TraceSummary>,
    /// Continues after the last trace; null at the end.
    next: Option<String>,
    notes: Notes,
}

impl From<model::Page<model::TraceSummary>> for TracePage {
    fn from(page: model::Page<model::TraceSummary>) -> Self {
        Self {
            traces: page.items.into_iter().map(TraceSummary::from).collect(),
            next: page.next,
            notes: page.notes.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct TraceSummary {
    trace_id: Hex,
    root_service: String,
    root_name: String,
    #[schema(value_type = SpanKind)]
    root_kind: &'static str,
    /// Earliest start.
    start_ns: Ns,
    /// From the earliest start to the latest end.
    duration_ns: u64,
    span_count: u64,
    error_count: u64,
    /// Spans whose parent is not in the trace.
    orphan_count: u64,
    services: Vec<ServiceCount>,
    /// How many spans the filter matched, and the first few of them.
    matched: u64,
    matched_spans: Vec<Hex>,
}

impl From<model::TraceSummary> for TraceSummary {
    fn from(summary: model::TraceSummary) -> Self {
        Self {
            trace_id: Hex::from(summary.id),
            root_service: summary.root_service,
            root_name: summary.root_name,
            root_kind: kind_name(summary.root_kind),
            start_ns: Ns(summary.start),
            duration_ns: summary.end.saturating_sub(summary.start),
            span_count: summary.span_count,
            error_count: summary.error_count,
            orphan_count: summary.orphan_count,
            services: summary.services.into_iter().map(ServiceCount::from).collect(),
            matched: summary.matched,
            matched_spans: summary.matched_spans.into_iter().map(Hex::from).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OperationList {
    pub(crate) operations: Vec<OperationJson>,
    pub(crate) notes: Notes,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Operation)]
pub(crate) struct OperationJson {
    name: String,
    #[schema(value_type = SpanKind)]
    kind: &'static str,
}

impl From<model::Operation> for OperationJson {
    fn from(operation: model::Operation) -> Self {
        Self { name: operation.name, kind: kind_name(operation.kind) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Graph)]
pub(crate) struct GraphJson {
    nodes: Vec<NodeJson>,
    edges: Vec<EdgeJson>,
    notes: Notes,
}

impl From<model::Graph> for GraphJson {
    fn from(graph: model::Graph) -> Self {
        Self {
            nodes: graph.nodes.into_iter().map(NodeJson::from).collect(),
            edges: graph.edges.into_iter().map(EdgeJson::from).collect(),
            notes: graph.notes.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Node)]
struct NodeJson {
    id: String,
    name: String,
    kind: NodeKind,
    calls: u64,
    errors: u64,
}

impl From<model::Node> for NodeJson {
    fn from(node: model::Node) -> Self {
        Self { id: node.id, name: node.name, kind: node.kind.into(), calls: node.calls, errors: node.errors }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum NodeKind {
    Service,
    Database,
    Topic,
    External,
    User,
}

impl From<model::NodeKind> for NodeKind {
    fn from(kind: model::NodeKind) -> Self {
        match kind {
            model::NodeKind::Service => NodeKind::Service,
            model::NodeKind::Database => NodeKind::Database,
            model::NodeKind::Topic => NodeKind::Topic,
            model::NodeKind::External => NodeKind::External,
            model::NodeKind::User => NodeKind::User,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Edge)]
struct EdgeJson {
    source: String,
    target: String,
    protocol: Option<String>,
    calls: u64,
    errors: u64,
    /// By the caller's clock; null where its spans are missing.
    client: Option<Quantiles>,
    /// By the callee's clock; null where its spans are missing.
    server: Option<Quantiles>,
    /// Counts of outcomes other than ok.
    outcomes: BTreeMap<String, u64>,
    exemplars: Vec<Exemplar>,
}

impl From<model::Edge> for EdgeJson {
    fn from(edge: model::Edge) -> Self {
        Self {
            source: edge.source,
            target: edge.target,
            protocol: edge.protocol,
            calls: edge.calls,
            errors: edge.errors,
            client: edge.client.map(Quantiles::from),
            server: edge.server.map(Quantiles::from),
            outcomes: edge.outcomes.into_iter().collect(),
            exemplars: edge.exemplars.into_iter().map(Exemplar::from).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Quantiles {
    p50_ns: u64,
    p95_ns: u64,
    p99_ns: u64,
}

impl From<model::Quantiles> for Quantiles {
    fn from(quantiles: model::Quantiles) -> Self {
        Self { p50_ns: quantiles.p50, p95_ns: quantiles.p95, p99_ns: quantiles.p99 }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Exemplar {
    trace_id: Hex,
    span_id: Hex,
}

impl From<(TraceId, SpanId)> for Exemplar {
    fn from((trace_id, span_id): (TraceId, SpanId)) -> Self {
        Self { trace_id: Hex::from(trace_id), span_id: Hex::from(span_id) }
    }
}
