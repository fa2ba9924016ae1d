//! JSON of a trace's skeleton: columns, straight from the engine's.

use query::model::{ErrorOrigin, MissingSpan, Section};
use query::traces::Skeleton;
use serde::Serialize;
use serde::ser::Serializer;
use storage::ids::SpanId;
use utoipa::ToSchema;

use super::chain_json::Blame;
use super::json::{Hex, Notes, Ns};

/// One entry per span in every column, in display order: depth first, children by start.
#[derive(Serialize, ToSchema)]
#[schema(as = Skeleton)]
pub(crate) struct SkeletonJson<'a> {
    trace_id: Hex,
    /// Earliest start.
    t0: Ns,
    /// From `t0` to the latest end, ns.
    duration_ns: u64,
    services: &'a [String],
    names: &'a [String],
    outcomes: &'a [String],
    /// Span ids.
    #[schema(value_type = Vec<String>)]
    id: Ids<'a>,
    /// Row of the parent, or -1.
    #[schema(value_type = Vec<i64>)]
    parent: Parents<'a>,
    depth: &'a [u32],
    /// ns after `t0`.
    start: &'a [u64],
    /// ns.
    dur: &'a [u64],
    /// ns not covered by children.
    #[serde(rename = "self")]
    self_time: &'a [u64],
    /// Index of `services`.
    svc: &'a [usize],
    /// Index of `names`.
    name: &'a [usize],
    /// OTLP SpanKind, 0 to 5.
    kind: &'a [i32],
    /// OTLP StatusCode, 0 to 2.
    status: &'a [i32],
    /// Index of `outcomes`.
    outcome: &'a [usize],
    /// Rows whose parent is not in the trace.
    orphan: &'a [usize],
    /// Rows where display begins.
    roots: &'a [usize],
    critical_path: Vec<SkeletonSection>,
    /// Parents that are not stored, with the rows that name them.
    missing: Vec<SkeletonMissing>,
    /// Where errors begin, by start.
    error_origins: Vec<SkeletonOrigin>,
    /// When the last of its spans was received.
    last_arrival_ns: Ns,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
struct SkeletonMissing {
    id: Hex,
    children: Vec<usize>,
}

#[derive(Serialize, ToSchema)]
struct SkeletonOrigin {
    row: usize,
    blame: Blame,
}

/// A stretch of the critical path; ns after `t0`.
#[derive(Serialize, ToSchema)]
struct SkeletonSection {
    row: usize,
    start: u64,
    end: u64,
}

impl<'a> From<&'a Skeleton> for SkeletonJson<'a> {
    fn from(skeleton: &'a Skeleton) -> Self {
        let section = |&Section { span, start, end }: &Section| SkeletonSection { row: span, start, end };
        let missing =
            |missing: &MissingSpan| SkeletonMissing { id: Hex::from(missing.id), children: missing.children.clone() };
        let origin = |origin: &ErrorOrigin| SkeletonOrigin { row: origin.span, blame: origin.blame.into() };
        Self {
            trace_id: Hex::from(skeleton.id),
            t0: Ns(skeleton.t0),
            duration_ns: skeleton.duration,
            services: &skeleton.services,
            names: &skeleton.names,
            outcomes: &skeleton.outcomes,
            id: Ids(&skeleton.span_id),
            parent: Parents(&skeleton.parent),
            depth: &skeleton.depth,
            start: &skeleton.start,
            dur: &skeleton.span_duration,
            self_time: &skeleton.self_time,
            svc: &skeleton.service,
            name: &skeleton.name,
            kind: &skeleton.kind,
            status: &skeleton.status,
            outcome: &skeleton.outcome,
            orphan: &skeleton.orphans,
            roots: &skeleton.roots,
            critical_path: skeleton.critical_path.iter().map(section).collect(),
            missing: skeleton.missing.iter().map(missing).collect(),
            error_origins: skeleton.error_origins.iter().map(origin).collect(),
            last_arrival_ns: Ns(skeleton.last_arrival),
            notes: skeleton.notes.clone().into(),
        }
    }
}

struct Ids<'a>(&'a [SpanId]);

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|&id| Hex::from(id)))
    }
}

struct Parents<'a>(&'a [Option<usize>]);

impl Serialize for Parents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|parent| parent.map_or(-1, |row| row as i64)))
    }
}
