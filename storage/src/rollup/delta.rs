//! What new spans change in the counts: those of their traces with them, less those without them.
//!
//! ```text
//!  new spans ─▶ fingerprints ─▶ segments within an hour ─▶ old spans of the same traces
//!                                        ▲                        │ further out?
//!                                        └────────────────────────┘
//!  delta = summarise(old ∪ new) − summarise(old)
//! ```

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampNanosecondType;
use hashbrown::{HashMap, HashSet};
use lru::LruCache;
use parking_lot::Mutex;

use super::{PARTED, Rollup, Summarise, TRACE_GAP, minute_of};
use crate::scan::ReadError;
use crate::schema::col;
use crate::segment::{Segment, project, trace_fingerprint};

/// Spans whose traces are looked at together.
pub(crate) const SHARE_ROWS: usize = 1 << 18;
/// Old spans that are held at once, about 150 bytes each. Traces that have more are counted in parts.
const MOST_OLD_ROWS: usize = 1 << 20;
/// Rows fetched at once.
const PIECE_ROWS: usize = 16_384;
/// Fingerprints in memory at most, bytes.
const FINGERPRINT_BYTES: usize = 64 << 20;

/// Where spans that were stored before are looked for.
pub(crate) struct Old<'a> {
    pub(crate) segments: &'a [Arc<Segment>],
    pub(crate) fingerprints: &'a Fingerprints,
    /// Spans that begin before it do not count (ns).
    pub(crate) from: i64,
    /// A segment that cannot be read for now will be later: fail, rather than count without it.
    pub(crate) patient: bool,
}

/// What `new` adds to the counts of what is stored.
pub(crate) fn delta(summarise: &dyn Summarise, new: &[RecordBatch], old: &Old<'_>) -> Result<Rollup, ReadError> {
    delta_beside(summarise, new, &[], old)
}

/// The same, where spans are counted already that are not stored yet.
pub(crate) fn delta_beside(
    summarise: &dyn Summarise,
    new: &[RecordBatch],
    beside: &[RecordBatch],
    old: &Old<'_>,
) -> Result<Rollup, ReadError> {
    let project = |batches: &[RecordBatch]| -> Result<Vec<RecordBatch>, ReadError> {
        batches.iter().map(|batch| projected(batch, summarise.columns())).collect()
    };
    let (new, beside) = (project(new)?, project(beside)?);
    let rows: usize = new.iter().map(RecordBatch::num_rows).sum();
    let shares = rows.div_ceil(SHARE_ROWS).max(1) as u64;
    let mut delta = Rollup::default();
    for share in 0..shares {
        let ours: Vec<RecordBatch> = match shares {
            1 => new.clone(),
            _ => new
                .iter()
                .map(|batch| only(batch, |fingerprint, _| fingerprint % shares == share))
                .collect::<Result<_, _>>()?,
        };
        let mut traces = Traces::default();
        ours.iter().try_for_each(|batch| traces.see(batch))?;
        let known: Vec<RecordBatch> = beside
            .iter()
            .map(|batch| only(batch, |fingerprint, _| traces.known.contains_key(&fingerprint)))
            .collect::<Result<_, _>>()?;
        known.iter().try_for_each(|batch| traces.see(batch))?;
        let (mut all, whole) = traces.gather(old, summarise.columns())?;
        all.extend(known.into_iter().filter(|batch| batch.num_rows() > 0));
        if !whole {
            traces.mark_parted(&mut delta);
        }
        if !all.is_empty() {
            delta.merge(&summarise.summarise(&all)?, -1);
        }
        all.extend(ours);
        delta.merge(&summarise.summarise(&all)?, 1);
    }
    Ok(delta)
}

/// Traces by fingerprint, and between which times their known spans begin.
#[derive(Default)]
pub(crate) struct Traces {
    known: HashMap<u64, Bounds>,
}

#[derive(Clone, Copy)]
struct Bounds {
    least: i64,
    greatest: i64,
    /// What was looked through, margins included; nothing yet where the first is greater.
    asked: (i64, i64),
}

impl Bounds {
    /// Whether a segment lies near the trace and was not looked at for it.
    fn wants(&self, (least, greatest): (i64, i64)) -> bool {
        let meets = |(from, to): (i64, i64)| greatest >= from && least <= to;
        meets(self.near()) && !meets(self.asked)
    }

    fn near(&self) -> (i64, i64) {
        (self.least.saturating_sub(TRACE_GAP), self.greatest.saturating_add(TRACE_GAP))
    }
}

impl Traces {
    /// Learns of the spans of a batch.
    pub(crate) fn see(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        each(batch, |fingerprint, start| {
            let bounds =
                self.known.entry(fingerprint).or_insert(Bounds { least: start, greatest: start, asked: (1, 0) });
            bounds.least = bounds.least.min(start);
            bounds.greatest = bounds.greatest.max(start);
        })
    }

    /// Every stored span of these traces that no more than [`TRACE_GAP`] parts from them, and perhaps others;
    /// and whether all of them.
    pub(crate) fn gather(&mut self, old: &Old<'_>, columns: &[&str]) -> Result<(Vec<RecordBatch>, bool), ReadError> {
        let (mut found, mut rows, mut whole) = (Vec::new(), 0, true);
        loop {
            let round: Vec<(&Arc<Segment>, Vec<u64>)> = {
                // Most segments are far from all of them.
                let near = self.known.values().map(Bounds::near);
                let near = near.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((1, 0));
                let close = old
                    .segments
                    .iter()
                    .filter(|segment| segment.meta().max_time >= near.0 && segment.meta().min_time <= near.1);
                close.filter_map(|segment| Some((segment, self.wanted(segment)?))).collect()
            };
            self.known.values_mut().for_each(|bounds| bounds.asked = bounds.near());
            if round.is_empty() || !whole {
                return Ok((found, whole));
            }
            for (segment, wanted) in round {
                let batches = match of_segment(segment, &wanted, old, columns, MOST_OLD_ROWS.saturating_sub(rows)) {
                    Ok((batches, all)) => {
                        whole &= all;
                        batches
                    }
                    Err(error @ ReadError::Io { .. }) if old.patient => return Err(error),
                    Err(error) => {
                        // Neither does any answer show what it holds.
                        tracing::warn!(%error, "calls are counted without a segment");
                        whole = false;
                        continue;
                    }
                };
                for batch in batches {
                    self.see(&batch)?;
                    rows += batch.num_rows();
                    found.push(batch);
                }
            }
        }
    }

    /// Fingerprints to look for in a segment, ascending; None where there are none.
    fn wanted(&self, segment: &Segment) -> Option<Vec<u64>> {
        let bounds = (segment.meta().min_time, segment.meta().max_time);
        let wanted = self.known.iter().filter(|(_, trace)| trace.wants(bounds));
        let mut wanted: Vec<u64> = wanted.map(|(fingerprint, _)| *fingerprint).collect();
        wanted.sort_unstable();
        (!wanted.is_empty()).then_some(wanted)
    }

    fn mark_parted(&self, rollup: &mut Rollup) {
        let minutes: HashSet<i64> = self.known.values().map(|bounds| minute_of(bounds.least)).collect();
        minutes.into_iter().for_each(|minute| rollup.cell(minute, PARTED).counts.add(0, 1));
    }
}

/// Rows of these traces, and whether all of them.
fn of_segment(
    segment: &Segment,
    wanted: &[u64],
    old: &Old<'_>,
    columns: &[&str],
    most: usize,
) -> Result<(Vec<RecordBatch>, bool), ReadError> {
    let known = old.fingerprints.of(segment)?;
    let common = common(&known, wanted);
    if common.is_empty() {
        return Ok((Vec::new(), true));
    }
    let (mut found, mut rows) = (Vec::new(), 0);
    for piece in segment.rows_near(&common)?.chunks(PIECE_ROWS) {
        if rows >= most {
            return Ok((found, false));
        }
        let batch = segment.fetch(columns, piece)?;
        let batch = only(&batch, |fingerprint, start| start >= old.from && common.binary_search(&fingerprint).is_ok())?;
        rows += batch.num_rows();
        if batch.num_rows() > 0 {
            found.push(batch);
        }
    }
    Ok((found, true))
}

/// What is in both lists, which are ascending. The second is the shorter one, as a rule by far.
fn common(mut long: &[u64], short: &[u64]) -> Vec<u64> {
    let mut both = Vec::new();
    for one in short {
        // Gallops: steps double until they are past it.
        let mut step = 1;
        while step < long.len() && long[step] < *one {
            step *= 2;
        }
        let near = &long[..long.len().min(step + 1)];
        long = &long[near.partition_point(|other| other < one)..];
        match long.first() {
            Some(first) if first == one => both.push(*one),
            Some(_) => {}
            None => break,
        }
    }
    both
}

/// The rows of a batch for which `stays` says so, of fingerprint and start (ns).
pub(crate) fn only(batch: &RecordBatch, stays: impl Fn(u64, i64) -> bool) -> Result<RecordBatch, ReadError> {
    let mut kept = Vec::with_capacity(batch.num_rows());
    each(batch, |fingerprint, start| kept.push(stays(fingerprint, start)))?;
    filter_record_batch(batch, &BooleanArray::from(kept)).map_err(|error| wrong(error.to_string()))
}

/// Fingerprint of the trace and start of each row, ns.
pub(crate) fn each(batch: &RecordBatch, mut see: impl FnMut(u64, i64)) -> Result<(), ReadError> {
    let column = |name| batch.column_by_name(name).ok_or_else(|| wrong(format!("column {name} is missing")));
    let traces = column(col::TRACE_ID)?.as_fixed_size_binary_opt();
    let traces = traces.ok_or_else(|| wrong("trace ids are of another type".to_owned()))?;
    let starts = column(col::START_TIME)?.as_primitive_opt::<TimestampNanosecondType>();
    let starts = starts.ok_or_else(|| wrong("starts are of another type".to_owned()))?.values();
    for (row, start) in starts.iter().enumerate().take(traces.len()) {
        see(trace_fingerprint(traces.value(row)), *start);
    }
    Ok(())
}

fn projected(batch: &RecordBatch, columns: &[&str]) -> Result<RecordBatch, ReadError> {
    project(batch, columns).map_err(|error| wrong(error.to_string()))
}

fn wrong(what: String) -> ReadError {
    ReadError::Damaged { file: "a block of spans".to_owned(), what }
}

/// Fingerprints of segments, those of the last used.
pub(crate) struct Fingerprints(Mutex<(Lists, usize)>);

/// By segment; and their bytes beside it.
type Lists = LruCache<i64, Arc<[u64]>>;

impl Default for Fingerprints {
    fn default() -> Self {
        const SEGMENTS: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
        Self(Mutex::new((LruCache::new(SEGMENTS), 0)))
    }
}

impl Fingerprints {
    fn of(&self, segment: &Segment) -> Result<Arc<[u64]>, ReadError> {
        let id = segment.meta().id;
        if let Some(known) = self.0.lock().0.get(&id) {
            return Ok(known.clone());
        }
        let read: Arc<[u64]> = segment.trace_fingerprints()?.into();
        let mut state = self.0.lock();
        let (cache, bytes) = &mut *state;
        if let Some((_, evicted)) = cache.push(id, read.clone()) {
            *bytes -= size_of_val(&*evicted);
        }
        *bytes += size_of_val(&*read);
        while *bytes > FINGERPRINT_BYTES {
            let Some((_, evicted)) = cache.pop_lru() else { break };
            *bytes -= size_of_val(&*evicted);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn galloping_finds_what_is_common(
            long in proptest::collection::btree_set(0u64..300, 0..80),
            short in proptest::collection::btree_set(0u64..300, 0..20),
        ) {
            let wanted: Vec<u64> = long.intersection(&short).copied().collect();
            let (long, short): (Vec<u64>, Vec<u64>) = (long.into_iter().collect(), short.into_iter().collect());
            prop_assert_eq!(common(&long, &short), wanted);
        }
    }
}
