//! Reads candidate traces whole, a few at a time, and summarises those of which spans are selected.

mod distinct;
mod read;

use hashbrown::HashMap;
use storage::ids::{SpanId, TraceId};
use storage::schema::Table;
use storage::store::Snapshot;

use super::TraceSearch;
use super::plan::Plan;
use super::shape::Shape;
use crate::engine::{Deadline, QueryError};
use crate::filter::TraceFacts;
use crate::model::{Notes, ServiceCount, TraceSummary};
use crate::rows::scan::{Halt, tolerate};
use read::{Group, Texts};

/// Traces read at once.
const GROUP: usize = 64;

/// OTLP StatusCode of a failed span.
const ERROR: i32 = 2;

/// The most that is held of one trace.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) spans: usize,
    /// Of what conditions read.
    pub(super) bytes: usize,
}

/// Hands over every one of `traces`, whole and each span once.
///
/// A trace beyond the bounds is cut there, and the notes say so.
pub(super) fn each_trace(
    snapshot: &Snapshot,
    deadline: &Deadline,
    plan: &Plan,
    traces: &[TraceId],
    bounds: Bounds,
    notes: &mut Notes,
    mut take: impl FnMut(&Gathered<'_>) -> Result<(), Halt>,
) -> Result<(), QueryError> {
    let sources = snapshot.sources(Table::Spans, i64::MIN, i64::MAX);
    let mut groups: Vec<Vec<TraceId>> = traces.chunks(GROUP).rev().map(<[TraceId]>::to_vec).collect();
    while let Some(mut group) = groups.pop() {
        let reading = read::Reading { sources: &sources, deadline, plan, bounds };
        let Some(Group { traces: found, batches, texts }) = reading.run(&group, notes)? else {
            // Too much to hold at once: half of it first.
            let rest = group.split_off(group.len() / 2);
            groups.extend([rest, group]);
            continue;
        };
        for (id, mut spans) in found {
            deadline.check()?;
            spans.sort_unstable_by_key(SpanRow::order);
            if let Err(error) = distinct::keep_distinct(&sources, &mut spans) {
                notes.unreadable(&error);
            }
            let shape = Shape::new(&spans.iter().map(|span| (span.id, span.parent)).collect::<Vec<_>>());
            let trace = Gathered { id, spans, shape, batches: &batches, texts: &texts };
            tolerate(take(&trace), notes)?;
        }
    }
    Ok(())
}

/// What a summary needs of a span, and where the rest of it lies.
#[derive(Clone, Copy, Debug)]
struct SpanRow {
    id: SpanId,
    parent: Option<SpanId>,
    start: i64,
    duration: i64,
    kind: i32,
    status: i32,
    /// Numbers of texts.
    service: u32,
    name: u32,
    /// Row of a source.
    stored: (u32, u32),
    /// Row of a batch of the group.
    place: (u32, u32),
}

impl SpanRow {
    /// By start, as sent; spans that look equal stand together.
    fn order(&self) -> impl Ord + use<> {
        let looks = (self.id, self.duration, self.parent, self.kind, self.status, self.service, self.name);
        (self.start as u64, looks, self.stored)
    }

    fn looks_like(&self, other: &Self) -> bool {
        let looks = |span: &Self| {
            let times = (span.start, span.duration);
            (span.id, times, span.parent, span.kind, span.status, span.service, span.name)
        };
        looks(self) == looks(other)
    }

    /// ns, the bits as sent.
    fn end(&self) -> u64 {
        (self.start as u64).wrapping_add(self.duration as u64)
    }
}

/// One trace whole, by start.
pub(super) struct Gathered<'a> {
    id: TraceId,
    spans: Vec<SpanRow>,
    shape: Shape,
    batches: &'a [arrow::record_batch::RecordBatch],
    texts: &'a Texts,
}

impl Gathered<'_> {
    /// The key and the summary; None where nothing is selected in the range.
    pub(super) fn summary(
        &self,
        plan: &Plan,
        search: &TraceSearch,
        deadline: &Deadline,
    ) -> Result<Option<(i64, TraceSummary)>, Halt> {
        let facts = self.facts();
        let values = plan
            .expressions()
            .iter()
            .map(|expression| expression.bind_trace(self.batches, &facts))
            .collect::<Result<Vec<_>, _>>()?;
        let selected = plan.select(&self.shape, &values, deadline)?;
        let starts = selected.iter().map(|&at| self.spans[at].start);
        let Some(key) = starts.filter(|&start| search.range.contains(start)).max() else { return Ok(None) };
        let root = self.root();
        Ok(Some((
            key,
            TraceSummary {
                id: self.id,
                root_service: facts.root_service,
                root_name: facts.root_name,
                root_kind: root.map_or(0, |root| root.kind),
                start: self.start(),
                end: self.end(),
                span_count: self.spans.len() as u64,
                error_count: self.spans.iter().filter(|span| span.status == ERROR).count() as u64,
                orphan_count: self.shape.orphans,
                services: self.services(),
                matched: selected.len() as u64,
                matched_spans: selected.iter().take(search.spans_per_trace).map(|&at| self.spans[at].id).collect(),
                key: key as u64,
            },
        )))
    }

    /// The first span without a parent, else the first whose parent is missing, else the first.
    fn root(&self) -> Option<&SpanRow> {
        let first = |wanted: &dyn Fn(usize) -> bool| (0..self.spans.len()).find(|&at| wanted(at));
        first(&|at| self.spans[at].parent.is_none())
            .or_else(|| first(&|at| self.shape.parent[at].is_none()))
            .map(|at| &self.spans[at])
            .or_else(|| self.spans.first())
    }

    fn facts(&self) -> TraceFacts {
        let root = self.root();
        TraceFacts {
            places: self.spans.iter().map(|span| span.place).collect(),
            root_name: root.map_or("", |root| self.texts.get(root.name)).to_owned(),
            root_service: root.map_or("", |root| self.texts.get(root.service)).to_owned(),
            duration: self.end().wrapping_sub(self.start()) as i64,
            parent: self.shape.parent.clone(),
            children: self.shape.children.clone(),
            nested: self.shape.nested.clone(),
        }
    }

    fn start(&self) -> u64 {
        self.spans.iter().map(|span| span.start as u64).min().unwrap_or(0)
    }

    /// A span that ends before it starts counts as ending at its start.
    fn end(&self) -> u64 {
        self.spans.iter().map(|span| span.end().max(span.start as u64)).max().unwrap_or(0)
    }

    fn services(&self) -> Vec<ServiceCount> {
        let mut counts: HashMap<u32, (u64, u64)> = HashMap::new();
        for span in &self.spans {
            let (spans, errors) = counts.entry(span.service).or_default();
            *spans += 1;
            *errors += u64::from(span.status == ERROR);
        }
        let mut services: Vec<ServiceCount> = counts
            .into_iter()
            .map(|(service, (span_count, error_count))| ServiceCount {
                name: self.texts.get(service).to_owned(),
                span_count,
                error_count,
            })
            .collect();
        services.sort_by(|a, b| b.span_count.cmp(&a.span_count).then_with(|| a.name.cmp(&b.name)));
        services
    }
}
