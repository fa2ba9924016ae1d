//! Counts by the minute as they are asked for: stored chunks, and what the live rows change.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Instant;

use hashbrown::HashSet;
use lru::LruCache;

use super::flush::WriteError;
use super::*;
use crate::catalog::{ChunkKind, ChunkMeta, NewChunk};
use crate::rollup::delta::{Fingerprints, Old, delta};
use crate::rollup::{self, Hour, MINUTES_PER_HOUR, Minute, NANOS_PER_MINUTE, PARTED, Rollup, TRACE_GAP};
use crate::scan::ReadError;

/// Cells in memory, bytes, beside those of a running answer.
const CACHE_BYTES: usize = 192 << 20;
const CACHED: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// Cells of one answer, bytes.
const ANSWER_BYTES: usize = 512 << 20;
/// Of live rows more than these, which take some 50 ms, an answer that is not older than this may be given again.
const FEW_ROWS: usize = 32_768;
const FRESH: Duration = Duration::from_secs(1);
/// Attempts against a keeper that sums chunks meanwhile.
const ATTEMPTS: u32 = 5;

/// How finely time is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    Minute,
    /// Whole hours may be one cell, of their first asked minute.
    Hour,
}

/// Counts of one moment.
#[derive(Clone)]
pub struct Counted {
    /// They add up. Only the named minutes of a part count.
    pub parts: Vec<(Range<Minute>, Arc<Rollup>)>,
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

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Piece {
    /// A chunk as it is.
    Chunk(i64),
    /// Some minutes of it as one.
    Minutes(i64, Range<Minute>),
    /// Many sums of hours as one: it changes once an hour, whatever is asked in between.
    Hours(Vec<i64>),
}

struct Cache {
    pieces: LruCache<Piece, Arc<Rollup>>,
    bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { pieces: LruCache::new(CACHED), bytes: 0 }
    }
}

impl Cache {
    fn put(&mut self, piece: Piece, rollup: Arc<Rollup>) {
        self.bytes += rollup.bytes();
        if let Some((_, evicted)) = self.pieces.push(piece, rollup) {
            self.bytes -= evicted.bytes();
        }
        while self.bytes > CACHE_BYTES {
            let Some((_, evicted)) = self.pieces.pop_lru() else { break };
            self.bytes -= evicted.bytes();
        }
    }
}

impl Counting {
    /// New chunks need not be read.
    pub(super) fn keep(&self, id: i64, chunk: &NewChunk) {
        self.cache.lock().put(Piece::Chunk(id), chunk.rollup.clone());
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

    /// The counts of some minutes, consistent with one snapshot. Ranges are apart; no part reaches over two.
    pub async fn counted(self: &Arc<Self>, ranges: &[Range<Minute>], grain: Grain) -> Result<Counted, CountError> {
        let mut attempt = 1;
        loop {
            let Residue { snapshot, rollup, as_of, .. } = self.residue().await?;
            let mut warnings = uncounted(&snapshot, ranges);
            match self.stored(&snapshot, ranges, grain, &mut warnings).await? {
                Some(mut parts) => {
                    parts.extend(ranges.iter().map(|minutes| (minutes.clone(), rollup.clone())));
                    if parts.iter().any(|(minutes, part)| part.counts_within(minutes.clone(), PARTED)) {
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
        ranges: &[Range<Minute>],
        grain: Grain,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Vec<(Range<Minute>, Arc<Rollup>)>>, CountError> {
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for range in ranges {
            for (piece, minutes) in wanted(&snapshot.view.rollups.chunks, range, grain) {
                let Some(part) = self.piece(&piece, &minutes, warnings).await? else { return Ok(None) };
                bytes += part.bytes();
                if bytes > ANSWER_BYTES {
                    return Err(CountError::TooLarge);
                }
                parts.push((minutes, part));
            }
        }
        Ok(Some(parts))
    }

    /// One piece, out of the cache or of its chunks; None where a chunk is no longer there.
    async fn piece(
        &self,
        piece: &Piece,
        minutes: &Range<Minute>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Arc<Rollup>>, WriteError> {
        if let Some(known) = self.counting.cache.lock().pieces.get(piece) {
            return Ok(Some(known.clone()));
        }
        let ids = match piece {
            Piece::Chunk(id) | Piece::Minutes(id, _) => std::slice::from_ref(id),
            Piece::Hours(ids) => ids,
        };
        let mut chunks = Vec::with_capacity(ids.len());
        for id in ids {
            let known = self.counting.cache.lock().pieces.get(&Piece::Chunk(*id)).cloned();
            match known {
                Some(known) => chunks.push(known),
                None => match self.chunk(*id).await? {
                    None => return Ok(None),
                    Some(Ok(chunk)) => {
                        self.counting.cache.lock().put(Piece::Chunk(*id), chunk.clone());
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
        let whole = chunks.len() == ids.len();
        let part = match piece {
            Piece::Chunk(_) => chunks.pop().unwrap_or_default(),
            Piece::Minutes(..) | Piece::Hours(_) => {
                let minutes = minutes.clone();
                Arc::new(tokio::task::spawn_blocking(move || Rollup::sum(&chunks, minutes)).await?)
            }
        };
        if whole {
            self.counting.cache.lock().put(piece.clone(), part.clone());
        }
        Ok(Some(part))
    }

    /// A chunk as it is stored; None where it is not there any more.
    pub(super) async fn chunk(&self, id: i64) -> Result<Option<Result<Arc<Rollup>, rollup::Unreadable>>, WriteError> {
        let Some(bytes) = self.catalog.chunks(&[id]).await?.remove(&id) else { return Ok(None) };
        let decoded = tokio::task::spawn_blocking(move || rollup::decode(&bytes)).await?;
        Ok(Some(decoded.map(Arc::new)))
    }

    /// What the live rows of a view change. Whoever asks again is told again while nothing has changed, and
    /// for a moment where much would have to be counted anew.
    async fn residue(self: &Arc<Self>) -> Result<Residue, WriteError> {
        let mut memo = self.counting.residue.lock().await;
        let as_of = self.settings.clock.now();
        let snapshot = self.snapshot();
        if let Some(memo) = &*memo {
            if Arc::ptr_eq(&memo.snapshot.view, &snapshot.view) {
                return Ok(Residue { snapshot, as_of, ..memo.clone() });
            }
            let part = snapshot.view.table(Table::Spans);
            let rows: usize = part.frozen.iter().chain(&part.live).map(|batch| batch.row_count()).sum();
            if rows > FEW_ROWS && memo.at.elapsed() < FRESH {
                return Ok(memo.clone());
            }
        }
        let (at, store, view) = (Instant::now(), self.clone(), snapshot.view.clone());
        let rollup = tokio::task::spawn_blocking(move || store.live_delta(&view)).await??;
        let residue = Residue { snapshot, rollup: Arc::new(rollup), at, as_of };
        *memo = Some(residue.clone());
        Ok(residue)
    }

    /// What the rows change that are in no segment yet. Blocking.
    fn live_delta(&self, view: &View) -> Result<Rollup, ReadError> {
        let part = view.table(Table::Spans);
        let batches: Vec<RecordBatch> =
            part.frozen.iter().chain(&part.live).map(|batch| batch.rows().clone()).collect();
        self.delta(view, &batches)
    }

    /// What spans add to the counts of a view's segments. Blocking.
    pub(super) fn delta(&self, view: &View, new: &[RecordBatch]) -> Result<Rollup, ReadError> {
        let Some(summarise) = self.settings.summarise.as_deref().filter(|_| !new.is_empty()) else {
            return Ok(Rollup::default());
        };
        let old = Old {
            segments: &view.table(Table::Spans).segments,
            fingerprints: &self.counting.fingerprints,
            from: i64::MIN,
            patient: self.lake.is_bucket(),
        };
        delta(summarise, new, &old)
    }
}

/// What the stored counts of some minutes lack.
fn uncounted(snapshot: &Snapshot, ranges: &[Range<Minute>]) -> Vec<String> {
    let from = ranges.iter().map(|minutes| minutes.start).min().unwrap_or(Minute::MAX);
    let backfill = snapshot.view.rollups.backfill;
    let lacks = backfill
        .is_some_and(|backfill| from.saturating_mul(NANOS_PER_MINUTE) < backfill.below.saturating_add(TRACE_GAP));
    let told = "calls from before the upgrade are still being counted: a part of this range may lack some";
    lacks.then(|| told.to_owned()).into_iter().collect()
}

/// Pieces of chunks that add up to some minutes, and which minutes of each count.
fn wanted(chunks: &[ChunkMeta], minutes: &Range<Minute>, grain: Grain) -> Vec<(Piece, Range<Minute>)> {
    // An hour that is being summed for the first time has no chunk of that kind.
    let summed: HashSet<Hour> = chunks.iter().filter(|one| one.kind == ChunkKind::Hour).map(|one| one.hour).collect();
    let (mut wanted, mut hours) = (Vec::new(), Vec::new());
    for ChunkMeta { id, kind, hour } in chunks {
        let first = hour.saturating_mul(MINUTES_PER_HOUR);
        let whole = first..first.saturating_add(MINUTES_PER_HOUR);
        let part = whole.start.max(minutes.start)..whole.end.min(minutes.end);
        if part.is_empty() {
            continue;
        }
        let by_hour = grain == Grain::Hour && part == whole && summed.contains(hour);
        match (kind, grain) {
            (ChunkKind::Hour, _) if by_hour => hours.push((*id, part)),
            (ChunkKind::Minutes, _) if by_hour => {}
            (ChunkKind::Hour, _) => {}
            (_, Grain::Minute) => wanted.push((Piece::Chunk(*id), part)),
            (_, Grain::Hour) => wanted.push((Piece::Minutes(*id, part.clone()), part)),
        }
    }
    let (first, last) = (hours.iter().map(|(_, hour)| hour.start).min(), hours.iter().map(|(_, hour)| hour.end).max());
    if let (Some(first), Some(last)) = (first, last) {
        let ids = hours.into_iter().map(|(id, _)| id).collect();
        wanted.push((Piece::Hours(ids), first..last));
    }
    wanted
}
