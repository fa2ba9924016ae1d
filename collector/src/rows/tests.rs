//! OTLP to rows and back, against prost; and what bad input does.

mod bad_input;
mod metrics;
mod oracle;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message;
use storage::attrs::{Attributes, Value};
use storage::schema::col;

use super::*;

/// ns since the epoch.
const RECEIVED: i64 = 1_700_000_000_000_000_001;

fn batch(signal: Signal, request: &impl Message) -> (RecordBatch, Rejected) {
    let converted = convert(signal, &request.encode_to_vec(), RECEIVED, &Rules::default()).expect("well formed");
    let Converted { table, batch, rejected } = converted;
    (batch.unwrap_or_else(|| RecordBatch::new_empty(table.incoming())), rejected)
}

/// One row of a batch, read as the store's readers would.
struct Row<'b>(&'b RecordBatch, usize);

impl Row<'_> {
    fn column(&self, name: &str) -> &dyn Array {
        self.0.column_by_name(name).expect("column")
    }

    fn text(&self, name: &str) -> Option<String> {
        let column = self.column(name);
        match column.as_string_opt::<i32>() {
            Some(texts) => texts.is_valid(self.1).then(|| texts.value(self.1).to_owned()),
            None => {
                let dictionary = column.as_dictionary::<Int32Type>();
                dictionary.key(self.1).map(|key| dictionary.values().as_string::<i32>().value(key).to_owned())
            }
        }
    }

    fn id(&self, name: &str) -> Option<Vec<u8>> {
        let ids = self.column(name).as_fixed_size_binary();
        ids.is_valid(self.1).then(|| ids.value(self.1).to_vec())
    }

    fn time(&self, name: &str) -> u64 {
        self.column(name).as_primitive::<TimestampNanosecondType>().value(self.1) as u64
    }

    fn i64(&self, name: &str) -> Option<i64> {
        let numbers = self.column(name).as_primitive::<Int64Type>();
        numbers.is_valid(self.1).then(|| numbers.value(self.1))
    }

    fn i32(&self, name: &str) -> i32 {
        self.column(name).as_primitive::<Int32Type>().value(self.1)
    }

    fn u32(&self, name: &str) -> u32 {
        self.column(name).as_primitive::<UInt32Type>().value(self.1)
    }

    fn u64(&self, name: &str) -> Option<u64> {
        let numbers = self.column(name).as_primitive::<UInt64Type>();
        numbers.is_valid(self.1).then(|| numbers.value(self.1))
    }

    fn f64(&self, name: &str) -> Option<f64> {
        let numbers = self.column(name).as_primitive::<Float64Type>();
        numbers.is_valid(self.1).then(|| numbers.value(self.1))
    }

    fn bool(&self, name: &str) -> bool {
        self.column(name).as_boolean().value(self.1)
    }

    fn attributes(&self, name: &str) -> Attributes {
        storage::attrs::parse_object(&self.text(name).expect("never null")).expect("typed JSON text")
    }
}

fn attributes(pairs: &[KeyValue]) -> Attributes {
    pairs.iter().map(|pair| (pair.key.clone(), value(pair.value.as_ref()))).collect()
}

fn value(given: Option<&AnyValue>) -> Value {
    use any_value::Value as Sent;
    match given.and_then(|given| given.value.as_ref()) {
        None | Some(Sent::StringValueStrindex(_)) => Value::Null,
        Some(Sent::StringValue(text)) => Value::String(text.clone()),
        Some(Sent::BoolValue(yes)) => Value::Bool(*yes),
        Some(Sent::IntValue(number)) => Value::Int(*number),
        Some(Sent::DoubleValue(number)) => Value::Double(*number),
        Some(Sent::BytesValue(bytes)) => Value::Bytes(bytes.clone()),
        Some(Sent::ArrayValue(list)) => Value::Array(list.values.iter().map(|item| value(Some(item))).collect()),
        Some(Sent::KvlistValue(list)) => Value::Map(attributes(&list.values)),
    }
}

fn sent(value: any_value::Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text_attribute(key: &str, text: &str) -> KeyValue {
    KeyValue { key: key.into(), value: Some(sent(any_value::Value::StringValue(text.into()))), ..KeyValue::default() }
}
