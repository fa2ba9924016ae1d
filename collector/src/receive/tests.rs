//! Both receivers over real sockets, with a sink that records.

mod grpc;
mod http;
mod tenants;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use storage::store::{AppendError, Appended, Request, Rows};
use storage::tenant::Tenants;
use tokio::sync::{Mutex, Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::Counters;

/// Keeps what it is given, and answers as told.
struct Recorder {
    answer: Mutex<Result<Appended, AppendError>>,
    taken: Mutex<Vec<(Request, usize)>>,
    /// Appending waits for a permit.
    gate: Semaphore,
    /// Requests that have come as far as the gate.
    asked: AtomicUsize,
}

impl Sink for Recorder {
    async fn append(self: &Arc<Self>, request: Request, rows: Rows) -> Result<Appended, AppendError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.gate.acquire().await.expect("never closed").forget();
        let answer = self.answer.lock().await.clone();
        if answer.is_ok() {
            let rows = rows.iter().map(|(_, batch)| batch.num_rows()).sum();
            self.taken.lock().await.push((request, rows));
        }
        answer
    }
}

struct Server {
    grpc: SocketAddr,
    http: SocketAddr,
    sink: Arc<Recorder>,
    counters: Arc<Counters>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        Self::of(settings, Tenants::only(recorder())).await
    }

    async fn of(settings: Settings, sinks: Tenants<Arc<Recorder>>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings { grpc: any, http: any, now: || 42, ..settings };
        let listeners = bind(&settings).await.expect("two free ports");
        let (grpc, http) = (listeners.grpc_addr(), listeners.http_addr());
        let sink = sinks.of_default().clone();
        let counters = Arc::new(Counters::default());
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let served = tokio::spawn(serve(listeners, settings, sinks, counters.clone(), stopped));
        Self { grpc, http, sink, counters, stop, served }
    }

    async fn answer(&self, answer: Result<Appended, AppendError>) {
        *self.sink.answer.lock().await = answer;
    }

    /// Bodies that reached the sink.
    async fn bodies(&self) -> Vec<Vec<u8>> {
        self.sink.taken.lock().await.iter().map(|(request, _)| request.body.to_vec()).collect()
    }

    async fn hashes(&self) -> Vec<u128> {
        self.sink.taken.lock().await.iter().map(|(request, _)| request.hash).collect()
    }

    /// Waits until a request stands at the gate of the sink.
    async fn asked(&self) {
        soon(async {
            while self.sink.asked.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    async fn rows(&self) -> usize {
        self.sink.taken.lock().await.iter().map(|(_, rows)| rows).sum()
    }
}

fn recorder() -> Arc<Recorder> {
    Arc::new(Recorder {
        answer: Mutex::new(Ok(Appended::Stored)),
        taken: Mutex::default(),
        gate: Semaphore::new(1000),
        asked: AtomicUsize::new(0),
    })
}

/// `count` spans, of which the first `bad` have no trace id.
fn spans(count: usize, bad: usize) -> ExportTraceServiceRequest {
    let span = |number: usize| Span {
        trace_id: if number < bad { vec![] } else { vec![1; 16] },
        span_id: (number as u64 + 1).to_be_bytes().to_vec(),
        name: format!("op{number}"),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: (0..count).map(span).collect(), ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("within 20 s")
}
