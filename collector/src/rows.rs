//! OTLP protobuf to Arrow: one pass over the bytes, straight into columns.
//!
//! [`convert`] reads zero-copy views of a request and writes the columns of
//! [`storage::schema::Table::incoming`]. What belongs to the resource or the scope is written once and
//! repeated by dictionary key. A row that cannot be stored is left out, with the reason, and its
//! neighbours are kept; see [`Rejected`]. Values are stored as sent, with these exceptions:
//!
//! * Text that is not UTF-8 has each bad sequence replaced by U+FFFD: protobuf forbids it, yet losing the
//!   span over one bad attribute would lose more.
//! * Trace and span ids of log records and exemplars are optional (logs data model, "Trace Context
//!   Fields"): one of a wrong length or all zero counts as absent.
//! * A reference into the string table of the profiles signal counts as an empty value (common.proto).

mod columns;
mod dictionary;
mod logs;
mod meaning;
mod metrics;
mod origin;
mod rejected;
mod spans;
#[cfg(test)]
mod tests;
mod text;

use arrow::record_batch::RecordBatch;
use proto::otlp::view::{LogsRequest, Malformed, MetricsRequest, TraceRequest, View};
use storage::schema::Table;
use storage::store::{Rows, Signal};

use crate::normalise::Rules;

pub use rejected::Rejected;

/// Rows of one request. Far more than an exporter sends in the 64 MiB of a request, and few enough that
/// a request of nothing but empty records cannot take gigabytes as columns.
pub const MAX_ROWS: usize = 1 << 20;

/// Typed JSON text of one row, in bytes, over all its columns.
pub const MAX_ROW_BYTES: usize = 16 << 20;

/// The whole request cannot be read; nothing of it was converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("the request has {0} rows, more than the {MAX_ROWS} that one request may have: send smaller batches")]
    TooManyRows(usize),
}

/// What became of a request: the rows to store, and those left out.
#[derive(Debug)]
pub struct Converted {
    table: Table,
    batch: Option<RecordBatch>,
    pub rejected: Rejected,
}

impl Converted {
    /// Rows to store.
    pub fn accepted(&self) -> usize {
        self.batch.as_ref().map_or(0, RecordBatch::num_rows)
    }

    /// Empty where nothing is to be stored.
    pub fn into_rows(self) -> Rows {
        self.batch.into_iter().map(|batch| (self.table, batch)).collect()
    }
}

/// Rows that a request announces, read from its framing alone: cheap, and known before memory is spent.
pub fn count(signal: Signal, body: &[u8]) -> Result<usize, BadRequest> {
    let mut rows = 0;
    match signal {
        Signal::Traces => {
            for resource in &TraceRequest::from_bytes(body)?.resource_spans {
                for scope in &resource?.scope_spans {
                    rows += scope?.spans.len();
                }
            }
        }
        Signal::Logs => {
            for resource in &LogsRequest::from_bytes(body)?.resource_logs {
                for scope in &resource?.scope_logs {
                    rows += scope?.log_records.len();
                }
            }
        }
        Signal::Metrics => {
            for resource in &MetricsRequest::from_bytes(body)?.resource_metrics {
                for scope in &resource?.scope_metrics {
                    for metric in &scope?.metrics {
                        rows += metric?.data.len();
                    }
                }
            }
        }
    }
    if rows > MAX_ROWS { Err(BadRequest::TooManyRows(rows)) } else { Ok(rows) }
}

/// Converts one request. `received` is the time of receipt, ns since the epoch; `rules` say what spans mean.
pub fn convert(signal: Signal, body: &[u8], received: i64, rules: &Rules) -> Result<Converted, BadRequest> {
    let rows = count(signal, body)?;
    let mut rejected = Rejected::of(signal);
    let (table, columns) = match signal {
        Signal::Traces => (Table::Spans, spans::convert(body, received, rows, rules, &mut rejected)?),
        Signal::Logs => (Table::Logs, logs::convert(body, received, rows, &mut rejected)?),
        Signal::Metrics => (Table::Metrics, metrics::convert(body, received, rows, &mut rejected)?),
    };
    let some = columns.first().is_some_and(|column| !column.is_empty());
    let batch = some.then(|| {
        RecordBatch::try_new(table.incoming(), columns).expect("columns stand in the order of the table's schema")
    });
    Ok(Converted { table, batch, rejected })
}
