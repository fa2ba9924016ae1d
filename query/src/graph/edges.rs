//! Calls summed into nodes and edges. Sums only grow, so the order of traces does not matter.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use storage::ids::{SpanId, TraceId};

use crate::engine::Range;
use crate::model::{Edge, Graph, Node, NodeKind, Notes};

use super::aliases::Aliases;
use super::calls::{Call, Part, Role, calls};
use super::intern::{Name, Names};
use super::peer;
use super::sketch::Sketch;

/// Exemplars of an edge.
const EXEMPLARS: usize = 5;

/// What a service without a name is called: the default of OpenTelemetry's resource conventions.
pub(crate) const NAMELESS: &str = "unknown_service";

type Place = (NodeKind, Name);

/// The graph in the making.
#[derive(Default)]
pub(crate) struct Sums {
    edges: HashMap<(Place, Place, Name), EdgeSum>,
    /// Calls and errors of what was called; of the user, what it calls.
    nodes: HashMap<Place, (u64, u64)>,
    aliases: Aliases,
    /// Calls of nobody knows whom, and by nobody knows whom.
    nameless_exits: u64,
    orphan_entries: u64,
}

#[derive(Clone, Default)]
struct EdgeSum {
    calls: u64,
    errors: u64,
    client: Sketch,
    server: Sketch,
    outcomes: BTreeMap<Name, u64>,
    exemplars: Vec<Exemplar>,
}

/// Least is best: errors first, then the slowest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Exemplar {
    fine: bool,
    duration: Reverse<u64>,
    trace: TraceId,
    span: SpanId,
}

/// One call as its edge sees it.
struct Seen<'a> {
    client: Option<&'a Part>,
    server: Option<&'a Part>,
}

impl Sums {
    /// Counts the calls of one trace that begin within the range, on the caller's clock where its span
    /// is stored.
    pub(crate) fn add(&mut self, parts: &[Part], range: Range, names: &mut Names) {
        let ok = names.intern(Some("ok"));
        let within = |part: &Part| range.contains(part.node.start as i64);
        for part in parts.iter().filter(|part| within(part)) {
            self.nodes.entry(service(part, names)).or_default();
        }
        for call in calls(parts) {
            match call {
                Call::Paired { caller, callee } => {
                    let (caller, server) = (&parts[caller], &parts[callee]);
                    let client = (caller.role == Role::Exit).then_some(caller);
                    self.learn(client, server, names);
                    if within(client.unwrap_or(server)) {
                        let target = callee_of(server, names);
                        let seen = Seen { client, server: Some(server) };
                        self.count(service(caller, names), target, &seen, ok);
                    }
                }
                Call::Exit(exit) if within(&parts[exit]) => {
                    let client = &parts[exit];
                    match peer::node(client, names) {
                        Some(target) => {
                            let seen = Seen { client: Some(client), server: None };
                            self.count(service(client, names), target, &seen, ok);
                        }
                        None => self.nameless_exits += 1,
                    }
                }
                Call::Entry(entry) if within(&parts[entry]) => {
                    let server = &parts[entry];
                    let topic = peer::node(server, names).filter(|(kind, _)| *kind == NodeKind::Topic);
                    let source = topic.unwrap_or((NodeKind::User, Name::NONE));
                    self.count(source, service(server, names), &Seen { client: None, server: Some(server) }, ok);
                }
                Call::Orphan(entry) if within(&parts[entry]) => {
                    self.orphan_entries += 1;
                    let node = self.nodes.entry(service(&parts[entry], names)).or_default();
                    node.0 += 1;
                    node.1 += u64::from(parts[entry].failed);
                }
                _ => {}
            }
        }
    }

    fn learn(&mut self, client: Option<&Part>, server: &Part, names: &Names) {
        let Some((NodeKind::External, peer)) = client.and_then(|client| peer::node(client, names)) else { return };
        if !names.text(server.service).is_empty() {
            self.aliases.learn(peer, server.service);
        }
    }

    fn count(&mut self, source: Place, target: Place, seen: &Seen<'_>, ok: Name) {
        let sides = || seen.client.into_iter().chain(seen.server);
        let failed = sides().any(|side| side.failed);
        self.nodes.entry(source).or_default();
        let node = self.nodes.entry(target).or_default();
        node.0 += 1;
        node.1 += u64::from(failed);
        if source.0 == NodeKind::User {
            let user = self.nodes.entry(source).or_default();
            user.0 += 1;
            user.1 += u64::from(failed);
        }
        let protocol = sides().map(|side| side.protocol).find(|&name| name != Name::NONE).unwrap_or(Name::NONE);
        let edge = self.edges.entry((source, target, protocol)).or_default();
        edge.calls += 1;
        edge.errors += u64::from(failed);
        if let Some(client) = seen.client {
            edge.client.add(client.duration());
        }
        if let Some(server) = seen.server {
            edge.server.add(server.duration());
        }
        if let Some(outcome) = sides().map(|side| side.outcome).find(|&name| name != Name::NONE && name != ok) {
            *edge.outcomes.entry(outcome).or_default() += 1;
        }
        if let Some(side) = sides().next() {
            edge.exemplify([Exemplar {
                fine: !failed,
                duration: Reverse(side.duration()),
                trace: side.trace,
                span: side.node.id,
            }]);
        }
    }

    /// The graph, or the part of it that touches one service.
    pub(crate) fn finish(mut self, names: &Names, focus: Option<&str>, mut notes: Notes) -> Graph {
        self.join_services();
        let id = |place: Place| peer::id(place, names);
        let mut edges: Vec<Edge> = self.edges.iter().map(|(&key, sum)| sum.edge(key, names)).collect();
        if let Some(focus) = focus {
            edges.retain(|edge| edge.source == focus || edge.target == focus);
        }
        edges.sort_by(|a, b| (&a.source, &a.target, &a.protocol).cmp(&(&b.source, &b.target, &b.protocol)));
        let touched: HashSet<&str> =
            edges.iter().flat_map(|edge| [edge.source.as_str(), edge.target.as_str()]).collect();
        let shown = |node: &Node| focus.is_none_or(|focus| node.id == focus || touched.contains(node.id.as_str()));
        let mut nodes: Vec<Node> = self
            .nodes
            .iter()
            .map(|(&place, &(calls, errors))| Node {
                id: id(place),
                name: peer::name(place, names),
                kind: place.0,
                calls,
                errors,
            })
            .filter(shown)
            .collect();
        drop(touched);
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        if self.nameless_exits > 0 {
            notes
                .warnings
                .push(format!("{} outgoing calls do not say whom they call; they are not drawn", self.nameless_exits));
        }
        if self.orphan_entries > 0 {
            let told = format!("the callers of {} calls are not stored; these calls have no edge", self.orphan_entries);
            notes.warnings.push(told);
        }
        Graph { nodes, edges, notes }
    }

    /// A peer is a service where it bears the name of one that is seen, or where only that service ever
    /// answered under its name. The service's own span was not sent, is still on its way, or never began:
    /// the call was refused (breaker open, no provider) or failed before it arrived.
    fn join_services(&mut self) {
        let (nodes, edges) = (std::mem::take(&mut self.nodes), std::mem::take(&mut self.edges));
        let joined = |(kind, name): Place| match kind {
            NodeKind::External if nodes.contains_key(&(NodeKind::Service, name)) => (NodeKind::Service, name),
            NodeKind::External => self.aliases.service(name).map_or((kind, name), |name| (NodeKind::Service, name)),
            _ => (kind, name),
        };
        for (&place, (calls, errors)) in &nodes {
            let node = self.nodes.entry(joined(place)).or_default();
            node.0 += calls;
            node.1 += errors;
        }
        for ((source, target, protocol), sum) in edges {
            self.edges.entry((source, joined(target), protocol)).or_default().merge(sum);
        }
    }
}

impl EdgeSum {
    fn exemplify(&mut self, new: impl IntoIterator<Item = Exemplar>) {
        self.exemplars.extend(new);
        self.exemplars.sort_unstable();
        self.exemplars.truncate(EXEMPLARS);
    }

    fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.client.merge(&other.client);
        self.server.merge(&other.server);
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.exemplify(other.exemplars);
    }

    fn edge(&self, (source, target, protocol): (Place, Place, Name), names: &Names) -> Edge {
        let mut outcomes: Vec<(String, u64)> =
            self.outcomes.iter().map(|(&name, &count)| (names.text(name).to_owned(), count)).collect();
        outcomes.sort();
        Edge {
            source: peer::id(source, names),
            target: peer::id(target, names),
            protocol: names.get(protocol).map(str::to_owned),
            calls: self.calls,
            errors: self.errors,
            client: self.client.quantiles(),
            server: self.server.quantiles(),
            outcomes,
            exemplars: self.exemplars.iter().map(|exemplar| (exemplar.trace, exemplar.span)).collect(),
        }
    }
}

fn service(part: &Part, names: &mut Names) -> Place {
    let name = if names.text(part.service).is_empty() { names.intern(Some(NAMELESS)) } else { part.service };
    (NodeKind::Service, name)
}

/// The service that answered; where it does not say its name, the one that its span calls its peer.
fn callee_of(server: &Part, names: &mut Names) -> Place {
    match peer::node(server, names) {
        Some(peer) if names.text(server.service).is_empty() => peer,
        _ => service(server, names),
    }
}
