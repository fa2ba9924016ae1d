//! From the live buffer to segments: encode, write, commit, switch the view.

use arrow::datatypes::SchemaRef;
use hashbrown::HashSet;

use super::*;
use crate::catalog::{Change, ChunkMeta, NewSegment, RollupChange};
use crate::fault;
use crate::lake::{Draft, LakeError};
use crate::segment::blob::Checksums;
use crate::segment::{self, EncodeError, Encoded, RewriteError, Segment, SegmentMeta};

/// A flush is late once the buffer holds so many times what it is due at.
const LATE_FLUSHES: usize = 2;

/// Nothing was changed; what was to be written is where it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Encode(EncodeError),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Catalog(#[from] crate::catalog::CatalogError),
    #[error("a stored segment cannot be read: {0}")]
    Read(#[from] crate::scan::ReadError),
    #[error("a thread ended early: {0}")]
    Thread(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Quiet(#[from] quiet::Ended),
    #[error(transparent)]
    Injected(#[from] fault::Injected),
}

impl From<RewriteError> for WriteError {
    fn from(error: RewriteError) -> Self {
        match error {
            RewriteError::Read(error) => Self::Read(error),
            RewriteError::Encode(error) => error.into(),
        }
    }
}

impl From<EncodeError> for WriteError {
    fn from(error: EncodeError) -> Self {
        match error {
            // The disk may take it next time; what cannot be encoded never will be.
            EncodeError::Lake(error) => Self::Lake(error),
            error => Self::Encode(error),
        }
    }
}

impl Store {
    /// Writes the live buffer to segments; rows written. When it fails the rows stay where they
    /// are, durable and visible, and the next flush takes them along.
    ///
    /// Runs on when the caller goes away: between the commit and the change of the view nothing may stop it.
    pub async fn flush(self: &Arc<Self>) -> Result<u64, WriteError> {
        let store = self.clone();
        tokio::spawn(async move { store.flush_whole().await }).await?
    }

    pub(super) async fn flush_whole(self: &Arc<Self>) -> Result<u64, WriteError> {
        let _alone = self.flushing.lock().await;
        self.settle().await?;
        let sequence = self.freeze().await;
        if sequence == self.checkpoint.load(Ordering::SeqCst) {
            return Ok(0);
        }
        fault::point("flush.frozen")?;
        // Requests without rows leave nothing to write, but the log must let go of them too.
        let written = self.write_frozen().await?;
        let rows = written.iter().map(|segment| segment.meta.rows).sum();
        let committed = self.commit_flush(written, sequence).await?;
        fault::point("flush.after-commit")?;
        self.committed(sequence, |view| {
            committed.count(view);
            add(view, committed.segments);
        });
        tracing::debug!(rows, sequence, "flushed");
        Ok(rows)
    }

    /// A commit may fail after the database has taken it. Before anything else is set apart, the
    /// catalogue tells; else its rows would be written twice.
    async fn settle(&self) -> Result<(), WriteError> {
        let Some(sequence) = *self.unsettled.lock() else { return Ok(()) };
        let _publishing = self.publishing.lock().await;
        if self.catalog.checkpoint().await? == sequence && !fault::planted("bug.skip-settle") {
            let difference = self.difference(self.catalog.contents().await?);
            self.committed(sequence, |view| difference.apply(view));
        }
        *self.unsettled.lock() = None;
        Ok(())
    }

    /// The frozen rows are in these segments now.
    fn committed(&self, sequence: u64, show: impl FnOnce(&mut View)) {
        self.change(|view| {
            for table in Table::ALL {
                view.table_mut(table).frozen.clear();
            }
            show(view);
        });
        // What it returns has nobody to go to: only a kill or a pause makes sense here.
        let _ = fault::point("flush.before-checkpoint");
        self.checkpoint.store(sequence, Ordering::SeqCst);
        *self.unsettled.lock() = None;
        self.counting.let_go();
        if let Some(wal) = self.wal.get() {
            wal.checkpoint(sequence, self.settings.clock.now());
        }
    }

    /// Writes all frozen rows. When it fails nothing stays on disk: the next attempt has other names.
    pub(super) async fn write_frozen(&self) -> Result<Vec<Written>, WriteError> {
        let view = self.view.load_full();
        let mut written = Vec::new();
        for table in Table::ALL {
            let batches: Vec<RecordBatch> = view.table(table).frozen.iter().map(|batch| batch.rows().clone()).collect();
            match self.write_segment(table, batches).await {
                Ok(segment) => written.extend(segment),
                Err(error) => {
                    for segment in &written {
                        self.discard(&segment.meta).await;
                    }
                    return Err(error);
                }
            }
        }
        Ok(written)
    }

    pub(super) async fn discard_all(&self, written: &[Written]) {
        for one in written {
            self.discard(&one.meta).await;
        }
    }

    /// Deletes files that will not be committed. Where that fails too, the sweep finds them.
    async fn discard(&self, meta: &SegmentMeta) {
        let deletes =
            [&meta.parquet, &meta.index].map(|path| async { self.lake.delete(&path.to_string_lossy()).await });
        futures::future::join_all(deletes).await;
    }

    /// Sets the live rows apart; the last sequence that they hold.
    pub(super) async fn freeze(&self) -> u64 {
        let _everyone = self.gate.write().await;
        self.change(|view| {
            for table in Table::ALL {
                let part = view.table_mut(table);
                part.frozen.append(&mut part.live);
            }
        });
        self.last_sequence.load(Ordering::SeqCst)
    }

    /// Encodes and writes files; None without rows. What is written is garbage until committed.
    pub(super) async fn write_segment(
        &self,
        table: Table,
        batches: Vec<RecordBatch>,
    ) -> Result<Option<Written>, WriteError> {
        if batches.is_empty() {
            return Ok(None);
        }
        let time = batches.iter().filter_map(|batch| segment::time_bounds(table, batch)).map(|(least, _)| least).min();
        let (schema, place) = (self.file_schema(table), self.place(table, time.unwrap_or_default()));
        let begin = place.begin();
        let encoded = self.at_leisure(move || segment::encode(table, schema, &batches, begin()?)).await??;
        match encoded {
            Some(encoded) => self.put_segment(place, encoded, Vec::new()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Runs a part of a flush. While flushes keep up it gives way to requests; once they fall behind it does not, for
    /// soon there would be no room for any.
    pub(super) async fn at_leisure<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WriteError> {
        let held: usize = self.view.load().batches().map(|batch| batch.bytes()).sum();
        if held < LATE_FLUSHES * self.settings.flush_bytes {
            Ok(quiet::quietly(work).await?)
        } else {
            Ok(tokio::task::spawn_blocking(work).await?)
        }
    }

    /// For a segment that begins about then, ns.
    pub(super) fn place(&self, table: Table, time: i64) -> Place {
        let name = format!("{}/{time:016x}-{:016x}", folder(table), random());
        Place { lake: self.lake.clone(), _pending: Pending::new(&self.pending, &name), name }
    }

    /// As the lake numbers the columns now.
    pub(super) fn file_schema(&self, table: Table) -> SchemaRef {
        segment::file_schema(table, |column| self.catalog.field_id(table, column))
    }

    /// Publishes what was written at a place; `thinned` are the tail rules that the rows were judged by. It is
    /// garbage until committed.
    pub(super) async fn put_segment(
        &self,
        place: Place,
        encoded: Encoded,
        thinned: Vec<u64>,
    ) -> Result<Written, WriteError> {
        let Encoded { table, parquet, parquet_footer, index, rows, columns, min_time, max_time } = encoded;
        let meta = SegmentMeta {
            id: 0, // given by the catalogue
            table,
            parquet: place.parquet().into(),
            index: place.index().into(),
            parquet_bytes: parquet.bytes(),
            index_bytes: index.len() as u64,
            rows,
            min_time,
            max_time,
            parquet_checksums: parquet.checksums(),
            index_checksums: Checksums::of(&index),
            thinned,
        };
        let put = async {
            fault::point("segment.before-parquet")?;
            self.lake.publish(parquet).await?;
            fault::point("segment.after-parquet")?;
            self.lake.put(&place.index(), index.into()).await?;
            Ok::<(), WriteError>(fault::point("segment.after-index")?)
        };
        if let Err(error) = put.await {
            self.discard(&meta).await;
            return Err(error);
        }
        Ok(Written { segment: NewSegment::measured(&meta, parquet_footer, columns), meta, _place: place })
    }

    /// One catalogue transaction; the segments as they now are. Hold what it gives until the view shows them.
    pub(super) async fn commit(
        &self,
        written: Vec<Written>,
        remove: Vec<i64>,
        checkpoint: Option<u64>,
    ) -> Result<Committed<'_>, WriteError> {
        self.commit_change(&written, Change { remove, checkpoint, ..Change::default() }).await
    }

    /// The same for segments of which no row goes, but which were judged: by id, and by which rule.
    pub(super) async fn commit_marked(
        &self,
        written: Vec<Written>,
        remove: Vec<i64>,
        mark: Vec<(i64, u64)>,
    ) -> Result<Committed<'_>, WriteError> {
        self.commit_change(&written, Change { remove, mark, ..Change::default() }).await
    }

    pub(super) async fn commit_change(&self, written: &[Written], change: Change) -> Result<Committed<'_>, WriteError> {
        let add = written.iter().map(|written| written.segment.clone()).collect();
        let publishing = self.publishing.lock().await;
        let rollup = change.rollup.clone();
        let committed = self.catalog.commit(Change { add, ..change }).await?;
        let segments = written.iter().zip(committed.segment_ids).map(|(written, id)| {
            let meta = SegmentMeta { id, ..written.meta.clone() };
            Arc::new(Segment::new(meta, &self.lake, self.cache.clone()))
        });
        let counts = rollup.zip(committed.rollup).map(|(change, (ids, version))| {
            for (id, chunk) in ids.iter().zip(&change.add) {
                self.counting.keep(*id, chunk);
            }
            NewCounts { change, ids, version }
        });
        Ok(Committed { segments: segments.collect(), counts, _publishing: publishing })
    }
}

/// Segments and counts that the catalogue has and the view has not yet.
pub(super) struct Committed<'a> {
    pub(super) segments: Vec<Arc<Segment>>,
    counts: Option<NewCounts>,
    _publishing: tokio::sync::MutexGuard<'a, ()>,
}

struct NewCounts {
    change: RollupChange,
    ids: Vec<i64>,
    version: u64,
}

impl Committed<'_> {
    /// Shows the counts; segments go with them, in the same change of the view.
    pub(super) fn count(&self, view: &mut View) {
        let Some(NewCounts { change, ids, version }) = &self.counts else { return };
        let state = Arc::make_mut(&mut view.rollups);
        if change.base.is_some() {
            // Else others may have changed counts that this view does not show yet.
            state.version = *version;
        }
        let removed: HashSet<i64> = change.remove.iter().copied().collect();
        state.chunks.retain(|chunk| !removed.contains(&chunk.id));
        let new = ids.iter().zip(&change.add);
        state.chunks.extend(new.map(|(&id, chunk)| ChunkMeta { id, kind: chunk.kind, hour: chunk.hour }));
        if let Some((_, after)) = change.backfill {
            state.backfill = after;
        }
    }
}

/// A segment whose files are on disk.
pub(super) struct Written {
    pub(super) meta: SegmentMeta,
    segment: NewSegment,
    _place: Place,
}

/// Where the files of a segment are written: no orphans until it is dropped.
pub(super) struct Place {
    lake: Lake,
    name: String,
    _pending: Pending,
}

impl Place {
    fn parquet(&self) -> String {
        format!("{}.parquet", self.name)
    }

    fn index(&self) -> String {
        format!("{}.index", self.name)
    }

    /// Begins the Parquet file, on the thread that writes it.
    pub(super) fn begin(&self) -> impl FnOnce() -> Result<Draft, EncodeError> + Send + use<> {
        let (lake, path) = (self.lake.clone(), self.parquet());
        move || Ok(lake.draft(&path)?)
    }
}

/// Names (without extension) of files that may be on disk and are not yet committed: no orphans.
pub(super) type PendingNames = Arc<Mutex<HashSet<String>>>;

/// Keeps a name among the pending while the write may still be committed.
struct Pending {
    names: PendingNames,
    name: String,
}

impl Pending {
    fn new(names: &PendingNames, name: &str) -> Self {
        names.lock().insert(name.to_owned());
        Self { names: names.clone(), name: name.to_owned() }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.names.lock().remove(&self.name);
    }
}

/// Where a table's files are, relative to the lake's directory: DuckLake's `schema/table`.
fn folder(table: Table) -> String {
    format!("main/{}", table.name())
}

pub(super) fn add(view: &mut View, segments: Vec<Arc<Segment>>) {
    for segment in segments {
        Arc::make_mut(&mut view.table_mut(segment.meta().table).segments).push(segment);
    }
}

/// Sets files of one time apart; a clash would fail at the catalogue's unique path.
pub(super) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
