//! OTLP protobuf requests read in place, in one pass, without copying.
//!
//! ```text
//! TraceRequest ─▶ ResourceSpans ─▶ ScopeSpans ─▶ Span ─▶ KeyValue ─▶ AnyValue
//! ```
//! A view holds the scalar fields of its message and, for each repeated field, the stretch of bytes
//! between its first and last element ([`Repeated`]), whose elements are parsed while iterating. So a
//! broken span is an `Err` item of its iterator and its neighbours are read as usual, as long as the
//! lengths around it hold.
//!
//! Protobuf's rules are kept: the last value of a scalar wins, an embedded message sent in pieces is
//! merged, unknown fields and groups are skipped, a known field of the wrong wire type is [`Malformed`].
//! Text is checked when it is asked for ([`Text::as_str`]), so that one bad string need not cost a batch.
//! Nothing here recurses over the input: a nested [`AnyValue`] is parsed one level at a time.

mod common;
mod logs;
mod metrics;
mod repeated;
mod trace;
mod wire;

pub use common::{AnyValue, EntityRef, InvalidUtf8, KeyValue, NotWithin, Resource, Scope, Text};
pub use logs::{LogRecord, LogsRequest, ResourceLogs, ScopeLogs};
pub use metrics::{
    Buckets, Exemplar, ExponentialHistogram, ExponentialHistogramPoint, Gauge, Histogram, HistogramPoint, Metric,
    MetricData, MetricsRequest, Number, NumberPoint, QuantileValue, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryPoint,
};
pub use repeated::{Elements, Fixed64, Numbers, Repeated, Scalar, Values};
pub use trace::{Event, Link, ResourceSpans, ScopeSpans, Span, Status, TraceRequest};
pub use wire::{Encoding, Fault, Malformed, Message};

/// A message that can be read in place.
pub trait View<'a>: Default {
    /// Reads `message` on top of what is there, as protobuf merges a message sent in pieces.
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed>;

    /// Reads one whole message.
    fn parse(message: Message<'a>) -> Result<Self, Malformed> {
        let mut view = Self::default();
        view.merge(message)?;
        Ok(view)
    }

    /// Reads a message that is not embedded in another; offsets in errors count from its first byte.
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse(Message::root(bytes))
    }
}

#[cfg(test)]
mod tests;
