//! Spans to cells, for the store: it adds them up and knows nothing of their meaning.

use arrow::record_batch::RecordBatch;
use storage::rollup::{Rollup, Summarise};
use storage::scan::ReadError;

use super::count::Counter;
use crate::engine::Range;
use crate::graph::{intern::Names, parts};
use crate::rows::Columns;

/// Counts calls and where spans come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summariser;

impl Summarise for Summariser {
    fn columns(&self) -> &'static [&'static str] {
        parts::COLUMNS
    }

    fn summarise(&self, spans: &[RecordBatch]) -> Result<Rollup, ReadError> {
        let (mut names, mut found) = (Names::default(), Vec::new());
        for batch in spans {
            parts::collect(Columns::new(batch), &mut found, &mut names, |_| true, Range::ALL)?;
        }
        let mut counter = Counter::new(&mut names);
        parts::by_trace(&mut found, &names).for_each(|trace| counter.count(trace, &names));
        Ok(counter.finish(&names))
    }
}
