//! Sends OTLP requests over HTTP, as an exporter does: compressed, and again when told to wait.

use std::io::Write;
use std::time::Duration;

use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::prost::Message;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};

use crate::Failure;

/// Attempts before a request is given up.
const ATTEMPTS: u32 = 8;
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A connection to an OTLP/HTTP endpoint.
pub struct Sender {
    client: reqwest::Client,
    endpoint: String,
}

/// What became of a request that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes on the wire.
    pub bytes: u64,
    /// What the receiver said of rows that it did not take.
    pub rejected: Option<String>,
}

impl Sender {
    /// `endpoint` is the base URL, such as `http://127.0.0.1:4318`.
    pub fn new(endpoint: &str) -> Result<Self, Failure> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("http://") {
            return Err(Failure::Usage(format!("`{endpoint}` is no http:// address")));
        }
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().map_err(Failure::failed)?;
        Ok(Self { client, endpoint })
    }

    pub async fn traces(&self, request: &ExportTraceServiceRequest) -> Result<Sent, Failure> {
        self.protobuf("traces", request.encode_to_vec()).await
    }

    pub async fn logs(&self, request: &ExportLogsServiceRequest) -> Result<Sent, Failure> {
        self.protobuf("logs", request.encode_to_vec()).await
    }

    /// `signal` is `traces`, `logs` or `metrics`.
    pub async fn protobuf(&self, signal: &str, body: Vec<u8>) -> Result<Sent, Failure> {
        self.post(signal, "application/x-protobuf", body).await
    }

    pub async fn json(&self, signal: &str, body: Vec<u8>) -> Result<Sent, Failure> {
        self.post(signal, "application/json", body).await
    }

    /// Retries what OTLP says may be retried (429, 502, 503, 504, and no answer), with the wait that the
    /// receiver asks for.
    async fn post(&self, signal: &str, content_type: &str, body: Vec<u8>) -> Result<Sent, Failure> {
        let url = format!("{}/v1/{signal}", self.endpoint);
        let body = bytes::Bytes::from(gzip(&body).map_err(Failure::failed)?);
        let mut problem = String::new();
        for attempt in 0..ATTEMPTS {
            let request = self
                .client
                .post(&url)
                .header(CONTENT_TYPE, content_type)
                .header(CONTENT_ENCODING, "gzip")
                .body(body.clone());
            let mut wait = Duration::from_millis(200 << attempt.min(6));
            match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    let bytes = body.len() as u64;
                    let answer = answer.bytes().await.map_err(Failure::failed)?;
                    return Ok(Sent { bytes, rejected: rejection(content_type, &answer) });
                }
                Ok(answer) if retryable(answer.status()) => {
                    problem = format!("{url}: {}", answer.status());
                    if let Some(asked) = retry_after(&answer) {
                        wait = asked;
                    }
                }
                Ok(answer) => {
                    let status = answer.status();
                    let text = answer.text().await.unwrap_or_default();
                    return Err(Failure::failed(format!("{url}: {status} {}", text.trim())));
                }
                Err(error) => problem = format!("{url}: {error}"),
            }
            tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
        }
        Err(Failure::Failed(problem))
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// The message of a partial success. The three signals share its shape: field 1 holds a count and a text.
fn rejection(content_type: &str, answer: &[u8]) -> Option<String> {
    use proto::otlp::messages::collector::trace::v1::ExportTraceServiceResponse;
    if content_type == "application/json" {
        let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
        return Some(answer.get("partialSuccess")?.get("errorMessage")?.as_str()?.to_owned()).filter(|m| !m.is_empty());
    }
    let partial = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
    (partial.rejected_spans > 0).then_some(partial.error_message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_is_read_in_both_forms() {
        let json = br#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"bad id"}}"#;
        assert_eq!(rejection("application/json", json), Some("bad id".to_owned()));
        assert_eq!(rejection("application/json", b"{}"), None);
        assert_eq!(rejection("application/x-protobuf", b""), None);
        assert_eq!(rejection("application/x-protobuf", b"\x0a\x0a\x08\x01\x12\x06bad id"), Some("bad id".to_owned()));
    }

    #[test]
    fn only_http_endpoints_are_taken() {
        assert!(Sender::new("127.0.0.1:4318").is_err());
        assert!(Sender::new("http://127.0.0.1:4318/").is_ok());
    }
}
