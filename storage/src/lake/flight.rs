//! One request for all who want the same bytes: the first starts it, the others wait for what becomes of it.

use std::time::Instant;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

/// Why bytes did not come.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// There is no such object: asking again does not help.
    #[error("it is not in the bucket")]
    Gone,
    /// The bucket refused, failed or did not answer in time.
    #[error("{0}")]
    Failed(String),
}

/// A chunk on its way.
#[derive(Debug, Default)]
pub(super) struct Flight {
    landed: Mutex<Option<Result<Bytes, FetchError>>>,
    done: Condvar,
}

impl Flight {
    /// Gives the outcome to all who wait; the first one counts.
    pub(super) fn land(&self, outcome: Result<Bytes, FetchError>) {
        self.landed.lock().get_or_insert(outcome);
        self.done.notify_all();
    }

    /// Blocks the thread.
    pub(super) fn wait(&self, until: Instant) -> Result<Bytes, FetchError> {
        let mut landed = self.landed.lock();
        loop {
            if let Some(outcome) = &*landed {
                return outcome.clone();
            }
            if self.done.wait_until(&mut landed, until).timed_out() && landed.is_none() {
                return Err(FetchError::Failed("the bucket did not answer in time".to_owned()));
            }
        }
    }
}
