//! Calls between services, found in the spans of one trace.

use crate::tree::{self, Node};
use storage::ids::TraceId;

use super::intern::Name;

/// What the graph needs of a span. Equal ones are one span that was sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) trace: TraceId,
    pub(crate) node: Node,
    pub(crate) service: Name,
    pub(crate) peer: Name,
    pub(crate) protocol: Name,
    pub(crate) outcome: Name,
    pub(crate) operation: Name,
    pub(crate) namespace: Name,
    pub(crate) environment: Name,
    pub(crate) version: Name,
    pub(crate) instance: Name,
    pub(crate) language: Name,
    pub(crate) role: Role,
    pub(crate) failed: bool,
}

/// As normalised at ingest; where the span's kind says more, the kind decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Entry,
    Exit,
    Internal,
}

impl Part {
    pub(crate) fn duration(&self) -> u64 {
        self.node.end.saturating_sub(self.node.start)
    }
}

/// One call and the sides of it that are stored, by index into the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Both sides; the client's span may be an internal one, which says nothing of the call's duration.
    Paired { caller: usize, callee: usize },
    /// Nobody in the store answered.
    Exit(usize),
    /// Nobody called: a trace begins here.
    Entry(usize),
    /// Its parent is not stored.
    Orphan(usize),
}

/// The calls of one trace. `parts` are of one trace, in order, each once.
///
/// A call is where the service changes between parent and child, or an entry under an exit of the same
/// service. Of nested exits that nobody answered the innermost counts, of nested entries the outermost.
pub(crate) fn calls(parts: &[Part]) -> Vec<Call> {
    let nodes: Vec<Node> = parts.iter().map(|part| part.node).collect();
    let parent = tree::link(&nodes).parent;
    let crossed = |span: usize| {
        parent[span].filter(|&above| {
            parts[above].service != parts[span].service
                || (parts[above].role == Role::Exit && parts[span].role == Role::Entry)
        })
    };
    let mut answered = vec![false; parts.len()];
    let mut calls = Vec::new();
    for callee in 0..parts.len() {
        if let Some(caller) = crossed(callee) {
            answered[caller] = true;
            calls.push(Call::Paired { caller, callee });
        } else if parts[callee].role == Role::Entry && parent[callee].is_none() {
            let root = parts[callee].node.parent.is_none();
            calls.push(if root { Call::Entry(callee) } else { Call::Orphan(callee) });
        }
    }
    let mut exit_below = vec![false; parts.len()];
    for span in (0..parts.len()).filter(|&span| answered[span] || parts[span].role == Role::Exit) {
        let mut at = span;
        while let Some(above) = parent[at].filter(|&above| crossed(at).is_none() && !exit_below[above]) {
            exit_below[above] = true;
            at = above;
        }
    }
    let silent = |&span: &usize| parts[span].role == Role::Exit && !answered[span] && !exit_below[span];
    calls.extend((0..parts.len()).filter(silent).map(Call::Exit));
    calls
}

/// How often each service called another: every span whose parent is stored counts for the two
/// services, which may be the same. So Jaeger counts dependencies.
pub(crate) fn dependencies(parts: &[Part]) -> impl Iterator<Item = (usize, usize)> {
    let nodes: Vec<Node> = parts.iter().map(|part| part.node).collect();
    let parent = tree::link(&nodes).parent;
    parent.into_iter().enumerate().filter_map(|(child, parent)| Some((parent?, child)))
}
