//! Graphs of made-up traces, and that order, batches and repetition of spans do not matter.

use proptest::prelude::*;

use super::*;
use crate::model::{Edge, Exactness, Identity, NodeKind, Span};
use crate::rollup::{Mode, Summariser};
use crate::rows::testing::{resource, span, span_batch};
use std::sync::Arc;
use storage::ids::{SpanId, TraceId};
use storage::rollup::Summarise;

const T0: u64 = 1_700_000_000_000_000_000;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

fn one(service: &str, id: u64, parent: u64, kind: i32) -> Span {
    let role = match kind {
        SERVER | CONSUMER => "entry",
        CLIENT | PRODUCER => "exit",
        _ => "internal",
    };
    Span {
        parent_span_id: (parent != 0).then(|| SpanId(parent.to_be_bytes())),
        kind,
        role: role.to_owned(),
        service: service.to_owned(),
        resource: resource(service),
        start: T0 + id,
        end: T0 + id + 1_000_000,
        ..span(1, id, "op")
    }
}

fn calling(span: Span, protocol: &str, peer: &str) -> Span {
    Span { protocol: Some(protocol.to_owned()), peer: Some(peer.to_owned()), ..span }
}

fn failed(span: Span, outcome: &str) -> Span {
    Span { status_code: 2, outcome: outcome.to_owned(), ..span }
}

fn graph_of(batches: &[&[Span]], range: Range, options: &GraphOptions) -> Graph {
    let batches: Vec<_> = batches.iter().map(|spans| span_batch(spans)).collect();
    let rollup = Arc::new(Summariser.summarise(&batches).expect("batches of spans"));
    let asked = minutes(range);
    let around = [Minute::MIN..asked.start, asked.clone(), asked.end..Minute::MAX];
    let parts = around.map(|minutes| (minutes, rollup.clone()));
    let sums = draw::sums(&parts, &asked);
    draw::draw(&sums, options, range, 0, Notes::default())
}

fn graph(spans: &[Span]) -> Graph {
    graph_of(&[spans], Range::ALL, &GraphOptions::default())
}

fn focused(spans: &[Span], focus: &str, depth: u32) -> Graph {
    graph_of(&[spans], Range::ALL, &GraphOptions { focus: Some(focus.to_owned()), depth, ..GraphOptions::default() })
}

fn told(graph: &Graph) -> Vec<(String, String, u64, u64)> {
    graph.edges.iter().map(|e| (e.source.clone(), e.target.clone(), e.calls, e.errors)).collect()
}

fn edge(source: &str, target: &str, calls: u64, errors: u64) -> (String, String, u64, u64) {
    (source.to_owned(), target.to_owned(), calls, errors)
}

#[test]
fn a_pair_is_one_call_with_both_sides() {
    let found = graph(&[
        one("front", 1, 0, SERVER),
        one("front", 2, 1, CLIENT),
        failed(Span { end: T0 + 3 + 400_000, ..one("cart", 3, 2, SERVER) }, "timeout"),
    ]);
    assert_eq!(told(&found), [edge(":user", "front", 1, 0), edge("front", "cart", 1, 1)]);
    let Edge { client, server, outcomes, exemplars, .. } = &found.edges[1];
    let near = |found: u64, exact: f64| (found as f64 - exact).abs() <= exact * 0.01 + 1.0;
    assert!(near(client.expect("a client").p50, 1e6) && near(server.expect("a server").p99, 4e5));
    assert_eq!(outcomes, &[("timeout".to_owned(), 1)]);
    assert_eq!(exemplars, &[(TraceId(1u128.to_be_bytes()), SpanId(2u64.to_be_bytes()))]);
    assert!(found.notes.warnings.is_empty());
}

#[test]
fn the_caller_behind_an_internal_span_is_its_service() {
    let found = graph(&[one("front", 1, 0, 1), one("cart", 2, 1, SERVER)]);
    assert_eq!(told(&found), [edge("front", "cart", 1, 0)]);
    assert_eq!(found.edges[0].client, None);
}

#[test]
fn peers_that_did_not_answer_are_virtual() {
    let found = graph(&[
        one("cart", 1, 0, 1),
        calling(one("cart", 2, 1, CLIENT), "postgresql", "postgresql://db:5432/cart"),
        calling(one("cart", 3, 1, PRODUCER), "kafka", "kafka:orders"),
        calling(one("cart", 4, 1, CLIENT), "http", "api.example.com"),
        calling(one("cart", 5, 1, CLIENT), "redis", "redis://"),
        one("cart", 6, 1, CLIENT),
        calling(one("cart", 7, 1, CLIENT), "rpcx", "rpcx:Arith"),
    ]);
    let nodes: Vec<_> = found.nodes.iter().map(|node| (node.kind, node.name.as_str(), node.calls)).collect();
    assert_eq!(
        nodes,
        [
            (NodeKind::Database, "db:5432/cart", 1),
            (NodeKind::Database, "redis", 1),
            (NodeKind::External, "api.example.com", 1),
            (NodeKind::External, "rpcx:Arith", 1),
            (NodeKind::Topic, "orders", 1),
            (NodeKind::Unknown, "unknown", 1),
            (NodeKind::Service, "cart", 0),
        ]
    );
    assert!(found.edges.iter().all(|edge| edge.identity == Identity::Virtual));
    assert_eq!(found.exactness, Exactness { unpaired: 3, ..Exactness::default() });
}

#[test]
fn a_peer_named_like_a_service_is_that_service() {
    let silent = Span { trace_id: TraceId([7; 16]), ..calling(one("front", 1, 0, CLIENT), "http", "cart") };
    let found = graph(&[silent, calling(one("front", 2, 0, CLIENT), "http", "cart"), one("cart", 3, 2, SERVER)]);
    assert_eq!(told(&found), [edge("front", "cart", 2, 0)]);
    assert_eq!(found.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["cart", "front"]);
}

#[test]
fn a_refused_call_goes_to_the_service_that_answered_others() {
    let to_cart = |id| calling(one("front", id, 0, CLIENT), "http", "10.0.0.7:8080");
    let alone = |trace: u8, span: Span| Span { trace_id: TraceId([trace; 16]), ..span };
    let refused = [
        alone(7, failed(to_cart(1), "breaker_open")),
        alone(8, failed(to_cart(1), "no_instance")),
        alone(9, failed(calling(one("other", 1, 0, CLIENT), "http", "10.0.0.7:8080"), "timeout")),
        alone(9, failed(calling(one("other", 2, 0, CLIENT), "http", "10.0.0.8:8080"), "timeout")),
    ];
    let answered = [to_cart(2), one("cart", 3, 2, SERVER)];
    let found = graph_of(&[&refused, &answered], Range::ALL, &GraphOptions::default());
    let stranger = edge("other", ":external:10.0.0.8:8080", 1, 1);
    assert_eq!(told(&found), [edge("front", "cart", 3, 2), stranger, edge("other", "cart", 1, 1)]);
    let outcomes = [("breaker_open".to_owned(), 1), ("no_instance".to_owned(), 1)];
    assert_eq!(found.edges[0].outcomes, outcomes);
    let cart = found.nodes.iter().find(|node| node.id == "cart").expect("a node");
    assert_eq!((cart.calls, cart.errors), (4, 3));
}

#[test]
fn a_call_that_found_no_address_goes_to_the_service_of_its_interface() {
    let refused = failed(calling(one("front", 1, 0, CLIENT), "dubbo", "dubbo:shop.Orders"), "no_instance");
    let refused = Span { trace_id: TraceId([7; 16]), ..refused };
    let served = Span {
        protocol: Some("dubbo".to_owned()),
        operation: "shop.Orders/get".to_owned(),
        ..one("order", 3, 2, SERVER)
    };
    let found = graph(&[refused, calling(one("front", 2, 0, CLIENT), "dubbo", "10.0.0.7:20880"), served]);
    assert_eq!(told(&found), [edge("front", "order", 2, 1)]);
}

#[test]
fn an_address_of_several_services_is_none_of_them() {
    let call = |id| calling(one("front", id, 0, CLIENT), "http", "gateway:80");
    let found = graph(&[
        call(1),
        one("cart", 2, 1, SERVER),
        call(3),
        one("stock", 4, 3, SERVER),
        failed(call(5), "breaker_open"),
    ]);
    let refused = edge("front", ":external:gateway:80", 1, 1);
    assert_eq!(told(&found), [refused, edge("front", "cart", 1, 0), edge("front", "stock", 1, 0)]);
}

#[test]
fn a_topic_is_no_address() {
    let publish = |id| calling(one("front", id, 0, PRODUCER), "kafka", "kafka:orders");
    let found = graph(&[publish(1), one("billing", 2, 1, CONSUMER), publish(3)]);
    assert_eq!(
        told(&found),
        [edge(":topic:kafka:orders", "billing", 1, 0), edge("front", ":topic:kafka:orders", 2, 0)],
        "what was answered goes through the topic too"
    );
    let [received, sent] = &found.edges[..] else { panic!("two edges") };
    assert_eq!((received.mode, sent.mode, sent.paired), (Mode::Async, Mode::Async, 1));
    assert!(received.lag.is_some() && received.client.is_none() && sent.lag.is_none() && sent.server.is_none());
    let app = GraphOptions { layer: LayerFilter::App, ..GraphOptions::default() };
    let app = graph_of(&[&[publish(1), one("billing", 2, 1, CONSUMER), publish(3)]], Range::ALL, &app);
    assert_eq!(told(&app), [edge("front", "billing", 1, 0)], "without topics it is a call");
}

#[test]
fn the_user_shows_what_it_sends() {
    let found = graph(&[one("front", 1, 0, SERVER), failed(one("shop", 2, 0, SERVER), "error")]);
    let user = found.nodes.iter().find(|node| node.kind == NodeKind::User).expect("a node");
    assert_eq!((user.id.as_str(), user.calls, user.errors), (":user", 2, 1));
}

#[test]
fn nested_exits_count_innermost_and_entries_outermost() {
    let found = graph(&[
        one("front", 1, 0, SERVER),
        one("front", 2, 1, SERVER),
        calling(one("front", 3, 2, CLIENT), "http", "outer"),
        one("front", 4, 3, 1),
        calling(one("front", 5, 4, CLIENT), "http", "inner"),
    ]);
    assert_eq!(told(&found), [edge(":user", "front", 1, 0), edge("front", ":external:inner", 1, 0)]);
}

#[test]
fn a_service_may_call_itself_and_share_the_span_id() {
    let found = graph(&[
        one("a", 1, 0, CLIENT),
        Span { start: T0 + 50, ..one("a", 1, 0, SERVER) },
        one("a", 2, 1, CLIENT),
        one("b", 3, 2, SERVER),
    ]);
    assert_eq!(told(&found), [edge("a", "a", 1, 0), edge("a", "b", 1, 0)]);
}

#[test]
fn consumers_without_a_parent_hang_under_their_topic() {
    let found = graph(&[calling(one("billing", 1, 0, CONSUMER), "kafka", "kafka:orders")]);
    assert_eq!(told(&found), [edge(":topic:kafka:orders", "billing", 1, 0)]);
}

#[test]
fn a_nameless_callee_is_called_by_its_peer() {
    let found = graph(&[
        one("svc-a", 1, 0, PRODUCER),
        Span { peer: Some("external-peer".to_owned()), ..one("", 2, 1, CONSUMER) },
    ]);
    assert_eq!(told(&found), [edge("svc-a", ":external:external-peer", 1, 0)]);
}

#[test]
fn a_call_belongs_to_the_minute_of_its_client() {
    const MINUTE: u64 = NANOS_PER_MINUTE as u64;
    let next = Span { start: T0 + MINUTE, end: T0 + MINUTE + 5, ..one("cart", 20, 10, SERVER) };
    let spans = [one("front", 10, 0, CLIENT), next];
    let at = |minute: u64| {
        let from = T0 / MINUTE * MINUTE + minute * MINUTE;
        let range = Range { from: from as i64, to: (from + MINUTE) as i64 };
        told(&graph_of(&[&spans], range, &GraphOptions::default())).len()
    };
    assert_eq!((at(0), at(1)), (1, 0));
}

#[test]
fn orphans_come_from_the_unknown_and_focus_cuts() {
    let spans =
        [one("cart", 1, 99, SERVER), one("cart", 2, 1, CLIENT), one("db", 3, 2, SERVER), one("x", 4, 0, SERVER)];
    let found = focused(&spans, "cart", 1);
    assert_eq!(told(&found), [edge(":unknown", "cart", 1, 0), edge("cart", "db", 1, 0)]);
    let nodes: Vec<_> = found.nodes.iter().map(|n| (n.id.as_str(), n.calls)).collect();
    assert_eq!(nodes, [(":unknown", 1), ("cart", 1), ("db", 1)]);
    assert_eq!(found.exactness.orphans, 1);
}

#[test]
fn focus_reaches_as_far_as_asked() {
    let spans = [
        one("a", 1, 0, CLIENT),
        one("b", 2, 1, SERVER),
        one("b", 3, 2, CLIENT),
        one("c", 4, 3, SERVER),
        one("c", 5, 4, CLIENT),
        one("d", 6, 5, SERVER),
    ];
    assert_eq!(told(&focused(&spans, "a", 0)), []);
    assert_eq!(told(&focused(&spans, "a", 1)), [edge("a", "b", 1, 0)]);
    assert_eq!(told(&focused(&spans, "a", 2)), [edge("a", "b", 1, 0), edge("b", "c", 1, 0)]);
    assert_eq!(focused(&spans, "a", 9).nodes.len(), 4);
    assert!(focused(&spans, "nobody", 9).nodes.is_empty());
}

#[test]
fn layers_operations_and_environments_cut() {
    let query = calling(Span { operation: "SELECT".to_owned(), ..one("cart", 2, 1, CLIENT) }, "mysql", "mysql://h/d");
    let other = calling(Span { operation: "UPDATE".to_owned(), ..one("cart", 3, 1, CLIENT) }, "mysql", "mysql://h/d");
    let spans = [one("cart", 1, 0, SERVER), query, other];
    let asked = |options: &GraphOptions| graph_of(&[&spans], Range::ALL, options);
    let cut = |layer| asked(&GraphOptions { layer, ..GraphOptions::default() });
    assert_eq!(told(&cut(LayerFilter::App)), [edge(":user", "cart", 1, 0)]);
    assert_eq!(told(&cut(LayerFilter::Infra)), [edge("cart", ":database:mysql://h/d", 2, 0)]);
    let operations = asked(&GraphOptions { operations: true, ..GraphOptions::default() });
    let named: Vec<_> = operations.edges.iter().filter_map(|edge| edge.operation.as_deref()).collect();
    assert_eq!(named, ["op", "SELECT", "UPDATE"]);
    let nowhere = asked(&GraphOptions { env: Some("staging".to_owned()), ..GraphOptions::default() });
    assert!(nowhere.nodes.is_empty() && nowhere.edges.is_empty());
}

fn any_span() -> impl Strategy<Value = Span> {
    let service = prop_oneof![Just("a"), Just("b"), Just("c"), Just("")];
    let peer = prop_oneof![
        Just(None),
        Just(Some("b")),
        Just(Some("kafka:t")),
        Just(Some("mysql://h/d")),
        Just(Some("host:80"))
    ];
    (1u128..4, 1u64..12, 0u64..12, 0i32..6, service, peer, 0u64..100, any::<bool>()).prop_map(
        |(trace, id, parent, kind, service, peer, start, fails)| {
            let peer = peer.map(str::to_owned);
            let protocol = peer.as_ref().map(|peer| peer.split(':').next().unwrap_or_default().to_owned());
            Span {
                trace_id: TraceId(trace.to_be_bytes()),
                start: T0 + start,
                end: T0 + start + id * 1000,
                status_code: if fails { 2 } else { 0 },
                peer,
                protocol,
                ..one(service, id, parent, kind)
            }
        },
    )
}

proptest! {
    #[test]
    fn order_batches_and_repetition_do_not_matter(
        sent in proptest::collection::vec(any_span(), 0..40).prop_flat_map(|spans| {
            let again = proptest::sample::subsequence(spans.clone(), 0..=spans.len());
            (Just(spans.clone()), Just(spans).prop_shuffle(), again, any::<proptest::sample::Index>())
        }),
    ) {
        let (spans, shuffled, again, cut) = sent;
        let wanted = graph(&spans);
        let (first, second) = shuffled.split_at(if shuffled.is_empty() { 0 } else { cut.index(shuffled.len()) });
        let found = graph_of(&[second, &again, first], Range::ALL, &GraphOptions::default());
        prop_assert_eq!(&wanted.nodes, &found.nodes);
        prop_assert_eq!(&wanted.edges, &found.edges);
        let calls: u64 = wanted.edges.iter().map(|edge| edge.calls).sum();
        prop_assert!(wanted.edges.iter().all(|edge| edge.errors <= edge.calls));
        prop_assert!(wanted.nodes.iter().map(|node| node.calls).sum::<u64>() >= calls);
    }
}
