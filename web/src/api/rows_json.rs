//! Arrow rows as JSON lists.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::ser::{Error, Serialize, SerializeSeq, Serializer};

use super::json::non_finite;

/// `[[…],…]`, written batch by batch.
pub(super) struct Rows<'a>(pub(super) &'a [RecordBatch]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.iter().map(RecordBatch::num_rows).sum()))?;
        for batch in self.0 {
            let columns =
                batch.columns().iter().map(Column::of).collect::<Result<Vec<_>, _>>().map_err(S::Error::custom)?;
            for row in 0..batch.num_rows() {
                list.serialize_element(&Row { columns: &columns, row })?;
            }
        }
        list.end()
    }
}

struct Row<'a> {
    columns: &'a [Column<'a>],
    row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.columns.iter().map(|column| Cell { column, row: self.row }))
    }
}

/// A column by the form that its values have in JSON.
enum Column<'a> {
    Bool(&'a BooleanArray),
    Int(Int64Array),
    Unsigned(&'a UInt64Array),
    Double(Float64Array),
    Text(&'a ArrayRef, ArrayFormatter<'a>),
}

const FORMAT: FormatOptions<'static> = FormatOptions::new();

impl<'a> Column<'a> {
    fn of(array: &'a ArrayRef) -> Result<Self, ArrowError> {
        use DataType as T;
        let text = || ArrayFormatter::try_new(array, &FORMAT).map(|formatter| Column::Text(array, formatter));
        Ok(match array.data_type() {
            T::Boolean => array.as_boolean_opt().map_or_else(text, |array| Ok(Column::Bool(array)))?,
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 => {
                Column::Int(cast(array, &T::Int64)?.as_primitive::<Int64Type>().clone())
            }
            T::UInt64 => {
                array.as_primitive_opt::<UInt64Type>().map_or_else(text, |array| Ok(Column::Unsigned(array)))?
            }
            T::Float16 | T::Float32 | T::Float64 => {
                Column::Double(cast(array, &T::Float64)?.as_primitive::<Float64Type>().clone())
            }
            _ => text()?,
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Column::Bool(array) => array.is_null(row),
            Column::Int(array) => array.is_null(row),
            Column::Unsigned(array) => array.is_null(row),
            Column::Double(array) => array.is_null(row),
            Column::Text(array, _) => array.is_null(row) || is_null_key(array, row),
        }
    }
}

/// A dictionary may hold the null itself.
fn is_null_key(array: &ArrayRef, row: usize) -> bool {
    array.logical_nulls().is_some_and(|nulls| nulls.is_null(row))
}

struct Cell<'a> {
    column: &'a Column<'a>,
    row: usize,
}

/// The largest integer that JavaScript keeps exact, 2^53 - 1.
const MAX_SAFE: u64 = (1 << 53) - 1;

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.column.is_null(self.row) {
            return serializer.serialize_unit();
        }
        match self.column {
            Column::Bool(array) => serializer.serialize_bool(array.value(self.row)),
            Column::Int(array) => match array.value(self.row) {
                value if value.unsigned_abs() <= MAX_SAFE => serializer.serialize_i64(value),
                value => serializer.collect_str(&value),
            },
            Column::Unsigned(array) => match array.value(self.row) {
                value if value <= MAX_SAFE => serializer.serialize_u64(value),
                value => serializer.collect_str(&value),
            },
            Column::Double(array) => match array.value(self.row) {
                value if value.is_finite() => serializer.serialize_f64(value),
                value => serializer.serialize_str(non_finite(value)),
            },
            Column::Text(_, formatter) => {
                let text = formatter.value(self.row).try_to_string().map_err(S::Error::custom)?;
                serializer.serialize_str(&text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BinaryArray, DictionaryArray, Int32Array, StringArray, TimestampNanosecondArray};
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    #[test]
    fn every_column_has_a_form() {
        let batch = RecordBatch::try_from_iter([
            ("b", Arc::new(BooleanArray::from(vec![Some(true), None])) as ArrayRef),
            ("i", Arc::new(Int32Array::from(vec![-1, 2]))),
            ("l", Arc::new(Int64Array::from(vec![i64::MAX, 1]))),
            ("u", Arc::new(UInt64Array::from(vec![u64::MAX, 1]))),
            ("f", Arc::new(Float64Array::from(vec![f64::NAN, 1.5]))),
            ("s", Arc::new(StringArray::from(vec!["a\"b", ""]))),
            ("d", Arc::new(vec![Some("x"), None].into_iter().collect::<DictionaryArray<Int32Type>>())),
            ("x", Arc::new(BinaryArray::from(vec![&[0xab, 0x01][..], &[]]))),
            ("t", Arc::new(TimestampNanosecondArray::from(vec![1_700_000_000_123_456_789, 0]))),
        ]);
        let json = serde_json::to_string(&Rows(&[batch.expect("columns of one length")])).expect("it serialises");
        assert_eq!(
            json,
            "[[true,-1,\"9223372036854775807\",\"18446744073709551615\",\"NaN\",\"a\\\"b\",\"x\",\"ab01\",\
             \"2023-11-14T22:13:20.123456789\"],[null,2,1,1,1.5,\"\",null,\"\",\"1970-01-01T00:00:00\"]]"
        );
    }
}
