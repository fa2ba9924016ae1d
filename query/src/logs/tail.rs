//! Records as they are appended, each once.
//!
//! Requests become visible as a whole, but not always in the order of their sequence numbers: so the
//! tail remembers which numbers it has seen, rather than the greatest one.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use hashbrown::HashSet;
use storage::ids::RowId;
use storage::scan::{Chunk, Read};
use storage::schema::col;
use storage::store::{Chapters, Snapshot, Source};
use tokio::sync::watch;

use super::page::{Fetched, Place, Position, all_sources, fetch};
use crate::engine::{Deadline, Engine, QueryError};
use crate::logql::{LogFilter, LogQuery};
use crate::model::{LogRecord, Notes};
use crate::rows::Columns;
use crate::rows::scan::{self, Halt, Pace};

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

/// Text of the records of one look; of what is more, the newest are left out and counted.
const MOST_BYTES: usize = 16 << 20;

/// A request becomes visible before so many later ones are numbered.
const WINDOW: u64 = 1 << 16;

impl Engine {
    /// Records appended from now on that the query selects. Ends when the store closes.
    pub fn log_tail(&self, query: LogQuery) -> impl Stream<Item = Result<TailEvent, QueryError>> + Send + use<> {
        // In this order: what is appended meanwhile is after `since`, in no known segment, and a change.
        let changes = self.store().changes();
        let snapshot = self.store().snapshot();
        let known = segments(&snapshot);
        let since = self.store().last_sequence();
        let chapters = self.store().chapters();
        let state = State {
            engine: self.clone(),
            changes,
            // What is lost for good is told once.
            pending: Notes::of(&snapshot).warnings.into_iter().map(TailEvent::Warning).collect(),
            tail: Some(Tail { filter: LogFilter::new(&query), chapters, since, seen: BTreeSet::new(), known }),
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
    /// Which row ids are of this process.
    chapters: Arc<Chapters>,
    /// Requests up to this number are not told.
    since: u64,
    /// Numbers of requests that were told, of the last [`WINDOW`].
    seen: BTreeSet<u64>,
    /// Segments that hold nothing new.
    known: HashSet<i64>,
}

impl Tail {
    fn look(&mut self, snapshot: &Snapshot, deadline: &Deadline) -> Result<Vec<TailEvent>, QueryError> {
        let (mut notes, mut found, mut new) = (Notes::default(), Found::default(), BTreeSet::new());
        let mut columns = vec![col::ROW_ID];
        columns.extend(self.filter.columns());
        let read = Read { columns: &columns, prune: self.filter.prune(), from: i64::MIN, to: i64::MAX };
        let sources = all_sources(snapshot);
        for (number, source) in sources.iter().enumerate() {
            if matches!(source, Source::Stored(segment) if self.known.contains(&segment.meta().id)) {
                continue;
            }
            scan::each_chunk(source, &read, deadline, &mut notes, |chunk| {
                self.take(number, chunk, deadline, &mut new, &mut found)
            })?;
        }
        self.known = segments(snapshot);
        self.seen.extend(new);
        if let Some(last) = self.seen.last().copied() {
            self.since = self.since.max(last.saturating_sub(WINDOW));
            self.seen = self.seen.split_off(&(self.since + 1));
        }
        found.events(&sources, deadline, notes)
    }

    fn take(
        &self,
        source: usize,
        chunk: &Chunk,
        deadline: &Deadline,
        new: &mut BTreeSet<u64>,
        found: &mut Found,
    ) -> Result<(), Halt> {
        let ids = Columns::new(&chunk.batch).u64s(col::ROW_ID)?;
        let filter = self.filter.bind(&chunk.batch)?;
        let mut pace = Pace::new(deadline, &chunk.batch, self.filter.conditions());
        for (row, &id) in ids.iter().enumerate() {
            // What other processes take is told by them.
            let Some(sequence) = self.chapters.sequence(id) else { continue };
            if sequence <= self.since || self.seen.contains(&sequence) {
                continue;
            }
            new.insert(sequence);
            pace.row(row)?;
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
    fn events(self, sources: &[Source], deadline: &Deadline, mut notes: Notes) -> Result<Vec<TailEvent>, QueryError> {
        let place = |&(id, source, row): &(u64, usize, u32)| {
            let position = Position { time: 0, id: RowId(id) }; // the id alone is the order of a tail
            Place { position, source, row }
        };
        let places: Vec<Place> = self.rows.iter().map(place).collect();
        let Fetched { records, places: told } = fetch(sources, &places, MOST_BYTES, deadline, &mut notes)?;
        let dropped = self.dropped + (places.len() - told) as u64;
        let mut events: Vec<TailEvent> = records.into_iter().map(|record| TailEvent::Log(Box::new(record))).collect();
        events.extend((dropped > 0).then_some(TailEvent::Dropped(dropped)));
        events.extend(notes.warnings.into_iter().map(TailEvent::Warning));
        Ok(events)
    }
}

fn segments(snapshot: &Snapshot) -> HashSet<i64> {
    let sources = all_sources(snapshot);
    let stored = sources.iter().filter_map(|source| match source {
        Source::Stored(segment) => Some(segment.meta().id),
        Source::Live(_) => None,
    });
    stored.collect()
}
