//! An engine over a real store in a temporary folder, for tests of this crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use hashbrown::HashMap;
use parking_lot::Mutex;
use storage::schema::Table;
use storage::store::{Decode, OpenError, Request, Rows, Settings, Signal, Store};

use crate::engine::{Engine, Limits};
use crate::model::Span;
use crate::rollup::Summariser;
use crate::rows::testing::span_batch;

pub(crate) struct Stored {
    pub(crate) engine: Engine,
    limits: Limits,
    next: AtomicU64,
    sent: Arc<Sent>,
    folder: tempfile::TempDir,
}

/// Rows by request, for a start after a crash.
#[derive(Default)]
struct Sent(Mutex<HashMap<u64, Rows>>);

impl Decode for Sent {
    fn decode(&self, request: &Request) -> Result<Rows, String> {
        let number = std::str::from_utf8(&request.body).ok().and_then(|text| text.parse().ok());
        let rows = number.and_then(|number: u64| self.0.lock().get(&number).cloned());
        rows.ok_or_else(|| "nobody sent that".to_owned())
    }
}

impl Stored {
    pub(crate) async fn new(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::within(folder, limits, AtomicU64::new(1), Arc::default()).await
    }

    async fn within(folder: tempfile::TempDir, limits: Limits, next: AtomicU64, sent: Arc<Sent>) -> Self {
        let settings = || Settings { summarise: Some(Arc::new(Summariser)), ..Settings::new(folder.path()) };
        let store = loop {
            match Store::open(settings(), sent.clone()).await {
                // A task of the store before may still look at it.
                Err(OpenError::InUse(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                opened => break opened.expect("a store"),
            }
        };
        Self { engine: Engine::new(store, limits), limits, next, sent, folder }
    }

    /// As after a crash: nothing was flushed or closed.
    pub(crate) async fn again(self) -> Self {
        let Self { engine, limits, next, sent, folder } = self;
        drop(engine);
        Self::within(folder, limits, next, sent).await
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
        self.sent.0.lock().insert(number, vec![(table, rows.clone())]);
        self.engine.store().append(request, vec![(table, rows)]).await.expect("stored");
    }
}
