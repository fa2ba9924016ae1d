//! Columns of some rows: read or made, kept or not, they are what was stored.

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;

use super::*;
use crate::testing::{Cell, batch};

/// What a column of a test holds.
#[derive(Clone, Copy, Debug)]
enum Holds {
    Nothing,
    One,
    OneOrNothing,
    Several,
}

fn holds() -> impl Strategy<Value = Holds> {
    prop_oneof![Just(Holds::Nothing), Just(Holds::One), Just(Holds::OneOrNothing), Just(Holds::Several)]
}

/// Spans of three rows a trace, with these columns by number.
fn made(rows: usize, columns: &[Holds]) -> RecordBatch {
    let schema = Table::Spans.schema();
    batch(schema.clone(), rows, |column, row| {
        let at = schema.index_of(column).expect("a column");
        let number = match columns[at % columns.len()] {
            Holds::Nothing => return None,
            Holds::One => 7,
            Holds::OneOrNothing if row.is_multiple_of(3) => return None,
            Holds::OneOrNothing => 7,
            Holds::Several => row % 5,
        };
        Some(match (column, schema.field(at).data_type()) {
            (col::TRACE_ID, _) => Cell::Bytes(trace_id(row as u64 / 3).to_vec()),
            (col::SPAN_ID, _) => Cell::Bytes((row as u64).to_be_bytes().to_vec()),
            (_, DataType::FixedSizeBinary(_)) => Cell::Bytes((number as u64).to_be_bytes().to_vec()),
            (_, DataType::Utf8 | DataType::Dictionary(..)) => Cell::Text(format!(r#"{{"n":{number}}}"#)),
            _ => Cell::Number(number as i64),
        })
    })
}

fn plain(batch: &RecordBatch) -> Vec<(String, arrow::array::ArrayRef)> {
    let names = batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Dictionary(..) => arrow::compute::cast(column, &DataType::Utf8).expect("text"),
        _ => column.clone(),
    });
    names.into_iter().zip(columns).collect()
}

fn expected(stored: &Stored, columns: &[&str], rows: &[u32]) -> Vec<(String, arrow::array::ArrayRef)> {
    let taken = take_record_batch(&stored.rows, &UInt32Array::from(rows.to_vec())).expect("rows");
    plain(&project(&taken, columns).expect("columns"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rows_are_what_was_stored(
        kinds in prop::collection::vec(holds(), 1..40),
        rows in prop::collection::btree_set(0usize..3_000, 1..60),
        columns in prop::collection::vec(0usize..36, 1..12),
    ) {
        let stored = store(Table::Spans, &[made(3_000, &kinds)]);
        let stored_rows = stored.rows.num_rows();
        let rows: Vec<u32> = rows.into_iter().filter(|row| *row < stored_rows).map(|row| row as u32).collect();
        let schema = Table::Spans.schema();
        let columns: BTreeSet<&str> =
            columns.into_iter().map(|at| schema.field(at % schema.fields().len()).name().as_str()).collect();
        let columns: Vec<&str> = columns.into_iter().collect();
        // The second time the pages are those that were kept.
        for _ in 0..2 {
            let fetched = stored.segment.fetch(&columns, &rows).expect("fetched");
            prop_assert_eq!(plain(&fetched), expected(&stored, &columns, &rows));
        }
    }
}

/// A column that holds one value in each row group is not one of one value.
#[test]
fn row_groups_may_differ() {
    let schema = Table::Spans.schema();
    let all = 70_000;
    let rows = batch(schema, all, |column, row| {
        let late = row >= 65_536;
        Some(match column {
            col::TRACE_ID => Cell::Bytes(trace_id(row as u64).to_vec()),
            col::START_TIME => Cell::Number(row as i64),
            col::KIND => Cell::Number(if late { 2 } else { 1 }),
            col::NAME => Cell::Text(if late { "late" } else { "early" }.to_owned()),
            col::EVENTS if late => Cell::Text("[]".to_owned()),
            col::FLAGS => Cell::Number(1),
            _ => return None,
        })
    });
    let stored = store(Table::Spans, &[rows]);
    let columns = [col::NAME, col::EVENTS, col::FLAGS, col::KIND];
    for rows in [vec![3, 65_535], vec![65_536, 69_999], vec![0, 65_535, 65_536, 69_999]] {
        let fetched = stored.segment.fetch(&columns, &rows).expect("fetched");
        assert_eq!(plain(&fetched), expected(&stored, &columns, &rows));
    }
    let chunks = read(&stored, &[col::FLAGS], &Prune::All, i64::MIN, i64::MAX);
    assert_eq!(chunks.iter().map(|chunk| chunk.batch.num_rows()).sum::<usize>(), all);
}

#[test]
fn of_traces_only_their_rows_are_read() {
    let stored = store(Table::Spans, &[spans(&many(2_000, 5))]);
    let rows_of = |traces: &[u64]| {
        let ids = stored.rows.column_by_name(col::TRACE_ID).expect("a column").as_fixed_size_binary();
        let wanted = |row: &u32| traces.iter().any(|trace| ids.value(*row as usize) == trace_id(*trace));
        (0..10_000).filter(wanted).collect::<Vec<u32>>()
    };
    let one = |trace| Prune::trace(TraceId(trace_id(trace)));
    assert_eq!(rows_read(&stored, &one(7)), rows_of(&[7]));
    let several = [1_999, 0, 42];
    assert_eq!(rows_read(&stored, &Prune::Any(several.iter().map(|trace| one(*trace)).collect())), rows_of(&several));
    assert_eq!(rows_read(&stored, &Prune::Any(vec![one(3), one(5_000)])), rows_of(&[3]));
    // Something else besides: blocks.
    let mixed = Prune::Any(vec![one(3), Prune::tag(intrinsic::NAME, "op-9")]);
    assert!(rows_read(&stored, &mixed).len() > 5);
}
