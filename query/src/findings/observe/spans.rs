//! Reads the spans of a minute, trace by trace, with the rest of those traces.

use std::sync::LazyLock;

use storage::attrs;
use storage::ids::TraceId;
use storage::scan::ReadError;
use storage::schema::col;
use storage::store::Snapshot;

use super::repeats::Repeats;
use super::trace::{Extra, Trace};
use super::{Window, chain, failures, path, repeats, secrets, timeouts};
use crate::engine::{Deadline, QueryError, Range};
use crate::graph::calls::Part;
use crate::graph::intern::{Name, NameColumn, Names};
use crate::graph::parts;
use crate::model::Notes;
use crate::rows::Columns;
use crate::traces::read::{self, ByTrace, Share};

/// The rest of a trace is looked for so far outside of the window, ns: what began longer ago, or ends later,
/// is not part of its picture.
const MARGIN: i64 = 120 * 1_000_000_000;

/// What calls are found by, and what only the findings look at.
static COLUMNS: LazyLock<Vec<&str>> = LazyLock::new(|| [parts::COLUMNS, &[col::ATTRIBUTES, col::EVENTS]].concat());

pub(super) fn look_through(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    limits: Repeats,
    notes: &mut Notes,
    window: &mut Window,
) -> Result<(), QueryError> {
    let wide = Range { from: range.from.saturating_sub(MARGIN), to: range.to.saturating_add(MARGIN) };
    let by = ByTrace {
        collect: |columns: Columns<'_>, share: Share, spans: &mut Vec<(Part, Extra)>, state: &mut State<'_>| {
            let ours = |trace| share.contains(trace);
            collect(columns, spans, &mut state.names, &ours, wide)?;
            secrets::of_spans(columns, &ours, range, state.window)?;
            Ok(state.names.check()?)
        },
        settle: |spans: &mut Vec<(Part, Extra)>, _: &State<'_>| {
            spans.sort_unstable_by_key(|(part, _)| (part.trace, part.node, part.role, part.failed));
            spans.dedup_by(|a, b| a.0 == b.0);
        },
        trace_of: |(part, _): &(Part, Extra)| part.trace,
    };
    let mut state = State { names: Names::default(), window };
    read::each_trace(snapshot, deadline, (&COLUMNS, wide), notes, &mut state, by, |trace, state| {
        if let Some(trace) = Trace::new(trace, &state.names, range) {
            look(&trace, limits, state.window);
        }
        Ok(())
    })
}

/// What a pass over spans gathers.
struct State<'a> {
    names: Names,
    window: &'a mut Window,
}

/// All that is looked for in a trace.
fn look(trace: &Trace<'_>, limits: Repeats, window: &mut Window) {
    let begun = (0..trace.parts.len()).filter(|&span| trace.counts(span)).count() as u64;
    if begun == 0 {
        return;
    }
    window.spans += begun;
    window.traces += u64::from(trace.roots().any(|root| trace.counts(root)));
    chain::look(trace, window);
    repeats::look(trace, limits, window);
    timeouts::look(trace, window);
    failures::look(trace, window);
    path::look(trace, window);
}

/// [`parts::collect`] with what only the findings need of the same rows.
fn collect(
    columns: Columns<'_>,
    spans: &mut Vec<(Part, Extra)>,
    names: &mut Names,
    ours: &impl Fn(TraceId) -> bool,
    range: Range,
) -> Result<(), ReadError> {
    let mut collected = Vec::new();
    parts::collect(columns, &mut collected, names, ours, range)?;
    let (traces, ids) = (columns.ids::<16>(col::TRACE_ID)?, columns.ids::<8>(col::SPAN_ID)?);
    let starts = columns.times(col::START_TIME)?;
    let (attributes, events) = (columns.strings(col::ATTRIBUTES)?, columns.strings(col::EVENTS)?);
    let mut resources = NameColumn::new(columns.strings(col::RESOURCE_ATTRIBUTES)?);
    let rows = (0..columns.rows())
        .filter(|&row| range.contains(starts[row]) && ids.get(row).is_some())
        .filter(|&row| traces.get(row).is_some_and(|trace| ours(TraceId(trace))));
    for (row, part) in rows.zip(collected) {
        let zone = resources.get_with(row, |text| zone(text, names));
        let exception = events.get(row).and_then(exception);
        let exception = exception.map_or(Name::NONE, |kind| names.intern(Some(&kind)));
        spans.push((part, Extra { http: http_status(attributes.text(row)), zone, exception }));
    }
    Ok(())
}

fn zone(resource: Option<&str>, names: &mut Names) -> Name {
    let found = resource.and_then(|text| attrs::find(text, "cloud.availability_zone"));
    found.map_or(Name::NONE, |raw| names.intern(Some(&attrs::text_of(raw))))
}

fn http_status(attributes: &str) -> u16 {
    if !attributes.contains("status_code") {
        return 0;
    }
    let keys = ["http.response.status_code", "http.status_code"];
    let found = keys.into_iter().find_map(|key| attrs::find(attributes, key));
    found.and_then(|raw| attrs::text_of(raw).parse().ok()).unwrap_or(0)
}

/// Type of the last exception among the events.
fn exception(events: &str) -> Option<String> {
    if !events.contains("exception") {
        return None;
    }
    let types = attrs::items(events).filter_map(|event| {
        let attributes = attrs::find(event, "attributes")?;
        Some(attrs::text_of(attrs::find(attributes, "exception.type")?).into_owned())
    });
    types.last()
}
