//! Which pieces of stored chunks add up to what is asked for, and those that are kept in memory.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use lru::LruCache;

use super::Grain;
use crate::catalog::{ChunkKind, ChunkMeta};
use crate::rollup::{Hour, MINUTES_PER_HOUR, Minute, Rollup};

/// Chunks in memory as they are stored, bytes, beside those of a running answer: a full hour may take more than all.
const CHUNK_BYTES: usize = 32 << 20;
/// What was made of them, bytes. It is small and dear, and a chunk must not push it out.
const SUM_BYTES: usize = 64 << 20;
const CACHED: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// A sum that lacks no more chunks than these grows by them; else it is begun anew.
const MOST_NEW: usize = 64;

/// Chunks as they are needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) chunks: Vec<i64>,
    pub(super) form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// By the minute, as they are stored.
    Minutes,
    /// By the minute, keys that begin so.
    Keys(Arc<[u8]>),
    /// By the minute, keys that begin so as one.
    KeySum(Arc<[u8]>),
    /// All minutes as one.
    Sum,
    /// These minutes as one.
    SumOf(Range<Minute>),
}

impl Piece {
    pub(super) fn chunk(id: i64) -> Self {
        Self { chunks: vec![id], form: Form::Minutes }
    }
}

impl Form {
    /// More chunks, added to what there is of others.
    pub(super) fn grow(&self, begun: Rollup, chunks: &[Arc<Rollup>]) -> Rollup {
        match self {
            Form::Minutes | Form::Keys(_) => {
                let mut grown = begun;
                let keys: &[u8] = if let Form::Keys(keys) = self { keys } else { &[] };
                chunks.iter().for_each(|chunk| grown.merge(&chunk.only(keys), 1));
                grown
            }
            Form::KeySum(keys) => {
                let mut grown = begun;
                chunks.iter().for_each(|chunk| grown.merge(&chunk.merged(keys), 1));
                grown
            }
            Form::Sum => {
                let first = chunks.iter().map(|chunk| chunk.minutes().start).chain([begun.minutes().start]).min();
                begun.plus(chunks, first.unwrap_or(Minute::MIN)..Minute::MAX)
            }
            Form::SumOf(minutes) => begun.plus(chunks, minutes.clone()),
        }
    }
}

/// A piece, and its bytes.
pub(super) type Kept = (Arc<Rollup>, usize);

pub(super) struct Cache {
    chunks: Kind,
    sums: Kind,
    /// The minutes of chunks, from the first to the last that has cells.
    pub(super) minutes: LruCache<i64, Range<Minute>>,
}

/// Pieces of one kind, those of the last used.
struct Kind {
    pieces: LruCache<Piece, Kept>,
    bytes: usize,
    most: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { chunks: Kind::new(CHUNK_BYTES), sums: Kind::new(SUM_BYTES), minutes: LruCache::new(CACHED) }
    }
}

impl Cache {
    pub(super) fn get(&mut self, piece: &Piece) -> Option<Kept> {
        self.of(piece).pieces.get(piece).cloned()
    }

    pub(super) fn put(&mut self, piece: Piece, kept: Kept) {
        if let (Form::Minutes, [id]) = (&piece.form, piece.chunks.as_slice()) {
            self.minutes.put(*id, kept.0.minutes());
        }
        self.of(&piece).put(piece, kept);
    }

    /// What is kept of the first chunks of a piece, as many as possible, and of how many. It is taken: the
    /// piece that grows out of it takes its place.
    pub(super) fn take_begun(&mut self, piece: &Piece) -> (Rollup, usize) {
        let mut begun = piece.clone();
        for _ in 0..MOST_NEW.min(piece.chunks.len().saturating_sub(1)) {
            begun.chunks.pop();
            if let Some(rollup) = self.sums.take(&begun) {
                return (Arc::unwrap_or_clone(rollup), begun.chunks.len());
            }
        }
        (Rollup::default(), 0)
    }

    fn of(&mut self, piece: &Piece) -> &mut Kind {
        if piece.form == Form::Minutes { &mut self.chunks } else { &mut self.sums }
    }
}

impl Kind {
    fn new(most: usize) -> Self {
        Self { pieces: LruCache::new(CACHED), bytes: 0, most }
    }

    fn put(&mut self, piece: Piece, kept: Kept) {
        if kept.1 > self.most {
            return;
        }
        self.bytes += kept.1;
        if let Some((_, (_, evicted))) = self.pieces.push(piece, kept) {
            self.bytes -= evicted;
        }
        while self.bytes > self.most {
            let Some((_, (_, evicted))) = self.pieces.pop_lru() else { break };
            self.bytes -= evicted;
        }
    }

    fn take(&mut self, piece: &Piece) -> Option<Arc<Rollup>> {
        let (rollup, bytes) = self.pieces.pop(piece)?;
        self.bytes -= bytes;
        Some(rollup)
    }
}

/// Chunks of hours of which only some minutes are asked for.
pub(super) fn cut<'a>(chunks: &'a [ChunkMeta], minutes: &'a Range<Minute>) -> impl Iterator<Item = i64> + 'a {
    let cut = chunks.iter().filter(|chunk| {
        let part = common(&minutes_of(chunk.hour), minutes);
        chunk.kind != ChunkKind::Hour && !part.is_empty() && part != minutes_of(chunk.hour)
    });
    cut.map(|chunk| chunk.id)
}

fn minutes_of(hour: Hour) -> Range<Minute> {
    let first = hour.saturating_mul(MINUTES_PER_HOUR);
    first..first.saturating_add(MINUTES_PER_HOUR)
}

fn common(a: &Range<Minute>, b: &Range<Minute>) -> Range<Minute> {
    a.start.max(b.start)..a.end.min(b.end)
}

/// Pieces of chunks that add up to some minutes, and which minutes of each count. `bounds` are the minutes of
/// chunks that are [`cut`].
pub(super) fn wanted(
    chunks: &[ChunkMeta],
    minutes: &Range<Minute>,
    grain: &Grain,
    bounds: &HashMap<i64, Range<Minute>>,
) -> Vec<(Piece, Range<Minute>)> {
    let near = chunks.iter().filter(|chunk| !common(&minutes_of(chunk.hour), minutes).is_empty());
    match grain {
        Grain::Minute => {
            let by_minute = near.filter(|chunk| chunk.kind != ChunkKind::Hour);
            by_minute.map(|chunk| (Piece::chunk(chunk.id), common(&minutes_of(chunk.hour), minutes))).collect()
        }
        Grain::MinuteOf(keys) | Grain::MinuteSum(keys) => {
            let form = match grain {
                Grain::MinuteSum(_) => Form::KeySum(keys.clone()),
                _ => Form::Keys(keys.clone()),
            };
            let mut hours: BTreeMap<Hour, Vec<i64>> = BTreeMap::new();
            for chunk in near.filter(|chunk| chunk.kind != ChunkKind::Hour) {
                hours.entry(chunk.hour).or_default().push(chunk.id);
            }
            let piece = |mut chunks: Vec<i64>| {
                chunks.sort_unstable();
                Piece { chunks, form: form.clone() }
            };
            hours.into_iter().map(|(hour, ids)| (piece(ids), common(&minutes_of(hour), minutes))).collect()
        }
        Grain::Hour => as_one(near, minutes, bounds),
    }
}

/// What lies whole in the minutes is one piece. It changes with a flush, whatever is asked in between.
fn as_one<'a>(
    near: impl Iterator<Item = &'a ChunkMeta> + Clone,
    minutes: &Range<Minute>,
    bounds: &HashMap<i64, Range<Minute>>,
) -> Vec<(Piece, Range<Minute>)> {
    // An hour that is being summed for the first time has no chunk of that kind.
    let summed: HashSet<Hour> =
        near.clone().filter(|chunk| chunk.kind == ChunkKind::Hour).map(|chunk| chunk.hour).collect();
    let (mut hours, mut others, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
    for ChunkMeta { id, kind, hour } in near {
        let whole = common(&minutes_of(*hour), minutes) == minutes_of(*hour);
        let by_hour = whole && summed.contains(hour);
        let own = bounds.get(id).map(|own| (own, common(own, minutes)));
        match (kind, own) {
            (ChunkKind::Hour, _) if by_hour => hours.push(*id),
            (ChunkKind::Minutes, _) if by_hour => {}
            (ChunkKind::Hour, _) => {}
            (_, Some((own, part))) if part != *own => {
                if !part.is_empty() {
                    wanted.push((Piece { chunks: vec![*id], form: Form::SumOf(part.clone()) }, part));
                }
            }
            _ => others.push(*id),
        }
    }
    // What comes next is last, so that a sum grows by it.
    hours.sort_unstable();
    others.sort_unstable();
    hours.append(&mut others);
    if !hours.is_empty() {
        wanted.insert(0, (Piece { chunks: hours, form: Form::Sum }, minutes.clone()));
    }
    wanted
}

#[cfg(test)]
mod tests;
