//! What a store does on its own: flush by size and age; beside it compact, retire, clear away.

use std::sync::Weak;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::flush::WriteError;
use super::*;
use crate::catalog::CatalogError;

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
        *self.background.lock() = vec![tokio::spawn(flusher), tokio::spawn(keeper)];
    }

    /// Flushes, stops background work and closes the log. Later appends are refused.
    pub async fn close(self: &Arc<Self>) -> Result<(), WriteError> {
        self.closed.send_replace(true);
        let tasks = std::mem::take(&mut *self.background.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "background work had ended early");
            }
        }
        let flushed = self.flush().await;
        if let Some(wal) = self.wal.get() {
            wal.close().await;
        }
        self.catalog.close().await;
        flushed.map(drop)
    }

    /// Drops segments whose newest row is past its time.
    pub async fn retire(&self) -> Result<(), WriteError> {
        let Some(retention) = self.settings.retention else { return Ok(()) };
        let _alone = self.maintenance.lock().await;
        let oldest = self.settings.clock.now().saturating_sub(i64::try_from(retention.as_nanos()).unwrap_or(i64::MAX));
        let view = self.view.load_full();
        let past: Vec<i64> = view
            .segments()
            .filter(|segment| segment.meta().max_time < oldest)
            .map(|segment| segment.meta().id)
            .collect();
        if past.is_empty() {
            return Ok(());
        }
        match self.commit(Vec::new(), past.clone(), None).await {
            Ok(_) => Table::ALL.into_iter().for_each(|table| self.replace(table, &past, Vec::new())),
            Err(WriteError::Catalog(CatalogError::Conflict(_))) => return self.reconcile().await,
            Err(error) => return Err(error),
        }
        tracing::info!(segments = past.len(), "retired by age");
        Ok(())
    }

    /// Deletes files that the catalogue let go of a while ago, and those that were never committed.
    async fn clear_garbage(&self) -> Result<(), WriteError> {
        let _alone = self.maintenance.lock().await;
        self.reconcile().await?;
        let files = self.catalog.expired_files(grace()).await?;
        for file in &files {
            self.lake.delete(file).await?;
        }
        self.catalog.forget_files(&files).await?;
        self.clear_orphans().await
    }

    /// A crash came between writing and committing; or another program is about to commit, so only old ones go.
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
    loop {
        let Some(store) = store.upgrade() else { return };
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            report("retention", store.retire().await);
            report("clearing", store.clear_garbage().await);
            swept = Some(Instant::now());
        }
        report("compaction", store.compact().await);
        drop(store);
        tokio::select! {
            _ = closed.wait_for(|closed| *closed) => return,
            () = flushed.notified() => {}
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

fn grace() -> i64 {
    i64::try_from(GRACE.as_nanos()).unwrap_or(i64::MAX)
}

fn report(what: &str, result: Result<(), WriteError>) {
    if let Err(error) = result {
        tracing::error!(%error, "{what} failed and will be tried again");
    }
}

/// Tasks that a store ends before it closes.
pub(super) type Background = Mutex<Vec<JoinHandle<()>>>;
