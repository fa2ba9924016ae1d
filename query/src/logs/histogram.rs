//! Log counts over time.

use storage::scan::Read;
use storage::schema::{Table, col};
use storage::store::Snapshot;
use storage::terms::severity_name;

use crate::engine::{Deadline, QueryError, Range};
use crate::logql::LogFilter;
use crate::model::{Histogram, Notes};
use crate::rows::Columns;
use crate::rows::scan::{self, Pace};

/// Most steps in one answer.
const MOST_BUCKETS: usize = 10_000;

/// One number of each severity, in rising order.
const SEVERITIES: [i32; 7] = [0, 1, 5, 9, 13, 17, 21];

pub(super) fn histogram(
    snapshot: &Snapshot,
    deadline: &Deadline,
    filter: &LogFilter,
    range: Range,
    buckets: usize,
) -> Result<Histogram, QueryError> {
    if buckets == 0 || buckets > MOST_BUCKETS {
        return Err(QueryError::bad(format!("a histogram has 1 to {MOST_BUCKETS} buckets")));
    }
    let mut notes = Notes::over(snapshot, range);
    let Some(span) = Span::new(snapshot, range, buckets) else {
        return Ok(Histogram { from: 0, step: 1, series: Vec::new(), notes });
    };
    let mut counts = [const { Vec::new() }; SEVERITIES.len()];
    let mut columns = vec![col::TIME, col::SEVERITY_NUMBER];
    columns.extend(filter.columns().iter().filter(|column| **column != col::SEVERITY_NUMBER));
    let read = Read { columns: &columns, prune: filter.prune(), from: range.from, to: range.to };
    for source in snapshot.sources(Table::Logs, range.from, range.to) {
        scan::each_chunk(&source, &read, deadline, &mut notes, |chunk| {
            let columns = Columns::new(&chunk.batch);
            let (times, severities) = (columns.times(col::TIME)?, columns.i32s(col::SEVERITY_NUMBER)?);
            let bound = filter.bind(&chunk.batch)?;
            let mut pace = Pace::new(deadline, &chunk.batch, filter.conditions());
            for row in (0..columns.rows()).filter(|&row| range.contains(times[row])) {
                pace.row(row)?;
                if bound.check(row) {
                    let series: &mut Vec<u64> = &mut counts[class(severities[row])];
                    series.resize(span.buckets, 0);
                    series[span.bucket(times[row])] += 1;
                }
            }
            Ok(())
        })?;
    }
    let series = SEVERITIES
        .into_iter()
        .zip(counts)
        .filter(|(_, counts)| !counts.is_empty())
        .map(|(number, counts)| (severity_name(number).to_owned(), counts))
        .collect();
    Ok(Histogram { from: span.from as u64, step: span.step, series, notes })
}

/// Index of a severity number in [`SEVERITIES`].
fn class(number: i32) -> usize {
    match number {
        1..=24 => (number as usize - 1) / 4 + 1,
        _ => 0,
    }
}

/// Equal steps of time.
struct Span {
    from: i64,
    step: u64,
    buckets: usize,
}

impl Span {
    /// None: an open range over no records.
    fn new(snapshot: &Snapshot, range: Range, buckets: usize) -> Option<Self> {
        let sources = snapshot.sources(Table::Logs, range.from, range.to);
        let bounds = sources.iter().map(|source| source.time_bounds());
        let (least, greatest) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unzip();
        let from = if range.from == i64::MIN { least? } else { range.from };
        let to = if range.to == i64::MAX { greatest?.saturating_add(1) } else { range.to };
        let width = (i128::from(to) - i128::from(from)).max(1);
        let step = u64::try_from((width + buckets as i128 - 1) / buckets as i128).ok()?.max(1);
        let buckets = usize::try_from((width + i128::from(step) - 1) / i128::from(step)).ok()?;
        Some(Self { from, step, buckets })
    }

    fn bucket(&self, time: i64) -> usize {
        let since = (i128::from(time) - i128::from(self.from)).max(0) as u128;
        ((since / u128::from(self.step)) as usize).min(self.buckets - 1)
    }
}
