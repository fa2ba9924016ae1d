//! OTLP/JSON answers: `TracesData` as Jaeger v3 and Tempo send it.
//!
//! To be filled and serialised. Ids are lower-case hex, 64-bit integers are strings, enumerations are
//! numbers, and what is empty or 0 is left out, as protobuf's JSON mapping does; only `resource` and
//! `scope` are there even when empty, as in Jaeger's own answers. [`super::json`] reads it back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

/// Jaeger v3's envelope of one or more traces: `{"result":{"resourceSpans":[…]}}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TracesResult {
    pub result: TracesData,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TracesData {
    pub resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpans {
    pub resource: Resource,
    pub scope_spans: Vec<ScopeSpans>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema_url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<KeyValue>,
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopeSpans {
    pub scope: Scope,
    pub spans: Vec<Span>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema_url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<KeyValue>,
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

/// Times in ns since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    #[serde(skip_serializing_if = "Hex::is_empty")]
    pub trace_id: Hex,
    #[serde(skip_serializing_if = "Hex::is_empty")]
    pub span_id: Hex,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    #[serde(skip_serializing_if = "Hex::is_empty")]
    pub parent_span_id: Hex,
    #[serde(skip_serializing_if = "is_zero")]
    pub flags: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `SpanKind`.
    #[serde(skip_serializing_if = "is_unset")]
    pub kind: i32,
    #[serde(skip_serializing_if = "is_never", serialize_with = "as_string")]
    pub start_time_unix_nano: u64,
    #[serde(skip_serializing_if = "is_never", serialize_with = "as_string")]
    pub end_time_unix_nano: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<KeyValue>,
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_events_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_links_count: u32,
    #[serde(skip_serializing_if = "Status::is_unset")]
    pub status: Status,
}

/// Time in ns since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[serde(skip_serializing_if = "is_never", serialize_with = "as_string")]
    pub time_unix_nano: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<KeyValue>,
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    #[serde(skip_serializing_if = "Hex::is_empty")]
    pub trace_id: Hex,
    #[serde(skip_serializing_if = "Hex::is_empty")]
    pub span_id: Hex,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<KeyValue>,
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub flags: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// `StatusCode`.
    #[serde(skip_serializing_if = "is_unset")]
    pub code: i32,
}

impl Status {
    fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct KeyValue {
    pub key: String,
    pub value: AnyValue,
}

/// A value with its OTLP type; an empty one is `{}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AnyValue {
    #[default]
    Empty,
    String(String),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(Vec<AnyValue>),
    KvList(Vec<KeyValue>),
    Bytes(Vec<u8>),
}

impl Serialize for AnyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(usize::from(*self != Self::Empty)))?;
        match self {
            Self::Empty => {}
            Self::String(text) => map.serialize_entry("stringValue", text)?,
            Self::Bool(value) => map.serialize_entry("boolValue", value)?,
            Self::Int(value) => map.serialize_entry("intValue", &value.to_string())?,
            Self::Double(value) => map.serialize_entry("doubleValue", &Number(*value))?,
            Self::Array(values) => map.serialize_entry("arrayValue", &List(values))?,
            Self::KvList(values) => map.serialize_entry("kvlistValue", &List(values))?,
            Self::Bytes(bytes) => map.serialize_entry("bytesValue", &STANDARD.encode(bytes))?,
        }
        map.end()
    }
}

/// `ArrayValue` and `KeyValueList`.
struct List<'a, T>(&'a [T]);

impl<T: Serialize> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_struct("List", 1)?;
        list.serialize_field("values", self.0)?;
        list.end()
    }
}

/// A double, with the names JSON has no numbers for.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value if value > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

/// An id, written as lower-case hex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl Hex {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Hex {
    fn from(id: &[u8]) -> Self {
        Self(id.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Hex {
    fn from(id: [u8; N]) -> Self {
        Self(id.to_vec())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

fn as_string<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn is_unset(number: &i32) -> bool {
    *number == 0
}

fn is_never(time: &u64) -> bool {
    *time == 0
}

#[cfg(test)]
mod tests;
