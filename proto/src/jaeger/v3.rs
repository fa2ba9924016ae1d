//! Jaeger v3: summaries, names and errors. Traces are [`crate::otlp::traces::TracesResult`].

use serde::{Deserialize, Serialize, Serializer};

/// `{"summaries":[…]}`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summaries {
    pub summaries: Vec<TraceSummary>,
}

/// A trace in a list; times in ns since the epoch, as strings in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceSummary {
    /// 32 hex digits.
    pub trace_id: String,
    pub root_service_name: String,
    pub root_operation_name: String,
    #[serde(serialize_with = "as_string")]
    pub min_start_time_unix_nano: u64,
    #[serde(serialize_with = "as_string")]
    pub max_end_time_unix_nano: u64,
    pub span_count: u64,
    pub error_span_count: u64,
    /// Spans whose parent is not in the trace.
    pub orphan_span_count: u64,
    /// By name.
    pub services: Vec<ServiceSummary>,
}

/// The part of one service in a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSummary {
    pub name: String,
    pub span_count: u64,
    pub error_span_count: u64,
}

/// `{"services":[…]}`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Services {
    pub services: Vec<String>,
}

/// `{"operations":[{"name":…,"spanKind":…}]}`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Operations {
    pub operations: Vec<super::v1::Operation>,
}

/// `{"error":{"httpCode":404,"message":…}}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    pub error: Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Error {
    pub http_code: u16,
    pub message: String,
}

impl ErrorAnswer {
    pub fn new(http_code: u16, message: impl Into<String>) -> Self {
        Self { error: Error { http_code, message: message.into() } }
    }
}

fn as_string<S: Serializer>(time: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_written_as_jaeger_does() {
        let summary = TraceSummary {
            trace_id: "00000000000000000000000000000001".into(),
            root_service_name: "frontend".into(),
            root_operation_name: "GET /".into(),
            min_start_time_unix_nano: 1_000_000_000_000,
            max_end_time_unix_nano: 1_001_000_000_000,
            span_count: 2,
            error_span_count: 1,
            orphan_span_count: 0,
            services: vec![ServiceSummary { name: "frontend".into(), span_count: 2, error_span_count: 1 }],
        };
        let expected = serde_json::json!({"summaries": [{
            "traceId": "00000000000000000000000000000001", "rootServiceName": "frontend", "rootOperationName": "GET /",
            "minStartTimeUnixNano": "1000000000000", "maxEndTimeUnixNano": "1001000000000",
            "spanCount": 2, "errorSpanCount": 1, "orphanSpanCount": 0,
            "services": [{"name": "frontend", "spanCount": 2, "errorSpanCount": 1}],
        }]});
        assert_eq!(serde_json::json!(Summaries { summaries: vec![summary] }), expected);
    }

    #[test]
    fn errors_are_written_as_jaeger_does() {
        let answer = serde_json::json!(ErrorAnswer::new(404, "trace not found"));
        assert_eq!(answer, serde_json::json!({"error": {"httpCode": 404, "message": "trace not found"}}));
    }
}
