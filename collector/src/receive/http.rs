//! OTLP/HTTP: `POST /v1/traces`, `/v1/logs`, `/v1/metrics`, in protobuf and JSON.

use std::convert::Infallible;
use std::sync::Arc;

use ::http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Full};
use proto::rpc::Outcome;
use storage::store::Signal;

use super::inflate::{ACCEPTED, Encoding};
use super::ingest::{Format, Ingest, Ingests, Sink, of_tenant, wire};
use super::intake::{Chunks, Intake, Payload};
use super::refusal::Refusal;
use super::serve::Answer;
use crate::counters::add;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Answers one request. An answer's body has the content type of the request's; where that is none of
/// OTLP's, plain text.
pub(super) async fn handle<S: Sink, B>(ingests: Arc<Ingests<S>>, request: Request<B>) -> Result<Answer, Infallible>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (head, body) = request.into_parts();
    let format = format(&head.headers);
    let all = ingests.of_default();
    let mut chunks = Chunks::of(body, all.patience.body);
    let asked = route(&head.method, head.uri.path());
    let result = match asked.and_then(|signal| Ok((signal, of_tenant(&ingests, &head.headers)?))) {
        Err(refusal) => Err(refusal),
        Ok((signal, ingest)) => match format {
            None => Err(unknown_format(&head.headers)),
            Some(format) => {
                let read = read(ingest, signal, &head.headers, &mut chunks).await;
                match read {
                    Ok(payload) => ingest.take(signal, format, payload).await.map(|outcome| (signal, outcome)),
                    Err(refusal) => Err(refusal),
                }
            }
        },
    };
    Ok(match result {
        Ok((signal, outcome)) => accepted(signal, format, &outcome),
        Err(refusal) => {
            add(refusal.counter(&all.counters), 1);
            chunks.discard().await;
            refused(&refusal, format)
        }
    })
}

fn route(method: &Method, path: &str) -> Result<Signal, Refusal> {
    let signal = match path {
        "/v1/traces" => Signal::Traces,
        "/v1/logs" => Signal::Logs,
        "/v1/metrics" => Signal::Metrics,
        _ => return Err(Refusal::NotFound("OTLP/HTTP is served at /v1/traces, /v1/logs and /v1/metrics".into())),
    };
    if method == Method::POST { Ok(signal) } else { Err(Refusal::Method) }
}

fn format(headers: &HeaderMap) -> Option<Format> {
    let sent = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        PROTOBUF | "application/protobuf" => Some(Format::Protobuf),
        JSON => Some(Format::Json),
        _ => None,
    }
}

fn unknown_format(headers: &HeaderMap) -> Refusal {
    let sent = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let hint = if sent.starts_with(b"application/grpc") { "; gRPC is served on its own port" } else { "" };
    Refusal::Unsupported(format!("Content-Type must be {PROTOBUF} or {JSON}{hint}"))
}

async fn read<S: Sink, B>(
    ingest: &Ingest<S>,
    signal: Signal,
    headers: &HeaderMap,
    chunks: &mut Chunks<B>,
) -> Result<Payload, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let encoding = encoding(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > ingest.max_message_bytes as u64) {
        return Err(Refusal::too_large(ingest.max_message_bytes));
    }
    let mut intake = Intake::begin(signal, encoding, ingest.max_message_bytes, &ingest.budget).await?;
    while let Some(chunk) = chunks.next().await? {
        intake.push(&chunk).await?;
    }
    intake.finish()
}

/// One encoding, once: what is compressed twice or in an unknown way is refused.
fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let mut sent = headers.get_all(CONTENT_ENCODING).iter();
    let (first, more) = (sent.next(), sent.next());
    let Some(first) = first else { return Ok(Encoding::Identity) };
    let known = first.to_str().ok().filter(|_| more.is_none()).and_then(Encoding::parse);
    known.ok_or_else(|| Refusal::Unsupported(format!("Content-Encoding must be one of {ACCEPTED}")))
}

fn accepted(signal: Signal, format: Option<Format>, outcome: &Outcome) -> Answer {
    let signal = wire(signal);
    match format {
        Some(Format::Json) => answer(StatusCode::OK, JSON, outcome.to_json(signal).into()),
        _ => answer(StatusCode::OK, PROTOBUF, outcome.to_protobuf(signal).into()),
    }
}

fn refused(refusal: &Refusal, format: Option<Format>) -> Answer {
    let status = refusal.status();
    let (content_type, body) = match format {
        Some(Format::Protobuf) => (PROTOBUF, Bytes::from(status.to_protobuf())),
        Some(Format::Json) => (JSON, Bytes::from(status.to_json())),
        None => (TEXT, Bytes::from(status.message)),
    };
    let mut answer = answer(refusal.http_status(), content_type, body);
    let headers = answer.headers_mut();
    if let Some(seconds) = refusal.retry_after_s() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    let mut say = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    match refusal {
        Refusal::Method => say(ALLOW, "POST"),
        Refusal::Unsupported(_) => say(ACCEPT_ENCODING, ACCEPTED),
        _ => None,
    };
    answer
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut response = Response::new(Full::new(body).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
