//! The catalogue: which segments there are. A DuckLake (ducklake.select, specification 1.0) in SQLite.
//!
//! ```text
//!  ducklake_snapshot ─▶ ducklake_data_file ─▶ Parquet file     read by DuckDB and by us
//!                              │ data_file_id
//!                        clew_segment ───────▶ index file      and the checksums of both
//! ```
//!
//! A commit is one SQL transaction and one snapshot: all of its segments come and go together.
//! Anyone may `ATTACH 'ducklake:sqlite:<data-dir>/catalog.db'` meanwhile, to read and to write.
//!
//! It does not open the files that it names.

mod check;
mod columns;
mod commit;
mod ddl;
mod error;
mod foreign;
mod garbage;
mod lake;
mod list;
mod measure;
mod open;
mod sqlite;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sqlx::Connection as _;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

pub use error::CatalogError;
pub use measure::ColumnStats;
pub use text::Value;

use crate::schema::Table;
use crate::segment::SegmentMeta;
use crate::store::Clock;

/// Number of each column within its table, by name.
type FieldIds = BTreeMap<Table, HashMap<String, i64>>;

/// Attempts of a commit that loses against other writers.
const ATTEMPTS: u32 = 5;

/// Layout of a segment's files that this version writes and reads.
const SEGMENT_FORMAT: i64 = 1;

/// One lake, opened for writing. Calls queue up behind each other; each takes milliseconds.
pub struct Catalog {
    /// None once closed.
    connection: Mutex<Option<sqlite::Connection>>,
    fields: FieldIds,
    clock: Clock,
}

/// What one commit does, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub add: Vec<NewSegment>,
    /// Ids of live segments; their files stay until [`Catalog::expired_files`] gives them out.
    pub remove: Vec<i64>,
    /// Requests of the write-ahead log up to this sequence number are in segments now.
    pub checkpoint: Option<u64>,
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
        Self { meta: meta.clone(), footer_bytes, columns: measure::columns(rows) }
    }
}

/// What a commit became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedSnapshot {
    /// DuckLake's number: `AT (VERSION => …)`. The one before where only the checkpoint moved.
    pub snapshot: i64,
    /// Ids of the new segments in the order of [`Change::add`]. None is ever given out twice.
    pub segment_ids: Vec<i64>,
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
    /// Opens the database file `path`, and makes it a lake with our tables where it is not yet one.
    /// `data_path` is the folder of the segments; it must exist, and may have moved since.
    pub async fn open(path: &Path, data_path: &Path, clock: Clock) -> Result<Self, CatalogError> {
        let wanted: Vec<(Table, SchemaRef)> = Table::ALL.into_iter().map(|table| (table, table.schema())).collect();
        Self::open_with(path, data_path, clock, &wanted).await
    }

    async fn open_with(
        path: &Path,
        data_path: &Path,
        clock: Clock,
        wanted: &[(Table, SchemaRef)],
    ) -> Result<Self, CatalogError> {
        let mut connection = sqlite::connect(path).await?;
        open::prepare(&mut connection, data_path, clock.now(), wanted).await?;
        let fields = open::field_ids(&mut connection).await?;
        Ok(Self { connection: Mutex::new(Some(connection)), fields, clock })
    }

    /// The number by which DuckLake finds a column: the Parquet field must carry it. A lake that
    /// has grown columns numbers them in the order they came, which need not be the schema's.
    pub fn field_id(&self, table: Table, column: &str) -> Option<i32> {
        let id = self.fields.get(&table)?.get(column)?;
        i32::try_from(*id).ok()
    }

    /// Applies a change. It is durable when this returns; when the future is dropped, it happened or not.
    pub async fn commit(&self, change: Change) -> Result<CommittedSnapshot, CatalogError> {
        let mut connection = self.lock().await?;
        let mut attempt = 1;
        loop {
            match commit::commit(&mut connection, &change, &self.fields, self.clock.now()).await {
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
        list::segments(&mut *self.lock().await?).await
    }

    /// Rows that a DuckDB user deleted, by segment; only segments that lost some. The files still
    /// hold them, and merging the segment would bring them back to the lake.
    pub async fn deleted_rows(&self) -> Result<HashMap<i64, u64>, CatalogError> {
        list::deleted_rows(&mut *self.lock().await?).await
    }

    /// The write-ahead log's sequence number of the last commit that gave one, or 0.
    pub async fn checkpoint(&self) -> Result<u64, CatalogError> {
        Ok(state::get(&mut *self.lock().await?, state::CHECKPOINT).await?.unwrap_or(0))
    }

    /// Expires the snapshots that were replaced `grace` ns ago or before; time travel reaches no
    /// further. Gives the files, relative to the data path, that nothing needs since: delete them,
    /// then [`Self::forget_files`]. They are given again until then, so a file may be gone already.
    pub async fn expired_files(&self, grace: i64) -> Result<Vec<String>, CatalogError> {
        let now = self.clock.now();
        garbage::expire(&mut *self.lock().await?, now.saturating_sub(grace), now).await
    }

    /// These files are deleted.
    pub async fn forget_files(&self, paths: &[String]) -> Result<(), CatalogError> {
        garbage::forget(&mut *self.lock().await?, paths).await
    }

    /// Every file below the data path that the catalogue knows, relative to it. A file that is not
    /// among them, and is not being written by anyone, is an orphan. A DuckDB that inserts writes its
    /// file first too.
    pub async fn known_files(&self) -> Result<BTreeSet<String>, CatalogError> {
        list::known_files(&mut *self.lock().await?).await
    }

    /// Looks for contradictions in the catalogue. It reads none of the files.
    pub async fn check(&self) -> Result<Vec<Finding>, CatalogError> {
        check::check(&mut *self.lock().await?, &self.fields).await
    }

    /// Lets go of the database; every later call fails. Nothing depends on it: what was committed is
    /// on disk.
    pub async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the catalogue did not close cleanly");
        }
    }

    async fn lock(&self) -> Result<MappedMutexGuard<'_, sqlite::Connection>, CatalogError> {
        let guard = self.connection.lock().await;
        MutexGuard::try_map(guard, Option::as_mut)
            .map_err(|_| CatalogError::Invalid("the catalogue is closed".to_owned()))
    }
}
