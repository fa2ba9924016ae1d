//! Connections: accepting, bounding, draining.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use storage::tenant::Tenants;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

use super::ingest::{Ingest, Ingests, Sink};
use super::settings::{MAX_CONNECTIONS, MAX_HEADER_BYTES, MAX_STREAMS, MOST_MESSAGE_BYTES, Settings};
use super::{grpc, http};
use crate::counters::Counters;

/// What both receivers answer with.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Both ports, bound and not yet served: port 0 has become a number.
pub struct Listeners {
    grpc: TcpListener,
    http: TcpListener,
    grpc_addr: SocketAddr,
    http_addr: SocketAddr,
}

impl Listeners {
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc_addr
    }

    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }
}

/// Binds both ports.
///
/// # Errors
/// A port that cannot be bound, named in the text; or a message limit that columns could not hold.
pub async fn bind(settings: &Settings) -> io::Result<Listeners> {
    if settings.max_message_bytes > MOST_MESSAGE_BYTES {
        let text = format!("a request may have at most {MOST_MESSAGE_BYTES} bytes, not {}", settings.max_message_bytes);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let grpc = listen(settings.grpc).await?;
    let http = listen(settings.http).await?;
    Ok(Listeners { grpc_addr: grpc.local_addr()?, http_addr: http.local_addr()?, grpc, http })
}

async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

/// Serves both receivers until `shutdown` completes; then takes no more requests, answers those that have
/// begun, and returns when they are done or `settings.drain` is over. A request goes to the sink of its tenant.
pub async fn serve<S: Sink>(
    listeners: Listeners,
    settings: Settings,
    sinks: Tenants<Arc<S>>,
    counters: Arc<Counters>,
    shutdown: impl Future<Output = ()>,
) {
    let (running, mut finished) = mpsc::channel(1);
    let ingests = Arc::new(Ingest::of_all(&settings, &sinks, counters, running));
    let (stop, stopped) = watch::channel(());
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let grpc = accept(listeners.grpc, Protocol::Grpc, ingests.clone(), slots.clone(), stopped.clone());
    let http = accept(listeners.http, Protocol::Http, ingests, slots, stopped);
    let drained = async {
        let ((), ()) = tokio::join!(grpc, http);
        // None once every request that was read has dropped its sender.
        finished.recv().await;
    };
    let mut drained = pin!(drained);
    tokio::select! {
        () = &mut drained => return,
        () = shutdown => drop(stop),
    }
    if tokio::time::timeout(settings.drain, drained).await.is_err() {
        tracing::warn!("requests were still open when the drain time ended");
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Grpc,
    Http,
}

/// Takes connections until told to stop, then waits until all are closed.
async fn accept<S: Sink>(
    listener: TcpListener,
    protocol: Protocol,
    ingests: Arc<Ingests<S>>,
    slots: Arc<Semaphore>,
    mut stop: watch::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
    let builder = builder(ingests.of_default().patience.idle);
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await.ok();
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            _ = stop.changed() => break,
            next = next => next,
        };
        let Some(stream) = usable(accepted).await else { continue };
        let counters = ingests.of_default().counters.clone();
        let connection = connection(stream, protocol, ingests.clone(), &builder, &graceful);
        tokio::spawn(async move {
            counters.connections.fetch_add(1, Ordering::Relaxed);
            connection.await;
            counters.connections.fetch_sub(1, Ordering::Relaxed);
            drop(slot);
        });
    }
    drop(listener);
    drop(ingests);
    graceful.shutdown().await;
}

/// Out of file descriptors is a moment's trouble; anything else concerns this one connection.
async fn usable(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<TcpStream> {
    match accepted {
        Ok((stream, _)) => {
            // Only costs a little latency if it fails.
            let _ = stream.set_nodelay(true);
            Some(stream)
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Serves one connection; closes it where no request begins in time.
fn connection<S: Sink>(
    stream: TcpStream,
    protocol: Protocol,
    ingests: Arc<Ingests<S>>,
    builder: &Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    let patience = ingests.of_default().patience.first_request;
    let begun = Arc::new(AtomicBool::new(false));
    let seen = begun.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        seen.store(true, Ordering::Relaxed);
        let ingests = ingests.clone();
        async move {
            match protocol {
                Protocol::Grpc => grpc::handle(ingests, request).await,
                Protocol::Http => http::handle(ingests, request).await,
            }
        }
    });
    let served = graceful.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
    async move {
        let mut served = pin!(served);
        let ended = tokio::time::timeout(patience, &mut served).await;
        let ended = match ended {
            Ok(ended) => ended,
            Err(_) if !begun.load(Ordering::Relaxed) => return,
            Err(_) => served.await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

fn builder(idle: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(64 << 10)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
