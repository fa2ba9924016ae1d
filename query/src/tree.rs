//! The call tree of one trace and what follows from it: self times and the critical path.
//!
//! Everything here is a pure function of [`Node`]s, in O(n log n) time and without recursion, so a
//! trace of any size and any shape (cycles, self links, times backwards) has an answer.

use hashbrown::HashMap;
use storage::attrs::{Link, Value};
use storage::ids::{SpanId, TraceId};

use crate::model::{CallTree, MissingSpan, Span};

mod critical;
mod origin;
pub mod statistics;

pub use critical::critical_path;
pub use origin::error_origins;

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// What the tree needs of a span. Times in ns; an end before the start counts as the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    pub start: u64,
    pub id: SpanId,
    pub end: u64,
    /// OTLP SpanKind.
    pub kind: i32,
    pub parent: Option<SpanId>,
    /// The parent does not wait for it (OpenTracing's follows-from): it has its place in the tree,
    /// but never on the critical path.
    pub detached: bool,
}

impl Node {
    pub fn of(span: &Span) -> Self {
        Self {
            start: span.start,
            id: span.span_id,
            end: span.end,
            kind: span.kind,
            parent: span.parent_span_id,
            detached: follows_from(span.trace_id, span.parent_span_id, &span.links),
        }
    }

    /// `[start, end]` with the end never before the start.
    fn interval(&self) -> (u64, u64) {
        (self.start, self.end.max(self.start))
    }
}

/// How spans hang together, by index into the nodes.
#[derive(Clone, Debug, Default)]
pub struct Links {
    pub parent: Vec<Option<usize>>,
    /// Spans whose parent id names no span of the trace, by start.
    pub orphans: Vec<usize>,
    /// Spans whose parent link was cut because it led back to themselves, by start.
    pub cut: Vec<usize>,
    /// All spans by start, then span id, then the rest of the node.
    pub order: Vec<usize>,
}

/// A call tree, and the spans whose parent link was cut to make it one.
#[derive(Clone, Debug, Default)]
pub struct Built {
    pub tree: CallTree,
    pub cut: Vec<usize>,
}

/// The whole tree.
pub fn build(nodes: &[Node]) -> Built {
    let Links { parent, orphans, cut, order } = link(nodes);
    let mut children = vec![Vec::new(); nodes.len()];
    let mut roots = Vec::new();
    for &span in &order {
        match parent[span] {
            Some(parent) => children[parent].push(span),
            None => roots.push(span),
        }
    }
    let self_time = (0..nodes.len()).map(|span| self_time(nodes, span, &children[span])).collect();
    let depth = depths(&roots, &children);
    let missing = missing(nodes, &orphans);
    Built { tree: CallTree { parent, children, roots, orphans, missing, self_time, depth }, cut }
}

/// The parents that orphans name, by the start of their first child.
fn missing(nodes: &[Node], orphans: &[usize]) -> Vec<MissingSpan> {
    let mut found: Vec<MissingSpan> = Vec::new();
    let mut known: HashMap<SpanId, usize> = HashMap::new();
    for &orphan in orphans {
        let Some(id) = nodes[orphan].parent else { continue };
        let at = *known.entry(id).or_insert(found.len());
        if at == found.len() {
            found.push(MissingSpan { id, children: Vec::new() });
        }
        found[at].children.push(orphan);
    }
    found
}

/// Finds each span's parent.
///
/// A span id shared by a client and a server span (Zipkin's way) stands for both sides of one call:
/// the server becomes the client's child, and what names the id as parent hangs under the server.
/// Where an id is used twice otherwise, the first by time takes the children.
/// A cycle is cut above its earliest span.
pub fn link(nodes: &[Node]) -> Links {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_unstable_by(|&a, &b| nodes[a].cmp(&nodes[b]).then(a.cmp(&b)));
    let holders = holders(nodes, &order);
    let mut links = Links { parent: vec![None; nodes.len()], ..Links::default() };
    for &span in &order {
        let node = &nodes[span];
        let own = &holders[&node.id];
        links.parent[span] = match (own.shared(), node.kind, node.parent) {
            (Some(client), SERVER | CONSUMER, _) => Some(client),
            (_, _, None) => None,
            (_, _, Some(id)) => {
                let found = holders.get(&id).map(|holder| holder.adopter(span));
                if found.is_none() {
                    links.orphans.push(span);
                }
                found
            }
        };
    }
    links.cut = cut_cycles(&mut links.parent, &order);
    links.order = order;
    links
}

/// The spans that bear one id, the first of each side.
#[derive(Clone, Copy, Default)]
struct Holders {
    first: usize,
    client: Option<usize>,
    server: Option<usize>,
}

impl Holders {
    /// The client of a call whose two sides share this id.
    fn shared(&self) -> Option<usize> {
        self.server.and(self.client)
    }

    /// The span under which children that name this id belong. The client of a shared id cannot
    /// hang under its own server.
    fn adopter(&self, child: usize) -> usize {
        match (self.client, self.server) {
            (Some(client), Some(server)) if client != child => server,
            _ => self.first,
        }
    }
}

fn holders(nodes: &[Node], order: &[usize]) -> HashMap<SpanId, Holders> {
    let mut holders: HashMap<SpanId, Holders> = HashMap::with_capacity(nodes.len());
    for &span in order {
        let entry = holders.entry(nodes[span].id).or_insert(Holders { first: span, ..Holders::default() });
        match nodes[span].kind {
            CLIENT | PRODUCER => entry.client = entry.client.or(Some(span)),
            SERVER | CONSUMER => entry.server = entry.server.or(Some(span)),
            _ => {}
        }
    }
    holders
}

/// Walks up from every span in order; the walks share their marks, so the whole is O(n).
fn cut_cycles(parent: &mut [Option<usize>], order: &[usize]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut rank = vec![0; parent.len()];
    for (position, &span) in order.iter().enumerate() {
        rank[span] = position;
    }
    let mut walk_of = vec![UNSEEN; parent.len()];
    let mut cut = Vec::new();
    for (walk, &span) in order.iter().enumerate() {
        let mut at = Some(span);
        while let Some(here) = at.filter(|&here| walk_of[here] == UNSEEN) {
            walk_of[here] = walk;
            at = parent[here];
        }
        let Some(entered) = at.filter(|&here| walk_of[here] == walk) else { continue };
        let mut earliest = entered;
        let mut next = parent[entered];
        while let Some(here) = next.filter(|&here| here != entered) {
            if rank[here] < rank[earliest] {
                earliest = here;
            }
            next = parent[here];
        }
        parent[earliest] = None;
        cut.push(earliest);
    }
    cut.sort_unstable_by_key(|&span| rank[span]);
    cut
}

/// Duration less the union of the children, each clipped to the span. `children` by start.
fn self_time(nodes: &[Node], span: usize, children: &[usize]) -> u64 {
    let (start, end) = nodes[span].interval();
    let mut covered = 0;
    let mut reached = start;
    for &child in children {
        let (from, to) = nodes[child].interval();
        let (from, to) = (from.max(reached), to.min(end));
        if from < to {
            covered += to - from;
            reached = to;
        }
    }
    end - start - covered
}

fn depths(roots: &[usize], children: &[Vec<usize>]) -> Vec<u32> {
    let mut depth = vec![0; children.len()];
    let mut stack = roots.to_vec();
    while let Some(span) = stack.pop() {
        for &child in &children[span] {
            depth[child] = depth[span] + 1;
            stack.push(child);
        }
    }
    depth
}

/// OpenTracing's follows-from comes through OTLP as a link to the parent with this attribute
/// (OpenTelemetry's OpenTracing compatibility, "Create a Span").
pub(crate) fn follows_from(trace: TraceId, parent: Option<SpanId>, links: &[Link]) -> bool {
    let Some(parent) = parent else { return false };
    links.iter().any(|link| {
        link.span_id == parent.0
            && link.trace_id == trace.0
            && link.attributes.iter().any(|(key, value)| {
                key == "opentracing.ref_type" && matches!(value, Value::String(kind) if kind == "follows_from")
            })
    })
}

#[cfg(test)]
mod tests;
