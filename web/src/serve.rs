//! The listener: accepts, bounds slow clients, drains on shutdown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use storage::tenant::Tenants;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::router::router;
use crate::state::AppState;

/// Longest wait for the head of a request; an idle connection is closed after it too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long open requests may go on once the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);
const MAX_CONNECTIONS: usize = 4096;
const MAX_HEAD_BYTES: usize = 64 << 10;
/// RFC 9113 §3.4: how HTTP/2 with prior knowledge begins.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Binds; port 0 picks a free one.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `shutdown` resolves, then lets open requests end within a grace period.
pub async fn serve(listener: TcpListener, states: Tenants<AppState>, shutdown: impl Future<Output = ()>) {
    let app = router(&states);
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, permit)) = accepted else { break };
        let (app, state, watcher) = (app.clone(), states.of_default().clone(), graceful.watcher());
        tokio::spawn(async move {
            connection(stream, app, &state, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    states.iter().for_each(|(_, state)| state.close());
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!(grace = ?GRACE, "some HTTP requests were cut off at shutdown");
    }
}

/// The next connection, once there is room for it. None: the semaphore is closed, which never happens.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, permit)),
            Err(error) => {
                // Out of descriptors, or a client that left already: others may still be served.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, app: Router, state: &AppState, watcher: Watcher) {
    // Without it answers wait for the ACK of the head; a failure only costs that wait.
    let _ = stream.set_nodelay(true);
    let version = tokio::select! {
        version = tokio::time::timeout(HEAD_TIMEOUT, version(&stream)) => version,
        () = state.closed() => return, // nothing was asked yet
    };
    let Ok(Ok(Some(version))) = version else { return };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HEAD_TIMEOUT)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(100);
    let builder = match version {
        Version::One => builder.http1_only(),
        Version::Two => builder.http2_only(),
    };
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)).into_owned();
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

enum Version {
    One,
    Two,
}

/// Looks at the first bytes without taking them. hyper-util's own look has no timeout: a client that
/// says nothing would stay for ever. None: the client left.
async fn version(stream: &TcpStream) -> io::Result<Option<Version>> {
    let mut seen = [0; HTTP2_PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 {
            return Ok(None);
        }
        if seen[..count] != HTTP2_PREFACE[..count] {
            return Ok(Some(Version::One));
        }
        if count == HTTP2_PREFACE.len() {
            return Ok(Some(Version::Two));
        }
        // A preface in pieces: peeking again returns at once, whatever came.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
