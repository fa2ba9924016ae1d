//! How the spans of a trace call each other: a random tree of served calls, calls out and inner steps.

use rand::Rng;
use rand::rngs::SmallRng;

/// What a span is to its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    /// A call of another service; its one child is that service's `Server`.
    Client,
    /// A call of a database: nobody answers it with spans of its own.
    Database,
    Inner,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Index of the parent, which comes before.
    pub(crate) parent: Option<usize>,
    /// Spans above.
    pub(crate) depth: usize,
    pub(crate) service: usize,
    pub(crate) role: Role,
}

/// A tree of `size` nodes, no deeper than `most_depth` spans; `service` draws who is
/// called, by whom (nobody: the root). Parents come first.
pub(crate) fn tree(
    random: &mut SmallRng,
    size: usize,
    most_depth: usize,
    mut service: impl FnMut(&mut SmallRng, Option<usize>) -> usize,
) -> Vec<Node> {
    let root = Node { parent: None, depth: 0, service: service(random, None), role: Role::Server };
    let mut nodes = vec![root];
    // Those that may have more children.
    let mut open = vec![0];
    while nodes.len() < size.max(1) {
        let parent = open[random.random_range(0..open.len())];
        let above = nodes[parent];
        let role = match random.random_range(0..10) {
            // A call needs room for the one who answers it, in depth and in number.
            0..5 if above.depth + 2 < most_depth && nodes.len() + 1 < size => Role::Client,
            0..7 => Role::Database,
            _ => Role::Inner,
        };
        let node = Node { parent: Some(parent), depth: above.depth + 1, service: above.service, role };
        nodes.push(node);
        match role {
            Role::Client => {
                let answer = Node {
                    parent: Some(nodes.len() - 1),
                    depth: node.depth + 1,
                    service: service(random, Some(above.service)),
                    role: Role::Server,
                };
                nodes.push(answer);
                if answer.depth + 1 < most_depth {
                    open.push(nodes.len() - 1);
                }
            }
            Role::Inner if node.depth + 1 < most_depth => open.push(nodes.len() - 1),
            _ => {}
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn trees_are_whole_and_keep_their_bounds() {
        let mut random = SmallRng::seed_from_u64(7);
        for size in [1, 2, 3, 10, 500, 10_000] {
            let nodes = tree(&mut random, size, 15, |random, _| random.random_range(0..5));
            assert_eq!(nodes.len(), size);
            for (at, node) in nodes.iter().enumerate() {
                let Some(parent) = node.parent else {
                    assert_eq!(at, 0);
                    continue;
                };
                assert!(parent < at && node.depth == nodes[parent].depth + 1 && node.depth < 15);
                assert_ne!(nodes[parent].role, Role::Database);
                assert_eq!(nodes[parent].role == Role::Client, node.role == Role::Server);
            }
            let calls = nodes.iter().filter(|node| node.role == Role::Client).count();
            let served = nodes.iter().filter(|node| node.role == Role::Server).count();
            assert_eq!(served, calls + 1, "every call is answered once");
        }
    }
}
