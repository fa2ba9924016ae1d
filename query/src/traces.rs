//! One trace whole: every stored span, whenever it came, with its tree and critical path.

use std::time::Duration;

use hashbrown::HashMap;
use storage::ids::{SpanId, TraceId};
use storage::schema::col;
use storage::store::Snapshot;
use storage::terms::Prune;

use crate::engine::{Deadline, Engine, QueryError};
use crate::model::{Notes, Span, Trace};
use crate::rows::scan::ANSWER_BYTES;
use crate::rows::{Columns, Origins, SPAN_COLUMNS, SpanReader};
use crate::tree::{self, Built, Node};

mod distinct;
mod links;
pub(crate) mod read;
mod skeleton;
mod skew;

pub use skeleton::Skeleton;

use distinct::Distinct;
use read::{Wanted, each_chunk};

/// A trace may still grow while its newest span is younger than this.
const SETTLED_AFTER: Duration = Duration::from_secs(30);

impl Engine {
    /// The trace; None where no span of it is stored.
    pub async fn trace(&self, id: TraceId) -> Result<Option<Trace>, QueryError> {
        Ok(self.trace_or_notes(id).await?.ok())
    }

    /// The trace; or, where no span of it was found, what to say of that: it may be in what could not be
    /// read. Asking a second time would not do, for a bucket that failed may answer then.
    pub async fn trace_or_notes(&self, id: TraceId) -> Result<Result<Trace, Notes>, QueryError> {
        let (mut traces, notes) = self.traces_and_notes(&[id]).await?;
        Ok(traces.pop().ok_or(notes))
    }

    /// Traces in the order asked, those left out of which no span is stored. All their spans together
    /// are at most [`crate::Limits::trace_spans`], with at most 256 MiB of text.
    pub async fn traces(&self, ids: &[TraceId]) -> Result<Vec<Trace>, QueryError> {
        Ok(self.traces_and_notes(ids).await?.0)
    }

    async fn traces_and_notes(&self, ids: &[TraceId]) -> Result<(Vec<Trace>, Notes), QueryError> {
        let (ids, most, now) = (ids.to_vec(), self.limits().trace_spans, self.now());
        self.run(move |snapshot, deadline| {
            let mut found = Found::new(&ids, most, ANSWER_BYTES);
            let mut notes = Notes::of(snapshot);
            found.read(snapshot, deadline, &mut notes, |_| true)?;
            let mut traces = Vec::new();
            for id in ids {
                let Some(spans) = found.spans.remove(&id).filter(|spans| !spans.is_empty()) else { continue };
                deadline.check()?;
                let mut notes = notes.clone();
                found.distinct.tell_of_cut(id, spans.len(), &mut notes);
                traces.push(assemble(id, spans, notes, now));
            }
            Ok((traces, notes))
        })
        .await
    }

    /// Every span of a trace that bears this id, by start: more than one where the id was used twice.
    pub async fn spans_of(&self, trace: TraceId, span: SpanId) -> Result<(Vec<Span>, Notes), QueryError> {
        let most = self.limits().trace_spans;
        self.run(move |snapshot, deadline| {
            let mut found = Found::new(&[trace], most, ANSWER_BYTES);
            let mut notes = Notes::of(snapshot);
            found.read(snapshot, deadline, &mut notes, |id| id == span)?;
            let mut spans = found.spans.remove(&trace).unwrap_or_default();
            found.distinct.tell_of_cut(trace, spans.len(), &mut notes);
            sort(&mut spans);
            Ok((spans, notes))
        })
        .await
    }
}

/// Rows of these traces may be anywhere.
fn prune(ids: &[TraceId]) -> Prune {
    match ids {
        [id] => Prune::trace(*id),
        ids => Prune::Any(ids.iter().map(|&id| Prune::trace(id)).collect()),
    }
}

/// Whole spans of the asked traces.
struct Found {
    spans: HashMap<TraceId, Vec<Span>>,
    prune: Prune,
    distinct: Distinct,
    origins: Origins,
    /// Of the resources and scopes, which spans share; bytes.
    most_text: usize,
}

impl Found {
    fn new(ids: &[TraceId], most: usize, most_text: usize) -> Self {
        Self {
            spans: ids.iter().map(|&id| (id, Vec::new())).collect(),
            prune: prune(ids),
            distinct: Distinct::new(most, most_text),
            origins: Origins::default(),
            most_text,
        }
    }

    fn read(
        &mut self,
        snapshot: &Snapshot,
        deadline: &Deadline,
        notes: &mut Notes,
        wanted: impl Fn(SpanId) -> bool,
    ) -> Result<(), QueryError> {
        let Self { spans, prune, distinct, origins, most_text } = self;
        if spans.is_empty() {
            return Ok(());
        }
        let everything = Wanted { columns: SPAN_COLUMNS, prune, range: crate::Range::ALL };
        each_chunk(snapshot, deadline, &everything, notes, |batch| {
            let chosen = distinct.choose(batch, |trace, span| spans.contains_key(&trace) && wanted(span))?;
            let traces = Columns::new(&chosen).ids::<16>(col::TRACE_ID)?;
            let mut reader = SpanReader::new(&chosen, origins)?;
            for row in 0..chosen.num_rows() {
                let Some(trace) = traces.get(row).map(TraceId) else { continue };
                if reader.origin_bytes() > *most_text {
                    distinct.leave_out(trace);
                    continue;
                }
                spans.entry(trace).or_default().push(reader.get(row)?);
            }
            Ok(())
        })
    }
}

fn assemble(id: TraceId, mut spans: Vec<Span>, mut notes: Notes, now: u64) -> Trace {
    sort(&mut spans);
    let nodes: Vec<Node> = spans.iter().map(Node::of).collect();
    let Built { tree, cut } = tree::build(&nodes);
    let critical_path = tree::critical_path(&nodes, &tree);
    tell_of_cycles(&nodes, &cut, &mut notes);
    notes.maybe_incomplete = spans.iter().any(|span| is_fresh(span.received, now));
    let failed: Vec<bool> = spans.iter().map(|span| span.status_code == 2).collect();
    let exits: Vec<bool> = spans.iter().map(|span| span.role == "exit").collect();
    let error_origins = tree::error_origins(&nodes, &tree, &failed, &exits);
    let last_arrival = spans.iter().map(|span| span.received).max().unwrap_or_default();
    Trace { id, spans, tree, critical_path, error_origins, last_arrival, notes }
}

fn sort(spans: &mut [Span]) {
    spans.sort_by(|a, b| {
        let order = |span: &Span| (Node::of(span), span.received);
        order(a).cmp(&order(b)).then_with(|| (&a.service, &a.name).cmp(&(&b.service, &b.name)))
    });
}

fn tell_of_cycles(nodes: &[Node], cut: &[usize], notes: &mut Notes) {
    if let Some(&first) = cut.first() {
        let many = if cut.len() == 1 { String::new() } else { format!(" and {} more", cut.len() - 1) };
        notes.warnings.push(format!(
            "spans are their own ancestors; span {}{many} is shown as a root to break the circle",
            nodes[first].id
        ));
    }
}

impl Engine {
    /// ns since the epoch, by the store's clock.
    fn now(&self) -> u64 {
        self.store().settings().clock.now() as u64
    }
}

fn is_fresh(received: u64, now: u64) -> bool {
    now.saturating_sub(received) < SETTLED_AFTER.as_nanos() as u64
}

#[cfg(test)]
mod spread_tests;
#[cfg(test)]
mod stored_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
