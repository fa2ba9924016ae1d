//! The front door of the store: append, snapshot, flush, close.

mod append;
mod backfill;
mod background;
mod chapters;
mod counts;
mod documents;
mod erase;
mod flush;
mod losses;
mod merge;
mod open;
mod quiet;
mod replay;
mod rollup;
mod shared;
mod thin;
mod uncount;
mod usage;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use arrow::array::{RecordBatch, UInt64Array};
use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::{Notify, RwLock, Semaphore, watch};

use crate::buffer::{self, LiveBatch};
pub use crate::catalog::DocumentChange;
use crate::catalog::{Catalog, PostgresUrl};
use crate::ids::RowId;
use crate::lake::{CACHE_DIR, Lake};
use crate::retention::Retention;
use crate::rollup::Summarise;
use crate::schema::Table;
use crate::segment::ReaderCache;
pub use crate::segment::{Piece, TimeOrder};
use crate::snapshot::View;
pub use crate::snapshot::{Snapshot, Source};
use crate::wal::{DedupeWindow, Wal, WalError};
use append::Requests;
pub use chapters::Chapters;
pub use counts::{CountError, Counted, Grain, Part};
pub use erase::{Choose, Doomed, EraseError, Erased};
pub use flush::WriteError;
pub(crate) use losses::{LOSSES_FILE, describe as describe_damage, read as read_losses};
pub(crate) use open::{CATALOG_FILE, LAKE_DIR, WAL_DIR, lock, lock_to_look};
pub(crate) use shared::{WRITER_FILE, source};
pub use usage::DiskUsage;

/// What kind of rows a request holds. The number is written in the log: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Signal {
    Traces = 1,
    Logs = 2,
    Metrics = 3,
}

/// One export request as the write-ahead log keeps it.
#[derive(Clone, Debug)]
pub struct Request {
    pub signal: Signal,
    /// ns since the epoch.
    pub received: i64,
    /// OTLP protobuf, decompressed.
    pub body: Bytes,
    /// Of the body as the client sent it: equal requests within the window are one.
    pub hash: u128,
}

/// Rows of one request by table, in the form of [`Table::incoming`].
pub type Rows = Vec<(Table, RecordBatch)>;

/// Turns a logged request back into rows when the store opens. The collector is one.
pub trait Decode: Send + Sync {
    fn decode(&self, request: &Request) -> Result<Rows, String>;
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Its rows are durable and visible.
    Stored,
    /// The same request was stored before, within the window.
    Duplicate,
}

/// Nothing was acknowledged; unless it says otherwise, the client may send the same request again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Flushing does not keep up: try again after this many seconds.
    #[error("the store is busy; retry after {retry_after_s} s")]
    Busy { retry_after_s: u32 },
    /// The disk refused: full, or broken.
    #[error("the write-ahead log cannot be written: {0}")]
    Disk(String),
    /// It will never fit: do not send it again.
    #[error("a request of {0} bytes is larger than the store takes")]
    TooLarge(usize),
    /// The rows are not of their table: do not send it again.
    #[error("the rows do not fit their table: {0}")]
    Invalid(String),
}

/// Where and how. Everything has a measured default.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data_dir: PathBuf,
    /// The database that several processes share. None: a file in the data directory.
    pub catalog: Option<PostgresUrl>,
    /// Rows in memory before they become a segment, bytes of Arrow.
    pub flush_bytes: usize,
    /// Age of the oldest buffered row before a flush.
    pub flush_age: Duration,
    /// What is dropped, and when.
    pub retention: Retention,
    /// Bucket or directory of the segments, `s3://bucket/prefix` or `file:///directory`. None: they are in
    /// the data directory.
    pub store: Option<String>,
    /// What of a bucket is kept in the data directory at most.
    pub cache_bytes: u64,
    /// How long a repeated request is recognised.
    pub dedupe_window: Duration,
    /// Counts calls by the minute. None: nothing is counted, and a lake that others count in must not be
    /// written to.
    pub summarise: Option<Arc<dyn Summarise>>,
    /// A merge, or the thinning of a group, holds a permit: stores of one process that share it do so one after the
    /// other.
    pub merging: Arc<Semaphore>,
    pub clock: Clock,
}

impl Settings {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            catalog: None,
            flush_bytes: 32 << 20,
            flush_age: Duration::from_secs(30),
            retention: Retention::default(),
            store: None,
            cache_bytes: 4 << 30,
            dedupe_window: Duration::from_secs(600),
            summarise: None,
            merging: Arc::new(Semaphore::new(1)),
            clock: Clock::system(),
        }
    }
}

/// Tells the time; tests bring their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub fn system() -> Self {
        Self::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        })
    }

    /// ns since the epoch.
    pub fn now(&self) -> i64 {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// The store did not open; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the data directory.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    #[error("{0}")]
    Failed(String),
}

/// One open data directory.
pub struct Store {
    settings: Settings,
    /// Set once the log is replayed, before anyone else has the store.
    wal: OnceLock<Wal>,
    replay: replay::Replay,
    catalog: Catalog,
    lake: Lake,
    cache: Arc<ReaderCache>,
    view: ArcSwap<View>,
    /// Held while the view is changed.
    changing: Mutex<()>,
    /// Appends hold it shared from the log to the buffer; a flush takes it whole for a moment, so
    /// that it knows: every request up to a sequence is in the buffer.
    gate: RwLock<()>,
    last_sequence: AtomicU64,
    /// Requests up to it are in segments.
    checkpoint: AtomicU64,
    requests: Mutex<Requests>,
    /// Files that are being written.
    pending: flush::PendingNames,
    /// Held from a commit to the view that shows it: else its segments would look like another process's.
    publishing: tokio::sync::Mutex<()>,
    chapters: Arc<Chapters>,
    /// Files of a shared lake that no catalogue names, and since when this process has seen them.
    strangers: Mutex<HashMap<String, std::time::Instant>>,
    counting: counts::Counting,
    /// Segments whose merge failed.
    unmergeable: Mutex<hashbrown::HashSet<i64>>,
    /// A flush that was committed or not: its sequence. The catalogue will tell.
    unsettled: Mutex<Option<u64>>,
    /// Why the log refused the last append.
    refusing: Mutex<Option<String>>,
    /// What a damaged log has lost, a line each.
    losses: OnceLock<Arc<[String]>>,
    /// One flush at a time.
    flushing: tokio::sync::Mutex<()>,
    /// One compaction, retention or clearing at a time; beside it flushes go on.
    maintenance: tokio::sync::Mutex<()>,
    /// Wakes the flusher, and after a flush the keeper.
    wake: Arc<Notify>,
    flushed: Arc<Notify>,
    changed: watch::Sender<u64>,
    duplicates: AtomicU64,
    closed: watch::Sender<bool>,
    background: background::Background,
    _lock: std::fs::File,
}

impl Store {
    /// A consistent view; cheap, and readable while it is held.
    pub fn snapshot(&self) -> Snapshot {
        let losses = self.losses.get().cloned().unwrap_or_default();
        // The view after the question whether it is whole.
        let losses = match self.replay.pending() {
            Some(reason) => losses.iter().cloned().chain([reason]).collect(),
            None => losses,
        };
        Snapshot { view: self.view.load_full(), losses }
    }

    /// Changes whenever rows were added: what a log tail waits for.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Number of the last request in the log here; [`Chapters::sequence`] tells that of a row id.
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence.load(Ordering::SeqCst)
    }

    /// What was asked of the bucket; None where the segments are in a directory.
    pub fn bucket(&self) -> Option<crate::lake::Figures> {
        self.lake.figures()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn stats(&self) -> Stats {
        let view = self.view.load();
        let mut stats = Stats {
            wal_bytes: self.wal.get().map_or(0, Wal::bytes),
            duplicates: self.duplicates.load(Ordering::Relaxed),
            losses: self.losses.get().map_or(0, |losses| losses.len() as u64),
            ..Stats::default()
        };
        for table in Table::ALL {
            let part = view.table(table);
            let batches = part.frozen.iter().chain(&part.live);
            let (live, bytes) = batches.fold((0, 0), |(r, b), batch| (r + batch.row_count(), b + batch.bytes()));
            stats.buffer_rows += live as u64;
            stats.buffer_bytes += bytes as u64;
            stats.segments += part.segments.len() as u64;
            stats.bytes += part.segments.iter().map(|s| s.meta().parquet_bytes + s.meta().index_bytes).sum::<u64>();
            let stored: u64 = part.segments.iter().map(|segment| segment.meta().rows).sum();
            match table {
                Table::Spans => stats.spans = stored + live as u64,
                Table::Logs => stats.logs = stored + live as u64,
                Table::Metrics => stats.metrics = stored + live as u64,
            }
        }
        stats
    }

    /// Replaces the view by a changed copy, in one step.
    fn change<T>(&self, change: impl FnOnce(&mut View) -> T) -> T {
        let _changing = self.changing.lock();
        let mut view = View::clone(&self.view.load());
        let result = change(&mut view);
        self.view.store(Arc::new(view));
        result
    }

    /// Whether requests are in the log that no segment holds yet.
    fn has_unflushed(&self) -> bool {
        self.last_sequence.load(Ordering::SeqCst) != self.checkpoint.load(Ordering::SeqCst)
    }
}

/// What the store holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub spans: u64,
    pub logs: u64,
    pub metrics: u64,
    pub segments: u64,
    /// Of segments and their indexes.
    pub bytes: u64,
    pub buffer_rows: u64,
    pub buffer_bytes: u64,
    pub wal_bytes: u64,
    /// Requests answered as duplicates since the start.
    pub duplicates: u64,
    /// Places in the log where something acknowledged was lost.
    pub losses: u64,
}

#[cfg(test)]
mod tests;
