//! Answers to an OTLP sender: export responses and `google.rpc.Status`, in protobuf and JSON.

use std::time::Duration;

use prost::Message as _;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::otlp::messages::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use crate::otlp::messages::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use crate::otlp::messages::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};

/// What a request names its tenant with: a header of HTTP, metadata of gRPC. The name is Loki's, Tempo's and
/// Mimir's, so that what sends to them can send here.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// The outcome of an export request that was not refused as a whole.
///
/// Nothing rejected and no message is full success, for which `partial_success` stays unset. A message
/// with nothing rejected is a warning (OTLP specification, "Partial Success").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Spans, log records or data points that were not accepted.
    pub rejected: u64,
    /// Why, in English.
    pub message: String,
}

impl Outcome {
    pub fn is_full_success(&self) -> bool {
        self.rejected == 0 && self.message.is_empty()
    }

    /// The `Export…ServiceResponse` of `signal` in protobuf; no bytes at all for full success.
    pub fn to_protobuf(&self, signal: Signal) -> Vec<u8> {
        match signal {
            Signal::Traces => ExportTraceServiceResponse::from(self).encode_to_vec(),
            Signal::Logs => ExportLogsServiceResponse::from(self).encode_to_vec(),
            Signal::Metrics => ExportMetricsServiceResponse::from(self).encode_to_vec(),
        }
    }

    /// The `Export…ServiceResponse` of `signal` in JSON; `{}` for full success.
    pub fn to_json(&self, signal: Signal) -> String {
        if self.is_full_success() {
            return "{}".into();
        }
        let rejected = match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
            Signal::Metrics => "rejectedDataPoints",
        };
        let mut partial = serde_json::Map::new();
        if self.rejected > 0 {
            partial.insert(rejected.into(), self.rejected.to_string().into());
        }
        if !self.message.is_empty() {
            partial.insert("errorMessage".into(), self.message.as_str().into());
        }
        serde_json::json!({ "partialSuccess": partial }).to_string()
    }

    fn count(&self) -> i64 {
        i64::try_from(self.rejected).unwrap_or(i64::MAX)
    }
}

impl From<&Outcome> for ExportTraceServiceResponse {
    fn from(outcome: &Outcome) -> Self {
        let partial =
            || ExportTracePartialSuccess { rejected_spans: outcome.count(), error_message: outcome.message.clone() };
        Self { partial_success: (!outcome.is_full_success()).then(partial) }
    }
}

impl From<&Outcome> for ExportLogsServiceResponse {
    fn from(outcome: &Outcome) -> Self {
        let partial = || ExportLogsPartialSuccess {
            rejected_log_records: outcome.count(),
            error_message: outcome.message.clone(),
        };
        Self { partial_success: (!outcome.is_full_success()).then(partial) }
    }
}

impl From<&Outcome> for ExportMetricsServiceResponse {
    fn from(outcome: &Outcome) -> Self {
        let partial = || ExportMetricsPartialSuccess {
            rejected_data_points: outcome.count(),
            error_message: outcome.message.clone(),
        };
        Self { partial_success: (!outcome.is_full_success()).then(partial) }
    }
}

/// `google.rpc.Status`: why a request was refused. [`Serialize`] is its JSON form.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Status {
    /// A gRPC code, see [`Code`].
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For the developer who reads it, in English.
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

pub use tonic::Code;

/// `google.protobuf.Any`: a message of any type.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.rpc.RetryInfo`: when to try again.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Delay {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl Status {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details: Vec::new() }
    }

    /// Adds a `RetryInfo`: the sender may send the same request again after `delay`.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        let seconds = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(delay.subsec_nanos()).unwrap_or(0);
        let info = RetryInfo { retry_delay: Some(Delay { seconds, nanos }) };
        self.details.push(Any { type_url: RETRY_INFO.into(), value: info.encode_to_vec() });
        self
    }

    /// The delay of the `RetryInfo`, if there is one that can be read.
    pub fn retry_delay(&self) -> Option<Duration> {
        let delay = self.details.iter().find_map(Any::retry_info)?.retry_delay.unwrap_or_default();
        Some(Duration::new(delay.seconds.try_into().ok()?, delay.nanos.try_into().ok()?))
    }

    pub fn to_protobuf(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// For gRPC: code and message in the trailers, and the whole in `grpc-status-details-bin` if it has details.
impl From<&Status> for tonic::Status {
    fn from(status: &Status) -> Self {
        let code = Code::from_i32(status.code);
        if status.details.is_empty() {
            Self::new(code, &status.message)
        } else {
            Self::with_details(code, &status.message, status.to_protobuf().into())
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Status", 3)?;
        object.serialize_field("code", &self.code)?;
        object.serialize_field("message", &self.message)?;
        if self.details.is_empty() {
            object.skip_field("details")?;
        } else {
            object.serialize_field("details", &self.details)?;
        }
        object.end()
    }
}

impl Any {
    fn retry_info(&self) -> Option<RetryInfo> {
        if self.type_url != RETRY_INFO {
            return None;
        }
        RetryInfo::decode(self.value.as_slice()).ok()
    }
}

/// A `RetryInfo` in the JSON form of `Any`; of another type only the name, as its fields are unknown here.
impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Any", 2)?;
        object.serialize_field("@type", &self.type_url)?;
        match self.retry_info().and_then(|info| info.retry_delay) {
            Some(Delay { seconds, nanos: 0 }) => object.serialize_field("retryDelay", &format!("{seconds}s"))?,
            Some(Delay { seconds, nanos }) => {
                object.serialize_field("retryDelay", &format!("{seconds}.{nanos:09}s"))?
            }
            None => object.skip_field("retryDelay")?,
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_success_is_an_empty_message() {
        for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
            assert_eq!(Outcome::default().to_protobuf(signal), b"");
            assert_eq!(Outcome::default().to_json(signal), "{}");
        }
    }

    #[test]
    fn partial_success_names_the_count_of_its_signal() {
        let outcome = Outcome { rejected: 3, message: "bad \"id\"".into() };
        assert_eq!(
            outcome.to_json(Signal::Traces),
            r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"bad \"id\""}}"#
        );
        assert!(outcome.to_json(Signal::Logs).contains(r#""rejectedLogRecords":"3""#));
        assert!(outcome.to_json(Signal::Metrics).contains(r#""rejectedDataPoints":"3""#));
        let read = ExportLogsServiceResponse::decode(&*outcome.to_protobuf(Signal::Logs)).expect("valid");
        assert_eq!(read.partial_success.map(|partial| partial.rejected_log_records), Some(3));
        let warning = Outcome { rejected: 0, message: "slow down".into() };
        assert_eq!(warning.to_json(Signal::Traces), r#"{"partialSuccess":{"errorMessage":"slow down"}}"#);
    }

    #[test]
    fn status_in_protobuf_and_json() {
        let status = Status::new(Code::InvalidArgument, "no");
        assert_eq!(status.to_protobuf(), b"\x08\x03\x12\x02no");
        assert_eq!(status.to_json(), r#"{"code":3,"message":"no"}"#);
        assert_eq!(status.retry_delay(), None);
    }

    #[test]
    fn retry_info_survives_protobuf_grpc_and_json() {
        let delay = Duration::from_millis(13_500);
        let status = Status::new(Code::ResourceExhausted, "busy").retry_after(delay);
        let read = Status::decode(&*status.to_protobuf()).expect("valid");
        assert_eq!(read.retry_delay(), Some(delay));
        let grpc = tonic::Status::from(&status);
        assert_eq!((grpc.code(), grpc.message()), (Code::ResourceExhausted, "busy"));
        assert_eq!(Status::decode(grpc.details()).expect("valid"), status);
        assert_eq!(
            status.to_json(),
            r#"{"code":8,"message":"busy","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"13.500000000s"}]}"#
        );
        let whole = Status::new(Code::Unavailable, "").retry_after(Duration::from_secs(13));
        assert!(whole.to_json().contains(r#""retryDelay":"13s""#));
    }
}
