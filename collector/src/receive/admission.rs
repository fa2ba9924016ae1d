//! One budget of memory for all requests in flight.
//!
//! A request takes its share before its bytes are read and as they come; what the budget cannot give is
//! refused, and the sender comes again. So overload costs refusals, not memory. Of several tenants each has at
//! most a part, so that the others' requests are taken all the same.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use super::settings::{ADMISSION_WAIT, RETRY_AFTER_S};

/// Bytes are given out in pages: a semaphore counts no further than `u32` at once.
const PAGE: usize = 4096;

/// What one tenant may have of it.
#[derive(Clone)]
pub(super) struct Budget {
    own: Arc<Semaphore>,
    own_pages: usize,
    all: Arc<Semaphore>,
}

/// Pages of its tenant's part, and as many of all.
struct Pages {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let pages = (bytes / PAGE).clamp(1, u32::MAX as usize);
        let free = || Arc::new(Semaphore::new(pages));
        Self { own: free(), own_pages: pages, all: free() }
    }

    /// The part of a tenant among others: half of this one, which they share.
    pub(super) fn half(&self) -> Self {
        let pages = (self.own_pages / 2).max(1);
        Self { own: Arc::new(Semaphore::new(pages)), own_pages: pages, all: self.all.clone() }
    }

    /// A share of `bytes`, if it is free at once or within a short wait.
    pub(super) async fn admit(&self, bytes: usize) -> Result<Share, Refusal> {
        let count = self.pages_for(bytes);
        match tokio::time::timeout(ADMISSION_WAIT, self.wait_for(count)).await {
            Ok(Ok(pages)) => Ok(Share { budget: self.clone(), pages, bytes: count as usize * PAGE }),
            Ok(Err(_)) | Err(_) => Err(full()),
        }
    }

    async fn wait_for(&self, count: u32) -> Result<Pages, AcquireError> {
        let own = self.own.clone().acquire_many_owned(count).await?;
        Ok(Pages { own, all: self.all.clone().acquire_many_owned(count).await? })
    }

    /// A request never needs more than all that its tenant may have: then it has it alone.
    fn pages_for(&self, bytes: usize) -> u32 {
        bytes.div_ceil(PAGE).min(self.own_pages) as u32
    }

    #[cfg(test)]
    pub(super) fn free_bytes(&self) -> usize {
        self.own.available_permits().min(self.all.available_permits()) * PAGE
    }
}

/// What one request holds of the budget, until it is dropped.
pub(super) struct Share {
    budget: Budget,
    pages: Pages,
    bytes: usize,
}

impl Share {
    /// Grows to `bytes` in all, if that much is free.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let more = self.budget.pages_for(bytes).saturating_sub(self.budget.pages_for(self.bytes));
        let own = self.budget.own.clone().try_acquire_many_owned(more).map_err(|_| full())?;
        let all = self.budget.all.clone().try_acquire_many_owned(more).map_err(|_| full())?;
        self.pages.own.merge(own);
        self.pages.all.merge(all);
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
    async fn one_tenant_leaves_room_for_the_others() {
        let all = Budget::new(10 * PAGE);
        let (greedy, other, third) = (all.half(), all.half(), all.half());
        let mut share = greedy.admit(PAGE).await.expect("free");
        share.grow_to(100 * PAGE).expect("all that it may have");
        assert_eq!((greedy.free_bytes(), other.free_bytes()), (0, 5 * PAGE));
        assert!(matches!(greedy.admit(PAGE).await, Err(Refusal::Busy { .. })));
        let mut beside = other.admit(4 * PAGE).await.expect("half is left");
        let last = third.admit(PAGE).await.expect("a page is left");
        assert!(beside.grow_to(5 * PAGE).is_err(), "all is taken");
        assert_eq!(other.own.available_permits(), 1, "what was not given in full is given back");
        drop((share, beside, last));
        assert_eq!((all.free_bytes(), greedy.free_bytes(), third.free_bytes()), (10 * PAGE, 5 * PAGE, 5 * PAGE));
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
