//! JSON of services: the list, one in detail, and two of its releases.

use std::collections::BTreeMap;

use query::rollup::{Place, PlaceKind};
use query::services::layers::{Layer, Source};
use query::services::model;
use serde::Serialize;
use storage::rollup::{Minute, NANOS_PER_MINUTE};
use storage::terms::severity_name;
use utoipa::ToSchema;

use super::graph_json::{Exemplar, Identity, Mode, Quantiles};
use super::json::{Hex, Notes, Ns};

#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceList {
    services: Vec<ServiceJson>,
    window: Window,
    notes: Notes,
}

impl ServiceList {
    pub(crate) fn of(inventory: model::Inventory, now: i64) -> Self {
        let window = Window::from(&inventory.minutes);
        let seconds = window.seconds(now);
        let services = inventory.services.into_iter().map(|service| ServiceJson::of(service, seconds)).collect();
        Self { services, window, notes: inventory.notes.into() }
    }
}

/// The whole minutes that count.
#[derive(Clone, Copy, Serialize, ToSchema)]
struct Window {
    from_ns: Ns,
    /// Exclusive.
    to_ns: Ns,
}

impl From<&std::ops::Range<Minute>> for Window {
    fn from(minutes: &std::ops::Range<Minute>) -> Self {
        Self { from_ns: begin(minutes.start), to_ns: begin(minutes.end) }
    }
}

impl Window {
    /// How long it is; of a window that reaches past now, its past.
    fn seconds(self, now: i64) -> f64 {
        let to = (self.to_ns.0 as i64).min(now);
        to.saturating_sub(self.from_ns.0 as i64).max(0) as f64 / 1e9
    }
}

fn begin(minute: Minute) -> Ns {
    Ns(minute.saturating_mul(NANOS_PER_MINUTE) as u64)
}

/// The end of a minute, exclusive.
fn end(minute: Minute) -> Ns {
    begin(minute.saturating_add(1))
}

/// A service as seen in the window.
#[derive(Serialize, ToSchema)]
#[schema(as = Service)]
struct ServiceJson {
    id: String,
    span_count: u64,
    /// Calls served.
    calls: u64,
    errors: u64,
    /// Calls per second.
    rate: f64,
    /// Of 1.
    error_ratio: f64,
    /// 0 without calls.
    p50_ns: u64,
    p95_ns: u64,
    p99_ns: u64,
    /// Operations served.
    operations: u64,
    /// Those that name themselves.
    instances: u64,
    /// The newest first.
    versions: Vec<String>,
    languages: Vec<String>,
    protocols: Vec<String>,
    /// Null: too few calls to tell.
    #[schema(value_type = Option<LayerName>)]
    layer: Option<&'static str>,
    layer_source: Option<LayerSource>,
    environments: Vec<String>,
    namespaces: Vec<String>,
    instance_list: Vec<InstanceJson>,
    version_list: Vec<VersionJson>,
    /// Counts of outcomes other than ok.
    outcomes: BTreeMap<&'static str, u64>,
    logs: LogCount,
    autonomy: AutonomyJson,
    coverage: CoverageJson,
    /// Open findings; null where they are not evaluated.
    findings: Option<FindingCounts>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what Layer::name gives")]
enum LayerName {
    Gateway,
    Aggregate,
    Basic,
    Platform,
    Other,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LayerSource {
    Inferred,
    File,
}

impl ServiceJson {
    fn of(service: model::ServiceInfo, seconds: f64) -> Self {
        let share = |part: u64, whole: f64| if whole > 0.0 { part as f64 / whole } else { 0.0 };
        let totals = service.totals;
        let source = |source| match source {
            Source::Inferred => LayerSource::Inferred,
            Source::File => LayerSource::File,
        };
        Self {
            rate: share(totals.calls, seconds),
            error_ratio: share(totals.errors, totals.calls as f64),
            id: service.name,
            span_count: service.span_count,
            calls: totals.calls,
            errors: totals.errors,
            p50_ns: totals.latency.map_or(0, |q| q.p50),
            p95_ns: totals.latency.map_or(0, |q| q.p95),
            p99_ns: totals.latency.map_or(0, |q| q.p99),
            operations: service.operations,
            instances: service.instances.len() as u64,
            versions: service.versions.iter().map(|version| version.name.clone()).collect(),
            languages: service.languages,
            protocols: service.protocols,
            layer: service.layer.map(|(layer, _)| Layer::name(layer)),
            layer_source: service.layer.map(|(_, from)| source(from)),
            environments: service.environments,
            namespaces: service.namespaces,
            instance_list: service.instances.into_iter().map(InstanceJson::from).collect(),
            version_list: service.versions.into_iter().map(VersionJson::from).collect(),
            outcomes: totals.outcomes,
            logs: LogCount { count: service.logs.records, errors: service.logs.errors },
            autonomy: service.autonomy.into(),
            coverage: CoverageJson { paired: service.coverage.paired, orphans: service.coverage.orphans },
            findings: service.findings.map(|counts| FindingCounts {
                critical: counts.critical,
                warning: counts.warning,
                info: counts.info,
            }),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ServiceInstance)]
struct InstanceJson {
    instance: String,
    /// The newest that it was seen with; empty where it says none.
    version: String,
    /// The beginning of its first minute.
    first_ns: Ns,
    /// The end of its last minute.
    last_ns: Ns,
    spans: u64,
    /// Not seen in the last five minutes of the window, although its service goes on.
    gone: bool,
}

impl From<model::Instance> for InstanceJson {
    fn from(instance: model::Instance) -> Self {
        Self {
            instance: instance.name,
            version: instance.version,
            first_ns: begin(instance.seen.first),
            last_ns: end(instance.seen.last),
            spans: instance.spans,
            gone: instance.gone,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ServiceVersion)]
struct VersionJson {
    version: String,
    first_ns: Ns,
    last_ns: Ns,
    /// Of the service's spans, 0 to 1.
    share: f64,
}

impl From<model::Version> for VersionJson {
    fn from(version: model::Version) -> Self {
        Self {
            version: version.name,
            first_ns: begin(version.seen.first),
            last_ns: end(version.seen.last),
            share: version.share,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct LogCount {
    count: u64,
    /// Of severity error or worse.
    errors: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Autonomy)]
struct AutonomyJson {
    /// Databases that only this service calls.
    own_db: Vec<String>,
    shared_db: Vec<SharedDatabase>,
    /// Services released within half an hour of this one, in three of its last four releases.
    lockstep_with: Vec<String>,
    /// Most distinct instances within one minute; 0 where none names itself.
    instances_at_once: u64,
}

#[derive(Serialize, ToSchema)]
struct SharedDatabase {
    database: String,
    with: Vec<String>,
}

impl From<model::Autonomy> for AutonomyJson {
    fn from(autonomy: model::Autonomy) -> Self {
        let shared = |one: model::SharedDatabase| SharedDatabase { database: one.database, with: one.with };
        Self {
            own_db: autonomy.own_db,
            shared_db: autonomy.shared_db.into_iter().map(shared).collect(),
            lockstep_with: autonomy.lockstep_with,
            instances_at_once: autonomy.instances_at_once,
        }
    }
}

/// Of 1; null where there are no such calls.
#[derive(Serialize, ToSchema)]
#[schema(as = Coverage)]
struct CoverageJson {
    /// Of the calls with other services, those of which both sides are stored.
    paired: Option<f64>,
    /// Of the calls served, those whose caller is named but not stored.
    orphans: Option<f64>,
}

#[derive(Serialize, ToSchema)]
struct FindingCounts {
    critical: u64,
    warning: u64,
    info: u64,
}

/// One service in detail.
#[derive(Serialize, ToSchema)]
#[schema(as = ServiceDetail)]
pub(crate) struct DetailJson {
    service: ServiceJson,
    window: Window,
    step_ns: u64,
    series: RedSeries,
    /// Those with the most calls first.
    operations: Vec<ServedOperation>,
    upstream: Vec<DependencyJson>,
    downstream: Vec<DependencyJson>,
    instances: Vec<InstanceSeries>,
    /// The newest first.
    releases: Vec<ReleaseSeries>,
    exceptions: Vec<ExceptionJson>,
    log_patterns: Vec<LogPatternJson>,
    notes: Notes,
}

impl DetailJson {
    pub(crate) fn of(detail: model::ServiceDetail, now: i64) -> Self {
        let window = Window::from(&detail.minutes);
        let instance = |(instance, series): (model::Instance, _)| InstanceSeries { instance: instance.into(), series };
        let release = |(version, series): (model::Version, _)| {
            let VersionJson { version, first_ns, last_ns, .. } = version.into();
            ReleaseSeries { version, first_ns, last_ns, series }
        };
        Self {
            service: ServiceJson::of(detail.service, window.seconds(now)),
            window,
            step_ns: detail.series.step.saturating_mul(NANOS_PER_MINUTE as u64),
            series: detail.series.into(),
            operations: detail.operations.into_iter().map(ServedOperation::from).collect(),
            upstream: detail.upstream.into_iter().map(DependencyJson::from).collect(),
            downstream: detail.downstream.into_iter().map(DependencyJson::from).collect(),
            instances: detail.instances.into_iter().map(instance).collect(),
            releases: detail.releases.into_iter().map(release).collect(),
            exceptions: detail.exceptions.into_iter().map(ExceptionJson::from).collect(),
            log_patterns: detail.log_patterns.into_iter().map(LogPatternJson::from).collect(),
            notes: detail.notes.into(),
        }
    }
}

/// By step; all lists are of one length.
#[derive(Serialize, ToSchema)]
struct RedSeries {
    from_ns: Ns,
    calls: Vec<u64>,
    errors: Vec<u64>,
    /// Null where there are no calls.
    p50_ns: Vec<Option<u64>>,
    p95_ns: Vec<Option<u64>>,
    p99_ns: Vec<Option<u64>>,
    outcomes: BTreeMap<&'static str, Vec<u64>>,
    spans: Vec<u64>,
    /// Distinct.
    instances: Vec<u64>,
}

impl From<model::RedSeries> for RedSeries {
    fn from(series: model::RedSeries) -> Self {
        let quantile = |get: fn(query::model::Quantiles) -> u64| series.latency.iter().map(|q| q.map(get)).collect();
        Self {
            from_ns: begin(series.from),
            p50_ns: quantile(|q| q.p50),
            p95_ns: quantile(|q| q.p95),
            p99_ns: quantile(|q| q.p99),
            calls: series.calls,
            errors: series.errors,
            outcomes: series.outcomes,
            spans: series.spans,
            instances: series.instances,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct ServedOperation {
    name: String,
    protocol: Option<String>,
    calls: u64,
    errors: u64,
    latency: Option<Quantiles>,
    outcomes: BTreeMap<&'static str, u64>,
    exemplars: Vec<Exemplar>,
}

impl From<model::OperationInfo> for ServedOperation {
    fn from(operation: model::OperationInfo) -> Self {
        Self {
            name: operation.name,
            protocol: some(operation.protocol),
            calls: operation.totals.calls,
            errors: operation.totals.errors,
            latency: operation.totals.latency.map(Quantiles::from),
            outcomes: operation.totals.outcomes,
            exemplars: operation.exemplars.into_iter().map(Exemplar::from).collect(),
        }
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// An edge of the graph that begins or ends at the service; `source` and `target` are ids of nodes.
#[derive(Serialize, ToSchema)]
#[schema(as = Dependency)]
struct DependencyJson {
    source: String,
    target: String,
    protocol: Option<String>,
    mode: Mode,
    identity: Identity,
    calls: u64,
    errors: u64,
    /// Calls of which both sides are stored.
    paired: u64,
    client: Option<Quantiles>,
    server: Option<Quantiles>,
    lag: Option<Quantiles>,
    outcomes: BTreeMap<&'static str, u64>,
    exemplars: Vec<Exemplar>,
}

impl From<model::Dependency> for DependencyJson {
    fn from(edge: model::Dependency) -> Self {
        Self {
            source: node_id(&edge.source),
            target: node_id(&edge.target),
            protocol: some(edge.protocol),
            mode: edge.mode.into(),
            identity: edge.identity.into(),
            calls: edge.calls,
            errors: edge.errors,
            paired: edge.paired,
            client: edge.client.map(Quantiles::from),
            server: edge.server.map(Quantiles::from),
            lag: edge.lag.map(Quantiles::from),
            outcomes: edge.outcomes,
            exemplars: edge.exemplars.into_iter().map(Exemplar::from).collect(),
        }
    }
}

/// As the graph names its nodes.
fn node_id(place: &Place) -> String {
    let name = &place.name;
    match place.kind {
        PlaceKind::Service => name.clone(),
        PlaceKind::Database => format!(":database:{name}"),
        PlaceKind::Topic => format!(":topic:{name}"),
        PlaceKind::External => format!(":external:{name}"),
        PlaceKind::User => ":user".to_owned(),
        PlaceKind::Unknown => ":unknown".to_owned(),
    }
}

#[derive(Serialize, ToSchema)]
struct InstanceSeries {
    #[serde(flatten)]
    instance: InstanceJson,
    /// Spans by step.
    series: Vec<u64>,
}

#[derive(Serialize, ToSchema)]
struct ReleaseSeries {
    version: String,
    first_ns: Ns,
    last_ns: Ns,
    /// Spans by step.
    series: Vec<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ServiceException)]
struct ExceptionJson {
    #[serde(rename = "type")]
    kind: String,
    /// The newest; numbers and ids in it differ from one to the next.
    message: String,
    count: u64,
    last_ns: Ns,
    exemplar: Option<Exemplar>,
}

impl From<model::Exception> for ExceptionJson {
    fn from(exception: model::Exception) -> Self {
        Self {
            kind: exception.kind,
            message: exception.message,
            count: exception.count,
            last_ns: Ns(exception.last),
            exemplar: exception.exemplar.map(Exemplar::from),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = LogPattern)]
struct LogPatternJson {
    /// Numbers are `<n>`, ids `<id>`, `<hex>` or `<uuid>`, quoted parts `<*>`.
    pattern: String,
    severity: &'static str,
    count: u64,
    last_ns: Ns,
    example_id: Hex,
}

impl From<model::LogPattern> for LogPatternJson {
    fn from(pattern: model::LogPattern) -> Self {
        let severity = severity_name(pattern.severity);
        Self {
            pattern: pattern.pattern,
            severity: if severity == "unset" { "unspecified" } else { severity },
            count: pattern.count,
            last_ns: Ns(pattern.last),
            example_id: Hex::from(pattern.example),
        }
    }
}

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
                |(place, protocol): (Place, _)| ChangedEdge { target: node_id(&place), protocol: some(protocol) };
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
