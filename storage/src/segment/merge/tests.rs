//! Merging piece by piece gives what ordering all rows at once gives.

use arrow::datatypes::DataType;
use proptest::prelude::*;

use super::*;
use crate::segment::order::ordered;
use crate::segment::tests::{draft, store};
use crate::testing::{TestSpan, logs, spans};

/// Dictionaries may differ where their values do not.
fn values(batch: &RecordBatch) -> Vec<arrow::array::ArrayRef> {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Dictionary(..) => arrow::compute::cast(column, &DataType::Utf8).expect("text"),
        _ => column.clone(),
    });
    columns.collect()
}

/// Rows of a merge, read back.
fn merged(table: Table, parts: &[RecordBatch]) -> RecordBatch {
    let stored: Vec<_> = parts.iter().map(|part| store(table, std::slice::from_ref(part))).collect();
    let (segments, _dirs): (Vec<_>, Vec<_>) =
        stored.into_iter().map(|stored| (Arc::new(stored.segment), stored.dir)).unzip();
    let dir = tempfile::tempdir().expect("a directory");
    let encoded = merge(table, table.schema(), &segments, draft(&dir)).expect("merged").expect("rows");
    let counts = encoded.columns.iter().map(|column| column.null_count + column.value_count).min();
    assert_eq!(counts, Some(encoded.rows));
    let whole = crate::segment::tests::open(table, encoded, dir);
    let schema = table.schema();
    let read = Read { columns: &all_columns(&schema), prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    let chunks = whole.segment.read(&read).expect("opened");
    let batches: Vec<_> =
        chunks.map(|chunk| plain(&whole.segment, &chunk.expect("read").batch).expect("its schema")).collect();
    let rows = concat_batches(&schema, &batches).expect("one schema");
    let traces = whole.segment.trace_fingerprints().expect("read");
    assert!(traces.is_sorted() && traces.len() <= rows.num_rows());
    rows
}

fn rows() -> impl Strategy<Value = Vec<Vec<TestSpan>>> {
    let span = (0u64..60, 0u64..40, 0i64..50).prop_map(|(trace, span, start)| TestSpan::new(trace, span, start));
    prop::collection::vec(prop::collection::vec(span, 1..400), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_merge_is_all_rows_in_order_and_each_once(parts in rows()) {
        let parts: Vec<RecordBatch> = parts.iter().map(|part| spans(part)).collect();
        let expected = ordered(Table::Spans, &parts).expect("ordered");
        prop_assert_eq!(values(&merged(Table::Spans, &parts)), values(&expected));
    }
}

#[test]
fn pieces_fit_together() {
    // Traces of the second part begin before those of the first, and twins lie in both.
    let many = |from: u64| (0..60_000u64).map(move |i| TestSpan::new((i / 9) + from, i, (i * 7 % 50_000) as i64));
    let parts =
        [spans(&many(0).collect::<Vec<_>>()), spans(&many(0).step_by(3).chain(many(3_000)).collect::<Vec<_>>())];
    let expected = ordered(Table::Spans, &parts).expect("ordered");
    assert!(expected.num_rows() > 3 * PIECE_ROWS);
    assert_eq!(values(&merged(Table::Spans, &parts)), values(&expected));
}

#[test]
fn records_are_put_in_order_too() {
    let with_ids = |records: &[(i64, &str)], from: u64| {
        let rows = logs(records);
        let ids = Arc::new(arrow::array::UInt64Array::from_iter_values(from..from + records.len() as u64));
        let columns = rows.columns().iter().cloned().chain([ids as _]).collect();
        RecordBatch::try_new(Table::Logs.schema(), columns).expect("as many ids")
    };
    let parts = [with_ids(&[(5, "e"), (1, "a"), (3, "c")], 10), with_ids(&[(2, "b"), (4, "d"), (3, "c")], 0)];
    let expected = ordered(Table::Logs, &parts).expect("ordered");
    assert_eq!(values(&merged(Table::Logs, &parts)), values(&expected));
}
