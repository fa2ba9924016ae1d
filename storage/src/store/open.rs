//! Opening a store: lock, catalogue, segments, then the log that is not yet in segments.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use super::*;
use crate::catalog::RollupState;
use crate::segment::{Segment, SegmentMeta};
use crate::wal::{Disk, Replayed, WalSettings};
use crate::{disk, fault};

/// Requests whose hashes are remembered; about 80 MB when full.
const REMEMBERED: usize = 1_000_000;

/// Names inside a data directory.
pub(crate) const CATALOG_FILE: &str = "catalog.db";
pub(crate) const LAKE_DIR: &str = "lake";
pub(crate) const WAL_DIR: &str = "wal";

impl Store {
    /// Opens or creates the data directory and returns with what segments hold; the log is replayed behind
    /// it, see [`Self::replayed`]. `decode` turns logged requests into rows.
    pub async fn start(settings: Settings, decode: Arc<dyn Decode>) -> Result<Arc<Self>, OpenError> {
        let settings = Settings {
            flush_bytes: fault::number("flush-bytes", settings.flush_bytes as u64) as usize,
            flush_age: fault::seconds("flush-age", settings.flush_age),
            ..settings
        };
        let directory = settings.data_dir.clone();
        let unusable = |error: std::io::Error| OpenError::Failed(format!("{}: {error}", directory.display()));
        disk::create_directory(&directory).map_err(unusable)?;
        let lock = lock(&directory)?;
        if disk::use_reserve(&directory).map_err(unusable)? {
            tracing::warn!(data_dir = %directory.display(), "the disk is full: the room kept for this start is used up");
        }
        crate::wal::check_versions(&directory.join(WAL_DIR)).map_err(failed)?;
        let first = !directory.join(WAL_DIR).exists();
        let lake = Lake::of(&directory, settings.store.as_deref(), settings.cache_bytes).map_err(failed)?;
        let source = shared::source(&directory, settings.catalog.as_ref())?;
        let catalog = Catalog::open(source, lake.data_path(), settings.clock.clone()).await.map_err(failed)?;
        let known = match Known::read(&catalog, &lake, first).await {
            Ok(known) => known,
            Err(error) => {
                // Whoever puts a backup in its place must not find this one still open, nor its log.
                catalog.close().await;
                return Err(error);
            }
        };
        let replay = replay::Replay::new(std::time::Instant::now(), &directory.join(WAL_DIR));
        let cache = Arc::new(ReaderCache::default());
        let mut view = View::default();
        let Known { segments, rollups, checkpoint, chapters } = known;
        view.rollups = Arc::new(rollups);
        let segments = segments.into_iter().map(|meta| Arc::new(Segment::new(meta, &lake, cache.clone())));
        flush::add(&mut view, segments.collect());
        let window = DedupeWindow::new(settings.dedupe_window, REMEMBERED);

        let store = Arc::new(Self {
            wal: OnceLock::new(),
            replay,
            catalog,
            lake,
            cache,
            view: ArcSwap::from_pointee(view),
            changing: Mutex::new(()),
            gate: RwLock::new(()),
            last_sequence: AtomicU64::new(checkpoint),
            checkpoint: AtomicU64::new(checkpoint),
            requests: Mutex::new(Requests::new(window)),
            pending: Arc::default(),
            publishing: tokio::sync::Mutex::new(()),
            chapters: Arc::new(Chapters::new(chapters)),
            strangers: Mutex::default(),
            counting: counts::Counting::default(),
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
        store.start_background();
        let back = store.clone().bring_back(checkpoint, decode);
        store.background.lock().push(tokio::spawn(back));
        Ok(store)
    }

    /// Brings back the rows of logged requests; flushes as they grow, so that memory stays bounded.
    pub(super) async fn replay(self: &Arc<Self>, checkpoint: u64, decode: Arc<dyn Decode>) -> Result<(), OpenError> {
        let files = Disk::new(self.settings.data_dir.join(WAL_DIR)).map_err(failed)?;
        let segment_bytes = fault::number("wal-segment", WalSettings::default().segment_bytes);
        let settings = WalSettings { dedupe_window: self.settings.dedupe_window, segment_bytes };
        let store = self.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let now = store.settings.clock.now();
            let mut backlog = replay::Backlog::new(store.clone(), checkpoint, decode);
            let opened = Wal::open(Arc::new(files), settings, checkpoint, now, |replayed| match replayed {
                Replayed::Seen { received, hash } => {
                    store.requests.lock().window.insert(hash, received);
                    Ok(())
                }
                Replayed::Record { sequence, request } => backlog.push(sequence, request),
            })?;
            backlog.bring_back().map_err(crate::wal::OpenError::Stopped)?;
            Ok::<_, crate::wal::OpenError>(opened)
        });
        let (wal, report) = opened.await.map_err(failed)?.map_err(failed)?;
        let losses = losses::record(&self.settings.data_dir, &report.damage)
            .map_err(|error| OpenError::Failed(format!("{}: {error}", losses::LOSSES_FILE)))?;
        losses.iter().for_each(|loss| tracing::error!("{loss}"));
        self.losses.set(losses.into()).map_err(|_| OpenError::Failed("the log was opened twice".to_owned()))?;
        tracing::info!(records = report.records, last_sequence = report.last_sequence, torn = ?report.torn, "log replayed");
        self.last_sequence.fetch_max(report.last_sequence, Ordering::SeqCst);
        self.wal.set(wal).map_err(|_| OpenError::Failed("the log was opened twice".to_owned()))?;
        if let Err(error) = self.open_chapters(self.last_sequence.load(Ordering::SeqCst)).await {
            tracing::error!(%error, "requests are refused until the catalogue gives row ids");
        }
        Ok(())
    }

    /// On a full disk, or without its bucket, a store starts and answers: what the log holds was in
    /// memory before, for appends are refused before it does not fit. A log that is larger all the same
    /// was written with other settings.
    pub(super) fn carry_on(&self, error: &flush::WriteError) -> Result<(), String> {
        let held: usize = self.view.load().batches().map(|batch| batch.bytes()).sum();
        if held > 2 * append::MOST_FLUSHES * self.settings.flush_bytes {
            return Err(format!("the log holds more than fits in memory, and it cannot be flushed: {error}"));
        }
        tracing::error!(%error, "a flush failed while the log was read; its rows stay in memory");
        Ok(())
    }
}

/// What the catalogue tells at the start.
struct Known {
    segments: Vec<SegmentMeta>,
    rollups: RollupState,
    checkpoint: u64,
    chapters: Option<BTreeMap<u64, u64>>,
}

impl Known {
    async fn read(catalog: &Catalog, lake: &Lake, first: bool) -> Result<Self, OpenError> {
        if first || !lake.is_bucket() {
            // Later a store must open without its bucket; the first time, a wrong name should be said at once.
            lake.claim(&catalog.id().await.map_err(failed)?).await.map_err(failed)?;
        }
        let (segments, rollups) = catalog.contents().await.map_err(failed)?;
        Ok(Self {
            segments,
            rollups,
            checkpoint: catalog.checkpoint().await.map_err(failed)?,
            chapters: catalog.chapters().await.map_err(failed)?,
        })
    }
}

fn failed(error: impl std::fmt::Display) -> OpenError {
    OpenError::Failed(error.to_string())
}

/// The same for one who only reads: nobody has the store open meanwhile. None where nobody ever had.
pub(crate) fn lock_to_look(directory: &Path) -> Result<Option<File>, OpenError> {
    match File::open(directory.join("lock")) {
        Ok(file) => try_lock(file, directory).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Held while the store is open; the system lets go of it when the process ends, however it ends.
pub(crate) fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(|error| OpenError::Failed(format!("{}: {error}", path.display())))?;
    try_lock(file, directory)
}

fn try_lock(file: File, directory: &Path) -> Result<File, OpenError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(format!("{}: {error}", directory.display()))),
    }
}
