//! Traces with rows that may be selected, newest first, without reading older sources than needed.

use arrow::record_batch::RecordBatch;
use hashbrown::{HashMap, HashSet};
use storage::ids::TraceId;
use storage::scan::{Chunk, Read};
use storage::schema::{Table, col};
use storage::store::{Snapshot, TimeOrder};

use super::plan::Plan;
use super::{Position, TraceSearch};
use crate::engine::{Deadline, QueryError, Range};
use crate::filter::Truth;
use crate::model::Notes;
use crate::rows::Columns;
use crate::rows::scan::{self, Halt, Pace};

pub(super) struct Scan<'a> {
    pub(super) search: &'a TraceSearch,
    pub(super) plan: &'a Plan,
    /// Only what comes after it.
    pub(super) after: Option<Position>,
    /// Traces to leave out.
    pub(super) decided: &'a HashSet<TraceId>,
    /// How many of the first to return.
    pub(super) most: usize,
}

impl Scan<'_> {
    /// The first `most` traces in order, each at its best row after `after`. Fewer: there are no more.
    pub(super) fn run(
        &self,
        snapshot: &Snapshot,
        deadline: &Deadline,
        notes: &mut Notes,
    ) -> Result<Vec<Position>, QueryError> {
        let Range { from, to } = self.search.range;
        let to = self.after.map_or(to, |after| to.min(after.key.0.saturating_add(1)));
        let columns = self.columns();
        let mut best = Best::new(self.most);
        for source in snapshot.sources(Table::Spans, from, to) {
            best.settle();
            let from = from.max(best.oldest());
            if source.time_bounds().1 < from {
                break;
            }
            let read = Read { columns: &columns, prune: self.plan.prune(), from, to };
            for piece in scan::pieces(&source, &read, TimeOrder::NewestFirst, notes) {
                best.settle();
                if piece.greatest < best.oldest() {
                    break;
                }
                let take = |chunk: &Chunk| self.take(&chunk.batch, deadline, &mut best);
                scan::each_chunk_of(&source, &read, &piece, deadline, notes, take)?;
            }
        }
        Ok(best.finish())
    }

    fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec![col::TRACE_ID, col::START_TIME];
        columns.extend(self.plan.columns());
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    fn take(&self, batch: &RecordBatch, deadline: &Deadline, best: &mut Best) -> Result<(), Halt> {
        let columns = Columns::new(batch);
        let (traces, starts) = (columns.ids::<16>(col::TRACE_ID)?, columns.times(col::START_TIME)?);
        let filters = self.plan.bind(batch)?;
        let mut pace = Pace::new(deadline, batch, self.plan.conditions());
        for row in (0..batch.num_rows()).filter(|&row| self.search.range.contains(starts[row])) {
            let Some(trace) = traces.get(row).map(TraceId) else { continue };
            let position = Position::new(starts[row], trace);
            if self.after.is_some_and(|after| position <= after) || !best.wants(position) {
                continue;
            }
            if self.decided.contains(&trace) {
                continue;
            }
            pace.row(row)?;
            if filters.iter().any(|filter| filter.check(row) != Truth::No) {
                best.insert(position);
            }
        }
        Ok(())
    }
}

/// The first positions seen, one a trace, in bounded memory.
struct Best {
    traces: HashMap<TraceId, Position>,
    most: usize,
    /// The last of `most`: what comes after it is not wanted.
    worst: Option<Position>,
}

impl Best {
    fn new(most: usize) -> Self {
        Self { traces: HashMap::new(), most, worst: None }
    }

    fn wants(&self, position: Position) -> bool {
        self.worst.is_none_or(|worst| position < worst)
    }

    /// What is older is not wanted, ns.
    fn oldest(&self) -> i64 {
        self.worst.map_or(i64::MIN, |worst| worst.key.0)
    }

    fn insert(&mut self, position: Position) {
        let known = self.traces.entry(position.trace).or_insert(position);
        *known = position.min(*known);
        if self.traces.len() >= 4 * self.most + 64 {
            self.settle();
        }
    }

    /// Drops what is not among the first `most`. A dropped trace that shows a better row comes again.
    fn settle(&mut self) {
        if self.traces.len() < self.most {
            return;
        }
        let mut positions: Vec<Position> = self.traces.values().copied().collect();
        if let Some(last) = self.most.checked_sub(1) {
            let (_, worst, _) = positions.select_nth_unstable(last);
            let worst = *worst;
            self.traces.retain(|_, position| *position <= worst);
            self.worst = Some(worst);
        }
    }

    fn finish(mut self) -> Vec<Position> {
        self.settle();
        let mut positions: Vec<Position> = self.traces.into_values().collect();
        positions.sort_unstable();
        positions.truncate(self.most);
        positions
    }
}
