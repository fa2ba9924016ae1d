//! One page of log records, in either direction.

use arrow::record_batch::RecordBatch;
use storage::ids::RowId;
use storage::scan::{Chunk, Read, ReadError};
use storage::schema::{Table, col};
pub use storage::store::TimeOrder as LogOrder;
use storage::store::{Piece, Snapshot, Source};

use crate::engine::{Deadline, QueryError, Range};
use crate::logql::{LogFilter, LogQuery};
use crate::model::{LogRecord, Notes, Page};
use crate::rows::scan::{self, Halt, Pace, text_bytes};
use crate::rows::{Columns, LOG_COLUMNS, LogReader, Origins};

/// Which records to find.
#[derive(Clone, Debug)]
pub struct LogSearch {
    pub query: LogQuery,
    pub range: Range,
    pub order: LogOrder,
    /// Most records in the page.
    pub limit: usize,
    /// [`Page::next`] of the page before, in the same or the other direction.
    pub cursor: Option<String>,
}

impl LogSearch {
    pub fn new(query: LogQuery, range: Range, limit: usize) -> Self {
        Self { query, range, order: LogOrder::NewestFirst, limit, cursor: None }
    }
}

/// Whether `a` comes before `b`.
fn before(order: LogOrder, a: Position, b: Position) -> bool {
    compare(order, a, b).is_lt()
}

fn compare(order: LogOrder, a: Position, b: Position) -> std::cmp::Ordering {
    match order {
        LogOrder::NewestFirst => b.cmp(&a),
        LogOrder::OldestFirst => a.cmp(&b),
    }
}

/// Place of a record in the order of time; `time` in ns as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) time: i64,
    pub(super) id: RowId,
}

impl Position {
    pub(super) fn parse(cursor: &str) -> Result<Self, QueryError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(cursor, &mut bytes)
            .map_err(|_| QueryError::bad("the cursor is not one of a page of logs"))?;
        let (mut time, mut id) = ([0; 8], [0; 8]);
        time.copy_from_slice(&bytes[..8]);
        id.copy_from_slice(&bytes[8..]);
        Ok(Self { time: i64::from_be_bytes(time), id: RowId(u64::from_be_bytes(id)) })
    }

    fn cursor(self) -> String {
        hex::encode([self.time.to_be_bytes(), self.id.0.to_be_bytes()].concat())
    }
}

/// A record of a snapshot: a row of one of its sources, as [`all_sources`] lists them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) source: usize,
    pub(super) row: u32,
}

/// All sources of logs, in the order in which places number them.
pub(super) fn all_sources(snapshot: &Snapshot) -> Vec<Source> {
    snapshot.sources(Table::Logs, i64::MIN, i64::MAX)
}

pub(super) fn page(
    snapshot: &Snapshot,
    deadline: &Deadline,
    filter: &LogFilter,
    search: &LogSearch,
    after: Option<Position>,
    most_text: usize,
) -> Result<Page<LogRecord>, QueryError> {
    let mut notes = Notes::over(snapshot, search.range);
    let mut best = Best { places: Vec::new(), most: search.limit.saturating_add(1), order: search.order, last: None };
    let mut columns = vec![col::TIME, col::ROW_ID];
    columns.extend(filter.columns());
    let sources = all_sources(snapshot);
    let mut order: Vec<(usize, &Source)> = sources.iter().enumerate().collect();
    if search.order == LogOrder::OldestFirst {
        order.sort_by_key(|(_, source)| source.time_bounds().0);
    }
    for (number, source) in order {
        best.settle();
        let range = narrowed(search, after, best.last);
        let (least, greatest) = source.time_bounds();
        if greatest < range.from || (least >= range.to && range.to != i64::MAX) {
            continue;
        }
        let read = Read { columns: &columns, prune: filter.prune(), from: range.from, to: range.to };
        for piece in scan::pieces(source, &read, search.order, &mut notes) {
            best.settle();
            if best.is_past(&piece) {
                break;
            }
            let take = |chunk: &Chunk| take(number, chunk, filter, search, after, deadline, &mut best);
            scan::each_chunk_of(source, &read, &piece, deadline, &mut notes, take)?;
        }
    }
    let mut places = best.finish();
    let more = places.len() > search.limit;
    places.truncate(search.limit);
    let Fetched { records, places: shown } = fetch(&sources, &places, most_text, deadline, &mut notes)?;
    let cut = shown < places.len();
    if cut {
        let told = format!("only the first {shown} records are shown, for the text of more does not fit");
        notes.warnings.push(told);
    }
    let next = places[..shown].last().filter(|_| more || cut).map(|place| place.position.cursor());
    Ok(Page { items: records, next, notes })
}

/// The range in which rows can still be of the page.
fn narrowed(search: &LogSearch, after: Option<Position>, last: Option<Position>) -> Range {
    let Range { mut from, mut to } = search.range;
    let (newer_than, older_than) = match search.order {
        LogOrder::NewestFirst => (last, after),
        LogOrder::OldestFirst => (after, last),
    };
    if let Some(position) = newer_than {
        from = from.max(position.time);
    }
    if let Some(position) = older_than {
        to = to.min(position.time.saturating_add(1));
    }
    Range { from, to }
}

fn take(
    source: usize,
    chunk: &Chunk,
    filter: &LogFilter,
    search: &LogSearch,
    after: Option<Position>,
    deadline: &Deadline,
    best: &mut Best,
) -> Result<(), Halt> {
    let columns = Columns::new(&chunk.batch);
    let (times, ids) = (columns.times(col::TIME)?, columns.u64s(col::ROW_ID)?);
    let bound = filter.bind(&chunk.batch)?;
    let mut pace = Pace::new(deadline, &chunk.batch, filter.conditions());
    for row in 0..columns.rows() {
        let position = Position { time: times[row], id: RowId(ids[row]) };
        let open = search.range.contains(position.time)
            && after.is_none_or(|after| before(search.order, after, position))
            && best.wants(position);
        if !open {
            continue;
        }
        pace.row(row)?;
        if bound.check(row) {
            best.insert(Place { position, source, row: chunk.rows[row] });
        }
    }
    Ok(())
}

/// The first places seen, in bounded memory.
struct Best {
    places: Vec<Place>,
    most: usize,
    order: LogOrder,
    /// The last of `most`: what comes after it is not wanted.
    last: Option<Position>,
}

impl Best {
    fn wants(&self, position: Position) -> bool {
        self.last.is_none_or(|last| before(self.order, position, last))
    }

    /// Whether neither this piece nor one after it has a row that is wanted.
    fn is_past(&self, piece: &Piece) -> bool {
        self.last.is_some_and(|last| match self.order {
            LogOrder::NewestFirst => piece.greatest < last.time,
            LogOrder::OldestFirst => piece.least > last.time,
        })
    }

    fn insert(&mut self, place: Place) {
        self.places.push(place);
        if self.places.len() >= self.most.saturating_mul(2).max(1024) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.places.len() < self.most {
            return;
        }
        let order = self.order;
        let by_order = |a: &Place, b: &Place| compare(order, a.position, b.position);
        let (_, last, _) = self.places.select_nth_unstable_by(self.most - 1, by_order);
        self.last = Some(last.position);
        self.places.truncate(self.most);
    }

    fn finish(mut self) -> Vec<Place> {
        let order = self.order;
        self.places.sort_unstable_by(|a, b| compare(order, a.position, b.position));
        self.places.truncate(self.most);
        self.places
    }
}

/// Whole records of the first places.
pub(super) struct Fetched {
    pub(super) records: Vec<LogRecord>,
    /// How many of the places: the text of more found no room.
    pub(super) places: usize,
}

/// Places fetched at first; then up to so many times more, as their text allows.
const FETCH: usize = 16;
const FETCH_MORE: usize = 8;

/// Whole records in the order of their places, of at most `most_text` bytes of text; one always. What
/// cannot be read is noted and left out. `sources` are those of [`all_sources`].
pub(super) fn fetch(
    sources: &[Source],
    places: &[Place],
    most_text: usize,
    deadline: &Deadline,
    notes: &mut Notes,
) -> Result<Fetched, QueryError> {
    let (mut origins, mut fetched) = (Origins::default(), Fetched { records: Vec::new(), places: 0 });
    let (mut text, mut step) = (0, FETCH);
    while fetched.places < places.len() {
        deadline.check()?;
        let part = &places[fetched.places..places.len().min(fetched.places + step)];
        for (record, bytes) in read(sources, part, &mut origins, notes) {
            if text + bytes + origins.bytes() > most_text && !fetched.records.is_empty() {
                return Ok(fetched);
            }
            text += bytes;
            fetched.places += 1;
            fetched.records.extend(record);
        }
        let average = text / fetched.places + 1;
        step = (most_text.saturating_sub(text) / average).clamp(1, step * FETCH_MORE);
    }
    Ok(fetched)
}

/// Records with the bytes of their text, in the order of their places; None where one cannot be read.
fn read(
    sources: &[Source],
    places: &[Place],
    origins: &mut Origins,
    notes: &mut Notes,
) -> Vec<(Option<LogRecord>, usize)> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_unstable_by_key(|&at| (places[at].source, places[at].row));
    let mut records = vec![(None, 0); places.len()];
    for same_source in order.chunk_by(|&a, &b| places[a].source == places[b].source) {
        let rows: Vec<u32> = same_source.iter().map(|&at| places[at].row).collect();
        let read = sources[places[same_source[0]].source]
            .fetch(LOG_COLUMNS, &rows)
            .and_then(|batch| Ok((records_of(&batch, origins)?, text_bytes(&batch))));
        match read {
            Ok((read, bytes)) => {
                for ((&at, record), bytes) in same_source.iter().zip(read).zip(bytes) {
                    records[at] = (Some(record), bytes);
                }
            }
            Err(error) => notes.unreadable(&error),
        }
    }
    records
}

fn records_of(batch: &RecordBatch, origins: &mut Origins) -> Result<Vec<LogRecord>, ReadError> {
    let mut reader = LogReader::new(batch, origins)?;
    (0..batch.num_rows()).map(|row| reader.get(row)).collect()
}
