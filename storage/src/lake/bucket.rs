//! A bucket: bounded requests on threads of its own, and the cache before it.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{
    BackoffConfig, ClientConfigKey, Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use super::address::{Address, Scheme};
use super::cache::{CHUNK, ChunkCache, Key};
use super::flight::FetchError;
use super::{Draft, Figures, LakeError, MARKER};

/// A read, all attempts together.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(10);
/// A write, all attempts together.
const WRITE_WITHIN: Duration = Duration::from_secs(60);
/// Parts of an upload that failed are cleared away within this, or by the bucket's own rules.
const ABORT_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: &str = "3 s";

/// After a read failed for good, others do not try for this long: a query over a hundred segments
/// must not wait a hundred times.
const OUTAGE: Duration = Duration::from_secs(2);

/// Reads at once; each holds up to 2 MiB.
const READS: usize = 16;
/// A longer object goes up in parts: one lost connection costs one part.
const WHOLE_BYTES: usize = 16 << 20;
/// All but the last are of one size, which some stores demand; S3 wants 5 MiB at least.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;

/// An object that takes more of the cache than this is not put into it when it is written.
const WRITE_THROUGH_SHARE: u64 = 8;

pub(super) type Objects = Arc<dyn ObjectStore>;

pub(super) struct Bucket {
    data_path: String,
    /// Short attempts for reads and deletes, longer ones for writes.
    reads: Objects,
    writes: Objects,
    cache: ChunkCache,
    slots: Semaphore,
    /// When a read last failed for good, and why.
    outage: Mutex<Option<(Instant, String)>>,
    /// When a write did.
    unwritable: Mutex<Option<Instant>>,
    /// Once it is known that the prefix is ours.
    claimed: AtomicBool,
    counts: Counts,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct Counts {
    gets: AtomicU64,
    puts: AtomicU64,
    deletes: AtomicU64,
    lists: AtomicU64,
    failures: AtomicU64,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
}

impl Bucket {
    /// Asks nothing of the bucket yet: a store must open while it is down.
    pub(super) fn open(url: &str, cache: &Path, cache_bytes: u64) -> Result<Arc<Self>, LakeError> {
        let failed = |what: String| LakeError { file: url.to_owned(), what };
        let address = Address::parse(url).map_err(failed)?;
        let connect = |attempt, retry| {
            let connected = connect(&address, attempt, retry).map_err(|error| failed(error.to_string()))?;
            Ok::<Objects, LakeError>(Arc::new(PrefixStore::new(connected, address.prefix.clone())))
        };
        let reads = connect("5 s", retries(6, Duration::from_secs(2), Duration::from_secs(7)))?;
        let writes = connect("25 s", retries(5, Duration::from_secs(5), Duration::from_secs(30)))?;
        let cache = ChunkCache::new(cache.to_owned(), cache_bytes);
        let bucket =
            Self::over(address.data_path(), reads, writes, cache).map_err(|error| failed(error.to_string()))?;
        let listing = bucket.clone();
        bucket.runtime().spawn_blocking(move || listing.cache.list());
        Ok(bucket)
    }

    pub(super) fn over(data_path: String, reads: Objects, writes: Objects, cache: ChunkCache) -> io::Result<Arc<Self>> {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("clew-lake").enable_all().build()?;
        Ok(Arc::new(Self {
            data_path,
            reads,
            writes,
            cache,
            slots: Semaphore::new(READS),
            outage: Mutex::default(),
            unwritable: Mutex::default(),
            claimed: AtomicBool::new(false),
            counts: Counts::default(),
            runtime: Some(runtime),
        }))
    }

    pub(super) fn data_path(&self) -> &str {
        &self.data_path
    }

    pub(super) fn cache(&self) -> &ChunkCache {
        &self.cache
    }

    pub(super) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("there until it is dropped")
    }

    /// A range of an object, asked for as often as its time allows.
    pub(super) async fn fetch(&self, path: &str, range: Range<u64>) -> Result<Bytes, FetchError> {
        if let Some((at, why)) = &*self.outage.lock()
            && at.elapsed() < OUTAGE
        {
            return Err(FetchError::Failed(why.clone()));
        }
        let wanted = range.end - range.start;
        let fetched = tokio::time::timeout(READ_WITHIN, async {
            let _slot = self.slots.acquire().await;
            self.counts.gets.fetch_add(1, Ordering::Relaxed);
            self.reads.get_range(&ObjectPath::from(path), range).await
        });
        let (error, outage) = match fetched.await {
            Ok(Ok(bytes)) if bytes.len() as u64 == wanted => {
                self.counts.read_bytes.fetch_add(wanted, Ordering::Relaxed);
                *self.outage.lock() = None;
                return Ok(bytes);
            }
            Ok(Ok(bytes)) => {
                (FetchError::Failed(format!("{} bytes came where {wanted} were asked for", bytes.len())), false)
            }
            Ok(Err(Error::NotFound { .. })) => (FetchError::Gone, false),
            Ok(Err(error @ (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }))) => {
                (FetchError::Failed(error.to_string()), false)
            }
            Ok(Err(error)) => (FetchError::Failed(error.to_string()), true),
            Err(_) => (FetchError::Failed(format!("the bucket did not answer within {READ_WITHIN:?}")), true),
        };
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        if outage {
            *self.outage.lock() = Some((Instant::now(), error.to_string()));
        }
        Err(error)
    }

    /// Returns once the whole object is in the bucket. When it fails, the object is there or not:
    /// names are never used twice, so whoever repeats it loses nothing.
    pub(super) async fn put(self: &Arc<Self>, path: &str, bytes: Bytes) -> Result<(), LakeError> {
        let (bucket, at, len) = (self.clone(), path.to_owned(), bytes.len() as u64);
        self.within(path, WRITE_WITHIN + ABORT_WITHIN, async move {
            bucket.counts.puts.fetch_add(1, Ordering::Relaxed);
            bucket.upload(&ObjectPath::from(&*at), &bytes).await.inspect_err(|_| {
                *bucket.unwritable.lock() = Some(Instant::now());
            })?;
            *bucket.unwritable.lock() = None;
            bucket.counts.written_bytes.fetch_add(len, Ordering::Relaxed);
            if len <= bucket.cache.bound() / WRITE_THROUGH_SHARE {
                let _ = tokio::task::spawn_blocking(move || bucket.write_through(&at, &bytes)).await;
            }
            Ok(())
        })
        .await
    }

    /// As [`Self::put`]. Only now is the file in memory, whose maker has let go of all that it took.
    pub(super) async fn publish(self: &Arc<Self>, draft: Draft) -> Result<(), LakeError> {
        let path = draft.path().to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; usize::try_from(draft.bytes()).map_err(io::Error::other)?];
            draft.file().read_exact_at(&mut bytes, 0).map(|()| bytes)
        });
        match read.await.map_err(io::Error::other).flatten() {
            Ok(bytes) => self.put(&path, bytes.into()).await,
            Err(error) => Err(LakeError { file: path, what: error.to_string() }),
        }
    }

    async fn upload(&self, path: &ObjectPath, bytes: &Bytes) -> Result<(), Error> {
        let late = || failure(format!("not written within {WRITE_WITHIN:?}"));
        if bytes.len() <= WHOLE_BYTES {
            let put = tokio::time::timeout(WRITE_WITHIN, self.writes.put(path, bytes.clone().into())).await;
            return put.unwrap_or_else(|_| Err(late())).map(drop);
        }
        let begun = Instant::now();
        let begin = tokio::time::timeout(WRITE_WITHIN, self.writes.put_multipart(path)).await;
        let mut upload = begin.unwrap_or_else(|_| Err(late()))?;
        let left = WRITE_WITHIN.saturating_sub(begun.elapsed());
        let whole = tokio::time::timeout(left, async {
            let parts =
                (0..bytes.len()).step_by(PART_BYTES).map(|from| bytes.slice(from..bytes.len().min(from + PART_BYTES)));
            let parts: Vec<_> = parts.map(|part| upload.put_part(PutPayload::from(part))).collect();
            stream::iter(parts).buffer_unordered(PARTS_AT_ONCE).try_collect::<()>().await?;
            upload.complete().await
        });
        let Err(error) = whole.await.unwrap_or_else(|_| Err(late())) else { return Ok(()) };
        // The answer to the last request may be lost, and a repeat be told that there is no such upload.
        let head = tokio::time::timeout(ABORT_WITHIN, self.reads.head(path)).await;
        if head.is_ok_and(|head| head.is_ok_and(|meta| meta.size == bytes.len() as u64)) {
            return Ok(());
        }
        let _ = tokio::time::timeout(ABORT_WITHIN, upload.abort()).await;
        Err(error)
    }

    fn write_through(&self, path: &str, bytes: &Bytes) {
        let object: Arc<str> = path.into();
        for (chunk, bytes) in (0..).zip(bytes.chunks(CHUNK as usize)) {
            self.cache.keep_written(&Key { object: object.clone(), chunk }, bytes);
        }
    }

    /// The whole object.
    pub(super) async fn get(self: &Arc<Self>, path: &str) -> Result<Bytes, LakeError> {
        let (bucket, at) = (self.clone(), ObjectPath::from(path));
        self.within(path, WRITE_WITHIN, async move {
            bucket.counts.gets.fetch_add(1, Ordering::Relaxed);
            let bytes = bucket.writes.get(&at).await?.bytes().await?;
            bucket.counts.read_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Ok(bytes)
        })
        .await
    }

    /// Right after a write that failed it fails as well: what a flush leaves behind is an orphan, which
    /// is cleared later, and the next attempt must not wait for this one.
    pub(super) async fn delete(self: &Arc<Self>, path: &str) -> Result<(), LakeError> {
        let (bucket, at) = (self.clone(), path.to_owned());
        self.within(path, READ_WITHIN, async move {
            if bucket.unwritable.lock().is_some_and(|at| at.elapsed() < OUTAGE) {
                return Err(failure("the bucket did not take a write just now"));
            }
            bucket.counts.deletes.fetch_add(1, Ordering::Relaxed);
            match bucket.reads.delete(&ObjectPath::from(&*at)).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
            // Afterwards: what a reader fetches meanwhile must not stay either.
            let _ = tokio::task::spawn_blocking(move || bucket.cache.forget_object(&at)).await;
            Ok(())
        })
        .await
    }

    pub(super) fn forget(&self, path: &str) {
        self.cache.forget_object(path);
    }

    pub(super) async fn list(self: &Arc<Self>) -> Result<Vec<(String, i64)>, LakeError> {
        let bucket = self.clone();
        self.within("list", WRITE_WITHIN, async move {
            bucket.counts.lists.fetch_add(1, Ordering::Relaxed);
            let objects = bucket.writes.list(None).map_ok(|object| {
                (object.location.to_string(), object.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX))
            });
            objects.try_filter(|(path, _)| std::future::ready(path != MARKER)).try_collect().await
        })
        .await
    }

    /// Writes whose the prefix is, or compares: two catalogues over one prefix would clear away each
    /// other's files as orphans.
    pub(super) async fn claim(self: &Arc<Self>, id: &str) -> Result<(), LakeError> {
        if self.claimed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (bucket, wanted) = (self.clone(), id.to_owned());
        let owner = self
            .within(MARKER, READ_WITHIN, async move {
                let marker = ObjectPath::from(MARKER);
                let known = match bucket.reads.get(&marker).await {
                    Ok(found) => found.bytes().await?,
                    Err(Error::NotFound { .. }) => {
                        match bucket.reads.put_opts(&marker, wanted.clone().into(), PutMode::Create.into()).await {
                            Ok(_) => return Ok(wanted),
                            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                                bucket.reads.get(&marker).await?.bytes().await?
                            }
                            Err(error) => return Err(error),
                        }
                    }
                    Err(error) => return Err(error),
                };
                Ok(String::from_utf8_lossy(&known).into_owned())
            })
            .await?;
        if owner == id {
            self.claimed.store(true, Ordering::Relaxed);
            return Ok(());
        }
        Err(LakeError::taken(&self.data_path, &owner, id))
    }

    pub(super) fn figures(&self) -> Figures {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            gets: read(&self.counts.gets),
            puts: read(&self.counts.puts),
            deletes: read(&self.counts.deletes),
            lists: read(&self.counts.lists),
            failures: read(&self.counts.failures),
            read_bytes: read(&self.counts.read_bytes),
            written_bytes: read(&self.counts.written_bytes),
            cached_bytes: self.cache.bytes(),
        }
    }

    /// Runs on the bucket's own threads, and to its end whatever becomes of the caller.
    async fn within<T: Send + 'static>(
        self: &Arc<Self>,
        path: &str,
        bound: Duration,
        request: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, LakeError> {
        let done = self.runtime().spawn(tokio::time::timeout(bound, request)).await;
        let what = match done {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => format!("the bucket did not answer within {bound:?}"),
            Err(error) => error.to_string(),
        };
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        Err(LakeError { file: format!("{}{path}", self.data_path), what })
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // The last owner may be one of its own threads, which must not wait for themselves.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn failure(what: impl Into<String>) -> Error {
    Error::Generic { store: "bucket", source: what.into().into() }
}

fn retries(max_retries: usize, longest: Duration, retry_timeout: Duration) -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: longest, base: 2. };
    RetryConfig { backoff, max_retries, retry_timeout }
}

/// With the environment that each provider's own tools read; `attempt` bounds one request.
fn connect(address: &Address, attempt: &str, retry: RetryConfig) -> Result<Objects, Error> {
    let bounds = [(ClientConfigKey::Timeout, attempt), (ClientConfigKey::ConnectTimeout, CONNECT_WITHIN)];
    Ok(match address.scheme {
        Scheme::S3 => {
            let builder = AmazonS3Builder::from_env().with_url(&address.bucket).with_retry(retry);
            Arc::new(
                bounds.into_iter().fold(builder, |b, (k, v)| b.with_config(AmazonS3ConfigKey::Client(k), v)).build()?,
            )
        }
        Scheme::Google => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(&address.bucket).with_retry(retry);
            Arc::new(
                bounds.into_iter().fold(builder, |b, (k, v)| b.with_config(GoogleConfigKey::Client(k), v)).build()?,
            )
        }
        Scheme::Azure => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(&address.bucket).with_retry(retry);
            Arc::new(bounds.into_iter().fold(builder, |b, (k, v)| b.with_config(AzureConfigKey::Client(k), v)).build()?)
        }
    })
}
