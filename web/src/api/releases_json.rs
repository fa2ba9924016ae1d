//! JSON of two releases of a service beside each other.

use query::rollup::Place;
use query::services::model;
use serde::Serialize;
use utoipa::ToSchema;

use super::graph_json::Quantiles;
use super::json::Notes;
use super::service_json::some;

/// Two versions of a service beside each other.
#[derive(Serialize, ToSchema)]
#[schema(as = ReleaseComparison)]
pub(crate) struct ComparisonJson {
    mode: CompareMode,
    base: ReleaseJson,
    head: ReleaseJson,
    operations: Vec<ComparedOperation>,
    new_exceptions: Vec<NewException>,
    new_log_patterns: Vec<NewPattern>,
    edges_added: Vec<ChangedEdge>,
    edges_removed: Vec<ChangedEdge>,
    verdict: Verdict,
    reasons: Vec<String>,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CompareMode {
    /// Calls of the minutes in which both serve.
    SideBySide,
    BeforeAfter,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Worse,
    Better,
    Same,
    Unknown,
}

impl From<model::Verdict> for Verdict {
    fn from(verdict: model::Verdict) -> Self {
        match verdict {
            model::Verdict::Worse => Verdict::Worse,
            model::Verdict::Better => Verdict::Better,
            model::Verdict::Same => Verdict::Same,
            model::Verdict::Unknown => Verdict::Unknown,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Release)]
struct ReleaseJson {
    version: String,
    #[serde(flatten)]
    served: Served,
}

#[derive(Serialize, ToSchema)]
struct Served {
    calls: u64,
    errors: u64,
    /// Of 1.
    error_ratio: f64,
    latency: Option<Quantiles>,
}

impl From<model::Totals> for Served {
    fn from(totals: model::Totals) -> Self {
        Self {
            calls: totals.calls,
            errors: totals.errors,
            error_ratio: totals.errors as f64 / totals.calls.max(1) as f64,
            latency: totals.latency.map(Quantiles::from),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct ComparedOperation {
    name: String,
    base: Served,
    head: Served,
    verdict: Verdict,
}

#[derive(Serialize, ToSchema)]
struct NewException {
    #[serde(rename = "type")]
    kind: String,
    count: u64,
}

#[derive(Serialize, ToSchema)]
struct NewPattern {
    pattern: String,
    count: u64,
}

#[derive(Serialize, ToSchema)]
struct ChangedEdge {
    /// A node of the graph.
    target: String,
    protocol: Option<String>,
}

impl From<(model::Comparison, query::model::Notes)> for ComparisonJson {
    fn from((told, notes): (model::Comparison, query::model::Notes)) -> Self {
        let release = |one: model::Release| ReleaseJson { version: one.version, served: one.totals.into() };
        let operation = |one: model::OperationComparison| ComparedOperation {
            name: one.name,
            base: one.base.into(),
            head: one.head.into(),
            verdict: one.verdict.into(),
        };
        let edges = |edges: Vec<(Place, String)>| -> Vec<ChangedEdge> {
            let edge =
                |(place, protocol): (Place, _)| ChangedEdge { target: place.node_id(), protocol: some(protocol) };
            edges.into_iter().map(edge).collect()
        };
        let found = told.findings;
        Self {
            mode: match told.mode {
                model::CompareMode::SideBySide => CompareMode::SideBySide,
                model::CompareMode::BeforeAfter => CompareMode::BeforeAfter,
            },
            base: release(told.base),
            head: release(told.head),
            operations: told.operations.into_iter().map(operation).collect(),
            new_exceptions: found
                .new_exceptions
                .into_iter()
                .map(|(kind, count)| NewException { kind, count })
                .collect(),
            new_log_patterns: found
                .new_log_patterns
                .into_iter()
                .map(|(pattern, count)| NewPattern { pattern, count })
                .collect(),
            edges_added: edges(found.edges_added),
            edges_removed: edges(found.edges_removed),
            verdict: told.verdict.into(),
            reasons: told.reasons,
            notes: notes.into(),
        }
    }
}
