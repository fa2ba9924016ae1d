//! The write-ahead log: requests as received, on disk before they are acknowledged.
//!
//! ```text
//!  append ─┐                    one pwritev,         ┌─▶ sequence
//!  append ─┼─▶ queue ─▶ writer ─ one fdatasync ──────┼─▶ sequence
//!  append ─┘                       │                 └─▶ sequence
//!                                  ▼
//!            00000000000000000001.wal  …0512.wal  …0977.wal   ◀── spare.wal files made ready by the keeper
//!            └──── at or below the checkpoint ───┘
//!                 keeper: hashes to …0001.seen, then the file becomes a spare or goes
//! ```
//!
//! * [`frame`] is the file format; [`files`] every call to the operating system.
//! * [`writer`] is the thread that owns the file; [`keeper`] makes files ready and retires them.
//! * [`replay`] reads all back at open, [`verify()`] without touching anything; [`seen`] remembers request hashes.
//!
//! It does not know what a request means.
//!
//! # Files
//!
//! All numbers are little-endian. A file is a block of header, then groups. A group is what one
//! fdatasync made durable; it starts on a block (4096 bytes) and ends with zeros up to one, so
//! **a block that holds acknowledged bytes is never written again**: neither a torn nor a failed
//! write can harm them.
//!
//! ```text
//! {first sequence, 20 digits}.wal
//! ┌────────────────────── block 0 ─────────────────────┐┌───────── group ─────────┐┌─ group ─┐
//! │ magic     8  "CLEW-WAL"                            ││ frame frame … frame 0…0 ││ …       │ …
//! │ version   4  2                                     │└─────────────────────────┘└─────────┘
//! │ crc       4  CRC-32 of magic, version, first       │
//! │ first     8  sequence of the first record          │
//! └────────────────────────────────────────────────────┘
//! frame
//!   0 marker    4   made of the first sequence: bytes of a file's earlier life are no frames
//!   4 crc       4   CRC-32 of all other bytes of the frame
//!   8 length    4   of the payload, bytes
//!  12 position  4   frames before this one in its group
//!  16 sequence  8   one more than the frame before
//!  24 received  8   ns since the epoch
//!  32 hash     16   of the request as the client sent it
//!  48 signal    1   see [`Signal`]
//!  49 zero      3
//!  52 payload   …   OTLP protobuf
//! ```
//!
//! Behind the last group stands a mark, a frame of signal 0 without a payload: records before its
//! sequence were synced. It is written without waiting, and the next group takes its place.
//!
//! The name of the next file cuts this one: frames whose sequence the next file claims were never
//! acknowledged (their write failed, or the process died), and their sequence was given again.
//! For the same reason a process never writes to a file of an earlier one.
//!
//! `{first sequence}.seen` holds what is left of a retired file while the hashes can matter: magic
//! `CLEWSEEN`, version 4 (2), CRC-32 of the rest 4; last sequence of the file 8, number of earlier lists 8,
//! `first 8, received 8` of each; then `received 8, hash 16` a request. The newest one stays, so that a
//! missing one is noticed. Version 1 of either file, without lists for all, is read.
//! `{n}.spare` are files ready for use, `*.tmp` such in the making.
//!
//! # Measured
//!
//! `cargo run --release -p storage --example wal` measures the machine it runs on. Two cores, ext4,
//! while compilers kept both cores busy (a thread that waits for the disk then gets a core again after
//! one scheduler tick of 4 ms, so single syncs cannot be told apart; idle, an appended block takes 4 ms
//! and an overwritten one 0.3 ms):
//!
//! | appends | rate | replay |
//! |---|---|---|
//! | 1 writer, 400 B | 0.8 k/s | |
//! | 64 writers, 400 B | 42 k/s, 17 MB/s | 425 MB/s |
//! | 4 writers, 256 KiB | 156 MB/s | 850 MB/s |

mod files;
mod frame;
mod keeper;
mod replay;
mod seen;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::store::Request;

pub use files::{Disk, File, Files};
pub use replay::{Damage, ReplayReport, Replayed};
pub use seen::DedupeWindow;
pub use verify::verify;
pub(crate) use verify::{BLOCK_BYTES, check_versions, records_end};

/// Largest request that can be logged, bytes.
pub const MAX_REQUEST: usize = 256 << 20;

/// Appends that may wait for the writer; their bytes are bounded by who admits requests.
const QUEUE: usize = 1024;

/// What the log needs to know.
#[derive(Clone, Debug)]
pub struct WalSettings {
    /// Of one file; a larger request gets a file of its own.
    pub segment_bytes: u64,
    /// How long hashes of requests are kept after their file has gone.
    pub dedupe_window: Duration,
}

impl Default for WalSettings {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, dedupe_window: Duration::from_secs(600) }
    }
}

/// The request is not in the log. It may be sent again, unless it is too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// Appends succeed again as soon as there is room.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The file was given up; the next append tries another.
    #[error("{0}")]
    Disk(String),
    #[error("a request of {0} bytes is larger than the log takes ({MAX_REQUEST})")]
    TooLarge(usize),
    #[error("the log is closed")]
    Closed,
}

impl WalError {
    fn from_io(what: &str, error: &io::Error) -> Self {
        let message = format!("{what}: {error}");
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(message),
            _ => Self::Disk(message),
        }
    }
}

/// The log did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
    #[error("{file} has format version {found}, this program knows {}: it was written by a newer one", frame::VERSION)]
    Version { file: String, found: u32 },
    /// Who was given the records refused to go on.
    #[error("{0}")]
    Stopped(String),
}

/// A running log. Dropping it ends its threads after what was queued; [`Wal::close`] waits for that.
pub struct Wal {
    jobs: mpsc::Sender<Job>,
    chores: std::sync::mpsc::Sender<keeper::Chore>,
    shared: Arc<Shared>,
}

impl Wal {
    /// Reads the log, oldest record first, and makes it ready for appends.
    ///
    /// Each record above `checkpoint` is given to `on_record`, once and in order; of those at or
    /// below only the hash is given, so that a [`DedupeWindow`] can be rebuilt. A request that was
    /// refused by a failing disk, and sent again, may be found twice: look at its hash. Memory: one
    /// file at a time. `now` in ns since the epoch. Blocking.
    pub fn open(
        files: Arc<dyn Files>,
        settings: WalSettings,
        checkpoint: u64,
        now: i64,
        on_record: impl FnMut(Replayed) -> Result<(), String>,
    ) -> Result<(Self, ReplayReport), OpenError> {
        let found = replay::replay(&*files, &settings, checkpoint, now, on_record)?;
        let shared = Arc::new(Shared::default());
        shared.live.lock().extend(found.live.into_iter().map(|segment| (segment.first, segment)));

        let keeper = keeper::Keeper::new(files.clone(), settings.clone(), shared.clone(), found.spares, found.seen);
        let (chores, keeper) =
            keeper.spawn().map_err(|error| OpenError::Io { what: "start a thread".into(), error })?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let wal = Self { jobs, chores: chores.clone(), shared: shared.clone() };
        // Before the writer asks for a file: one that can be used again need not be made.
        wal.checkpoint(checkpoint, now);
        let writer = writer::Writer::new(files, settings, shared, chores, found.next);
        writer.spawn(queue, keeper).map_err(|error| OpenError::Io { what: "start a thread".into(), error })?;
        Ok((wal, found.report))
    }

    /// Returns once the request is on disk, with its sequence: from 1, one more for each request
    /// in the log, never given twice.
    ///
    /// Cancelling does not take back a request that was queued.
    pub async fn append(&self, request: Request) -> Result<u64, WalError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Append { request, reply }).await.map_err(|_| WalError::Closed)?;
        answer.await.map_err(|_| WalError::Closed)?
    }

    /// Returns once every append queued before has been answered, with the last sequence on disk.
    pub async fn sync(&self) -> Result<u64, WalError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Sync { reply }).await.map_err(|_| WalError::Closed)?;
        answer.await.map_err(|_| WalError::Closed)
    }

    /// The rows of every request up to `sequence` are kept elsewhere: files that hold no other go,
    /// in the background. `now` in ns since the epoch.
    pub fn checkpoint(&self, sequence: u64, now: i64) {
        // The keeper is gone only when the log is closed; the next open does what is left.
        let _ = self.chores.send(keeper::Chore::Checkpoint { sequence, now });
    }

    /// Begins a new file, and uses none again that held anything before: so the bytes of all requests up
    /// to the returned sequence are gone from the disk once [`Wal::purged`] says so.
    pub async fn renew(&self) -> Result<u64, WalError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Renew { reply }).await.map_err(|_| WalError::Closed)?;
        answer.await.map_err(|_| WalError::Closed)
    }

    /// Removes the files that [`Wal::renew`] left, which need no replay since requests up to `checkpoint`
    /// are kept elsewhere; how many have gone. Fails if one of them is still there.
    pub async fn purged(&self, renewed: u64, checkpoint: u64, now: i64) -> Result<u64, WalError> {
        let (reply, answer) = oneshot::channel();
        let chore = keeper::Chore::Purge { renewed, checkpoint, now, reply };
        self.chores.send(chore).map_err(|_| WalError::Closed)?;
        let purged = answer.await.map_err(|_| WalError::Closed)?;
        purged.map_err(|error| WalError::from_io("cannot remove old log files", &error))
    }

    /// Bytes of log files on disk, without spare ones.
    pub fn bytes(&self) -> u64 {
        self.shared.live.lock().values().map(|segment| segment.bytes).sum()
    }

    /// Writes what is queued, answers it and ends the threads. Later appends fail with
    /// [`WalError::Closed`].
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.jobs.send(Job::Close { reply }).await.is_ok() {
            let _ = answer.await;
        }
    }
}

enum Job {
    Append { request: Request, reply: oneshot::Sender<Result<u64, WalError>> },
    Sync { reply: oneshot::Sender<u64> },
    Renew { reply: oneshot::Sender<u64> },
    Close { reply: oneshot::Sender<()> },
}

/// What writer and keeper both look at.
#[derive(Default)]
struct Shared {
    /// Files in the log by first sequence.
    live: Mutex<BTreeMap<u64, Segment>>,
}

/// A file of the log.
#[derive(Clone, Debug)]
struct Segment {
    first: u64,
    /// Last sequence in it; None while it is written.
    last: Option<u64>,
    bytes: u64,
    /// Of the usual size, all blocks initialised, never failed: fit to be used again.
    reusable: bool,
    /// Of the requests in it, where this process wrote them all.
    entries: Option<Arc<[seen::Entry]>>,
}

/// Name of the file whose first record has this sequence.
fn log_name(first: u64) -> String {
    format!("{first:020}.wal")
}
