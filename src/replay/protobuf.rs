//! OTLP protobuf: an export request of any size, split between its resources.
//!
//! A request is nothing but its field 1, repeated: every element is a request of its own. So elements are
//! read one by one and sent together up to a bound.

use std::io::{BufRead, Read};
use std::path::Path;

use proto::otlp::view::{LogsRequest, Malformed, MetricsRequest, TraceRequest, View};
use proto::rpc::Signal;

use super::batch::{Batch, Problem, Put};

/// Bytes after which a request is sent.
const BATCH_BYTES: usize = 4 << 20;
/// The longest element; the endpoint takes no larger request either.
const MAX_ELEMENT_BYTES: u64 = 64 << 20;
/// Field 1, length-delimited.
const KEY: u8 = 0x0a;

/// `signal` where it is known; else the first element with rows says it.
pub(super) fn read(
    path: &Path,
    mut signal: Option<Signal>,
    file: &mut impl BufRead,
    put: &mut Put<'_>,
) -> Result<(), Problem> {
    let mut request = Vec::new();
    let mut offset = 0;
    loop {
        let at = offset;
        let wrong = |what: String| Problem::at(path, 0, format!("at byte {at}: {what}"));
        let start = request.len();
        let more = read_element(file, &mut request).map_err(wrong)?;
        if more && signal.is_none() {
            signal = Some(guess(&request[start..]).ok_or_else(|| wrong(UNKNOWN.to_owned()))?);
        }
        offset += request.len() - start;
        if (!more || request.len() >= BATCH_BYTES) && !request.is_empty() {
            let signal = signal.ok_or_else(|| wrong(UNKNOWN.to_owned()))?;
            let rows = rows(signal, &request).map_err(|error| wrong(error.to_string()))?;
            let batch = Batch { signal, request: std::mem::take(&mut request), rows, rejected: Vec::new(), line: 0 };
            if !put(batch) {
                return Ok(());
            }
        }
        if !more {
            return Ok(());
        }
    }
}

const UNKNOWN: &str = "this is neither text nor an OTLP request in protobuf; \
                       `--as otlp-traces`, `otlp-logs` or `otlp-metrics` says what to take it for";

/// Appends the next element with its key and length; `false` at the end of the file.
fn read_element(file: &mut impl BufRead, out: &mut Vec<u8>) -> Result<bool, String> {
    let cut = |_| "the file ends inside an element".to_owned();
    let start = file.fill_buf().map_err(|error| error.to_string())?;
    match start.first() {
        None => return Ok(false),
        Some(&KEY) => {}
        Some(_) => return Err(UNKNOWN.to_owned()),
    }
    let mut byte = [0];
    file.read_exact(&mut byte).map_err(cut)?;
    out.extend(byte);
    let mut length = 0_u64;
    for shift in (0..35).step_by(7) {
        file.read_exact(&mut byte).map_err(cut)?;
        out.extend(byte);
        length |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    if length > MAX_ELEMENT_BYTES {
        return Err(format!("an element of {length} bytes is longer than {MAX_ELEMENT_BYTES}, or no OTLP"));
    }
    let read = file.by_ref().take(length).read_to_end(out).map_err(|error| error.to_string())?;
    if read as u64 == length { Ok(true) } else { Err("the file ends inside an element".to_owned()) }
}

/// The signal of a request with rows. The three have the same outer shape; of the rows, spans have ids of
/// 16 and 8 bytes in fields 1 and 2, where log records have numbers, and metrics a name.
fn guess(request: &[u8]) -> Option<Signal> {
    if is_traces(request).unwrap_or(false) {
        Some(Signal::Traces)
    } else if is_logs(request).unwrap_or(false) {
        Some(Signal::Logs)
    } else if is_metrics(request).unwrap_or(false) {
        Some(Signal::Metrics)
    } else {
        None
    }
}

fn is_traces(request: &[u8]) -> Result<bool, Malformed> {
    let mut found = false;
    for resource in &TraceRequest::from_bytes(request)?.resource_spans {
        for scope in &resource?.scope_spans {
            for span in &scope?.spans {
                let span = span?;
                found = span.trace_id.len() == 16 && span.span_id.len() == 8;
                if !found {
                    return Ok(false);
                }
            }
        }
    }
    Ok(found)
}

fn is_logs(request: &[u8]) -> Result<bool, Malformed> {
    let mut found = false;
    for resource in &LogsRequest::from_bytes(request)?.resource_logs {
        for scope in &resource?.scope_logs {
            for record in &scope?.log_records {
                record?;
                found = true;
            }
        }
    }
    Ok(found)
}

fn is_metrics(request: &[u8]) -> Result<bool, Malformed> {
    let mut found = false;
    for resource in &MetricsRequest::from_bytes(request)?.resource_metrics {
        for scope in &resource?.scope_metrics {
            for metric in &scope?.metrics {
                found = found || !metric?.data.is_empty();
            }
        }
    }
    Ok(found)
}

/// Spans, log records or data points of a request; broken ones count, and the receiver will say so.
pub(super) fn rows(signal: Signal, request: &[u8]) -> Result<u64, Malformed> {
    let rows: usize = match signal {
        Signal::Traces => {
            let request = TraceRequest::from_bytes(request)?;
            let scopes = request.resource_spans.iter().flatten();
            scopes.map(|group| group.scope_spans.iter().flatten().map(|scope| scope.spans.len()).sum::<usize>()).sum()
        }
        Signal::Logs => {
            let request = LogsRequest::from_bytes(request)?;
            let groups = request.resource_logs.iter().flatten();
            groups
                .map(|group| group.scope_logs.iter().flatten().map(|scope| scope.log_records.len()).sum::<usize>())
                .sum()
        }
        Signal::Metrics => {
            let request = MetricsRequest::from_bytes(request)?;
            let mut points = 0;
            for group in request.resource_metrics.iter().flatten() {
                for scope in group.scope_metrics.iter().flatten() {
                    points += scope.metrics.iter().flatten().map(|metric| metric.data.len()).sum::<usize>();
                }
            }
            points
        }
    };
    Ok(rows as u64)
}
