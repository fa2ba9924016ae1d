//! What a store does on its own: flush by size and age, compact, retire, clear away.

use std::time::Instant;

use hashbrown::HashSet;

use super::flush::{WriteError, add};
use super::*;
use crate::scan::Read;
use crate::segment::Segment;
use crate::terms::Prune;

/// How often age, retention and garbage are looked at.
const TICK: Duration = Duration::from_millis(500);
const SWEEP: Duration = Duration::from_secs(60);

/// This many neighbours of like size make one. Each row is written log8 of the growth of the store
/// again, and a table has at most 7 segments of a size.
const FAN_IN: usize = 8;

/// A segment past this many rows is left as it is: rewriting it would take too much memory at once.
const FULL_ROWS: u64 = 1_000_000;
/// The same in bytes of Parquet: rows are some ten times as large in memory.
const FULL_BYTES: u64 = 48 << 20;

/// How long files stay after the catalogue has let go of them: longer than any query of ours, and
/// enough for others who read the lake.
const GRACE: Duration = Duration::from_secs(600);

impl Store {
    pub(super) fn start_background(self: &Arc<Self>) {
        let store = Arc::downgrade(self);
        let mut closed = self.closed.subscribe();
        let task = tokio::spawn(async move {
            let mut last_flush = Instant::now();
            let mut last_sweep = None::<Instant>;
            loop {
                let Some(store) = store.upgrade() else { return };
                let woken = tokio::select! {
                    _ = closed.wait_for(|closed| *closed) => return,
                    () = store.wake.notified() => true,
                    () = tokio::time::sleep(TICK) => false,
                };
                let due = woken || last_flush.elapsed() >= store.settings.flush_age;
                let pending = store.last_sequence.load(Ordering::SeqCst) != store.checkpoint.load(Ordering::SeqCst);
                if due && pending {
                    report("flush", store.flush().await.map(drop));
                    report("compaction", store.compact().await);
                    last_flush = Instant::now();
                } else if due {
                    last_flush = Instant::now();
                }
                if last_sweep.is_none_or(|at| at.elapsed() >= SWEEP) {
                    report("retention", store.retire().await);
                    report("clearing", store.clear_garbage().await);
                    last_sweep = Some(Instant::now());
                }
            }
        });
        *self.background.lock() = Some(task);
    }

    /// Flushes, stops background work and closes the log. Later appends are refused.
    pub async fn close(self: &Arc<Self>) -> Result<(), WriteError> {
        self.closed.send_replace(true);
        let task = self.background.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "background work had ended early");
        }
        let flushed = self.flush().await;
        if let Some(wal) = self.wal.get() {
            wal.close().await;
        }
        self.catalog.close().await;
        flushed.map(drop)
    }

    /// Merges runs of small segments until there are none.
    pub async fn compact(&self) -> Result<(), WriteError> {
        let _alone = self.maintenance.lock().await;
        for table in Table::ALL {
            // Merging a segment whose rows another program deleted would bring them back.
            let deleted = self.catalog.deleted_rows().await?;
            let mut left: HashSet<i64> = deleted.into_keys().collect();
            left.extend(self.unmergeable.lock().iter());
            while let Some(run) = pick(&self.view.load().table(table).segments, &left) {
                let ids: Vec<i64> = run.iter().map(|segment| segment.meta().id).collect();
                if let Err(error) = self.merge(table, run).await {
                    // Not tried again before a restart: one damaged segment must not hold up the others.
                    tracing::error!(%error, table = table.name(), segments = ?ids, "these segments stay as they are");
                    self.unmergeable.lock().extend(&ids);
                    left.extend(ids);
                }
                if *self.closed.borrow() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn merge(&self, table: Table, run: Vec<Arc<Segment>>) -> Result<(), WriteError> {
        let sources = run.clone();
        let batches = tokio::task::spawn_blocking(move || read_all(table, &sources)).await??;
        let (found, known) = (rows_of(&batches), run.iter().map(|segment| segment.meta().rows).sum::<u64>());
        if found != known {
            let what = format!("{found} rows were read where {known} are stored");
            return Err(crate::scan::ReadError::Damaged { file: format!("{} segments", table.name()), what }.into());
        }
        let Some(written) = self.write_segment(table, batches).await? else { return Ok(()) };
        let removed: Vec<i64> = run.iter().map(|segment| segment.meta().id).collect();
        tracing::debug!(table = table.name(), segments = removed.len(), rows = written.meta.rows, "compacted");
        let segments = self.commit(vec![written], removed.clone(), None).await?;
        self.replace(table, &removed, segments);
        Ok(())
    }

    /// Drops segments whose newest row is past its time.
    pub async fn retire(&self) -> Result<(), WriteError> {
        let Some(retention) = self.settings.retention else { return Ok(()) };
        let _alone = self.maintenance.lock().await;
        let oldest = self.settings.clock.now().saturating_sub(i64::try_from(retention.as_nanos()).unwrap_or(i64::MAX));
        let view = self.view.load_full();
        let past: Vec<_> = view.segments().filter(|segment| segment.meta().max_time < oldest).cloned().collect();
        if past.is_empty() {
            return Ok(());
        }
        let removed: Vec<i64> = past.iter().map(|segment| segment.meta().id).collect();
        self.commit(Vec::new(), removed.clone(), None).await?;
        Table::ALL.into_iter().for_each(|table| self.replace(table, &removed, Vec::new()));
        tracing::info!(segments = removed.len(), "retired by age");
        Ok(())
    }

    /// Deletes files that the catalogue let go of a while ago.
    async fn clear_garbage(&self) -> Result<(), WriteError> {
        let _alone = self.maintenance.lock().await;
        let files = self.catalog.expired_files(grace()).await?;
        for file in &files {
            self.lake.delete(file).await?;
        }
        self.catalog.forget_files(&files).await?;
        self.clear_orphans().await
    }

    /// Deletes files that were written and never committed: a crash came between.
    async fn clear_orphans(&self) -> Result<(), WriteError> {
        let oldest = self.settings.clock.now().saturating_sub(grace());
        let found = self.lake.list().await?;
        let old: Vec<String> =
            found.into_iter().filter(|(_, changed)| *changed < oldest).map(|(path, _)| path).collect();
        if old.is_empty() {
            return Ok(());
        }
        let known = self.catalog.known_files().await?;
        for path in old.iter().filter(|path| !known.contains(*path)) {
            tracing::info!(path, "deleting a file that was never committed");
            self.lake.delete(path).await?;
        }
        Ok(())
    }

    fn replace(&self, table: Table, removed: &[i64], segments: Vec<Arc<Segment>>) {
        self.change(|view| {
            let part = view.table_mut(table);
            Arc::make_mut(&mut part.segments).retain(|segment| !removed.contains(&segment.meta().id));
            add(view, segments);
        });
        removed.iter().for_each(|id| self.cache.forget(*id));
    }
}

/// The first run of neighbours in time of one size class that is long enough.
fn pick(segments: &[Arc<Segment>], left: &HashSet<i64>) -> Option<Vec<Arc<Segment>>> {
    let mut small: Vec<_> =
        segments.iter().filter(|segment| !is_full(segment) && !left.contains(&segment.meta().id)).cloned().collect();
    small.sort_by_key(|segment| segment.meta().min_time);
    for class in 0..=size_class(FULL_ROWS) {
        let peers: Vec<_> = small.iter().filter(|segment| size_class(segment.meta().rows) == class).cloned().collect();
        if peers.len() >= FAN_IN {
            let (mut rows, mut bytes) = (0, 0);
            let run: Vec<_> = peers
                .into_iter()
                .take(2 * FAN_IN)
                .take_while(|segment| {
                    rows += segment.meta().rows;
                    bytes += segment.meta().parquet_bytes;
                    rows <= FULL_ROWS && bytes <= FULL_BYTES
                })
                .collect();
            if run.len() > 1 {
                return Some(run);
            }
        }
    }
    None
}

fn is_full(segment: &Segment) -> bool {
    segment.meta().rows >= FULL_ROWS / 2 || segment.meta().parquet_bytes >= FULL_BYTES / 2
}

fn rows_of(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

/// Segments of a class differ in rows by less than the fan-in.
fn size_class(rows: u64) -> u32 {
    rows.max(1).ilog(FAN_IN as u64)
}

fn read_all(table: Table, segments: &[Arc<Segment>]) -> Result<Vec<RecordBatch>, crate::scan::ReadError> {
    let schema = table.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let read = Read { columns: &columns, prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    let mut batches = Vec::new();
    for segment in segments {
        for chunk in segment.read(&read)? {
            let columns = chunk?.batch.columns().to_vec();
            // Without the field ids that a file carries: all batches must be of one schema.
            let batch =
                RecordBatch::try_new(schema.clone(), columns).map_err(|error| crate::scan::ReadError::Damaged {
                    file: segment.meta().parquet.display().to_string(),
                    what: error.to_string(),
                })?;
            batches.push(batch);
        }
    }
    Ok(batches)
}

fn grace() -> i64 {
    i64::try_from(GRACE.as_nanos()).unwrap_or(i64::MAX)
}

fn report(what: &str, result: Result<(), WriteError>) {
    if let Err(error) = result {
        tracing::error!(%error, "{what} failed and will be tried again");
    }
}
