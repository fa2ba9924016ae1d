//! What the graph, the services and the findings know of spans without reading them: counts by minute.
//!
//! ```text
//!  spans ──parts──▶ one trace at a time ──calls──▶ cells of (minute, Key): counts, sketches, exemplars
//! ```
//!
//! [`Key`] says what a cell counts, [`slot`] what each of its numbers is. Everything is additive, so that
//! any set of cells, of any minutes and sources, can be summed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range as Span;
use std::sync::Arc;

use hashbrown::HashMap;
use storage::rollup::{Cell, Minute, minute_of};
pub use storage::store::Grain;
use storage::store::{CountError, Counted, Part, Snapshot};

use crate::engine::{Deadline, Engine, QueryError, Range};
use crate::graph::{intern::Names, parts};
use crate::model::Notes;

mod count;
mod key;
mod summariser;

pub(crate) use count::{Counter, place_of_peer};
pub use key::{Key, Mode, Place, PlaceKind};
pub use summariser::Summariser;

/// Which number of a cell is what.
pub mod slot {
    /// Calls of an edge, calls served, or spans of a presence.
    pub const CALLS: u16 = 0;
    /// Of these, failed: the span's status says so on either side.
    pub const ERRORS: u16 = 1;
    /// Calls of an edge of which both sides are stored.
    pub const PAIRED: u16 = 2;
    /// Plus the number of the outcome in [`super::OUTCOMES`]; `ok` is not counted.
    pub const OUTCOME: u16 = 16;
    /// Sketches of durations, a slot a bucket: on the caller's clock, on the callee's, and from sending a
    /// message to its reception.
    pub const CLIENT: u16 = 1 << 12;
    pub const SERVER: u16 = 2 << 12;
    pub const LAG: u16 = 3 << 12;
    /// Slots of one sketch.
    pub const SKETCH: u16 = 1 << 12;
    /// No slot is greater.
    pub const END: u16 = LAG + SKETCH;
}

/// Outcomes by number. Numbers are stored: append, never reorder.
pub const OUTCOMES: [&str; 12] = [
    "ok",
    "error",
    "timeout",
    "cancelled",
    "limited",
    "shed",
    "breaker_open",
    "bulkhead",
    "fallback",
    "no_instance",
    "retry_exhausted",
    "denied",
];

/// The cells of one key, by minute.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub key: Key,
    pub cells: BTreeMap<Minute, Cell>,
}

impl Series {
    /// All minutes as one.
    pub fn sum(&self) -> Cell {
        let mut sum = Cell::default();
        self.cells.values().for_each(|cell| sum.merge(cell, 1));
        sum
    }
}

/// Cells of some whole minutes.
#[derive(Clone, Debug)]
pub struct Cells {
    pub minutes: Span<Minute>,
    /// In order of key.
    pub series: Vec<Series>,
}

/// Counts as they lie in the store: only the named minutes of each rollup count.
pub(crate) type Parts = [Part];

impl Cells {
    pub(crate) fn of(parts: &Parts, minutes: Span<Minute>) -> Self {
        Self::under(parts, minutes, &[])
    }

    /// Cells of keys whose bytes begin so.
    pub(crate) fn under(parts: &Parts, minutes: Span<Minute>, keys: &[u8]) -> Self {
        let mut series: HashMap<&[u8], Option<Series>> = HashMap::new();
        for (minute, key, cell) in parts.iter().flat_map(|(minutes, rollup)| rollup.under(minutes.clone(), keys)) {
            let known = series.entry(key).or_insert_with(|| {
                // A key of a version that is not known is left to that version.
                Some(Series { key: Key::decode(key)?, cells: BTreeMap::new() })
            });
            if let Some(known) = known {
                known.cells.entry(minute).or_default().merge(cell, 1);
            }
        }
        let mut series: Vec<Series> = series.into_values().flatten().collect();
        for one in &mut series {
            one.cells.retain(|_, cell| !cell.counts.is_empty());
        }
        series.retain(|one| !one.cells.is_empty());
        series.sort_by(|a, b| a.key.cmp(&b.key));
        Self { minutes, series }
    }

    /// Calls of each key, of all minutes as one, in any order: where parts of different grain add up, none
    /// by itself is true.
    pub(crate) fn calls(sums: &Sums<'_>, minutes: Span<Minute>) -> Self {
        let counted = sums.iter().filter(|(_, cell)| cell.counts.get(slot::CALLS) > 0);
        let one = |(key, cell): &(Key, Cow<'_, Cell>)| Series {
            key: key.clone(),
            cells: BTreeMap::from([(minutes.start, calls_of(cell))]),
        };
        Self { series: counted.map(one).collect(), minutes }
    }
}

/// The sum of each key over some minutes.
pub(crate) type Sums<'a> = [(Key, Cow<'a, Cell>)];

/// Without what else is counted of the calls.
pub(crate) fn calls_of(cell: &Cell) -> Cell {
    let mut calls = Cell::default();
    calls.counts.add(slot::CALLS, cell.counts.get(slot::CALLS));
    calls
}

/// The whole minutes that a range touches.
pub fn minutes(range: Range) -> Span<Minute> {
    minute_of(range.from)..minute_of(range.to.saturating_sub(1)).saturating_add(1)
}

impl Engine {
    /// Cells of the minutes that the range touches. Bytes of cells of an answer are bounded: for months ask
    /// in parts.
    pub async fn cells(&self, range: Range) -> Result<(Cells, Notes), QueryError> {
        let minutes = minutes(range);
        self.counted(vec![(minutes.clone(), Grain::Minute)], move |counted, _| {
            let mut notes = Notes::of(&counted.snapshot);
            notes.warnings.extend_from_slice(&counted.warnings);
            Ok((Cells::of(&counted.parts.concat(), minutes), notes))
        })
        .await
    }

    /// Answers out of the counts of some minutes.
    pub(crate) async fn counted<T: Send + 'static>(
        &self,
        asked: Vec<(Span<Minute>, Grain)>,
        question: impl FnOnce(&Counted, &Deadline) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        if !self.store().counts() {
            let as_of = self.store().now();
            return self
                .run(move |snapshot, deadline| question(&of_spans(snapshot, deadline, &asked, as_of)?, deadline))
                .await;
        }
        let (turn, _waits) = self.short_turn().await?;
        let counted = turn.deadline.wait(self.store().counted(&asked)).await?;
        let counted = counted.map_err(|error| match error {
            CountError::TooLarge => QueryError::TooLarge(error.to_string()),
            CountError::Store(error) => QueryError::Internal(error.to_string()),
        })?;
        tokio::task::spawn_blocking(move || {
            turn.deadline.check()?;
            question(&counted, &turn.deadline)
        })
        .await
        .map_err(|panic| QueryError::Internal(panic.to_string()))?
    }
}

/// The same out of the spans themselves, where a store keeps no counts.
fn of_spans(
    snapshot: &Snapshot,
    deadline: &Deadline,
    asked: &[(Span<Minute>, Grain)],
    as_of: i64,
) -> Result<Counted, QueryError> {
    let ns = |minute: Minute| minute.saturating_mul(storage::rollup::NANOS_PER_MINUTE);
    let ranges = || asked.iter().map(|(minutes, _)| minutes);
    let (from, to) = (ranges().map(|range| range.start).min(), ranges().map(|range| range.end).max());
    let whole = Range { from: ns(from.unwrap_or_default()), to: ns(to.unwrap_or_default()) };
    let (mut names, mut notes) = (Names::default(), Notes::default());
    let mut counter = Counter::new(&mut names);
    parts::each_trace(snapshot, deadline, whole, &mut names, &mut notes, |trace, names| {
        counter.count(trace, names);
    })?;
    let rollup = Arc::new(counter.finish(&names));
    Ok(Counted {
        parts: ranges().map(|minutes| vec![(minutes.clone(), rollup.clone())]).collect(),
        as_of,
        warnings: notes.warnings,
        snapshot: snapshot.clone(),
    })
}

#[cfg(test)]
mod day_tests;
#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;
