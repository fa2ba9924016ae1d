//! Reads spans of all sources, or of a share of the traces.

use arrow::record_batch::RecordBatch;
use storage::ids::TraceId;
use storage::scan::Read;
use storage::schema::Table;
use storage::store::Snapshot;
use storage::terms::Prune;

use crate::engine::{Deadline, QueryError, Range};
use crate::model::Notes;
use crate::rows::Columns;
use crate::rows::scan::{self, Halt};

/// What to read of the spans.
pub(crate) struct Wanted<'a> {
    pub columns: &'a [&'a str],
    pub prune: &'a Prune,
    /// Coarse: rows outside it come too.
    pub range: Range,
}

/// Hands every chunk of all sources to `take`. What cannot be read is noted, and the rest goes on.
pub(crate) fn each_chunk(
    snapshot: &Snapshot,
    deadline: &Deadline,
    wanted: &Wanted<'_>,
    notes: &mut Notes,
    mut take: impl FnMut(&RecordBatch) -> Result<(), Halt>,
) -> Result<(), QueryError> {
    let Range { from, to } = wanted.range;
    let read = Read { columns: wanted.columns, prune: wanted.prune, from, to };
    for source in snapshot.sources(Table::Spans, from, to) {
        scan::each_chunk(&source, &read, deadline, notes, |chunk| take(&chunk.batch))?;
    }
    Ok(())
}

/// How [`each_trace`] holds spans, as `T`, and what it gathers, in `S`.
pub(crate) struct ByTrace<Collect, Settle, TraceOf> {
    /// Adds the spans of a chunk whose traces are of the share.
    pub(crate) collect: Collect,
    /// Puts them in order, trace by trace, and drops those that came twice.
    pub(crate) settle: Settle,
    pub(crate) trace_of: TraceOf,
}

/// Hands the spans of each trace to `take`, as far as they lie in the range; a share of the traces at a time.
pub(crate) fn each_trace<T, S>(
    snapshot: &Snapshot,
    deadline: &Deadline,
    (columns, range): (&[&str], Range),
    notes: &mut Notes,
    state: &mut S,
    mut by: ByTrace<
        impl FnMut(Columns<'_>, Share, &mut Vec<T>, &mut S) -> Result<(), Halt>,
        impl Fn(&mut Vec<T>, &S),
        impl Fn(&T) -> TraceId,
    >,
    mut take: impl FnMut(&[T], &mut S) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    for share in Share::of_range(snapshot, range) {
        let mut spans = Vec::new();
        let wanted = Wanted { columns, prune: &Prune::All, range };
        let collect = |batch: &RecordBatch| (by.collect)(Columns::new(batch), share, &mut spans, state);
        each_chunk(snapshot, deadline, &wanted, notes, collect)?;
        (by.settle)(&mut spans, state);
        for (number, trace) in spans.chunk_by(|a, b| (by.trace_of)(a) == (by.trace_of)(b)).enumerate() {
            if number % 256 == 0 {
                deadline.check()?;
            }
            take(trace, state)?;
        }
    }
    Ok(())
}

/// Spans that an answer over many traces holds at once: about 100 MB.
const SPANS_PER_PASS: u64 = 1 << 20;

/// A share of all trace ids. Where a range has too many spans to hold, it is read several times, each
/// time for the traces of one share: memory is bounded, at the cost of one scan per million spans.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    number: u64,
    of: u64,
}

impl Share {
    /// The shares that a range is read in.
    pub(crate) fn of_range(snapshot: &Snapshot, range: Range) -> impl Iterator<Item = Share> + use<> {
        let sources = snapshot.sources(Table::Spans, range.from, range.to);
        let of = sources.iter().map(|source| source.row_count()).sum::<u64>().div_ceil(SPANS_PER_PASS).max(1);
        (0..of).map(move |number| Share { number, of })
    }

    pub(crate) fn contains(self, trace: TraceId) -> bool {
        // Ids may be counters: the product spreads them over the upper half.
        let low = u128::from_be_bytes(trace.0) as u64;
        (low.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % self.of == self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trace_is_of_one_share_and_shares_are_even() {
        let mut sizes = [0; 7];
        for id in 0u128..70_000 {
            let mut owners = (0..7).filter(|&number| Share { number, of: 7 }.contains(TraceId(id.to_be_bytes())));
            sizes[owners.next().expect("an owner") as usize] += 1;
            assert_eq!(owners.next(), None);
        }
        assert!(sizes.iter().all(|size| (9_000..11_000).contains(size)), "{sizes:?}");
    }
}
