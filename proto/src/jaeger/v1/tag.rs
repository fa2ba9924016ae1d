//! Tags: `{"key":…,"type":"int64","value":…}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

/// A tag of a span or process, or a field of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyValue {
    pub key: String,
    pub value: TagValue,
}

/// The value of a tag, with Jaeger's types.
#[derive(Clone, Debug, PartialEq)]
pub enum TagValue {
    String(String),
    Bool(bool),
    Int64(i64),
    Float64(f64),
    Binary(Vec<u8>),
}

/// The largest integer that every JavaScript reader keeps exact, 2^53 - 1: a larger one is a string.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

impl Serialize for KeyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("KeyValue", 3)?;
        object.serialize_field("key", &self.key)?;
        object.serialize_field("type", self.value.type_name())?;
        match &self.value {
            TagValue::String(text) => object.serialize_field("value", text)?,
            TagValue::Bool(value) => object.serialize_field("value", value)?,
            TagValue::Int64(value) if value.unsigned_abs() <= MAX_SAFE_INTEGER => {
                object.serialize_field("value", value)?
            }
            TagValue::Int64(value) => object.serialize_field("value", &value.to_string())?,
            TagValue::Float64(value) if value.is_finite() => object.serialize_field("value", value)?,
            TagValue::Float64(value) => object.serialize_field("value", &value.to_string())?,
            TagValue::Binary(bytes) => object.serialize_field("value", &STANDARD.encode(bytes))?,
        }
        object.end()
    }
}

impl TagValue {
    /// `string`, `bool`, `int64`, `float64` or `binary`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Bool(_) => "bool",
            Self::Int64(_) => "int64",
            Self::Float64(_) => "float64",
            Self::Binary(_) => "binary",
        }
    }

    /// Reads `value` as `type_name` says; without a type, as what it is in JSON.
    fn read(type_name: Option<&str>, value: Value) -> Option<Self> {
        match (type_name, value) {
            (Some("string") | None, Value::String(text)) => Some(Self::String(text)),
            (Some("bool") | None, Value::Bool(value)) => Some(Self::Bool(value)),
            (Some("bool"), Value::String(text)) => text.parse().ok().map(Self::Bool),
            (Some("int64"), Value::Number(number)) => number.as_i64().map(Self::Int64),
            (Some("int64"), Value::String(text)) => text.parse().ok().map(Self::Int64),
            (Some("float64"), Value::Number(number)) => number.as_f64().map(Self::Float64),
            (Some("float64"), Value::String(text)) => text.parse().ok().map(Self::Float64),
            (Some("binary"), Value::String(text)) => STANDARD.decode(text).ok().map(Self::Binary),
            (None, Value::Number(number)) => match number.as_i64() {
                Some(value) => Some(Self::Int64(value)),
                None => number.as_f64().map(Self::Float64),
            },
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for KeyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Raw {
            key: String,
            #[serde(rename = "type")]
            type_name: Option<String>,
            value: Value,
        }
        let Raw { key, type_name, value } = Raw::deserialize(deserializer)?;
        let shown = type_name.as_deref().unwrap_or("any");
        let bad = D::Error::custom(format_args!("tag {key:?}: the value is not of type {shown}"));
        let value = TagValue::read(type_name.as_deref(), value).ok_or(bad)?;
        Ok(Self { key, value })
    }
}
