//! How much a column holds: what decides whether a step of a query may be taken.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatchOptions, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;

/// How values are counted that many rows share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// As they are kept: a row of a dictionary is a key.
    Kept,
    /// As they would be if each row had its own copy.
    Written,
}

/// What a row of a variable length takes beside its value.
const OFFSET: usize = 4;
/// What a column may keep alive in any case.
const SLACK: usize = 4 << 10;
/// A row of a view, a key or anything that is not known better.
const WORD: usize = 16;

/// Bytes of all rows of a batch.
pub(super) fn batch(batch: &RecordBatch, size: Size) -> usize {
    batch.columns().iter().map(|column| array(column, size)).fold(0, usize::saturating_add)
}

/// Bytes of all rows of a column. Takes constant time for plain columns, one step a row for others.
pub(super) fn array(array: &dyn Array, size: Size) -> usize {
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets()) + OFFSET * rows,
        DataType::LargeUtf8 => span(array.as_string::<i64>().value_offsets()) + 2 * OFFSET * rows,
        DataType::Binary => span(array.as_binary::<i32>().value_offsets()) + OFFSET * rows,
        DataType::LargeBinary => span(array.as_binary::<i64>().value_offsets()) + 2 * OFFSET * rows,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            nested(list.values(), list.value_offsets(), size) + OFFSET * rows
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            nested(list.values(), list.value_offsets(), size) + 2 * OFFSET * rows
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|column| self::array(column, size)).fold(0, usize::saturating_add)
        }
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) => {
            let mut widths = vec![0; rows];
            widen(array, size, &mut widths);
            widths.into_iter().fold(0, usize::saturating_add)
        }
        other => fixed_width(other, array).saturating_mul(rows),
    }
}

/// Bytes of a value that is the same for so many rows.
pub(super) fn columnar(value: &ColumnarValue, rows: usize) -> Result<usize> {
    Ok(match value {
        ColumnarValue::Array(values) => array(values, Size::Written),
        ColumnarValue::Scalar(value) => scalar(value)?.saturating_mul(rows),
    })
}

/// Bytes of one value.
pub(super) fn scalar(value: &ScalarValue) -> Result<usize> {
    Ok(match value {
        ScalarValue::Dictionary(_, value) => scalar(value)?,
        value => match value.try_as_str() {
            Some(text) => text.map_or(0, str::len) + OFFSET,
            None => array(&value.to_array()?, Size::Written),
        },
    })
}

/// Bytes of the widest row.
pub(super) fn widest(batch: &RecordBatch, size: Size) -> usize {
    let mut widths = vec![0; batch.num_rows()];
    batch.columns().iter().for_each(|column| widen(column, size, &mut widths));
    widths.into_iter().max().unwrap_or(0)
}

/// The batch without what its columns keep alive beside their own rows, where that is most of them:
/// a slice of a large column counts as the whole where it is kept. What rows share stays shared.
pub(super) fn compact(batch: RecordBatch) -> Result<RecordBatch> {
    let loose = |column: &ArrayRef| {
        let plain = match column.data_type() {
            DataType::Dictionary(..) | DataType::Utf8View | DataType::BinaryView => false,
            other => !other.is_nested(),
        };
        plain && column.get_buffer_memory_size() > 2 * array(column, Size::Kept) + SLACK
    };
    if !batch.columns().iter().any(loose) {
        return Ok(batch);
    }
    let rows = UInt64Array::from_iter_values(0..batch.num_rows() as u64);
    let copied = |column: &ArrayRef| if loose(column) { take(column, &rows, None) } else { Ok(column.clone()) };
    let columns = batch.columns().iter().map(copied).collect::<Result<_, ArrowError>>()?;
    let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &count)?)
}

/// The batch in pieces of at most so many rows, and at most so many bytes written out, but for
/// single rows.
pub(super) fn pieces(whole: RecordBatch, rows: usize, bytes: usize) -> Vec<RecordBatch> {
    if whole.num_rows() <= 1 || (whole.num_rows() <= rows && batch(&whole, Size::Written) <= bytes) {
        return vec![whole];
    }
    // Full pieces where the rows are narrow, else halves.
    let step = if whole.num_rows() > rows { rows } else { whole.num_rows().div_ceil(2) };
    let starts = (0..whole.num_rows()).step_by(step.max(1));
    starts.flat_map(|at| pieces(whole.slice(at, step.min(whole.num_rows() - at)), rows, bytes)).collect()
}

/// Values in lists of lists, and single values.
pub(super) fn leaves(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::List(_) => leaves(array.as_list::<i32>().values()),
        DataType::LargeList(_) => leaves(array.as_list::<i64>().values()),
        DataType::FixedSizeList(..) => leaves(array.as_fixed_size_list().values()),
        _ => array.len(),
    }
}

/// Adds what each row of the column holds.
fn widen(array: &dyn Array, size: Size, widths: &mut [usize]) {
    let rows = array.len();
    let mut add = |width: &dyn Fn(usize) -> usize| {
        widths.iter_mut().zip(0..rows).for_each(|(sum, row)| *sum = sum.saturating_add(width(row)));
    };
    match array.data_type() {
        DataType::Utf8 => add(&|row| array.as_string::<i32>().value_length(row) as usize + OFFSET),
        DataType::Binary => add(&|row| array.as_binary::<i32>().value_length(row) as usize + OFFSET),
        DataType::Utf8View if size == Size::Written => {
            let lengths: Vec<usize> = array.as_string_view().lengths().map(|length| length as usize).collect();
            add(&|row| lengths[row] + WORD);
        }
        DataType::BinaryView if size == Size::Written => {
            let lengths: Vec<usize> = array.as_binary_view().lengths().map(|length| length as usize).collect();
            add(&|row| lengths[row] + WORD);
        }
        DataType::Dictionary(..) if size == Size::Written => {
            let encoded = array.as_any_dictionary();
            let mut lengths = vec![0; encoded.values().len()];
            widen(encoded.values(), size, &mut lengths);
            if !lengths.is_empty() {
                let keys = encoded.normalized_keys();
                add(&|row| if array.is_null(row) { OFFSET } else { lengths[keys[row]] });
            }
        }
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) => add(&|_| WORD),
        DataType::LargeUtf8
        | DataType::LargeBinary
        | DataType::List(_)
        | DataType::LargeList(_)
        | DataType::Struct(_) => {
            add(&|row| self::array(&array.slice(row, 1), size));
        }
        other => {
            let width = fixed_width(other, array);
            add(&|_| width);
        }
    }
}

fn fixed_width(data_type: &DataType, array: &dyn Array) -> usize {
    match data_type {
        DataType::Null => 0,
        DataType::Boolean => 1,
        DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or(0),
        other => match other.primitive_width() {
            Some(width) => width,
            // Maps, unions, lists of one length: all their buffers, for want of better.
            None => array.get_array_memory_size().div_ceil(array.len().max(1)),
        },
    }
}

fn nested<O: Copy + TryInto<usize>>(values: &ArrayRef, offsets: &[O], size: Size) -> usize {
    let at = |offset: Option<&O>| offset.and_then(|offset| (*offset).try_into().ok()).unwrap_or(0);
    let (from, to) = (at(offsets.first()), at(offsets.last()));
    array(&values.slice(from, to - from), size)
}

fn span<O: Copy + TryInto<usize>>(offsets: &[O]) -> usize {
    let at = |offset: Option<&O>| offset.and_then(|offset| (*offset).try_into().ok()).unwrap_or(0);
    at(offsets.last()) - at(offsets.first())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::{Int32Type, Int64Type};

    use super::*;

    #[test]
    fn what_rows_share_counts_once_or_for_each() {
        let texts = ["a".repeat(100), "b".repeat(10)];
        let shared: DictionaryArray<Int32Type> = [0, 0, 0, 1].map(|at| Some(texts[at].as_str())).into_iter().collect();
        assert_eq!(array(&shared, Size::Written), 310 + 4 * OFFSET);
        assert_eq!(array(&shared, Size::Kept), 4 * WORD);
        let plain = StringArray::from_iter_values([0, 0, 0, 1].map(|at| texts[at].as_str()));
        assert_eq!(array(&plain, Size::Kept), 310 + 4 * OFFSET);
        assert_eq!(array(&plain.slice(3, 1), Size::Kept), 10 + OFFSET);
        let views = StringViewArray::from_iter_values([0, 0, 0, 1].map(|at| texts[at].as_str()));
        assert_eq!(array(&views, Size::Written), 310 + 4 * WORD);
        assert_eq!(array(&Int64Array::from(vec![1, 2, 3]), Size::Written), 24);
        let none: DictionaryArray<Int32Type> = [None::<&str>, None].into_iter().collect();
        assert!(array(&none, Size::Written) < 100);
    }

    #[test]
    fn lists_count_what_is_in_them() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1); 10]), None, Some(vec![])]);
        assert_eq!(array(&list, Size::Written), 80 + 3 * OFFSET);
        assert_eq!(array(&list.slice(1, 2), Size::Written), 2 * OFFSET);
        let list: ArrayRef = Arc::new(list);
        assert_eq!(leaves(&list), 10);
        let rows = RecordBatch::try_from_iter([("list", list)]).expect("a batch");
        assert_eq!(widest(&rows, Size::Kept), 80 + OFFSET);
    }

    #[test]
    fn pieces_are_small_and_complete() {
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|at| "x".repeat(at))));
        let rows = RecordBatch::try_from_iter([("text", texts)]).expect("a batch");
        let parts = pieces(rows.clone(), 300, 10_000);
        assert!(parts.iter().all(|part| part.num_rows() <= 300 && batch(part, Size::Written) <= 10_000));
        let whole = arrow::compute::concat_batches(&rows.schema(), &parts).expect("one batch");
        assert_eq!(whole, rows);
        assert_eq!(pieces(rows.clone(), 5000, 1 << 30), std::slice::from_ref(&rows));
        assert_eq!(pieces(rows, 300, 0).len(), 1000);
    }

    #[test]
    fn a_slice_lets_go_of_the_rest() {
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..10_000).map(|at| format!("{at:0100}"))));
        let whole = RecordBatch::try_from_iter([("text", texts)]).expect("a batch");
        let slice = compact(whole.slice(5_000, 100)).expect("a batch");
        assert_eq!(slice, whole.slice(5_000, 100));
        assert!(slice.column(0).get_buffer_memory_size() < 25_000);
        let same = compact(whole.clone()).expect("a batch");
        assert!(Arc::ptr_eq(same.column(0), whole.column(0)), "what is not loose is not copied");
    }
}
