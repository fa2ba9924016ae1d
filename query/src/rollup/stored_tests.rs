//! Cells out of a real store: whatever the order, the split, the repetition, and what was flushed, merged,
//! summed or started again between, they are those of all spans at once.

use std::collections::BTreeMap;

use proptest::prelude::*;
use storage::ids::{SpanId, TraceId};
use storage::rollup::{Rollup, Summarise};
use storage::schema::Table;

use super::*;
use crate::engine::Limits;
use crate::graph::GraphOptions;
use crate::model::Span;
use crate::rows::testing::{resource, span, span_batch};
use crate::traces::testing::Stored;

const T0: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

type Counted = BTreeMap<(Minute, Vec<u8>), Vec<(u16, i64)>>;

/// Without exemplars: one that was shown when less of its trace was stored may stay.
fn counted(rollup: &Rollup) -> Counted {
    let cells = rollup
        .cells()
        .map(|(minute, key, cell)| ((minute, key.to_vec()), cell.counts.slots(0..u16::MAX).collect::<Vec<_>>()));
    cells.filter(|(_, slots)| !slots.is_empty()).collect()
}

fn told(cells: &Cells) -> Counted {
    let each = |series: &Series| {
        let key = series.key.encode();
        let slots = |cell: &Cell| cell.counts.slots(0..u16::MAX).collect::<Vec<_>>();
        series.cells.iter().map(|(minute, cell)| ((*minute, key.clone()), slots(cell))).collect::<Vec<_>>()
    };
    cells.series.iter().flat_map(each).collect()
}

fn at_once(spans: &[Span]) -> Counted {
    counted(&Summariser.summarise(&[span_batch(spans)]).expect("a batch of spans"))
}

/// Traces of up to some hours, whose parents may be missing, late, or of hours before.
fn spans() -> impl Strategy<Value = Vec<Span>> {
    let service = prop_oneof![Just("a"), Just("b"), Just("")];
    let peer = prop_oneof![Just(None), Just(Some("b")), Just(Some("kafka:t")), Just(Some("mysql://h/d"))];
    let after = prop_oneof![0u64..90, 3_500u64..3_700, 0u64..15_000];
    let one = (1u128..4, 1u64..12, 0u64..12, 0i32..6, service, peer, after, any::<bool>());
    let one = one.prop_map(|(trace, id, parent, kind, service, peer, after, fails)| {
        let peer = peer.map(str::to_owned);
        Span {
            trace_id: TraceId(trace.to_be_bytes()),
            parent_span_id: (parent != 0).then(|| SpanId(parent.to_be_bytes())),
            kind,
            role: ["internal", "internal", "entry", "exit", "exit", "entry"][kind as usize].to_owned(),
            start: T0 + after * SECOND,
            end: T0 + after * SECOND + id * 1_000_000,
            status_code: if fails { 2 } else { 0 },
            outcome: if fails { "timeout" } else { "ok" }.to_owned(),
            protocol: peer.as_ref().map(|peer| peer.split(':').next().unwrap_or_default().to_owned()),
            peer,
            service: service.to_owned(),
            resource: resource(service),
            ..span(trace, id, "op")
        }
    });
    proptest::collection::vec(one, 0..40)
}

/// Spans, the same in another order with some twice, and how many go at a time.
fn sent() -> impl Strategy<Value = (Vec<Span>, Vec<Span>, usize)> {
    spans().prop_flat_map(|spans| {
        let again = proptest::sample::subsequence(spans.clone(), 0..=spans.len());
        let sent = again.prop_flat_map({
            let spans = spans.clone();
            move |again| Just([spans.clone(), again].concat()).prop_shuffle()
        });
        (Just(spans), sent, 1usize..9)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The formula of the store, without one: what is old is what came before.
    #[test]
    fn deltas_add_up_to_the_whole((spans, sent, batch) in sent()) {
        let (mut stored, mut sum) = (Vec::new(), Rollup::default());
        for new in sent.chunks(batch) {
            let ids: Vec<TraceId> = new.iter().map(|span| span.trace_id).collect();
            let old: Vec<Span> = stored.iter().filter(|span: &&Span| ids.contains(&span.trace_id)).cloned().collect();
            let summarise = |spans: &[Span]| Summariser.summarise(&[span_batch(spans)]).expect("a batch of spans");
            sum.merge(&summarise(&[old.as_slice(), new].concat()), 1);
            sum.merge(&summarise(&old), -1);
            stored.extend_from_slice(new);
        }
        prop_assert_eq!(counted(&sum), at_once(&spans));
    }
}

/// What is erased had never been there, flushed and summed or not; nor is it shown as an example.
async fn erased(spans: Vec<Span>, sent: Vec<Span>, batch: usize, what: u32) -> Result<(), TestCaseError> {
    let stored = Stored::new(Limits::default()).await;
    for (number, part) in sent.chunks(batch).enumerate() {
        stored.append(Table::Spans, span_batch(part)).await;
        if what >> (number % 16) & 1 == 1 {
            stored.engine.store().flush().await.expect("flushed");
        }
    }
    if what >> 16 & 1 == 1 {
        stored.engine.store().sum_counts().await.expect("summed");
    }
    let gone = TraceId(1u128.to_be_bytes());
    let rows = crate::erase::Rows::Traces(vec![gone]);
    let selection = crate::erase::Selection { rows, service: None, range: Range::ALL };
    let report = stored.engine.erase(selection, false).await.expect("erased");
    prop_assert!(report.verified);
    let left: Vec<Span> = spans.into_iter().filter(|span| span.trace_id != gone).collect();
    let (cells, _) = stored.engine.cells(Range::ALL).await.expect("an answer");
    prop_assert_eq!(told(&cells), at_once(&left));
    let stored = stored.again().await;
    let (cells, _) = stored.engine.cells(Range::ALL).await.expect("an answer");
    prop_assert_eq!(told(&cells), at_once(&left), "started again");
    let mut shown = cells.series.iter().flat_map(|series| series.cells.values()).flat_map(|cell| &cell.exemplars);
    prop_assert!(shown.all(|exemplar| exemplar.trace != gone));
    Ok(())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn stored_cells_are_those_of_all_spans_at_once((spans, sent, batch) in sent(), what in any::<u32>()) {
        runtime().block_on(async {
            let expected = at_once(&spans);
            let mut stored = Stored::new(Limits::default()).await;
            for (number, part) in sent.chunks(batch).enumerate() {
                stored.append(Table::Spans, span_batch(part)).await;
                if what >> (5 + number % 16) & 1 == 1 {
                    // What is kept of this answer grows by what comes.
                    let sent: Vec<Span> = sent.iter().take((number + 1) * batch).cloned().collect();
                    let found = stored.engine.cells(Range::ALL).await.expect("an answer");
                    prop_assert_eq!(told(&found.0), at_once(&sent), "on the way");
                    stored.engine.graph(Range::ALL, GraphOptions::default()).await.expect("an answer");
                }
                if what >> (number % 16) & 1 == 1 {
                    stored.engine.store().flush().await.expect("flushed");
                }
                if what >> (16 + number % 16) & 1 == 1 {
                    stored.engine.store().sum_counts().await.expect("summed");
                }
                if what >> (8 + number % 16) & 7 == 7 {
                    stored = stored.again().await;
                }
            }
            let found = stored.engine.cells(Range::ALL).await.expect("an answer");
            prop_assert_eq!(told(&found.0), expected.clone(), "before the last flush");
            stored.engine.store().flush().await.expect("flushed");
            stored.engine.store().compact().await.expect("compacted");
            stored.engine.store().sum_counts().await.expect("summed");
            let (found, notes) = stored.engine.cells(Range::ALL).await.expect("an answer");
            prop_assert_eq!(told(&found), expected.clone(), "summed");
            prop_assert!(notes.warnings.is_empty(), "{:?}", notes);
            let by_minute = stored.engine.graph(Range::ALL, GraphOptions::default()).await.expect("an answer");
            stored = stored.again().await;
            let (found, _) = stored.engine.cells(Range::ALL).await.expect("an answer");
            prop_assert_eq!(told(&found), expected, "started again");
            let again = stored.engine.graph(Range::ALL, GraphOptions::default()).await.expect("an answer");
            prop_assert_eq!(by_minute.edges, again.edges);
            Ok(())
        })?;
    }

    #[test]
    fn what_is_erased_was_never_counted((spans, sent, batch) in sent(), what in any::<u32>()) {
        runtime().block_on(erased(spans, sent, batch, what))?;
    }
}
