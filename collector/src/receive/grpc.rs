//! OTLP/gRPC: the three `Export` methods, over gRPC's own framing of a unary call.
//!
//! A call is `flag (1 byte), length (4 bytes, big endian), message` each way; its result is in the trailers
//! (gRPC over HTTP2, "Requests" and "Responses"). The message is taken in chunk by chunk like a body of
//! OTLP/HTTP, under the same limits.

use std::convert::Infallible;
use std::sync::Arc;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use bytes::{BufMut, Bytes, BytesMut};
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

const GRPC: &str = "application/grpc";
const GRPC_ENCODING: &str = "grpc-encoding";
const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// Flag and length before a message.
const PREFIX: usize = 5;

pub(super) async fn handle<S: Sink, B>(ingests: Arc<Ingests<S>>, request: Request<B>) -> Result<Answer, Infallible>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (head, body) = request.into_parts();
    let all = ingests.of_default();
    if !is_grpc(&head.headers) {
        add(&all.counters.refused_bad, 1);
        return Ok(not_grpc());
    }
    let mut chunks = Chunks::of(body, all.patience.body);
    let asked = route(&head.method, head.uri.path());
    let result = match asked.and_then(|signal| Ok((signal, of_tenant(&ingests, &head.headers)?))) {
        Err(refusal) => Err(refusal),
        Ok((signal, ingest)) => match read(ingest, signal, &head.headers, &mut chunks).await {
            Ok(payload) => ingest.take(signal, Format::Protobuf, payload).await.map(|outcome| (signal, outcome)),
            Err(refusal) => Err(refusal),
        },
    };
    Ok(match result {
        Ok((signal, outcome)) => accepted(signal, &outcome),
        Err(refusal) => {
            add(refusal.counter(&all.counters), 1);
            chunks.discard().await;
            refused(&refusal)
        }
    })
}

/// `application/grpc` or `application/grpc+proto`; other message formats are not spoken.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|sent| sent.to_str().ok()).is_some_and(|sent| {
        let essence = sent.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(GRPC) || essence.eq_ignore_ascii_case("application/grpc+proto")
    })
}

fn route(method: &Method, path: &str) -> Result<Signal, Refusal> {
    match path {
        _ if method != Method::POST => Err(Refusal::Method),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Ok(Signal::Traces),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Ok(Signal::Logs),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Ok(Signal::Metrics),
        _ => Err(Refusal::NotFound("the OTLP services for traces, logs and metrics are served here".into())),
    }
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
    let encoding = match headers.get(GRPC_ENCODING) {
        None => Encoding::Identity,
        Some(sent) => sent.to_str().ok().and_then(Encoding::parse).ok_or_else(unknown_encoding)?,
    };
    let mut head = BytesMut::with_capacity(PREFIX);
    let mut rest = Bytes::new();
    while head.len() < PREFIX {
        let Some(mut chunk) = chunks.next().await? else {
            return Err(Refusal::Bad("the call ends before its message".into()));
        };
        head.extend_from_slice(&chunk.split_to(chunk.len().min(PREFIX - head.len())));
        rest = chunk;
    }
    let (flag, length) = (head[0], u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize);
    let encoding = match flag {
        0 => Encoding::Identity,
        1 if encoding != Encoding::Identity => encoding,
        _ => return Err(Refusal::Bad(format!("message flag {flag} without a grpc-encoding that explains it"))),
    };
    if length > ingest.max_message_bytes {
        return Err(Refusal::too_large(ingest.max_message_bytes));
    }
    let mut intake = Intake::begin(signal, encoding, ingest.max_message_bytes, &ingest.budget).await?;
    let mut left = length;
    loop {
        left = left.checked_sub(rest.len()).ok_or_else(|| Refusal::Bad("a unary call has one message".into()))?;
        intake.push(&rest).await?;
        match chunks.next().await? {
            Some(chunk) => rest = chunk,
            None if left == 0 => return intake.finish(),
            None => return Err(Refusal::Bad(format!("the call ends {left} bytes before its message does"))),
        }
    }
}

fn unknown_encoding() -> Refusal {
    Refusal::Unsupported(format!("grpc-encoding must be one of {ACCEPTED}"))
}

fn accepted(signal: Signal, outcome: &Outcome) -> Answer {
    let message = outcome.to_protobuf(wire(signal));
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32); // a partial success is a few hundred bytes
    framed.extend_from_slice(&message);
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    response
}

/// A call that failed: the status stands in the headers ("Trailers-Only").
fn refused(refusal: &Refusal) -> Answer {
    let mut response: Response<Full<Bytes>> = tonic::Status::from(&refusal.status()).into_http();
    if matches!(refusal, Refusal::Unsupported(_)) {
        response.headers_mut().insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    }
    response.map(BodyExt::boxed_unsync)
}

/// Whatever this client speaks, gRPC trailers would not reach it.
fn not_grpc() -> Answer {
    let what = "this port speaks OTLP/gRPC (Content-Type application/grpc); OTLP/HTTP has its own\n";
    let mut response = Response::new(Full::new(Bytes::from_static(what.as_bytes())).boxed_unsync());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}
