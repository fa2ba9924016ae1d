//! JSON of what follows from a trace: where errors begin, sums, links both ways, clocks.

use query::model;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::{Hex, Notes, Ns};

/// A span that others name as their parent and that is not stored.
#[derive(Serialize, ToSchema)]
pub(crate) struct MissingSpan {
    span_id: Hex,
    children: Vec<Hex>,
}

/// A failed span that no failed span below explains.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorOrigin {
    span_id: Hex,
    blame: Blame,
    /// Of a call that nobody in the store answered.
    peer: Option<String>,
}

/// `span`: its own work; `edge`: the callee ended well, what lies between failed; `peer`: nobody in the
/// store answered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Blame {
    Span,
    Edge,
    Peer,
}

impl From<model::Blame> for Blame {
    fn from(blame: model::Blame) -> Self {
        match blame {
            model::Blame::Span => Blame::Span,
            model::Blame::Edge => Blame::Edge,
            model::Blame::Peer => Blame::Peer,
        }
    }
}

pub(crate) fn missing(trace: &model::Trace) -> Vec<MissingSpan> {
    let id = |&row: &usize| trace.spans.get(row).map(|span| Hex::from(span.span_id));
    let one = |missing: &model::MissingSpan| MissingSpan {
        span_id: Hex::from(missing.id),
        children: missing.children.iter().filter_map(id).collect(),
    };
    trace.tree.missing.iter().map(one).collect()
}

pub(crate) fn error_origins(trace: &model::Trace) -> Vec<ErrorOrigin> {
    let one = |origin: &model::ErrorOrigin| {
        let span = trace.spans.get(origin.span)?;
        let peer = span.peer.clone().filter(|_| origin.blame == model::Blame::Peer);
        Some(ErrorOrigin { span_id: Hex::from(span.span_id), blame: origin.blame.into(), peer })
    };
    trace.error_origins.iter().filter_map(one).collect()
}

/// Sums over the spans of a trace; durations in ns.
#[derive(Serialize, ToSchema)]
pub(crate) struct TraceStatistics {
    rows: Vec<Statistic>,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
struct Statistic {
    /// Null: the spans without the attribute.
    group: Option<String>,
    count: u64,
    errors: u64,
    total_ns: u64,
    avg_ns: u64,
    min_ns: u64,
    max_ns: u64,
    /// Not covered by children.
    self_total_ns: u64,
    self_avg_ns: u64,
    self_min_ns: u64,
    self_max_ns: u64,
    /// Of 1: its own time in the duration of the trace. Of spans side by side the sum may pass 1.
    self_share: f64,
}

impl TraceStatistics {
    pub(crate) fn of(trace: &model::Trace, rows: Vec<model::Statistic>) -> Self {
        let start = trace.spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = trace.spans.iter().map(|span| span.end).max().unwrap_or_default();
        let duration = end.saturating_sub(start);
        let rows = rows.into_iter().map(|row| Statistic::of(row, duration)).collect();
        Self { rows, notes: trace.notes.clone().into() }
    }
}

impl Statistic {
    fn of(row: model::Statistic, duration: u64) -> Self {
        let average = |sum: u64| sum / row.count.max(1);
        Self {
            avg_ns: average(row.total),
            self_avg_ns: average(row.self_total),
            self_share: if duration > 0 { row.self_total as f64 / duration as f64 } else { 0.0 },
            group: row.group,
            count: row.count,
            errors: row.errors,
            total_ns: row.total,
            min_ns: row.min,
            max_ns: row.max,
            self_total_ns: row.self_total,
            self_min_ns: row.self_min,
            self_max_ns: row.self_max,
        }
    }
}

/// Links from the trace, and links to it from spans that begin within `[from_ns, to_ns)`.
#[derive(Serialize, ToSchema)]
pub(crate) struct TraceLinks {
    forward: Vec<LinkedSpan>,
    backward: Vec<LinkedSpan>,
    from_ns: Ns,
    to_ns: Ns,
    notes: Notes,
}

/// The far end of a link.
#[derive(Serialize, ToSchema)]
struct LinkedSpan {
    trace_id: Hex,
    span_id: Hex,
    /// The span of the asked trace.
    here: Hex,
    /// Told of spans that link to the trace.
    service: Option<String>,
    name: Option<String>,
    start_ns: Option<Ns>,
}

impl From<model::TraceLinks> for TraceLinks {
    fn from(links: model::TraceLinks) -> Self {
        let one = |link: model::LinkedSpan| LinkedSpan {
            trace_id: Hex::from(link.trace_id),
            span_id: Hex::from(link.span_id),
            here: Hex::from(link.here),
            service: link.service,
            name: link.name,
            start_ns: link.start.map(Ns),
        };
        Self {
            forward: links.forward.into_iter().map(one).collect(),
            backward: links.backward.into_iter().map(one).collect(),
            from_ns: Ns(links.range.from.max(0).cast_unsigned()),
            to_ns: Ns(links.range.to.max(0).cast_unsigned()),
            notes: links.notes.into(),
        }
    }
}

/// How far the clocks of the trace's instances are apart; nothing is moved by itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct TraceSkew {
    offsets: Vec<ClockOffset>,
    /// What would put the spans in their place: those that would move.
    shifts: Vec<Shift>,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
struct ClockOffset {
    caller: Instance,
    callee: Instance,
    /// What can be added to the callee's times, ns. `low_ns` above `high_ns`: its calls contradict each other.
    low_ns: i64,
    high_ns: i64,
    calls: u64,
    /// What to add, ns; null where 0 is possible or too few calls are known.
    offset_ns: Option<i64>,
}

#[derive(Serialize, ToSchema)]
struct Instance {
    service: String,
    instance: String,
}

#[derive(Serialize, ToSchema)]
struct Shift {
    span_id: Hex,
    shift_ns: i64,
}

impl From<model::TraceSkew> for TraceSkew {
    fn from(skew: model::TraceSkew) -> Self {
        let instance = |(service, instance)| Instance { service, instance };
        let offset = |offset: model::ClockOffset| ClockOffset {
            caller: instance(offset.caller),
            callee: instance(offset.callee),
            low_ns: offset.low,
            high_ns: offset.high,
            calls: offset.calls,
            offset_ns: offset.offset,
        };
        let shift = |(span, shift_ns)| Shift { span_id: Hex::from(span), shift_ns };
        Self {
            offsets: skew.offsets.into_iter().map(offset).collect(),
            shifts: skew.shifts.into_iter().map(shift).collect(),
            notes: skew.notes.into(),
        }
    }
}
