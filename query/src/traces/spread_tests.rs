//! Late and long traces: spans that come hours apart, in any order, some of them twice, give the answers
//! that they give when they come at once.

use proptest::prelude::*;
use storage::ids::{SpanId, TraceId};
use storage::schema::Table;

use super::testing::Stored;
use crate::engine::{Engine, Limits, Range};
use crate::model::{Edge, Node, Span, TraceSummary};
use crate::rows::testing::{resource, span, span_batch};
use crate::search::TraceSearch;
use crate::services::Scope;
use crate::services::model::ServiceInfo;
use crate::traceql::TraceQuery;

const T0: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;
const TRACES: u128 = 5;
const QUERIES: [&str; 4] = ["", "service:s1", "{ status = error }", "{ name = `n1` } >> { name = `n2` }"];

/// Traces of hours: each span below some span before it, seconds to hours after it.
fn spans() -> impl Strategy<Value = Vec<Span>> {
    let one = (0..TRACES, any::<prop::sample::Index>(), 0u64..9_000, 1u64..7_200, 0usize..3, 0usize..3, 0i32..3);
    prop::collection::vec(one, 1..70).prop_map(|rows| {
        let mut spans: Vec<Span> = Vec::new();
        for (id, (trace, above, after, long, service, name, status)) in (1u64..).zip(rows) {
            let before: Vec<&Span> = spans.iter().filter(|span| span.trace_id.0 == (trace + 1).to_be_bytes()).collect();
            let parent = (!before.is_empty()).then(|| above.get(&before));
            let start = parent.map_or(T0 + after * SECOND, |parent| parent.start + after * SECOND / 100);
            let (kind, role) = [(1, "internal"), (2, "entry"), (3, "exit")][name];
            let service = format!("s{service}");
            spans.push(Span {
                parent_span_id: parent.map(|parent| parent.span_id),
                start,
                end: start + long * SECOND,
                status_code: status,
                resource: resource(&service),
                service,
                kind,
                role: role.to_owned(),
                ..span(trace + 1, id, &format!("n{name}"))
            });
        }
        spans
    })
}

/// Spans, parents and the critical path of a trace.
type Told = (Vec<Span>, Vec<Option<usize>>, Vec<(usize, u64, u64)>);

/// Everything that is asked of a store.
#[derive(Debug, PartialEq)]
struct Answers {
    traces: Vec<Option<Told>>,
    columns: Vec<Option<(Vec<SpanId>, Vec<u64>)>>,
    pages: Vec<Vec<TraceSummary>>,
    services: Vec<ServiceInfo>,
    graph: (Vec<Node>, Vec<Edge>),
    links: Vec<(String, String, u64)>,
}

async fn ask(engine: &Engine) -> Answers {
    let (mut traces, mut columns, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=TRACES {
        let id = TraceId(number.to_be_bytes());
        let trace = engine.trace(id).await.expect("an answer");
        assert!(trace.iter().all(|trace| trace.notes.warnings.is_empty()));
        traces.push(trace.map(|trace| {
            let path = trace.critical_path.iter().map(|section| (section.span, section.start, section.end));
            (trace.spans, trace.tree.parent, path.collect())
        }));
        let skeleton = engine.skeleton(id).await.expect("an answer");
        columns.push(skeleton.map(|skeleton| (skeleton.span_id, skeleton.self_time)));
    }
    for query in QUERIES {
        let search = TraceSearch::new(TraceQuery::parse(query).expect(query), Range::ALL, 100);
        pages.push(engine.search_traces(search).await.expect("a page").items);
    }
    let services = engine.services(Scope::of(Range::ALL)).await.expect("an answer").services;
    let mut graph = engine.graph(Range::ALL, Default::default()).await.expect("an answer");
    // One that was shown when less of its trace was stored may stay.
    graph.edges.iter_mut().for_each(|edge| edge.exemplars.clear());
    let (links, _) = engine.dependencies(Range::ALL).await.expect("an answer");
    Answers { traces, columns, pages, services, graph: (graph.nodes, graph.edges), links }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn spread_over_segments_is_as_sent_at_once(
        spans in spans(),
        order in any::<u64>(),
        batch in 1usize..9,
        flushes in any::<u16>(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        runtime().block_on(async {
            let at_once = Stored::new(Limits::default()).await;
            at_once.append(Table::Spans, span_batch(&spans)).await;
            let expected = ask(&at_once.engine).await;

            let mut sent: Vec<Span> = spans.clone();
            sent.sort_by_key(|span| (span.span_id.0.map(u64::from).iter().sum::<u64>() ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            sent.extend(again.iter().map(|index| index.get(&spans).clone()));
            let spread = Stored::new(Limits::default()).await;
            for (number, part) in sent.chunks(batch).enumerate() {
                spread.append(Table::Spans, span_batch(part)).await;
                if flushes >> (number % 16) & 1 == 1 {
                    spread.engine.store().flush().await.expect("flushed");
                }
            }
            prop_assert_eq!(&ask(&spread.engine).await, &expected, "in {} segments", spread.engine.store().stats().segments);
            spread.engine.store().flush().await.expect("flushed");
            spread.engine.store().compact().await.expect("compacted");
            prop_assert_eq!(&ask(&spread.engine).await, &expected, "compacted");
            Ok(())
        })?;
    }
}
