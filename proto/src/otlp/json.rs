//! OTLP/JSON requests turned into OTLP protobuf, so that one path reads both.
//!
//! The rules are protobuf's JSON mapping with OTLP's exceptions (OTLP specification, "JSON Protobuf
//! Encoding"): ids are hex, enumerations are numbers. What is lenient, and what is not:
//!
//! * Keys are lowerCamelCase; snake_case is read too, unknown keys are ignored, `null` means absent.
//! * A key or a `oneof` that is set twice is an error: nothing is chosen in silence.
//! * Integers are numbers or decimal strings, and numbers with a fraction of zero; out of range is an error.
//! * Enumerations are numbers, known or not, or the names of the specification; another name is an error.
//! * Ids are hex in any case and of any length: one of the wrong length goes on as bytes, and costs its
//!   span only; one that is not hex fails the request.
//! * Bytes are base64 of either alphabet, padded or not.
//! * Nesting is bounded by `serde_json` (128 levels of JSON, about 40 of values).
//!
//! The output is at most five times as long as the input (packed doubles written as `1,`).

mod number;
mod shape;
mod transcode;

use shape::Shape;

/// A body that is not the OTLP/JSON request it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", PathPrefix(path))]
pub struct JsonError {
    /// Where, as in `resourceSpans[0].scopeSpans[0].spans[3].traceId`; empty for the body itself.
    pub path: String,
    /// What is wrong, with line and column.
    pub message: String,
}

struct PathPrefix<'a>(&'a str);

impl std::fmt::Display for PathPrefix<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

/// An `ExportTraceServiceRequest` (or `TracesData`) in JSON, as protobuf.
pub fn traces_to_protobuf(body: &[u8]) -> Result<Vec<u8>, JsonError> {
    to_protobuf(&shape::TRACES, body)
}

/// An `ExportLogsServiceRequest` (or `LogsData`) in JSON, as protobuf.
pub fn logs_to_protobuf(body: &[u8]) -> Result<Vec<u8>, JsonError> {
    to_protobuf(&shape::LOGS, body)
}

/// An `ExportMetricsServiceRequest` (or `MetricsData`) in JSON, as protobuf.
pub fn metrics_to_protobuf(body: &[u8]) -> Result<Vec<u8>, JsonError> {
    to_protobuf(&shape::METRICS, body)
}

fn to_protobuf(shape: &'static Shape, body: &[u8]) -> Result<Vec<u8>, JsonError> {
    transcode::transcode(shape, body)
}

#[cfg(test)]
mod tests;
