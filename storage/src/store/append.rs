//! The way in: one request into the log, then its rows into the live buffer.

use super::*;
use crate::fault;

/// Appends are refused once the buffer holds so many times what a flush is due at.
pub(super) const MOST_FLUSHES: usize = 4;

/// Which requests were seen, and which are on their way to the disk.
pub(super) struct Requests {
    pub(super) window: DedupeWindow,
    /// A repeat of one of these waits for what becomes of it: `Some(durable)`.
    in_flight: HashMap<u128, watch::Receiver<Option<bool>>>,
}

impl Requests {
    pub(super) fn new(window: DedupeWindow) -> Self {
        Self { window, in_flight: HashMap::new() }
    }
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

    /// Whether the next append is likely to be taken; else why not.
    pub fn accepting(&self) -> Result<(), String> {
        if *self.closed.borrow() {
            return Err("the store is closing".to_owned());
        }
        if let Some(reason) = self.replay.pending() {
            return Err(reason);
        }
        if self.is_crowded() {
            return Err("the live buffer is full: flushing does not keep up".to_owned());
        }
        if !self.has_chapters() {
            return Err("there are no row ids: the catalogue does not answer".to_owned());
        }
        self.refusing.lock().clone().map_or(Ok(()), Err)
    }

    async fn append_once(&self, request: Request, rows: Rows) -> Result<Appended, AppendError> {
        let rows = checked(rows)?;
        let _pass = self.gate.read().await;
        if *self.closed.borrow() {
            return Err(AppendError::Busy { retry_after_s: 5 });
        }
        if self.replay.pending().is_some() {
            return Err(AppendError::Busy { retry_after_s: 1 });
        }
        if self.is_crowded() {
            self.wake.notify_one();
            return Err(AppendError::Busy { retry_after_s: 1 });
        }
        if !self.has_chapters() {
            return Err(AppendError::Busy { retry_after_s: 5 });
        }
        let in_flight = match self.enter(request.hash, request.received) {
            Entered::New(in_flight) => in_flight,
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
        let appended = match appended {
            Ok(sequence) => {
                self.last_sequence.fetch_max(sequence, Ordering::SeqCst);
                self.add_rows(sequence, rows);
                in_flight.stored();
                *self.refusing.lock() = None;
                return Ok(Appended::Stored);
            }
            Err(WalError::TooLarge(bytes)) => AppendError::TooLarge(bytes),
            Err(_) if fault::planted("bug.ack-refused") => return Ok(Appended::Stored),
            Err(error) => {
                *self.refusing.lock() = Some(error.to_string());
                AppendError::Disk(error.to_string())
            }
        };
        drop(in_flight);
        Err(appended)
    }

    pub(super) fn is_crowded(&self) -> bool {
        let bytes: usize = self.view.load().batches().map(|batch| batch.bytes()).sum();
        bytes > MOST_FLUSHES * self.settings.flush_bytes
    }

    fn duplicate(&self) -> Appended {
        self.duplicates.fetch_add(1, Ordering::Relaxed);
        Appended::Duplicate
    }

    fn enter(&self, hash: u128, received: i64) -> Entered<'_> {
        let mut requests = self.requests.lock();
        if let Some(outcome) = requests.in_flight.get(&hash) {
            return Entered::InFlight(outcome.clone());
        }
        if !requests.window.insert(hash, received) {
            return Entered::Stored;
        }
        let (done, outcome) = watch::channel(None);
        requests.in_flight.insert(hash, outcome);
        Entered::New(InFlight { requests: &self.requests, hash, done, stored: false })
    }

    /// Makes rows visible.
    pub(super) fn add_rows(&self, sequence: u64, rows: Rows) {
        let number = self.chapters.number(sequence).expect("the chapter was opened before the request was taken");
        let batches: Vec<_> = rows.into_iter().filter_map(|(table, rows)| live_batch(table, number, rows)).collect();
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

    pub(super) fn live_bytes(&self) -> usize {
        let view = self.view.load();
        Table::ALL.iter().flat_map(|table| &view.table(*table).live).map(|batch| batch.bytes()).sum()
    }
}

enum Entered<'a> {
    New(InFlight<'a>),
    InFlight(watch::Receiver<Option<bool>>),
    Stored,
}

/// A request on its way to the log. Dropped before it is stored, it may be sent again, whatever ended it.
struct InFlight<'a> {
    requests: &'a Mutex<Requests>,
    hash: u128,
    done: watch::Sender<Option<bool>>,
    stored: bool,
}

impl InFlight<'_> {
    fn stored(mut self) {
        self.stored = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut requests = self.requests.lock();
        requests.in_flight.remove(&self.hash);
        if !self.stored {
            requests.window.remove(self.hash);
        }
        self.done.send_replace(Some(self.stored));
    }
}

/// What does not fit its table is refused before it is in the log: afterwards it could only be lost.
fn checked(rows: Rows) -> Result<Rows, AppendError> {
    rows.into_iter()
        .map(|(table, rows)| {
            let rows = RecordBatch::try_new(table.incoming(), rows.columns().to_vec());
            rows.map(|rows| (table, rows)).map_err(|error| AppendError::Invalid(error.to_string()))
        })
        .collect()
}

/// Rows as they are kept: logs get the ids that make them nameable. None without rows.
fn live_batch(table: Table, number: u64, rows: RecordBatch) -> Option<(Table, LiveBatch)> {
    let rows = match table {
        Table::Logs => {
            let ids = (0..rows.num_rows() as u64).map(|row| RowId::new(number, row).0);
            let ids = Arc::new(UInt64Array::from_iter_values(ids));
            let columns = rows.columns().iter().cloned().chain([ids as _]).collect();
            RecordBatch::try_new(table.schema(), columns).expect("incoming columns and as many row ids")
        }
        Table::Spans | Table::Metrics => rows,
    };
    LiveBatch::new(table, rows).map(|batch| (table, batch))
}
