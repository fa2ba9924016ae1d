//! What erased spans had added to the counts is taken back, and no chunk keeps a value that only they had.

use std::collections::BTreeSet;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampNanosecondType;
use hashbrown::HashSet;
use xxhash_rust::xxh3::Xxh3;

use super::erase::Doomed;
use super::flush::WriteError;
use super::*;
use crate::catalog::RollupChange;
use crate::rollup::delta::{Old, SHARE_ROWS, Traces, only};
use crate::rollup::{Hour, Rollup, Summarise, hour_of, minute_of};
use crate::scan::{Read, ReadError};
use crate::schema::col;
use crate::segment::Segment;

impl Store {
    /// The change of the counts that goes with the rewriting of `hit`, segments of spans. None where no spans
    /// go. Hold the lock of flushes from here to the commit: `view` is what is shown meanwhile.
    pub(super) async fn uncount(
        &self,
        view: Arc<View>,
        doomed: &[Doomed],
        hit: Vec<Arc<Segment>>,
    ) -> Result<Option<RollupChange>, WriteError> {
        let Some(summarise) = self.settings.summarise.clone().filter(|_| !hit.is_empty()) else { return Ok(None) };
        let doomed: Vec<Doomed> = doomed.iter().filter(|one| one.table == Table::Spans).cloned().collect();
        let (fingerprints, patient) = (self.counting.fingerprints.clone(), self.lake.is_bucket());
        let (base, shown) = (view.rollups.version, view.clone());
        let erasure = quiet::quietly(move || {
            let segments = &shown.table(Table::Spans).segments;
            let old = Old { segments, fingerprints: &fingerprints, from: i64::MIN, patient };
            Erasure { summarise: &*summarise, doomed: &doomed, hit: &hit }.find(&old)
        });
        let Found { spans, hours, delta } = erasure.await??;
        let mut deltas = delta.by_hour();
        let mut change = RollupChange { base: Some(base), ..RollupChange::default() };
        // What two spans of neighbouring hours had added and taken back may still stand in both.
        let near: BTreeSet<Hour> = hours
            .iter()
            .chain(deltas.keys())
            .flat_map(|hour| [hour.saturating_sub(1), *hour, hour.saturating_add(1)])
            .collect();
        for hour in near {
            let part = deltas.remove(&hour).unwrap_or_default();
            let Some(mut sum) = self.sum_of(hour).await? else {
                let what = "a chunk of the counts cannot be read, so nothing can be taken out of it".to_owned();
                return Err(WriteError::Read(ReadError::Damaged { file: "catalogue".to_owned(), what }));
            };
            if sum.ids.is_empty() && part.is_empty() {
                continue;
            }
            sum.rollup.merge(&part, 1);
            sum.rollup.forget(|exemplar| spans.contains(&hash(&exemplar.trace.0, &exemplar.span.0)));
            change.remove.extend(&sum.ids);
            change.add.extend(sum.chunks(hour));
        }
        Ok(Some(change))
    }
}

struct Erasure<'a> {
    summarise: &'a dyn Summarise,
    doomed: &'a [Doomed],
    hit: &'a [Arc<Segment>],
}

#[derive(Default)]
struct Found {
    /// Hashes of erased spans: 8 bytes for each.
    spans: HashSet<u64>,
    /// In which they began.
    hours: BTreeSet<Hour>,
    delta: Rollup,
}

impl Erasure<'_> {
    fn find(&self, old: &Old<'_>) -> Result<Found, ReadError> {
        let (mut found, mut fingerprints) = (Found::default(), Vec::new());
        self.each_erased(|batch| {
            let (traces, spans) = (ids(batch, col::TRACE_ID)?, ids(batch, col::SPAN_ID)?);
            for row in 0..batch.num_rows() {
                found.spans.insert(hash(traces.value(row), spans.value(row)));
            }
            found.hours.extend(starts(batch)?.iter().map(|start| hour_of(minute_of(*start))));
            crate::rollup::delta::each(batch, |fingerprint, _| fingerprints.push(fingerprint))
        })?;
        fingerprints.sort_unstable();
        fingerprints.dedup();
        // As many traces at once as a flush would look at spans.
        let shares = fingerprints.len().div_ceil(SHARE_ROWS / 4).max(1) as u64;
        for share in 0..shares {
            let mut traces = Traces::default();
            self.each_erased(|batch| traces.see(&only(batch, |fingerprint, _| fingerprint % shares == share)?))?;
            let (before, _) = traces.gather(old, &self.columns())?;
            let after = before.iter().map(|batch| self.without(batch)).collect::<Result<Vec<_>, _>>()?;
            found.delta.merge(&self.summarise.summarise(&before)?, -1);
            found.delta.merge(&self.summarise.summarise(&after)?, 1);
        }
        Ok(found)
    }

    /// Hands over the rows that go.
    fn each_erased(&self, mut take: impl FnMut(&RecordBatch) -> Result<(), ReadError>) -> Result<(), ReadError> {
        let columns = self.columns();
        for segment in self.hit {
            for one in self.doomed {
                let read = Read { columns: &columns, prune: &one.prune, from: one.from, to: one.to };
                for chunk in segment.read(&read)? {
                    let batch = chunk?.batch;
                    let chosen = (one.chosen)(&batch)?;
                    if chosen.true_count() > 0 {
                        take(&filtered(&batch, &chosen)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn without(&self, batch: &RecordBatch) -> Result<RecordBatch, ReadError> {
        let mut stays = vec![true; batch.num_rows()];
        for one in self.doomed {
            let chosen = (one.chosen)(batch)?;
            stays.iter_mut().enumerate().for_each(|(row, stays)| *stays &= !chosen.value(row));
        }
        filtered(batch, &BooleanArray::from(stays))
    }

    fn columns(&self) -> Vec<&'static str> {
        let all = self.summarise.columns().iter().chain(&[col::TRACE_ID, col::SPAN_ID, col::START_TIME]).copied();
        let mut columns: Vec<&str> =
            all.chain(self.doomed.iter().flat_map(|one| one.columns.iter().copied())).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

fn filtered(batch: &RecordBatch, rows: &BooleanArray) -> Result<RecordBatch, ReadError> {
    filter_record_batch(batch, rows).map_err(|error| wrong(&error.to_string()))
}

fn ids<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a arrow::array::FixedSizeBinaryArray, ReadError> {
    let column = batch.column_by_name(name).and_then(|column| column.as_fixed_size_binary_opt());
    column.ok_or_else(|| wrong("ids are of another type"))
}

fn starts(batch: &RecordBatch) -> Result<&[i64], ReadError> {
    let column = batch.column_by_name(col::START_TIME);
    let column = column.and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
    Ok(column.ok_or_else(|| wrong("starts are of another type"))?.values())
}

fn hash(trace: &[u8], span: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(trace);
    hash.update(span);
    hash.digest()
}

fn wrong(what: &str) -> ReadError {
    ReadError::Damaged { file: "a block of spans".to_owned(), what: what.to_owned() }
}
