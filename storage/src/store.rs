//! The front door of the store: append, snapshot, flush, close.

mod background;
mod flush;
mod open;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use arrow::array::{RecordBatch, UInt64Array};
use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::{Notify, RwLock, watch};

use crate::buffer::{self, LiveBatch};
use crate::catalog::Catalog;
use crate::ids::RowId;
use crate::lake::Lake;
use crate::schema::Table;
use crate::segment::ReaderCache;
use crate::snapshot::View;
pub use crate::snapshot::{Snapshot, Source};
use crate::wal::{DedupeWindow, Wal, WalError};
pub use flush::WriteError;
pub(crate) use open::{CATALOG_FILE, LAKE_DIR, WAL_DIR, lock};

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
}

/// Where and how. Everything has a measured default.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data_dir: PathBuf,
    /// Rows in memory before they become a segment, bytes of Arrow.
    pub flush_bytes: usize,
    /// Age of the oldest buffered row before a flush.
    pub flush_age: Duration,
    /// Rows older than this are dropped, a segment at a time. None: kept for ever.
    pub retention: Option<Duration>,
    /// How long a repeated request is recognised.
    pub dedupe_window: Duration,
    pub clock: Clock,
}

impl Settings {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            flush_bytes: 64 << 20,
            flush_age: Duration::from_secs(30),
            retention: None,
            dedupe_window: Duration::from_secs(600),
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
    /// Segments whose merge failed.
    unmergeable: Mutex<hashbrown::HashSet<i64>>,
    /// One flush, compaction or retention at a time.
    maintenance: tokio::sync::Mutex<()>,
    wake: Notify,
    changed: watch::Sender<u64>,
    duplicates: AtomicU64,
    closed: watch::Sender<bool>,
    background: Mutex<Option<tokio::task::JoinHandle<()>>>,
    _lock: std::fs::File,
}

/// Which requests were seen, and which are on their way to the disk.
struct Requests {
    window: DedupeWindow,
    /// A repeat of one of these waits for what becomes of it: `Some(durable)`.
    in_flight: HashMap<u128, watch::Receiver<Option<bool>>>,
}

impl Store {
    /// Returns once the request is on disk and its rows are visible to the next snapshot.
    /// Runs on when the caller goes away: a request that reached the log must reach the buffer.
    pub async fn append(self: &Arc<Self>, request: Request, rows: Rows) -> Result<Appended, AppendError> {
        let store = self.clone();
        tokio::spawn(async move { store.append_once(request, rows).await })
            .await
            .map_err(|panic| AppendError::Disk(panic.to_string()))?
    }

    /// A consistent view; cheap, and readable while it is held.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { view: self.view.load_full() }
    }

    /// Changes whenever rows were added: what a log tail waits for.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Number of the last request in the log: [`RowId`]s of later log records are greater.
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence.load(Ordering::SeqCst)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn stats(&self) -> Stats {
        let view = self.view.load();
        let mut stats = Stats {
            wal_bytes: self.wal.get().map_or(0, Wal::bytes),
            duplicates: self.duplicates.load(Ordering::Relaxed),
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

    async fn append_once(&self, request: Request, rows: Rows) -> Result<Appended, AppendError> {
        let _pass = self.gate.read().await;
        if *self.closed.borrow() {
            return Err(AppendError::Busy { retry_after_s: 5 });
        }
        if self.buffer_bytes() > 4 * self.settings.flush_bytes {
            self.wake.notify_one();
            return Err(AppendError::Busy { retry_after_s: 1 });
        }
        let (hash, received) = (request.hash, request.received);
        let done = match self.enter(hash, received) {
            Entered::New(done) => done,
            Entered::Stored => return Ok(self.duplicate()),
            Entered::InFlight(mut outcome) => {
                let durable = outcome.wait_for(Option::is_some).await.is_ok_and(|outcome| *outcome == Some(true));
                return if durable { Ok(self.duplicate()) } else { Err(AppendError::Busy { retry_after_s: 1 }) };
            }
        };
        let appended = match self.wal.get() {
            Some(wal) => wal.append(request).await,
            None => Err(WalError::Closed),
        };
        if let Ok(sequence) = appended {
            self.last_sequence.fetch_max(sequence, Ordering::SeqCst);
            self.add_rows(sequence, rows);
        }
        self.leave(hash, &done, appended.is_ok());
        match appended {
            Ok(_) => Ok(Appended::Stored),
            Err(WalError::TooLarge(bytes)) => Err(AppendError::TooLarge(bytes)),
            Err(error) => Err(AppendError::Disk(error.to_string())),
        }
    }

    fn duplicate(&self) -> Appended {
        self.duplicates.fetch_add(1, Ordering::Relaxed);
        Appended::Duplicate
    }

    fn enter(&self, hash: u128, received: i64) -> Entered {
        let mut requests = self.requests.lock();
        if let Some(outcome) = requests.in_flight.get(&hash) {
            return Entered::InFlight(outcome.clone());
        }
        if !requests.window.insert(hash, received) {
            return Entered::Stored;
        }
        let (done, outcome) = watch::channel(None);
        requests.in_flight.insert(hash, outcome);
        Entered::New(done)
    }

    fn leave(&self, hash: u128, done: &watch::Sender<Option<bool>>, durable: bool) {
        let mut requests = self.requests.lock();
        requests.in_flight.remove(&hash);
        if !durable {
            requests.window.remove(hash);
        }
        done.send_replace(Some(durable));
    }

    /// Makes rows visible.
    fn add_rows(&self, sequence: u64, rows: Rows) {
        let batches: Vec<_> = rows.into_iter().filter_map(|(table, rows)| live_batch(table, sequence, rows)).collect();
        if batches.is_empty() {
            return;
        }
        self.change(|view| {
            for (table, batch) in batches {
                buffer::push(&mut view.table_mut(table).live, batch);
            }
        });
        self.changed.send_modify(|version| *version += 1);
        if self.live_bytes() > self.settings.flush_bytes {
            self.wake.notify_one();
        }
    }

    /// Replaces the view by a changed copy, in one step.
    fn change<T>(&self, change: impl FnOnce(&mut View) -> T) -> T {
        let _changing = self.changing.lock();
        let mut view = View::clone(&self.view.load());
        let result = change(&mut view);
        self.view.store(Arc::new(view));
        result
    }

    fn buffer_bytes(&self) -> usize {
        self.view.load().batches().map(|batch| batch.bytes()).sum()
    }

    fn live_bytes(&self) -> usize {
        let view = self.view.load();
        Table::ALL.iter().flat_map(|table| &view.table(*table).live).map(|batch| batch.bytes()).sum()
    }
}

enum Entered {
    New(watch::Sender<Option<bool>>),
    InFlight(watch::Receiver<Option<bool>>),
    Stored,
}

/// Rows as they are kept: logs get the ids that make them nameable.
fn live_batch(table: Table, sequence: u64, rows: RecordBatch) -> Option<(Table, LiveBatch)> {
    let rows = match table {
        Table::Logs => {
            let ids = (0..rows.num_rows() as u64).map(|row| RowId::new(sequence, row).0);
            let ids = Arc::new(UInt64Array::from_iter_values(ids));
            let columns = rows.columns().iter().cloned().chain([ids as _]).collect();
            RecordBatch::try_new(table.schema(), columns).ok()?
        }
        Table::Spans | Table::Metrics => rows,
    };
    LiveBatch::new(table, rows).map(|batch| (table, batch))
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
}

#[cfg(test)]
mod tests;
