//! Where errors begin: the failed spans that no failed span below explains.

use crate::model::{Blame, CallTree, ErrorOrigin};

use super::{CLIENT, CONSUMER, Node, PRODUCER, SERVER};

/// Failed spans without a failed child that they waited for, by start; and whom to blame.
///
/// A caller whose callee is stored and ended well: what lies between them (a timeout, the network). A caller
/// whose callee is not stored: the peer, or the way to it. Else the span itself. `exits` are those
/// that call another service, whatever their kind says.
pub fn error_origins(nodes: &[Node], tree: &CallTree, failed: &[bool], exits: &[bool]) -> Vec<ErrorOrigin> {
    let waited = |child: usize| !nodes[child].detached && nodes[child].kind != CONSUMER;
    let explained = |span: usize| tree.children[span].iter().any(|&child| failed[child] && waited(child));
    let mut found: Vec<ErrorOrigin> = (0..nodes.len())
        .filter(|&span| failed[span] && !explained(span))
        .map(|span| {
            let is_exit = exits[span] || matches!(nodes[span].kind, CLIENT | PRODUCER);
            let answered = tree.children[span].iter().any(|&child| matches!(nodes[child].kind, SERVER | CONSUMER));
            let blame = match (is_exit, answered) {
                (false, _) => Blame::Span,
                (true, true) => Blame::Edge,
                // A nested exit has the call itself below it.
                (true, false) if !tree.children[span].is_empty() => Blame::Span,
                (true, false) => Blame::Peer,
            };
            ErrorOrigin { span, blame }
        })
        .collect();
    found.sort_by_key(|origin| (nodes[origin.span].start, origin.span));
    found
}

#[cfg(test)]
mod tests {
    use storage::ids::SpanId;

    use super::super::build;
    use super::*;

    fn node(number: u64, parent: u64, kind: i32) -> Node {
        let id = |number: u64| SpanId(number.to_be_bytes());
        let parent = (parent != 0).then(|| id(parent));
        Node { start: number, id: id(number), end: number + 100, kind, parent, detached: false }
    }

    fn origins(nodes: &[Node], failed: &[u64]) -> Vec<(u64, Blame)> {
        let failed: Vec<bool> = nodes.iter().map(|node| failed.contains(&u64::from_be_bytes(node.id.0))).collect();
        let found = error_origins(nodes, &build(nodes).tree, &failed, &vec![false; nodes.len()]);
        found.iter().map(|origin| (u64::from_be_bytes(nodes[origin.span].id.0), origin.blame)).collect()
    }

    #[test]
    fn the_deepest_failure_explains_those_above() {
        let nodes = [node(1, 0, SERVER), node(2, 1, CLIENT), node(3, 2, SERVER), node(4, 3, 1)];
        assert_eq!(origins(&nodes, &[1, 2, 3]), [(3, Blame::Span)]);
        assert_eq!(origins(&nodes, &[1, 2, 3, 4]), [(4, Blame::Span)]);
    }

    #[test]
    fn a_callee_that_ended_well_leaves_the_edge() {
        let nodes = [node(1, 0, SERVER), node(2, 1, CLIENT), node(3, 2, SERVER)];
        assert_eq!(origins(&nodes, &[1, 2]), [(2, Blame::Edge)]);
    }

    #[test]
    fn a_callee_that_is_not_stored_is_the_peer() {
        let nodes = [node(1, 0, SERVER), node(2, 1, CLIENT)];
        assert_eq!(origins(&nodes, &[1, 2]), [(2, Blame::Peer)]);
    }

    #[test]
    fn what_nobody_waited_for_explains_nothing() {
        let nodes = [node(1, 0, SERVER), node(2, 1, PRODUCER), node(3, 2, CONSUMER)];
        assert_eq!(origins(&nodes, &[1, 3]), [(1, Blame::Span), (3, Blame::Span)]);
        assert_eq!(origins(&nodes, &[]), []);
    }
}
