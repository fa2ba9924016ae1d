//! Columns of a table as DuckLake names their types and numbers them.

use arrow::datatypes::{DataType, TimeUnit};

use super::CatalogError;

/// DuckLake's name of an Arrow type (specification, "Data Types").
pub(super) fn lake_type(data_type: &DataType) -> Result<&'static str, CatalogError> {
    Ok(match data_type {
        DataType::FixedSizeBinary(_) | DataType::Binary => "blob",
        DataType::Utf8 => "varchar",
        DataType::Dictionary(_, values) => lake_type(values)?,
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "timestamp_ns",
        DataType::Int32 => "int32",
        DataType::UInt32 => "uint32",
        DataType::Int64 => "int64",
        DataType::UInt64 => "uint64",
        DataType::Float64 => "float64",
        DataType::Boolean => "boolean",
        other => return Err(CatalogError::Invalid(format!("the lake has no type for {other}"))),
    })
}

/// How values of a type compare in statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Float,
    Time,
    Text,
    Boolean,
    /// No bounds are kept. DuckDB skips no file by the bounds of a blob, and two of its own writers
    /// disagree on how to spell them.
    Opaque,
}

impl Kind {
    pub(super) fn of(lake_type: &str) -> Self {
        match lake_type {
            "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" => Kind::Integer,
            "float32" | "float64" => Kind::Float,
            "timestamp_ns" => Kind::Time,
            "varchar" => Kind::Text,
            "boolean" => Kind::Boolean,
            _ => Kind::Opaque,
        }
    }
}
