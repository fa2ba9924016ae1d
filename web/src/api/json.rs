//! JSON forms that several answers share: times, ids, attributes, resources, notes.

use query::model;
use serde::ser::{Serialize, SerializeMap, Serializer};
use storage::attrs::Value;
use storage::ids::{RowId, SpanId, TraceId};
use utoipa::ToSchema;

/// ns since the epoch as a decimal string: a JSON number would lose digits in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, example = "1700000000000000000")]
pub(crate) struct Ns(pub(crate) u64);

impl Serialize for Ns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The whole minutes that are counted.
#[derive(Clone, Copy, serde::Serialize, ToSchema)]
pub(crate) struct Window {
    pub(crate) from_ns: Ns,
    /// Exclusive.
    pub(crate) to_ns: Ns,
}

impl From<query::Range> for Window {
    fn from(range: query::Range) -> Self {
        Self { from_ns: Ns(range.from as u64), to_ns: Ns(range.to as u64) }
    }
}

/// An id in lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, example = "00f067aa0ba902b7")]
pub(crate) struct Hex(Id);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    Trace(TraceId),
    Span(SpanId),
    Row(RowId),
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Id::Trace(id) => serializer.collect_str(id),
            Id::Span(id) => serializer.collect_str(id),
            Id::Row(id) => serializer.collect_str(id),
        }
    }
}

impl From<TraceId> for Hex {
    fn from(id: TraceId) -> Self {
        Hex(Id::Trace(id))
    }
}

impl From<SpanId> for Hex {
    fn from(id: SpanId) -> Self {
        Hex(Id::Span(id))
    }
}

impl From<RowId> for Hex {
    fn from(id: RowId) -> Self {
        Hex(Id::Row(id))
    }
}

/// Bytes of any length in hex.
pub(crate) struct HexBytes<'a>(pub(crate) &'a [u8]);

impl Serialize for HexBytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

/// An attribute with the type it was sent with. `value`: int as a decimal string; double as a number,
/// or "NaN", "Infinity", "-Infinity"; bytes as base64; array as a list of `{type, value}`; map as a
/// list of attributes; empty as null.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what Attrs writes")]
pub(crate) struct Attribute {
    key: String,
    #[schema(rename = "type")]
    kind: ValueType,
    value: serde_json::Value,
}

/// A value with its type; see Attribute.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what Typed writes")]
pub(crate) struct TypedValue {
    #[schema(rename = "type")]
    kind: ValueType,
    value: serde_json::Value,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what type_name gives")]
pub(crate) enum ValueType {
    Empty,
    Bool,
    Int,
    Double,
    String,
    Bytes,
    Array,
    Map,
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Double(_) => "double",
        Value::String(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::Array(_) => "array",
        Value::Map(_) => "map",
    }
}

/// An attribute list, in the order sent.
#[derive(Clone, Copy)]
pub(crate) struct Attrs<'a>(pub(crate) &'a [(String, Value)]);

impl Serialize for Attrs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(key, value)| Pair { key, value }))
    }
}

struct Pair<'a> {
    key: &'a str,
    value: &'a Value,
}

impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("key", self.key)?;
        map.serialize_entry("type", type_name(self.value))?;
        map.serialize_entry("value", &Held(self.value))?;
        map.end()
    }
}

/// `{"type","value"}`.
pub(crate) struct Typed<'a>(pub(crate) &'a Value);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", type_name(self.0))?;
        map.serialize_entry("value", &Held(self.0))?;
        map.end()
    }
}

struct Held<'a>(&'a Value);

impl Serialize for Held<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.collect_str(value),
            Value::Double(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::Double(value) => serializer.serialize_str(non_finite(*value)),
            Value::String(value) => serializer.serialize_str(value),
            Value::Bytes(value) => serializer.serialize_str(&base64(value)),
            Value::Array(values) => serializer.collect_seq(values.iter().map(Typed)),
            Value::Map(pairs) => Attrs(pairs).serialize(serializer),
        }
    }
}

pub(crate) fn non_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Where a span or a log record came from.
#[derive(serde::Serialize, ToSchema)]
pub(crate) struct Resource<'a> {
    #[schema(value_type = Vec<Attribute>)]
    attributes: Attrs<'a>,
    schema_url: &'a str,
    dropped_attributes: u32,
}

impl<'a> From<&'a model::Resource> for Resource<'a> {
    fn from(resource: &'a model::Resource) -> Self {
        Self {
            attributes: Attrs(&resource.attributes),
            schema_url: &resource.schema_url,
            dropped_attributes: resource.dropped_attributes,
        }
    }
}

/// The instrumentation scope.
#[derive(serde::Serialize, ToSchema)]
pub(crate) struct Scope<'a> {
    name: &'a str,
    version: &'a str,
    #[schema(value_type = Vec<Attribute>)]
    attributes: Attrs<'a>,
    schema_url: &'a str,
    dropped_attributes: u32,
}

impl<'a> From<&'a model::Scope> for Scope<'a> {
    fn from(scope: &'a model::Scope) -> Self {
        Self {
            name: &scope.name,
            version: &scope.version,
            attributes: Attrs(&scope.attributes),
            schema_url: &scope.schema_url,
            dropped_attributes: scope.dropped_attributes,
        }
    }
}

/// What keeps an answer from being whole.
#[derive(Clone, Debug, Default, serde::Serialize, ToSchema)]
pub(crate) struct Notes {
    /// Parts that could not be read, or limits that cut the answer; one sentence each.
    warnings: Vec<String>,
    rows_read: u64,
    /// Whether the newest span of a trace arrived less than 30 s ago.
    maybe_incomplete: bool,
}

impl From<model::Notes> for Notes {
    fn from(notes: model::Notes) -> Self {
        Self { warnings: notes.warnings, rows_read: notes.rows_read, maybe_incomplete: notes.maybe_incomplete }
    }
}

#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub(crate) struct ServiceCount {
    pub(crate) name: String,
    pub(crate) span_count: u64,
    pub(crate) error_count: u64,
}

impl From<model::ServiceCount> for ServiceCount {
    fn from(count: model::ServiceCount) -> Self {
        Self { name: count.name, span_count: count.span_count, error_count: count.error_count }
    }
}

/// Names of OTLP's SpanKind, by number.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what kind_name gives")]
pub(crate) enum SpanKind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

pub(crate) fn kind_name(kind: i32) -> &'static str {
    match kind {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unspecified",
    }
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what status_name gives")]
pub(crate) enum SpanStatus {
    Unset,
    Ok,
    Error,
}

pub(crate) fn status_name(code: i32) -> &'static str {
    match code {
        1 => "ok",
        2 => "error",
        _ => "unset",
    }
}

/// unspecified, trace, debug, info, warn, error or fatal.
pub(crate) fn severity_name(number: i32) -> &'static str {
    match storage::terms::severity_name(number) {
        "unset" => "unspecified",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_value_has_its_form() {
        let attributes = vec![
            ("s".to_owned(), Value::String("线索\"".to_owned())),
            ("i".to_owned(), Value::Int(i64::MIN)),
            ("d".to_owned(), Value::Double(1.0)),
            ("n".to_owned(), Value::Double(f64::NEG_INFINITY)),
            ("b".to_owned(), Value::Bytes(vec![0, 255])),
            ("e".to_owned(), Value::Null),
            ("a".to_owned(), Value::Array(vec![Value::Bool(true), Value::Map(vec![("k".to_owned(), Value::Int(1))])])),
        ];
        let json = serde_json::to_string(&Attrs(&attributes)).expect("it serialises");
        assert_eq!(
            json,
            r#"[{"key":"s","type":"string","value":"线索\""},{"key":"i","type":"int","value":"-9223372036854775808"},{"key":"d","type":"double","value":1.0},{"key":"n","type":"double","value":"-Infinity"},{"key":"b","type":"bytes","value":"AP8="},{"key":"e","type":"empty","value":null},{"key":"a","type":"array","value":[{"type":"bool","value":true},{"type":"map","value":[{"key":"k","type":"int","value":"1"}]}]}]"#
        );
        assert_eq!(serde_json::to_string(&Ns(u64::MAX)).expect("it serialises"), "\"18446744073709551615\"");
    }
}
