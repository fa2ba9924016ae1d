//! Finds traces: newest first, in pages that never repeat or skip one.
//!
//! A trace's place is its key: the newest start, within the asked range, of the spans that the query
//! selects; then its id. A page is found in rounds:
//!
//! 1. `scan` reads sources newest first and gathers traces with rows that may be selected, best first.
//!    It stops where the remaining sources are older than the last of them.
//! 2. `gather` reads these traces whole, wherever and whenever their spans lie, and `plan` decides
//!    what is selected. So the key is exact: a trace that belongs to an earlier page is recognised.
//! 3. The page is full when its last trace is newer than anything not yet gathered.

mod gather;
mod plan;
mod scan;
mod shape;

use std::cmp::Reverse;

use hashbrown::HashSet;
use storage::ids::TraceId;
use storage::store::Snapshot;

use crate::engine::{Deadline, Engine, QueryError, Range};
use crate::model::{Notes, Page, TraceSummary};
use crate::rows::scan::ANSWER_BYTES;
use crate::traceql::TraceQuery;
use plan::Plan;

/// Which traces to find.
#[derive(Clone, Debug)]
pub struct TraceSearch {
    pub query: TraceQuery,
    /// Of the start of selected spans.
    pub range: Range,
    /// Most traces in the page.
    pub limit: usize,
    /// Most ids in [`TraceSummary::matched_spans`].
    pub spans_per_trace: usize,
    /// [`Page::next`] of the page before.
    pub cursor: Option<String>,
}

impl TraceSearch {
    pub fn new(query: TraceQuery, range: Range, limit: usize) -> Self {
        Self { query, range, limit, spans_per_trace: 3, cursor: None }
    }
}

/// Place of a trace in the order of answers: newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    /// ns, as stored.
    key: Reverse<i64>,
    trace: TraceId,
}

impl Position {
    fn new(key: i64, trace: TraceId) -> Self {
        Self { key: Reverse(key), trace }
    }

    fn parse(cursor: &str) -> Result<Self, QueryError> {
        let mut bytes = [0; 24];
        hex::decode_to_slice(cursor, &mut bytes)
            .map_err(|_| QueryError::bad("the cursor is not one of a page of traces"))?;
        let (mut key, mut trace) = ([0; 8], [0; 16]);
        key.copy_from_slice(&bytes[..8]);
        trace.copy_from_slice(&bytes[8..]);
        Ok(Self::new(i64::from_be_bytes(key), TraceId(trace)))
    }

    fn cursor(self) -> String {
        hex::encode([self.key.0.to_be_bytes().as_slice(), &self.trace.0].concat())
    }
}

/// Traces gathered in the first round beyond the limit: one tells whether there are more; where a trace as a whole
/// decides, some turn out not to match.
const SPARE: usize = 1;
const SPARE_OF_WHOLE: usize = 8;

/// Most traces gathered in one round.
const MOST_GATHERED: usize = 1024;

impl Engine {
    /// A page of the traces of which the query selects spans, newest first.
    ///
    /// # Errors
    /// [`QueryError::Bad`] for a query that cannot be answered yet, or a cursor that is none.
    pub async fn search_traces(&self, search: TraceSearch) -> Result<Page<TraceSummary>, QueryError> {
        let plan = Plan::new(&search.query)?;
        let after = search.cursor.as_deref().map(Position::parse).transpose()?;
        let bounds = gather::Bounds { spans: self.limits().trace_spans, bytes: ANSWER_BYTES };
        self.run(move |snapshot, deadline| page(snapshot, deadline, &search, &plan, after, bounds)).await
    }
}

fn page(
    snapshot: &Snapshot,
    deadline: &Deadline,
    search: &TraceSearch,
    plan: &Plan,
    after: Option<Position>,
    bounds: gather::Bounds,
) -> Result<Page<TraceSummary>, QueryError> {
    let mut notes = Notes::over(snapshot, search.range);
    let mut found: Vec<(Position, TraceSummary)> = Vec::new();
    let mut decided = HashSet::new();
    // Everything before it is decided.
    let mut bound = after;
    let spare = if plan.decides_by_span() { SPARE } else { SPARE_OF_WHOLE };
    let mut most = (search.limit + spare).min(MOST_GATHERED);
    loop {
        let scan = scan::Scan { search, plan, after: bound, decided: &decided, most };
        let candidates = scan.run(snapshot, deadline, &mut notes)?;
        decided.extend(candidates.iter().map(|candidate| candidate.trace));
        let traces: Vec<TraceId> = candidates.iter().map(|candidate| candidate.trace).collect();
        gather::each_trace(snapshot, deadline, plan, &traces, bounds, &mut notes, |trace| {
            let Some((key, summary)) = trace.summary(plan, search, deadline)? else { return Ok(()) };
            let position = Position::new(key, summary.id);
            if after.is_none_or(|after| position > after) {
                found.push((position, summary));
            }
            Ok(())
        })?;
        found.sort_unstable_by_key(|(position, _)| *position);
        found.truncate(search.limit + 1);
        bound = candidates.last().copied();
        let full = found.get(search.limit).is_some_and(|(last, _)| bound.is_some_and(|bound| *last <= bound));
        if full || candidates.len() < most {
            break;
        }
        most = (most * 2).min(MOST_GATHERED);
    }
    let fit = fitting(found.iter().map(|(_, summary)| text_of(summary)), ANSWER_BYTES);
    if fit < found.len().min(search.limit) {
        let told = format!("the page ends after {fit} traces, for the names of more do not fit; the next page goes on");
        notes.warnings.push(told);
    }
    let more = found.len() > fit.min(search.limit);
    found.truncate(fit.min(search.limit));
    let next = found.last().filter(|_| more).map(|(position, _)| position.cursor());
    Ok(Page { items: found.into_iter().map(|(_, summary)| summary).collect(), next, notes })
}

/// How many of the first texts fit; one always does.
fn fitting(texts: impl Iterator<Item = usize>, most: usize) -> usize {
    let sums = texts.scan(0usize, |sum, text| {
        *sum += text;
        Some(*sum)
    });
    sums.take_while(|&sum| sum <= most).count().max(1)
}

/// Bytes.
fn text_of(summary: &TraceSummary) -> usize {
    let services: usize = summary.services.iter().map(|service| service.name.len()).sum();
    summary.root_service.len() + summary.root_name.len() + services
}

#[cfg(test)]
mod tests;
