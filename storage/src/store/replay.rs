//! A start that does not wait for the log: the store is there as soon as the catalogue is open, and what
//! is not yet in segments comes back behind it.
//!
//! Until then appends are refused as busy, for the hashes of what was acknowledged are not all known and
//! a repeated request would count twice; and every answer says that rows are missing.

use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use super::*;

/// What is decoded together: enough for all processors, and little beside the buffer.
const BATCH_BYTES: usize = 8 << 20;
const BATCH_REQUESTS: usize = 256;

/// How far the log has been brought back.
pub(super) struct Replay {
    /// When the catalogue was open.
    opened: Instant,
    phase: watch::Sender<Phase>,
    /// Bytes of requests that are back.
    done: AtomicU64,
    /// Bytes of log files: as much at most.
    total: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Over,
    Failed(String),
}

impl Replay {
    pub(super) fn new(opened: Instant, wal: &std::path::Path) -> Self {
        let entries = std::fs::read_dir(wal).into_iter().flatten().flatten();
        let logs = entries.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "wal"));
        let total = logs.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum();
        Self { opened, phase: watch::channel(Phase::Running).0, done: AtomicU64::new(0), total }
    }

    /// Why nothing can be appended, and what answers lack; None once the log is back.
    pub(super) fn pending(&self) -> Option<String> {
        match &*self.phase.borrow() {
            Phase::Over => None,
            Phase::Running => {
                let (done, total) = (self.done.load(Ordering::Relaxed) >> 20, self.total >> 20);
                Some(format!(
                    "replaying the log ({done} of at most {total} MiB): rows that are in no segment yet may be missing"
                ))
            }
            Phase::Failed(what) => Some(format!("the log was not replayed: {what}")),
        }
    }
}

impl Store {
    /// Opens or creates the data directory, and brings back what the log holds. `decode` turns
    /// logged requests into rows.
    pub async fn open(settings: Settings, decode: Arc<dyn Decode>) -> Result<Arc<Self>, OpenError> {
        let store = Self::start(settings, decode).await?;
        if let Err(error) = store.replayed().await {
            store.closed.send_replace(true);
            store.end_background().await;
            store.catalog.close().await;
            return Err(error);
        }
        Ok(store)
    }

    /// Returns once the log is replayed and data are taken; an error where it cannot be, or when the store is
    /// closed before.
    pub async fn replayed(&self) -> Result<(), OpenError> {
        let mut phase = self.replay.phase.subscribe();
        // The sender lives as long as `self`, so that waiting cannot fail.
        match phase.wait_for(|phase| *phase != Phase::Running).await.as_deref() {
            Ok(Phase::Failed(what)) => Err(OpenError::Failed(what.clone())),
            _ => Ok(()),
        }
    }

    /// Time since the catalogue was open.
    pub fn age(&self) -> Duration {
        self.replay.opened.elapsed()
    }

    /// Brings back what the log holds, and says how it went.
    pub(super) async fn bring_back(self: Arc<Self>, checkpoint: u64, decode: Arc<dyn Decode>) {
        let store = self.clone();
        let replayed = tokio::spawn(async move { store.replay(checkpoint, decode).await });
        let phase = match replayed.await {
            Ok(Ok(())) => Phase::Over,
            Ok(Err(error)) => Phase::Failed(error.to_string()),
            Err(panic) => Phase::Failed(panic.to_string()),
        };
        if phase == Phase::Over {
            self.keep_reserve();
        }
        self.replay.phase.send_replace(phase);
    }

    /// Makes the rows of a logged request visible again.
    fn restore(&self, sequence: u64, request: &Request, rows: Rows) {
        // A flush must not come between the rows and the sequence that it takes for theirs.
        let _pass = self.gate.blocking_read();
        // A request that a failing disk refused, and that was sent again, may be in the log twice.
        if self.requests.lock().window.insert(request.hash, request.received) {
            self.add_rows(sequence, rows);
        }
        self.last_sequence.fetch_max(sequence, Ordering::SeqCst);
        self.replay.done.fetch_add(request.body.len() as u64, Ordering::Relaxed);
    }
}

/// Requests of the log that are about to be back. They are decoded on all processors and restored in
/// order.
pub(super) struct Backlog {
    store: Arc<Store>,
    decode: Arc<dyn Decode>,
    runtime: tokio::runtime::Handle,
    records: Vec<(u64, Request)>,
    bytes: usize,
    /// Where the log was begun to be read.
    checkpoint: u64,
    /// Losses are written down.
    told: bool,
}

impl Backlog {
    /// On a thread that may block, of a runtime.
    pub(super) fn new(store: Arc<Store>, checkpoint: u64, decode: Arc<dyn Decode>) -> Self {
        let runtime = tokio::runtime::Handle::current();
        Self { store, decode, runtime, records: Vec::new(), bytes: 0, checkpoint, told: false }
    }

    pub(super) fn push(&mut self, sequence: u64, request: Request) -> Result<(), String> {
        self.bytes += request.body.len();
        self.records.push((sequence, request));
        if self.bytes >= BATCH_BYTES || self.records.len() >= BATCH_REQUESTS { self.bring_back() } else { Ok(()) }
    }

    /// Restores what was pushed. An error when the store closes meanwhile.
    pub(super) fn bring_back(&mut self) -> Result<(), String> {
        let records = std::mem::take(&mut self.records);
        self.bytes = 0;
        for ((sequence, request), rows) in records.iter().zip(self.decode_all(&records)) {
            let store = &self.store;
            if *store.closed.borrow() {
                return Err("the store is closing; the next start replays the log".to_owned());
            }
            // It decoded when it was acknowledged; going on without it would lose it.
            let rows = rows.map_err(|error| format!("request {sequence} of the log: {error}"))?;
            // They were before the request was acknowledged, unless the catalogue is an old copy.
            if store.chapters.missing(*sequence).is_some() {
                self.runtime.block_on(store.open_chapters(*sequence)).map_err(|error| error.to_string())?;
            }
            if !self.told && *sequence > store.last_sequence() + 1 {
                self.tell_losses()?;
                self.told = true;
            }
            store.restore(*sequence, request, rows);
            // The flusher is at it since the buffer was large enough for a segment.
            if store.is_crowded()
                && let Err(error) = self.runtime.block_on(store.flush())
            {
                store.carry_on(&error)?;
            }
        }
        Ok(())
    }

    /// What is missing is written down before a flush can move the checkpoint past it: else a kill before
    /// the end of the log would leave the loss untold for ever. The log says at its end what is missing, so
    /// it is read once more, which only damage asks for.
    fn tell_losses(&self) -> Result<(), String> {
        let directory = &self.store.settings.data_dir;
        let files = crate::wal::Disk::new(directory.join(WAL_DIR)).map_err(|error| error.to_string())?;
        let found = crate::wal::verify(&files, self.checkpoint, |_| Ok(())).map_err(|error| error.to_string())?;
        losses::record(directory, &found.damage).map(drop).map_err(|error| format!("{LOSSES_FILE}: {error}"))
    }

    /// Rows of each request, in order.
    fn decode_all(&self, records: &[(u64, Request)]) -> Vec<Result<Rows, String>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(records.len());
        if threads < 2 {
            return records.iter().map(|(_, request)| self.decode.decode(request)).collect();
        }
        let (next, decoded) = (AtomicUsize::new(0), records.iter().map(|_| OnceLock::new()).collect::<Vec<_>>());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some((_, request)) = records.get(at) else { return };
                        // Each is taken once.
                        let _ = decoded[at].set(self.decode.decode(request));
                    }
                });
            }
        });
        decoded
            .into_iter()
            .map(|rows| rows.into_inner().unwrap_or_else(|| Err("its decoder ended early".to_owned())))
            .collect()
    }
}

#[cfg(test)]
mod tests;
