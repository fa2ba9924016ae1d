//! Statistics of the columns of a segment, taken from its rows.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use serde::{Deserialize, Serialize};

use super::text::{self, Value};

/// Statistics of one column of a segment. DuckDB skips files by them and answers `min` and `max`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStats {
    pub column: String,
    /// Rows are the sum of both.
    pub null_count: u64,
    /// Values that are not null.
    pub value_count: u64,
    /// Least and greatest value, of floats without NaN. Exact but for text, where any text below and
    /// above will do. None where there is none, and for blobs.
    pub bounds: Option<(Value, Value)>,
    /// Of floats.
    pub contains_nan: Option<bool>,
}

impl ColumnStats {
    /// Adds the rows of a batch to those that were measured; none yet where `all` is empty.
    pub fn add_batch(all: &mut Vec<Self>, rows: &RecordBatch) {
        Self::add(all, columns(rows));
    }

    /// Adds the rows of which `more` is known, of the same columns.
    pub fn add(all: &mut Vec<Self>, more: Vec<Self>) {
        if all.is_empty() {
            *all = more;
            return;
        }
        all.iter_mut().zip(more).for_each(|(column, more)| column.absorb(more));
    }

    /// The same with short texts as bounds; None where one cannot be told so.
    pub fn shortened(&self) -> Option<Self> {
        let bounds = match &self.bounds {
            Some(bounds) => Some(text::shortened(bounds)?),
            None => None,
        };
        Some(Self { bounds, ..self.clone() })
    }

    fn absorb(&mut self, more: Self) {
        self.null_count += more.null_count;
        self.value_count += more.value_count;
        self.contains_nan = self.contains_nan.max(more.contains_nan);
        self.bounds = match (self.bounds.take(), more.bounds) {
            (Some((least, greatest)), Some((low, high))) => Some((least.lesser(low), greatest.greater(high))),
            (known, None) | (None, known) => known,
        };
    }
}

/// One for each column.
pub(super) fn columns(rows: &RecordBatch) -> Vec<ColumnStats> {
    let schema = rows.schema();
    schema.fields().iter().zip(rows.columns()).map(|(field, array)| column(field.name(), array)).collect()
}

fn column(name: &str, array: &ArrayRef) -> ColumnStats {
    let nulls = array.logical_null_count();
    let (bounds, contains_nan) = match array.data_type() {
        DataType::Int32 => (integers::<Int32Type>(array), None),
        DataType::UInt32 => (integers::<UInt32Type>(array), None),
        DataType::Int64 => (integers::<Int64Type>(array), None),
        DataType::UInt64 => (integers::<UInt64Type>(array), None),
        DataType::Timestamp(..) => {
            let times = array.as_primitive::<TimestampNanosecondType>();
            (pair(compute::min(times).map(Value::Time), compute::max(times).map(Value::Time)), None)
        }
        DataType::Float64 => floats(array),
        DataType::Boolean => {
            let flags: &BooleanArray = array.as_boolean();
            let least = compute::min_boolean(flags).map(Value::Boolean);
            (pair(least, compute::max_boolean(flags).map(Value::Boolean)), None)
        }
        DataType::Utf8 => (texts(array.as_string::<i32>().iter().flatten()), None),
        DataType::Dictionary(..) => (dictionary(array), None),
        _ => (None, None),
    };
    let (nulls, rows) = (nulls as u64, array.len() as u64);
    ColumnStats { column: name.to_owned(), null_count: nulls, value_count: rows - nulls, bounds, contains_nan }
}

fn pair(least: Option<Value>, greatest: Option<Value>) -> Option<(Value, Value)> {
    least.zip(greatest)
}

fn integers<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<(Value, Value)>
where
    T::Native: Into<i128>,
{
    let integer = |value: T::Native| Value::Integer(value.into());
    let array = array.as_primitive::<T>();
    pair(compute::min(array).map(integer), compute::max(array).map(integer))
}

fn floats(array: &ArrayRef) -> (Option<(Value, Value)>, Option<bool>) {
    let values = || array.as_primitive::<Float64Type>().iter().flatten();
    let numbers = || values().filter(|value| !value.is_nan());
    let bounds =
        pair(numbers().min_by(f64::total_cmp).map(Value::Float), numbers().max_by(f64::total_cmp).map(Value::Float));
    (bounds, Some(values().any(f64::is_nan)))
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> Option<(Value, Value)> {
    let widen = |bounds: Option<(&'a str, &'a str)>, value: &'a str| match bounds {
        None => Some((value, value)),
        Some((least, greatest)) => Some((least.min(value), greatest.max(value))),
    };
    let (least, greatest) = values.fold(None, widen)?;
    Some((Value::Text(least.to_owned()), Value::Text(greatest.to_owned())))
}

/// Only of the values that rows use: a dictionary may hold others.
fn dictionary(array: &ArrayRef) -> Option<(Value, Value)> {
    let dictionary = array.as_dictionary_opt::<Int32Type>()?;
    let values = dictionary.values().as_string_opt::<i32>()?;
    let mut used = vec![false; values.len()];
    for key in dictionary.keys().iter().flatten() {
        if let Some(used) = usize::try_from(key).ok().and_then(|key| used.get_mut(key)) {
            *used = true;
        }
    }
    texts(values.iter().zip(used).filter(|(_, used)| *used).filter_map(|(value, _)| value))
}
