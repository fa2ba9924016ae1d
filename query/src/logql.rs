//! What people type to find log records: words, phrases, fields, and how they combine.
//!
//! ```text
//! timeout "connection reset" -retry service:cart severity>=warn http.status_code>=500 (k:* OR k2~"re")
//! ```
//! Terms stand together by "and". A word occurs in the body as a whole word, in any case of letters;
//! several words of one term (`10.0.0.1`) occur in any order. Chinese, Japanese and Korean need no
//! spaces: such a run occurs as it stands. A phrase in quotes occurs as it stands; in quotes `\n`, `\t`,
//! `\r`, `\"` and `\\` stand for one character. `wor*` begins a word. `k:*` asks whether the field is there.
//!
//! `parse` reads the text, [`text`] decides bodies, [`filter`] decides rows.

mod filter;
mod parse;
mod text;

pub use filter::{BoundLogFilter, LogFilter};
pub(crate) use text::{Body, TextTest};

use storage::ids::{SpanId, TraceId};

use crate::QueryError;
use crate::filter::value::Loose;
use crate::traceql::ast::{CompareOp, Pattern, Static};

/// A question that selects log records.
#[derive(Clone, Debug)]
pub struct LogQuery {
    pub(crate) expr: LogExpr,
}

impl LogQuery {
    /// Empty text asks for everything.
    ///
    /// # Errors
    /// [`QueryError::Bad`] with the byte position.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parse::parse(text).map(|expr| Self { expr })
    }

    pub fn everything() -> Self {
        Self { expr: LogExpr::All(Vec::new()) }
    }

    pub(crate) fn of_trace(trace: TraceId) -> Self {
        Self { expr: LogExpr::Trace(trace) }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum LogExpr {
    All(Vec<LogExpr>),
    Any(Vec<LogExpr>),
    Not(Box<LogExpr>),
    /// Of the body.
    Text(TextTest),
    BodyMatches(Pattern),
    Service(TextOp),
    EventName(TextOp),
    Severity(SeverityTest),
    Trace(TraceId),
    Span(SpanId),
    /// `trace_id:*`
    HasTrace,
    /// `span_id:*`
    HasSpan,
    Attribute {
        scope: Option<LogScope>,
        key: String,
        test: AttributeTest,
    },
    /// From the same process.
    Origin(Origin),
}

impl LogExpr {
    /// How many questions it asks of a row: each word of a term is one.
    pub(crate) fn conditions(&self) -> usize {
        match self {
            LogExpr::All(parts) | LogExpr::Any(parts) => parts.iter().map(Self::conditions).sum(),
            LogExpr::Not(inner) => inner.conditions(),
            LogExpr::Text(test) => test.conditions(),
            _ => 1,
        }
    }
}

/// Where an attribute of a record can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogScope {
    Log,
    Resource,
    Scope,
}

#[derive(Clone, Debug)]
pub(crate) enum TextOp {
    Is(String),
    Matches(Pattern),
}

#[derive(Clone, Debug)]
pub(crate) enum AttributeTest {
    Exists,
    Is(Loose, String),
    Compare(CompareOp, Static),
    Matches(Pattern),
}

/// OTLP severity numbers, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeverityTest {
    pub(crate) from: i32,
    pub(crate) to: i32,
}

/// What tells one process from another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) service: String,
    pub(crate) namespace: Option<String>,
    pub(crate) instance: Option<String>,
}

#[cfg(test)]
mod tests;
