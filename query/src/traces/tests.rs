//! Traces put together from made-up batches.

use super::distinct::Distinct;
use super::skeleton::Bones;
use super::*;
use crate::rows::testing::{span, span_batch};
use storage::attrs::Value;

const TRACE: u128 = 7;

fn id() -> TraceId {
    TraceId(TRACE.to_be_bytes())
}

fn child(number: u64, parent: u64, start: u64, end: u64) -> Span {
    let parent_span_id = (parent != 0).then(|| SpanId(parent.to_be_bytes()));
    Span { parent_span_id, start: 1000 + start, end: 1000 + end, ..span(TRACE, number, &format!("op-{number}")) }
}

fn chosen(distinct: &mut Distinct, spans: &[Span]) -> usize {
    let batch = span_batch(spans);
    distinct.choose(&batch, |trace, _| trace == id()).expect("a batch of spans").num_rows()
}

#[test]
fn equal_spans_count_once_whenever_they_came() {
    let mut distinct = Distinct::new(100, usize::MAX);
    let first = child(1, 0, 0, 10);
    let again = Span { received: first.received + 5, ..first.clone() };
    let differs = Span { attributes: vec![("retry".to_owned(), Value::Bool(true))], ..first.clone() };
    let not_a_number = Span { attributes: vec![("x".to_owned(), Value::Double(f64::NAN))], ..child(2, 1, 0, 1) };
    let other = span(8, 1, "another trace");
    assert_eq!(chosen(&mut distinct, &[first.clone(), again.clone(), other]), 1);
    assert_eq!(chosen(&mut distinct, &[again, not_a_number.clone(), not_a_number]), 1);
    assert_eq!(chosen(&mut distinct, &[differs]), 1, "the same id with other content is kept");
    assert_eq!(distinct.repeated, 3);
}

/// The first batches may have nothing alike: what was let through unhashed is found again.
#[test]
fn equal_spans_count_once_however_they_are_dealt_out() {
    let differs = |number| Span { attributes: vec![("n".to_owned(), Value::Bool(true))], ..child(number, 0, 0, 10) };
    let all: Vec<Span> = (1..=3)
        .flat_map(|round| (1..=6).map(move |number| if round == 2 { differs(number) } else { child(number, 0, 0, 10) }))
        .collect();
    for size in 1..=all.len() {
        let mut distinct = Distinct::new(100, usize::MAX);
        let kept: usize = all.chunks(size).map(|batch| chosen(&mut distinct, batch)).sum();
        assert_eq!((kept, distinct.repeated), (12, 6), "in batches of {size}");
    }
    let many: Vec<Span> = (1..=2_000).map(|number| child(number, 0, 0, 10)).collect();
    let mut distinct = Distinct::new(5_000, usize::MAX);
    let kept: usize = many.chunks(700).chain([&many[..5]]).map(|batch| chosen(&mut distinct, batch)).sum();
    assert_eq!((kept, distinct.repeated), (2_000, 5));
}

#[test]
fn what_is_cut_is_counted_once_and_told() {
    let mut distinct = Distinct::new(2, usize::MAX);
    let spans: Vec<Span> = (1..=5).map(|number| child(number, 0, 0, 1)).collect();
    assert_eq!(chosen(&mut distinct, &spans), 2);
    assert_eq!(chosen(&mut distinct, &spans), 0);
    let mut notes = Notes::default();
    distinct.tell_of_cut(id(), 2, &mut notes);
    assert_eq!(notes.warnings, ["the trace has 5 spans; only 2 are shown"]);
}

#[test]
fn text_beyond_the_budget_is_left_out_and_told() {
    let long = |number| Span { name: "n".repeat(1000), ..child(number, 0, 0, 1) };
    let mut distinct = Distinct::new(100, 2500);
    assert_eq!(chosen(&mut distinct, &[long(1), long(2), long(3)]), 2);
    assert_eq!(chosen(&mut distinct, &[long(4)]), 0);
    let mut notes = Notes::default();
    distinct.tell_of_cut(id(), 2, &mut notes);
    assert_eq!(notes.warnings, ["the trace has 4 spans; only 2 are shown"]);
    assert_eq!(chosen(&mut Distinct::new(100, 10), &[long(1)]), 1, "one span is always shown");
}

#[test]
fn a_trace_is_sorted_and_says_when_it_may_grow() {
    let spans = vec![child(3, 1, 50, 90), child(2, 1, 10, 40), child(1, 0, 0, 100)];
    let received = spans[0].received;
    let trace = assemble(id(), spans, Notes::default(), received + 1_000_000_000);
    let ids: Vec<u64> = trace.spans.iter().map(|span| u64::from_be_bytes(span.span_id.0)).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(trace.tree.self_time, [30, 30, 40]);
    assert!(trace.notes.maybe_incomplete);
    let path: Vec<_> = trace.critical_path.iter().map(|s| (s.span, s.start - 1000, s.end - 1000)).collect();
    assert_eq!(path, [(0, 0, 10), (1, 10, 40), (0, 40, 50), (2, 50, 90), (0, 90, 100)]);
    let later = assemble(id(), trace.spans, Notes::default(), received + 31_000_000_000);
    assert!(!later.notes.maybe_incomplete);
}

#[test]
fn circles_are_told() {
    let trace = assemble(id(), vec![child(1, 2, 0, 1), child(2, 1, 1, 2)], Notes::default(), 0);
    assert_eq!(trace.tree.roots.len(), 1);
    assert_eq!(trace.notes.warnings.len(), 1);
}

#[test]
fn a_skeleton_lists_spans_as_they_are_drawn() {
    let spans =
        [child(4, 2, 15, 20), child(3, 1, 50, 90), child(5, 99, 5, 7), child(2, 1, 10, 40), child(1, 0, 0, 100)];
    let mut bones = Bones::new(100, Notes::default());
    bones.take(&span_batch(&spans), id()).expect("a batch of spans");
    let skeleton = bones.assemble(id(), 0);
    let ids: Vec<u64> = skeleton.span_id.iter().map(|id| u64::from_be_bytes(id.0)).collect();
    assert_eq!(ids, [1, 2, 4, 3, 5]);
    assert_eq!(skeleton.parent, [None, Some(0), Some(1), Some(0), None]);
    assert_eq!(skeleton.depth, [0, 1, 2, 1, 0]);
    assert_eq!((skeleton.t0, skeleton.duration), (1000, 100));
    assert_eq!(skeleton.start, [0, 10, 15, 50, 5]);
    assert_eq!(skeleton.span_duration, [100, 30, 5, 40, 2]);
    assert_eq!(skeleton.self_time, [30, 25, 5, 40, 2]);
    assert_eq!((skeleton.orphans, skeleton.roots), (vec![4], vec![0, 4]));
    assert_eq!(skeleton.names, ["op-1", "op-2", "op-4", "op-3", "op-5"]);
    assert_eq!((skeleton.services, skeleton.service), (vec!["svc".to_owned()], vec![0; 5]));
    let total: u64 = skeleton.critical_path.iter().map(|section| section.end - section.start).sum();
    assert_eq!(total, 100);
}
