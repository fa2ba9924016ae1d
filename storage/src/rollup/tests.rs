//! Cells add up, slot by slot and minute by minute.

use super::*;

fn rollup(parts: &[(Minute, &str, u16, i64)]) -> Rollup {
    let mut rollup = Rollup::default();
    for (minute, key, slot, count) in parts {
        rollup.cell(*minute, key.as_bytes()).counts.add(*slot, *count);
    }
    rollup
}

#[test]
fn what_is_added_and_taken_back_was_never_there() {
    let (one, other) = (rollup(&[(1, "a", 3, 2), (2, "b", 1, 1)]), rollup(&[(1, "a", 3, 5), (1, "a", 4, 1)]));
    let mut sum = one.clone();
    sum.merge(&other, 1);
    assert_eq!(sum, rollup(&[(1, "a", 3, 7), (1, "a", 4, 1), (2, "b", 1, 1)]));
    sum.merge(&other, -1);
    assert_eq!(sum, one);
    sum.merge(&one, -1);
    assert!(sum.is_empty());
    let mut negative = Rollup::default();
    negative.merge(&one, -1);
    negative.merge(&one, 1);
    assert!(negative.is_empty());
}

#[test]
fn merging_is_adding_slot_by_slot() {
    let counts = |slots: &[(u16, i64)]| Counts(slots.to_vec());
    type Slots = &'static [(u16, i64)];
    let cases: [(Slots, Slots); 5] = [
        (&[(1, 2), (3, 4)], &[(1, 1), (3, 4)]),
        (&[(1, 2), (3, 4)], &[(2, 1), (4, 4)]),
        (&[], &[(2, 1)]),
        (&[(5, 1)], &[(2, 1), (5, 1), (9, 3)]),
        (&[(1, 1), (9, 1)], &[(1, 1)]),
    ];
    for ((mine, theirs), sign) in cases.into_iter().flat_map(|case| [(case, 1), (case, -1)]) {
        let (mut merged, mut added) = (counts(mine), counts(mine));
        merged.merge(&counts(theirs), sign);
        theirs.iter().for_each(|(slot, count)| added.add(*slot, sign * count));
        assert_eq!(merged, added, "{mine:?} and {sign} times {theirs:?}");
    }
}

#[test]
fn slots_at_once_are_slots_one_by_one() {
    let slots = [5u16, 0, 5, 4096, 5, 9_215, 0];
    let (mut at_once, mut scratch) = (Counts(vec![(0, -1), (7, 2)]), vec![0; 9_216]);
    let (mut one_by_one, before) = (at_once.clone(), at_once.clone());
    at_once.add_each(&slots, &mut scratch);
    slots.iter().for_each(|slot| one_by_one.add(*slot, 1));
    assert_eq!(at_once, one_by_one);
    assert!(scratch.iter().all(|count| *count == 0));
    at_once.merge(&before, -1);
    let mut fresh = Counts::default();
    fresh.add_each(&slots, &mut scratch);
    assert_eq!(fresh.0.iter().map(|(_, count)| count).sum::<i64>(), slots.len() as i64);
}

#[test]
fn slots_of_a_range() {
    let mut counts = Counts::default();
    for slot in [9, 1, 5] {
        counts.add(slot, i64::from(slot));
    }
    assert_eq!(counts.slots(1..9).collect::<Vec<_>>(), [(1, 1), (5, 5)]);
    assert_eq!((counts.get(9), counts.get(2)), (9, 0));
}

#[test]
fn the_best_exemplars_are_kept() {
    let exemplar = |fine, duration, id| Exemplar {
        fine,
        duration: Reverse(duration),
        trace: TraceId([id; 16]),
        span: SpanId([id; 8]),
    };
    let mut cell = Cell::default();
    for (fine, duration, id) in [(true, 5, 1), (true, 9, 2), (false, 1, 3), (true, 7, 4), (true, 9, 2)] {
        cell.exemplify(exemplar(fine, duration, id));
    }
    let kept: Vec<u8> = cell.exemplars.iter().map(|exemplar| exemplar.trace.0[0]).collect();
    assert_eq!(kept, [3, 2, 4]);
}

#[test]
fn times_before_the_epoch_have_minutes_too() {
    assert_eq!([minute_of(0), minute_of(59_999_999_999), minute_of(-1)], [0, 0, -1]);
}
