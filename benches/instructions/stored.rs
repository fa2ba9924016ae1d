//! A store as the server opens it, in a directory of its own, at a time that stands still.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use collector::OtlpDecoder;
use query::{Engine, Limits};
use storage::store::{Appended, Clock, Request, Rows, Settings, Signal, Store};

/// When the data begins, ns since the epoch.
pub(crate) const START: u64 = 1_790_000_000_000_000_000;
/// When it came in: so soon that the store takes it for new, so late that traces have settled.
pub(crate) const RECEIVED: i64 = START as i64 + 60_000_000_000;

pub(crate) struct Opened {
    runtime: tokio::runtime::Runtime,
    store: Arc<Store>,
    pub(crate) engine: Engine,
    _directory: tempfile::TempDir,
}

impl Opened {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let settings = Settings {
            // Flushes come when they are asked for.
            flush_age: Duration::from_secs(86_400),
            summarise: Some(Arc::new(query::rollup::Summariser)),
            clock: Clock::new(|| RECEIVED),
            ..Settings::new(directory.path())
        };
        let store = runtime.block_on(Store::open(settings, Arc::new(OtlpDecoder::default()))).expect("a store");
        // What the store looks after when it opens is done by then: it would be counted with one path or another.
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(500)).await });
        let engine = Engine::new(store.clone(), Limits::default());
        Self { runtime, store, engine, _directory: directory }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Stores requests; `round` tells equal ones apart.
    pub(crate) fn append(&self, signal: Signal, round: u32, requests: &[Bytes], rows: &[Rows]) {
        for (number, (body, rows)) in requests.iter().zip(rows).enumerate() {
            let hash = u128::from(round) << 64 | number as u128;
            let request = Request { signal, received: RECEIVED, body: body.clone(), hash };
            let appended = self.wait(self.store.append(request, rows.clone())).expect("a store that takes rows");
            assert_eq!(appended, Appended::Stored);
        }
    }

    pub(crate) fn flush(&self) {
        self.wait(self.store.flush()).expect("a disk that takes a segment");
    }
}
