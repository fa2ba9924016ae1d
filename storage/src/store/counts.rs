//! Counts by the minute as they are asked for: stored chunks, and what the live rows change.

use std::ops::Range;
use std::time::Instant;

use hashbrown::HashMap;

use super::flush::WriteError;
use super::*;
use crate::catalog::NewChunk;
use crate::rollup::delta::{Fingerprints, Old, delta_beside};
use crate::rollup::{self, Minute, NANOS_PER_MINUTE, PARTED, Rollup, TRACE_GAP};
use crate::scan::ReadError;
use crate::snapshot::TableView;

mod pieces;

use pieces::{Cache, Form, Kept, Piece, cut, wanted};

/// Cells of one answer, bytes.
const ANSWER_BYTES: usize = 512 << 20;
/// Of live rows more than these, which take some 50 ms, an answer that is not older than this may be given again.
const FEW_ROWS: usize = 32_768;
const FRESH: Duration = Duration::from_secs(1);
/// Attempts against a keeper that sums chunks meanwhile.
const ATTEMPTS: u32 = 5;

/// How finely time and keys are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grain {
    Minute,
    /// By the minute, keys that begin with these bytes; parts may hold others beside them.
    MinuteOf(Arc<[u8]>),
    /// By the minute, all keys that begin with these bytes as one, whose bytes are these. As above.
    MinuteSum(Arc<[u8]>),
    /// All minutes of a part may be one cell, of an asked minute.
    Hour,
}

/// Cells of which only the named minutes count.
pub type Part = (Range<Minute>, Arc<Rollup>);

/// Counts of one moment.
#[derive(Clone)]
pub struct Counted {
    /// Of each that was asked for; the parts of one add up.
    pub parts: Vec<Vec<Part>>,
    /// ns.
    pub as_of: i64,
    /// What is not counted, a sentence each.
    pub warnings: Vec<String>,
    pub snapshot: Snapshot,
}

/// Why there are no counts.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error(transparent)]
    Store(#[from] WriteError),
    /// Ask for a shorter range.
    #[error("the counts of this range do not fit into memory by the minute")]
    TooLarge,
}

/// What the store keeps in memory of counts.
#[derive(Default)]
pub(super) struct Counting {
    pub(super) fingerprints: Arc<Fingerprints>,
    cache: Mutex<Cache>,
    /// Of the last view that was asked.
    residue: tokio::sync::Mutex<Option<Residue>>,
}

#[derive(Clone)]
struct Residue {
    snapshot: Snapshot,
    rollup: Arc<Rollup>,
    at: Instant,
    as_of: i64,
}

impl Counting {
    /// New chunks need not be read.
    pub(super) fn keep(&self, id: i64, chunk: &NewChunk) {
        self.cache.lock().put(Piece::chunk(id), (chunk.rollup.clone(), chunk.rollup.bytes()));
    }

    /// What is shown no longer must not be held.
    pub(super) fn let_go(&self) {
        if let Ok(mut residue) = self.residue.try_lock() {
            *residue = None;
        }
    }
}

impl Store {
    /// By the store's clock, ns since the epoch.
    pub fn now(&self) -> i64 {
        self.settings.clock.now()
    }

    /// Whether this store counts; else there is nothing in [`Self::counted`].
    pub fn counts(&self) -> bool {
        self.settings.summarise.is_some()
    }

    /// The counts of some minutes, consistent with one snapshot.
    pub async fn counted(self: &Arc<Self>, asked: &[(Range<Minute>, Grain)]) -> Result<Counted, CountError> {
        let mut attempt = 1;
        loop {
            let Residue { snapshot, rollup, as_of, .. } = self.residue().await?;
            let mut warnings = uncounted(&snapshot, asked);
            match self.stored(&snapshot, asked, &mut warnings).await? {
                Some(mut parts) => {
                    for ((minutes, _), parts) in asked.iter().zip(&mut parts) {
                        parts.push((minutes.clone(), rollup.clone()));
                    }
                    let all = || parts.iter().flatten();
                    if all().any(|(minutes, part)| part.counts_within(minutes.clone(), PARTED)) {
                        warnings.push(
                            "calls of very large traces, or of some that could not be read, are counted in parts"
                                .to_owned(),
                        );
                    }
                    return Ok(Counted { parts, as_of, warnings, snapshot });
                }
                // The keeper, here or in another process, has put other chunks in the place of these.
                None if attempt < ATTEMPTS => {
                    attempt += 1;
                    *self.counting.residue.lock().await = None;
                    self.reconcile().await?;
                }
                None => {
                    let what = "chunks of the counts vanish".to_owned();
                    return Err(WriteError::Read(ReadError::Damaged { file: "catalogue".to_owned(), what }).into());
                }
            }
        }
    }

    /// Parts of stored chunks; None where one of them is no longer there.
    async fn stored(
        &self,
        snapshot: &Snapshot,
        asked: &[(Range<Minute>, Grain)],
        warnings: &mut Vec<String>,
    ) -> Result<Option<Vec<Vec<Part>>>, CountError> {
        let (chunks, mut answer, mut bytes) = (&snapshot.view.rollups.chunks, Vec::new(), 0);
        for (range, grain) in asked {
            let mut bounds = HashMap::new();
            for id in cut(chunks, range).filter(|_| *grain == Grain::Hour) {
                let Some(minutes) = self.minutes_of(id, warnings).await? else { return Ok(None) };
                bounds.insert(id, minutes);
            }
            let mut parts = Vec::new();
            for (piece, minutes) in wanted(chunks, range, grain, &bounds) {
                let Some((part, size)) = self.piece(piece, warnings).await? else { return Ok(None) };
                bytes += size;
                if bytes > ANSWER_BYTES {
                    return Err(CountError::TooLarge);
                }
                parts.push((minutes, part));
            }
            answer.push(parts);
        }
        Ok(Some(answer))
    }

    /// The minutes that a chunk has cells of, from the first to the last; None where it is no longer there.
    async fn minutes_of(&self, id: i64, warnings: &mut Vec<String>) -> Result<Option<Range<Minute>>, WriteError> {
        if let Some(known) = self.counting.cache.lock().minutes.get(&id) {
            return Ok(Some(known.clone()));
        }
        Ok(self.piece(Piece::chunk(id), warnings).await?.map(|(chunk, _)| chunk.minutes()))
    }

    /// One piece, out of the cache or of its chunks; None where a chunk is no longer there.
    async fn piece(&self, piece: Piece, warnings: &mut Vec<String>) -> Result<Option<Kept>, WriteError> {
        if let Some(known) = self.counting.cache.lock().get(&piece) {
            return Ok(Some(known));
        }
        let (begun, have) = self.counting.cache.lock().take_begun(&piece);
        let mut chunks = Vec::with_capacity(piece.chunks.len() - have);
        for id in &piece.chunks[have..] {
            let known = self.counting.cache.lock().get(&Piece::chunk(*id));
            match known {
                Some((known, _)) => chunks.push(known),
                None => match self.chunk(*id).await? {
                    None => return Ok(None),
                    Some(Ok(chunk)) => {
                        self.counting.cache.lock().put(Piece::chunk(*id), (chunk.clone(), chunk.bytes()));
                        chunks.push(chunk);
                    }
                    Some(Err(error)) => {
                        let warning = format!("a part of the counts cannot be read: {error}");
                        if !warnings.contains(&warning) {
                            warnings.push(warning);
                        }
                    }
                },
            }
        }
        let whole = have + chunks.len() == piece.chunks.len();
        let part = match &piece.form {
            Form::Minutes => chunks.pop().unwrap_or_default(),
            form => {
                let form = form.clone();
                Arc::new(tokio::task::spawn_blocking(move || form.grow(begun, &chunks)).await?)
            }
        };
        let kept = (part.clone(), part.bytes());
        if whole {
            self.counting.cache.lock().put(piece, kept.clone());
        }
        Ok(Some(kept))
    }

    /// A chunk as it is stored; None where it is not there any more.
    pub(super) async fn chunk(&self, id: i64) -> Result<Option<Result<Arc<Rollup>, rollup::Unreadable>>, WriteError> {
        let Some(bytes) = self.catalog.chunks(&[id]).await?.remove(&id) else { return Ok(None) };
        let decoded = tokio::task::spawn_blocking(move || rollup::decode(&bytes)).await?;
        Ok(Some(decoded.map(Arc::new)))
    }

    /// What the live rows of a view change. Whoever asks again is told again while nothing has changed, and
    /// for a moment where much would have to be counted.
    async fn residue(self: &Arc<Self>) -> Result<Residue, WriteError> {
        let mut memo = self.counting.residue.lock().await;
        let as_of = self.settings.clock.now();
        let snapshot = self.snapshot();
        let mut counted = None;
        if let Some(memo) = &*memo {
            if Arc::ptr_eq(&memo.snapshot.view, &snapshot.view) {
                return Ok(Residue { snapshot, as_of, ..memo.clone() });
            }
            let (before, now) = (memo.snapshot.view.table(Table::Spans), snapshot.view.table(Table::Spans));
            let same = Arc::ptr_eq(&before.segments, &now.segments)
                && Arc::ptr_eq(&memo.snapshot.view.rollups, &snapshot.view.rollups);
            // Then rows have come at the end, and none has gone.
            counted = same.then(|| (live_rows(before), memo.rollup.clone()));
            let new = live_rows(now).saturating_sub(counted.as_ref().map_or(0, |(rows, _)| *rows));
            if new > FEW_ROWS && memo.at.elapsed() < FRESH {
                return Ok(memo.clone());
            }
        }
        let (at, store, view) = (Instant::now(), self.clone(), snapshot.view.clone());
        let rollup = tokio::task::spawn_blocking(move || store.live_delta(&view, counted)).await??;
        let residue = Residue { snapshot, rollup, at, as_of };
        *memo = Some(residue.clone());
        Ok(residue)
    }

    /// What the rows change that are in no segment yet, of which the first may be counted already. Blocking.
    fn live_delta(&self, view: &View, counted: Option<(usize, Arc<Rollup>)>) -> Result<Arc<Rollup>, ReadError> {
        let part = view.table(Table::Spans);
        let (mut rows, known) = counted.unwrap_or_default();
        let (mut beside, mut new) = (Vec::new(), Vec::new());
        for batch in part.frozen.iter().chain(&part.live).map(|batch| batch.rows()) {
            let old = rows.min(batch.num_rows());
            rows -= old;
            beside.extend((old > 0).then(|| batch.slice(0, old)));
            new.extend((old < batch.num_rows()).then(|| batch.slice(old, batch.num_rows() - old)));
        }
        if new.is_empty() {
            return Ok(known);
        }
        let mut sum = Arc::unwrap_or_clone(known);
        sum.merge(&self.delta(view, &new, &beside)?, 1);
        Ok(Arc::new(sum))
    }

    /// What spans add to the counts of a view's segments, and of spans `beside` them. Blocking.
    pub(super) fn delta(&self, view: &View, new: &[RecordBatch], beside: &[RecordBatch]) -> Result<Rollup, ReadError> {
        let Some(summarise) = self.settings.summarise.as_deref().filter(|_| !new.is_empty()) else {
            return Ok(Rollup::default());
        };
        let old = Old {
            segments: &view.table(Table::Spans).segments,
            fingerprints: &self.counting.fingerprints,
            from: i64::MIN,
            patient: self.lake.is_bucket(),
        };
        delta_beside(summarise, new, beside, &old)
    }
}

/// Rows of a table that are in no segment yet.
fn live_rows(part: &TableView) -> usize {
    part.frozen.iter().chain(&part.live).map(|batch| batch.row_count()).sum()
}

/// What the stored counts of some minutes lack.
fn uncounted(snapshot: &Snapshot, asked: &[(Range<Minute>, Grain)]) -> Vec<String> {
    let from = asked.iter().map(|(minutes, _)| minutes.start).min().unwrap_or(Minute::MAX);
    let backfill = snapshot.view.rollups.backfill;
    let lacks = backfill
        .is_some_and(|backfill| from.saturating_mul(NANOS_PER_MINUTE) < backfill.below.saturating_add(TRACE_GAP));
    let told = "calls from before the upgrade are still being counted: a part of this range may lack some";
    lacks.then(|| told.to_owned()).into_iter().collect()
}
