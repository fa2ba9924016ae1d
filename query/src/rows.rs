//! Rows of a batch: typed columns, and whole spans and log records.
//!
//! String columns come plain or dictionary-encoded; [`Strings`] hides which. A column that is missing
//! or of another type is [`ReadError::Damaged`], never a panic.

mod convert;
pub(crate) mod scan;
pub(crate) mod terms;

pub use convert::{LogReader, Origins, SpanReader};

use arrow::array::{
    Array, AsArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, PrimitiveArray, StringArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;
use storage::scan::ReadError;
use storage::schema::col;

/// What [`SpanReader`] needs: every column that a [`crate::model::Span`] shows.
pub const SPAN_COLUMNS: &[&str] = &[
    col::TRACE_ID,
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::TRACE_STATE,
    col::FLAGS,
    col::NAME,
    col::KIND,
    col::START_TIME,
    col::DURATION,
    col::STATUS_CODE,
    col::STATUS_MESSAGE,
    col::ATTRIBUTES,
    col::DROPPED_ATTRIBUTES,
    col::EVENTS,
    col::DROPPED_EVENTS,
    col::LINKS,
    col::DROPPED_LINKS,
    col::ROLE,
    col::PEER,
    col::PROTOCOL,
    col::OPERATION,
    col::OUTCOME,
    col::RECEIVED_TIME,
    col::SERVICE_NAME,
    col::RESOURCE_ATTRIBUTES,
    col::RESOURCE_DROPPED_ATTRIBUTES,
    col::RESOURCE_SCHEMA_URL,
    col::SCOPE_NAME,
    col::SCOPE_VERSION,
    col::SCOPE_ATTRIBUTES,
    col::SCOPE_DROPPED_ATTRIBUTES,
    col::SCOPE_SCHEMA_URL,
];

/// What [`LogReader`] needs: every column that a [`crate::model::LogRecord`] shows.
pub const LOG_COLUMNS: &[&str] = &[
    col::ROW_ID,
    col::TIME,
    col::TIME_INFERRED,
    col::OBSERVED_TIME,
    col::TRACE_ID,
    col::SPAN_ID,
    col::FLAGS,
    col::SEVERITY_NUMBER,
    col::SEVERITY_TEXT,
    col::EVENT_NAME,
    col::BODY,
    col::BODY_TYPE,
    col::ATTRIBUTES,
    col::DROPPED_ATTRIBUTES,
    col::SERVICE_NAME,
    col::RESOURCE_ATTRIBUTES,
    col::RESOURCE_DROPPED_ATTRIBUTES,
    col::RESOURCE_SCHEMA_URL,
    col::SCOPE_NAME,
    col::SCOPE_VERSION,
    col::SCOPE_ATTRIBUTES,
    col::SCOPE_DROPPED_ATTRIBUTES,
    col::SCOPE_SCHEMA_URL,
];

/// The columns of one batch by name.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    pub fn new(batch: &'a RecordBatch) -> Self {
        Self { batch }
    }

    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    pub fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    pub fn strings(&self, name: &str) -> Result<Strings<'a>, ReadError> {
        let array = self.array(name)?;
        if let Some(plain) = array.as_string_opt::<i32>() {
            return Ok(Strings::Plain(plain));
        }
        array
            .as_dictionary_opt::<Int32Type>()
            .and_then(|keys| Some(Strings::Dictionary(keys, keys.values().as_string_opt::<i32>()?)))
            .ok_or_else(|| unexpected(name, array))
    }

    /// Timestamps, ns, as stored: the bits of the unsigned value that was sent.
    pub fn times(&self, name: &str) -> Result<&'a [i64], ReadError> {
        Ok(self.primitive::<TimestampNanosecondType>(name)?.values())
    }

    pub fn i32s(&self, name: &str) -> Result<&'a [i32], ReadError> {
        Ok(self.primitive::<Int32Type>(name)?.values())
    }

    pub fn i64s(&self, name: &str) -> Result<&'a [i64], ReadError> {
        Ok(self.primitive::<Int64Type>(name)?.values())
    }

    pub fn u32s(&self, name: &str) -> Result<&'a [u32], ReadError> {
        Ok(self.primitive::<UInt32Type>(name)?.values())
    }

    pub fn u64s(&self, name: &str) -> Result<&'a [u64], ReadError> {
        Ok(self.primitive::<UInt64Type>(name)?.values())
    }

    /// With nulls.
    pub fn f64s(&self, name: &str) -> Result<&'a Float64Array, ReadError> {
        self.primitive::<Float64Type>(name)
    }

    pub fn bools(&self, name: &str) -> Result<&'a BooleanArray, ReadError> {
        let array = self.array(name)?;
        array.as_boolean_opt().ok_or_else(|| unexpected(name, array))
    }

    /// Ids of `N` bytes.
    pub fn ids<const N: usize>(&self, name: &str) -> Result<Ids<'a, N>, ReadError> {
        let array = self.array(name)?;
        match array.as_fixed_size_binary_opt() {
            Some(ids) if ids.value_length() == N as i32 => Ok(Ids(ids)),
            _ => Err(unexpected(name, array)),
        }
    }

    fn primitive<T: ArrowPrimitiveType>(&self, name: &str) -> Result<&'a PrimitiveArray<T>, ReadError> {
        let array = self.array(name)?;
        array.as_primitive_opt::<T>().ok_or_else(|| unexpected(name, array))
    }

    fn array(&self, name: &str) -> Result<&'a dyn Array, ReadError> {
        let array = self.batch.column_by_name(name);
        array.map(|array| array.as_ref()).ok_or_else(|| damaged(format!("column {name} is missing")))
    }
}

/// A string column, plain or dictionary-encoded.
#[derive(Clone, Copy)]
pub enum Strings<'a> {
    Plain(&'a StringArray),
    Dictionary(&'a DictionaryArray<Int32Type>, &'a StringArray),
}

impl<'a> Strings<'a> {
    /// None where the column is null.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Dictionary(_, values) => self.key(row).map(|key| values.value(key)),
        }
    }

    /// Null as the empty text.
    pub fn text(&self, row: usize) -> &'a str {
        self.get(row).unwrap_or("")
    }

    /// Number of the row's value in the dictionary; None where null or where there is no dictionary.
    pub fn key(&self, row: usize) -> Option<usize> {
        match self {
            Self::Plain(_) => None,
            Self::Dictionary(keys, values) => keys.key(row).filter(|&key| key < values.len() && values.is_valid(key)),
        }
    }

    /// Distinct values, by [`Strings::key`]; None where there is no dictionary.
    pub fn dictionary(&self) -> Option<&'a StringArray> {
        match self {
            Self::Plain(_) => None,
            Self::Dictionary(_, values) => Some(values),
        }
    }
}

/// A column of ids of `N` bytes.
#[derive(Clone, Copy)]
pub struct Ids<'a, const N: usize>(&'a FixedSizeBinaryArray);

impl<const N: usize> Ids<'_, N> {
    /// None where the column is null.
    pub fn get(&self, row: usize) -> Option<[u8; N]> {
        self.0.is_valid(row).then(|| self.0.value(row).try_into().ok()).flatten()
    }
}

/// What is said of rows that do not read as the schema has them.
pub fn damaged(what: impl Into<String>) -> ReadError {
    ReadError::Damaged { file: "a block of rows".to_owned(), what: what.into() }
}

fn unexpected(name: &str, array: &dyn Array) -> ReadError {
    damaged(format!("column {name} is of type {}", array.data_type()))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
