//! JSON of log records and their histogram.

use query::model;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::{Attribute, Attrs, Hex, Notes, Ns, Resource, Scope, Typed, TypedValue, severity_name};

/// A log record with everything that was sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Log)]
pub(crate) struct LogJson<'a> {
    id: Hex,
    time_ns: Ns,
    /// The sender gave no time: it is the observed or the received one.
    time_inferred: bool,
    observed_time_ns: Ns,
    /// unspecified, trace, debug, info, warn, error or fatal.
    severity: &'static str,
    severity_number: i32,
    severity_text: &'a str,
    service: &'a str,
    #[schema(value_type = TypedValue)]
    body: Typed<'a>,
    trace_id: Option<Hex>,
    span_id: Option<Hex>,
    flags: u32,
    event_name: &'a str,
    #[schema(value_type = Vec<Attribute>)]
    attributes: Attrs<'a>,
    dropped_attributes: u32,
    resource: Resource<'a>,
    scope: Scope<'a>,
}

impl<'a> From<&'a model::LogRecord> for LogJson<'a> {
    fn from(log: &'a model::LogRecord) -> Self {
        Self {
            id: Hex::from(log.id),
            time_ns: Ns(log.time),
            time_inferred: log.time_inferred,
            observed_time_ns: Ns(log.observed_time),
            severity: severity_name(log.severity_number),
            severity_number: log.severity_number,
            severity_text: &log.severity_text,
            service: &log.service,
            body: Typed(&log.body),
            trace_id: log.trace_id.map(Hex::from),
            span_id: log.span_id.map(Hex::from),
            flags: log.flags,
            event_name: &log.event_name,
            attributes: Attrs(&log.attributes),
            dropped_attributes: log.dropped_attributes,
            resource: Resource::from(&*log.resource),
            scope: Scope::from(&*log.scope),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LogPage<'a> {
    logs: Vec<LogJson<'a>>,
    /// Continues after the last record; null at the end.
    next: Option<&'a str>,
    notes: Notes,
}

impl<'a> From<&'a model::Page<model::LogRecord>> for LogPage<'a> {
    fn from(page: &'a model::Page<model::LogRecord>) -> Self {
        Self {
            logs: page.items.iter().map(LogJson::from).collect(),
            next: page.next.as_deref(),
            notes: page.notes.clone().into(),
        }
    }
}

/// Neighbours of a record within its service instance, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogContext<'a> {
    before: Vec<LogJson<'a>>,
    log: LogJson<'a>,
    after: Vec<LogJson<'a>>,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Histogram)]
pub(crate) struct HistogramJson {
    from_ns: Ns,
    step_ns: u64,
    series: Vec<Series>,
    total: u64,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
struct Series {
    severity: String,
    /// One count a bucket.
    counts: Vec<u64>,
}

impl From<model::Histogram> for HistogramJson {
    fn from(histogram: model::Histogram) -> Self {
        let total = histogram.series.iter().flat_map(|(_, counts)| counts).sum();
        let series = histogram.series.into_iter().map(|(severity, counts)| Series { severity, counts });
        Self {
            from_ns: Ns(histogram.from),
            step_ns: histogram.step,
            series: series.collect(),
            total,
            notes: histogram.notes.into(),
        }
    }
}

impl<'a> From<&'a query::logs::LogContext> for LogContext<'a> {
    fn from(context: &'a query::logs::LogContext) -> Self {
        Self {
            before: context.before.iter().map(LogJson::from).collect(),
            log: LogJson::from(&context.log),
            after: context.after.iter().map(LogJson::from).collect(),
            notes: context.notes.clone().into(),
        }
    }
}
