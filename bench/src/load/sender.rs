//! One connection to an OTLP endpoint, HTTP or gRPC; bodies are sent as they lie in the file.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use proto::Message;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceResponse;
use tonic::transport::{Channel, Endpoint};
use tower::{Service, ServiceExt};

use crate::files::{Compression, Request};
use crate::{Failure, Signal};

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protocol {
    Http,
    Grpc,
}

/// Where requests go, and what they are.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Base address: `/v1/traces` is appended for HTTP.
    pub(crate) url: String,
    pub(crate) protocol: Protocol,
    pub(crate) signal: Signal,
    pub(crate) compression: Compression,
    /// Such as a tenant's.
    pub(crate) headers: Vec<(String, String)>,
}

pub(crate) struct Sender {
    wire: Wire,
    target: Target,
}

enum Wire {
    Http(reqwest::Client),
    Grpc(Channel),
}

/// What one attempt came to.
enum Attempt {
    Taken,
    /// Full, or not there: sent again later.
    Busy(String),
}

/// Between two attempts; exporters wait longer, and a benchmark would then measure their waiting.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// A receiver that refuses for so long is broken.
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);

impl Sender {
    pub(crate) fn new(target: Target) -> Result<Self, Failure> {
        let wire = match target.protocol {
            Protocol::Http => Wire::Http(reqwest::Client::builder().no_proxy().build().map_err(Failure::new)?),
            Protocol::Grpc => {
                let endpoint = Endpoint::from_shared(target.url.clone()).map_err(Failure::new)?;
                Wire::Grpc(endpoint.connect_lazy())
            }
        };
        Ok(Self { wire, target })
    }

    /// Sends until it is acknowledged, and returns how often it had to be sent again. An error is final: a
    /// refusal that says the data is wrong, rows that were not taken, or two minutes of "busy".
    pub(crate) async fn send(&mut self, request: &Request) -> Result<u64, Failure> {
        let start = Instant::now();
        for retries in 0.. {
            let attempt = match &mut self.wire {
                Wire::Http(client) => http(client, &self.target, request).await,
                Wire::Grpc(channel) => grpc(channel, &self.target, request).await,
            };
            match attempt? {
                Attempt::Taken => return Ok(retries),
                Attempt::Busy(reason) if start.elapsed() > GIVE_UP_AFTER => {
                    return Err(Failure(format!("{}: {reason}, for two minutes", self.target.url)));
                }
                Attempt::Busy(_) => tokio::time::sleep(RETRY_AFTER).await,
            }
        }
        unreachable!("the loop ends by returning")
    }
}

async fn http(client: &reqwest::Client, target: &Target, request: &Request) -> Result<Attempt, Failure> {
    let path = match target.signal {
        Signal::Traces => "/v1/traces",
        Signal::Logs => "/v1/logs",
    };
    let url = format!("{}{path}", target.url.trim_end_matches('/'));
    let mut post = client.post(&url).header("content-type", PROTOBUF);
    if let Some(encoding) = target.compression.encoding() {
        post = post.header("content-encoding", encoding);
    }
    for (name, value) in &target.headers {
        post = post.header(name, value);
    }
    let answer = match post.body(request.body.clone()).send().await {
        Ok(answer) => answer,
        Err(error) => return Ok(Attempt::Busy(error.to_string())),
    };
    let status = answer.status();
    let is_protobuf = answer.headers().get("content-type").is_some_and(|kind| kind == PROTOBUF);
    let Ok(body) = answer.bytes().await else { return Ok(Attempt::Busy("the answer broke off".to_owned())) };
    match status.as_u16() {
        200..300 if is_protobuf => all_taken(&body).map(|()| Attempt::Taken),
        200..300 => Ok(Attempt::Taken),
        // OTLP, "Retryable Response Codes".
        429 | 502 | 503 | 504 => Ok(Attempt::Busy(status.to_string())),
        _ => Err(Failure(format!("{url}: {status} {}", String::from_utf8_lossy(&body).trim()))),
    }
}

const PROTOBUF: &str = "application/x-protobuf";

async fn grpc(channel: &mut Channel, target: &Target, request: &Request) -> Result<Attempt, Failure> {
    let path = match target.signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    };
    let url = format!("{}{path}", target.url.trim_end_matches('/'));
    let mut post = http::Request::post(&url).header("content-type", "application/grpc").header("te", "trailers");
    if let Some(encoding) = target.compression.encoding() {
        post = post.header("grpc-encoding", encoding);
    }
    for (name, value) in &target.headers {
        post = post.header(name, value);
    }
    let body = Full::new(frame(target.compression, &request.body));
    let post = post.body(tonic::body::Body::new(body)).map_err(Failure::new)?;
    let ready = match channel.ready().await {
        Ok(ready) => ready,
        Err(error) => return Ok(Attempt::Busy(error.to_string())),
    };
    let answer = match ready.call(post).await {
        Ok(answer) => answer,
        Err(error) => return Ok(Attempt::Busy(error.to_string())),
    };
    let (head, body) = answer.into_parts();
    let Ok(body) = body.collect().await else { return Ok(Attempt::Busy("the answer broke off".to_owned())) };
    // An error may come without a body: then its status is among the headers.
    let trailers = body.trailers().cloned().unwrap_or_default();
    let of = |name: &str| trailers.get(name).or_else(|| head.headers.get(name));
    let status = of("grpc-status").and_then(|value| value.to_str().ok()?.parse::<i32>().ok());
    let message = of("grpc-message").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match status {
        Some(0) => all_taken(body.to_bytes().get(FRAME_HEAD..).unwrap_or_default()).map(|()| Attempt::Taken),
        // OTLP, "Retryable errors": cancelled, deadline, exhausted, aborted, out of range, unavailable, data loss.
        Some(1 | 4 | 8 | 10 | 11 | 14 | 15) => Ok(Attempt::Busy(format!("gRPC status {status:?} {message}"))),
        _ => Err(Failure(format!("{url}: HTTP {}, gRPC status {status:?} {message}", head.status))),
    }
}

/// Flag and length before a gRPC message.
const FRAME_HEAD: usize = 5;

/// A gRPC message of an already encoded and compressed body.
fn frame(compression: Compression, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(FRAME_HEAD + body.len());
    frame.put_u8(u8::from(compression != Compression::None));
    frame.put_u32(u32::try_from(body.len()).expect("the file's lengths have 32 bits"));
    frame.extend_from_slice(body);
    frame.freeze()
}

/// Traces and logs share the shape of a partial success.
fn all_taken(answer: &[u8]) -> Result<(), Failure> {
    let partial = ExportTraceServiceResponse::decode(answer).map_err(Failure::new)?.partial_success;
    match partial.unwrap_or_default() {
        partial if partial.rejected_spans > 0 => {
            Err(Failure(format!("{} rows were not taken: {}", partial.rejected_spans, partial.error_message)))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_not_taken_are_an_error() {
        assert!(all_taken(b"").is_ok());
        assert!(all_taken(b"\x0a\x0a\x08\x01\x12\x06bad id").is_err());
        assert!(all_taken(b"<html>").is_err());
    }

    #[test]
    fn a_frame_says_its_length_and_whether_it_is_compressed() {
        assert_eq!(&frame(Compression::None, b"ab")[..], b"\0\0\0\0\x02ab");
        assert_eq!(&frame(Compression::Zstd, b"")[..], b"\x01\0\0\0\0");
    }
}
