//! The calls of one trace as cells.

use std::cmp::Reverse;

use storage::rollup::{Cell, Exemplar, Rollup, TRACE_GAP, minute_of};

use super::key::{Key, Mode, Place, PlaceKind};
use super::{OUTCOMES, slot};
use crate::graph::calls::{Call, Part, Role, calls};
use crate::graph::intern::Names;
use crate::graph::{NAMELESS, peer, sketch};
use crate::model::NodeKind;

/// Adds the calls of one trace and where its spans come from. `parts` are as [`calls`] wants them.
pub(crate) fn count(parts: &[Part], names: &Names, rollup: &mut Rollup) {
    let near = |a: &Part, b: &Part| b.node.start.abs_diff(a.node.start) <= TRACE_GAP as u64;
    parts.chunk_by(near).for_each(|parts| count_piece(parts, names, rollup));
}

fn count_piece(parts: &[Part], names: &Names, rollup: &mut Rollup) {
    for part in parts {
        let key = presence(part, names);
        rollup.cell(minute(part), &key.encode()).counts.add(slot::CALLS, 1);
    }
    for call in calls(parts) {
        match call {
            Call::Paired { caller, callee } => {
                let (caller, callee) = (&parts[caller], &parts[callee]);
                let client = (caller.role == Role::Exit).then_some(caller);
                edge(service(caller, names), callee_of(callee, names), client, Some(callee), names, rollup);
                serve(callee, names, rollup);
            }
            Call::Exit(exit) => {
                let client = &parts[exit];
                // A call of nobody knows whom is one to the unknown.
                let target = place_of_peer(client, names).unwrap_or(Place::new(PlaceKind::Unknown, ""));
                edge(service(client, names), target, Some(client), None, names, rollup);
            }
            Call::Entry(entry) => {
                let server = &parts[entry];
                let topic = place_of_peer(server, names).filter(|place| place.kind == PlaceKind::Topic);
                let source = topic.unwrap_or(Place::new(PlaceKind::User, ""));
                edge(source, service(server, names), None, Some(server), names, rollup);
                serve(server, names, rollup);
            }
            Call::Orphan(entry) => {
                let server = &parts[entry];
                let source = Place::new(PlaceKind::Unknown, "");
                edge(source, service(server, names), None, Some(server), names, rollup);
                serve(server, names, rollup);
            }
        }
    }
}

fn edge(
    source: Place,
    target: Place,
    client: Option<&Part>,
    server: Option<&Part>,
    names: &Names,
    rollup: &mut Rollup,
) {
    let sides = || client.into_iter().chain(server);
    let Some(first) = sides().next() else { return };
    let told = server.unwrap_or(first);
    let text = |name| names.text(name).to_owned();
    let protocol = sides().map(|side| names.text(side.protocol)).find(|name| !name.is_empty()).unwrap_or_default();
    let alias = client.filter(|_| server.is_some()).and_then(|client| place_of_peer(client, names));
    let is_message = sides().any(|side| matches!(side.node.kind, PRODUCER | CONSUMER));
    let key = Key::Edge {
        source,
        target,
        // A topic that a message went through, too.
        alias: alias.filter(|place| place.kind != PlaceKind::Database).map(|place| place.name).unwrap_or_default(),
        protocol: protocol.to_owned(),
        operation: text(told.operation),
        mode: if is_message { Mode::Async } else { Mode::Sync },
        environment: text(told.environment),
    };
    let cell = rollup.cell(minute(first), &key.encode());
    let failed = sides().any(|side| side.failed);
    count_call(cell, failed, sides().map(|side| names.text(side.outcome)));
    if let Some(client) = client {
        cell.counts.add(slot::CLIENT + sketch::bucket(client.duration()), 1);
    }
    if let Some(server) = server {
        cell.counts.add(slot::SERVER + sketch::bucket(server.duration()), 1);
    }
    if let (Some(client), Some(server)) = (client, server) {
        cell.counts.add(slot::PAIRED, 1);
        if is_message {
            let lag = server.node.start.saturating_sub(client.node.start);
            cell.counts.add(slot::LAG + sketch::bucket(lag), 1);
        }
    }
    cell.exemplify(exemplar(first, failed));
}

fn serve(server: &Part, names: &Names, rollup: &mut Rollup) {
    let text = |name| names.text(name).to_owned();
    let key = Key::Serve {
        service: service(server, names).name,
        environment: text(server.environment),
        version: text(server.version),
        operation: text(server.operation),
        protocol: text(server.protocol),
    };
    let cell = rollup.cell(minute(server), &key.encode());
    count_call(cell, server.failed, std::iter::once(names.text(server.outcome)));
    cell.counts.add(slot::SERVER + sketch::bucket(server.duration()), 1);
    cell.exemplify(exemplar(server, server.failed));
}

/// The first side that tells of anything but a good end tells the outcome.
fn count_call<'a>(cell: &mut Cell, failed: bool, outcomes: impl Iterator<Item = &'a str>) {
    cell.counts.add(slot::CALLS, 1);
    cell.counts.add(slot::ERRORS, i64::from(failed));
    let number = |name| OUTCOMES.iter().position(|known| *known == name);
    if let Some(number) = outcomes.filter_map(number).find(|number| *number > 0) {
        cell.counts.add(slot::OUTCOME + number as u16, 1);
    }
}

fn presence(part: &Part, names: &Names) -> Key {
    let text = |name| names.text(name).to_owned();
    Key::Presence {
        service: service(part, names).name,
        namespace: text(part.namespace),
        environment: text(part.environment),
        version: text(part.version),
        instance: text(part.instance),
        language: text(part.language),
    }
}

fn exemplar(part: &Part, failed: bool) -> Exemplar {
    Exemplar { fine: !failed, duration: Reverse(part.duration()), trace: part.trace, span: part.node.id }
}

fn minute(part: &Part) -> i64 {
    minute_of(part.node.start as i64)
}

fn service(part: &Part, names: &Names) -> Place {
    let name = names.text(part.service);
    Place::service(if name.is_empty() { NAMELESS } else { name })
}

/// The service that answered; where it does not say its name, the one that its span calls its peer.
fn callee_of(server: &Part, names: &Names) -> Place {
    match place_of_peer(server, names) {
        Some(peer) if names.text(server.service).is_empty() => peer,
        _ => service(server, names),
    }
}

pub(crate) fn place_of_peer(part: &Part, names: &Names) -> Option<Place> {
    let (kind, name) = peer::node(part, names)?;
    let kind = match kind {
        NodeKind::Service => PlaceKind::Service,
        NodeKind::Database => PlaceKind::Database,
        NodeKind::Topic => PlaceKind::Topic,
        NodeKind::External => PlaceKind::External,
        NodeKind::User => PlaceKind::User,
        NodeKind::Unknown => PlaceKind::Unknown,
    };
    Some(Place::new(kind, names.text(name)))
}

/// OTLP `SpanKind`.
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;
