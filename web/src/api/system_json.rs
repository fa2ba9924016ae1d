//! JSON of trace summaries and operations.

use query::model;
use serde::Serialize;
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
