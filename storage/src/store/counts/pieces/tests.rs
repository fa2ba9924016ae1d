//! Whatever is kept from before, the pieces of a question add up to the cells of its minutes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Chunks as flushes and the keeper leave them, and what is in each.
#[derive(Default)]
struct Lake {
    chunks: Vec<ChunkMeta>,
    rollups: HashMap<i64, Arc<Rollup>>,
    next: i64,
}

impl Lake {
    fn add(&mut self, kind: ChunkKind, hour: Hour, rollup: Rollup) {
        self.chunks.push(ChunkMeta { id: self.next, kind, hour });
        self.rollups.insert(self.next, Arc::new(rollup));
        self.next += 1;
    }

    fn flush(&mut self, cells: &[(Minute, u8, i64)]) {
        let mut rollup = Rollup::default();
        cells.iter().for_each(|(minute, key, count)| rollup.cell(*minute, &[*key, 7]).counts.add(3, *count));
        rollup.by_hour().into_iter().for_each(|(hour, part)| self.add(ChunkKind::Delta, hour, part));
    }

    /// As the keeper does: chunks of an hour as one, and its sum beside it where the hour is over.
    fn sum(&mut self, hour: Hour, over: bool) {
        let (gone, stay): (Vec<_>, Vec<_>) = self.chunks.iter().copied().partition(|chunk| chunk.hour == hour);
        let over = over || gone.iter().any(|chunk| chunk.kind == ChunkKind::Hour);
        let mut all = Rollup::default();
        let by_minute = gone.iter().filter(|chunk| chunk.kind != ChunkKind::Hour);
        by_minute.for_each(|chunk| all.merge(&self.rollups[&chunk.id], 1));
        self.chunks = stay;
        if all.is_empty() {
            return;
        }
        if over {
            self.add(ChunkKind::Hour, hour, Rollup::sum(&[&all], minutes_of(hour)));
        }
        self.add(if over { ChunkKind::Minutes } else { ChunkKind::Delta }, hour, all);
    }

    fn ask(&self, cache: &mut Cache, minutes: &Range<Minute>, grain: &Grain) -> Vec<(Range<Minute>, Arc<Rollup>)> {
        let bounds = cut(&self.chunks, minutes).map(|id| (id, self.rollups[&id].minutes())).collect();
        let part = |(piece, minutes): (Piece, Range<Minute>)| {
            if let Some((known, _)) = cache.get(&piece) {
                return (minutes, known);
            }
            let (begun, have) = cache.take_begun(&piece);
            let rest: Vec<Arc<Rollup>> = piece.chunks[have..].iter().map(|id| self.rollups[id].clone()).collect();
            let grown = Arc::new(piece.form.grow(begun, &rest));
            cache.put(piece, (grown.clone(), grown.bytes()));
            (minutes, grown)
        };
        wanted(&self.chunks, minutes, grain, &bounds).into_iter().map(part).collect()
    }

    fn expected(&self, minutes: &Range<Minute>) -> Rollup {
        let mut all = Rollup::default();
        let by_minute = self.chunks.iter().filter(|chunk| chunk.kind != ChunkKind::Hour);
        by_minute.for_each(|chunk| all.merge(&self.rollups[&chunk.id], 1));
        let mut within = Rollup::default();
        all.within(minutes.clone()).for_each(|(minute, key, cell)| within.cell(minute, key).merge(cell, 1));
        within
    }
}

#[derive(Clone, Debug)]
enum Step {
    Flush(Vec<(Minute, u8, i64)>),
    Sum(Hour, bool),
    Ask(Range<Minute>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let minute = -10i64..200;
    let cells = proptest::collection::vec((minute.clone(), 0u8..3, prop_oneof![Just(-1i64), 1i64..4]), 1..9);
    let ask = (minute.clone(), minute).prop_map(|(a, b)| Step::Ask(a.min(b)..a.max(b)));
    let step = prop_oneof![
        3 => cells.prop_map(Step::Flush),
        1 => (-1i64..4, any::<bool>()).prop_map(|(hour, over)| Step::Sum(hour, over)),
        3 => ask,
        2 => Just(Step::Ask(0..180)),
    ];
    proptest::collection::vec(step, 1..30)
}

proptest! {
    #[test]
    fn pieces_add_up(steps in steps()) {
        let (mut lake, mut cache) = (Lake::default(), Cache::default());
        for step in steps {
            match step {
                Step::Flush(cells) => lake.flush(&cells),
                Step::Sum(hour, over) => lake.sum(hour, over),
                Step::Ask(minutes) => {
                    let expected = lake.expected(&minutes);
                    let (mut by_minute, mut one_key, mut as_one) = Default::default();
                    let add = |sum: &mut Rollup, parts: Vec<(Range<Minute>, Arc<Rollup>)>, keys: &[u8]| {
                        for (minutes, part) in &parts {
                            part.under(minutes.clone(), keys).for_each(|(minute, key, cell)| {
                                let mut one = Rollup::default();
                                one.cell(minute, key).merge(cell, 1);
                                sum.merge(&one, 1);
                            });
                        }
                    };
                    add(&mut by_minute, lake.ask(&mut cache, &minutes, &Grain::Minute), &[]);
                    prop_assert_eq!(&by_minute, &expected);
                    add(&mut one_key, lake.ask(&mut cache, &minutes, &Grain::MinuteOf(Arc::new([1]))), &[1]);
                    prop_assert_eq!(one_key, expected.only(&[1]));
                    let mut merged = Rollup::default();
                    add(&mut merged, lake.ask(&mut cache, &minutes, &Grain::MinuteSum(Arc::new([1]))), &[1]);
                    prop_assert_eq!(merged, expected.merged(&[1]));
                    let parts = lake.ask(&mut cache, &minutes, &Grain::Hour);
                    let sums: BTreeSet<i64> = parts.iter().flat_map(|(_, part)| part.cells()).map(|(at, ..)| at).collect();
                    prop_assert!(sums.iter().all(|at| minutes.contains(at)), "{:?} of {:?}", sums, minutes);
                    add(&mut as_one, parts, &[]);
                    let as_one = Rollup::sum(&[as_one], Minute::MIN..Minute::MAX);
                    prop_assert_eq!(as_one, Rollup::sum(&[expected], Minute::MIN..Minute::MAX));
                }
            }
        }
    }
}

#[test]
fn a_sum_grows_by_the_next_chunk_and_its_beginning_goes() {
    let (mut lake, mut cache) = (Lake::default(), Cache::default());
    lake.flush(&[(1, 0, 1)]);
    lake.flush(&[(2, 0, 1)]);
    lake.ask(&mut cache, &(0..60), &Grain::Hour);
    let of = |chunks: &[i64]| Piece { chunks: chunks.to_vec(), form: Form::Sum };
    assert!(cache.sums.pieces.contains(&of(&[0, 1])));
    lake.flush(&[(3, 0, 1)]);
    lake.ask(&mut cache, &(0..60), &Grain::Hour);
    assert!(cache.sums.pieces.contains(&of(&[0, 1, 2])) && !cache.sums.pieces.contains(&of(&[0, 1])));
    // It ends in the middle of the hour, but not of what there is.
    lake.ask(&mut cache, &(0..4), &Grain::Hour);
    assert_eq!(cache.sums.pieces.len(), 1);
    assert_eq!(cache.sums.bytes, cache.sums.pieces.iter().map(|(_, (_, bytes))| bytes).sum::<usize>());
}

#[test]
fn a_chunk_pushes_out_chunks_alone() {
    let (mut cache, kept) = (Cache::default(), Arc::new(Rollup::default()));
    let sum = |id| Piece { chunks: vec![id], form: Form::Sum };
    cache.put(sum(1), (kept.clone(), SUM_BYTES));
    for id in 1..4 {
        cache.put(Piece::chunk(id), (kept.clone(), CHUNK_BYTES / 2));
    }
    cache.put(Piece::chunk(4), (kept.clone(), CHUNK_BYTES + 1));
    let known: Vec<i64> = (1..5).filter(|id| cache.get(&Piece::chunk(*id)).is_some()).collect();
    assert_eq!(known, [2, 3], "what is larger than all is not kept");
    assert!(cache.get(&sum(1)).is_some());
    cache.put(sum(2), (kept, 1));
    assert!(cache.get(&sum(1)).is_none() && cache.get(&sum(2)).is_some());
}
