//! Additive counts by minute: what can be told of spans without reading them again.
//!
//! A rollup is a map from (minute, key) to a [`Cell`]. Cells add up slot by slot, and a slot may be
//! negative: a contribution that has become wrong is taken back by adding its negation. What the keys and
//! the slots mean is the affair of the [`Summarise`] that makes them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::Arc;

use arrow::array::RecordBatch;
use hashbrown::HashMap;

use crate::ids::{SpanId, TraceId};
use crate::scan::ReadError;

pub(crate) mod codec;
pub(crate) mod delta;

pub use codec::{Unreadable, decode, encode};

/// Minutes since the epoch, rounded down.
pub type Minute = i64;

pub const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// The minute of a time in ns.
pub fn minute_of(time: i64) -> Minute {
    time.div_euclid(NANOS_PER_MINUTE)
}

/// Hours since the epoch, rounded down.
pub type Hour = i64;

pub const MINUTES_PER_HOUR: i64 = 60;

pub fn hour_of(minute: Minute) -> Hour {
    minute.div_euclid(MINUTES_PER_HOUR)
}

/// Spans of one trace that begin further apart, with none between, are counted as of two traces (ns). So
/// old spans of a trace need not be looked for in all that is stored.
pub const TRACE_GAP: i64 = 3600 * 1_000_000_000;

/// The key of a cell that counts nothing but how often traces were counted in parts, since they were too
/// large to hold or a part of them could not be read. No other key is so short.
pub const PARTED: &[u8] = &[0];

/// Exemplars that a cell keeps.
pub const MOST_EXEMPLARS: usize = 3;

/// Counts by slot, ascending; none of them 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(u16, i64)>);

impl Counts {
    pub fn add(&mut self, slot: u16, count: i64) {
        match self.0.binary_search_by_key(&slot, |(slot, _)| *slot) {
            Ok(at) => {
                self.0[at].1 += count;
                if self.0[at].1 == 0 {
                    self.0.remove(at);
                }
            }
            Err(at) if count != 0 => self.0.insert(at, (slot, count)),
            Err(_) => {}
        }
    }

    /// Adds 1 for each of these slots, which come in any order. `scratch` has room for the greatest, and holds
    /// zeros before and after.
    pub fn add_each(&mut self, slots: &[u16], scratch: &mut [u32]) {
        let mut touched = Vec::new();
        for slot in slots {
            let count = &mut scratch[usize::from(*slot)];
            if *count == 0 {
                touched.push(*slot);
            }
            *count += 1;
        }
        touched.sort_unstable();
        let counted = touched.into_iter().map(|slot| (slot, std::mem::take(&mut scratch[usize::from(slot)]).into()));
        self.merge(&Self(counted.collect()), 1);
    }

    /// Adds `sign` times the other: 1 or -1.
    pub fn merge(&mut self, other: &Self, sign: i64) {
        if self.0.is_empty() {
            self.0 = other.0.iter().map(|(slot, count)| (*slot, sign * count)).collect();
            return;
        }
        if !self.merge_in_place(other, sign) {
            self.merge_anew(other, sign);
        }
    }

    /// As it nearly always is where much is summed: every slot is there. False when it is not.
    fn merge_in_place(&mut self, other: &Self, sign: i64) -> bool {
        let mut at = 0;
        let mut find = |mine: &[(u16, i64)], slot: u16| {
            while mine.get(at).is_some_and(|(known, _)| *known < slot) {
                at += 1;
            }
            mine.get(at).is_some_and(|(known, _)| *known == slot).then_some(at)
        };
        if !other.0.iter().all(|(slot, _)| find(&self.0, *slot).is_some()) {
            return false;
        }
        let (mut at, mut gone) = (0, false);
        for (slot, count) in &other.0 {
            while self.0[at].0 < *slot {
                at += 1;
            }
            self.0[at].1 += sign * count;
            gone |= self.0[at].1 == 0;
        }
        if gone {
            self.0.retain(|(_, count)| *count != 0);
        }
        true
    }

    fn merge_anew(&mut self, other: &Self, sign: i64) {
        let mut merged = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some((slot, count)), Some((other_slot, other_count))) = (mine.peek(), theirs.peek()) {
            let (slot, count) = match slot.cmp(other_slot) {
                std::cmp::Ordering::Less => (*slot, *count),
                std::cmp::Ordering::Greater => (*other_slot, sign * other_count),
                std::cmp::Ordering::Equal => (*slot, count + sign * other_count),
            };
            mine.next_if(|(next, _)| *next == slot);
            theirs.next_if(|(next, _)| *next == slot);
            if count != 0 {
                merged.push((slot, count));
            }
        }
        merged.extend(mine);
        merged.extend(theirs.map(|(slot, count)| (*slot, sign * count)));
        self.0 = merged;
    }

    pub fn get(&self, slot: u16) -> i64 {
        self.0.binary_search_by_key(&slot, |(slot, _)| *slot).map_or(0, |at| self.0[at].1)
    }

    /// Slots of a range that are not 0, ascending.
    pub fn slots(&self, range: std::ops::Range<u16>) -> impl Iterator<Item = (u16, i64)> {
        let from = self.0.partition_point(|(slot, _)| *slot < range.start);
        self.0[from..].iter().copied().take_while(move |(slot, _)| *slot < range.end)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A span that shows what a cell counts. Least is best: failures first, then the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exemplar {
    pub fine: bool,
    /// ns.
    pub duration: Reverse<u64>,
    pub trace: TraceId,
    pub span: SpanId,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub counts: Counts,
    /// Best first, each once. They are kept when counts are taken back: they need not be there any more.
    pub exemplars: Vec<Exemplar>,
}

impl Cell {
    pub fn merge(&mut self, other: &Self, sign: i64) {
        self.counts.merge(&other.counts, sign);
        if sign > 0 {
            other.exemplars.iter().for_each(|exemplar| self.exemplify(*exemplar));
        }
    }

    pub fn exemplify(&mut self, exemplar: Exemplar) {
        if self.exemplars.len() == MOST_EXEMPLARS && self.exemplars.last().is_some_and(|last| *last <= exemplar) {
            return;
        }
        if let Err(at) = self.exemplars.binary_search(&exemplar)
            && at < MOST_EXEMPLARS
        {
            self.exemplars.insert(at, exemplar);
            self.exemplars.truncate(MOST_EXEMPLARS);
        }
    }
}

/// Keys are shared: an edge has one for each of its minutes.
pub type Key = Arc<[u8]>;

/// Cells by minute and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    cells: BTreeMap<Minute, BTreeMap<Key, Cell>>,
}

impl Rollup {
    pub fn cell(&mut self, minute: Minute, key: &[u8]) -> &mut Cell {
        let cells = self.cells.entry(minute).or_default();
        if !cells.contains_key(key) {
            cells.insert(key.into(), Cell::default());
        }
        cells.get_mut(key).expect("it is there or was put there")
    }

    /// Adds `sign` times the other. A cell that counts nothing any more goes.
    pub fn merge(&mut self, other: &Self, sign: i64) {
        for (minute, cells) in &other.cells {
            let mine = self.cells.entry(*minute).or_default();
            for (key, cell) in cells {
                match mine.entry(key.clone()) {
                    Entry::Vacant(free) => {
                        free.insert(Cell::default()).merge(cell, sign);
                    }
                    Entry::Occupied(mut known) => {
                        known.get_mut().merge(cell, sign);
                        if known.get().counts.is_empty() {
                            known.remove();
                        }
                    }
                }
            }
            mine.retain(|_, cell| !cell.counts.is_empty());
            if mine.is_empty() {
                self.cells.remove(minute);
            }
        }
    }

    /// Cells in order of minute and key.
    pub fn cells(&self) -> impl Iterator<Item = (Minute, &Key, &Cell)> {
        self.cells.iter().flat_map(|(minute, cells)| cells.iter().map(|(key, cell)| (*minute, key, cell)))
    }

    /// The same, of some minutes.
    pub fn within(&self, minutes: std::ops::Range<Minute>) -> impl Iterator<Item = (Minute, &Key, &Cell)> {
        self.under(minutes, &[])
    }

    /// The same, of keys that begin so.
    pub fn under<'a>(
        &'a self,
        minutes: std::ops::Range<Minute>,
        keys: &'a [u8],
    ) -> impl Iterator<Item = (Minute, &'a Key, &'a Cell)> {
        let some = if minutes.is_empty() { None } else { Some(self.cells.range(minutes)) };
        let of = move |cells: &'a BTreeMap<Key, Cell>| {
            cells
                .range::<[u8], _>((Bound::Included(keys), Bound::Unbounded))
                .take_while(|(key, _)| key.starts_with(keys))
        };
        some.into_iter().flatten().flat_map(move |(minute, cells)| of(cells).map(|(key, cell)| (*minute, key, cell)))
    }

    /// Whether a key counts anything in some minutes.
    pub fn counts_within(&self, minutes: std::ops::Range<Minute>, key: &[u8]) -> bool {
        !minutes.is_empty() && self.cells.range(minutes).any(|(_, cells)| cells.contains_key(key))
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Cells of each hour.
    pub fn by_hour(self) -> BTreeMap<Hour, Rollup> {
        let mut hours: BTreeMap<Hour, Rollup> = BTreeMap::new();
        for (minute, cells) in self.cells {
            hours.entry(hour_of(minute)).or_default().cells.insert(minute, cells);
        }
        hours
    }

    /// Some minutes of several rollups as one, the first of them.
    pub fn sum<R: AsRef<Rollup>>(rollups: &[R], minutes: std::ops::Range<Minute>) -> Rollup {
        Self::default().plus(rollups, minutes)
    }

    /// The same, added to such a sum of others.
    pub fn plus<R: AsRef<Rollup>>(self, rollups: &[R], minutes: std::ops::Range<Minute>) -> Rollup {
        // Keys have long beginnings in common, which an order would compare again and again.
        let mut sums: HashMap<Key, Cell> = self.cells.into_values().flatten().collect();
        for (_, key, cell) in rollups.iter().flat_map(|rollup| rollup.as_ref().within(minutes.clone())) {
            match sums.get_mut(key) {
                Some(sum) => sum.merge(cell, 1),
                None => {
                    sums.insert(key.clone(), cell.clone());
                }
            }
        }
        sums.retain(|_, cell| !cell.counts.is_empty());
        let mut rollup = Rollup::default();
        if !sums.is_empty() {
            rollup.cells.insert(minutes.start, sums.into_iter().collect());
        }
        rollup
    }

    /// From the first minute to the last that has cells; empty where there are none.
    pub fn minutes(&self) -> std::ops::Range<Minute> {
        let (first, last) = (self.cells.first_key_value(), self.cells.last_key_value());
        first.zip(last).map_or(Minute::MAX..Minute::MAX, |((first, _), (last, _))| *first..last.saturating_add(1))
    }

    /// Cells of keys that begin so.
    pub fn only(&self, keys: &[u8]) -> Rollup {
        let mut only = Rollup::default();
        for (minute, key, cell) in self.under(Minute::MIN..Minute::MAX, keys) {
            only.cells.entry(minute).or_default().insert(key.clone(), cell.clone());
        }
        only
    }

    /// By the minute, all cells of keys that begin so as one of this key.
    pub fn merged(&self, keys: &[u8]) -> Rollup {
        let mut merged = Rollup::default();
        for (minute, _, cell) in self.under(Minute::MIN..Minute::MAX, keys) {
            merged.cell(minute, keys).merge(cell, 1);
        }
        merged
    }

    /// Drops exemplars; counts stay.
    pub fn forget(&mut self, gone: impl Fn(&Exemplar) -> bool) {
        let cells = self.cells.values_mut().flat_map(|cells| cells.values_mut());
        cells.for_each(|cell| cell.exemplars.retain(|exemplar| !gone(exemplar)));
    }

    /// Bytes in memory, about.
    pub fn bytes(&self) -> usize {
        let cell = |cell: &Cell| {
            96 + cell.counts.0.capacity() * size_of::<(u16, i64)>() + cell.exemplars.capacity() * size_of::<Exemplar>()
        };
        self.cells.values().flat_map(|cells| cells.values()).map(cell).sum()
    }
}

impl AsRef<Rollup> for Rollup {
    fn as_ref(&self) -> &Rollup {
        self
    }
}

/// Turns spans into a rollup. It must be a function of the set of spans: of their order, of equal spans
/// and of where they lie nothing may depend.
///
/// Spans of a trace that more than [`TRACE_GAP`] parts are of two traces to it.
pub trait Summarise: Send + Sync + std::fmt::Debug {
    /// Columns of the spans table that it reads; trace id and start are among them.
    fn columns(&self) -> &'static [&'static str];

    /// The rollup of these spans, which are all that is known of their traces.
    fn summarise(&self, spans: &[RecordBatch]) -> Result<Rollup, ReadError>;
}

#[cfg(test)]
mod tests;
