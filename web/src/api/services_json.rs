//! JSON of the list of services.

use std::collections::BTreeMap;

use query::services::layers::{Layer, Source};
use query::services::model;
use serde::Serialize;
use storage::rollup::{Minute, NANOS_PER_MINUTE};
use utoipa::ToSchema;

use super::json::{Notes, Ns, Window};

#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceList {
    services: Vec<ServiceJson>,
    window: Window,
    notes: Notes,
}

impl ServiceList {
    pub(crate) fn of(inventory: model::Inventory, now: i64) -> Self {
        let window = window(&inventory.minutes);
        let seconds = seconds(window, now);
        let services = inventory.services.into_iter().map(|service| ServiceJson::of(service, seconds)).collect();
        Self { services, window, notes: inventory.notes.into() }
    }
}

pub(super) fn window(minutes: &std::ops::Range<Minute>) -> Window {
    Window { from_ns: begin(minutes.start), to_ns: begin(minutes.end) }
}

/// How long the window is; of one that reaches past now, its past.
pub(super) fn seconds(window: Window, now: i64) -> f64 {
    let to = (window.to_ns.0 as i64).min(now);
    to.saturating_sub(window.from_ns.0 as i64).max(0) as f64 / 1e9
}

pub(super) fn begin(minute: Minute) -> Ns {
    Ns(minute.saturating_mul(NANOS_PER_MINUTE) as u64)
}

/// The end of a minute, exclusive.
fn end(minute: Minute) -> Ns {
    begin(minute.saturating_add(1))
}

/// A service as seen in the window.
#[derive(Serialize, ToSchema)]
#[schema(as = Service)]
pub(super) struct ServiceJson {
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
    pub(super) fn of(service: model::ServiceInfo, seconds: f64) -> Self {
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
pub(super) struct InstanceJson {
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
pub(super) struct VersionJson {
    pub(super) version: String,
    pub(super) first_ns: Ns,
    pub(super) last_ns: Ns,
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
