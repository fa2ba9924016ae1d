//! From a body to an acknowledgement: rows, the store, the answer.

use std::future::Future;
use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use proto::otlp::json;
use proto::rpc::{Outcome, TENANT_HEADER};
use storage::store::{AppendError, Appended, Request, Rows, Signal, Store};
use storage::tenant::Tenants;
use tokio::sync::{Semaphore, mpsc};

use super::admission::{Budget, Share};
use super::intake::Payload;
use super::refusal::Refusal;
use super::settings::{DISK_RETRY_AFTER_S, Patience, Settings};
use crate::counters::{Counters, add};
use crate::normalise::Rules;
use crate::rows::{self, BadRequest, Converted};

/// Where rows become durable. The store is one.
pub trait Sink: Send + Sync + 'static {
    /// Returns once the request is durable and its rows are visible; nothing of it is kept on error.
    fn append(
        self: &Arc<Self>,
        request: Request,
        rows: Rows,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send;
}

impl Sink for Store {
    fn append(
        self: &Arc<Self>,
        request: Request,
        rows: Rows,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send {
        Store::append(self, request, rows)
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Protobuf,
    Json,
}

/// Bodies up to this size are decoded where they were read, in about a millisecond; larger ones elsewhere, so
/// that other connections are served meanwhile.
const INLINE_BYTES: usize = 128 << 10;

/// Memory of a row in columns beside its text, bytes.
const ROW_BYTES: usize = 256;

/// Of all tenants; what is not of one of them is the same for all.
pub(super) type Ingests<S> = Tenants<Arc<Ingest<S>>>;

/// What both receivers share.
pub(super) struct Ingest<S> {
    sink: Arc<S>,
    pub(super) counters: Arc<Counters>,
    pub(super) budget: Budget,
    pub(super) max_message_bytes: usize,
    pub(super) patience: Patience,
    rules: Arc<Rules>,
    now: fn() -> i64,
    decoders: Arc<Semaphore>,
    /// Held by every request that has been read whole: a drain waits until all are dropped.
    running: mpsc::Sender<()>,
}

impl<S: Sink> Ingest<S> {
    pub(super) fn of_all(
        settings: &Settings,
        sinks: &Tenants<Arc<S>>,
        counters: Arc<Counters>,
        running: mpsc::Sender<()>,
    ) -> Ingests<S> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let decoders = Arc::new(Semaphore::new(cores));
        let budget = Budget::new(settings.budget_bytes);
        sinks.map(|_, sink| {
            Arc::new(Self {
                sink: sink.clone(),
                counters: counters.clone(),
                budget: if sinks.count() > 1 { budget.half() } else { budget.clone() },
                max_message_bytes: settings.max_message_bytes,
                patience: settings.patience,
                rules: settings.rules.clone(),
                now: settings.now,
                decoders: decoders.clone(),
                running: running.clone(),
            })
        })
    }

    /// Stores what a request holds. It runs on to its end even if the client goes away meanwhile: a write
    /// half made is worth less than one whose answer is not read.
    pub(super) async fn take(
        self: &Arc<Self>,
        signal: Signal,
        format: Format,
        payload: Payload,
    ) -> Result<Outcome, Refusal> {
        let counters = self.counters.of(signal);
        add(&counters.requests, 1);
        add(&counters.bytes_received, payload.received);
        let this = self.clone();
        let running = self.running.clone();
        let task = tokio::spawn(async move {
            let _running = running;
            this.store(signal, format, payload).await
        });
        task.await.unwrap_or_else(|error| {
            // A bug, not the sender's fault; but inviting a retry would bring the same request back for ever.
            tracing::error!(%error, "a request made the collector panic");
            Err(Refusal::Bad("the collector failed on this request; please report it".into()))
        })
    }

    async fn store(&self, signal: Signal, format: Format, payload: Payload) -> Result<Outcome, Refusal> {
        let received = (self.now)();
        let Payload { bytes, hash, share, .. } = payload;
        let Decoded { body, converted, share: _share } = self.decode(signal, format, bytes, share, received).await?;
        let rejected = &converted.rejected;
        let outcome = Outcome { rejected: rejected.count() as u64, message: rejected.message().unwrap_or_default() };
        let accepted = converted.accepted();
        let counters = self.counters.of(signal);
        if accepted > 0 {
            let request = Request { signal, received, body, hash };
            match self.sink.append(request, converted.into_rows()).await.map_err(refused)? {
                Appended::Stored => add(&counters.accepted, accepted),
                Appended::Duplicate => add(&counters.duplicates, 1),
            }
        }
        add(&counters.rejected, usize::try_from(outcome.rejected).unwrap_or(usize::MAX));
        Ok(outcome)
    }

    async fn decode(
        &self,
        signal: Signal,
        format: Format,
        bytes: Bytes,
        share: Share,
        received: i64,
    ) -> Result<Decoded, Refusal> {
        if bytes.len() <= INLINE_BYTES {
            return decode(signal, format, bytes, share, received, &self.rules);
        }
        // The semaphore is never closed.
        let _turn = self.decoders.acquire().await.ok();
        let rules = self.rules.clone();
        let decoding = tokio::task::spawn_blocking(move || decode(signal, format, bytes, share, received, &rules));
        decoding.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

/// Takes the requests of the tenant that these headers name.
pub(super) fn of_tenant<'i, S>(ingests: &'i Ingests<S>, headers: &HeaderMap) -> Result<&'i Arc<Ingest<S>>, Refusal> {
    let named = ingests.named(headers.get_all(TENANT_HEADER).iter().map(HeaderValue::as_bytes));
    named.map(|(_, ingest)| ingest).map_err(Refusal::Tenant)
}

struct Decoded {
    body: Bytes,
    converted: Converted,
    share: Share,
}

fn decode(
    signal: Signal,
    format: Format,
    bytes: Bytes,
    mut share: Share,
    received: i64,
    rules: &Rules,
) -> Result<Decoded, Refusal> {
    let sent = bytes.len();
    let body = match format {
        Format::Protobuf => bytes,
        Format::Json => {
            share.grow_to(2 * sent)?;
            to_protobuf(signal, &bytes)?
        }
    };
    let rows = rows::count(signal, &body).map_err(unreadable)?;
    share.grow_to(sent + 2 * body.len() + rows * ROW_BYTES)?;
    let converted = rows::convert(signal, &body, received, rules).map_err(unreadable)?;
    Ok(Decoded { body, converted, share })
}

fn to_protobuf(signal: Signal, body: &[u8]) -> Result<Bytes, Refusal> {
    let protobuf = match signal {
        Signal::Traces => json::traces_to_protobuf(body),
        Signal::Logs => json::logs_to_protobuf(body),
        Signal::Metrics => json::metrics_to_protobuf(body),
    };
    protobuf.map(Bytes::from).map_err(|error| Refusal::Bad(error.to_string()))
}

fn unreadable(error: BadRequest) -> Refusal {
    match error {
        BadRequest::Malformed(_) => Refusal::Bad(error.to_string()),
        BadRequest::TooManyRows(_) => Refusal::TooLarge(error.to_string()),
    }
}

fn refused(error: AppendError) -> Refusal {
    let what = error.to_string();
    match error {
        AppendError::Busy { retry_after_s } => Refusal::Busy { retry_after_s, what },
        AppendError::TooLarge(_) => Refusal::TooLarge(what),
        AppendError::Invalid(_) => Refusal::Bad(what),
        AppendError::Disk(_) => {
            tracing::error!("{what}");
            Refusal::Busy { retry_after_s: DISK_RETRY_AFTER_S, what }
        }
    }
}

/// The signal as answers name it.
pub(super) fn wire(signal: Signal) -> proto::rpc::Signal {
    match signal {
        Signal::Traces => proto::rpc::Signal::Traces,
        Signal::Logs => proto::rpc::Signal::Logs,
        Signal::Metrics => proto::rpc::Signal::Metrics,
    }
}
