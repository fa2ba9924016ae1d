//! What is told of services. Times are ns since the epoch and those of whole minutes; durations are ns.

use std::collections::BTreeMap;
use std::ops::Range as Span;

use storage::ids::{RowId, SpanId, TraceId};
use storage::rollup::Minute;

use super::layers::{Layer, Source};
pub use crate::model::Identity;
use crate::model::{Edge, Notes, Quantiles};
use crate::rollup::Place;

/// One service as seen in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceInfo {
    pub name: String,
    pub span_count: u64,
    pub totals: Totals,
    /// Operations served.
    pub operations: u64,
    /// None: too few calls to tell.
    pub layer: Option<(Layer, Source)>,
    pub languages: Vec<String>,
    pub protocols: Vec<String>,
    pub environments: Vec<String>,
    pub namespaces: Vec<String>,
    /// By name; spans that do not name their instance are of none.
    pub instances: Vec<Instance>,
    /// The newest first; spans without a version are of none.
    pub versions: Vec<Version>,
    pub autonomy: Autonomy,
    pub coverage: Coverage,
    pub logs: LogCount,
    /// None where no findings were asked for.
    pub findings: Option<FindingCounts>,
}

/// Calls served and how they ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    pub calls: u64,
    pub errors: u64,
    /// None without calls.
    pub latency: Option<Quantiles>,
    /// By name, other than ok.
    pub outcomes: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub name: String,
    /// The newest that it was seen with; empty where it says none.
    pub version: String,
    pub seen: Seen,
    pub spans: u64,
    /// Not seen in the last minutes of the window, although the service goes on.
    pub gone: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    pub name: String,
    pub seen: Seen,
    /// Of the service's spans, 0 to 1.
    pub share: f64,
}

/// The first and the last minute with a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub first: Minute,
    pub last: Minute,
}

/// How much a service stands on its own: database, release, instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Autonomy {
    /// Databases that only this service calls, by name.
    pub own_db: Vec<String>,
    pub shared_db: Vec<SharedDatabase>,
    /// Services that are released together with this one, by name.
    pub lockstep_with: Vec<String>,
    /// Most distinct instances within one minute; 0 where no span names its instance.
    pub instances_at_once: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedDatabase {
    pub database: String,
    /// Its other callers, by name.
    pub with: Vec<String>,
}

/// How far the traces of a service can be trusted to be whole; 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Of its calls with other services, those of which both sides are stored.
    pub paired: Option<f64>,
    /// Of the calls that it served, those whose caller is named but not stored.
    pub orphans: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCount {
    pub records: u64,
    /// Of severity error or worse.
    pub errors: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FindingCounts {
    pub critical: u64,
    pub warning: u64,
    pub info: u64,
}

/// The answer to "which services are there".
#[derive(Clone, Debug)]
pub struct Inventory {
    pub services: Vec<ServiceInfo>,
    pub minutes: Span<Minute>,
    pub notes: Notes,
}

/// One service in detail.
#[derive(Clone, Debug)]
pub struct ServiceDetail {
    pub service: ServiceInfo,
    pub minutes: Span<Minute>,
    pub series: RedSeries,
    pub operations: Vec<OperationInfo>,
    /// Edges of all operations.
    pub upstream: Vec<Edge>,
    pub downstream: Vec<Edge>,
    pub instances: Vec<(Instance, Vec<u64>)>,
    pub releases: Vec<(Version, Vec<u64>)>,
    pub exceptions: Vec<Exception>,
    pub log_patterns: Vec<LogPattern>,
    pub notes: Notes,
}

/// Rate, errors and durations by step; every list is as long as the window has steps.
#[derive(Clone, Debug, PartialEq)]
pub struct RedSeries {
    pub from: Minute,
    /// Minutes of a step.
    pub step: u64,
    pub calls: Vec<u64>,
    pub errors: Vec<u64>,
    pub latency: Vec<Option<Quantiles>>,
    pub outcomes: BTreeMap<&'static str, Vec<u64>>,
    pub spans: Vec<u64>,
    /// Distinct.
    pub instances: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OperationInfo {
    pub name: String,
    /// Empty where it is not known.
    pub protocol: String,
    pub totals: Totals,
    /// Failures first, then the longest.
    pub exemplars: Vec<(TraceId, SpanId)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// `exception.type`; empty where only a message was given.
    pub kind: String,
    /// The newest, cut.
    pub message: String,
    pub count: u64,
    pub last: u64,
    pub exemplar: Option<(TraceId, SpanId)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LogPattern {
    pub pattern: String,
    pub severity: i32,
    pub count: u64,
    pub last: u64,
    pub example: RowId,
}

/// Two versions of a service beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub mode: CompareMode,
    pub base: Release,
    pub head: Release,
    pub operations: Vec<OperationComparison>,
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    pub findings: ReleaseFindings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareMode {
    /// Of the minutes in which both serve.
    SideBySide,
    /// Of all minutes of each.
    BeforeAfter,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Release {
    pub version: String,
    pub totals: Totals,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OperationComparison {
    pub name: String,
    pub base: Totals,
    pub head: Totals,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Worse,
    Better,
    Same,
    /// Too few calls to tell.
    Unknown,
}

/// What is there in one version and not in the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReleaseFindings {
    /// (type, count) of the head.
    pub new_exceptions: Vec<(String, u64)>,
    /// (pattern, count) of the head.
    pub new_log_patterns: Vec<(String, u64)>,
    /// (whom, protocol).
    pub edges_added: Vec<(Place, String)>,
    pub edges_removed: Vec<(Place, String)>,
}
