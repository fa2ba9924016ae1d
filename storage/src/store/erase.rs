//! Verified deletion: rows go from the answers, then from every file that holds their bytes.
//!
//! ```text
//!  log: begin a new file ─▶ flush ─▶ rewrite segments, one commit ─▶ old snapshots, files, orphans
//!                                                                  ─▶ catalogue written anew
//!                                          count again ◀─ old log files and spare ones ◀┘
//! ```
//! Every row that was acknowledged before the call is looked at; one that arrives while it runs is not,
//! and stays. A crash leaves the store consistent, and the same call does what is left.

use std::path::Path;

use arrow::array::BooleanArray;
use hashbrown::HashSet;

use super::flush::{WriteError, Written};
use super::shared::Difference;
use super::*;
use crate::catalog::{CatalogError, Change, RollupChange};
use crate::fault;
use crate::scan::{Read, ReadError};
use crate::segment::{self, Segment};
use crate::terms::Prune;

/// Against other processes that merge segments meanwhile.
const ATTEMPTS: u32 = 5;

/// Rows of one table that are to go.
#[derive(Clone)]
pub struct Doomed {
    pub table: Table,
    /// What `chosen` looks at.
    pub columns: Vec<&'static str>,
    /// Blocks without such a row need not be looked at, nor sources outside of the range (ns, coarse).
    pub prune: Prune,
    pub from: i64,
    pub to: i64,
    /// Which rows of a batch go. A batch has these columns and perhaps others.
    pub chosen: Choose,
}

/// One truth value a row, none null.
pub type Choose = Arc<dyn Fn(&RecordBatch) -> Result<BooleanArray, ReadError> + Send + Sync>;

/// What was erased; of a dry run what would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Rows.
    pub spans: u64,
    pub logs: u64,
    pub metrics: u64,
    /// Written anew without the rows, or dropped where no row was left.
    pub segments_rewritten: u64,
    /// Parquet and index files; those that earlier compaction had left for a while too.
    pub files_deleted: u64,
    pub wal_files: u64,
    /// Time travel reaches back to now.
    pub snapshots_expired: u64,
    /// What could not be looked at, a sentence each: it may hold such rows.
    pub unreadable: Vec<String>,
    /// Everything was read again, and no such row was found.
    pub verified: bool,
}

impl Erased {
    fn count(&mut self, table: Table) -> &mut u64 {
        match table {
            Table::Spans => &mut self.spans,
            Table::Logs => &mut self.logs,
            Table::Metrics => &mut self.metrics,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Nothing was erased, and will not be before someone has mended it.
    #[error("{0}")]
    Refused(String),
    /// Nothing was erased: the same call may succeed later.
    #[error(transparent)]
    Failed(#[from] WriteError),
    /// No answer shows the rows any more, but some file may hold them: make the same call again.
    #[error("the rows are gone from all answers, but not yet from every file ({0}): ask again")]
    Unfinished(String),
}

impl From<WalError> for EraseError {
    fn from(error: WalError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// What became of history.
struct Swept {
    /// Snapshots.
    expired: u64,
    /// Files.
    deleted: u64,
    /// Files that nobody knows and that stay, a sentence each.
    kept: Vec<String>,
}

/// A segment with rows that go.
struct Hit {
    segment: Arc<Segment>,
    doomed: Doomed,
    rows: u64,
}

impl Store {
    /// How many rows are stored that would go.
    pub async fn count_doomed(self: &Arc<Self>, doomed: Vec<Doomed>) -> Result<Erased, EraseError> {
        let view = self.view.load_full();
        let (mut report, hits) = search(doomed.clone(), view.segments().cloned().collect()).await?;
        report.segments_rewritten = hits.len() as u64;
        for one in &doomed {
            let part = view.table(one.table);
            for batch in part.frozen.iter().chain(&part.live) {
                let chosen = (one.chosen)(batch.rows()).map_err(WriteError::Read)?;
                *report.count(one.table) += chosen.true_count() as u64;
            }
        }
        Ok(report)
    }

    /// Erases rows; returns once they are gone from the disk. Runs on when the caller goes away.
    pub async fn erase(self: &Arc<Self>, doomed: Vec<Doomed>) -> Result<Erased, EraseError> {
        let store = self.clone();
        tokio::spawn(async move { store.erase_whole(doomed).await })
            .await
            .map_err(|panic| EraseError::Unfinished(panic.to_string()))?
    }

    async fn erase_whole(self: &Arc<Self>, doomed: Vec<Doomed>) -> Result<Erased, EraseError> {
        let replaying = || EraseError::Refused("the log is still being read: ask again when it is".to_owned());
        let wal = self.wal.get().ok_or_else(replaying)?;
        let renewed = wal.renew().await?;
        self.flush_whole().await?;
        let _alone = self.maintenance.lock().await;
        let (mut report, left) = self.erase_rows(&doomed).await?;

        // From here on what fails is left for the next call.
        let unfinished = |error: &dyn std::fmt::Display| EraseError::Unfinished(error.to_string());
        fault::point("erase.after-commit").map_err(|error| unfinished(&error))?;
        let swept = self.sweep_all().await.map_err(|error| unfinished(&error))?;
        (report.snapshots_expired, report.files_deleted) = (swept.expired, swept.deleted);
        report.unreadable.extend(swept.kept);
        fault::point("erase.before-scrub").map_err(|error| unfinished(&error))?;
        self.catalog.scrub().await.map_err(|error| unfinished(&error))?;
        let checkpoint = self.checkpoint.load(Ordering::SeqCst);
        report.wal_files =
            wal.purged(renewed, checkpoint, self.settings.clock.now()).await.map_err(|error| unfinished(&error))?;

        let (again, found) = search(doomed, left).await.map_err(|error| unfinished(&error))?;
        report.verified = found.is_empty() && again.unreadable.is_empty() && report.unreadable.is_empty();
        let Erased { spans, logs, metrics, files_deleted, wal_files, verified, .. } = report;
        tracing::info!(spans, logs, metrics, files_deleted, wal_files, verified, "erased");
        Ok(report)
    }

    /// Takes the rows out of the answers: what was found, and the segments that were looked at as they are now.
    async fn erase_rows(&self, doomed: &[Doomed]) -> Result<(Erased, Vec<Arc<Segment>>), EraseError> {
        let mut attempt = 1;
        loop {
            self.reconcile().await?;
            let judged: Vec<Arc<Segment>> = self.view.load().segments().cloned().collect();
            let (mut report, hits) = search(doomed.to_vec(), judged.clone()).await?;
            self.refuse_touched(&hits).await?;
            if self.is_backfilling() {
                let what = "calls that an earlier version stored are still being counted: ask again in a while";
                return Err(EraseError::Refused(what.to_owned()));
            }
            let spans = hits.iter().map(|hit| &hit.segment).filter(|segment| segment.meta().table == Table::Spans);
            let spans: HashMap<i64, Arc<Segment>> = spans.map(|segment| (segment.meta().id, segment.clone())).collect();
            let removed: HashSet<i64> = hits.iter().map(|hit| hit.segment.meta().id).collect();
            report.segments_rewritten = removed.len() as u64;
            let written = self.rewrite(hits).await?;
            fault::point("erase.before-commit").map_err(WriteError::Injected)?;
            // No flush may count on spans that go meanwhile.
            let _flushing = self.flushing.lock().await;
            let view = self.view.load_full();
            let counts = match self.uncount(view, doomed, spans.into_values().collect()).await {
                Ok(counts) => counts,
                Err(error) => {
                    self.discard_all(&written).await;
                    return Err(error.into());
                }
            };
            match self.exchange(written, &removed, counts).await {
                Ok(rewritten) => {
                    let left = judged.into_iter().filter(|segment| !removed.contains(&segment.meta().id));
                    return Ok((report, left.chain(rewritten).collect()));
                }
                // Another process merged one of them. What was written is swept with the orphans.
                Err(WriteError::Catalog(CatalogError::Conflict(_))) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A segment that lost rows through another program still holds them, and writing it anew would
    /// bring them back; statistics of its table would not hold either.
    async fn refuse_touched(&self, hits: &[Hit]) -> Result<(), EraseError> {
        let touched = self.catalog.touched().await.map_err(WriteError::from)?;
        let Some(hit) = hits.iter().find(|hit| touched.contains(&hit.doomed.table)) else { return Ok(()) };
        Err(EraseError::Refused(format!(
            "another program has deleted rows of table {0} or keeps rows of its own in the catalogue, and {1} \
             holds rows to erase: nothing was erased; let DuckDB rewrite the table's files first",
            hit.doomed.table.name(),
            hit.segment.meta().parquet.display()
        )))
    }

    /// Writes segments without the rows that go; several conditions may hit one segment.
    async fn rewrite(&self, hits: Vec<Hit>) -> Result<Vec<Written>, EraseError> {
        let mut written = Vec::new();
        let mut hits = hits.into_iter().peekable();
        while let Some(hit) = hits.next() {
            let mut conditions = vec![hit.doomed.chosen];
            while let Some(more) = hits.next_if(|more| more.segment.meta().id == hit.segment.meta().id) {
                conditions.push(more.doomed.chosen);
            }
            let (segment, schema) = (hit.segment, self.file_schema(hit.doomed.table));
            let marks = segment.meta().thinned.clone();
            let place = self.place(hit.doomed.table, segment.meta().min_time);
            let begin = place.begin();
            let kept = quiet::quietly(move || {
                segment::keep_rows(&segment, schema, begin()?, |batch| {
                    conditions.iter().try_fold(BooleanArray::from(vec![true; batch.num_rows()]), |kept, chosen| {
                        let keep =
                            arrow::compute::not(&chosen(batch)?).and_then(|keep| arrow::compute::and(&kept, &keep));
                        keep.map_err(|error| ReadError::Damaged {
                            file: "rows in memory".into(),
                            what: error.to_string(),
                        })
                    })
                })
            });
            let put = match kept.await.map_err(WriteError::from).and_then(|kept| kept.map_err(WriteError::from)) {
                Ok(Some(encoded)) => self.put_segment(place, encoded, marks).await.map(|one| written.push(one)),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = put {
                self.discard_all(&written).await;
                return Err(error.into());
            }
        }
        Ok(written)
    }

    /// One commit; the segments that took the place of those removed.
    async fn exchange(
        &self,
        written: Vec<Written>,
        removed: &HashSet<i64>,
        rollup: Option<RollupChange>,
    ) -> Result<Vec<Arc<Segment>>, WriteError> {
        if removed.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = removed.iter().copied().collect();
        let change = Change { remove: ids.clone(), rollup, ..Change::default() };
        let committed = self.commit_change(&written, change).await?;
        self.change(|view| {
            let segments = &committed.segments;
            committed.count(view);
            Difference { gone: removed.clone(), new: segments.clone(), rollups: None }.apply(view);
        });
        ids.iter().for_each(|id| self.cache.forget(*id));
        self.counting.let_go();
        Ok(committed.segments)
    }

    /// Forgets all history.
    async fn sweep_all(&self) -> Result<Swept, WriteError> {
        let (expired, mut files) = self.catalog.expire_all().await?;
        for file in &files {
            fault::point("erase.before-delete")?;
            self.lake.delete(file).await?;
        }
        self.catalog.forget_files(&files).await?;
        let orphans = self.fresh_orphans().await?;
        let mut kept = Vec::new();
        if self.losses.get().is_none_or(|losses| !losses.is_empty()) {
            // They may be what a damaged catalogue has forgotten, and somebody may want them back.
            let kept_file = |path| format!("{path} is kept while losses.txt tells of a loss; it may hold such rows");
            kept.extend(orphans.iter().map(kept_file));
        } else {
            for path in &orphans {
                self.lake.delete(path).await?;
            }
            files.extend(orphans);
        }
        let staged = remove_staged(&self.settings.data_dir.join(LAKE_DIR), &self.pending.lock());
        let staged =
            staged.map_err(|error| crate::lake::LakeError { file: LAKE_DIR.into(), what: error.to_string() })?;
        Ok(Swept { expired, deleted: files.len() as u64 + staged, kept })
    }

    /// Files of ours that a crash left, however young. The order of the questions matters: what was being
    /// written when the files were listed is either still pending, or in the catalogue afterwards.
    async fn fresh_orphans(&self) -> Result<Vec<String>, WriteError> {
        if self.is_shared() {
            // Another process may be about to commit them; they go after the usual grace.
            return Ok(Vec::new());
        }
        let found = self.lake.list().await?;
        let pending = self.pending.lock().clone();
        let known = self.catalog.known_files().await?;
        let is_pending = |path: &str| pending.iter().any(|name| path.starts_with(name.as_str()));
        let orphans = found.into_iter().map(|(path, _)| path).filter(|path| is_ours(path));
        Ok(orphans.filter(|path| !known.contains(path) && !is_pending(path)).collect())
    }
}

/// Counts rows that go, by segment; hits of one segment are neighbours.
async fn search(doomed: Vec<Doomed>, segments: Vec<Arc<Segment>>) -> Result<(Erased, Vec<Hit>), WriteError> {
    let look = move || {
        let (mut report, mut hits) = (Erased::default(), Vec::new());
        for segment in &segments {
            for one in doomed.iter().filter(|one| one.table == segment.meta().table) {
                match count(segment, one) {
                    Ok(0) => {}
                    Ok(rows) => hits.push(Hit { segment: segment.clone(), doomed: one.clone(), rows }),
                    Err(error) => report.unreadable.push(error.to_string()),
                }
            }
        }
        for hit in &hits {
            *report.count(hit.doomed.table) += hit.rows;
        }
        (report, hits)
    };
    Ok(quiet::quietly(look).await?)
}

fn count(segment: &Segment, doomed: &Doomed) -> Result<u64, ReadError> {
    let meta = segment.meta();
    if meta.max_time < doomed.from || (meta.min_time >= doomed.to && doomed.to != i64::MAX) {
        return Ok(0);
    }
    let read = Read { columns: &doomed.columns, prune: &doomed.prune, from: doomed.from, to: doomed.to };
    let chunks = segment.read(&read)?;
    let rows = chunks.map(|chunk| Ok((doomed.chosen)(&chunk?.batch)?.true_count() as u64));
    rows.sum()
}

/// `folder/{16 hex}-{16 hex}.parquet` or `.index`: another program gives other names.
fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.strip_suffix(".parquet").or_else(|| name.strip_suffix(".index"));
    let hex = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    stem.and_then(|stem| stem.split_once('-')).is_some_and(|(time, random)| hex(time) && hex(random))
}

/// Halves of files that a crash left before they got their name: `….parquet#1`. Listing does not show
/// them. How many there were.
fn remove_staged(lake: &Path, pending: &HashSet<String>) -> std::io::Result<u64> {
    let (mut removed, mut folders) = (0, vec![lake.to_owned()]);
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if path.is_dir() {
                folders.push(path);
            } else if let Some((whole, _)) = name.rsplit_once('#')
                && is_ours(whole)
                && !pending.iter().any(|name| whole.starts_with(name.rsplit('/').next().unwrap_or(name)))
            {
                std::fs::remove_file(&path)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
