//! Columns that hold one value throughout a row group, as its statistics say: they are made, not read.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray, UInt32Array, new_null_array};
use arrow::datatypes::{DataType, Field};
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Null,
    Int(i32),
    UInt(u32),
    /// In a dictionary.
    Text(String),
}

impl Constant {
    /// None where the values differ, or where the statistics do not tell.
    pub(super) fn of(field: &Field, chunk: &ColumnChunkMetaData) -> Option<Self> {
        let nulls = nulls(chunk);
        if field.is_nullable() && nulls.is_some_and(|nulls| nulls == chunk.num_values() as u64) {
            return Some(Self::Null);
        }
        if field.is_nullable() && nulls != Some(0) {
            return None;
        }
        let statistics = chunk.statistics()?;
        let exact = statistics.min_is_exact() && statistics.max_is_exact();
        match (field.data_type(), statistics) {
            (DataType::Int32, Statistics::Int32(bounds)) => {
                the_one(exact, bounds.min_opt(), bounds.max_opt()).map(|value| Self::Int(*value))
            }
            (DataType::UInt32, Statistics::Int32(bounds)) => {
                the_one(exact, bounds.min_opt(), bounds.max_opt()).map(|value| Self::UInt(*value as u32))
            }
            (DataType::Dictionary(..), Statistics::ByteArray(bounds)) => {
                let text = the_one(exact, bounds.min_opt(), bounds.max_opt())?;
                std::str::from_utf8(text.data()).ok().map(|text| Self::Text(text.to_owned()))
            }
            _ => None,
        }
    }

    /// A column of `rows` rows.
    pub(super) fn array(&self, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
        Ok(match self {
            Self::Null => new_null_array(data_type, rows),
            Self::Int(value) => Arc::new(Int32Array::from(vec![*value; rows])),
            Self::UInt(value) => Arc::new(UInt32Array::from(vec![*value; rows])),
            Self::Text(text) => {
                let values = Arc::new(StringArray::from(vec![text.as_str()]));
                Arc::new(DictionaryArray::try_new(Int32Array::from(vec![0; rows]), values)?)
            }
        })
    }
}

fn nulls(chunk: &ColumnChunkMetaData) -> Option<u64> {
    let told = chunk.statistics().and_then(Statistics::null_count_opt);
    // Of texts nothing is told but how many there are: the first level is that of nulls.
    told.or_else(|| match chunk.definition_level_histogram()?.values() {
        [nulls, _] => u64::try_from(*nulls).ok(),
        _ => None,
    })
}

fn the_one<'a, T: PartialEq>(exact: bool, least: Option<&'a T>, greatest: Option<&'a T>) -> Option<&'a T> {
    least.filter(|least| exact && Some(*least) == greatest)
}
