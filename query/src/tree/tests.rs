//! Trees of made-up and random spans, and the critical paths that Jaeger expects.

use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn id(number: u64) -> SpanId {
    SpanId(number.to_be_bytes())
}

fn node(number: u64, parent: u64, start: u64, end: u64) -> Node {
    Node { start, id: id(number), end, kind: 1, parent: (parent != 0).then(|| id(parent)), detached: false }
}

fn kind(node: Node, kind: i32) -> Node {
    Node { kind, ..node }
}

#[test]
fn children_roots_orphans_and_depths() {
    let nodes = [node(3, 1, 30, 40), node(1, 0, 0, 100), node(2, 1, 10, 20), node(4, 2, 12, 15), node(6, 5, 7, 9)];
    let Built { tree, cut } = build(&nodes);
    assert_eq!(tree.parent, [Some(1), None, Some(1), Some(2), None]);
    assert_eq!(tree.children[1], [2, 0]);
    assert_eq!(tree.roots, [1, 4]);
    assert_eq!(tree.orphans, [4]);
    assert_eq!(tree.missing, [MissingSpan { id: id(5), children: vec![4] }]);
    assert_eq!(tree.depth, [1, 0, 1, 2, 0]);
    assert_eq!(tree.self_time, [10, 80, 7, 3, 2]);
    assert!(cut.is_empty());
}

#[test]
fn a_shared_id_is_split_into_client_and_server() {
    let nodes = [
        kind(node(9, 0, 0, 100), SERVER),
        kind(node(1, 9, 10, 50), CLIENT),
        kind(node(1, 9, 15, 45), SERVER),
        node(2, 1, 20, 30),
    ];
    let tree = build(&nodes).tree;
    assert_eq!(tree.parent, [None, Some(0), Some(1), Some(2)]);
    assert!(tree.orphans.is_empty());
}

#[test]
fn a_server_alone_keeps_its_place() {
    let nodes = [kind(node(1, 0, 0, 10), SERVER), node(2, 1, 1, 2)];
    assert_eq!(build(&nodes).tree.parent, [None, Some(0)]);
}

#[test]
fn cycles_are_cut_above_their_earliest_span() {
    let nodes = [node(1, 3, 5, 9), node(2, 1, 3, 4), node(3, 2, 4, 5), node(4, 4, 0, 1), node(5, 1, 6, 7)];
    let Built { tree, cut } = build(&nodes);
    assert_eq!(cut, [3, 1]);
    assert_eq!(tree.parent, [Some(2), None, Some(1), None, Some(0)]);
    assert_eq!(tree.roots, [3, 1]);
}

#[test]
fn a_chain_of_200k_spans_is_no_trouble() {
    let nodes: Vec<Node> = (1..=200_000).map(|n| node(n, n - 1, n, 1_000_000 - n)).collect();
    let tree = build(&nodes).tree;
    assert_eq!(tree.depth[199_999], 199_999);
    assert_eq!(critical_path(&nodes, &tree).len(), 2 * 199_999 + 1);
    let star: Vec<Node> =
        (1..=200_000).map(|n| node(n, u64::from(n != 1), n * u64::from(n != 1), n + 1_000_000)).collect();
    assert!(!critical_path(&star, &build(&star).tree).is_empty());
}

#[test]
fn detached_children_are_not_waited_for() {
    let nodes = [node(1, 0, 0, 100), Node { detached: true, ..node(2, 1, 10, 100) }];
    let path = critical_path(&nodes, &build(&nodes).tree);
    assert_eq!(path, [crate::model::Section { span: 0, start: 0, end: 100 }]);
}

#[test]
fn a_slight_overlap_is_still_a_sequence() {
    let nodes = [node(1, 0, 0, 1000), node(2, 1, 0, 505), node(3, 1, 500, 1000)];
    let path = critical_path(&nodes, &build(&nodes).tree);
    let path: Vec<_> = path.iter().map(|s| (s.span, s.start, s.end)).collect();
    assert_eq!(path, [(1, 0, 500), (2, 500, 1000)]);
}

fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..50, Just(u64::MAX), Just(u64::MAX - 1), Just(1 << 63), any::<u64>()]
}

/// Few ids, so that they repeat, point at themselves, form cycles and are missing.
fn any_node() -> impl Strategy<Value = Node> {
    (0u64..12, 0u64..14, any_time(), any_time(), -1i32..7, any::<bool>()).prop_map(
        |(number, parent, start, end, kind, detached)| Node { kind, detached, ..node(number, parent, start, end) },
    )
}

/// Every span by what it is, with its parent, depth and self time: the tree without indexes.
fn described(nodes: &[Node]) -> Vec<(Node, Option<Node>, u32, u64)> {
    let tree = build(nodes).tree;
    let mut rows: Vec<_> = (0..nodes.len())
        .map(|i| (nodes[i], tree.parent[i].map(|p| nodes[p]), tree.depth[i], tree.self_time[i]))
        .collect();
    rows.sort();
    rows
}

proptest! {
    #[test]
    fn garbage_makes_a_forest(nodes in proptest::collection::vec(any_node(), 0..40)) {
        let Built { tree, cut } = build(&nodes);
        let in_tree: usize = tree.roots.len() + tree.children.iter().map(Vec::len).sum::<usize>();
        prop_assert_eq!(in_tree, nodes.len());
        for span in 0..nodes.len() {
            let mut above = 0;
            let mut at = span;
            while let Some(parent) = tree.parent[at] {
                at = parent;
                above += 1;
                prop_assert!(above <= nodes.len(), "a cycle is left");
            }
            prop_assert_eq!(tree.depth[span] as usize, above);
        }
        for span in cut.iter().chain(&tree.orphans) {
            prop_assert!(tree.roots.contains(span));
        }
        let path = critical_path(&nodes, &tree);
        prop_assert!(path.windows(2).all(|two| two[0].end <= two[1].start));
        prop_assert!(path.iter().all(|section| section.start < section.end));
        if let Some(&root) = tree.roots.iter().find(|&&span| nodes[span].parent.is_none()).or(tree.roots.first()) {
            let total: u64 = path.iter().map(|section| section.end - section.start).sum();
            prop_assert_eq!(total, nodes[root].end.saturating_sub(nodes[root].start));
        }
    }

    #[test]
    fn order_of_arrival_does_not_matter(
        nodes in proptest::collection::btree_set(any_node(), 0..25)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>())
            .prop_flat_map(|nodes| (Just(nodes.clone()), Just(nodes).prop_shuffle())),
    ) {
        let (sorted, shuffled) = nodes;
        prop_assert_eq!(described(&sorted), described(&shuffled));
        let told = |nodes: &[Node]| -> Vec<(Node, u64, u64)> {
            critical_path(nodes, &build(nodes).tree).iter().map(|s| (nodes[s.span], s.start, s.end)).collect()
        };
        prop_assert_eq!(told(&sorted), told(&shuffled));
    }

    #[test]
    fn self_times_of_a_sequential_tree_sum_to_the_root(cuts in proptest::collection::btree_set(1u64..1000, 2..20)) {
        let cuts: Vec<u64> = cuts.into_iter().collect();
        let mut nodes = vec![node(1, 0, 0, 1000)];
        for (number, two) in cuts.chunks_exact(2).enumerate() {
            nodes.push(node(number as u64 + 2, 1, two[0], two[1]));
        }
        let tree = build(&nodes).tree;
        prop_assert_eq!(tree.self_time.iter().sum::<u64>(), 1000);
    }
}

/// A file of the shared conformance material, or None, said aloud, where it is absent.
fn shared(path: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance").join(path);
    match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).expect("the shared material is JSON")),
        Err(_) => {
            eprintln!("SKIPPED: {} is absent", path.display());
            None
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn ns(value: &Value) -> u64 {
    value.as_str().expect("a number as text").parse().expect("ns")
}

fn otlp_nodes(document: &Value) -> Vec<Node> {
    let scopes = list(&document["resourceSpans"]).iter().flat_map(|r| list(&r["scopeSpans"]));
    scopes
        .flat_map(|scope| list(&scope["spans"]))
        .map(|span| Node {
            start: ns(&span["startTimeUnixNano"]),
            id: span["spanId"].as_str().expect("an id").parse().expect("hex"),
            end: ns(&span["endTimeUnixNano"]),
            kind: span["kind"].as_i64().unwrap_or(0) as i32,
            parent: span["parentSpanId"].as_str().filter(|id| !id.is_empty()).map(|id| id.parse().expect("hex")),
            detached: false,
        })
        .collect()
}

#[test]
fn critical_paths_are_those_of_jaeger() {
    let Some(cases) = shared("jaeger/critical_path_cases.json") else { return };
    let mut checked = 0;
    for case in list(&cases["cases"]).iter().filter(|case| case.get("expected_error").is_none()) {
        let nodes = otlp_nodes(&case["otlp"]);
        let path = critical_path(&nodes, &build(&nodes).tree);
        let found: Vec<_> = path.iter().map(|s| (nodes[s.span].id, s.start, s.end)).collect();
        let wanted: Vec<_> = list(&case["expected_sections_us"])
            .iter()
            .rev()
            .map(|s| {
                let us = |key: &str| s[key].as_u64().expect("µs") * 1000;
                (s["spanId"].as_str().expect("an id").parse::<SpanId>().expect("hex"), us("start"), us("end"))
            })
            .collect();
        assert_eq!(found, wanted, "{}", case["id"]);
        checked += 1;
    }
    assert!(checked > 0, "no cases in the file");
    for case in list(&cases["self_time_cases"]) {
        let ends = |pair: &Value| (pair[0].as_u64().expect("start"), pair[1].as_u64().expect("end"));
        let (start, end) = ends(&case["parent"]);
        let mut nodes = vec![node(1, 0, start, end)];
        for (number, child) in list(&case["children"]).iter().enumerate() {
            let (start, end) = ends(child);
            nodes.push(node(number as u64 + 2, 1, start, end));
        }
        assert_eq!(build(&nodes).tree.self_time[0], case["self"].as_u64().expect("self"), "{case}");
    }
}

/// Jaeger's statistics: self times summed by service, for the services that a case tells of.
#[test]
fn self_times_are_those_of_jaeger() {
    let Some(cases) = shared("jaeger/trace_statistics_cases.json") else { return };
    let mut checked = 0;
    for case in list(&cases["cases"]).iter().filter(|case| case["group_by"] == "Service Name") {
        let file = case["file"].as_str().expect("a file");
        let Some(trace) = shared(&format!("jaeger/{file}")) else { continue };
        let spans = list(&trace["spans"]);
        let self_time = build(&spans.iter().map(jaeger_node).collect::<Vec<_>>()).tree.self_time;
        let mut sums = std::collections::BTreeMap::<&str, u64>::new();
        for (span, time) in spans.iter().zip(self_time) {
            *sums.entry(span["processID"].as_str().expect("a process")).or_default() += time;
        }
        for wanted in list(&case["rows"]).iter().filter_map(|row| row["selfTotal"].as_f64()) {
            let found = sums.values().any(|&ns| (ns as f64 / 1e6 - wanted).abs() < 0.0051);
            assert!(found, "{}: no service has {wanted} ms, they have {sums:?} ns", case["id"]);
            checked += 1;
        }
    }
    assert!(checked > 0, "no statistics were checked");
}

fn jaeger_node(span: &Value) -> Node {
    let hash = |value: &Value| id(fnv(value.as_str().expect("an id")));
    let start = span["startTime"].as_u64().expect("µs") * 1000;
    let parent = list(&span["references"]).first().map(|reference| hash(&reference["spanID"]));
    let end = start + span["duration"].as_u64().expect("µs") * 1000;
    Node { start, id: hash(&span["spanID"]), end, kind: 0, parent, detached: false }
}

/// Ids of the UI's traces are any text.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
