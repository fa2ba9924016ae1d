//! What is written to a segment is what is read back, and the index misses nothing.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType};
use proptest::prelude::*;

use super::*;
use crate::ids::TraceId;
use crate::lake::Draft;
use crate::schema::col;
use crate::terms::{Prune, intrinsic};
use crate::testing::{TestSpan, logs, spans, trace_id};

mod rows;

pub(super) struct Stored {
    pub(super) segment: Segment,
    rows: RecordBatch,
    pub(super) dir: tempfile::TempDir,
}

pub(super) fn store(table: Table, batches: &[RecordBatch]) -> Stored {
    let rows = ordered(table, batches).expect("ordered");
    let dir = tempfile::tempdir().expect("a directory");
    let encoded = encode(table, table.schema(), batches, draft(&dir)).expect("encoded").expect("rows");
    Stored { rows, ..open(table, encoded, dir) }
}

/// Of a segment in an empty directory.
pub(super) fn draft(dir: &tempfile::TempDir) -> Draft {
    Lake::open(dir.path()).expect("opened").draft("s.parquet").expect("begun")
}

/// Written to a directory, without its rows in memory.
pub(super) fn open(table: Table, encoded: Encoded, dir: tempfile::TempDir) -> Stored {
    std::fs::write(dir.path().join("s.index"), &encoded.index).expect("written");
    let meta = SegmentMeta {
        id: 1,
        table,
        parquet: "s.parquet".into(),
        index: "s.index".into(),
        parquet_bytes: encoded.parquet.bytes(),
        index_bytes: encoded.index.len() as u64,
        rows: encoded.rows,
        min_time: encoded.min_time,
        max_time: encoded.max_time,
        parquet_checksums: encoded.parquet.checksums(),
        index_checksums: Checksums::of(&encoded.index),
        thinned: Vec::new(),
    };
    let lake = Lake::open(dir.path()).expect("opened");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(lake.publish(encoded.parquet)).expect("published");
    let segment = Segment::new(meta, &lake, Arc::default());
    Stored { segment, rows: RecordBatch::new_empty(table.schema()), dir }
}

fn read(stored: &Stored, columns: &[&str], prune: &Prune, from: i64, to: i64) -> Vec<Chunk> {
    let read = Read { columns, prune, from, to };
    stored.segment.read(&read).expect("opened").collect::<Result<_, _>>().expect("read")
}

fn rows_read(stored: &Stored, prune: &Prune) -> Vec<u32> {
    read(stored, &[col::START_TIME], prune, i64::MIN, i64::MAX).into_iter().flat_map(|chunk| chunk.rows).collect()
}

fn many(traces: u64, spans_each: u64) -> Vec<TestSpan> {
    (0..traces * spans_each).map(|i| TestSpan::new(i % traces, i, ((i % traces) * 1_000 + i / traces) as i64)).collect()
}

#[test]
fn all_rows_come_back_in_order_with_all_columns() {
    let stored = store(Table::Spans, &[spans(&many(300, 7))]);
    let schema = Table::Spans.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let chunks = read(&stored, &columns, &Prune::All, i64::MIN, i64::MAX);
    let batches: Vec<_> = chunks
        .iter()
        .map(|chunk| RecordBatch::try_new(schema.clone(), chunk.batch.columns().to_vec()).expect("same types"))
        .collect();
    let all = concat_batches(&schema, &batches).expect("one schema");
    let plain = |batch: &RecordBatch| {
        let columns = batch.columns().iter().map(|column| match column.data_type() {
            DataType::Dictionary(..) => arrow::compute::cast(column, &DataType::Utf8).expect("text"),
            _ => column.clone(),
        });
        columns.collect::<Vec<_>>()
    };
    assert_eq!(plain(&all), plain(&stored.rows));
    let numbers: Vec<u32> = chunks.into_iter().flat_map(|chunk| chunk.rows).collect();
    assert_eq!(numbers, (0..2_100).collect::<Vec<_>>());
}

#[test]
fn a_trace_lies_together_and_is_found_by_its_id() {
    let stored = store(Table::Spans, &[spans(&many(2_000, 5))]);
    for trace in [0, 7, 1_999] {
        let prune = Prune::trace(TraceId(trace_id(trace)));
        let chunks = read(&stored, &[col::TRACE_ID], &prune, i64::MIN, i64::MAX);
        let rows: usize = chunks.iter().map(|chunk| chunk.batch.num_rows()).sum();
        let hits: usize = chunks
            .iter()
            .map(|chunk| {
                chunk
                    .batch
                    .column(0)
                    .as_fixed_size_binary()
                    .iter()
                    .filter(|id| *id == Some(&trace_id(trace)[..]))
                    .count()
            })
            .sum();
        assert_eq!(hits, 5);
        assert!(rows <= 2 * index::BLOCK_ROWS, "{rows} rows read for one trace");
    }
    assert!(rows_read(&stored, &Prune::trace(TraceId([9; 16]))).is_empty());
}

#[test]
fn blocks_out_of_time_are_not_read() {
    let stored = store(Table::Spans, &[spans(&many(2_000, 1))]);
    let chunks = read(&stored, &[col::START_TIME], &Prune::All, 1_000_000, 1_001_000);
    let rows: usize = chunks.iter().map(|chunk| chunk.rows.len()).sum();
    assert!((1..=2 * index::BLOCK_ROWS).contains(&rows), "{rows}");
    assert!(read(&stored, &[col::START_TIME], &Prune::All, i64::MIN, -1).is_empty());
}

#[test]
fn single_rows_are_fetched_by_number() {
    let stored = store(Table::Spans, &[spans(&many(500, 4))]);
    let wanted = [0, 1, 255, 256, 1_999];
    let batch = stored.segment.fetch(&[col::DURATION, col::START_TIME], &wanted).expect("fetched");
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values()[0], 1_000);
    let times = batch.column(1).as_primitive::<TimestampNanosecondType>().values();
    let all = times_of(&stored);
    assert_eq!(times.to_vec(), wanted.map(|row| all[row as usize]).to_vec());
    assert!(stored.segment.fetch(&[col::DURATION], &[]).expect("none").num_rows() == 0);
}

fn times_of(stored: &Stored) -> Vec<i64> {
    times(Table::Spans, &stored.rows).to_vec()
}

#[test]
fn equal_spans_are_stored_once_and_different_ones_kept() {
    let span = TestSpan::new(1, 1, 5);
    let mut other = span.clone();
    other.attributes = r#"{"n":2}"#.to_owned();
    let stored = store(Table::Spans, &[spans(&[span.clone(), other.clone()]), spans(&[span, other])]);
    assert_eq!(stored.segment.meta().rows, 2);
}

/// Compared pair by pair, this would be half a milliard comparisons of all columns.
#[test]
fn many_spans_of_one_id_are_told_apart_by_content() {
    let spans_of_one: Vec<_> = (0..30_000)
        .map(|i| TestSpan { attributes: format!(r#"{{"n":{}}}"#, i % 15_000), ..TestSpan::new(1, 1, 5) })
        .collect();
    assert_eq!(store(Table::Spans, &[spans(&spans_of_one)]).segment.meta().rows, 15_000);
}

#[test]
fn tags_keys_and_operations_can_be_listed() {
    let stored = store(Table::Spans, &[spans(&many(30, 3))]);
    let list = |field, prefix: &[u8], limit| {
        let mut found = BTreeSet::new();
        stored.segment.terms(field, prefix, limit, &mut found).expect("listed");
        found.into_iter().map(|term| String::from_utf8(term).expect("text")).collect::<Vec<_>>()
    };
    assert_eq!(list(Field::Key, b"", 10), ["span.kind", "span.n"]);
    assert_eq!(
        list(Field::Tag, b":service\0", 10),
        [":service\0service-0", ":service\0service-1", ":service\0service-2"]
    );
    assert_eq!(list(Field::Tag, b"kind\0", 2), ["kind\0k0", "kind\0k1"]);
    assert_eq!(list(Field::Operation, b"service-1\0", 1), ["service-1\x002\0op-0"]);
}

#[test]
fn words_are_found_whole_in_part_and_in_chinese() {
    let mut records = vec![(1, "nothing to see"); 5_000];
    records[3_000].1 = "Connection refused by 10.0.0.7";
    records[4_000].1 = "正在创建ODPS临时表成功";
    let rows = logs(&records);
    let ids = Arc::new(arrow::array::UInt64Array::from_iter_values(0..5_000));
    let rows = RecordBatch::try_new(
        Table::Logs.schema(),
        rows.columns().iter().cloned().chain([ids as arrow::array::ArrayRef]).collect(),
    )
    .expect("logs");
    let stored = store(Table::Logs, &[rows]);
    let found = |prune: Prune| {
        let chunks = read(&stored, &[col::BODY], &prune, i64::MIN, i64::MAX);
        chunks.into_iter().flat_map(|chunk| chunk.rows).collect::<Vec<_>>()
    };
    for prune in [
        Prune::word("refused"),
        Prune::WordContaining("efus".into()),
        Prune::Every(vec![Prune::word("10"), Prune::word("7")]),
    ] {
        let rows = found(prune);
        assert!(rows.contains(&3_000) && rows.len() <= index::BLOCK_ROWS, "{rows:?}");
    }
    assert!(found(Prune::word("临时")).contains(&4_000));
    assert!(found(Prune::word("absent")).is_empty());
    assert_eq!(found(Prune::Any(vec![Prune::All, Prune::word("absent")])).len(), 5_000);
}

#[test]
fn every_damaged_file_is_noticed() {
    let stored = store(Table::Spans, &[spans(&many(100, 5))]);
    stored.segment.verify().expect("whole");
    for file in ["s.parquet", "s.index"] {
        let path = stored.dir.path().join(file);
        let whole = std::fs::read(&path).expect("read");
        for at in (0..whole.len()).step_by(whole.len() / 50 + 1) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            std::fs::write(&path, &flipped).expect("written");
            assert!(matches!(stored.segment.verify(), Err(ReadError::Damaged { .. })), "{file} at {at}");
        }
        std::fs::write(&path, &whole).expect("written");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the spans, a prune never hides a row that matches.
    #[test]
    fn pruning_never_hides_a_match(keys in prop::collection::vec((0u64..40, 0u64..1000, 0i64..100), 1..900)) {
        let rows: Vec<_> = keys.iter().map(|(trace, span, start)| TestSpan::new(*trace, *span, *start)).collect();
        let stored = store(Table::Spans, &[spans(&rows)]);
        let (trace, span, _) = keys[keys.len() / 2];
        let wanted = TestSpan::new(trace, span, 0);
        let matching = |column: &str, value: &str| {
            let found: Vec<u32> = (0..stored.rows.num_rows()).filter(|row| {
                let column = stored.rows.column_by_name(column).expect("a column");
                let text = arrow::util::display::array_value_to_string(column, *row).expect("text");
                text == value
            }).map(|row| row as u32).collect();
            found
        };
        for (prune, column, value) in [
            (Prune::tag(intrinsic::SERVICE, &wanted.service), col::SERVICE_NAME, wanted.service.clone()),
            (Prune::tag("n", &span.to_string()), col::ATTRIBUTES, wanted.attributes.clone()),
            (Prune::key("span", "n"), col::ATTRIBUTES, wanted.attributes.clone()),
        ] {
            let read = rows_read(&stored, &prune);
            for row in matching(column, &value) {
                prop_assert!(read.binary_search(&row).is_ok(), "row {} of {:?} is hidden", row, prune);
            }
        }
    }
}
