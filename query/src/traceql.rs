//! What people type to find traces: TraceQL, and a short form of it; both become one syntax tree.
//!
//! * [`ast`] is the tree; it prints as TraceQL.
//! * `lex` and `parse` read TraceQL and check its types while they build, so a wrong operand is
//!   reported with its place; `short` reads `service:cart duration>200ms error`.
//! * `jaeger` builds the tree of Jaeger's search form.
//!
//! Operators, types and names follow Grafana Tempo's TraceQL reference; `&&` and `||` have the same
//! precedence and group from the left, as there.

pub mod ast;
mod jaeger;
mod lex;
mod parse;
mod short;

pub use jaeger::JaegerQuery;
pub(crate) use short::literal;

use ast::{Expr, Metrics, Spanset};

use crate::QueryError;

/// Longest query text, bytes.
pub const MAX_TEXT: usize = 64 << 10;

/// Deepest nesting of a query; what is deeper is refused, so that no walk over a tree can overflow.
pub const MAX_DEPTH: usize = 64;

/// A question that selects spans of traces.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceQuery {
    pub spans: Spanset,
}

impl TraceQuery {
    /// TraceQL where the text begins with `{` or `(`, else the short form; empty text asks for everything.
    ///
    /// # Errors
    /// [`QueryError::Bad`] with the byte position.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        check_length(text)?;
        if text.trim_start().starts_with(['{', '(']) {
            Self::traceql(text)
        } else {
            short::parse(text).map(Self::filter)
        }
    }

    /// TraceQL only. A metrics query is an error: it selects no spans.
    pub fn traceql(text: &str) -> Result<Self, QueryError> {
        check_length(text)?;
        match parse::parse(text)? {
            parse::Root::Spans(spans) => Ok(Self { spans }),
            parse::Root::Metrics(_) => Err(QueryError::bad("a metrics query does not select traces")),
        }
    }

    /// What Jaeger's search form asks for: one span with everything.
    pub fn jaeger(query: &JaegerQuery) -> Self {
        Self::filter(query.expr())
    }

    /// Spans that satisfy one expression.
    pub fn filter(expr: Expr) -> Self {
        Self { spans: Spanset::Filter(expr) }
    }

    /// Every span.
    pub fn everything() -> Self {
        Self::filter(Expr::TRUE)
    }
}

impl std::fmt::Display for TraceQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.spans.fmt(f)
    }
}

/// A TraceQL metrics query, such as `{} | rate() by (name)`.
///
/// # Errors
/// [`QueryError::Bad`] with the byte position.
pub fn parse_metrics(text: &str) -> Result<Metrics, QueryError> {
    check_length(text)?;
    match parse::parse(text)? {
        parse::Root::Metrics(metrics) => Ok(metrics),
        parse::Root::Spans(_) => Err(QueryError::bad("the query selects spans; a metrics function is missing")),
    }
}

fn check_length(text: &str) -> Result<(), QueryError> {
    if text.len() > MAX_TEXT {
        return Err(bad(MAX_TEXT, format!("a query may have at most {MAX_TEXT} bytes")));
    }
    Ok(())
}

/// An error at a byte position.
pub(crate) fn bad(position: usize, message: impl Into<String>) -> QueryError {
    QueryError::Bad { message: message.into(), position: Some(position) }
}

#[cfg(test)]
mod tests;
