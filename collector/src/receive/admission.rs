//! One budget of memory for all requests in flight.
//!
//! A request takes its share before its bytes are read and as they come; what the budget cannot give is
//! refused, and the sender comes again. So overload costs refusals, not memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use super::settings::{ADMISSION_WAIT, RETRY_AFTER_S};

/// Bytes are given out in pages: a semaphore counts no further than `u32` at once.
const PAGE: usize = 4096;

#[derive(Clone)]
pub(super) struct Budget {
    free: Arc<Semaphore>,
    pages: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let pages = (bytes / PAGE).clamp(1, u32::MAX as usize);
        Self { free: Arc::new(Semaphore::new(pages)), pages }
    }

    /// A share of `bytes`, if it is free at once or within a short wait.
    pub(super) async fn admit(&self, bytes: usize) -> Result<Share, Refusal> {
        let pages = self.pages_for(bytes);
        let wanted = self.free.clone().acquire_many_owned(pages);
        match tokio::time::timeout(ADMISSION_WAIT, wanted).await {
            Ok(Ok(permit)) => Ok(Share { budget: self.clone(), permit, bytes: pages as usize * PAGE }),
            Ok(Err(_)) | Err(_) => Err(full()),
        }
    }

    /// A request never needs more than all there is: then it has it alone.
    fn pages_for(&self, bytes: usize) -> u32 {
        bytes.div_ceil(PAGE).min(self.pages) as u32
    }

    #[cfg(test)]
    pub(super) fn free_bytes(&self) -> usize {
        self.free.available_permits() * PAGE
    }
}

/// What one request holds of the budget, until it is dropped.
pub(super) struct Share {
    budget: Budget,
    permit: OwnedSemaphorePermit,
    bytes: usize,
}

impl Share {
    /// Grows to `bytes` in all, if that much is free.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let more = self.budget.pages_for(bytes).saturating_sub(self.budget.pages_for(self.bytes));
        let more = self.budget.free.clone().try_acquire_many_owned(more).map_err(|_| full())?;
        self.permit.merge(more);
        self.bytes = bytes.next_multiple_of(PAGE);
        Ok(())
    }
}

fn full() -> Refusal {
    Refusal::Busy { retry_after_s: RETRY_AFTER_S, what: "too many requests are in flight".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_free_is_refused_and_comes_back() {
        let budget = Budget::new(10 * PAGE);
        let mut first = budget.admit(PAGE).await.expect("free");
        first.grow_to(6 * PAGE).expect("free");
        assert!(first.grow_to(5 * PAGE).is_ok());
        assert_eq!(budget.free_bytes(), 4 * PAGE);
        assert!(matches!(budget.admit(5 * PAGE).await, Err(Refusal::Busy { .. })));
        let mut second = budget.admit(4 * PAGE).await.expect("free");
        assert!(second.grow_to(4 * PAGE + 1).is_err());
        drop(first);
        assert!(second.grow_to(10 * PAGE).is_ok());
        drop(second);
        assert_eq!(budget.free_bytes(), 10 * PAGE);
    }

    #[tokio::test]
    async fn a_request_larger_than_the_budget_has_it_alone() {
        let budget = Budget::new(4 * PAGE);
        let mut share = budget.admit(PAGE).await.expect("free");
        share.grow_to(100 * PAGE).expect("all there is");
        share.grow_to(200 * PAGE).expect("no more than that");
        assert_eq!(budget.free_bytes(), 0);
        drop(share);
        assert_eq!(budget.free_bytes(), 4 * PAGE);
    }
}
