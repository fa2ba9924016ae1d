//! Opening a store: lock, catalogue, segments, then the log that is not yet in segments.

use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use super::*;
use crate::segment::Segment;
use crate::wal::{Disk, Replayed, WalSettings};

/// Requests whose hashes are remembered; about 80 MB when full.
const REMEMBERED: usize = 1_000_000;

/// Names inside a data directory.
pub(crate) const CATALOG_FILE: &str = "catalog.db";
pub(crate) const LAKE_DIR: &str = "lake";
pub(crate) const WAL_DIR: &str = "wal";

impl Store {
    /// Opens or creates the data directory, and brings back what the log holds. `decode` turns
    /// logged requests into rows.
    pub async fn open(settings: Settings, decode: Arc<dyn Decode>) -> Result<Arc<Self>, OpenError> {
        let directory = settings.data_dir.clone();
        std::fs::create_dir_all(&directory)
            .map_err(|error| OpenError::Failed(format!("{}: {error}", directory.display())))?;
        let lock = lock(&directory)?;
        let lake = Lake::open(&directory.join(LAKE_DIR)).map_err(failed)?;
        let catalog =
            Catalog::open(&directory.join(CATALOG_FILE), lake.root(), settings.clock.clone()).await.map_err(failed)?;
        let cache = Arc::new(ReaderCache::default());
        let mut view = View::default();
        let segments = catalog.segments().await.map_err(failed)?.into_iter();
        flush::add(&mut view, segments.map(|meta| Arc::new(Segment::new(meta, &lake, cache.clone()))).collect());
        let checkpoint = catalog.checkpoint().await.map_err(failed)?;
        let window = DedupeWindow::new(settings.dedupe_window, REMEMBERED);

        let store = Arc::new(Self {
            wal: OnceLock::new(),
            catalog,
            lake,
            cache,
            view: ArcSwap::from_pointee(view),
            changing: Mutex::new(()),
            gate: RwLock::new(()),
            last_sequence: AtomicU64::new(checkpoint),
            checkpoint: AtomicU64::new(checkpoint),
            requests: Mutex::new(Requests::new(window)),
            unmergeable: Mutex::default(),
            unsettled: Mutex::default(),
            refusing: Mutex::default(),
            losses: OnceLock::new(),
            flushing: tokio::sync::Mutex::new(()),
            maintenance: tokio::sync::Mutex::new(()),
            wake: Arc::default(),
            flushed: Arc::default(),
            changed: watch::channel(0).0,
            duplicates: AtomicU64::new(0),
            closed: watch::channel(false).0,
            background: Mutex::default(),
            settings,
            _lock: lock,
        });
        store.replay(checkpoint, decode).await?;
        store.start_background();
        Ok(store)
    }

    /// Brings back the rows of logged requests; flushes as they grow, so that memory stays bounded.
    async fn replay(self: &Arc<Self>, checkpoint: u64, decode: Arc<dyn Decode>) -> Result<(), OpenError> {
        let files = Disk::new(self.settings.data_dir.join(WAL_DIR)).map_err(failed)?;
        let settings = WalSettings { dedupe_window: self.settings.dedupe_window, ..WalSettings::default() };
        let (store, runtime) = (self.clone(), tokio::runtime::Handle::current());
        let opened = tokio::task::spawn_blocking(move || {
            let now = store.settings.clock.now();
            Wal::open(Arc::new(files), settings, checkpoint, now, |replayed| match replayed {
                Replayed::Seen { received, hash } => {
                    store.requests.lock().window.insert(hash, received);
                    Ok(())
                }
                Replayed::Record { sequence, request } => {
                    store.restore(sequence, &request, &*decode)?;
                    if store.live_bytes() > store.settings.flush_bytes {
                        runtime.block_on(store.flush()).map_err(|error| error.to_string())?;
                    }
                    Ok(())
                }
            })
        });
        let (wal, report) = opened.await.map_err(failed)?.map_err(failed)?;
        let losses = losses::record(&self.settings.data_dir, &report.damage)
            .map_err(|error| OpenError::Failed(format!("{}: {error}", losses::LOSSES_FILE)))?;
        losses.iter().for_each(|loss| tracing::error!("{loss}"));
        self.losses.set(losses.into()).map_err(|_| OpenError::Failed("the log was opened twice".to_owned()))?;
        tracing::info!(records = report.records, last_sequence = report.last_sequence, torn = ?report.torn, "log replayed");
        self.last_sequence.fetch_max(report.last_sequence, Ordering::SeqCst);
        self.wal.set(wal).map_err(|_| OpenError::Failed("the log was opened twice".to_owned()))
    }

    fn restore(&self, sequence: u64, request: &Request, decode: &dyn Decode) -> Result<(), String> {
        // A request that a failing disk refused, and that was sent again, may be in the log twice.
        if self.requests.lock().window.insert(request.hash, request.received) {
            // It decoded when it was acknowledged; going on without it would lose it.
            let rows = decode.decode(request).map_err(|error| format!("request {sequence} of the log: {error}"))?;
            self.add_rows(sequence, rows);
        }
        self.last_sequence.fetch_max(sequence, Ordering::SeqCst);
        Ok(())
    }
}

fn failed(error: impl std::fmt::Display) -> OpenError {
    OpenError::Failed(error.to_string())
}

/// Held while the store is open; the system lets go of it when the process ends, however it ends.
pub(crate) fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(|error| OpenError::Failed(format!("{}: {error}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(OpenError::Failed(format!("{}: {error}", path.display()))),
    }
}
