//! The loop that reads rows: chunk by chunk, within the deadline, past what is damaged; and how much
//! work and text rows are.

use arrow::array::{AsArray, StringArray};
use arrow::record_batch::RecordBatch;
use storage::scan::{Chunk, Read, ReadError};
use storage::schema::col;
use storage::store::{Piece, Source, TimeOrder};

use super::Columns;
use crate::engine::{Deadline, QueryError};
use crate::model::Notes;

/// Text that the rows of one answer may have, bytes. Parsed, it takes a few times as much memory.
pub(crate) const ANSWER_BYTES: usize = 256 << 20;

/// Why a chunk, or what follows it, is not taken.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The answer goes on with the next chunk, and says so.
    Unreadable(ReadError),
    /// Nothing more is wanted of this source.
    Enough,
    /// There is no answer.
    Query(QueryError),
}

impl From<ReadError> for Halt {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<QueryError> for Halt {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

/// Notes what could not be read. Whether to go on.
pub(crate) fn tolerate(taken: Result<(), Halt>, notes: &mut Notes) -> Result<bool, QueryError> {
    match taken {
        Ok(()) => Ok(true),
        Err(Halt::Enough) => Ok(false),
        Err(Halt::Unreadable(error)) => {
            notes.unreadable(&error);
            Ok(true)
        }
        Err(Halt::Query(error)) => Err(error),
    }
}

/// Hands every chunk of a source to `take`. What cannot be read is noted, and the rest goes on.
pub(crate) fn each_chunk(
    source: &Source,
    read: &Read<'_>,
    deadline: &Deadline,
    notes: &mut Notes,
    take: impl FnMut(&Chunk) -> Result<(), Halt>,
) -> Result<(), QueryError> {
    each(source.read(read), deadline, notes, take)
}

/// The pieces of a source. What cannot be read is noted.
pub(crate) fn pieces(source: &Source, read: &Read<'_>, order: TimeOrder, notes: &mut Notes) -> Vec<Piece> {
    source.pieces(read, order).unwrap_or_else(|error| {
        notes.unreadable(&error);
        Vec::new()
    })
}

/// As [`each_chunk`], of one piece.
pub(crate) fn each_chunk_of(
    source: &Source,
    read: &Read<'_>,
    piece: &Piece,
    deadline: &Deadline,
    notes: &mut Notes,
    take: impl FnMut(&Chunk) -> Result<(), Halt>,
) -> Result<(), QueryError> {
    each(source.read_piece(read, piece), deadline, notes, take)
}

fn each(
    chunks: Result<impl Iterator<Item = Result<Chunk, ReadError>>, ReadError>,
    deadline: &Deadline,
    notes: &mut Notes,
    mut take: impl FnMut(&Chunk) -> Result<(), Halt>,
) -> Result<(), QueryError> {
    deadline.check()?;
    let chunks = match chunks {
        Ok(chunks) => chunks,
        Err(error) => {
            notes.unreadable(&error);
            return Ok(());
        }
    };
    for chunk in chunks {
        deadline.check()?;
        let taken = chunk.map_err(Halt::from).and_then(|chunk| {
            notes.rows_read += chunk.batch.num_rows() as u64;
            take(&chunk)
        });
        if !tolerate(taken, notes)? {
            break;
        }
    }
    Ok(())
}

/// Looks at the deadline as often as the work on a batch calls for: many conditions on a long text are
/// more of it than a few on a short one.
pub(crate) struct Pace<'a> {
    deadline: &'a Deadline,
    texts: Vec<&'a StringArray>,
    conditions: usize,
    left: usize,
}

/// Conditions asked of [`PIECE`] bytes between two looks at the deadline: about a millisecond.
const WORK: usize = 1 << 16;
const PIECE: usize = 64;

impl<'a> Pace<'a> {
    /// `conditions` are asked of each row.
    pub(crate) fn new(deadline: &'a Deadline, batch: &'a RecordBatch, conditions: usize) -> Self {
        let texts = batch.columns().iter().filter_map(|column| column.as_string_opt::<i32>()).collect();
        Self { deadline, texts, conditions: conditions.max(1), left: WORK }
    }

    /// Call before the conditions are asked of a row.
    pub(crate) fn row(&mut self, row: usize) -> Result<(), QueryError> {
        let pieces: usize = self.texts.iter().map(|text| text.value_length(row) as usize / PIECE).sum();
        match self.left.checked_sub(self.conditions.saturating_mul(pieces + 1)) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = WORK;
                self.deadline.check()
            }
        }
    }
}

/// What rows share, and is held once.
const SHARED: [&str; 6] = [
    col::RESOURCE_ATTRIBUTES,
    col::RESOURCE_SCHEMA_URL,
    col::SCOPE_NAME,
    col::SCOPE_VERSION,
    col::SCOPE_ATTRIBUTES,
    col::SCOPE_SCHEMA_URL,
];

/// Bytes of the text of each row, without that of its resource and scope.
pub(crate) fn text_bytes(batch: &RecordBatch) -> Vec<usize> {
    let columns = Columns::new(batch);
    let mut bytes = vec![0; batch.num_rows()];
    let schema = batch.schema();
    let own = schema.fields().iter().map(|field| field.name().as_str()).filter(|name| !SHARED.contains(name));
    for texts in own.filter_map(|name| columns.strings(name).ok()) {
        bytes.iter_mut().enumerate().for_each(|(row, bytes)| *bytes += texts.text(row).len());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Limits;
    use crate::rows::testing::{log, log_batch};
    use crate::traces::testing::Stored;

    /// Rows asked until the deadline, which has passed, is looked at.
    async fn rows_until_stopped(conditions: usize, body: usize) -> usize {
        let allowed = std::time::Duration::from_millis(1);
        let stored = Stored::new(Limits { deadline: allowed, ..Limits::default() }).await;
        let asked = stored.engine.run(move |_, deadline| {
            std::thread::sleep(2 * allowed);
            let logs: Vec<_> = (0..20).map(|at| log(at, at, &"x".repeat(body))).collect();
            let batch = log_batch(&logs);
            let mut pace = Pace::new(deadline, &batch, conditions);
            let mut rows = (0..).map(|row| pace.row(row % 20));
            Ok(rows.position(|row| row.is_err()).expect("an end"))
        });
        asked.await.expect("a count")
    }

    #[tokio::test]
    async fn the_deadline_is_looked_at_as_the_work_calls_for() {
        let (light, many, long) =
            tokio::join!(rows_until_stopped(1, 10), rows_until_stopped(300, 10), rows_until_stopped(1, 1 << 20));
        assert!(light > 5_000 && light <= WORK, "{light}");
        assert!(many < 300, "{many}");
        assert!(long < 10, "{long}");
    }

    #[test]
    fn shared_text_is_not_counted() {
        let batch = log_batch(&[log(1, 1, "four"), log(2, 2, &"x".repeat(1000))]);
        let bytes = text_bytes(&batch);
        assert_eq!(bytes[1] - bytes[0], 996);
        assert!(bytes[0] < 50, "{bytes:?}");
    }
}
