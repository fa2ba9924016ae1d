//! Compaction: runs of small segments become one.

use hashbrown::HashSet;

use super::flush::{WriteError, add};
use super::*;
use crate::catalog::CatalogError;
use crate::compaction::{Part, Policy};
use crate::fault;
use crate::scan::ReadError;
use crate::segment::{self, Segment};

impl Store {
    /// Merges runs of small segments until there are none. A run that cannot be merged is left alone
    /// until the store opens again; what may pass is an error.
    pub async fn compact(&self) -> Result<(), WriteError> {
        let _alone = self.maintenance.lock().await;
        for table in Table::ALL {
            if table == Table::Spans && self.is_backfilling() {
                continue;
            }
            // Merging a segment whose rows another program deleted would bring them back.
            let mut left: HashSet<i64> = self.catalog.deleted_rows().await?.into_keys().collect();
            left.extend(self.unmergeable.lock().iter());
            while let Some(run) = pick(&self.view.load().table(table).segments, &left) {
                // The semaphore is never closed.
                let _turn = self.settings.merging.acquire().await.ok();
                if *self.closed.borrow() || !self.leads().await? {
                    return Ok(());
                }
                let ids: Vec<i64> = run.iter().map(|segment| segment.meta().id).collect();
                match self.merge(table, run).await {
                    Ok(()) => {}
                    Err(WriteError::Catalog(error @ CatalogError::Conflict(_))) => {
                        tracing::info!(%error, "another program changed the lake");
                        self.reconcile().await?;
                    }
                    // The bucket may answer next time.
                    Err(error @ WriteError::Read(ReadError::Io { .. })) if self.lake.is_bucket() => return Err(error),
                    Err(error @ (WriteError::Read(_) | WriteError::Encode(_) | WriteError::Quiet(_))) => {
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
        let time = run.iter().map(|segment| segment.meta().min_time).min();
        let (sources, schema, place) =
            (run.clone(), self.file_schema(table), self.place(table, time.unwrap_or_default()));
        let begin = place.begin();
        let merged = quiet::quietly(move || segment::merge(table, schema, &sources, begin()?)).await??;
        let nothing = || ReadError::Damaged { file: format!("{} segments", table.name()), what: "no rows".to_owned() };
        let merged = merged.ok_or_else(nothing)?;
        let rows = merged.rows;
        fault::point("merge.before-write")?;
        let marks = run.first().map(|segment| segment.meta().thinned.clone()).unwrap_or_default();
        let written = vec![self.put_segment(place, merged, marks).await?];
        let removed: Vec<i64> = run.iter().map(|segment| segment.meta().id).collect();
        tracing::debug!(table = table.name(), segments = removed.len(), rows, "compacted");
        fault::point("merge.before-commit")?;
        let gone = if fault::planted("bug.keep-sources") { Vec::new() } else { removed.clone() };
        let committed = self.commit(written, gone, None).await?;
        fault::point("merge.after-commit")?;
        self.replace(table, &removed, committed.segments);
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
}

/// What the policy merges next, of those that are not to be left alone.
fn pick(segments: &[Arc<Segment>], left: &HashSet<i64>) -> Option<Vec<Arc<Segment>>> {
    let open: Vec<_> = segments.iter().filter(|segment| !left.contains(&segment.meta().id)).collect();
    let part = |segment: &&Arc<Segment>| {
        let meta = segment.meta();
        // Whatever their order: names of rules are hashes.
        let mark = meta.thinned.iter().fold(0, |mark, rule| mark ^ rule);
        Part { rows: meta.rows, bytes: meta.parquet_bytes, min_time: meta.min_time, max_time: meta.max_time, mark }
    };
    let parts: Vec<Part> = open.iter().map(part).collect();
    let run = Policy::CHOSEN.pick(&parts)?;
    Some(run.into_iter().map(|number| open[number].clone()).collect())
}
