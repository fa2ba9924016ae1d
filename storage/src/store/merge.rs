//! Compaction: runs of small segments become one.

use hashbrown::HashSet;

use super::flush::{WriteError, add};
use super::*;
use crate::catalog::CatalogError;
use crate::scan::{Read, ReadError};
use crate::segment::Segment;
use crate::terms::Prune;

/// This many segments of like size make one. Each row is written log8 of the growth of the store
/// again, and a table has at most 7 segments of a size.
const FAN_IN: usize = 8;

/// A segment past this many rows is left as it is: rewriting it would take too much memory at once.
const FULL_ROWS: u64 = 1_000_000;
/// The same in bytes of Parquet: rows are some ten times as large in memory.
const FULL_BYTES: u64 = 48 << 20;

impl Store {
    /// Merges runs of small segments until there are none. A run that cannot be merged is left alone
    /// until the store opens again; what may pass is an error.
    pub async fn compact(&self) -> Result<(), WriteError> {
        let _alone = self.maintenance.lock().await;
        for table in Table::ALL {
            // Merging a segment whose rows another program deleted would bring them back.
            let mut left: HashSet<i64> = self.catalog.deleted_rows().await?.into_keys().collect();
            left.extend(self.unmergeable.lock().iter());
            while let Some(run) = pick(&self.view.load().table(table).segments, &left) {
                if *self.closed.borrow() {
                    return Ok(());
                }
                let ids: Vec<i64> = run.iter().map(|segment| segment.meta().id).collect();
                match self.merge(table, run).await {
                    Ok(()) => {}
                    Err(WriteError::Catalog(error @ CatalogError::Conflict(_))) => {
                        tracing::info!(%error, "another program changed the lake");
                        self.reconcile().await?;
                    }
                    Err(error @ (WriteError::Read(_) | WriteError::Encode(_) | WriteError::Thread(_))) => {
                        tracing::error!(%error, table = table.name(), segments = ?ids, "these segments stay as they are");
                        self.unmergeable.lock().extend(&ids);
                        left.extend(ids);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    async fn merge(&self, table: Table, run: Vec<Arc<Segment>>) -> Result<(), WriteError> {
        let sources = run.clone();
        let batches = tokio::task::spawn_blocking(move || read_all(table, &sources)).await??;
        let (found, known) = (rows_of(&batches), run.iter().map(|segment| segment.meta().rows).sum::<u64>());
        if found != known || found == 0 {
            let what = format!("{found} rows were read where {known} are stored");
            return Err(ReadError::Damaged { file: format!("{} segments", table.name()), what }.into());
        }
        let written: Vec<_> = self.write_segment(table, batches).await?.into_iter().collect();
        let removed: Vec<i64> = run.iter().map(|segment| segment.meta().id).collect();
        tracing::debug!(table = table.name(), segments = removed.len(), rows = found, "compacted");
        let segments = self.commit(written, removed.clone(), None).await?;
        self.replace(table, &removed, segments);
        Ok(())
    }

    pub(super) fn replace(&self, table: Table, removed: &[i64], segments: Vec<Arc<Segment>>) {
        self.change(|view| {
            let part = view.table_mut(table);
            Arc::make_mut(&mut part.segments).retain(|segment| !removed.contains(&segment.meta().id));
            add(view, segments);
        });
        removed.iter().for_each(|id| self.cache.forget(*id));
    }

    /// Drops from the view what another program took out of the lake: its files will go.
    pub(super) async fn reconcile(&self) -> Result<(), WriteError> {
        // Seen before the catalogue is asked: a flush may commit meanwhile.
        let view = self.view.load_full();
        let live: HashSet<i64> = self.catalog.segments().await?.into_iter().map(|meta| meta.id).collect();
        for table in Table::ALL {
            let ids = view.table(table).segments.iter().map(|segment| segment.meta().id);
            let gone: Vec<i64> = ids.filter(|id| !live.contains(id)).collect();
            if !gone.is_empty() {
                tracing::info!(table = table.name(), segments = ?gone, "another program took segments out of the lake");
                self.replace(table, &gone, Vec::new());
            }
        }
        Ok(())
    }
}

/// The first run of one size class, by time, that is long enough.
fn pick(segments: &[Arc<Segment>], left: &HashSet<i64>) -> Option<Vec<Arc<Segment>>> {
    let mut small: Vec<_> =
        segments.iter().filter(|segment| !is_full(segment) && !left.contains(&segment.meta().id)).cloned().collect();
    small.sort_by_key(|segment| segment.meta().min_time);
    for class in 0..=size_class(FULL_ROWS) {
        let peers: Vec<_> = small.iter().filter(|segment| size_class(segment.meta().rows) == class).cloned().collect();
        if peers.len() >= FAN_IN {
            let (mut rows, mut bytes) = (0, 0);
            let run: Vec<_> = peers
                .into_iter()
                .take(2 * FAN_IN)
                .take_while(|segment| {
                    rows += segment.meta().rows;
                    bytes += segment.meta().parquet_bytes;
                    rows <= FULL_ROWS && bytes <= FULL_BYTES
                })
                .collect();
            if run.len() > 1 {
                return Some(run);
            }
        }
    }
    None
}

fn is_full(segment: &Segment) -> bool {
    segment.meta().rows >= FULL_ROWS / 2 || segment.meta().parquet_bytes >= FULL_BYTES / 2
}

/// Segments of a class differ in rows by less than the fan-in.
fn size_class(rows: u64) -> u32 {
    rows.max(1).ilog(FAN_IN as u64)
}

fn rows_of(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

fn read_all(table: Table, segments: &[Arc<Segment>]) -> Result<Vec<RecordBatch>, ReadError> {
    let schema = table.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let read = Read { columns: &columns, prune: &Prune::All, from: i64::MIN, to: i64::MAX };
    let mut batches = Vec::new();
    for segment in segments {
        for chunk in segment.read(&read)? {
            let columns = chunk?.batch.columns().to_vec();
            // Without the field ids that a file carries: all batches must be of one schema.
            let batch = RecordBatch::try_new(schema.clone(), columns).map_err(|error| ReadError::Damaged {
                file: segment.meta().parquet.display().to_string(),
                what: error.to_string(),
            })?;
            batches.push(batch);
        }
    }
    Ok(batches)
}
