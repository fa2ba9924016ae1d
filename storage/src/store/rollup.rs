//! Counts by the minute as they are kept: committed with the rows they count, summed when an hour is over,
//! dropped with the last rows of an hour.

use std::collections::BTreeMap;

use super::flush::{Committed, WriteError, Written};
use super::*;
use crate::catalog::{CatalogError, Change, ChunkKind, ChunkMeta, NewChunk, RollupChange};
use crate::fault;
use crate::rollup::{Hour, MINUTES_PER_HOUR, Minute, NANOS_PER_MINUTE, Rollup, hour_of, minute_of};

/// Against other writers that flush meanwhile.
const ATTEMPTS: u32 = 8;

/// Chunks of an hour that is not over, before they are summed: with a flush every 30 s, after eight minutes.
const MANY: usize = 16;

/// An hour is over so long after its end, minutes: most of what comes late has come by then.
const AFTER: Minute = 5;

/// Hours that are summed in one commit.
const HOURS: usize = 16;

impl Store {
    /// Commits the segments of a flush with what they change in the counts.
    pub(super) async fn commit_flush(
        self: &Arc<Self>,
        written: Vec<Written>,
        sequence: u64,
    ) -> Result<Committed<'_>, WriteError> {
        let mut attempt = 1;
        loop {
            let rollup = match self.flush_delta().await {
                Ok(rollup) => rollup,
                Err(error) => {
                    self.discard_all(&written).await;
                    return Err(error);
                }
            };
            *self.unsettled.lock() = Some(sequence);
            fault::point("flush.before-commit")?;
            let checkpoint = Some(sequence).filter(|_| !fault::planted("bug.lose-checkpoint"));
            match self.commit_change(&written, Change { checkpoint, rollup, ..Change::default() }).await {
                Err(WriteError::Catalog(CatalogError::Conflict(_))) if attempt < ATTEMPTS => {
                    // Nothing was committed. Another writer may hold spans of the same traces by now.
                    *self.unsettled.lock() = None;
                    self.reconcile().await?;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// What the frozen spans change; None where there are none.
    async fn flush_delta(self: &Arc<Self>) -> Result<Option<RollupChange>, WriteError> {
        let view = self.view.load_full();
        let frozen: Vec<RecordBatch> =
            view.table(Table::Spans).frozen.iter().map(|batch| batch.rows().clone()).collect();
        if frozen.is_empty() || !self.counts() {
            return Ok(None);
        }
        let (store, base) = (self.clone(), view.rollups.version);
        let add = self.at_leisure(move || Ok::<_, WriteError>(deltas(store.delta(&view, &frozen, &[])?))).await??;
        Ok(Some(RollupChange { base: Some(base), add, ..RollupChange::default() }))
    }

    /// Sums the chunks of hours that are over, and of others that have many.
    pub async fn sum_counts(&self) -> Result<(), WriteError> {
        let _alone = self.maintenance.lock().await;
        let now = minute_of(self.settings.clock.now());
        let due = due(&self.view.load().rollups.chunks, now);
        if due.is_empty() || !self.reconcile().await? || !self.leads().await? {
            return Ok(());
        }
        let due = self::due(&self.view.load().rollups.chunks, now);
        for hours in due.chunks(HOURS) {
            if *self.closed.borrow() {
                return Ok(());
            }
            let mut change = RollupChange::default();
            for (hour, over) in hours {
                // A damaged hour stays as it is, and answers say so.
                if let Some(mut sum) = self.sum_of(*hour).await? {
                    sum.over |= over;
                    change.remove.append(&mut sum.ids);
                    change.add.extend(sum.chunks(*hour));
                }
            }
            fault::point("counts.before-commit")?;
            match self.commit_counts(change).await {
                Err(WriteError::Catalog(CatalogError::Conflict(_))) => return self.reconcile().await.map(drop),
                result => result?,
            }
            fault::point("counts.after-commit")?;
        }
        Ok(())
    }

    /// Commits chunks in the place of others and shows them.
    pub(super) async fn commit_counts(&self, change: RollupChange) -> Result<(), WriteError> {
        if change.add.is_empty() && change.remove.is_empty() && change.backfill.is_none() {
            return Ok(());
        }
        let committed = self.commit_change(&[], Change { rollup: Some(change), ..Change::default() }).await?;
        self.change(|view| committed.count(view));
        Ok(())
    }

    /// All of an hour by minute, and its chunks; None where one of them cannot be read.
    pub(super) async fn sum_of(&self, hour: Hour) -> Result<Option<Sum>, WriteError> {
        let view = self.view.load_full();
        let chunks: Vec<ChunkMeta> = view.rollups.chunks.iter().filter(|chunk| chunk.hour == hour).copied().collect();
        let mut sum = Sum::default();
        for chunk in chunks {
            sum.over |= chunk.kind == ChunkKind::Hour;
            if chunk.kind != ChunkKind::Hour {
                match self.chunk(chunk.id).await? {
                    Some(Ok(rollup)) => sum.rollup.merge(&rollup, 1),
                    Some(Err(error)) => {
                        tracing::error!(%error, chunk = chunk.id, "this chunk of the counts stays as it is");
                        return Ok(None);
                    }
                    None => return Err(CatalogError::Conflict("the counts of an hour were summed".to_owned()).into()),
                }
            }
            sum.ids.push(chunk.id);
        }
        Ok(Some(sum))
    }

    /// Drops the counts of hours that are past their time and of which no row is left.
    pub(super) async fn retire_counts(&self) -> Result<(), WriteError> {
        let Retention { age, most_bytes, .. } = self.settings.retention;
        if age.is_none() && most_bytes.is_none() {
            return Ok(());
        }
        let _alone = self.maintenance.lock().await;
        let view = self.view.load_full();
        let nanos = |age: Duration| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        let cutoff = age.map_or(i64::MAX, |age| self.settings.clock.now().saturating_sub(nanos(age)));
        let part = view.table(Table::Spans);
        let stored = part.segments.iter().map(|segment| segment.meta().min_time);
        let live = part.frozen.iter().chain(&part.live).map(|batch| batch.time_bounds().0);
        let past = stored.chain(live).min().unwrap_or(i64::MAX).min(cutoff);
        let end = |hour: Hour| hour.saturating_add(1).saturating_mul(MINUTES_PER_HOUR).saturating_mul(NANOS_PER_MINUTE);
        let gone = view.rollups.chunks.iter().filter(|chunk| end(chunk.hour) <= past);
        let remove: Vec<i64> = gone.map(|chunk| chunk.id).collect();
        if remove.is_empty() || !self.leads().await? {
            return Ok(());
        }
        match self.commit_counts(RollupChange { remove, ..RollupChange::default() }).await {
            Err(WriteError::Catalog(CatalogError::Conflict(_))) => self.reconcile().await.map(drop),
            result => result,
        }
    }
}

/// An hour in the making: cells by minute.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) ids: Vec<i64>,
    pub(super) rollup: Rollup,
    /// It has a sum.
    pub(super) over: bool,
}

impl Sum {
    /// As it is stored; nothing where nothing is counted.
    pub(super) fn chunks(self, hour: Hour) -> Vec<NewChunk> {
        if self.rollup.is_empty() {
            return Vec::new();
        }
        if !self.over {
            return vec![NewChunk::new(ChunkKind::Delta, hour, self.rollup)];
        }
        let first = hour.saturating_mul(MINUTES_PER_HOUR);
        let sum = Rollup::sum(&[&self.rollup], first..first.saturating_add(MINUTES_PER_HOUR));
        vec![NewChunk::new(ChunkKind::Minutes, hour, self.rollup), NewChunk::new(ChunkKind::Hour, hour, sum)]
    }
}

/// A delta as it is stored.
pub(super) fn deltas(delta: Rollup) -> Vec<NewChunk> {
    delta.by_hour().into_iter().map(|(hour, part)| NewChunk::new(ChunkKind::Delta, hour, part)).collect()
}

/// Hours whose chunks are to be summed, and whether they are over.
fn due(chunks: &[ChunkMeta], now: Minute) -> Vec<(Hour, bool)> {
    let mut deltas: BTreeMap<Hour, usize> = BTreeMap::new();
    for chunk in chunks.iter().filter(|chunk| chunk.kind == ChunkKind::Delta) {
        *deltas.entry(chunk.hour).or_default() += 1;
    }
    let current = hour_of(now.saturating_sub(AFTER));
    let due = deltas.into_iter().map(|(hour, count)| (hour, count, hour < current));
    due.filter(|(_, count, over)| *over || *count >= MANY).map(|(hour, _, over)| (hour, over)).collect()
}

#[cfg(test)]
mod tests;
