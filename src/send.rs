//! Sends OTLP requests over HTTP, as an exporter does: compressed, and again when told to wait.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use proto::Message;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceResponse;
use proto::rpc::{Signal, TENANT_HEADER};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use storage::tenant::TenantId;

use crate::Failure;

/// Attempts before a request is given up.
const ATTEMPTS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A connection to an OTLP/HTTP endpoint; clones share it.
#[derive(Clone)]
pub(crate) struct Sender {
    client: reqwest::Client,
    endpoint: String,
    tenant: TenantId,
}

/// What became of a request that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Rows that the receiver did not take.
    pub(crate) rejected: u64,
    /// What it said of them; also a warning where it took all.
    pub(crate) message: String,
}

impl Sender {
    /// `endpoint` is the base URL, such as `http://127.0.0.1:4318`. The default tenant is not named.
    pub(crate) fn new(endpoint: &str, tenant: TenantId) -> Result<Self, Failure> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("http://") {
            return Err(Failure::Usage(format!("`{endpoint}` is no http:// address")));
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // What is sent to a local collector is nobody else's concern.
            .no_proxy()
            .build()
            .map_err(Failure::failed)?;
        Ok(Self { client, endpoint, tenant })
    }

    /// Asks once whether OTLP/HTTP is spoken there, by an empty request. The error says how to start it.
    pub(crate) async fn probe(&self) -> Result<(), Failure> {
        let hint = "start it with `clew serve` (OTLP/HTTP listens on 127.0.0.1:4318), or name another with --endpoint";
        match self.request(&self.url(Signal::Traces)).body(Bytes::new()).send().await {
            Ok(answer) if answer.status().is_success() || retryable(answer.status()) => Ok(()),
            Ok(answer) if answer.status() == StatusCode::FORBIDDEN => Err(Failure::failed(format!(
                "{} takes nothing of the tenant `{}`: is it declared?",
                self.endpoint, self.tenant
            ))),
            Ok(answer) => Err(Failure::failed(format!(
                "{} answers {} to OTLP: is that clew? {hint}",
                self.endpoint,
                answer.status()
            ))),
            Err(error) => {
                Err(Failure::failed(format!("nothing answers at {} ({}): {hint}", self.endpoint, cause(&error))))
            }
        }
    }

    /// Sends the protobuf of an export request. Retries what OTLP says may be retried (429, 502, 503, 504,
    /// and no answer), with the wait that the receiver asks for.
    pub(crate) async fn send(&self, signal: Signal, request: &[u8]) -> Result<Sent, Failure> {
        let url = self.url(signal);
        let body = Bytes::from(gzip(request).map_err(Failure::failed)?);
        let mut problem = String::new();
        let mut wait = Duration::ZERO;
        for attempt in 0..ATTEMPTS {
            tokio::time::sleep(wait).await;
            wait = FIRST_WAIT * (1 << attempt);
            match self.attempt(&url, body.clone()).await {
                Ok(answer) if answer.status().is_success() => {
                    let sent = answer.bytes().await.map_err(Failure::failed)?;
                    return read_answer(&sent).map_err(|error| Failure::failed(format!("{url}: {error}")));
                }
                Ok(answer) if retryable(answer.status()) => {
                    problem = format!("{url}: {} after {ATTEMPTS} attempts", answer.status());
                    wait = retry_after(&answer).unwrap_or(wait).min(LONGEST_WAIT);
                }
                Ok(answer) => {
                    let status = answer.status();
                    let text = answer.text().await.unwrap_or_default();
                    return Err(Failure::failed(format!("{url}: {status} {}", text.trim())));
                }
                Err(error) => problem = format!("{url}: {} after {ATTEMPTS} attempts", cause(&error)),
            }
        }
        Err(Failure::Failed(problem))
    }

    async fn attempt(&self, url: &str, body: Bytes) -> reqwest::Result<reqwest::Response> {
        self.request(url).header(CONTENT_ENCODING, "gzip").body(body).send().await
    }

    fn request(&self, url: &str) -> reqwest::RequestBuilder {
        let request = self.client.post(url).header(CONTENT_TYPE, "application/x-protobuf");
        if self.tenant.is_default() { request } else { request.header(TENANT_HEADER, self.tenant.as_str()) }
    }

    fn url(&self, signal: Signal) -> String {
        let name = match signal {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        };
        format!("{}/v1/{name}", self.endpoint)
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

/// The innermost cause, such as "Connection refused": the outer ones repeat the address.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The three signals share the shape of a partial success: field 1 holds a count and a text.
fn read_answer(answer: &[u8]) -> Result<Sent, proto::DecodeError> {
    let partial = ExportTraceServiceResponse::decode(answer)?.partial_success.unwrap_or_default();
    let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0);
    Ok(Sent { rejected, message: partial.error_message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_is_read() {
        assert_eq!(read_answer(b""), Ok(Sent::default()));
        let partial = Sent { rejected: 1, message: "bad id".to_owned() };
        assert_eq!(read_answer(b"\x0a\x0a\x08\x01\x12\x06bad id"), Ok(partial));
        assert!(read_answer(b"<html>").is_err());
    }

    #[test]
    fn only_http_endpoints_are_taken() {
        assert!(Sender::new("127.0.0.1:4318", TenantId::default()).is_err());
        assert!(Sender::new("http://127.0.0.1:4318/", TenantId::default()).is_ok());
    }
}
