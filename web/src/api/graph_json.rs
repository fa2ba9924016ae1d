//! JSON of the service graph.

use std::collections::BTreeMap;

use query::model;
use query::rollup;
use serde::Serialize;
use storage::ids::{SpanId, TraceId};
use utoipa::ToSchema;

use super::json::{Hex, Notes, Ns, Window};

#[derive(Serialize, ToSchema)]
#[schema(as = Graph)]
pub(crate) struct GraphJson {
    nodes: Vec<NodeJson>,
    edges: Vec<EdgeJson>,
    window: Window,
    exactness: Exactness,
    notes: Notes,
}

impl From<model::Graph> for GraphJson {
    fn from(graph: model::Graph) -> Self {
        Self {
            nodes: graph.nodes.into_iter().map(NodeJson::from).collect(),
            edges: graph.edges.into_iter().map(EdgeJson::from).collect(),
            window: graph.window.into(),
            exactness: Exactness {
                unpaired: graph.exactness.unpaired,
                orphans: graph.exactness.orphans,
                as_of_ns: Ns(graph.exactness.as_of as u64),
            },
            notes: graph.notes.into(),
        }
    }
}

/// What counts cannot know.
#[derive(Serialize, ToSchema)]
struct Exactness {
    /// Calls to services, external hosts or nobody knows whom that nobody in the store answered.
    unpaired: u64,
    /// Calls whose caller is not stored.
    orphans: u64,
    /// Spans that were acknowledged by then are counted.
    as_of_ns: Ns,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Node)]
struct NodeJson {
    id: String,
    name: String,
    kind: NodeKind,
    /// gateway, aggregate, basic, platform or other; null where it is not known.
    layer: Option<String>,
    calls: u64,
    errors: u64,
}

impl From<model::Node> for NodeJson {
    fn from(node: model::Node) -> Self {
        Self {
            id: node.id,
            name: node.name,
            kind: node.kind.into(),
            layer: node.layer,
            calls: node.calls,
            errors: node.errors,
        }
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
    Unknown,
}

impl From<model::NodeKind> for NodeKind {
    fn from(kind: model::NodeKind) -> Self {
        match kind {
            model::NodeKind::Service => NodeKind::Service,
            model::NodeKind::Database => NodeKind::Database,
            model::NodeKind::Topic => NodeKind::Topic,
            model::NodeKind::External => NodeKind::External,
            model::NodeKind::User => NodeKind::User,
            model::NodeKind::Unknown => NodeKind::Unknown,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Edge)]
struct EdgeJson {
    source: String,
    target: String,
    protocol: Option<String>,
    /// Of the callee; null unless edges are asked for by operation.
    operation: Option<String>,
    #[serde(flatten)]
    calls: EdgeCalls,
}

impl From<model::Edge> for EdgeJson {
    fn from(mut edge: model::Edge) -> Self {
        let operation = edge.operation.take();
        let DependencyJson { source, target, protocol, calls } = edge.into();
        Self { source, target, protocol, operation, calls }
    }
}

/// An edge of the graph that begins or ends at the service; `source` and `target` are ids of nodes.
#[derive(Serialize, ToSchema)]
#[schema(as = Dependency)]
pub(super) struct DependencyJson {
    source: String,
    target: String,
    protocol: Option<String>,
    #[serde(flatten)]
    calls: EdgeCalls,
}

impl From<model::Edge> for DependencyJson {
    fn from(edge: model::Edge) -> Self {
        Self {
            source: edge.source,
            target: edge.target,
            protocol: edge.protocol,
            calls: EdgeCalls {
                mode: edge.mode.into(),
                identity: edge.identity.into(),
                calls: edge.calls,
                errors: edge.errors,
                paired: edge.paired,
                client: edge.client.map(Quantiles::from),
                server: edge.server.map(Quantiles::from),
                lag: edge.lag.map(Quantiles::from),
                outcomes: edge.outcomes.into_iter().collect(),
                exemplars: edge.exemplars.into_iter().map(Exemplar::from).collect(),
            },
        }
    }
}

/// Calls along an edge.
#[derive(Serialize, ToSchema)]
struct EdgeCalls {
    mode: Mode,
    identity: Identity,
    calls: u64,
    errors: u64,
    /// Calls of which both sides are stored.
    paired: u64,
    /// By the caller's clock; null where its spans are missing.
    client: Option<Quantiles>,
    /// By the callee's clock; null where its spans are missing.
    server: Option<Quantiles>,
    /// From sending a message to its reception.
    lag: Option<Quantiles>,
    /// Counts of outcomes other than ok.
    outcomes: BTreeMap<String, u64>,
    exemplars: Vec<Exemplar>,
}

/// Whether the caller waits.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Sync,
    Async,
}

impl From<rollup::Mode> for Mode {
    fn from(mode: rollup::Mode) -> Self {
        match mode {
            rollup::Mode::Sync => Mode::Sync,
            rollup::Mode::Async => Mode::Async,
        }
    }
}

/// How it is known who stands at both ends: both sides are stored; by the name that callers have for the
/// callee; one end sends no spans.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Identity {
    Paired,
    Inferred,
    Virtual,
}

impl From<model::Identity> for Identity {
    fn from(identity: model::Identity) -> Self {
        match identity {
            model::Identity::Paired => Identity::Paired,
            model::Identity::Inferred => Identity::Inferred,
            model::Identity::Virtual => Identity::Virtual,
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
