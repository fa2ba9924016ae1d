//! Records as they are appended, each once.
//!
//! Requests become visible as a whole, but not always in the order of their sequence numbers: so the
//! tail remembers which numbers it has seen, rather than the greatest one.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures::Stream;
use hashbrown::HashSet;
use storage::ids::RowId;
use storage::scan::{Chunk, Read, ReadError};
use storage::schema::{Table, col};
use storage::store::{Snapshot, Source};
use tokio::sync::watch;

use super::page::records_of;
use crate::engine::{Deadline, Engine, QueryError};
use crate::logql::{LogFilter, LogQuery};
use crate::model::{LogRecord, Notes};
use crate::rows::{Columns, LOG_COLUMNS, Origins};

/// What a tail tells.
#[derive(Clone, Debug)]
pub enum TailEvent {
    Log(Box<LogRecord>),
    /// So many records came faster than they were taken, and were left out.
    Dropped(u64),
    /// A part of the store could not be read: records may be missing.
    Warning(String),
}

/// Least time between two looks at the store.
const PAUSE: Duration = Duration::from_millis(100);

/// Most records of one look; the newest are left out and counted.
const MOST_RECORDS: usize = 1000;

/// A request becomes visible before so many later ones are numbered.
const WINDOW: u64 = 1 << 16;

impl Engine {
    /// Records appended from now on that the query selects. Ends when the store closes.
    pub fn log_tail(&self, query: LogQuery) -> impl Stream<Item = Result<TailEvent, QueryError>> + Send + use<> {
        // In this order: what is appended meanwhile is after `since`, in no known segment, and a change.
        let changes = self.store().changes();
        let known = segments(&self.store().snapshot());
        let since = self.store().last_sequence();
        let state = State {
            engine: self.clone(),
            changes,
            pending: VecDeque::new(),
            tail: Some(Tail { filter: LogFilter::new(&query), since, seen: BTreeSet::new(), known }),
        };
        futures::stream::unfold(state, |mut state| async {
            let event = state.next().await?;
            Some((event, state))
        })
    }
}

struct State {
    engine: Engine,
    changes: watch::Receiver<u64>,
    pending: VecDeque<TailEvent>,
    /// None after a failure.
    tail: Option<Tail>,
}

impl State {
    async fn next(&mut self) -> Option<Result<TailEvent, QueryError>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(Ok(event));
            }
            let mut tail = self.tail.take()?;
            self.changes.changed().await.ok()?;
            tokio::time::sleep(PAUSE).await;
            self.changes.borrow_and_update();
            let looked = self.engine.run(move |snapshot, deadline| {
                let events = tail.look(snapshot, deadline)?;
                Ok((events, tail))
            });
            match looked.await {
                Ok((events, tail)) => {
                    self.pending.extend(events);
                    self.tail = Some(tail);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What was told so far.
struct Tail {
    filter: LogFilter,
    /// Requests up to this number are not told.
    since: u64,
    /// Numbers of requests that were told, of the last [`WINDOW`].
    seen: BTreeSet<u64>,
    /// Segments that hold nothing new.
    known: HashSet<i64>,
}

impl Tail {
    fn look(&mut self, snapshot: &Snapshot, deadline: &Deadline) -> Result<Vec<TailEvent>, QueryError> {
        let mut notes = Notes::default();
        let mut found = Found::default();
        let mut columns = vec![col::ROW_ID];
        columns.extend(self.filter.columns());
        let read = Read { columns: &columns, prune: self.filter.prune(), from: i64::MIN, to: i64::MAX };
        let sources = snapshot.sources(Table::Logs, i64::MIN, i64::MAX);
        let mut new = BTreeSet::new();
        for (number, source) in sources.iter().enumerate() {
            if matches!(source, Source::Stored(segment) if self.known.contains(&segment.meta().id)) {
                continue;
            }
            deadline.check()?;
            match source.read(&read) {
                Ok(chunks) => {
                    for chunk in chunks {
                        deadline.check()?;
                        let taken = chunk.and_then(|chunk| self.take(number, &chunk, &mut new, &mut found));
                        if let Err(error) = taken {
                            notes.unreadable(&error);
                        }
                    }
                }
                Err(error) => notes.unreadable(&error),
            }
        }
        self.known = segments(snapshot);
        self.seen.extend(new);
        if let Some(last) = self.seen.last().copied() {
            self.since = self.since.max(last.saturating_sub(WINDOW));
            self.seen = self.seen.split_off(&(self.since + 1));
        }
        Ok(found.events(&sources, notes))
    }

    fn take(&self, source: usize, chunk: &Chunk, new: &mut BTreeSet<u64>, found: &mut Found) -> Result<(), ReadError> {
        let ids = Columns::new(&chunk.batch).u64s(col::ROW_ID)?;
        let filter = self.filter.bind(&chunk.batch)?;
        for (row, &id) in ids.iter().enumerate() {
            let sequence = id / RowId::ROWS_PER_REQUEST;
            if sequence <= self.since || self.seen.contains(&sequence) {
                continue;
            }
            new.insert(sequence);
            if filter.check(row) {
                found.rows.insert((id, source, chunk.rows[row]));
                if found.rows.len() > MOST_RECORDS {
                    found.rows.pop_last();
                    found.dropped += 1;
                }
            }
        }
        Ok(())
    }
}

/// Rows to tell: the oldest, by id.
#[derive(Default)]
struct Found {
    rows: BTreeSet<(u64, usize, u32)>,
    dropped: u64,
}

impl Found {
    fn events(self, sources: &[Source], mut notes: Notes) -> Vec<TailEvent> {
        let mut by_source: Vec<(usize, u32)> = self.rows.iter().map(|(_, source, row)| (*source, *row)).collect();
        by_source.sort_unstable();
        let mut origins = Origins::default();
        let mut records = Vec::new();
        for same_source in by_source.chunk_by(|a, b| a.0 == b.0) {
            let rows: Vec<u32> = same_source.iter().map(|(_, row)| *row).collect();
            let fetched = sources[same_source[0].0].fetch(LOG_COLUMNS, &rows);
            match fetched.and_then(|batch| records_of(&batch, &mut origins)) {
                Ok(read) => records.extend(read),
                Err(error) => notes.unreadable(&error),
            }
        }
        records.sort_by_key(|record| record.id);
        let mut events: Vec<TailEvent> = records.into_iter().map(|record| TailEvent::Log(Box::new(record))).collect();
        events.extend((self.dropped > 0).then_some(TailEvent::Dropped(self.dropped)));
        events.extend(notes.warnings.into_iter().map(TailEvent::Warning));
        events
    }
}

fn segments(snapshot: &Snapshot) -> HashSet<i64> {
    let sources = snapshot.sources(Table::Logs, i64::MIN, i64::MAX);
    let stored = sources.iter().filter_map(|source| match source {
        Source::Stored(segment) => Some(segment.meta().id),
        Source::Live(_) => None,
    });
    stored.collect()
}
