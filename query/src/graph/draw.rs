//! Cells summed into nodes and edges.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use storage::rollup::{Cell, Counts, Minute};

use super::aliases::Aliases;
use super::{GraphOptions, LayerFilter, peer, sketch};
use crate::engine::Range;
use crate::model::{Edge, Exactness, Graph, Identity, Node, NodeKind, Notes};
use crate::rollup::{Key, Mode, OUTCOMES, Parts, Place, PlaceKind, Sums, slot};

/// The sum of each key over the asked minutes; keys of other minutes have an empty one.
pub(crate) fn sums<'a>(parts: &'a Parts, asked: &std::ops::Range<Minute>) -> Vec<(Key, Cow<'a, Cell>)> {
    let mut numbers: HashMap<&[u8], Option<usize>> = HashMap::new();
    let mut sums: Vec<(Key, Cow<'_, Cell>)> = Vec::new();
    for (minutes, rollup) in parts {
        let counts = asked.contains(&minutes.start);
        for (_, key, cell) in rollup.within(minutes.clone()) {
            let number = numbers.entry(key).or_insert_with(|| {
                // A key of a version that is not known is left to that version.
                sums.push((Key::decode(key)?, Cow::Owned(Cell::default())));
                Some(sums.len() - 1)
            });
            if let Some(number) = number.filter(|_| counts) {
                match &mut sums[number].1 {
                    // Most keys are in one part alone, or in a large one first.
                    Cow::Owned(sum) if sum.counts.is_empty() && sum.exemplars.is_empty() => {
                        sums[number].1 = Cow::Borrowed(cell);
                    }
                    sum => sum.to_mut().merge(cell, 1),
                }
            }
        }
    }
    sums
}

/// One end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct End<'a> {
    kind: PlaceKind,
    name: &'a str,
}

impl<'a> End<'a> {
    fn of(place: &'a Place) -> Self {
        Self { kind: place.kind, name: &place.name }
    }

    fn is_infra(self) -> bool {
        matches!(self.kind, PlaceKind::Database | PlaceKind::Topic | PlaceKind::External)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Line<'a> {
    source: End<'a>,
    target: End<'a>,
    protocol: &'a str,
    mode: Mode,
    operation: Option<&'a str>,
}

impl Line<'_> {
    fn has(&self, layer: LayerFilter) -> bool {
        let infra = self.source.is_infra() || self.target.is_infra();
        match layer {
            LayerFilter::All => true,
            LayerFilter::App => !infra,
            LayerFilter::Infra => infra,
        }
    }
}

/// The graph in the making.
struct Drawing<'a> {
    options: &'a GraphOptions,
    aliases: Aliases<'a>,
    lines: HashMap<Line<'a>, Cell>,
    nodes: HashMap<End<'a>, (i64, i64)>,
    exactness: Exactness,
}

/// The graph of some sums, or the part of it that is asked for.
pub(crate) fn draw(sums: &Sums<'_>, options: &GraphOptions, window: Range, as_of: i64, notes: Notes) -> Graph {
    let mut drawing = Drawing {
        options,
        aliases: Aliases::default(),
        lines: HashMap::new(),
        nodes: HashMap::new(),
        exactness: Exactness { as_of, ..Exactness::default() },
    };
    sums.iter().for_each(|(key, _)| drawing.aliases.learn(key));
    for (key, cell) in sums.iter().filter(|(_, cell)| cell.counts.get(slot::CALLS) > 0) {
        drawing.add(key, cell);
    }
    drawing.finish(window, notes)
}

impl<'a> Drawing<'a> {
    fn add(&mut self, key: &'a Key, cell: &Cell) {
        let asked = |environment: &str| self.options.env.as_deref().is_none_or(|env| env == environment);
        match key {
            Key::Edge { source, target, alias, protocol, operation, mode, environment } if asked(environment) => {
                let found = self.aliases.service(target).map(|name| End { kind: PlaceKind::Service, name });
                let line = Line {
                    source: End::of(source),
                    target: found.unwrap_or(End::of(target)),
                    protocol,
                    mode: *mode,
                    operation: self.options.operations.then_some(operation),
                };
                self.note(&line, cell);
                let through = *mode == Mode::Async && self.options.layer != LayerFilter::App;
                if through && target.kind != PlaceKind::Topic && peer::topic(alias, protocol) {
                    let topic = End { kind: PlaceKind::Topic, name: alias };
                    self.count(Line { target: topic, ..line }, &part(cell, &[slot::CLIENT]));
                    self.count(Line { source: topic, ..line }, &part(cell, &[slot::SERVER, slot::LAG]));
                } else {
                    self.count(line, cell);
                }
            }
            Key::Serve { service, environment, .. } | Key::Presence { service, environment, .. }
                if asked(environment) =>
            {
                self.nodes.entry(End { kind: PlaceKind::Service, name: service }).or_default();
            }
            _ => {}
        }
    }

    fn note(&mut self, line: &Line<'_>, cell: &Cell) {
        let calls = cell.counts.get(slot::CALLS);
        if line.source.kind == PlaceKind::Unknown {
            self.exactness.orphans += positive(calls);
        } else if line.source.kind == PlaceKind::Service
            && !matches!(line.target.kind, PlaceKind::Database | PlaceKind::Topic)
        {
            self.exactness.unpaired += positive(calls - cell.counts.get(slot::PAIRED));
        }
    }

    fn count(&mut self, line: Line<'a>, cell: &Cell) {
        self.lines.entry(line).or_default().merge(cell, 1);
        let (calls, errors) = (cell.counts.get(slot::CALLS), cell.counts.get(slot::ERRORS));
        let source = self.nodes.entry(line.source).or_default();
        if matches!(line.source.kind, PlaceKind::User | PlaceKind::Unknown) {
            source.0 += calls;
            source.1 += errors;
        }
        let target = self.nodes.entry(line.target).or_default();
        target.0 += calls;
        target.1 += errors;
    }

    fn finish(mut self, window: Range, notes: Notes) -> Graph {
        let options = self.options;
        self.lines.retain(|line, _| line.has(options.layer));
        let reached = options.focus.as_deref().map(|focus| self.within(focus));
        if let Some(reached) = &reached {
            let near = |end: &End<'_>| reached.get(end).is_some_and(|away| *away < options.depth);
            self.lines.retain(|line, _| near(&line.source) || near(&line.target));
        }
        let touched: HashSet<End<'_>> = self.lines.keys().flat_map(|line| [line.source, line.target]).collect();
        let shown = |end: &End<'_>| match &reached {
            Some(reached) => touched.contains(end) || reached.get(end) == Some(&0),
            None => match options.layer {
                LayerFilter::All => true,
                LayerFilter::App => !end.is_infra(),
                LayerFilter::Infra => end.is_infra() || touched.contains(end),
            },
        };
        let mut nodes: Vec<Node> =
            self.nodes.iter().filter(|(end, _)| shown(end)).map(|(end, sum)| node(*end, *sum)).collect();
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        let mut edges: Vec<Edge> = self.lines.iter().map(|(line, cell)| edge(line, cell)).collect();
        let order = |edge: &Edge| {
            (edge.source.clone(), edge.target.clone(), edge.protocol.clone(), edge.mode, edge.operation.clone())
        };
        edges.sort_by_cached_key(order);
        Graph { nodes, edges, window, exactness: self.exactness, notes }
    }

    /// How many edges away from the focus an end is; of those that are no further than asked.
    fn within(&self, focus: &str) -> HashMap<End<'a>, u32> {
        let mut reached: HashMap<End<'_>, u32> = HashMap::new();
        let mut front: Vec<End<'_>> =
            self.nodes.keys().copied().filter(|end| peer::id(end.kind, end.name) == focus).collect();
        reached.extend(front.iter().map(|end| (*end, 0)));
        let mut near: HashMap<End<'_>, Vec<End<'_>>> = HashMap::new();
        for line in self.lines.keys() {
            near.entry(line.source).or_default().push(line.target);
            near.entry(line.target).or_default().push(line.source);
        }
        for away in 1..=self.options.depth {
            let next: Vec<End<'_>> = front.iter().filter_map(|end| near.get(end)).flatten().copied().collect();
            front = next.into_iter().filter(|end| reached.try_insert(*end, away).is_ok()).collect();
            if front.is_empty() {
                break;
            }
        }
        reached
    }
}

/// What every side of a call knows, and these sketches.
fn part(cell: &Cell, sketches: &[u16]) -> Cell {
    let mut counts = Counts::default();
    let known = cell.counts.slots(0..slot::SKETCH);
    let of_sketches = sketches.iter().flat_map(|first| cell.counts.slots(*first..first + slot::SKETCH));
    known.chain(of_sketches).for_each(|(slot, count)| counts.add(slot, count));
    Cell { counts, exemplars: cell.exemplars.clone() }
}

fn node(end: End<'_>, (calls, errors): (i64, i64)) -> Node {
    Node {
        id: peer::id(end.kind, end.name),
        name: peer::name(end.kind, end.name),
        kind: kind(end.kind),
        layer: None,
        calls: positive(calls),
        errors: positive(errors),
    }
}

fn edge(line: &Line<'_>, cell: &Cell) -> Edge {
    let counts = &cell.counts;
    let paired = positive(counts.get(slot::PAIRED));
    let both_send = [line.source, line.target].iter().all(|end| end.kind == PlaceKind::Service);
    let outcomes: BTreeMap<&str, u64> = (1..OUTCOMES.len())
        .map(|number| (OUTCOMES[number], positive(counts.get(slot::OUTCOME + number as u16))))
        .filter(|(_, count)| *count > 0)
        .collect();
    Edge {
        source: peer::id(line.source.kind, line.source.name),
        target: peer::id(line.target.kind, line.target.name),
        protocol: Some(line.protocol).filter(|protocol| !protocol.is_empty()).map(str::to_owned),
        operation: line.operation.map(str::to_owned),
        mode: line.mode,
        identity: match (paired, both_send) {
            (1.., _) => Identity::Paired,
            (0, true) => Identity::Inferred,
            (0, false) => Identity::Virtual,
        },
        calls: positive(counts.get(slot::CALLS)),
        errors: positive(counts.get(slot::ERRORS)),
        paired,
        client: sketch::quantiles_of(counts, slot::CLIENT),
        server: sketch::quantiles_of(counts, slot::SERVER),
        lag: sketch::quantiles_of(counts, slot::LAG),
        outcomes: outcomes.into_iter().map(|(outcome, count)| (outcome.to_owned(), count)).collect(),
        exemplars: cell.exemplars.iter().map(|exemplar| (exemplar.trace, exemplar.span)).collect(),
    }
}

fn kind(kind: PlaceKind) -> NodeKind {
    match kind {
        PlaceKind::Service => NodeKind::Service,
        PlaceKind::Database => NodeKind::Database,
        PlaceKind::Topic => NodeKind::Topic,
        PlaceKind::External => NodeKind::External,
        PlaceKind::User => NodeKind::User,
        PlaceKind::Unknown => NodeKind::Unknown,
    }
}

fn positive(count: i64) -> u64 {
    count.max(0) as u64
}
