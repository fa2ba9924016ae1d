//! The cells of a window by service, with the calls that nobody answered led to whom they were for.

use std::collections::BTreeMap;

use storage::rollup::Cell;

use super::model::{Identity, Totals};
use crate::graph::aliases::Aliases;
use crate::graph::sketch::Sketch;
use crate::model::Quantiles;
use crate::rollup::{Cells, Key, OUTCOMES, Place, PlaceKind, Series, slot};

/// What the cells say of each service.
pub(crate) struct View<'a> {
    pub(crate) services: BTreeMap<&'a str, Of<'a>>,
    pub(crate) places: Places<'a>,
}

/// Series that concern one service.
#[derive(Default)]
pub(crate) struct Of<'a> {
    pub(crate) presence: Vec<&'a Series>,
    pub(crate) serves: Vec<&'a Series>,
    /// Calls that it makes; not those to itself.
    pub(crate) out: Vec<Edge<'a>>,
    /// Calls to it, likewise.
    pub(crate) into: Vec<Edge<'a>>,
}

/// An edge of the cells, its target resolved.
#[derive(Clone, Copy)]
pub(crate) struct Edge<'a> {
    pub(crate) source: &'a Place,
    pub(crate) target: Target<'a>,
    pub(crate) series: &'a Series,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) kind: PlaceKind,
    pub(crate) name: &'a str,
    pub(crate) identity: Identity,
}

impl<'a> View<'a> {
    pub(crate) fn new(cells: &'a Cells) -> Self {
        let places = Places::new(cells);
        let mut services: BTreeMap<&str, Of<'_>> = BTreeMap::new();
        for series in &cells.series {
            match &series.key {
                Key::Presence { service, .. } => services.entry(service).or_default().presence.push(series),
                Key::Serve { service, .. } => services.entry(service).or_default().serves.push(series),
                Key::Edge { source, target, .. } => {
                    let target = places.resolve(source, target);
                    let edge = Edge { source, target, series };
                    let caller = (source.kind == PlaceKind::Service).then_some(source.name.as_str());
                    let callee = (target.kind == PlaceKind::Service).then_some(target.name);
                    if caller == callee {
                        continue;
                    }
                    if let Some(caller) = caller {
                        services.entry(caller).or_default().out.push(edge);
                    }
                    if let Some(callee) = callee {
                        services.entry(callee).or_default().into.push(edge);
                    }
                }
            }
        }
        // A name that only its callers know sends no spans: it is not a service of this window.
        services.retain(|_, of| !of.presence.is_empty() || !of.serves.is_empty());
        Self { services, places }
    }
}

/// Who stands behind an address or a name.
#[derive(Default)]
pub(crate) struct Places<'a>(Aliases<'a>);

impl<'a> Places<'a> {
    fn new(cells: &'a Cells) -> Self {
        let mut places = Self::default();
        cells.series.iter().for_each(|series| places.0.learn(&series.key));
        places
    }

    /// A call that nobody answered is for the service that bears the peer's name, else for the only one
    /// that answered other calls to that peer.
    pub(crate) fn service(&self, external: &str) -> Option<&'a str> {
        self.0.named(external)
    }

    fn resolve(&self, source: &Place, target: &'a Place) -> Target<'a> {
        let joined = (target.kind == PlaceKind::External).then(|| self.service(&target.name)).flatten();
        let both = [source.kind, target.kind].iter().all(|kind| *kind == PlaceKind::Service);
        match joined {
            Some(name) => Target { kind: PlaceKind::Service, name, identity: Identity::Inferred },
            None => {
                let identity = if both { Identity::Paired } else { Identity::Virtual };
                Target { kind: target.kind, name: &target.name, identity }
            }
        }
    }
}

impl Edge<'_> {
    pub(crate) fn calls(&self) -> u64 {
        calls(self.series)
    }
}

/// Calls or spans of all minutes.
pub(crate) fn calls(series: &Series) -> u64 {
    series.cells.values().map(|cell| count(cell, slot::CALLS)).sum()
}

/// A count; what has been taken back more often than given is none.
pub(crate) fn count(cell: &Cell, slot: u16) -> u64 {
    cell.counts.get(slot).max(0) as u64
}

/// Quantiles of one of a cell's sketches: [`slot::CLIENT`], [`slot::SERVER`] or [`slot::LAG`].
pub(crate) fn quantiles(cell: &Cell, first: u16) -> Option<Quantiles> {
    let mut sketch = Sketch::default();
    for (slot, count) in cell.counts.slots(first..first + slot::SKETCH) {
        sketch.add_bucket(slot - first, count.max(0) as u64);
    }
    sketch.quantiles()
}

pub(crate) fn outcomes(cell: &Cell) -> BTreeMap<&'static str, u64> {
    let numbered = OUTCOMES.iter().enumerate().skip(1);
    let counted = numbered.map(|(number, name)| (*name, count(cell, slot::OUTCOME + number as u16)));
    counted.filter(|(_, count)| *count > 0).collect()
}

/// Of calls served.
pub(crate) fn totals(cell: &Cell) -> Totals {
    Totals {
        calls: count(cell, slot::CALLS),
        errors: count(cell, slot::ERRORS),
        latency: quantiles(cell, slot::SERVER),
        outcomes: outcomes(cell),
    }
}

/// Many series as one cell.
pub(crate) fn sum<'a>(series: impl IntoIterator<Item = &'a Series>) -> Cell {
    let mut sum = Cell::default();
    series.into_iter().flat_map(|series| series.cells.values()).for_each(|cell| sum.merge(cell, 1));
    sum
}
