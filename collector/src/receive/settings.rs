//! What can be set of the receivers, and the limits that nobody should tune.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::normalise::Rules;

/// Settings of both receivers.
#[derive(Clone, Debug)]
pub struct Settings {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    /// Largest request, bytes after decompression; at most [`MOST_MESSAGE_BYTES`].
    pub max_message_bytes: usize,
    /// Memory for all requests in flight, bytes.
    pub budget_bytes: usize,
    /// How long a shutdown waits for requests that have begun.
    pub drain: Duration,
    pub patience: Patience,
    /// What spans mean.
    pub rules: Arc<Rules>,
    /// Time of receipt, ns since the epoch.
    pub now: fn() -> i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grpc: SocketAddr::from(([127, 0, 0, 1], 4317)),
            http: SocketAddr::from(([127, 0, 0, 1], 4318)),
            max_message_bytes: 64 << 20, // OTLP specification, "OTLP/HTTP Request": recommended
            budget_bytes: 256 << 20,
            drain: Duration::from_secs(10),
            patience: Patience::default(),
            rules: Arc::default(),
            now: system_time,
        }
    }
}

/// How long clients are waited for. There is no reason to change it but to test it.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A connection whose first request has not begun by then is closed.
    pub first_request: Duration,
    /// An HTTP/1 connection without a request is closed after this; more than the minute between two exports
    /// of metrics, so that a sender does not meet a closing connection each time.
    pub idle: Duration,
    /// A body that does not arrive in this time, and that of its bytes at the least speed, is given up.
    pub body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first_request: Duration::from_secs(10), idle: Duration::from_secs(90), body: Duration::from_secs(15) }
    }
}

/// Bound of `max_message_bytes`: text may grow sixfold as JSON, and a column holds less than 2 GiB.
pub(super) const MOST_MESSAGE_BYTES: usize = 256 << 20;

/// The least speed of a body, bytes a second: so much longer than [`Patience::body`] may it take.
pub(super) const SLOWEST_BODY: u64 = 16 << 10;

/// How long a request waits for memory before it is refused.
pub(super) const ADMISSION_WAIT: Duration = Duration::from_millis(100);

/// What a refused sender is told to wait, s.
pub(super) const RETRY_AFTER_S: u32 = 1;
/// The same where the disk refuses: an operator has to act.
pub(super) const DISK_RETRY_AFTER_S: u32 = 5;

pub(super) const MAX_CONNECTIONS: usize = 8192;
pub(super) const MAX_STREAMS: u32 = 256;
pub(super) const MAX_HEADER_BYTES: u32 = 16 << 10;

fn system_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
