//! The spans of a time range, trace by trace, each once, in bounded memory.

use storage::ids::{SpanId, TraceId};
use storage::scan::ReadError;
use storage::schema::col;
use storage::store::Snapshot;

use crate::engine::{Deadline, QueryError, Range};
use crate::model::Notes;
use crate::rows::Columns;
use crate::services::language;
use crate::traces::read::{self, ByTrace, Share};
use crate::tree::Node;

use super::calls::{Part, Role};
use super::intern::{NameColumn, Names};

/// The other side of a call is looked for this far outside the asked range, ns.
const MARGIN: i64 = 3600 * 1_000_000_000;

pub(crate) const COLUMNS: &[&str] = &[
    col::TRACE_ID,
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::KIND,
    col::START_TIME,
    col::DURATION,
    col::STATUS_CODE,
    col::ROLE,
    col::PEER,
    col::PROTOCOL,
    col::OUTCOME,
    col::OPERATION,
    col::SERVICE_NAME,
    col::SERVICE_NAMESPACE,
    col::ENVIRONMENT,
    col::SERVICE_VERSION,
    col::SERVICE_INSTANCE,
    col::RESOURCE_ATTRIBUTES,
];

/// Hands the spans of each trace to `take`, an hour on both sides of the range included.
pub(crate) fn each_trace(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    names: &mut Names,
    notes: &mut Notes,
    mut take: impl FnMut(&[Part], &mut Names),
) -> Result<(), QueryError> {
    let wide = Range { from: range.from.saturating_sub(MARGIN), to: range.to.saturating_add(MARGIN) };
    let by = ByTrace {
        collect: |columns: Columns<'_>, share: Share, parts: &mut Vec<Part>, names: &mut Names| {
            collect(columns, parts, names, |trace| share.contains(trace), wide)?;
            Ok(names.check()?)
        },
        settle,
        trace_of: |part: &Part| part.trace,
    };
    read::each_trace(snapshot, deadline, (COLUMNS, wide), notes, names, by, |trace, names| {
        take(trace, names);
        Ok(())
    })
}

/// The spans of each trace, in order, each once.
pub(crate) fn by_trace<'a>(parts: &'a mut Vec<Part>, names: &Names) -> impl Iterator<Item = &'a [Part]> + use<'a> {
    settle(parts, names);
    parts.chunk_by(|a, b| a.trace == b.trace)
}

/// By trace, each once.
fn settle(parts: &mut Vec<Part>, names: &Names) {
    // Numbers of names depend on what was read first: the order must not.
    let texts = |part: &Part| {
        [
            part.service,
            part.peer,
            part.protocol,
            part.outcome,
            part.operation,
            part.namespace,
            part.environment,
            part.version,
            part.instance,
            part.language,
        ]
        .map(|name| names.text(name))
    };
    // Nearly always the first of these decides.
    let trace = |part: &Part| u128::from_be_bytes(part.trace.0);
    let order = |part: &Part| (part.node, part.role, part.failed);
    parts.sort_unstable_by(|a, b| {
        let by_trace = trace(a).cmp(&trace(b));
        by_trace.then_with(|| order(a).cmp(&order(b))).then_with(|| texts(a).cmp(&texts(b)))
    });
    parts.dedup();
}

/// The spans of a chunk that begin within the range and whose trace is `ours`.
pub(crate) fn collect(
    columns: Columns<'_>,
    parts: &mut Vec<Part>,
    names: &mut Names,
    ours: impl Fn(TraceId) -> bool,
    range: Range,
) -> Result<(), ReadError> {
    let traces = columns.ids::<16>(col::TRACE_ID)?;
    let spans = columns.ids::<8>(col::SPAN_ID)?;
    let parents = columns.ids::<8>(col::PARENT_SPAN_ID)?;
    let (starts, durations) = (columns.times(col::START_TIME)?, columns.i64s(col::DURATION)?);
    let (kinds, statuses) = (columns.i32s(col::KIND)?, columns.i32s(col::STATUS_CODE)?);
    let roles = columns.strings(col::ROLE)?;
    let mut services = NameColumn::new(columns.strings(col::SERVICE_NAME)?);
    let mut peers = NameColumn::new(columns.strings(col::PEER)?);
    let mut protocols = NameColumn::new(columns.strings(col::PROTOCOL)?);
    let mut outcomes = NameColumn::new(columns.strings(col::OUTCOME)?);
    let mut operations = NameColumn::new(columns.strings(col::OPERATION)?);
    let mut namespaces = NameColumn::new(columns.strings(col::SERVICE_NAMESPACE)?);
    let mut environments = NameColumn::new(columns.strings(col::ENVIRONMENT)?);
    let mut versions = NameColumn::new(columns.strings(col::SERVICE_VERSION)?);
    let mut instances = NameColumn::new(columns.strings(col::SERVICE_INSTANCE)?);
    let mut resources = NameColumn::new(columns.strings(col::RESOURCE_ATTRIBUTES)?);
    for row in (0..columns.rows()).filter(|&row| range.contains(starts[row])) {
        let (Some(trace), Some(id)) = (traces.get(row), spans.get(row)) else { continue };
        if !ours(TraceId(trace)) {
            continue;
        }
        let start = starts[row] as u64;
        parts.push(Part {
            trace: TraceId(trace),
            node: Node {
                start,
                id: SpanId(id),
                end: start.wrapping_add(durations[row] as u64),
                kind: kinds[row],
                parent: parents.get(row).map(SpanId),
                detached: false,
            },
            service: services.get(row, names),
            peer: peers.get(row, names),
            protocol: protocols.get(row, names),
            outcome: outcomes.get(row, names),
            operation: operations.get(row, names),
            namespace: namespaces.get(row, names),
            environment: environments.get(row, names),
            version: versions.get(row, names),
            instance: instances.get(row, names),
            language: resources.get_with(row, |text| names.intern(language(text).as_deref())),
            role: role(kinds[row], roles.text(row)),
            failed: statuses[row] == 2,
        });
    }
    Ok(())
}

/// The kind decides; a span without a telling one has the role given at ingest.
fn role(kind: i32, normalised: &str) -> Role {
    match (kind, normalised) {
        (2 | 5, _) => Role::Entry,
        (3 | 4, _) => Role::Exit,
        (_, "entry") => Role::Entry,
        (_, "exit") => Role::Exit,
        _ => Role::Internal,
    }
}
