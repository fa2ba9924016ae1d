//! The front door of the store: append, snapshot, flush, close.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use crate::scan::{Chunk, Read, ReadError};
use crate::schema::Table;
use crate::terms::Field;

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

/// Nothing was acknowledged; the client may send the same request again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Flushing does not keep up: try again after this many seconds.
    #[error("the store is busy; retry after {retry_after_s} s")]
    Busy { retry_after_s: u32 },
    /// The disk refused: full, or broken.
    #[error("the write-ahead log cannot be written: {0}")]
    Disk(String),
}

/// Where and how. Everything has a measured default.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data_dir: std::path::PathBuf,
    /// Rows in memory before they become a segment, bytes of Arrow.
    pub flush_bytes: usize,
    /// Age of the oldest buffered row before a flush.
    pub flush_age: std::time::Duration,
    /// Rows older than this are dropped, a segment at a time. None: kept for ever.
    pub retention: Option<std::time::Duration>,
    /// How long a repeated request is recognised.
    pub dedupe_window: std::time::Duration,
}

/// The store did not open; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0}")]
    Failed(String),
}

pub struct Store {}

impl Store {
    pub async fn open(settings: Settings, decode: Arc<dyn Decode>) -> Result<Arc<Self>, OpenError> {
        let _ = (settings, decode);
        unimplemented!()
    }

    /// Returns once the request is on disk and its rows are visible to the next snapshot.
    pub async fn append(&self, request: Request, rows: Rows) -> Result<Appended, AppendError> {
        let _ = (request, rows);
        unimplemented!()
    }

    /// A consistent view; cheap, and readable while it is held.
    pub fn snapshot(&self) -> Snapshot {
        unimplemented!()
    }

    /// Changes whenever rows were added: what a log tail waits for.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        unimplemented!()
    }

    /// Writes the live buffer to segments; rows written.
    pub async fn flush(&self) -> Result<u64, AppendError> {
        unimplemented!()
    }

    /// Flushes, stops background work and closes files.
    pub async fn close(&self) -> Result<(), AppendError> {
        unimplemented!()
    }

    pub fn stats(&self) -> Stats {
        unimplemented!()
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
}

/// Everything acknowledged when it was taken, each row once.
#[derive(Clone)]
pub struct Snapshot {}

impl Snapshot {
    /// Sources whose time bounds meet `from..to`, newest last row first.
    pub fn sources(&self, table: Table, from: i64, to: i64) -> Vec<Source> {
        let _ = (table, from, to);
        unimplemented!()
    }

    /// Distinct terms of a field that begin with `prefix`, of sources that meet `from..to`, in order;
    /// at most `limit`, and what could not be read.
    pub fn terms(&self, table: Table, field: Field, prefix: &[u8], from: i64, to: i64, limit: usize) -> (BTreeSet<Vec<u8>>, Vec<ReadError>) {
        let _ = (table, field, prefix, from, to, limit);
        unimplemented!()
    }
}

/// A live batch or a segment: rows of one table that never change.
#[derive(Clone)]
pub struct Source {}

impl Source {
    /// Least and greatest value of the time column, ns.
    pub fn time_bounds(&self) -> (i64, i64) {
        unimplemented!()
    }

    pub fn row_count(&self) -> u64 {
        unimplemented!()
    }

    /// Chunks of rows that may match, in row order. Blocking.
    pub fn read(&self, read: &Read<'_>) -> Result<Box<dyn Iterator<Item = Result<Chunk, ReadError>> + Send>, ReadError> {
        let _ = read;
        unimplemented!()
    }

    /// Columns of the rows with these numbers (ascending), in that order. Blocking.
    pub fn fetch(&self, columns: &[&str], rows: &[u32]) -> Result<RecordBatch, ReadError> {
        let _ = (columns, rows);
        unimplemented!()
    }
}
