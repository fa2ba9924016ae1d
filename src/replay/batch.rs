//! What every format is turned into, and what can be wrong with a file.

use std::path::Path;

use proto::Message;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::trace::v1::ResourceSpans;
use proto::rpc::Signal;

/// An export request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Batch {
    pub(super) signal: Signal,
    /// OTLP protobuf.
    pub(super) request: Vec<u8>,
    /// Spans, log records or metric points in it.
    pub(super) rows: u64,
    /// Why rows are not in it, one text a row.
    pub(super) rejected: Vec<String>,
    /// Where it begins in the file, counted from 1; 0 where the file has no lines.
    pub(super) line: u64,
}

impl Batch {
    pub(super) fn spans(resource_spans: Vec<ResourceSpans>, rows: usize, rejected: Vec<String>, line: u64) -> Self {
        let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        Self { signal: Signal::Traces, request, rows: rows as u64, rejected, line }
    }
}

/// Takes a batch; `false` once nobody wants more.
pub(super) type Put<'a> = dyn FnMut(Batch) -> bool + 'a;

/// Why a file could not be sent as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Problem(String);

impl Problem {
    /// `line` counts from 1; 0 where there is none to name.
    pub(super) fn at(path: &Path, line: u64, what: impl std::fmt::Display) -> Self {
        match line {
            0 => Self(format!("{}: {what}", path.display())),
            line => Self(format!("{}:{line}: {what}", path.display())),
        }
    }
}
