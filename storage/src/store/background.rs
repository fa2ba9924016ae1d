//! What a store does on its own: flush by size and age; beside it compact, retire, clear away.

use std::sync::Weak;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::flush::WriteError;
use super::*;
use crate::catalog::CatalogError;
use crate::fault;
use crate::segment::SegmentMeta;

/// How often age is looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often retention and garbage are looked at.
const SWEEP: Duration = Duration::from_secs(60);

/// Between a failed flush and the next attempt: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long files stay after the catalogue has let go of them: longer than any query of ours, and
/// enough for others who read the lake.
const GRACE: Duration = Duration::from_secs(600);

impl Store {
    pub(super) fn start_background(self: &Arc<Self>) {
        // Weak: a store that is dropped without being closed ends its tasks.
        let store = Arc::downgrade(self);
        let flusher = flusher(store.clone(), self.wake.clone(), self.closed.subscribe());
        let keeper = keeper(store, self.flushed.clone(), self.closed.subscribe());
        let watcher = shared::watcher(Arc::downgrade(self), self.closed.subscribe());
        self.background.lock().extend([tokio::spawn(flusher), tokio::spawn(keeper)]);
        if self.catalog.is_shared() {
            self.background.lock().push(tokio::spawn(watcher));
        }
    }

    /// Flushes, stops background work and closes the log. Later appends are refused.
    pub async fn close(self: &Arc<Self>) -> Result<(), WriteError> {
        self.closed.send_replace(true);
        self.end_background().await;
        // What a replay had brought back is still in the log; a part of it need not become segments.
        let flushed = match self.replay.pending() {
            Some(_) => Ok(0),
            None => self.flush().await,
        };
        if let Some(wal) = self.wal.get() {
            wal.close().await;
        }
        self.catalog.close().await;
        // The next start may find the disk full.
        self.keep_reserve();
        flushed.map(drop)
    }

    /// Waits for the tasks to see that the store is closed.
    pub(super) async fn end_background(&self) {
        let tasks = std::mem::take(&mut *self.background.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "background work had ended early");
            }
        }
    }

    /// Drops segments whose newest row is past its time, and the oldest ones while there are too many bytes.
    pub async fn retire(&self) -> Result<(), WriteError> {
        let Retention { age, most_bytes, .. } = self.settings.retention;
        if age.is_none() && most_bytes.is_none() {
            return Ok(());
        }
        let _alone = self.maintenance.lock().await;
        let view = self.view.load_full();
        let past = past(view.segments().map(|segment| segment.meta()), age, most_bytes, self.settings.clock.now());
        if past.is_empty() {
            return Ok(());
        }
        fault::point("retention.before-commit")?;
        let committed = self.commit(Vec::new(), past.clone(), None).await;
        fault::point("retention.after-commit")?;
        match committed {
            Ok(_) => Table::ALL.into_iter().for_each(|table| self.replace(table, &past, Vec::new())),
            Err(WriteError::Catalog(CatalogError::Conflict(_))) => return self.reconcile().await.map(drop),
            Err(error) => return Err(error),
        }
        tracing::info!(segments = past.len(), "retired by age or size");
        Ok(())
    }

    /// Deletes files that the catalogue let go of a while ago, and those that were never committed.
    async fn clear_garbage(&self) -> Result<(), WriteError> {
        let _alone = self.maintenance.lock().await;
        self.reconcile().await?;
        if !self.leads().await? {
            return Ok(());
        }
        let files = self.catalog.expired_files(grace()).await?;
        for file in &files {
            fault::point("clear.before-delete")?;
            self.lake.delete(file).await?;
        }
        fault::point("clear.after-delete")?;
        self.catalog.forget_files(&files).await?;
        self.clear_orphans().await
    }

    /// A crash came between writing and committing; or another program is about to commit, so only old ones go.
    async fn clear_orphans(&self) -> Result<(), WriteError> {
        self.lake.claim(&self.catalog.id().await?).await?;
        // A catalogue that was damaged may have forgotten files that it had: nobody can get them back then.
        if self.losses.get().is_none_or(|losses| !losses.is_empty()) {
            return Ok(());
        }
        let oldest = self.settings.clock.now().saturating_sub(grace());
        let found = self.lake.list().await?;
        // After the list and before the catalogue is asked: what was being written, however slowly, is still
        // pending, or known by then.
        let pending = self.pending.lock().clone();
        let is_pending = |path: &str| pending.iter().any(|name| path.starts_with(name.as_str()));
        let old = found.into_iter().filter(|(path, changed)| *changed < oldest && !is_pending(path));
        let old: Vec<String> = old.map(|(path, _)| path).collect();
        if old.is_empty() {
            return Ok(());
        }
        let known = self.catalog.known_files().await?;
        let unknown = old.into_iter().filter(|path| !known.contains(path) || fault::planted("bug.clear-live"));
        for path in self.abandoned(unknown.collect(), fault::seconds("grace", GRACE)) {
            fault::point("clear.orphan")?;
            tracing::info!(path, "deleting a file that was never committed");
            self.lake.delete(&path).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Room for a start on a full disk; without it this store runs as well.
    pub(super) fn keep_reserve(&self) {
        if let Err(error) = crate::disk::keep_reserve(&self.settings.data_dir) {
            tracing::warn!(%error, "no room can be kept for the next start");
        }
    }
}

/// Flushes when the buffer is large or old. Ends when the store closes.
async fn flusher(store: Weak<Store>, wake: Arc<Notify>, mut closed: watch::Receiver<bool>) {
    let mut last = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let woken = tokio::select! {
            _ = closed.wait_for(|closed| *closed) => return,
            () = wake.notified() => true,
            () = tokio::time::sleep(TICK) => false,
        };
        let Some(store) = store.upgrade() else { return };
        if !woken && last.elapsed() < store.settings.flush_age {
            continue;
        }
        last = Instant::now();
        if !store.has_unflushed() {
            continue;
        }
        match store.flush().await {
            Ok(_) => {
                pause = FIRST_PAUSE;
                store.flushed.notify_one();
            }
            Err(error) => {
                tracing::error!(%error, ?pause, "a flush failed and will be tried again");
                drop(store);
                // Whoever wakes it meanwhile would only make it fail more often.
                if tokio::time::timeout(pause, closed.wait_for(|closed| *closed)).await.is_ok() {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                wake.notify_one();
            }
        }
    }
}

/// Compacts after flushes, retires and clears now and then. Ends when the store closes.
async fn keeper(store: Weak<Store>, flushed: Arc<Notify>, mut closed: watch::Receiver<bool>) {
    let mut swept = None::<Instant>;
    let sweep = fault::seconds("sweep", SWEEP);
    loop {
        let Some(store) = store.upgrade() else { return };
        if swept.is_none_or(|at| at.elapsed() >= sweep) {
            report("retention", store.retire().await);
            report("thinning", store.thin().await);
            report("clearing", store.clear_garbage().await);
            report("retention of counts", store.retire_counts().await);
            report("summing counts", store.sum_counts().await);
            store.keep_reserve();
            swept = Some(Instant::now());
        }
        match store.backfill().await {
            Ok(true) => continue,
            backfilled => report("counting", backfilled.map(drop)),
        }
        report("compaction", store.compact().await);
        drop(store);
        tokio::select! {
            _ = closed.wait_for(|closed| *closed) => return,
            () = flushed.notified() => {}
            () = tokio::time::sleep(sweep) => {}
        }
    }
}

/// Segments that go by age, then the oldest by size: ids.
fn past<'a>(
    segments: impl Iterator<Item = &'a SegmentMeta>,
    age: Option<Duration>,
    most_bytes: Option<u64>,
    now: i64,
) -> Vec<i64> {
    let nanos = |age: Duration| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    let oldest = age.map_or(i64::MIN, |age| now.saturating_sub(nanos(age)));
    let mut segments: Vec<_> = segments.collect();
    segments.sort_by_key(|meta| (std::cmp::Reverse(meta.max_time), meta.id));
    let mut bytes = 0u64;
    let gone = segments.into_iter().filter(|meta| {
        if meta.max_time < oldest {
            return true;
        }
        bytes = bytes.saturating_add(meta.parquet_bytes + meta.index_bytes);
        most_bytes.is_some_and(|most| bytes > most)
    });
    gone.map(|meta| meta.id).collect()
}

fn grace() -> i64 {
    i64::try_from(fault::seconds("grace", GRACE).as_nanos()).unwrap_or(i64::MAX)
}

fn report(what: &str, result: Result<(), WriteError>) {
    if let Err(error) = result {
        tracing::error!(%error, "{what} failed and will be tried again");
    }
}

/// Tasks that a store ends before it closes.
pub(super) type Background = Mutex<Vec<JoinHandle<()>>>;
