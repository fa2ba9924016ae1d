//! JSON of one service in detail.

use std::collections::BTreeMap;

use query::services::model;
use serde::Serialize;
use storage::rollup::NANOS_PER_MINUTE;
use utoipa::ToSchema;

use super::graph_json::{DependencyJson, Exemplar, Quantiles};
use super::json::{Hex, Notes, Ns, Window, severity_name};
use super::services_json::{InstanceJson, ServiceJson, VersionJson, begin, seconds, window};

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
        let window = window(&detail.minutes);
        let instance = |(instance, series): (model::Instance, _)| InstanceSeries { instance: instance.into(), series };
        let release = |(version, series): (model::Version, _)| {
            let VersionJson { version, first_ns, last_ns, .. } = version.into();
            ReleaseSeries { version, first_ns, last_ns, series }
        };
        Self {
            service: ServiceJson::of(detail.service, seconds(window, now)),
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

pub(super) fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
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
        Self {
            pattern: pattern.pattern,
            severity: severity_name(pattern.severity),
            count: pattern.count,
            last_ns: Ns(pattern.last),
            example_id: Hex::from(pattern.example),
        }
    }
}
