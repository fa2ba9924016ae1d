//! An argument of a function as text.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

/// A column of text or one text for all rows.
pub(super) enum Texts {
    Same(Option<String>),
    Each(StringArray),
}

impl Texts {
    pub(super) fn of(value: &ColumnarValue) -> Result<Self> {
        let plain =
            |array: &ArrayRef| -> Result<StringArray> { Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone()) };
        Ok(match value {
            ColumnarValue::Scalar(value) => {
                let text = plain(&value.to_array()?)?;
                Self::Same((!text.is_null(0)).then(|| text.value(0).to_owned()))
            }
            ColumnarValue::Array(values) => Self::Each(plain(values)?),
        })
    }

    pub(super) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Same(text) => text.as_deref(),
            Self::Each(texts) => (row < texts.len() && !texts.is_null(row)).then(|| texts.value(row)),
        }
    }

    /// Every text there is, the same for all rows only once.
    pub(super) fn each(&self) -> impl Iterator<Item = &str> {
        let rows = match self {
            Self::Same(_) => 1,
            Self::Each(texts) => texts.len(),
        };
        (0..rows).filter_map(|row| self.get(row))
    }
}
