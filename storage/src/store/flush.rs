//! From the live buffer to segments: encode, write, commit, switch the view.

use hashbrown::HashSet;

use super::*;
use crate::catalog::{Change, NewSegment};
use crate::lake::LakeError;
use crate::segment::blob::Checksums;
use crate::segment::{self, EncodeError, Encoded, Segment, SegmentMeta};

/// Nothing was changed; what was to be written is where it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Catalog(#[from] crate::catalog::CatalogError),
    #[error("a stored segment cannot be read: {0}")]
    Read(#[from] crate::scan::ReadError),
    #[error("a thread ended early: {0}")]
    Thread(#[from] tokio::task::JoinError),
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

    async fn flush_whole(&self) -> Result<u64, WriteError> {
        let _alone = self.flushing.lock().await;
        self.settle().await?;
        let sequence = self.freeze().await;
        if sequence == self.checkpoint.load(Ordering::SeqCst) {
            return Ok(0);
        }
        // Requests without rows leave nothing to write, but the log must let go of them too.
        let written = self.write_frozen().await?;
        let rows = written.iter().map(|segment| segment.meta.rows).sum();
        *self.unsettled.lock() = Some(sequence);
        let segments = self.commit(written, Vec::new(), Some(sequence)).await?;
        self.committed(sequence, segments);
        tracing::debug!(rows, sequence, "flushed");
        Ok(rows)
    }

    /// A commit may fail after the database has taken it. Before anything else is set apart, the
    /// catalogue tells; else its rows would be written twice.
    async fn settle(&self) -> Result<(), WriteError> {
        let Some(sequence) = *self.unsettled.lock() else { return Ok(()) };
        // What a merge has committed and not yet shown would look like ours.
        let _no_merge = self.maintenance.lock().await;
        if self.catalog.checkpoint().await? == sequence {
            let view = self.view.load_full();
            let known: HashSet<i64> = view.segments().map(|segment| segment.meta().id).collect();
            let new = self.catalog.segments().await?.into_iter().filter(|meta| !known.contains(&meta.id));
            let segments = new.map(|meta| Arc::new(Segment::new(meta, &self.lake, self.cache.clone()))).collect();
            self.committed(sequence, segments);
        }
        *self.unsettled.lock() = None;
        Ok(())
    }

    /// The frozen rows are in these segments now.
    fn committed(&self, sequence: u64, segments: Vec<Arc<Segment>>) {
        self.change(|view| {
            for table in Table::ALL {
                view.table_mut(table).frozen.clear();
            }
            add(view, segments);
        });
        self.checkpoint.store(sequence, Ordering::SeqCst);
        *self.unsettled.lock() = None;
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

    /// Deletes files that will not be committed. Where that fails too, the sweep finds them.
    async fn discard(&self, meta: &SegmentMeta) {
        for path in [&meta.parquet, &meta.index] {
            let _ = self.lake.delete(&path.to_string_lossy()).await;
        }
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
        let schema = segment::file_schema(table, |column| self.catalog.field_id(table, column));
        let encoded = tokio::task::spawn_blocking(move || segment::encode(table, schema, &batches)).await??;
        let Some(encoded) = encoded else { return Ok(None) };
        let name = format!("{}/{:016x}-{:016x}", folder(table), encoded.min_time, random());
        let Encoded { parquet, parquet_footer, index, rows, min_time, max_time } = encoded;
        let meta = SegmentMeta {
            id: 0, // given by the catalogue
            table,
            parquet: format!("{name}.parquet").into(),
            index: format!("{name}.index").into(),
            parquet_bytes: parquet.len() as u64,
            index_bytes: index.len() as u64,
            rows: rows.num_rows() as u64,
            min_time,
            max_time,
            parquet_checksums: Checksums::of(&parquet),
            index_checksums: Checksums::of(&index),
        };
        let put = async {
            self.lake.put(&format!("{name}.parquet"), parquet.into()).await?;
            self.lake.put(&format!("{name}.index"), index.into()).await
        };
        if let Err(error) = put.await {
            self.discard(&meta).await;
            return Err(error.into());
        }
        Ok(Some(Written { segment: NewSegment::new(&meta, parquet_footer, &rows), meta }))
    }

    /// One catalogue transaction; the segments as they now are.
    pub(super) async fn commit(
        &self,
        written: Vec<Written>,
        remove: Vec<i64>,
        checkpoint: Option<u64>,
    ) -> Result<Vec<Arc<Segment>>, WriteError> {
        let add = written.iter().map(|written| written.segment.clone()).collect();
        let committed = self.catalog.commit(Change { add, remove, checkpoint }).await?;
        let segments = written.into_iter().zip(committed.segment_ids).map(|(written, id)| {
            let meta = SegmentMeta { id, ..written.meta };
            Arc::new(Segment::new(meta, &self.lake, self.cache.clone()))
        });
        Ok(segments.collect())
    }
}

/// A segment whose files are on disk.
pub(super) struct Written {
    pub(super) meta: SegmentMeta,
    segment: NewSegment,
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
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
