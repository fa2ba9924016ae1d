//! Questions about traces, services and the graph, asked of a real store.

use super::testing::Stored;
use crate::engine::{Limits, QueryError, Range};
use crate::model::{Operation, Span};
use crate::rows::testing::{resource, span};
use crate::services::Scope;
use storage::ids::{SpanId, TraceId};

const T0: u64 = 1_700_000_000_000_000_000;

fn one(service: &str, id: u64, parent: u64, kind: i32, role: &str) -> Span {
    Span {
        parent_span_id: (parent != 0).then(|| SpanId(parent.to_be_bytes())),
        kind,
        role: role.to_owned(),
        service: service.to_owned(),
        resource: resource(service),
        start: T0 + id * 1000,
        end: T0 + id * 1000 + 1_000_000,
        ..span(1, id, &format!("{service} op"))
    }
}

/// A call from front to cart in two requests, one of which is repeated; another trace beside it.
async fn shop(limits: Limits) -> Stored {
    let front = [one("front", 1, 0, 2, "entry"), one("front", 2, 1, 3, "exit")];
    let cart = [one("cart", 3, 2, 2, "entry"), one("cart", 4, 3, 1, "internal")];
    let other = [Span { trace_id: TraceId([9; 16]), ..one("cart", 9, 0, 1, "internal") }];
    Stored::with(limits, &[&cart, &other, &cart, &front]).await
}

fn id() -> TraceId {
    TraceId(1u128.to_be_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_whole_wherever_its_spans_are() {
    let shop = shop(Limits::default()).await;
    let trace = shop.engine.trace(id()).await.expect("an answer").expect("a trace");
    assert_eq!(trace.spans.len(), 4);
    assert_eq!(trace.tree.parent, [None, Some(0), Some(1), Some(2)]);
    assert!(trace.notes.warnings.is_empty(), "{:?}", trace.notes);
    assert!(shop.engine.trace(TraceId([5; 16])).await.expect("an answer").is_none());

    let both = shop.engine.traces(&[TraceId([9; 16]), TraceId([5; 16]), id()]).await.expect("an answer");
    assert_eq!(
        both.iter().map(|trace| (trace.id, trace.spans.len())).collect::<Vec<_>>(),
        [(TraceId([9; 16]), 1), (id(), 4),]
    );

    let skeleton = shop.engine.skeleton(id()).await.expect("an answer").expect("a trace");
    assert_eq!(skeleton.span_id, trace.spans.iter().map(|span| span.span_id).collect::<Vec<_>>());
    assert_eq!(skeleton.self_time, trace.tree.self_time);
    assert_eq!(skeleton.services, ["front", "cart"]);

    let (spans, _) = shop.engine.spans_of(id(), SpanId(3u64.to_be_bytes())).await.expect("an answer");
    assert_eq!(spans, [trace.spans[2].clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_over_the_limit_says_so() {
    let shop = shop(Limits { trace_spans: 3, ..Limits::default() }).await;
    let trace = shop.engine.trace(id()).await.expect("an answer").expect("a trace");
    assert_eq!((trace.spans.len(), trace.notes.warnings.len()), (3, 1));
    let skeleton = shop.engine.skeleton(id()).await.expect("an answer").expect("a trace");
    assert_eq!((skeleton.span_id.len(), skeleton.notes.warnings.len()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_services_and_operations_are_told() {
    let shop = shop(Limits::default()).await;
    let (names, _) = shop.engine.service_names(Range::ALL).await.expect("an answer");
    assert_eq!(names, ["cart", "front"]);
    let (operations, _) = shop.engine.operations("cart".to_owned(), None, Range::ALL).await.expect("an answer");
    let operation = |kind| Operation { service: "cart".to_owned(), name: "cart op".to_owned(), kind };
    assert_eq!(operations, [operation(1), operation(2)]);
    let (servers, _) = shop.engine.operations("cart".to_owned(), Some(2), Range::ALL).await.expect("an answer");
    assert_eq!(servers, [operation(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_counts_each_call_once() {
    let shop = shop(Limits::default()).await;
    let graph = shop.engine.graph(Range::ALL, Default::default()).await.expect("an answer");
    let told: Vec<_> = graph.edges.iter().map(|e| (e.source.as_str(), e.target.as_str(), e.calls)).collect();
    assert_eq!(told, [(":user", "front", 1), ("front", "cart", 1)]);
    let (links, _) = shop.engine.dependencies(Range::ALL).await.expect("an answer");
    let link = |parent: &str, child: &str, count| (parent.to_owned(), child.to_owned(), count);
    assert_eq!(links, [link("cart", "cart", 1), link("front", "cart", 1), link("front", "front", 1)]);
    let after = Range { from: (T0 + 60_000_000_000) as i64, to: i64::MAX };
    let graph = shop.engine.graph(after, Default::default()).await.expect("an answer");
    assert!(graph.edges.is_empty(), "the call began before: {:?}", graph.edges);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_names_are_cut_and_told() {
    let long = "s".repeat(300);
    let stored = Stored::with(Limits::default(), &[&[one(&long, 1, 0, 1, "internal")]]).await;
    let (names, notes) = stored.engine.service_names(Range::ALL).await.expect("an answer");
    assert_eq!((names, notes.warnings.len()), (vec![long[..256].to_owned()], 1));
    let (operations, notes) = stored.engine.operations(long.clone(), None, Range::ALL).await.expect("an answer");
    assert_eq!((operations.len(), notes.warnings.len()), (1, 0), "an operation's names may be longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_ends_at_the_deadline() {
    let shop = shop(Limits { deadline: std::time::Duration::ZERO, ..Limits::default() }).await;
    let late = |error: QueryError| assert!(matches!(error, QueryError::Timeout(_)), "{error:?}");
    late(shop.engine.trace(id()).await.expect_err("late"));
    late(shop.engine.skeleton(id()).await.expect_err("late"));
    late(shop.engine.service_names(Range::ALL).await.expect_err("late"));
    late(shop.engine.operations("cart".to_owned(), None, Range::ALL).await.expect_err("late"));
    late(shop.engine.services(Scope::of(Range::ALL)).await.expect_err("late"));
    late(shop.engine.graph(Range::ALL, Default::default()).await.expect_err("late"));
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_told_both_ways() {
    let link = |trace: TraceId, span: u64| storage::attrs::Link {
        trace_id: trace.0.to_vec(),
        span_id: span.to_be_bytes().to_vec(),
        trace_state: String::new(),
        attributes: Vec::new(),
        dropped_attributes: 0,
        flags: 0,
    };
    let other = TraceId([9; 16]);
    let sent = [one("shop", 1, 0, 4, "exit")];
    let received = [Span { trace_id: other, links: vec![link(id(), 1)], ..one("mail", 7, 0, 5, "entry") }];
    let unrelated =
        [Span { trace_id: TraceId([8; 16]), links: vec![link(TraceId([7; 16]), 1)], ..one("x", 8, 0, 1, "internal") }];
    let stored = Stored::with(Limits::default(), &[&received, &unrelated, &sent]).await;

    let links = stored.engine.trace_links(id()).await.expect("an answer").expect("a trace");
    assert!(links.forward.is_empty());
    let [back] = &links.backward[..] else { panic!("{links:?}") };
    assert_eq!(
        (back.trace_id, back.span_id, back.here),
        (other, SpanId(7u64.to_be_bytes()), SpanId(1u64.to_be_bytes()))
    );
    assert_eq!((back.service.as_deref(), back.name.as_deref()), (Some("mail"), Some("mail op")));

    let links = stored.engine.trace_links(other).await.expect("an answer").expect("a trace");
    let [ahead] = &links.forward[..] else { panic!("{links:?}") };
    assert_eq!(
        (ahead.trace_id, ahead.span_id, ahead.here),
        (id(), SpanId(1u64.to_be_bytes()), SpanId(7u64.to_be_bytes()))
    );
    assert!(links.backward.is_empty());
    assert!(stored.engine.trace_links(TraceId([5; 16])).await.expect("an answer").is_err());
}
