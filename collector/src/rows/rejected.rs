//! Rows that were left out, and why: what a partial success tells the sender.

use std::fmt;

use proto::otlp::view::{Malformed, NotWithin};
use storage::store::Signal;

/// Offenders that are described one by one; the others are counted.
const EXAMPLES: usize = 3;

/// Characters of a span name that a message repeats.
const NAME_CHARS: usize = 60;

/// Why one row cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("{0} has {1} bytes, must be {2}")]
    IdLength(&'static str, usize, usize),
    #[error("{0} is all zero")]
    ZeroId(&'static str),
    #[error("{0} is nested deeper than {max} levels", max = storage::attrs::MAX_DEPTH)]
    TooDeep(&'static str),
    #[error("{0}: {1}")]
    Malformed(&'static str, Malformed),
    #[error("it is larger than {} bytes", super::MAX_ROW_BYTES)]
    TooLarge,
    #[error("the request is larger than {} bytes as text", super::text::MAX_TEXT_BYTES)]
    RequestFull,
}

impl Reason {
    pub(super) fn of(what: &'static str, error: NotWithin) -> Self {
        match error {
            NotWithin::TooDeep(_) => Self::TooDeep(what),
            NotWithin::Malformed(malformed) => Self::Malformed(what, malformed),
        }
    }
}

/// Where a row stands in its request, counted from 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub resource: usize,
    pub scope: usize,
    /// Of a data point: the metric.
    pub metric: Option<usize>,
    pub row: usize,
}

/// The rows of a request that were left out.
#[derive(Debug)]
pub struct Rejected {
    noun: &'static str,
    count: usize,
    examples: Vec<String>,
    ignored_ids: usize,
    ignored_references: usize,
}

impl Rejected {
    pub(super) fn of(signal: Signal) -> Self {
        let noun = match signal {
            Signal::Traces => "span",
            Signal::Logs => "log record",
            Signal::Metrics => "data point",
        };
        Self { noun, count: 0, examples: Vec::new(), ignored_ids: 0, ignored_references: 0 }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// What to tell the sender: the first offenders with place, field and reason; and what was stored
    /// but not wholly as sent. None where all is well.
    pub fn message(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.count > 0 {
            let others = match self.count - self.examples.len().min(self.count) {
                0 => String::new(),
                others => format!("; and {others} more"),
            };
            parts.push(format!("{} {}s rejected: {}{others}", self.count, self.noun, self.examples.join("; ")));
        }
        if self.ignored_ids > 0 {
            parts.push(format!("{} trace or span ids of a wrong length were taken as absent", self.ignored_ids));
        }
        if self.ignored_references > 0 {
            parts.push(format!("{} string_value_strindex values were taken as empty", self.ignored_references));
        }
        (!parts.is_empty()).then(|| parts.join(". "))
    }

    pub(super) fn row(&mut self, place: Place, name: &str, reason: impl fmt::Display) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            let mut at = format!("resource {}, scope {}", place.resource, place.scope);
            if let Some(metric) = place.metric {
                at.push_str(&format!(", metric {metric}"));
            }
            at.push_str(&format!(", {} {}", self.noun, place.row));
            if !name.is_empty() {
                at.push_str(&format!(" {:?}", name.chars().take(NAME_CHARS).collect::<String>()));
            }
            self.examples.push(format!("{at}: {reason}"));
        }
    }

    /// All `rows` of a resource or scope that cannot be stored itself.
    pub(super) fn rows(&mut self, place: Place, rows: usize, reason: &Reason) {
        for row in 0..rows.min(EXAMPLES) {
            self.row(Place { row, ..place }, "", reason);
        }
        self.count += rows.saturating_sub(EXAMPLES);
    }

    /// Takes an optional id; counts one of a wrong length, which says something the store cannot keep.
    pub(super) fn optional_id<const N: usize>(&mut self, bytes: &[u8]) -> Option<[u8; N]> {
        if !bytes.is_empty() && bytes.len() != N {
            self.ignored_ids += 1;
        }
        super::columns::id(bytes)
    }

    pub(super) fn ignored_reference(&mut self) {
        self.ignored_references += 1;
    }
}
