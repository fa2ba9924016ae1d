//! Chunks of objects on local disk: bounded in bytes, the least recently used go first.
//!
//! ```text
//!   <data-dir>/cache/main/spans/0173…-a1b2….parquet/7     bytes 7·CHUNK .. 8·CHUNK of that object
//! ```
//! Nothing here is durable or trusted: no fsync, and whoever reads checks the catalogue's checksums.
//! A file that is gone or short is a miss, so the folder may be deleted at any time.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use hashbrown::HashMap;
use lru::LruCache;
use parking_lot::Mutex;

use super::flight::Flight;

/// What is kept or not, and fetched at once. Whole checksum blocks; chosen by measurement, see
/// `docs/reliability.md`.
pub(super) const CHUNK: u64 = 256 << 10;

/// File systems give space in such blocks, and a folder takes one.
const DISK_BLOCK: u64 = 4096;

/// A chunk: the object's path in the lake, and its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) object: Arc<str>,
    pub(super) chunk: u32,
}

/// What the cache knows of a chunk.
pub(super) enum Found {
    /// On disk, or so it seems.
    Kept,
    /// Somebody fetches it.
    Flying(Arc<Flight>),
    /// Nobody does: the caller must, and land the flight.
    Missing(Arc<Flight>),
}

pub(super) struct ChunkCache {
    root: PathBuf,
    /// Bytes on disk at most; 0 keeps nothing.
    bound: u64,
    state: Mutex<State>,
    /// Sets unfinished files apart.
    unique: AtomicU64,
}

struct State {
    /// With the bytes that each takes on disk.
    chunks: LruCache<Key, u64>,
    objects: HashMap<Arc<str>, BTreeSet<u32>>,
    flights: HashMap<Key, Arc<Flight>>,
    /// Of chunks that are kept or being written.
    bytes: u64,
    /// False until the folder was listed: nothing is kept before, or the bound would not hold.
    listed: bool,
}

impl ChunkCache {
    pub(super) fn new(root: PathBuf, bound: u64) -> Self {
        let state = State {
            chunks: LruCache::unbounded(),
            objects: HashMap::new(),
            flights: HashMap::new(),
            bytes: 0,
            listed: false,
        };
        Self { root, bound, state: Mutex::new(state), unique: AtomicU64::new(0) }
    }

    /// What files of no other kind may lie in, but without a name.
    pub(super) fn directory(&self) -> &Path {
        &self.root
    }

    /// Bytes on disk at most.
    pub(super) fn bound(&self) -> u64 {
        self.bound
    }

    /// Bytes on disk now.
    pub(super) fn bytes(&self) -> u64 {
        self.state.lock().bytes
    }

    pub(super) fn find(&self, key: &Key) -> Found {
        let mut state = self.state.lock();
        // A landed flight stays until its chunk is kept, so it comes first.
        if let Some(flight) = state.flights.get(key) {
            return Found::Flying(flight.clone());
        }
        if state.chunks.get(key).is_some() {
            return Found::Kept;
        }
        let flight = Arc::new(Flight::default());
        state.flights.insert(key.clone(), flight.clone());
        Found::Missing(flight)
    }

    /// Whether a prefetch has nothing to do.
    pub(super) fn has(&self, key: &Key) -> bool {
        let state = self.state.lock();
        state.chunks.contains(key) || state.flights.contains_key(key)
    }

    /// Bytes of a kept chunk from `at` on.
    pub(super) fn read(&self, key: &Key, at: u64, into: &mut [u8]) -> io::Result<()> {
        File::open(self.file(key))?.read_exact_at(into, at)
    }

    /// Ends a flight that brought nothing.
    pub(super) fn give_up(&self, key: &Key, flight: &Arc<Flight>) {
        let mut state = self.state.lock();
        if state.flights.get(key).is_some_and(|current| Arc::ptr_eq(current, flight)) {
            state.flights.remove(key);
        }
    }

    /// Keeps what a flight brought, unless the chunk was forgotten meanwhile; ends the flight. Where
    /// the disk refuses, the next reader fetches it again.
    pub(super) fn keep(&self, key: &Key, flight: &Arc<Flight>, bytes: &[u8]) {
        let current = |state: &State| state.flights.get(key).is_some_and(|known| Arc::ptr_eq(known, flight));
        self.store(key, bytes, current);
        self.give_up(key, flight);
    }

    /// Keeps bytes that were just written to the bucket: they will be read soon, and merged.
    pub(super) fn keep_written(&self, key: &Key, bytes: &[u8]) {
        self.store(key, bytes, |state| !state.flights.contains_key(key));
    }

    fn store(&self, key: &Key, bytes: &[u8], wanted: impl Fn(&State) -> bool) {
        let size = (bytes.len() as u64).next_multiple_of(DISK_BLOCK);
        let Some(evicted) = self.reserve(key, size, &wanted) else { return };
        self.remove(&evicted);
        let written = self.write(key, bytes);
        if let Err(error) = &written {
            tracing::warn!(%error, folder = %self.root.display(), "the cache cannot be written");
        }
        let mut state = self.state.lock();
        if written.is_ok() && wanted(&state) {
            state.insert(key, size);
        } else {
            state.bytes -= size;
            drop(state);
            self.remove(std::slice::from_ref(key));
        }
    }

    /// Takes the space of a chunk before it is written; the chunks that must go for it.
    fn reserve(&self, key: &Key, size: u64, wanted: impl Fn(&State) -> bool) -> Option<Vec<Key>> {
        let mut state = self.state.lock();
        if !state.listed || state.chunks.contains(key) || !wanted(&state) {
            return None;
        }
        let evicted = state.make_room(self.bound.checked_sub(size + DISK_BLOCK)?);
        if state.bytes + size + DISK_BLOCK > self.bound {
            // Others are being written; this one is not worth waiting for.
            drop(state);
            self.remove(&evicted);
            return None;
        }
        state.bytes += size;
        Some(evicted)
    }

    fn write(&self, key: &Key, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(key);
        let part = file.with_extension(format!("{}.part", self.unique.fetch_add(1, Ordering::Relaxed)));
        let written = fs::write(&part, bytes).or_else(|error| match (error.kind(), file.parent()) {
            (io::ErrorKind::NotFound, Some(folder)) => {
                fs::create_dir_all(folder).and_then(|()| fs::write(&part, bytes))
            }
            _ => Err(error),
        });
        let named = written.and_then(|()| fs::rename(&part, &file));
        if named.is_err() {
            let _ = fs::remove_file(&part);
        }
        named
    }

    /// A chunk that is not what it should be.
    pub(super) fn forget(&self, key: &Key) {
        let mut state = self.state.lock();
        state.flights.remove(key);
        state.drop_chunk(key);
        drop(state);
        self.remove(std::slice::from_ref(key));
    }

    /// All of an object: nobody will read it again, and nothing of it may stay.
    pub(super) fn forget_object(&self, object: &str) {
        let mut state = self.state.lock();
        state.flights.retain(|key, _| &*key.object != object);
        if let Some((object, chunks)) = state.objects.remove_entry(object) {
            for chunk in chunks {
                if let Some(size) = state.chunks.pop(&Key { object: object.clone(), chunk }) {
                    state.bytes -= size;
                }
            }
            state.bytes -= DISK_BLOCK;
        }
        drop(state);
        let folder = self.root.join(object);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, folder = %folder.display(), "a folder of the cache cannot be deleted");
            }
            _ => {}
        }
    }

    /// Takes in what an earlier run left, oldest first, and begins to keep.
    pub(super) fn list(&self) {
        let mut found = Vec::new();
        if self.bound > 0
            && let Err(error) = walk(&self.root, &mut PathBuf::new(), &mut found)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, folder = %self.root.display(), "the cache cannot be listed");
        }
        found.sort_unstable_by_key(|(_, changed, _)| *changed);
        let mut state = self.state.lock();
        for (key, _, size) in found {
            state.bytes += size;
            state.insert(&key, size);
        }
        let evicted = state.make_room(self.bound);
        state.listed = true;
        drop(state);
        self.remove(&evicted);
    }

    /// Whether all that was fetched is kept.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.state.lock().flights.is_empty()
    }

    fn remove(&self, keys: &[Key]) {
        for key in keys {
            let file = self.file(key);
            // What is gone already is fine; what cannot go stays within the folder and is listed again.
            let _ = fs::remove_file(&file);
            if let Some(folder) = file.parent() {
                let _ = fs::remove_dir(folder); // only when it is empty
            }
        }
    }

    fn file(&self, key: &Key) -> PathBuf {
        self.root.join(&*key.object).join(key.chunk.to_string())
    }
}

impl State {
    /// The chunk's bytes are counted already.
    fn insert(&mut self, key: &Key, size: u64) {
        let known = self.objects.len();
        self.objects.entry(key.object.clone()).or_default().insert(key.chunk);
        self.bytes += DISK_BLOCK * (self.objects.len() - known) as u64;
        if let Some(old) = self.chunks.put(key.clone(), size) {
            self.bytes -= old;
        }
    }

    fn drop_chunk(&mut self, key: &Key) {
        if let Some(size) = self.chunks.pop(key) {
            self.bytes -= size;
            self.leave(key);
        }
    }

    fn leave(&mut self, key: &Key) {
        let Some(chunks) = self.objects.get_mut(&key.object) else { return };
        chunks.remove(&key.chunk);
        if chunks.is_empty() {
            self.objects.remove(&key.object);
            self.bytes -= DISK_BLOCK;
        }
    }

    /// Drops the least recently used until no more than `bytes` are taken.
    fn make_room(&mut self, bytes: u64) -> Vec<Key> {
        let mut evicted = Vec::new();
        while self.bytes > bytes {
            let Some((key, size)) = self.chunks.pop_lru() else { break };
            self.bytes -= size;
            self.leave(&key);
            evicted.push(key);
        }
        evicted
    }
}

/// Chunk files below `root`, with time and bytes on disk; deletes what is none.
fn walk(root: &Path, object: &mut PathBuf, found: &mut Vec<(Key, SystemTime, u64)>) -> io::Result<()> {
    let folder = root.join(&*object);
    let (mut any, name) = (false, object.to_str().map(Arc::<str>::from));
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            object.push(entry.file_name());
            walk(root, object, found)?;
            object.pop();
            continue;
        }
        let chunk = entry.file_name().to_str().and_then(|name| name.parse().ok());
        match (&name, chunk) {
            (Some(object), Some(chunk)) if !object.is_empty() => {
                let size = metadata.len().next_multiple_of(DISK_BLOCK);
                found.push((Key { object: object.clone(), chunk }, metadata.modified()?, size));
                any = true;
            }
            _ => fs::remove_file(entry.path())?,
        }
    }
    if !any && !object.as_os_str().is_empty() {
        let _ = fs::remove_dir(&folder); // only when it is empty
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(object: &str, chunk: u32) -> Key {
        Key { object: object.into(), chunk }
    }

    fn cache(root: &Path, bound: u64) -> ChunkCache {
        let cache = ChunkCache::new(root.join("cache"), bound);
        cache.list();
        cache
    }

    fn fill(cache: &ChunkCache, key: &Key, bytes: &[u8]) {
        let Found::Missing(flight) = cache.find(key) else { panic!("{key:?} is there already") };
        cache.keep(key, &flight, bytes);
    }

    /// Bytes on disk, as `du` counts them.
    fn disk_usage(folder: &Path) -> u64 {
        use std::os::unix::fs::MetadataExt;
        let own = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.blocks() * 512);
        let below = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| if entry.path().is_dir() { disk_usage(&entry.path()) } else { own(&entry.path()) });
        own(folder) + below.sum::<u64>()
    }

    #[test]
    fn what_is_kept_is_read_again_also_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = cache(dir.path(), 1 << 20);
        fill(&first, &key("main/spans/a", 3), b"three");
        fs::write(dir.path().join("cache/main/spans/a/4.7.part"), b"half").expect("written");
        drop(first);
        let again = cache(dir.path(), 1 << 20);
        assert!(matches!(again.find(&key("main/spans/a", 3)), Found::Kept));
        let mut read = [0; 3];
        again.read(&key("main/spans/a", 3), 2, &mut read).expect("read");
        assert_eq!(&read, b"ree");
        assert!(matches!(again.find(&key("main/spans/a", 4)), Found::Missing(_)));
        assert!(!dir.path().join("cache/main/spans/a/4.7.part").exists());
    }

    #[test]
    fn the_bound_holds_and_the_least_used_goes_first() {
        let dir = tempfile::tempdir().expect("a directory");
        let cache = cache(dir.path(), 200_000);
        for number in 0..40 {
            fill(&cache, &key(&format!("main/spans/{}", number / 4), number), &[7; 10_000]);
            assert!(matches!(cache.find(&key("main/spans/0", 0)), Found::Kept), "the first is in use");
            // Two folders above the objects are not counted.
            assert!(disk_usage(&dir.path().join("cache")) <= 200_000 + 3 * DISK_BLOCK);
        }
        assert!(matches!(cache.find(&key("main/spans/0", 1)), Found::Missing(_)), "the second is not");
        assert!(cache.bytes() > 100_000, "{}", cache.bytes());
        assert_eq!(
            fs::read_dir(dir.path().join("cache/main/spans")).expect("listed").count(),
            cache.state.lock().objects.len()
        );
    }

    #[test]
    fn a_smaller_bound_holds_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let large = cache(dir.path(), 1 << 20);
        (0..20).for_each(|number| fill(&large, &key("main/spans/a", number), &[1; 20_000]));
        drop(large);
        let small = cache(dir.path(), 100_000);
        assert!(small.bytes() <= 100_000);
        assert!(disk_usage(&dir.path().join("cache/main/spans/a")) <= 100_000);
    }

    #[test]
    fn nothing_stays_of_a_deleted_object() {
        let dir = tempfile::tempdir().expect("a directory");
        let cache = cache(dir.path(), 1 << 20);
        fill(&cache, &key("main/spans/a", 0), b"secret");
        fill(&cache, &key("main/spans/b", 0), b"kept");
        let Found::Missing(late) = cache.find(&key("main/spans/a", 1)) else { panic!("nobody fetched it") };
        cache.forget_object("main/spans/a");
        // The request that was on its way comes back afterwards.
        cache.keep(&key("main/spans/a", 1), &late, b"secret");
        assert!(!dir.path().join("cache/main/spans/a").exists());
        assert!(matches!(cache.find(&key("main/spans/b", 0)), Found::Kept));
        assert_eq!(cache.bytes(), 2 * DISK_BLOCK);
    }

    #[test]
    fn the_folder_may_vanish() {
        let dir = tempfile::tempdir().expect("a directory");
        let cache = cache(dir.path(), 1 << 20);
        fill(&cache, &key("main/spans/a", 0), b"bytes");
        fs::remove_dir_all(dir.path().join("cache")).expect("deleted");
        assert!(cache.read(&key("main/spans/a", 0), 0, &mut [0; 5]).is_err());
        cache.forget(&key("main/spans/a", 0));
        fill(&cache, &key("main/spans/a", 0), b"again");
        let mut read = [0; 5];
        cache.read(&key("main/spans/a", 0), 0, &mut read).expect("read");
        assert_eq!(&read, b"again");
    }
}
