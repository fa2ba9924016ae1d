//! Counts are those of all rows, whoever wrote them and whatever became of the commit.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::*;
use crate::catalog::RollupState;
use crate::retention::Retention;
use crate::rollup::delta::each;
use crate::rollup::{Summarise, TRACE_GAP};
use crate::scan::ReadError;
use crate::testing::{TestSpan, spans};

const MINUTE: i64 = NANOS_PER_MINUTE;
const HOUR: i64 = 60 * MINUTE;
const NOW: i64 = 1_700_000_000_000_000_000;

/// How many spans each trace has, in the minute of its first: no sum over spans, as calls are none.
#[derive(Debug)]
struct Sizes;

impl Summarise for Sizes {
    fn columns(&self) -> &'static [&'static str] {
        &["trace_id", "span_id", "start_time"]
    }

    fn summarise(&self, batches: &[RecordBatch]) -> Result<Rollup, ReadError> {
        let mut traces: BTreeMap<u64, BTreeSet<i64>> = BTreeMap::new();
        for batch in batches {
            each(batch, |trace, start| {
                traces.entry(trace).or_default().insert(start);
            })?;
        }
        let mut rollup = Rollup::default();
        for starts in traces.values() {
            let starts: Vec<i64> = starts.iter().copied().collect();
            for piece in starts.chunk_by(|a, b| b - a <= TRACE_GAP) {
                rollup.cell(minute_of(piece[0]), piece.len().to_string().as_bytes()).counts.add(7, 1);
            }
        }
        Ok(rollup)
    }
}

struct NoReplay;

impl Decode for NoReplay {
    fn decode(&self, _: &Request) -> Result<Rows, String> {
        Err("these stores are closed".to_owned())
    }
}

async fn open(dir: &std::path::Path, counts: bool, age: Option<Duration>) -> Arc<Store> {
    let settings = Settings {
        flush_age: Duration::from_secs(3600),
        summarise: counts.then(|| Arc::new(Sizes) as Arc<dyn Summarise>),
        retention: Retention { age, ..Retention::default() },
        clock: Clock::new(|| NOW),
        ..Settings::new(dir)
    };
    Store::open(settings, Arc::new(NoReplay)).await.expect("opened")
}

/// Spans of traces, a minute apart or an hour: (trace, number, start).
fn sent() -> Vec<(u64, u64, i64)> {
    let start = |trace: i64, number: i64| NOW - 30 * HOUR + trace * 47 * MINUTE + number * number * 13 * MINUTE;
    (0..20).flat_map(|trace| (0..6).map(move |number| (trace, number, start(trace as i64, number as i64)))).collect()
}

async fn flush(store: &Arc<Store>, rows: &[(u64, u64, i64)]) {
    let rows: Vec<TestSpan> = rows.iter().map(|&(trace, span, start)| TestSpan::new(trace, span, start)).collect();
    let body = format!("{:?}", rows);
    let hash = xxhash_rust::xxh3::xxh3_128(body.as_bytes());
    let request = Request { signal: Signal::Traces, received: NOW, body: body.into(), hash };
    store.append(request, vec![(Table::Spans, spans(&rows))]).await.expect("appended");
    store.flush().await.expect("flushed");
}

fn all(grain: Grain) -> [(std::ops::Range<Minute>, Grain); 1] {
    [(Minute::MIN..Minute::MAX, grain)]
}

async fn counted(store: &Arc<Store>) -> Rollup {
    let counted = store.counted(&all(Grain::Minute)).await.expect("counted");
    assert_eq!(counted.warnings, Vec::<String>::new());
    let mut sum = Rollup::default();
    counted.parts.iter().flatten().for_each(|(_, part)| sum.merge(part, 1));
    sum
}

fn expected(rows: &[(u64, u64, i64)]) -> Rollup {
    let rows: Vec<TestSpan> = rows.iter().map(|&(trace, span, start)| TestSpan::new(trace, span, start)).collect();
    Sizes.summarise(&[spans(&rows)]).expect("spans")
}

#[tokio::test(flavor = "multi_thread")]
async fn flushes_add_up_and_hours_are_summed() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), true, None).await;
    let mut rows = sent();
    rows.sort_by_key(|&(trace, span, _)| (span * 7 + trace * 3) % 11);
    for part in rows.chunks(17) {
        flush(&store, part).await;
    }
    assert_eq!(counted(&store).await, expected(&rows));
    let chunks = |store: &Store| store.view.load().rollups.chunks.clone();
    let before = chunks(&store).len();
    store.sum_counts().await.expect("summed");
    assert!(chunks(&store).len() < before && chunks(&store).iter().all(|chunk| chunk.kind != ChunkKind::Delta));
    assert_eq!(counted(&store).await, expected(&rows));
    let by_hour = store.counted(&all(Grain::Hour)).await.expect("counted");
    let sum = |rollup: &Rollup| rollup.cells().map(|(_, _, cell)| cell.counts.get(7)).sum::<i64>();
    assert_eq!(by_hour.parts.iter().flatten().map(|(_, part)| sum(part)).sum::<i64>(), sum(&expected(&rows)));
    flush(&store, &rows[..30]).await;
    assert_eq!(counted(&store).await, expected(&rows), "what comes again changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_before_is_counted_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), false, None).await;
    let rows = sent();
    let (old, new) = rows.split_at(90);
    for part in old.chunks(25) {
        flush(&store, part).await;
    }
    store.close().await.expect("closed");
    drop(store);
    let catalog = SqliteConnectOptions::new().filename(dir.path().join(CATALOG_FILE));
    let mut catalog: SqliteConnection = catalog.connect().await.expect("a catalogue");
    for statement in
        ["DELETE FROM clew_state WHERE name LIKE 'rollup%'", "UPDATE clew_state SET value = '2' WHERE name = 'format'"]
    {
        sqlx::query(statement).execute(&mut catalog).await.expect("as it was before");
    }
    catalog.close().await.expect("closed");

    let store = open(dir.path(), true, None).await;
    for part in new.chunks(10) {
        flush(&store, part).await;
    }
    for _ in 0..1000 {
        if !store.is_backfilling() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(counted(&store).await, expected(&rows));
    store.close().await.expect("closed");
    drop(store);
    let store = open(dir.path(), true, None).await;
    assert!(!store.is_backfilling());
    assert_eq!(counted(&store).await, expected(&rows), "only once");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_writers_counts_make_a_flush_begin_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), true, None).await;
    let rows = sent();
    flush(&store, &rows[..20]).await;
    let RollupState { version, chunks, .. } = (*store.view.load().rollups).clone();
    let other = RollupChange { base: Some(version), ..RollupChange::default() };
    store.catalog.commit(Change { rollup: Some(other.clone()), ..Change::default() }).await.expect("as another would");
    let late = store.catalog.commit(Change { rollup: Some(other), ..Change::default() }).await;
    assert!(matches!(late, Err(CatalogError::Conflict(_))), "{late:?}");
    flush(&store, &rows[20..]).await;
    let state = store.view.load().rollups.clone();
    assert_eq!((state.version, state.chunks.len() > chunks.len()), (version + 2, true));
    assert_eq!(counted(&store).await, expected(&rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_go_with_the_last_rows_of_an_hour() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), true, Some(Duration::from_secs(24 * 3600))).await;
    let (past, kept) = ([(1, 1, NOW - 50 * HOUR)], [(2, 1, NOW - HOUR)]);
    flush(&store, &past).await;
    flush(&store, &kept).await;
    store.retire_counts().await.expect("nothing yet");
    let segments = store.view.load().table(Table::Spans).segments.len();
    store.retire().await.expect("retired");
    store.retire_counts().await.expect("retired");
    assert!(store.view.load().table(Table::Spans).segments.len() <= segments);
    assert_eq!(counted(&store).await, expected(&kept));
}
