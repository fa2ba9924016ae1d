//! Decides rows: expressions evaluated over columns, and what the index may skip for them.
//!
//! * [`SpanFilter`] is one expression, ready to be bound to batches of spans.
//! * `value` holds values and how they compare; `attribute` finds one key in attribute text.
//! * [`prune`] derives terms for the index. A term never excludes a row that the filter takes.
//!
//! Rules of comparison are those of TraceQL: values of different types are not equal and not unequal;
//! a missing attribute satisfies no comparison but `= nil`; an array satisfies a comparison where one
//! of its elements does, and `!=`, `!~` where all do.

pub(crate) mod attribute;
pub mod prune;
mod span;
pub(crate) mod value;

pub use span::{BoundFilter, SpanFilter, TraceFacts};

/// Whether a row satisfies a condition. [`Truth::Maybe`]: it takes the whole trace to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    No,
    Maybe,
    Yes,
}

impl Truth {
    pub(crate) fn negated(self) -> Self {
        match self {
            Truth::No => Truth::Yes,
            Truth::Maybe => Truth::Maybe,
            Truth::Yes => Truth::No,
        }
    }

    /// "And": asks no further than the first `No`.
    pub(crate) fn all(truths: impl Iterator<Item = Truth>) -> Truth {
        let mut least = Truth::Yes;
        for truth in truths {
            least = least.min(truth);
            if least == Truth::No {
                break;
            }
        }
        least
    }

    /// "Or": asks no further than the first `Yes`.
    pub(crate) fn any(truths: impl Iterator<Item = Truth>) -> Truth {
        Self::all(truths.map(Truth::negated)).negated()
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Truth::Yes } else { Truth::No }
    }
}

#[cfg(test)]
mod tests;
