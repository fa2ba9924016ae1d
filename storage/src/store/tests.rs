//! The promises of the store: durable, visible once, deduplicated, the same after any restart.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;

use super::*;
use crate::ids::TraceId;
use crate::scan::Read;
use crate::schema::col;
use crate::terms::{Field, Prune};
use crate::testing::{TestSpan, logs, spans, trace_id};

/// Requests of tests are lists of `trace,span,start` or of `time body`, a line each.
struct TestDecoder;

impl Decode for TestDecoder {
    fn decode(&self, request: &Request) -> Result<Rows, String> {
        let text = std::str::from_utf8(&request.body).map_err(|error| error.to_string())?;
        Ok(match request.signal {
            Signal::Logs => {
                let records: Vec<_> = text
                    .lines()
                    .filter_map(|line| line.split_once(' ').and_then(|(time, body)| Some((time.parse().ok()?, body))))
                    .collect();
                vec![(Table::Logs, logs(&records))]
            }
            _ => {
                let rows: Vec<_> = text
                    .lines()
                    .map(|line| {
                        let mut numbers = line.split(',').map(|n| n.parse::<u64>().expect("a number"));
                        let mut next = || numbers.next().expect("three numbers");
                        TestSpan::new(next(), next(), next() as i64)
                    })
                    .collect();
                vec![(Table::Spans, spans(&rows))]
            }
        })
    }
}

fn request(signal: Signal, body: String) -> Request {
    let hash = xxhash_rust::xxh3::xxh3_128(body.as_bytes());
    Request { signal, received: Clock::system().now(), body: body.into(), hash }
}

fn trace_request(trace: u64, spans: u64) -> Request {
    let lines: Vec<_> =
        (0..spans).map(|span| format!("{trace},{},{}", trace * 1_000 + span, trace * 10 + span)).collect();
    request(Signal::Traces, lines.join("\n"))
}

async fn open(dir: &std::path::Path) -> Arc<Store> {
    let settings = Settings { flush_age: Duration::from_secs(3600), ..Settings::new(dir) };
    Store::open(settings, Arc::new(TestDecoder)).await.expect("opened")
}

async fn append(store: &Arc<Store>, request: Request) -> Appended {
    let rows = TestDecoder.decode(&request).expect("decoded");
    store.append(request, rows).await.expect("appended")
}

/// Spans by trace, read through the index.
fn count(snapshot: &Snapshot, trace: u64) -> usize {
    let id = TraceId(trace_id(trace));
    let prune = Prune::trace(id);
    let read = Read { columns: &[col::TRACE_ID], prune: &prune, from: i64::MIN, to: i64::MAX };
    let sources = snapshot.sources(Table::Spans, i64::MIN, i64::MAX);
    sources
        .iter()
        .flat_map(|source| source.read(&read).expect("readable"))
        .map(|chunk| {
            let batch = chunk.expect("readable").batch;
            batch.column(0).as_fixed_size_binary().iter().filter(|found| *found == Some(&id.0[..])).count()
        })
        .sum()
}

fn bodies(snapshot: &Snapshot) -> BTreeMap<u64, String> {
    let read = Read { columns: &[col::ROW_ID, col::BODY], prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    let mut found = BTreeMap::new();
    for source in snapshot.sources(Table::Logs, i64::MIN, i64::MAX) {
        for chunk in source.read(&read).expect("readable") {
            let batch = chunk.expect("readable").batch;
            let ids = batch.column(0).as_primitive::<UInt64Type>().clone();
            for (id, body) in ids.values().iter().zip(batch.column(1).as_string::<i32>()) {
                assert!(found.insert(*id, body.expect("a body").to_owned()).is_none(), "row id {id} twice");
            }
        }
    }
    found
}

#[tokio::test]
async fn rows_are_visible_once_before_and_after_a_flush() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    for trace in 0..50 {
        assert_eq!(append(&store, trace_request(trace, 4)).await, Appended::Stored);
        assert_eq!(count(&store.snapshot(), trace), 4);
    }
    let before = store.snapshot();
    assert_eq!(store.flush().await.expect("flushed"), 200);
    assert_eq!(append(&store, trace_request(50, 4)).await, Appended::Stored);
    for trace in 0..50 {
        assert_eq!((count(&before, trace), count(&store.snapshot(), trace)), (4, 4));
    }
    assert_eq!((count(&before, 50), count(&store.snapshot(), 50)), (0, 4));
    assert_eq!(store.stats().spans, 204);
    assert_eq!(store.flush().await.expect("flushed"), 4);
    assert_eq!(store.flush().await.expect("nothing to flush"), 0);
}

#[tokio::test]
async fn several_traces_are_read_at_once_from_buffer_and_segments() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    for trace in 0..10 {
        append(&store, trace_request(trace, 3)).await;
    }
    store.flush().await.expect("flushed");
    for trace in 10..20 {
        append(&store, trace_request(trace, 3)).await;
    }
    let wanted = [3, 12, 17, 99].map(|trace| Prune::trace(TraceId(trace_id(trace)))).to_vec();
    let prune = Prune::Every(vec![Prune::All, Prune::Any(wanted)]);
    let read = Read { columns: &[col::TRACE_ID], prune: &prune, from: i64::MIN, to: i64::MAX };
    let mut found = BTreeMap::new();
    for source in store.snapshot().sources(Table::Spans, i64::MIN, i64::MAX) {
        for chunk in source.read(&read).expect("readable") {
            for id in chunk.expect("readable").batch.column(0).as_fixed_size_binary().iter().flatten() {
                *found.entry(id.to_vec()).or_insert(0) += 1;
            }
        }
    }
    for trace in [3, 12, 17] {
        assert_eq!(found.get(&trace_id(trace)[..]), Some(&3), "trace {trace}");
    }
}

#[tokio::test]
async fn a_repeated_request_counts_once_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    assert_eq!(append(&store, trace_request(1, 3)).await, Appended::Stored);
    assert_eq!(append(&store, trace_request(1, 3)).await, Appended::Duplicate);
    store.close().await.expect("closed");
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(append(&store, trace_request(1, 3)).await, Appended::Duplicate);
    assert_eq!(count(&store.snapshot(), 1), 3);
}

#[tokio::test]
async fn equal_requests_at_once_are_stored_once_and_all_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { append(&store, trace_request(9, 5)).await })
        })
        .collect();
    let mut stored = 0;
    for task in tasks {
        stored += usize::from(task.await.expect("appended") == Appended::Stored);
    }
    assert_eq!(stored, 1);
    assert_eq!(count(&store.snapshot(), 9), 5);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    append(&store, trace_request(1, 3)).await;
    store.flush().await.expect("flushed");
    append(&store, trace_request(2, 3)).await;
    append(&store, request(Signal::Logs, "5 first line\n6 second line".to_owned())).await;
    let ids = bodies(&store.snapshot());
    crash(store).await;
    let store = open(dir.path()).await;
    assert_eq!((count(&store.snapshot(), 1), count(&store.snapshot(), 2)), (3, 3));
    assert_eq!(bodies(&store.snapshot()), ids, "row ids must not change");
    store.flush().await.expect("flushed");
    assert_eq!(bodies(&store.snapshot()), ids);
}

/// Ends the store without flush or close.
async fn crash(store: Arc<Store>) {
    let tasks = std::mem::take(&mut *store.background.lock());
    for task in tasks {
        task.abort();
        let _ = task.await;
    }
    assert_eq!(Arc::strong_count(&store), 1, "someone holds the store");
    drop(store);
}

#[tokio::test]
async fn compaction_merges_small_segments_and_keeps_every_row() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    for trace in 0..20 {
        append(&store, trace_request(trace, 3)).await;
        append(&store, request(Signal::Logs, format!("{trace} line of {trace}"))).await;
        store.flush().await.expect("flushed");
    }
    assert_eq!(store.stats().segments, 40);
    let (held, lines) = (store.snapshot(), bodies(&store.snapshot()));
    store.compact().await.expect("compacted");
    assert!(store.stats().segments < 20, "{}", store.stats().segments);
    for trace in 0..20 {
        assert_eq!((count(&store.snapshot(), trace), count(&held, trace)), (3, 3));
    }
    assert_eq!(bodies(&store.snapshot()), lines);
    crash(store).await;
    let store = open(dir.path()).await;
    assert_eq!((store.stats().spans, store.stats().logs), (60, 20));
}

#[tokio::test]
async fn a_flush_whose_caller_goes_away_is_not_done_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    for trace in 0..40 {
        append(&store, trace_request(trace, 3)).await;
        append(&store, request(Signal::Logs, format!("{trace} line of {trace}"))).await;
        let flushing = store.clone();
        let flush = tokio::spawn(async move { flushing.flush().await.map(drop) });
        tokio::time::sleep(Duration::from_micros(trace * 300)).await;
        flush.abort();
    }
    store.close().await.expect("closed");
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!((store.stats().spans, store.stats().logs), (120, 40));
}

#[tokio::test]
async fn a_damaged_segment_does_not_hold_up_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    for trace in 0..10 {
        append(&store, trace_request(trace, 3)).await;
        append(&store, request(Signal::Logs, format!("{trace} line of {trace}"))).await;
        store.flush().await.expect("flushed");
    }
    let lake = std::fs::read_dir(dir.path().join("lake/main/spans")).expect("listed").flatten();
    let parquet = lake.map(|file| file.path()).find(|path| path.extension().is_some_and(|e| e == "parquet"));
    let parquet = parquet.expect("a Parquet file");
    let mut bytes = std::fs::read(&parquet).expect("read");
    bytes[40] ^= 1;
    std::fs::write(&parquet, bytes).expect("written");
    store.compact().await.expect("went on");
    assert_eq!(store.stats().segments, 11, "ten of spans left alone, one of logs");
    assert_eq!(bodies(&store.snapshot()).len(), 10);
}

#[tokio::test]
async fn a_commit_of_unknown_fate_is_not_done_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    append(&store, trace_request(1, 3)).await;
    append(&store, request(Signal::Logs, "1 first".to_owned())).await;
    // The database takes the commit, and its answer is lost.
    let sequence = store.freeze().await;
    let written = store.write_frozen().await.expect("written");
    *store.unsettled.lock() = Some(sequence);
    store.commit(written, Vec::new(), Some(sequence)).await.expect("committed");
    append(&store, trace_request(2, 3)).await;
    store.flush().await.expect("flushed");
    assert_eq!((store.stats().spans, store.stats().logs, store.stats().buffer_rows), (6, 1, 0));
    crash(store).await;
    let store = open(dir.path()).await;
    assert_eq!((store.stats().spans, store.stats().logs), (6, 1));
}

#[tokio::test]
async fn flushes_go_on_beside_a_long_merge() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    let _merging = store.maintenance.lock().await;
    append(&store, trace_request(1, 3)).await;
    let flushed = tokio::time::timeout(Duration::from_secs(20), store.flush()).await.expect("not held up");
    assert_eq!(flushed.expect("flushed"), 3);
}

#[tokio::test]
async fn rows_of_another_table_never_reach_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    let rows = vec![(Table::Logs, spans(&[TestSpan::new(1, 1, 1)]))];
    let wrong = trace_request(1, 1);
    let refused = store.append(wrong.clone(), rows).await;
    assert!(matches!(refused, Err(AppendError::Invalid(_))), "{refused:?}");
    assert_eq!(store.last_sequence(), 0);
    assert_eq!(append(&store, wrong).await, Appended::Stored, "the refusal is not remembered as stored");
}

#[tokio::test]
async fn a_loss_is_said_until_someone_has_read_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    for trace in 1..4 {
        append(&store, trace_request(trace, 3)).await;
    }
    crash(store).await;
    let log = std::fs::read_dir(dir.path().join("wal")).expect("listed").flatten();
    let log = log.map(|file| file.path()).find(|path| path.extension().is_some_and(|e| e == "wal")).expect("a log");
    let mut bytes = std::fs::read(&log).expect("read");
    bytes[4096 + 60] ^= 1; // in the payload of the first record
    std::fs::write(&log, bytes).expect("written");

    let store = open(dir.path()).await;
    let counts = [1, 2, 3].map(|trace| count(&store.snapshot(), trace));
    assert_eq!(counts, [0, 3, 3]);
    let losses = store.snapshot().losses().to_vec();
    assert!(losses.len() == 1 && losses[0].contains("request 1 is lost"), "{losses:?}");
    store.close().await.expect("closed");
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(store.snapshot().losses(), losses, "also after the log has gone");
    crash(store).await;
    let report = crate::check::check(&Settings::new(dir.path()), Arc::new(TestDecoder)).await.expect("checked");
    assert!(report.findings.iter().any(|finding| finding.damage && finding.what == losses[0]));
    std::fs::remove_file(dir.path().join("losses.txt")).expect("acknowledged");
    assert!(open(dir.path()).await.snapshot().losses().is_empty());
}

#[tokio::test]
async fn retention_drops_segments_that_are_wholly_past() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = Settings {
        retention: Retention { age: Some(Duration::from_nanos(1_000)), ..Retention::default() },
        clock: Clock::new(|| 1_000_000),
        ..Settings::new(dir.path())
    };
    let store = Store::open(settings, Arc::new(TestDecoder)).await.expect("opened");
    append(&store, trace_request(1, 3)).await;
    store.flush().await.expect("flushed");
    append(&store, trace_request(99_990, 30)).await;
    store.flush().await.expect("flushed");
    store.retire().await.expect("retired");
    assert_eq!((count(&store.snapshot(), 1), count(&store.snapshot(), 99_990)), (0, 30));
}

#[tokio::test]
async fn terms_come_from_buffer_and_segments() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    append(&store, trace_request(0, 2)).await;
    store.flush().await.expect("flushed");
    append(&store, trace_request(1, 2)).await;
    let mut found = BTreeSet::new();
    for source in store.snapshot().sources(Table::Spans, i64::MIN, i64::MAX) {
        match source {
            Source::Live(batch) => batch.terms(Field::Tag, b":service\0", 10, &mut found),
            Source::Stored(segment) => {
                assert!(!segment.terms(Field::Tag, b":service\0", 10, &mut found).expect("listed"));
            }
        }
    }
    let found: Vec<_> = found.into_iter().map(|term| String::from_utf8(term).expect("text")).collect();
    assert_eq!(found, [":service\0service-0", ":service\0service-1"]);
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let _store = open(dir.path()).await;
    let second = Store::open(Settings::new(dir.path()), Arc::new(TestDecoder)).await;
    assert!(matches!(second, Err(OpenError::InUse(_))));
}

#[tokio::test]
async fn check_finds_a_flipped_byte_in_every_kind_of_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    append(&store, trace_request(1, 300)).await;
    store.flush().await.expect("flushed");
    append(&store, trace_request(2, 3)).await;
    append(&store, trace_request(3, 3)).await;
    crash(store).await;
    let report = crate::check::check(&Settings::new(dir.path()), Arc::new(TestDecoder)).await.expect("checked");
    assert!(!report.damaged(), "{:?}", report.findings);
    assert_eq!((report.segments, report.rows, report.log_records, report.orphans), (1, 300, 2, 0));

    let lake: Vec<_> = std::fs::read_dir(dir.path().join("lake/main/spans")).expect("listed").flatten().collect();
    assert_eq!(lake.len(), 2);
    for file in lake {
        let whole = std::fs::read(file.path()).expect("read");
        let mut flipped = whole.clone();
        flipped[whole.len() / 3] ^= 4;
        std::fs::write(file.path(), &flipped).expect("written");
        let report = crate::check::check(&Settings::new(dir.path()), Arc::new(TestDecoder)).await.expect("checked");
        assert!(report.damaged(), "{:?}", file.path());
        std::fs::write(file.path(), &whole).expect("written");
    }
}

#[tokio::test]
async fn a_lake_whose_catalogue_was_lost_is_not_taken_for_garbage() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    append(&store, trace_request(1, 3)).await;
    store.close().await.expect("closed");
    drop(store);
    std::fs::rename(dir.path().join("catalog.db"), dir.path().join("aside")).expect("moved");
    let Err(error) = Store::open(Settings::new(dir.path()), Arc::new(TestDecoder)).await else {
        panic!("an empty catalogue took the lake");
    };
    assert!(error.to_string().contains("if that catalogue was lost"), "{error}");
    std::fs::rename(dir.path().join("aside"), dir.path().join("catalog.db")).expect("moved back");
    assert_eq!(count(&open(dir.path()).await.snapshot(), 1), 3);
}
