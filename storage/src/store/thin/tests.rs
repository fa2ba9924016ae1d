//! Tail rules over a real store: random traces over random segments, and the logs that go with them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::retention::Keep;
use crate::testing::{Cell, batch, trace_id};

/// What ends before it is judged.
const CUTOFF: i64 = 4_000;
const SEGMENTS: usize = 6;

#[derive(Clone, Debug)]
struct Row {
    trace: u64,
    span: u64,
    root: bool,
    duration: i64,
    error: bool,
    service: &'static str,
    /// Its number is its time in thousands; the last two are younger than the cutoff.
    segment: usize,
}

#[derive(Clone, Debug)]
struct Log {
    trace: Option<u64>,
    error: bool,
    segment: usize,
}

struct NoReplay;

impl Decode for NoReplay {
    fn decode(&self, _: &Request) -> Result<Rows, String> {
        Err("everything is in segments".to_owned())
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0u64..40, any::<bool>(), 0i64..2_000, 0u8..10, 0usize..3, 0usize..SEGMENTS);
    prop::collection::vec(row, 1..200).prop_map(|rows| {
        let numbered = (1u64..).zip(rows);
        let row = |(span, (trace, root, duration, error, service, segment))| Row {
            trace,
            span,
            root,
            duration,
            error: error == 0,
            service: ["a", "b", "c"][service],
            segment,
        };
        numbered.map(row).collect()
    })
}

fn logs() -> impl Strategy<Value = Vec<Log>> {
    let log = (prop::option::of(0u64..60), 0u8..6, 0usize..SEGMENTS);
    let log = log.prop_map(|(trace, error, segment)| Log { trace, error: error == 0, segment });
    prop::collection::vec(log, 0..80)
}

fn time(segment: usize, number: usize) -> Cell {
    Cell::Number(segment as i64 * 1_000 + number as i64 % 1_000)
}

fn span_rows(rows: &[&Row]) -> RecordBatch {
    batch(Table::Spans.schema(), rows.len(), |column, at| {
        let row = rows[at];
        Some(match column {
            col::TRACE_ID => Cell::Bytes(trace_id(row.trace).to_vec()),
            col::SPAN_ID => Cell::Bytes(row.span.to_be_bytes().to_vec()),
            col::PARENT_SPAN_ID if !row.root => Cell::Bytes(vec![7; 8]),
            col::START_TIME => time(row.segment, row.span as usize),
            col::DURATION => Cell::Number(row.duration),
            col::STATUS_CODE => Cell::Number(if row.error { 2 } else { 0 }),
            col::SERVICE_NAME => Cell::Text(row.service.to_owned()),
            col::OPERATION => Cell::Text("op".to_owned()),
            _ => return None,
        })
    })
}

fn log_rows(logs: &[(usize, &Log)]) -> RecordBatch {
    batch(Table::Logs.incoming(), logs.len(), |column, at| {
        let (number, log) = logs[at];
        Some(match column {
            col::TRACE_ID => Cell::Bytes(trace_id(log.trace?).to_vec()),
            col::TIME => time(log.segment, number),
            col::BODY => Cell::Text(number.to_string()),
            col::SEVERITY_NUMBER => Cell::Number(if log.error { 17 } else { 9 }),
            col::SERVICE_NAME => Cell::Text("c".to_owned()),
            _ => return None,
        })
    })
}

fn retention() -> Retention {
    let share = |text: &str| text.parse().expect("a share");
    let keep = Keep { errors: true, slowest: share("20%"), sample: share("10%") };
    // The cutoff moves in steps of an eighth of the age.
    let after = Duration::from_nanos(8 * CUTOFF as u64 / 4);
    let of = |service: Option<&str>, keep| Rule { service: service.map(str::to_owned), after, keep };
    Retention { rules: vec![of(Some("b"), None), of(None, Some(keep))], ..Retention::default() }
}

async fn open(dir: &std::path::Path, rules: Retention) -> Arc<Store> {
    let settings = Settings {
        retention: rules,
        flush_age: Duration::from_secs(3600),
        clock: Clock::new(|| 3 * CUTOFF),
        ..Settings::new(dir)
    };
    Store::open(settings, Arc::new(NoReplay)).await.expect("opened")
}

/// The expected fate of each trace, by the same judge over the same groups: one for each rule.
fn expected(rows: &[Row]) -> BTreeSet<u64> {
    let retention = retention();
    let mut left: Vec<Row> = rows.to_vec();
    for rule in 0..retention.rules.len() {
        let place = |row: &Row| if row.segment < 4 { Place::Here } else { Place::Open };
        let mut judge = Judge::new(&retention, rule);
        for here in [true, false] {
            for row in left.iter().filter(|row| (place(row) == Place::Here) == here) {
                let Cell::Number(start) = time(row.segment, row.span as usize) else { continue };
                judge.add(&Evidence {
                    trace: trace_id(row.trace),
                    span: row.span.to_be_bytes(),
                    root: row.root,
                    start,
                    duration: row.duration,
                    error: row.error,
                    service: row.service,
                    operation: "op",
                    place: place(row),
                });
            }
        }
        judge.end_share();
        let dropped = judge.end();
        left.retain(|row| row.segment >= 4 || !dropped.contains(&trace_id(row.trace)));
    }
    left.iter().map(|row| row.span).collect()
}

/// A column of all rows of a table, wherever they are; nothing may be read twice.
fn column_of(store: &Store, table: Table, name: &str) -> Vec<ArrayRef> {
    let read = Read { columns: &[name], prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    let sources = store.snapshot().sources(table, i64::MIN, i64::MAX);
    let chunks =
        sources.iter().flat_map(|source| source.read(&read).expect("readable").map(|chunk| chunk.expect("read")));
    chunks.map(|chunk| chunk.batch.column(0).clone()).collect()
}

fn spans_left(store: &Store) -> BTreeSet<u64> {
    let ids = column_of(store, Table::Spans, col::SPAN_ID);
    let ids =
        ids.iter().flat_map(|ids| ids.as_fixed_size_binary().iter().flatten().map(<[u8]>::to_vec).collect::<Vec<_>>());
    ids.map(|id| u64::from_be_bytes(id.try_into().expect("8 bytes"))).collect()
}

fn logs_left(store: &Store) -> BTreeSet<usize> {
    let bodies = column_of(store, Table::Logs, col::BODY);
    let texts = bodies
        .iter()
        .flat_map(|texts| texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>());
    texts.map(|text| text.parse().expect("a number")).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_left_is_what_whole_traces_say(rows in rows(), logs in logs()) {
        runtime().block_on(async {
            let dir = tempfile::tempdir().expect("a directory");
            let store = open(dir.path(), Retention::default()).await;
            let mut hash = 0;
            for segment in 0..SEGMENTS {
                let of_segment: Vec<&Row> = rows.iter().filter(|row| row.segment == segment).collect();
                let records: Vec<_> = logs.iter().enumerate().filter(|(_, log)| log.segment == segment).collect();
                let parts = [(Signal::Traces, Table::Spans, span_rows(&of_segment)), (Signal::Logs, Table::Logs, log_rows(&records))];
                for (signal, table, rows) in parts {
                    hash += 1;
                    let request = Request { signal, received: 0, body: bytes::Bytes::from(vec![hash as u8]), hash };
                    store.append(request, vec![(table, rows)]).await.expect("appended");
                }
                store.flush().await.expect("flushed");
            }
            store.close().await.expect("closed");
            drop(store);

            let store = open(dir.path(), retention()).await;
            store.thin().await.expect("thinned");
            let spans = spans_left(&store);
            prop_assert_eq!(&spans, &expected(&rows));
            let stored: BTreeSet<u64> = rows.iter().filter(|row| spans.contains(&row.span)).map(|row| row.trace).collect();
            let mut may_go = BTreeMap::new();
            for (number, log) in logs.iter().enumerate() {
                let of_trace = log.trace.is_some_and(|trace| stored.contains(&trace));
                let must_stay = log.segment >= 4 || of_trace || log.error;
                may_go.insert(number, (!must_stay, log.trace));
            }
            let left = logs_left(&store);
            let sample = retention().rules[1].keep.expect("a rule that keeps").sample;
            for (number, (may_go, trace)) in may_go {
                let sampled = trace.map(|trace| sample.holds(&trace_id(trace)));
                // A record without a trace is sampled by its row id.
                let expected = if may_go { sampled } else { Some(true) };
                prop_assert!(expected.is_none_or(|expected| left.contains(&number) == expected), "record {}", number);
            }
            let marked = |store: &Store| {
                let view = store.view.load();
                let of_age = view.segments().filter(|segment| segment.meta().max_time < CUTOFF);
                of_age.map(|segment| segment.meta().thinned.len()).collect::<BTreeSet<_>>()
            };
            prop_assert!(marked(&store).iter().all(|marks| *marks >= 2), "{:?}", marked(&store));
            let before: Vec<i64> = store.view.load().segments().map(|segment| segment.meta().id).collect();
            store.close().await.expect("closed");
            drop(store);

            // Judged once: neither again, nor after a restart.
            let store = open(dir.path(), retention()).await;
            store.thin().await.expect("nothing to thin");
            let mut after: Vec<i64> = store.view.load().segments().map(|segment| segment.meta().id).collect();
            after.sort_unstable();
            let mut before = before;
            before.sort_unstable();
            prop_assert_eq!(before, after);
            prop_assert_eq!((spans_left(&store), logs_left(&store)), (spans, left));
            prop_assert_eq!(store.snapshot().thinned(0, CUTOFF), !marked(&store).is_empty());
            prop_assert!(!store.snapshot().thinned(CUTOFF, i64::MAX));
            store.close().await.expect("closed");
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn the_oldest_go_where_there_are_too_many_bytes() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), Retention::default()).await;
    for segment in 0..4 {
        let row = Row { trace: 1, span: segment as u64, root: true, duration: 1, error: false, service: "a", segment };
        let request = Request { signal: Signal::Traces, received: 0, body: bytes::Bytes::new(), hash: segment as u128 };
        store.append(request, vec![(Table::Spans, span_rows(&[&row]))]).await.expect("appended");
        store.flush().await.expect("flushed");
    }
    let bytes = store.stats().bytes;
    store.close().await.expect("closed");
    drop(store);
    let store = open(dir.path(), Retention { most_bytes: Some(bytes / 2 + 16), ..Retention::default() }).await;
    store.retire().await.expect("retired");
    assert_eq!(spans_left(&store), BTreeSet::from([2, 3]));
    store.retire().await.expect("nothing to retire");
    assert_eq!(store.stats().spans, 2);
}
