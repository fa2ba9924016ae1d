//! Jaeger v1: the envelope of every answer, and traces. Times and durations in µs.

use serde::{Deserialize, Serialize};

mod tag;

pub use tag::{KeyValue, TagValue};

/// `{"data":…,"total":0,"limit":0,"offset":0,"errors":null}`, around every answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// `null` where there are errors only.
    pub data: Option<T>,
    #[serde(default)]
    pub total: usize,
    #[serde(default)]
    pub limit: usize,
    #[serde(default)]
    pub offset: usize,
    pub errors: Option<Vec<Error>>,
}

impl<T> Envelope<T> {
    /// An answer; `total` is 0 for traces and the number of entries for lists of names.
    pub fn new(data: T, total: usize) -> Self {
        Self { data: Some(data), total, limit: 0, offset: 0, errors: None }
    }

    /// An answer that is one error.
    pub fn error(code: u16, msg: impl Into<String>) -> Self {
        let error = Error { code: Some(code), msg: msg.into(), trace_id: None };
        Self { data: None, total: 0, limit: 0, offset: 0, errors: Some(vec![error]) }
    }
}

/// An entry of an envelope's `errors`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    pub msg: String,
    /// The trace that was asked for, in hex.
    #[serde(rename = "traceID", default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(deserialize_with = "null_as_default")]
    pub spans: Vec<Span>,
    /// By [`Span::process_id`].
    #[serde(default, deserialize_with = "null_as_default")]
    pub processes: Processes,
    #[serde(default)]
    pub warnings: Option<Vec<String>>,
}

/// Processes by id; a sorted map, so that the same trace is always the same text.
pub type Processes = std::collections::BTreeMap<String, Process>;

/// A span; ids in hex, times in µs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    pub span_id: String,
    /// Old files name the parent here and not in `references`; never written by Clew.
    #[serde(rename = "parentSpanID", default, skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// Bit 0: sampled. Left out where 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flags: u32,
    pub operation_name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub references: Vec<Reference>,
    /// µs since the epoch.
    pub start_time: u64,
    /// µs.
    pub duration: u64,
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<KeyValue>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub logs: Vec<Log>,
    #[serde(rename = "processID", default)]
    pub process_id: String,
    /// In place of `processID` in files that carry no table of processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    #[serde(default)]
    pub warnings: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    pub ref_type: RefType,
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    pub span_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefType {
    ChildOf,
    FollowsFrom,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// µs since the epoch.
    pub timestamp: u64,
    #[serde(default, deserialize_with = "null_as_default")]
    pub fields: Vec<KeyValue>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    pub service_name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<KeyValue>,
}

/// An operation of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub name: String,
    /// `server`, `client`, `producer`, `consumer`, `internal`, or empty.
    pub span_kind: String,
}

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    pub parent: String,
    pub child: String,
    pub call_count: u64,
}

fn is_zero(flags: &u32) -> bool {
    *flags == 0
}

/// Go writes an empty list or map as `null`.
fn null_as_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
