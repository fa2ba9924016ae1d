//! The calls of one trace as cells.

use std::cmp::Reverse;

use hashbrown::HashMap;
use storage::rollup::{Cell, Exemplar, Minute, Rollup, TRACE_GAP, minute_of};

use super::key::{Key, Mode, Place, PlaceKind};
use super::{OUTCOMES, slot};
use crate::graph::calls::{Call, Part, Role, calls};
use crate::graph::intern::{Name, Names};
use crate::graph::{NAMELESS, peer, sketch};
use crate::model::NodeKind;

/// Counts trace by trace. Keys hold numbers of names: a text is written once a cell, not once a span.
pub(crate) struct Counter {
    tallies: HashMap<(Minute, Key<Name>), Tally>,
    nameless: Name,
    /// A count for each slot, all 0.
    scratch: Vec<u32>,
}

/// A cell in the making. Some hundred slots of it lie apart: they are counted together.
#[derive(Default)]
struct Tally {
    cell: Cell,
    /// To be counted once each.
    slots: Vec<u16>,
}

/// Slots that wait in a tally at most, but for those of one call.
const MOST_SLOTS: usize = 4096;

impl Tally {
    fn add(&mut self, slot: u16) {
        self.slots.push(slot);
    }

    fn settle(&mut self, scratch: &mut [u32]) {
        self.cell.counts.add_each(&self.slots, scratch);
        self.slots.clear();
    }
}

impl Counter {
    /// The names of all parts to come.
    pub(crate) fn new(names: &mut Names) -> Self {
        let scratch = vec![0; slot::END.into()];
        Self { tallies: HashMap::new(), nameless: names.intern(Some(NAMELESS)), scratch }
    }

    /// Adds the calls of one trace and where its spans come from. `parts` are as [`calls`] wants them.
    pub(crate) fn count(&mut self, parts: &[Part], names: &Names) {
        let near = |a: &Part, b: &Part| b.node.start.abs_diff(a.node.start) <= TRACE_GAP as u64;
        parts.chunk_by(near).for_each(|parts| Piece { counter: self, names }.count(parts));
    }

    pub(crate) fn finish(mut self, names: &Names) -> Rollup {
        let mut rollup = Rollup::default();
        for ((minute, key), mut tally) in self.tallies {
            tally.settle(&mut self.scratch);
            let key = key.encode_with(|name| names.text(*name));
            rollup.cell(minute, &key).merge(&tally.cell, 1);
        }
        rollup
    }
}

/// Spans of one trace that are near each other.
struct Piece<'a> {
    counter: &'a mut Counter,
    names: &'a Names,
}

impl Piece<'_> {
    fn count(&mut self, parts: &[Part]) {
        for part in parts {
            let key = self.presence(part);
            self.tally(part, key).add(slot::CALLS);
        }
        for call in calls(parts) {
            match call {
                Call::Paired { caller, callee } => {
                    let (caller, callee) = (&parts[caller], &parts[callee]);
                    let client = (caller.role == Role::Exit).then_some(caller);
                    self.edge(self.service(caller), self.callee(callee), client, Some(callee));
                    self.serve(callee);
                }
                Call::Exit(exit) => {
                    let client = &parts[exit];
                    // A call of nobody knows whom is one to the unknown.
                    let target = place_of_peer(client, self.names).unwrap_or(nobody(PlaceKind::Unknown));
                    self.edge(self.service(client), target, Some(client), None);
                }
                Call::Entry(entry) => {
                    let server = &parts[entry];
                    let topic = place_of_peer(server, self.names).filter(|place| place.kind == PlaceKind::Topic);
                    self.edge(topic.unwrap_or(nobody(PlaceKind::User)), self.service(server), None, Some(server));
                    self.serve(server);
                }
                Call::Orphan(entry) => {
                    let server = &parts[entry];
                    self.edge(nobody(PlaceKind::Unknown), self.service(server), None, Some(server));
                    self.serve(server);
                }
            }
        }
    }

    fn edge(&mut self, source: Place<Name>, target: Place<Name>, client: Option<&Part>, server: Option<&Part>) {
        let names = self.names;
        let sides = || client.into_iter().chain(server);
        let Some(first) = sides().next() else { return };
        let told = server.unwrap_or(first);
        let protocol = sides().map(|side| side.protocol).find(|name| !names.text(*name).is_empty());
        let alias = client.filter(|_| server.is_some()).and_then(|client| place_of_peer(client, names));
        let is_message = sides().any(|side| matches!(side.node.kind, PRODUCER | CONSUMER));
        let key = Key::Edge {
            source,
            target,
            // A topic that a message went through, too.
            alias: alias.filter(|place| place.kind != PlaceKind::Database).map_or(Name::NONE, |place| place.name),
            protocol: protocol.unwrap_or(Name::NONE),
            operation: told.operation,
            mode: if is_message { Mode::Async } else { Mode::Sync },
            environment: told.environment,
        };
        let tally = self.tally(first, key);
        let failed = sides().any(|side| side.failed);
        count_call(tally, failed, sides().map(|side| names.text(side.outcome)));
        if let Some(client) = client {
            tally.add(slot::CLIENT + sketch::bucket(client.duration()));
        }
        if let Some(server) = server {
            tally.add(slot::SERVER + sketch::bucket(server.duration()));
        }
        if let (Some(client), Some(server)) = (client, server) {
            tally.add(slot::PAIRED);
            if is_message {
                let lag = server.node.start.saturating_sub(client.node.start);
                tally.add(slot::LAG + sketch::bucket(lag));
            }
        }
        tally.cell.exemplify(exemplar(first, failed));
    }

    fn serve(&mut self, server: &Part) {
        let key = Key::Serve {
            service: self.service(server).name,
            environment: server.environment,
            version: server.version,
            operation: server.operation,
            protocol: server.protocol,
        };
        let outcome = self.names.text(server.outcome);
        let tally = self.tally(server, key);
        count_call(tally, server.failed, std::iter::once(outcome));
        tally.add(slot::SERVER + sketch::bucket(server.duration()));
        tally.cell.exemplify(exemplar(server, server.failed));
    }

    fn presence(&self, part: &Part) -> Key<Name> {
        Key::Presence {
            service: self.service(part).name,
            namespace: part.namespace,
            environment: part.environment,
            version: part.version,
            instance: part.instance,
            language: part.language,
        }
    }

    fn tally(&mut self, part: &Part, key: Key<Name>) -> &mut Tally {
        let Counter { tallies, scratch, .. } = &mut *self.counter;
        let tally = tallies.entry((minute_of(part.node.start as i64), key)).or_default();
        if tally.slots.len() >= MOST_SLOTS {
            tally.settle(scratch);
        }
        tally
    }

    fn service(&self, part: &Part) -> Place<Name> {
        let name = if self.names.text(part.service).is_empty() { self.counter.nameless } else { part.service };
        Place { kind: PlaceKind::Service, name }
    }

    /// The service that answered; where it does not say its name, the one that its span calls its peer.
    fn callee(&self, server: &Part) -> Place<Name> {
        match place_of_peer(server, self.names) {
            Some(peer) if self.names.text(server.service).is_empty() => peer,
            _ => self.service(server),
        }
    }
}

/// The first side that tells of anything but a good end tells the outcome.
fn count_call<'a>(tally: &mut Tally, failed: bool, outcomes: impl Iterator<Item = &'a str>) {
    tally.add(slot::CALLS);
    if failed {
        tally.add(slot::ERRORS);
    }
    let number = |name| OUTCOMES.iter().position(|known| *known == name);
    if let Some(number) = outcomes.filter_map(number).find(|number| *number > 0) {
        tally.add(slot::OUTCOME + number as u16);
    }
}

fn nobody(kind: PlaceKind) -> Place<Name> {
    Place { kind, name: Name::NONE }
}

fn exemplar(part: &Part, failed: bool) -> Exemplar {
    Exemplar { fine: !failed, duration: Reverse(part.duration()), trace: part.trace, span: part.node.id }
}

/// What the peer of a span is.
pub(crate) fn place_of_peer(part: &Part, names: &Names) -> Option<Place<Name>> {
    let (kind, name) = peer::node(part, names)?;
    let kind = match kind {
        NodeKind::Service => PlaceKind::Service,
        NodeKind::Database => PlaceKind::Database,
        NodeKind::Topic => PlaceKind::Topic,
        NodeKind::External => PlaceKind::External,
        NodeKind::User => PlaceKind::User,
        NodeKind::Unknown => PlaceKind::Unknown,
    };
    Some(Place { kind, name })
}

/// OTLP `SpanKind`.
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;
