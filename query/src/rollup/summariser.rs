//! Spans to cells, for the store: it adds them up and knows nothing of their meaning.

use arrow::record_batch::RecordBatch;
use storage::rollup::{Rollup, Summarise};
use storage::scan::ReadError;

use super::count;
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
        let (mut names, mut found, mut rollup) = (Names::default(), Vec::new(), Rollup::default());
        for batch in spans {
            parts::collect(Columns::new(batch), &mut found, &mut names, |_| true, Range::ALL)?;
        }
        parts::by_trace(&mut found, &names).for_each(|trace| count(trace, &names, &mut rollup));
        Ok(rollup)
    }
}
