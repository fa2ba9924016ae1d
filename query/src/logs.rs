//! Finds log records: pages in both directions, counts over time, what stood around a record, and a tail.
//!
//! Records are in the order of their time, then of their id. A page reads only what its conditions
//! need, keeps the places of the best rows, and fetches those whole.

mod histogram;
mod page;
mod tail;

pub use page::{LogOrder, LogSearch};
pub use tail::TailEvent;

use storage::ids::{RowId, TraceId};
use storage::scan::Read;
use storage::schema::col;
use storage::store::Snapshot;
use storage::terms::Prune;

use crate::engine::{Deadline, Engine, QueryError, Range};
use crate::logql::{LogExpr, LogFilter, LogQuery, Origin};
use crate::model::{Histogram, LogRecord, Notes, Page};
use crate::rows::Columns;
use crate::rows::scan::{self, ANSWER_BYTES, Halt};
use page::{Place, Position, all_sources, fetch};

/// A record between its neighbours from the same service instance, oldest first.
#[derive(Clone, Debug)]
pub struct LogContext {
    pub before: Vec<LogRecord>,
    pub log: LogRecord,
    pub after: Vec<LogRecord>,
    pub notes: Notes,
}

impl Engine {
    /// A page of the records that the query selects.
    pub async fn search_logs(&self, search: LogSearch) -> Result<Page<LogRecord>, QueryError> {
        let filter = LogFilter::new(&search.query);
        let after = search.cursor.as_deref().map(Position::parse).transpose()?;
        self.run(move |snapshot, deadline| page::page(snapshot, deadline, &filter, &search, after, ANSWER_BYTES)).await
    }

    /// Records of a trace, oldest first.
    pub async fn logs_of_trace(&self, trace: TraceId, limit: usize) -> Result<Page<LogRecord>, QueryError> {
        let mut search = LogSearch::new(LogQuery::of_trace(trace), Range::ALL, limit);
        search.order = LogOrder::OldestFirst;
        self.search_logs(search).await
    }

    /// Counts by severity in equal steps of time. An open range is that of the stored records.
    pub async fn log_histogram(&self, query: LogQuery, range: Range, buckets: usize) -> Result<Histogram, QueryError> {
        let filter = LogFilter::new(&query);
        self.run(move |snapshot, deadline| histogram::histogram(snapshot, deadline, &filter, range, buckets)).await
    }

    /// What the same service instance logged around a record; None where there is no such record.
    pub async fn log_context(&self, id: RowId, before: usize, after: usize) -> Result<Option<LogContext>, QueryError> {
        self.run(move |snapshot, deadline| {
            let mut notes = Notes::of(snapshot);
            let Some((place, origin)) = find(snapshot, deadline, id, &mut notes)? else { return Ok(None) };
            let mut fetched = fetch(&all_sources(snapshot), &[place], ANSWER_BYTES, deadline, &mut notes)?;
            let Some(log) = fetched.records.pop() else { return Ok(None) };
            let mut beside = |order, limit| {
                let query = LogQuery { expr: LogExpr::Origin(origin.clone()) };
                let filter = LogFilter::new(&query);
                let search = LogSearch { order, ..LogSearch::new(query, Range::ALL, limit) };
                let page = page::page(snapshot, deadline, &filter, &search, Some(place.position), ANSWER_BYTES)?;
                notes.rows_read += page.notes.rows_read;
                let new = page.notes.warnings.into_iter().filter(|warning| !notes.warnings.contains(warning));
                let new: Vec<String> = new.collect();
                notes.warnings.extend(new);
                Ok::<_, QueryError>(page.items)
            };
            let mut before = beside(LogOrder::NewestFirst, before)?;
            before.reverse();
            let after = beside(LogOrder::OldestFirst, after)?;
            Ok(Some(LogContext { before, log, after, notes }))
        })
        .await
    }
}

/// Where the record lies, and which process it came from. Ids are not indexed: their column is read.
fn find(
    snapshot: &Snapshot,
    deadline: &Deadline,
    id: RowId,
    notes: &mut Notes,
) -> Result<Option<(Place, Origin)>, QueryError> {
    const COLUMNS: [&str; 5] =
        [col::ROW_ID, col::TIME, col::SERVICE_NAME, col::SERVICE_NAMESPACE, col::SERVICE_INSTANCE];
    let read = Read { columns: &COLUMNS[..1], prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    let mut found = None;
    for (number, source) in all_sources(snapshot).iter().enumerate() {
        scan::each_chunk(source, &read, deadline, notes, |chunk| {
            let ids = Columns::new(&chunk.batch).u64s(col::ROW_ID)?;
            let Some(at) = ids.iter().position(|&found| found == id.0) else { return Ok(()) };
            let batch = source.fetch(&COLUMNS, &[chunk.rows[at]])?;
            let columns = Columns::new(&batch);
            let text = |name| columns.strings(name).map(|column| column.get(0).map(str::to_owned));
            let origin = Origin {
                service: text(col::SERVICE_NAME)?.unwrap_or_default(),
                namespace: text(col::SERVICE_NAMESPACE)?,
                instance: text(col::SERVICE_INSTANCE)?,
            };
            let position = Position { time: columns.times(col::TIME)?[0], id };
            found = Some((Place { position, source: number, row: chunk.rows[at] }, origin));
            Err(Halt::Enough)
        })?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
