//! `POST /spans`: Zipkin's JSON and protobuf, turned into OTLP, durable before the answer.

use std::collections::HashMap;
use std::io::Read;

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use proto::otlp::messages::trace::v1::ResourceSpans;
use proto::zipkin::{self, Span};
use tokio::sync::Semaphore;

use super::Failed;
use crate::error::ApiError;
use crate::params;
use crate::state::AppState;

/// Of a body as sent.
pub(super) const MAX_BODY_BYTES: usize = 8 << 20;
/// Of a body after decompression.
const MAX_PLAIN_BYTES: u64 = 16 << 20;
/// Spans that are grouped by their origin at once: grouping looks at each origin before.
const GROUP: usize = 1_000;
/// Requests that are read and turned at once: each holds several times its body. Others wait.
static TURNS: Semaphore = Semaphore::const_new(4);

#[derive(Clone, Copy)]
enum Format {
    Json,
    Protobuf,
}

/// 202 once the spans are durable.
pub(super) async fn spans(State(state): State<AppState>, request: Request) -> Result<Response, Failed> {
    let Some(intake) = state.intake() else {
        let message = "this process takes no spans".to_owned();
        return Err(Failed { status: StatusCode::NOT_IMPLEMENTED, message });
    };
    let (format, is_gzip) = form(request.headers())?;
    // The semaphore is never closed.
    let _turn = TURNS.acquire().await.ok();
    let sent = params::body(request, &state).await?;
    let (body, now) = (sent.clone(), state.now());
    let read = tokio::task::spawn_blocking(move || to_otlp(&body, format, is_gzip, now));
    let Some(otlp) = read.await.map_err(ApiError::internal)?? else { return Ok(accepted(String::new())) };
    match intake.traces(otlp, sent).await {
        Ok(message) => Ok(accepted(message)),
        Err(refused) => {
            let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            let mut answer = Failed { status, message: refused.message }.into_response();
            if let Some(seconds) = refused.retry_after_s {
                answer.headers_mut().insert(RETRY_AFTER, seconds.into());
            }
            Ok(answer)
        }
    }
}

/// Zipkin answers nothing; what could not be stored is said all the same.
fn accepted(message: String) -> Response {
    (StatusCode::ACCEPTED, message).into_response()
}

fn form(headers: &HeaderMap) -> Result<(Format, bool), Failed> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unsupported =
        |message: &str| Failed { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, message: message.to_owned() };
    let essence = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let format = match essence.as_str() {
        "application/json" => Format::Json,
        "application/x-protobuf" | "application/protobuf" => Format::Protobuf,
        _ => return Err(unsupported("Content-Type must be application/json or application/x-protobuf")),
    };
    match text(CONTENT_ENCODING).trim() {
        "" | "identity" => Ok((format, false)),
        "gzip" | "x-gzip" => Ok((format, true)),
        _ => Err(unsupported("Content-Encoding must be gzip or identity")),
    }
}

/// None where there are no spans.
fn to_otlp(body: &[u8], format: Format, is_gzip: bool, now: i64) -> Result<Option<Bytes>, Failed> {
    let mut plain = Vec::new();
    let body = match is_gzip {
        false => body,
        true => {
            let read = MultiGzDecoder::new(body).take(MAX_PLAIN_BYTES + 1).read_to_end(&mut plain);
            read.map_err(|error| Failed::bad(format!("gzip: {error}")))?;
            &plain
        }
    };
    if body.len() as u64 > MAX_PLAIN_BYTES {
        let message = format!("the spans are larger than {MAX_PLAIN_BYTES} bytes: send smaller batches");
        return Err(Failed { status: StatusCode::PAYLOAD_TOO_LARGE, message });
    }
    let spans: Vec<Span> = match format {
        Format::Json => serde_json::from_slice(body)
            .map_err(|error| Failed::bad(format!("Malformed reading List<Span>: {error}")))?,
        Format::Protobuf => zipkin::list_of_spans(body)
            .map_err(|error| Failed::bad(format!("Malformed reading List<Span> from protobuf: {error}")))?,
    };
    let mut groups = Vec::new();
    for spans in spans.chunks(GROUP) {
        let converted = zipkin::to_otlp(spans);
        // Zipkin takes all spans of a request or none.
        if let Some(reason) = converted.rejected.into_iter().next() {
            return Err(Failed::bad(reason));
        }
        groups.extend(converted.resource_spans);
    }
    time_the_timeless(&mut groups, now.max(0) as u64);
    Ok((!spans.is_empty()).then(|| zipkin::request(groups).into()))
}

/// A span that says no time at all begins with the first of its trace in this request; where there is none, the
/// time when it came is the best that is known.
fn time_the_timeless(groups: &mut [ResourceSpans], now: u64) {
    let mut begins: HashMap<Vec<u8>, u64> = HashMap::new();
    let spans = groups.iter().flat_map(|group| &group.scope_spans).flat_map(|group| &group.spans);
    for span in spans.filter(|span| span.start_time_unix_nano > 0) {
        let known = begins.entry(span.trace_id.clone()).or_insert(span.start_time_unix_nano);
        *known = span.start_time_unix_nano.min(*known);
    }
    let spans = groups.iter_mut().flat_map(|group| &mut group.scope_spans).flat_map(|group| &mut group.spans);
    for span in spans.filter(|span| span.start_time_unix_nano == 0) {
        let duration = span.end_time_unix_nano;
        span.start_time_unix_nano = begins.get(&span.trace_id).copied().unwrap_or(now);
        span.end_time_unix_nano = span.start_time_unix_nano.saturating_add(duration);
    }
}
