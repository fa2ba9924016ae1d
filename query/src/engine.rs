//! The front door: one handle to the store, its limits, and the errors a caller can act on.

use std::sync::Arc;
use std::time::Duration;

use storage::scan::ReadError;
use storage::store::{Snapshot, Store};

use crate::model::Notes;

/// A handle that is cheap to clone. All questions are `async` and run on blocking threads, so that
/// decoding never holds up ingest.
#[derive(Clone)]
pub struct Engine {
    store: Arc<Store>,
    limits: Limits,
    permits: Arc<tokio::sync::Semaphore>,
}

/// Bounds of one query.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub deadline: Duration,
    /// Most spans of one trace in an answer; more are counted and said in the notes.
    pub trace_spans: usize,
    /// Memory of one SQL query, bytes.
    pub sql_memory: usize,
    /// Queries that run at once; others wait.
    pub concurrent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), trace_spans: 500_000, sql_memory: 256 << 20, concurrent: 8 }
    }
}

/// Half-open range of the time column, ns since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: i64,
    pub to: i64,
}

impl Range {
    pub const ALL: Range = Range { from: i64::MIN, to: i64::MAX };

    pub fn contains(self, time: i64) -> bool {
        self.from <= time && (time < self.to || self.to == i64::MAX)
    }
}

/// Sorted by what the caller does.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The question is wrong; `position` is a byte offset into its text.
    #[error("{message}")]
    Bad { message: String, position: Option<usize> },
    /// It took longer than the deadline: ask for less.
    #[error("the query was stopped after {0:?}")]
    Timeout(Duration),
    /// It needs more memory than one query may have: ask for less.
    #[error("the query needs more memory than it may have: {0}")]
    TooLarge(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl QueryError {
    pub fn bad(message: impl Into<String>) -> Self {
        Self::Bad { message: message.into(), position: None }
    }
}

/// Tells long loops to stop: the deadline passed, or nobody waits for the answer any more.
#[derive(Clone)]
pub struct Deadline {
    at: std::time::Instant,
    allowed: Duration,
    abandoned: Arc<std::sync::atomic::AtomicBool>,
}

impl Deadline {
    /// Call once a chunk.
    pub fn check(&self) -> Result<(), QueryError> {
        if std::time::Instant::now() >= self.at || self.abandoned.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(QueryError::Timeout(self.allowed));
        }
        Ok(())
    }
}

/// Sets the flag when the future that waits for the answer is dropped.
struct AbandonOnDrop(Arc<std::sync::atomic::AtomicBool>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Engine {
    pub fn new(store: Arc<Store>, limits: Limits) -> Self {
        Self { store, limits, permits: Arc::new(tokio::sync::Semaphore::new(limits.concurrent)) }
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Runs `question` over one snapshot on a blocking thread, within the deadline.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Snapshot, &Deadline) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let allowed = self.limits.deadline;
        let at = std::time::Instant::now() + allowed;
        let permit = tokio::time::timeout(allowed, self.permits.clone().acquire_owned())
            .await
            .map_err(|_| QueryError::Timeout(allowed))?
            .map_err(|closed| QueryError::Internal(closed.to_string()))?;
        let abandoned = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let _guard = AbandonOnDrop(abandoned.clone());
        let deadline = Deadline { at, allowed, abandoned };
        let snapshot = self.store.snapshot();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            question(&snapshot, &deadline)
        })
        .await
        .map_err(|panic| QueryError::Internal(panic.to_string()))?
    }
}

impl Notes {
    /// A source that could not be read: the answer goes on without it and says so.
    pub fn unreadable(&mut self, error: &ReadError) {
        let warning = error.to_string();
        tracing::warn!(%warning, "a part of the store could not be read");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
