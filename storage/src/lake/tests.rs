//! A directory and a bucket do the same; a bucket's reads are few, shared, and checked.

use std::time::Duration;

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::throttle::{ThrottleConfig, ThrottledStore};

use super::cache::{CHUNK, ChunkCache};
use super::*;

const FILE: &str = "main/spans/a.parquet";

/// A bucket in memory.
struct Fixture {
    objects: Arc<InMemory>,
    lake: Lake,
    dir: tempfile::TempDir,
}

/// `pause` before each answer to a read.
fn fixture(pause: Duration) -> Fixture {
    let (objects, dir) = (Arc::new(InMemory::new()), tempfile::tempdir().expect("a directory"));
    Fixture { lake: lake(&objects, dir.path(), pause), objects, dir }
}

fn lake(objects: &Arc<InMemory>, dir: &Path, pause: Duration) -> Lake {
    let config = ThrottleConfig { wait_get_per_call: pause, ..ThrottleConfig::default() };
    let reads = Arc::new(ThrottledStore::new(objects.clone(), config));
    let cache = ChunkCache::new(dir.join("cache"), 64 << 20);
    cache.list();
    Lake(Place::Bucket(Bucket::over("s3://b/".to_owned(), reads, objects.clone(), cache).expect("opened")))
}

fn contents(bytes: u64) -> Bytes {
    (0..bytes).map(|i| (i * 31 % 251) as u8).collect()
}

impl Fixture {
    /// Put there by somebody else: nothing of it is cached.
    async fn place(&self, bytes: &Bytes) {
        self.objects.put(&ObjectPath::from(FILE), bytes.clone().into()).await.expect("written");
    }

    fn blob(&self, bytes: &Bytes) -> Blob {
        self.lake.blob(FILE, bytes.len() as u64, Checksums::of(bytes)).expect("opened")
    }

    /// Readers go on before what they got is on disk.
    async fn settle(&self) {
        let Place::Bucket(bucket) = &self.lake.0 else { panic!("a bucket") };
        while !bucket.cache().is_idle() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn gets(&self) -> u64 {
        self.lake.figures().expect("a bucket").gets
    }
}

#[tokio::test]
async fn files_come_and_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let directory = Lake::open(&dir.path().join("lake")).expect("opened");
    for lake in [directory, fixture(Duration::ZERO).lake] {
        lake.put(FILE, Bytes::from_static(b"abc")).await.expect("written");
        assert_eq!(lake.get(FILE).await.expect("read"), "abc");
        assert_eq!(lake.list().await.expect("listed")[0].0, FILE);
        lake.delete(FILE).await.expect("deleted");
        lake.delete(FILE).await.expect("deleted twice");
        assert!(lake.list().await.expect("listed").is_empty());
        assert!(lake.get(FILE).await.is_err());
    }
    assert!(dir.path().join("lake").exists());
}

#[tokio::test]
async fn any_range_is_what_was_written_and_is_fetched_once() {
    let (fixture, bytes) = (fixture(Duration::ZERO), contents(7 * CHUNK + 12_345));
    fixture.place(&bytes).await;
    let blob = fixture.blob(&bytes);
    let ranges = [0..10, CHUNK - 5..CHUNK + 5, 3 * CHUNK..6 * CHUNK + 1, 7 * CHUNK + 12_000..7 * CHUNK + 12_345];
    for _ in 0..2 {
        for range in &ranges {
            let wanted = bytes.slice(range.start as usize..range.end as usize);
            assert_eq!(blob.read(range.clone()).expect("read"), wanted, "{range:?}");
        }
        // Chunk 0; chunk 1; chunks 3 to 6; chunk 7.
        assert_eq!(fixture.gets(), 4);
    }
    fixture.settle().await;
    // Another process begins with what this one left.
    let again = Fixture { lake: lake(&fixture.objects, fixture.dir.path(), Duration::ZERO), ..fixture };
    assert_eq!(again.blob(&bytes).read(0..CHUNK).expect("read"), bytes.slice(..CHUNK as usize));
    assert_eq!(again.gets(), 0);
}

#[tokio::test]
async fn readers_of_one_chunk_share_one_request() {
    let (fixture, bytes) = (fixture(Duration::from_millis(200)), contents(CHUNK / 2));
    fixture.place(&bytes).await;
    let blob = fixture.blob(&bytes);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8).map(|_| scope.spawn(|| blob.read(5..500))).collect();
        for reader in readers {
            assert_eq!(reader.join().expect("no panic").expect("read"), bytes.slice(5..500));
        }
    });
    assert_eq!(fixture.gets(), 1);
}

#[tokio::test]
async fn what_is_prefetched_is_not_fetched_again_and_neighbours_come_together() {
    let (fixture, bytes) = (fixture(Duration::from_millis(50)), contents(20 * CHUNK));
    fixture.place(&bytes).await;
    let blob = fixture.blob(&bytes);
    blob.prefetch([0..1, CHUNK..CHUNK + 1, 9 * CHUNK + 7..11 * CHUNK]);
    for at in [0, CHUNK, 9 * CHUNK, 10 * CHUNK] {
        assert_eq!(blob.read(at..at + 9).expect("read"), bytes.slice(at as usize..at as usize + 9));
    }
    assert_eq!(fixture.gets(), 2);
}

#[tokio::test]
async fn a_bad_cache_is_a_miss_and_a_bad_object_an_error() {
    let (fixture, bytes) = (fixture(Duration::ZERO), contents(CHUNK / 2));
    fixture.lake.put(FILE, bytes.clone()).await.expect("written");
    let (blob, cached) = (fixture.blob(&bytes), fixture.dir.path().join("cache").join(FILE).join("0"));
    assert_eq!(blob.read(0..9).expect("read"), bytes.slice(..9));
    assert_eq!(fixture.gets(), 0, "what was just written is cached");

    let mut flipped = bytes.to_vec();
    flipped[3] ^= 1;
    std::fs::write(&cached, &flipped).expect("written");
    assert_eq!(blob.read(0..9).expect("fetched again"), bytes.slice(..9));
    assert_eq!(fixture.gets(), 1);

    fixture.settle().await;
    std::fs::write(&cached, &bytes[..100]).expect("cut");
    assert_eq!(blob.read(0..9).expect("read").len(), 9);
    assert_eq!(blob.read(70_000..70_009).expect("fetched again"), bytes.slice(70_000..70_009));

    fixture.settle().await;
    fixture.place(&flipped.into()).await;
    fixture.lake.forget(FILE);
    assert!(matches!(blob.read(0..9), Err(ReadError::Damaged { .. })));
    fixture.place(&bytes).await;
    assert_eq!(blob.read(0..9).expect("whole again"), bytes.slice(..9));
    fixture.objects.delete(&ObjectPath::from(FILE)).await.expect("deleted");
    fixture.lake.forget(FILE);
    assert!(matches!(blob.read(0..9), Err(ReadError::Damaged { .. })), "a lost object is no hiccup");
}

#[tokio::test]
async fn nothing_of_a_deleted_file_stays() {
    let (fixture, bytes) = (fixture(Duration::ZERO), contents(3 * CHUNK));
    fixture.lake.put(FILE, bytes).await.expect("written");
    assert!(fixture.dir.path().join("cache").join(FILE).join("2").exists());
    fixture.lake.delete(FILE).await.expect("deleted");
    assert!(!fixture.dir.path().join("cache").join(FILE).exists());
    assert_eq!(fixture.lake.figures().expect("a bucket").cached_bytes, 0);
}

#[tokio::test]
async fn a_large_file_goes_up_in_parts_and_is_whole() {
    let (fixture, bytes) = (fixture(Duration::ZERO), contents((33 << 20) + 17));
    fixture.lake.put(FILE, bytes.clone()).await.expect("written");
    assert_eq!(fixture.lake.get(FILE).await.expect("read"), bytes);
    fixture.blob(&bytes).verify().expect("whole");
}

#[tokio::test]
async fn a_place_has_one_catalogue() {
    let fixture = fixture(Duration::ZERO);
    let bucket = || lake(&fixture.objects, fixture.dir.path(), Duration::ZERO);
    let url = format!("file://{}/elsewhere", fixture.dir.path().display());
    let directory = || Lake::of(fixture.dir.path(), Some(&url), 0).expect("opened");
    for [first, other] in [[bucket(), bucket()], [directory(), directory()]] {
        first.claim("one").await.expect("free");
        first.claim("one").await.expect("ours");
        let error = other.claim("two").await.expect_err("another's").to_string();
        assert!(error.contains("belongs to the catalogue one"), "{error}");
        other.claim("one").await.expect("ours");
        assert!(other.list().await.expect("listed").is_empty(), "its mark is not a file of the lake");
    }
}
