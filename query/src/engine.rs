//! The front door: one handle to the store, its limits, and the errors a caller can act on.

use std::sync::Arc;
use std::time::Duration;

use storage::scan::ReadError;
use storage::store::{Snapshot, Store};
use storage::tenant::Tenants;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::model::Notes;

/// A handle that is cheap to clone. All questions are `async` and run on blocking threads, so that
/// decoding never holds up ingest.
#[derive(Clone)]
pub struct Engine {
    store: Arc<Store>,
    limits: Limits,
    permits: Permits,
    sql_permits: Permits,
    findings: Arc<crate::findings::Desk>,
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
    /// SQL queries that run at once, beside the others: slow SQL holds up nothing but SQL.
    pub sql_concurrent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            trace_spans: 500_000,
            sql_memory: 256 << 20,
            concurrent: 8,
            sql_concurrent: 2,
        }
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
    pub(crate) fn after(allowed: Duration) -> Self {
        Self { at: std::time::Instant::now() + allowed, allowed, abandoned: Arc::default() }
    }

    /// Call once a chunk.
    pub fn check(&self) -> Result<(), QueryError> {
        if std::time::Instant::now() >= self.at || self.abandoned.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(self.timeout());
        }
        Ok(())
    }

    /// Waits for `answer`, but no longer than the deadline.
    pub(crate) async fn wait<T>(&self, answer: impl Future<Output = T>) -> Result<T, QueryError> {
        tokio::time::timeout_at(self.at.into(), answer).await.map_err(|_| self.timeout())
    }

    fn timeout(&self) -> QueryError {
        QueryError::Timeout(self.allowed)
    }
}

/// The right to run one question, from the moment when its turn has come. The permit goes to whoever
/// does the work, who drops it last.
pub(crate) struct Turn {
    pub(crate) snapshot: Snapshot,
    pub(crate) deadline: Deadline,
    pub(crate) permit: Permit,
}

/// How many questions run at once: of one tenant, and of all.
#[derive(Clone)]
struct Permits {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// Of its tenant's, and of all.
pub(crate) type Permit = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Permits {
    fn new(all: usize) -> Self {
        Self { own: Arc::new(Semaphore::new(all)), all: Arc::new(Semaphore::new(all)) }
    }

    /// The same for one of `tenants`: where there are others, it has at most half, and they have a turn.
    fn part(all: usize, shared: &Self, tenants: usize) -> Self {
        let own = if tenants > 1 { all.div_ceil(2) } else { all };
        Self { own: Arc::new(Semaphore::new(own)), all: shared.all.clone() }
    }

    async fn acquire(&self) -> Result<Permit, AcquireError> {
        // In this order: who waits among all holds nothing that another tenant waits for.
        let own = self.own.clone().acquire_owned().await?;
        Ok((own, self.all.clone().acquire_owned().await?))
    }
}

/// Sets the flag when the future that waits for the answer is dropped.
pub(crate) struct AbandonOnDrop(Arc<std::sync::atomic::AtomicBool>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Engine {
    pub fn new(store: Arc<Store>, limits: Limits) -> Self {
        let findings = Arc::new(crate::findings::Desk::new(crate::findings::Settings::default()));
        Self {
            store,
            limits,
            permits: Permits::new(limits.concurrent),
            sql_permits: Permits::new(limits.sql_concurrent),
            findings,
        }
    }

    /// An engine for each tenant. They share what runs at once; none has more than half of it.
    pub fn for_tenants(stores: &Tenants<Arc<Store>>, limits: Limits) -> Tenants<Self> {
        let first = Self::new(stores.of_default().clone(), limits);
        let tenants = stores.count();
        stores.map(|_, store| Self {
            permits: Permits::part(limits.concurrent, &first.permits, tenants),
            sql_permits: Permits::part(limits.sql_concurrent, &first.sql_permits, tenants),
            ..Self::new(store.clone(), limits)
        })
    }

    /// The same, which judges by these settings.
    pub fn with_findings(self, settings: crate::findings::Settings) -> Self {
        Self { findings: Arc::new(crate::findings::Desk::new(settings)), ..self }
    }

    pub(crate) fn findings_desk(&self) -> &Arc<crate::findings::Desk> {
        &self.findings
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
        let (turn, _waits) = self.turn(&self.permits).await?;
        tokio::task::spawn_blocking(move || {
            let Turn { snapshot, deadline, permit: _permit } = turn;
            question(&snapshot, &deadline)
        })
        .await
        .map_err(|panic| QueryError::Internal(panic.to_string()))?
    }

    /// A turn of a question that runs on several threads, one after the other.
    pub(crate) async fn short_turn(&self) -> Result<(Turn, AbandonOnDrop), QueryError> {
        self.turn(&self.permits).await
    }

    /// A turn among the SQL queries.
    pub(crate) async fn sql_turn(&self) -> Result<(Turn, AbandonOnDrop), QueryError> {
        self.turn(&self.sql_permits).await
    }

    /// Waits for a permit within the deadline, which counts from now. Keep the second value for as
    /// long as somebody waits for the answer.
    async fn turn(&self, permits: &Permits) -> Result<(Turn, AbandonOnDrop), QueryError> {
        let deadline = Deadline::after(self.limits.deadline);
        let waits = AbandonOnDrop(deadline.abandoned.clone());
        let permit =
            deadline.wait(permits.acquire()).await?.map_err(|closed| QueryError::Internal(closed.to_string()))?;
        Ok((Turn { snapshot: self.store.snapshot(), deadline, permit }, waits))
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_tenant_has_at_most_half_where_there_are_others() {
        let all = Permits::new(4);
        let parts: Vec<Permits> = (0..3).map(|_| Permits::part(4, &all, 3)).collect();
        let first = [parts[0].acquire().await.expect("free"), parts[0].acquire().await.expect("free")];
        let mut third = Box::pin(parts[0].acquire());
        assert!(third.as_mut().now_or_never().is_none(), "more than half");
        let second = [parts[1].acquire().await.expect("free"), parts[1].acquire().await.expect("free")];
        assert!(parts[2].acquire().now_or_never().is_none(), "all are taken");
        drop(second);
        assert!(parts[2].acquire().now_or_never().is_some());
        drop(first);
        assert!(third.now_or_never().is_some());
        let alone = Permits::part(2, &Permits::new(2), 1);
        let _both = [alone.acquire().await.expect("free"), alone.acquire().await.expect("free")];
    }
}
