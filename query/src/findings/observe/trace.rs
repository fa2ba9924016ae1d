//! One trace as the observers look at it.

use storage::ids::{SpanId, TraceId};

use crate::engine::Range;
use crate::graph::NAMELESS;
use crate::graph::calls::{Call, Part, Role, calls};
use crate::graph::intern::{Name, Names};
use crate::model::CallTree;
use crate::tree::{self, Node};

/// What of a span only the findings need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extra {
    /// Status of HTTP; 0 where there is none.
    pub(super) http: u16,
    /// `cloud.availability_zone`.
    pub(super) zone: Name,
    /// Type of the exception that it carries.
    pub(super) exception: Name,
}

/// Spans of a trace in order, each once, and how they hang together.
pub(super) struct Trace<'a> {
    pub(super) id: TraceId,
    pub(super) parts: Vec<Part>,
    pub(super) extras: Vec<Extra>,
    pub(super) nodes: Vec<Node>,
    pub(super) tree: CallTree,
    pub(super) calls: Vec<Call>,
    names: &'a Names,
    /// What begins in it is counted; the rest is there to be understood.
    range: Range,
}

/// OTLP `SpanKind`.
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

impl<'a> Trace<'a> {
    pub(super) fn new(spans: &[(Part, Extra)], names: &'a Names, range: Range) -> Option<Self> {
        let id = spans.first()?.0.trace;
        let (parts, extras): (Vec<Part>, Vec<Extra>) = spans.iter().copied().unzip();
        let nodes: Vec<Node> = parts.iter().map(|part| part.node).collect();
        let (tree, calls) = (tree::build(&nodes).tree, calls(&parts));
        Some(Self { id, parts, extras, nodes, tree, calls, names, range })
    }

    /// Whether a span begins in the window.
    pub(super) fn counts(&self, span: usize) -> bool {
        self.range.contains(self.nodes[span].start as i64)
    }

    pub(super) fn service(&self, span: usize) -> &'a str {
        match self.names.text(self.parts[span].service) {
            "" => NAMELESS,
            name => name,
        }
    }

    pub(super) fn operation(&self, span: usize) -> &'a str {
        self.names.text(self.parts[span].operation)
    }

    pub(super) fn peer(&self, span: usize) -> &'a str {
        self.names.text(self.parts[span].peer)
    }

    pub(super) fn outcome(&self, span: usize) -> &'a str {
        self.names.text(self.parts[span].outcome)
    }

    pub(super) fn name(&self, name: Name) -> &'a str {
        self.names.text(name)
    }

    pub(super) fn id(&self, span: usize) -> SpanId {
        self.nodes[span].id
    }

    pub(super) fn failed(&self, span: usize) -> bool {
        self.parts[span].failed || !matches!(self.outcome(span), "" | "ok" | "fallback")
    }

    /// A message, to which nobody waits for an answer.
    pub(super) fn is_message(&self, span: usize) -> bool {
        matches!(self.nodes[span].kind, PRODUCER | CONSUMER)
    }

    pub(super) fn is_database(&self, span: usize) -> bool {
        let protocol = self.names.text(self.parts[span].protocol);
        let peer = self.peer(span);
        !protocol.is_empty() && peer.strip_prefix(protocol).is_some_and(|rest| rest.starts_with("://"))
    }

    pub(super) fn is_exit(&self, span: usize) -> bool {
        self.parts[span].role == Role::Exit
    }

    /// Whom an exit reaches: the service that answered, else its peer.
    pub(super) fn target(&self, exit: usize) -> &'a str {
        let answered = self.tree.children[exit].iter().find(|&&child| self.service(child) != self.service(exit));
        let entry = || self.tree.children[exit].iter().find(|&&child| self.parts[child].role == Role::Entry);
        match answered.or_else(entry) {
            Some(&callee) => self.service(callee),
            None => self.peer(exit),
        }
    }

    /// The span with which the service of `span` took up the work: its entry, else its uppermost span.
    pub(super) fn entry(&self, span: usize) -> usize {
        let mut at = span;
        while self.parts[at].role != Role::Entry {
            match self.tree.parent[at] {
                Some(above) if self.parts[above].service == self.parts[at].service => at = above,
                _ => break,
            }
        }
        at
    }

    /// Spans without a parent id: where the trace begins.
    pub(super) fn roots(&self) -> impl Iterator<Item = usize> {
        self.tree.roots.iter().copied().filter(|&root| self.nodes[root].parent.is_none())
    }

    /// Synchronous calls of which both sides are stored: caller and callee.
    pub(super) fn paired(&self) -> impl Iterator<Item = (usize, usize)> {
        self.calls.iter().filter_map(|call| match *call {
            Call::Paired { caller, callee } if !self.is_message(caller) && !self.is_message(callee) => {
                Some((caller, callee))
            }
            _ => None,
        })
    }
}
