//! Calls between two places, as the rules look at them.

use std::collections::{BTreeMap, BTreeSet};

use storage::rollup::{Cell, Minute};

use crate::findings::observe::Proof;
use crate::rollup::{Mode, Place, PlaceKind, slot};

/// Calls from one place to another, whatever operation, protocol and environment.
#[derive(Debug)]
pub(in crate::findings) struct Edge {
    pub(in crate::findings) source: Place,
    pub(in crate::findings) target: Place,
    pub(in crate::findings) mode: Mode,
    pub(in crate::findings) aliases: BTreeSet<String>,
    pub(in crate::findings) operations: BTreeMap<String, i64>,
    pub(in crate::findings) minutes: BTreeMap<Minute, Cell>,
    pub(in crate::findings) sum: Cell,
}

impl Edge {
    pub(in crate::findings) fn calls(&self) -> u64 {
        count(&self.sum, slot::CALLS)
    }

    pub(in crate::findings) fn outcome(&self, name: &str) -> u64 {
        outcome(&self.sum, name)
    }

    /// Whether two minutes in a row satisfy the condition.
    pub(in crate::findings) fn twice(&self, holds: impl Fn(&Cell) -> bool) -> bool {
        self.minutes.iter().any(|(minute, cell)| holds(cell) && self.minutes.get(&(minute + 1)).is_some_and(&holds))
    }

    pub(in crate::findings) fn name(&self) -> String {
        format!("{} → {}", shown(&self.source), shown(&self.target))
    }

    pub(in crate::findings) fn proofs(&self) -> Vec<Proof> {
        proofs(&self.sum)
    }
}

/// A place as people read it.
pub(in crate::findings) fn shown(place: &Place) -> &str {
    match place.kind {
        PlaceKind::User => "user",
        PlaceKind::Unknown if place.name.is_empty() => "unknown",
        _ => &place.name,
    }
}

pub(in crate::findings) fn count(cell: &Cell, slot: u16) -> u64 {
    u64::try_from(cell.counts.get(slot)).unwrap_or(0)
}

pub(in crate::findings) fn outcome(cell: &Cell, name: &str) -> u64 {
    let number = crate::rollup::OUTCOMES.iter().position(|known| *known == name);
    number.map_or(0, |number| count(cell, slot::OUTCOME + number as u16))
}

/// Exemplars of a cell: failures first.
pub(in crate::findings) fn proofs(cell: &Cell) -> Vec<Proof> {
    let proof = |exemplar: &storage::rollup::Exemplar| Proof {
        weight: exemplar.duration.0,
        trace: exemplar.trace,
        spans: vec![exemplar.span],
    };
    cell.exemplars.iter().map(proof).collect()
}
