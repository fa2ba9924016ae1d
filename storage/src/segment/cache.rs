//! Open segments, the most recently used of them, within a budget of bytes; and pages of them.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use super::Readers;
use super::pages::PageCache;
use crate::scan::ReadError;

/// Footers and dictionaries in memory at most, bytes.
const BUDGET: usize = 192 << 20;
/// Open segments at most: each holds two file descriptors.
const OPEN: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// Shared by all segments of a store.
pub struct ReaderCache {
    state: Mutex<State>,
    pub(super) pages: Arc<PageCache>,
}

struct State {
    readers: LruCache<i64, (Arc<Readers>, usize)>,
    bytes: usize,
}

impl Default for ReaderCache {
    fn default() -> Self {
        Self { state: Mutex::new(State { readers: LruCache::new(OPEN), bytes: 0 }), pages: Arc::default() }
    }
}

impl ReaderCache {
    /// Opens outside the lock: two callers may open the same segment at once, which is harmless.
    pub(super) fn get_or_open(
        &self,
        id: i64,
        memory: impl Fn(&Readers) -> usize,
        open: impl FnOnce() -> Result<Readers, ReadError>,
    ) -> Result<Arc<Readers>, ReadError> {
        if let Some((readers, _)) = self.state.lock().readers.get(&id) {
            return Ok(readers.clone());
        }
        let readers = Arc::new(open()?);
        let bytes = memory(&readers);
        let mut state = self.state.lock();
        if let Some((_, (_, evicted))) = state.readers.push(id, (readers.clone(), bytes)) {
            state.bytes -= evicted;
        }
        state.bytes += bytes;
        while state.bytes > BUDGET && state.readers.len() > 1 {
            let Some((_, (_, evicted))) = state.readers.pop_lru() else { break };
            state.bytes -= evicted;
        }
        Ok(readers)
    }

    /// Drops what is open of a segment that no snapshot will name again.
    pub fn forget(&self, id: i64) {
        let mut state = self.state.lock();
        if let Some((_, bytes)) = state.readers.pop(&id) {
            state.bytes -= bytes;
        }
    }
}
