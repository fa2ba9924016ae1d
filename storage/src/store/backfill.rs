//! Counts of a lake that an earlier version wrote: once, behind the start, an hour at a time from the newest.
//!
//! ```text
//!  segments up to the last of that version:  … │ hour │ hour │ counted … │      later segments: by their flush
//!                                              ◀── spans that begin in it, less what is counted behind
//! ```
//!
//! Each step adds what the spans of its hours change in the counts of those behind, as a flush does; so
//! whatever a flush adds meanwhile, all of it adds up. Until the end those segments stay as they are.

use std::time::Instant;

use super::flush::WriteError;
use super::*;
use crate::catalog::{Backfill, RollupChange};
use crate::rollup::delta::{Old, SHARE_ROWS, delta, only};
use crate::rollup::{MINUTES_PER_HOUR, NANOS_PER_MINUTE, Rollup};
use crate::scan::{Read, ReadError};
use crate::segment::Segment;
use crate::terms::Prune;

/// So long at a time; then whatever else a keeper does has its turn.
const TURN: Duration = Duration::from_secs(10);

impl Store {
    /// Whether an earlier version's rows are not counted yet.
    pub(super) fn is_backfilling(&self) -> bool {
        self.counts() && self.view.load().rollups.backfill.is_some()
    }

    /// Counts some hours; true when there is more to do.
    pub(super) async fn backfill(&self) -> Result<bool, WriteError> {
        let began = Instant::now();
        while self.is_backfilling() {
            if *self.closed.borrow() || !self.leads().await? || !self.reconcile().await? {
                return Ok(false);
            }
            let _alone = self.maintenance.lock().await;
            let view = self.view.load_full();
            let Some(before) = view.rollups.backfill else { return Ok(false) };
            let segments: Vec<Arc<Segment>> = view.table(Table::Spans).segments.to_vec();
            let segments = segments.into_iter().filter(|segment| segment.meta().id <= before.last_segment).collect();
            let change = self.step(before, segments).await?;
            if let Err(error) = self.commit_counts(change).await {
                return match error {
                    WriteError::Catalog(crate::catalog::CatalogError::Conflict(_)) => {
                        self.reconcile().await?;
                        Ok(true)
                    }
                    error => Err(error),
                };
            }
            if began.elapsed() > TURN {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn step(&self, before: Backfill, segments: Vec<Arc<Segment>>) -> Result<RollupChange, WriteError> {
        let below = segments.iter().map(|segment| segment.meta()).filter(|meta| meta.min_time < before.below);
        let Some(last) = below.map(|meta| meta.max_time.min(before.below - 1)).max() else {
            tracing::info!("all that an earlier version stored is counted");
            return Ok(RollupChange { backfill: Some((before, None)), ..RollupChange::default() });
        };
        const HOUR: i64 = MINUTES_PER_HOUR * NANOS_PER_MINUTE;
        let from = last.div_euclid(HOUR).saturating_mul(HOUR);
        let Some(summarise) = self.settings.summarise.clone() else { return Ok(RollupChange::default()) };
        let (fingerprints, patient) = (self.counting.fingerprints.clone(), self.lake.is_bucket());
        let counted = quiet::quietly(move || {
            let window = Window { from, to: before.below };
            let old = Old { segments: &segments, fingerprints: &fingerprints, from: before.below, patient };
            window.count(&*summarise, &old)
        });
        let add = super::rollup::deltas(counted.await??);
        let after = Backfill { below: from, ..before };
        Ok(RollupChange { base: None, add, backfill: Some((before, Some(after))), ..RollupChange::default() })
    }
}

/// Spans that begin in `from..to`.
struct Window {
    from: i64,
    to: i64,
}

impl Window {
    /// Share by share of the traces, so that memory stays bounded.
    fn count(&self, summarise: &dyn crate::rollup::Summarise, old: &Old<'_>) -> Result<Rollup, ReadError> {
        let met: Vec<&Arc<Segment>> = old
            .segments
            .iter()
            .filter(|segment| segment.meta().max_time >= self.from && segment.meta().min_time < self.to)
            .collect();
        let rows: u64 = met.iter().map(|segment| segment.meta().rows).sum();
        let shares = rows.div_ceil(SHARE_ROWS as u64 * 4).max(1);
        let mut sum = Rollup::default();
        for share in 0..shares {
            let mut batches = Vec::new();
            for segment in &met {
                if let Err(error) = self.read(segment, summarise.columns(), (share, shares), &mut batches) {
                    if old.patient && matches!(error, ReadError::Io { .. }) {
                        return Err(error);
                    }
                    tracing::error!(%error, "spans of an earlier version cannot be read: they are not counted");
                }
            }
            sum.merge(&delta(summarise, &batches, old)?, 1);
        }
        Ok(sum)
    }

    fn read(
        &self,
        segment: &Segment,
        columns: &[&str],
        (share, shares): (u64, u64),
        batches: &mut Vec<RecordBatch>,
    ) -> Result<(), ReadError> {
        let read = Read { columns, prune: &Prune::All, from: self.from, to: self.to };
        for chunk in segment.read(&read)? {
            let ours = only(&chunk?.batch, |fingerprint, start| {
                fingerprint % shares == share && start >= self.from && start < self.to
            })?;
            if ours.num_rows() > 0 {
                batches.push(ours);
            }
        }
        Ok(())
    }
}
