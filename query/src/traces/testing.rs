//! An engine over a real store in a temporary folder, for tests of this crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::record_batch::RecordBatch;
use storage::schema::Table;
use storage::store::{Decode, Request, Rows, Settings, Signal, Store};

use crate::engine::{Engine, Limits};
use crate::model::Span;
use crate::rollup::Summariser;
use crate::rows::testing::span_batch;

pub(crate) struct Stored {
    pub(crate) engine: Engine,
    next: AtomicU64,
    _folder: tempfile::TempDir,
}

/// Nothing is ever replayed here.
struct NoReplay;

impl Decode for NoReplay {
    fn decode(&self, _: &Request) -> Result<Rows, String> {
        Err("a test store is opened once".to_owned())
    }
}

impl Stored {
    pub(crate) async fn new(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = Settings { summarise: Some(Arc::new(Summariser)), ..Settings::new(folder.path()) };
        let store = Store::open(settings, Arc::new(NoReplay)).await.expect("a new store");
        Self { engine: Engine::new(store, limits), next: AtomicU64::new(1), _folder: folder }
    }

    /// A store with these spans: one request each, all but the last in a segment.
    pub(crate) async fn with(limits: Limits, requests: &[&[Span]]) -> Self {
        let stored = Self::new(limits).await;
        for (number, spans) in requests.iter().enumerate() {
            if number + 1 == requests.len() {
                stored.engine.store().flush().await.expect("flushed");
            }
            stored.append(Table::Spans, span_batch(spans)).await;
        }
        stored
    }

    pub(crate) async fn append(&self, table: Table, rows: RecordBatch) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let signal = match table {
            Table::Spans => Signal::Traces,
            Table::Logs => Signal::Logs,
            Table::Metrics => Signal::Metrics,
        };
        let body = bytes::Bytes::from(number.to_string());
        let request = Request { signal, received: 1_700_000_000_000_000_000, body, hash: u128::from(number) };
        self.engine.store().append(request, vec![(table, rows)]).await.expect("stored");
    }
}
