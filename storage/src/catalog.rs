//! The catalogue: which segments there are. A DuckLake (ducklake.select, specification 1.0) in SQLite, or
//! in PostgreSQL, where several processes share it.
//!
//! ```text
//!  ducklake_snapshot ─▶ ducklake_data_file ─▶ Parquet file     read by DuckDB and by us
//!                              │ data_file_id
//!                        clew_segment ───────▶ index file      and the checksums of both
//! ```
//!
//! A commit is one SQL transaction and one snapshot: all of its segments come and go together.
//! Anyone may `ATTACH 'ducklake:sqlite:<data-dir>/catalog.db'` (or `'ducklake:postgres:…'`) meanwhile, to
//! read and to write.
//!
//! It does not open the files that it names.

mod check;
mod columns;
mod commit;
mod copy;
mod db;
mod ddl;
mod digest;
mod documents;
mod erase;
mod error;
mod foreign;
mod garbage;
mod lake;
mod list;
mod look;
mod measure;
mod open;
mod postgres;
mod rollup;
mod sqlite;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod text;
mod thinned;
mod views;
mod writers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sqlx::Connection as _;
use tokio::sync::{Mutex, MutexGuard};

pub(crate) use copy::{NamedFile, copy, named};
pub use db::{PostgresUrl, Source};
pub use documents::DocumentChange;
pub use error::CatalogError;
pub use measure::ColumnStats;
pub use rollup::{Backfill, ChunkKind, ChunkMeta, Counters, NewChunk, RollupChange, RollupState};
pub use text::Value;

use crate::schema::Table;
use crate::segment::SegmentMeta;
use crate::store::Clock;

/// Number of each column within its table, by name.
type FieldIds = BTreeMap<Table, HashMap<String, i64>>;

/// Attempts of a commit that loses against other writers.
const ATTEMPTS: u32 = 5;

/// A call that takes longer is given up: its database does not answer. What it did is not known.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// Layout of a segment's files that this version writes and reads.
/// 1: all terms of an index in tantivy; 2: one run of rows. Both are read, and no longer written.
const SEGMENT_FORMAT: i64 = 3;

/// One lake, opened for writing. Calls queue up behind each other; each takes milliseconds.
pub struct Catalog {
    source: Source,
    /// None once closed.
    link: Mutex<Option<Link>>,
    /// Of this opening, among those of the same writer.
    session: u64,
    /// See [`Catalog::look`].
    read_only: bool,
    fields: FieldIds,
    clock: Clock,
}

/// The connection; None after it was lost, until the next call makes another.
type Link = Option<db::Connection>;

/// What one commit does, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub add: Vec<NewSegment>,
    /// Ids of live segments; their files stay until [`Catalog::expired_files`] gives them out.
    pub remove: Vec<i64>,
    /// Requests of the write-ahead log up to this sequence number are in segments now.
    pub checkpoint: Option<u64>,
    /// Live segments that a tail rule has judged and left whole: id, and name of the rule.
    pub mark: Vec<(i64, u64)>,
    pub rollup: Option<RollupChange>,
}

/// A segment whose files are written and synced.
#[derive(Clone, Debug)]
pub struct NewSegment {
    /// Its id is ignored. The Parquet path is below the folder of its table, `main/<table>/`.
    meta: SegmentMeta,
    footer_bytes: u64,
    columns: Vec<ColumnStats>,
}

impl NewSegment {
    /// `footer_bytes` is the length of the Parquet metadata, as the four bytes before the last `PAR1`
    /// tell; `rows` are those in the file.
    pub fn new(meta: &SegmentMeta, footer_bytes: u64, rows: &RecordBatch) -> Self {
        Self::measured(meta, footer_bytes, measure::columns(rows))
    }

    /// The same with statistics that were taken while the file was written.
    pub fn measured(meta: &SegmentMeta, footer_bytes: u64, columns: Vec<ColumnStats>) -> Self {
        Self { meta: meta.clone(), footer_bytes, columns }
    }
}

/// What a commit became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedSnapshot {
    /// DuckLake's number: `AT (VERSION => …)`. The one before where only the checkpoint moved.
    pub snapshot: i64,
    /// Ids of the new segments in the order of [`Change::add`]. None is ever given out twice.
    pub segment_ids: Vec<i64>,
    /// Where counts changed: ids of the new chunks in the order of [`RollupChange::add`], and the version.
    pub rollup: Option<(Vec<i64>, u64)>,
}

/// Something that [`Catalog::check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// False: another program changed the lake in a lawful way that Clew's answers do not show.
    pub damage: bool,
    pub what: String,
}

impl Finding {
    fn damage(what: String) -> Self {
        Self { damage: true, what }
    }

    fn notice(what: String) -> Self {
        Self { damage: false, what }
    }
}

impl Catalog {
    /// Opens the database, and makes it a lake with our tables where it is not yet one. `data_path` is where
    /// the segments are, as DuckLake writes it: an absolute path or a URL, with a slash at its end. Where
    /// the lake is nobody else's, it may have moved since.
    pub async fn open(source: Source, data_path: &str, clock: Clock) -> Result<Self, CatalogError> {
        let wanted: Vec<(Table, SchemaRef)> = Table::ALL.into_iter().map(|table| (table, table.schema())).collect();
        Self::open_with(source, data_path, clock, &wanted).await
    }

    async fn open_with(
        source: Source,
        data_path: &str,
        clock: Clock,
        wanted: &[(Table, SchemaRef)],
    ) -> Result<Self, CatalogError> {
        let mut connection = db::connect(&source).await?;
        if let Source::Postgres { url, .. } = &source
            && let Some(schema) = url.schema()
        {
            within(postgres::create_schema(&mut connection, schema)).await?;
        }
        let session = random();
        let fields = within(async {
            open::prepare(&mut connection, data_path, source.is_shared(), clock.now(), wanted).await?;
            if let Some(writer) = source.writer() {
                writers::enter(&mut connection, writer, session).await?;
            }
            open::field_ids(&mut connection).await
        });
        let fields = fields.await?;
        Ok(Self { source, link: Mutex::new(Some(Some(connection))), session, read_only: false, fields, clock })
    }

    /// Whether other processes ingest into the lake too.
    pub fn is_shared(&self) -> bool {
        self.source.is_shared()
    }

    /// The number by which DuckLake finds a column: the Parquet field must carry it. A lake that
    /// has grown columns numbers them in the order they came, which need not be the schema's.
    pub fn field_id(&self, table: Table, column: &str) -> Option<i32> {
        let id = self.fields.get(&table)?.get(column)?;
        i32::try_from(*id).ok()
    }

    /// Applies a change. It is durable when this returns; when the future is dropped, it happened or not.
    pub async fn commit(&self, change: Change) -> Result<CommittedSnapshot, CatalogError> {
        let mut attempt = 1;
        loop {
            let mut held = self.hold().await?;
            let result = within(async {
                let connection = &mut held.connection;
                commit::commit(connection, &change, &self.writer(), &self.fields, self.clock.now()).await
            });
            let result = result.await;
            match held.end(result).await {
                Err(error) if error.another_writer() && attempt < ATTEMPTS => {
                    tracing::debug!(attempt, %error, "another program writes to the lake");
                    tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Segments that are part of the lake now, oldest first. Those that a DuckDB user has dropped or
    /// merged into files of their own are not among them.
    pub async fn segments(&self) -> Result<Vec<SegmentMeta>, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(list::segments(&mut held.connection)).await;
        held.end(result).await
    }

    /// What no other lake has: made when the lake was.
    pub async fn id(&self) -> Result<String, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(lake::id(&mut held.connection)).await;
        held.end(result).await
    }

    /// Number of the newest snapshot: as long as it stays, so do the segments.
    pub async fn newest_snapshot(&self) -> Result<i64, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(lake::newest(&mut held.connection)).await;
        held.end(result).await
    }

    /// Rows that a DuckDB user deleted, by segment; only segments that lost some. The files still
    /// hold them, and merging the segment would bring them back to the lake.
    pub async fn deleted_rows(&self) -> Result<HashMap<i64, u64>, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(list::deleted_rows(&mut held.connection)).await;
        held.end(result).await
    }

    /// The write-ahead log's sequence number of the last commit of this writer that gave one, or 0. A
    /// commit whose outcome is not known has happened by then, or never will.
    pub async fn checkpoint(&self) -> Result<u64, CatalogError> {
        let mut held = self.hold().await?;
        let (connection, writer) = (&mut held.connection, self.source.writer());
        let result = match self.read_only {
            true => within(state::get(connection, &state::checkpoint(writer))).await.map(Option::unwrap_or_default),
            false => within(commit::checkpoint(connection, writer)).await,
        };
        held.end(result).await
    }

    /// Chapters of row ids that this writer has, by the part of its sequence numbers. None where there is
    /// one writer.
    pub async fn chapters(&self) -> Result<Option<BTreeMap<u64, u64>>, CatalogError> {
        let Some(writer) = self.source.writer() else { return Ok(None) };
        let mut held = self.hold().await?;
        let result = within(writers::chapters(&mut held.connection, writer)).await;
        held.end(result).await.map(Some)
    }

    /// The chapter of row ids for a part of this writer's sequence numbers: no other writer has it, and it
    /// is the same when asked again. Where there is one writer, chapters are parts.
    pub async fn take_chapter(&self, part: u64) -> Result<u64, CatalogError> {
        let Some(writer) = self.source.writer() else { return Ok(part) };
        let mut held = self.hold().await?;
        let result = within(writers::take_chapter(&mut held.connection, writer, part)).await;
        held.end(result).await
    }

    /// Takes or keeps, for so many ns, what one process at a time should do; false while another has it.
    /// Nothing may depend on it but the work that is saved: clocks differ.
    pub async fn lease(&self, name: &str, time: i64) -> Result<bool, CatalogError> {
        let Some(writer) = self.source.writer() else { return Ok(true) };
        let now = self.clock.now();
        let mut held = self.hold().await?;
        let result = within(writers::lease(&mut held.connection, name, writer, now, now.saturating_add(time))).await;
        held.end(result).await
    }

    /// (id, text) of all documents of a kind, by id.
    pub async fn documents(&self, kind: &str) -> Result<Vec<(String, String)>, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(documents::all(&mut held.connection, kind)).await;
        held.end(result).await
    }

    /// Replaces and removes documents of a kind, all or none.
    pub async fn put_documents(&self, kind: &str, changes: &[DocumentChange]) -> Result<(), CatalogError> {
        let mut held = self.hold().await?;
        let result = within(documents::put(&mut held.connection, kind, changes)).await;
        held.end(result).await
    }

    /// Expires the snapshots that were replaced `grace` ns ago or before; time travel reaches no
    /// further. Gives the files, relative to the data path, that nothing needs since: delete them,
    /// then [`Self::forget_files`]. They are given again until then, so a file may be gone already.
    pub async fn expired_files(&self, grace: i64) -> Result<Vec<String>, CatalogError> {
        let now = self.clock.now();
        let mut held = self.hold().await?;
        let result = within(garbage::expire(&mut held.connection, now.saturating_sub(grace), now)).await;
        held.end(result).await
    }

    /// These files are deleted.
    pub async fn forget_files(&self, paths: &[String]) -> Result<(), CatalogError> {
        let mut held = self.hold().await?;
        let result = within(garbage::forget(&mut held.connection, paths)).await;
        held.end(result).await
    }

    /// Expires every snapshot but the newest, without grace: how many, and the files that nothing needs
    /// since; delete them, then [`Self::forget_files`].
    pub async fn expire_all(&self) -> Result<(u64, Vec<String>), CatalogError> {
        let now = self.clock.now();
        let mut held = self.hold().await?;
        let result = within(erase::expire_all(&mut held.connection, now)).await;
        held.end(result).await
    }

    /// Tables in which other programs have deleted rows or keep rows of their own in the database.
    pub async fn touched(&self) -> Result<Vec<Table>, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(erase::touched(&mut held.connection)).await;
        held.end(result).await
    }

    /// Clears the database of bytes that were deleted.
    pub async fn scrub(&self) -> Result<(), CatalogError> {
        let mut held = self.hold().await?;
        let result = within(erase::scrub(&mut held.connection)).await;
        held.end(result).await
    }

    /// Every file below the data path that the catalogue knows, relative to it. A file that is not
    /// among them, and is not being written by anyone, is an orphan. A DuckDB that inserts writes its
    /// file first too.
    pub async fn known_files(&self) -> Result<BTreeSet<String>, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(list::known_files(&mut held.connection)).await;
        held.end(result).await
    }

    /// Looks for contradictions in the catalogue. It reads none of the files.
    pub async fn check(&self) -> Result<Vec<Finding>, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(check::check(&mut held.connection, &self.fields)).await;
        held.end(result).await
    }

    /// Lets go of leases and of the database; every later call fails. Nothing depends on it: what was
    /// committed is on disk.
    pub async fn close(&self) {
        let Some(Some(mut connection)) = self.link.lock().await.take() else { return };
        let close = async {
            if let Some(writer) = self.source.writer().filter(|_| !self.read_only) {
                writers::release(&mut connection, writer).await?;
            }
            Ok(connection.close().await?)
        };
        if let Err(error) = within(close).await {
            tracing::warn!(%error, "the catalogue did not close cleanly");
        }
    }

    fn writer(&self) -> Writer<'_> {
        Writer { name: self.source.writer(), session: self.session }
    }

    /// The connection for one call; a new one when the last was lost.
    async fn hold(&self) -> Result<Held<'_>, CatalogError> {
        let mut link = self.link.lock().await;
        let known = link.as_mut().ok_or_else(|| CatalogError::Invalid("the catalogue is closed".to_owned()))?.take();
        let connection = match known {
            Some(connection) => connection,
            None => db::connect(&self.source).await?,
        };
        Ok(Held { link, connection })
    }
}

/// Who commits. Without a name there is one writer.
#[derive(Clone, Copy, Debug)]
struct Writer<'a> {
    name: Option<&'a str>,
    session: u64,
}

/// A call on its way. One that is dropped, or that the database did not answer, takes the connection
/// with it: in what state that is, nobody knows.
struct Held<'a> {
    link: MutexGuard<'a, Option<Link>>,
    connection: db::Connection,
}

impl Held<'_> {
    async fn end<T>(mut self, result: Result<T, CatalogError>) -> Result<T, CatalogError> {
        let lost = match &result {
            Ok(_) => false,
            Err(CatalogError::Disk(_)) if db::is_postgres(&self.connection) => true,
            Err(_) => !self.begins().await,
        };
        if !lost && self.is_idle().await {
            *self.link = Some(Some(self.connection));
        }
        result
    }

    /// After a commit that failed with EIO, SQLite has ended the transaction and sqlx (0.9) believes in it
    /// for ever.
    async fn begins(&mut self) -> bool {
        within(async { Ok(db::begin_read(&mut self.connection).await?.rollback().await?) }).await.is_ok()
    }

    /// A transaction that was left is rolled back with the next statement: until then its locks would
    /// keep the other processes from the lake.
    async fn is_idle(&mut self) -> bool {
        if !self.connection.should_flush() {
            return true;
        }
        within(async { Ok(self.connection.flush().await?) }).await.is_ok()
    }
}

async fn within<T>(call: impl Future<Output = Result<T, CatalogError>>) -> Result<T, CatalogError> {
    let late = |_| CatalogError::Disk(format!("no answer within {} s", CALL_LIMIT.as_secs()));
    tokio::time::timeout(CALL_LIMIT, call).await.map_err(late)?
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
