//! Rows made up for tests.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Int32Type};

use crate::schema::{Table, col};

/// A value for any column; numbers and times share one kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Number(i64),
    Bytes(Vec<u8>),
    Null,
}

/// A span as far as tests care; everything else is empty.
#[derive(Clone, Debug)]
pub(crate) struct TestSpan {
    pub(crate) trace: u64,
    pub(crate) span: u64,
    pub(crate) start: i64,
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) attributes: String,
}

impl TestSpan {
    pub(crate) fn new(trace: u64, span: u64, start: i64) -> Self {
        let (service, name) = (format!("service-{}", trace % 3), format!("op-{}", span % 5));
        Self { trace, span, start, service, name, attributes: format!(r#"{{"n":{span},"kind":"k{}"}}"#, span % 7) }
    }
}

pub(crate) fn trace_id(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

pub(crate) fn spans(spans: &[TestSpan]) -> RecordBatch {
    batch(Table::Spans.schema(), spans.len(), |column, row| {
        let span = &spans[row];
        Some(match column {
            col::TRACE_ID => Cell::Bytes(trace_id(span.trace).to_vec()),
            col::SPAN_ID => Cell::Bytes(span.span.to_be_bytes().to_vec()),
            col::START_TIME => Cell::Number(span.start),
            col::DURATION => Cell::Number(1_000),
            col::KIND => Cell::Number(2),
            col::SERVICE_NAME => Cell::Text(span.service.clone()),
            col::NAME => Cell::Text(span.name.clone()),
            col::ATTRIBUTES => Cell::Text(span.attributes.clone()),
            _ => return None,
        })
    })
}

/// Log records as the collector gives them: (time, body).
pub(crate) fn logs(records: &[(i64, &str)]) -> RecordBatch {
    batch(Table::Logs.incoming(), records.len(), |column, row| {
        Some(match column {
            col::TIME | col::OBSERVED_TIME => Cell::Number(records[row].0),
            col::BODY => Cell::Text(records[row].1.to_owned()),
            col::BODY_TYPE => Cell::Text("text".to_owned()),
            col::SEVERITY_NUMBER => Cell::Number(9),
            col::SERVICE_NAME => Cell::Text("logger".to_owned()),
            _ => return None,
        })
    })
}

/// A batch whose cells `cell` gives; where it gives none: null, or an empty value.
pub(crate) fn batch(
    schema: arrow::datatypes::SchemaRef,
    rows: usize,
    cell: impl Fn(&str, usize) -> Option<Cell>,
) -> RecordBatch {
    let columns = schema.fields().iter().map(|field| {
        let cells: Vec<Cell> = (0..rows)
            .map(|row| match cell(field.name(), row) {
                Some(cell) => cell,
                None if field.is_nullable() => Cell::Null,
                None => empty(field.name(), field.data_type()),
            })
            .collect();
        column(field.data_type(), &cells)
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).expect("cells of the right types")
}

fn empty(name: &str, data_type: &DataType) -> Cell {
    match data_type {
        DataType::Utf8 | DataType::Dictionary(..) if name.ends_with("attributes") => Cell::Text("{}".to_owned()),
        DataType::Utf8 | DataType::Dictionary(..) => Cell::Text(String::new()),
        DataType::FixedSizeBinary(size) => Cell::Bytes(vec![0; *size as usize]),
        _ => Cell::Number(0),
    }
}

fn column(data_type: &DataType, cells: &[Cell]) -> ArrayRef {
    let number = |cell: &Cell| match cell {
        Cell::Number(number) => Some(*number),
        _ => None,
    };
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => Some(text.clone()),
        _ => None,
    };
    let numbers = cells.iter().map(number);
    let texts = cells.iter().map(text);
    match data_type {
        DataType::Utf8 => Arc::new(texts.collect::<StringArray>()),
        DataType::Dictionary(..) => {
            let mut builder = StringDictionaryBuilder::<Int32Type>::new();
            texts.for_each(|text| builder.append_option(text));
            Arc::new(builder.finish())
        }
        DataType::FixedSizeBinary(size) => {
            let mut builder = FixedSizeBinaryBuilder::new(*size);
            for cell in cells {
                match cell {
                    Cell::Bytes(bytes) => builder.append_value(bytes).expect("bytes of the right length"),
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::Timestamp(..) => Arc::new(numbers.collect::<TimestampNanosecondArray>()),
        DataType::Int32 => Arc::new(numbers.map(|n| n.map(|n| n as i32)).collect::<Int32Array>()),
        DataType::UInt32 => Arc::new(numbers.map(|n| n.map(|n| n as u32)).collect::<UInt32Array>()),
        DataType::Int64 => Arc::new(numbers.collect::<Int64Array>()),
        DataType::UInt64 => Arc::new(numbers.map(|n| n.map(|n| n as u64)).collect::<UInt64Array>()),
        DataType::Float64 => Arc::new(numbers.map(|n| n.map(|n| n as f64)).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(numbers.map(|n| n.map(|n| n != 0)).collect::<BooleanArray>()),
        other => unreachable!("no column is of type {other}"),
    }
}
