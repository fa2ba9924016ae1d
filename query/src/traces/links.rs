//! Links both ways: what the spans of a trace point at, and which spans of other traces point at it.

use storage::attrs::{self, Link};
use storage::ids::{SpanId, TraceId};
use storage::scan::Read;
use storage::schema::{Table, col};
use storage::terms::Prune;

use crate::engine::{Engine, QueryError, Range};
use crate::model::{LinkedSpan, Notes, TraceLinks};
use crate::rows::scan::Halt;
use crate::rows::{Columns, scan};

/// Spans that link to a trace begin this long before it or after it at most: messages wait, but not for ever.
const BEFORE: i64 = 3_600_000_000_000;
const AFTER: i64 = 24 * BEFORE;

/// Links of one direction in an answer.
const MOST: usize = 1_000;

impl Engine {
    /// None where no span of the trace is stored.
    pub async fn trace_links(&self, id: TraceId) -> Result<Result<TraceLinks, Notes>, QueryError> {
        let trace = match self.trace_or_notes(id).await? {
            Ok(trace) => trace,
            Err(notes) => return Ok(Err(notes)),
        };
        let mut notes = trace.notes;
        let mut forward = Vec::new();
        for span in &trace.spans {
            let ids = span.links.iter().filter_map(ids);
            let others = ids.filter(|(trace, to)| *trace != id || Some(*to) != span.parent_span_id);
            let here = span.span_id;
            let link =
                |(trace_id, span_id)| LinkedSpan { trace_id, span_id, here, service: None, name: None, start: None };
            forward.extend(others.map(link));
        }
        cut(&mut forward, &mut notes);
        let starts = || trace.spans.iter().map(|span| span.start as i64);
        let range = Range {
            from: starts().min().unwrap_or_default().saturating_sub(BEFORE),
            to: starts().max().unwrap_or_default().saturating_add(AFTER),
        };
        let (mut backward, more) = self.links_to(id, range).await?;
        cut(&mut backward, &mut notes);
        notes.rows_read += more.rows_read;
        notes.warnings.extend(more.warnings);
        notes.warnings.dedup();
        Ok(Ok(TraceLinks { forward, backward, range, notes }))
    }

    /// Spans of other traces that begin within the range and link to this one, by start.
    async fn links_to(&self, id: TraceId, range: Range) -> Result<(Vec<LinkedSpan>, Notes), QueryError> {
        self.run(move |snapshot, deadline| {
            let (mut notes, mut found) = (Notes::default(), Vec::new());
            let read = Read { columns: &[col::LINKS], prune: &Prune::All, from: range.from, to: range.to };
            for source in snapshot.sources(Table::Spans, range.from, range.to) {
                // Few spans have links, so their column alone is read first.
                let mut rows = Vec::new();
                scan::each_chunk(&source, &read, deadline, &mut notes, |chunk| {
                    let links = Columns::new(&chunk.batch).strings(col::LINKS)?;
                    let named = |at: &usize| links.get(*at).is_some_and(|text| speaks_of(text, id));
                    rows.extend((0..chunk.rows.len()).filter(named).map(|at| chunk.rows[at]));
                    if rows.len() > MOST { Err(Halt::Enough) } else { Ok(()) }
                })?;
                if rows.is_empty() {
                    continue;
                }
                let fetched = source.fetch(COLUMNS, &rows).map_err(Halt::from);
                let taken = fetched.and_then(|batch| {
                    found.extend(linked(Columns::new(&batch), id, range)?);
                    Ok(())
                });
                scan::tolerate(taken, &mut notes)?;
            }
            found.sort_by_key(|link: &LinkedSpan| (link.start, link.trace_id, link.span_id, link.here));
            found.dedup();
            Ok((found, notes))
        })
        .await
    }
}

const COLUMNS: &[&str] = &[col::TRACE_ID, col::SPAN_ID, col::NAME, col::START_TIME, col::SERVICE_NAME, col::LINKS];

/// Whether the text of a span's links may speak of the trace: whoever says yes is parsed.
fn speaks_of(links: &str, id: TraceId) -> bool {
    links.contains(&id.to_string())
}

fn linked(columns: Columns<'_>, id: TraceId, range: Range) -> Result<Vec<LinkedSpan>, storage::scan::ReadError> {
    let (traces, spans) = (columns.ids::<16>(col::TRACE_ID)?, columns.ids::<8>(col::SPAN_ID)?);
    let (names, services) = (columns.strings(col::NAME)?, columns.strings(col::SERVICE_NAME)?);
    let (starts, links) = (columns.times(col::START_TIME)?, columns.strings(col::LINKS)?);
    let mut found = Vec::new();
    for row in (0..columns.rows()).filter(|&row| range.contains(starts[row])) {
        let (Some(trace), Some(span), Some(text)) = (traces.get(row), spans.get(row), links.get(row)) else { continue };
        if trace == id.0 {
            continue;
        }
        let parsed = attrs::parse_links(text).map_err(|error| crate::rows::damaged(error.to_string()))?;
        let to_us = parsed.iter().filter_map(ids).filter(|(trace, _)| *trace == id);
        found.extend(to_us.map(|(_, here)| LinkedSpan {
            trace_id: TraceId(trace),
            span_id: SpanId(span),
            here,
            service: Some(services.text(row).to_owned()),
            name: Some(names.text(row).to_owned()),
            start: Some(starts[row] as u64),
        }));
    }
    Ok(found)
}

/// None for a link whose ids are none: it points nowhere.
fn ids(link: &Link) -> Option<(TraceId, SpanId)> {
    Some((link.trace_id.as_slice().try_into().ok()?, link.span_id.as_slice().try_into().ok()?))
}

fn cut(links: &mut Vec<LinkedSpan>, notes: &mut Notes) {
    if links.len() > MOST {
        notes.warnings.push(format!("there are more than {MOST} links of one direction; the first {MOST} are told"));
        links.truncate(MOST);
    }
}
