//! Traces with rows that may be selected, newest first, without reading older sources than needed.

use arrow::record_batch::RecordBatch;
use hashbrown::{HashMap, HashSet};
use storage::ids::TraceId;
use storage::scan::{Read, ReadError};
use storage::schema::{Table, col};
use storage::store::Snapshot;

use super::plan::Plan;
use super::{Position, TraceSearch};
use crate::engine::{Deadline, QueryError};
use crate::filter::Truth;
use crate::model::Notes;
use crate::rows::Columns;

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
        let range = self.search.range;
        let from = range.from.saturating_sub(self.search.lookback);
        let to = match self.after {
            Some(after) => range.to.min(after.key.0.saturating_add(1)),
            None => range.to,
        };
        let columns = self.columns();
        let mut best = Best::new(self.most);
        for source in snapshot.sources(Table::Spans, from, to) {
            deadline.check()?;
            best.settle();
            let from = from.max(best.worst.map_or(i64::MIN, |worst| worst.key.0));
            if source.time_bounds().1 < from {
                break;
            }
            let read = Read { columns: &columns, prune: self.plan.prune(), from, to };
            let chunks = match source.read(&read) {
                Ok(chunks) => chunks,
                Err(error) => {
                    notes.unreadable(&error);
                    continue;
                }
            };
            for chunk in chunks {
                deadline.check()?;
                let taken = chunk.and_then(|chunk| {
                    notes.rows_read += chunk.batch.num_rows() as u64;
                    self.take(&chunk.batch, &mut best)
                });
                if let Err(error) = taken {
                    notes.unreadable(&error);
                }
            }
        }
        Ok(best.finish())
    }

    fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec![col::TRACE_ID, col::START_TIME, col::DURATION];
        columns.extend(self.plan.columns());
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    fn take(&self, batch: &RecordBatch, best: &mut Best) -> Result<(), ReadError> {
        let columns = Columns::new(batch);
        let traces = columns.ids::<16>(col::TRACE_ID)?;
        let (starts, durations) = (columns.times(col::START_TIME)?, columns.i64s(col::DURATION)?);
        let filters = self.plan.bind(batch)?;
        for row in 0..batch.num_rows() {
            if !self.search.in_range(starts[row], durations[row]) {
                continue;
            }
            let Some(trace) = traces.get(row).map(TraceId) else { continue };
            let position = Position::new(starts[row], trace);
            if self.after.is_some_and(|after| position <= after) || !best.wants(position) {
                continue;
            }
            if self.decided.contains(&trace) || !filters.iter().any(|filter| filter.check(row) != Truth::No) {
                continue;
            }
            best.insert(position);
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
