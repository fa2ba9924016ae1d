//! Which layer a service is of, as the rules need it.
//!
//! What the services' page infers is to take this place: the same signature, and more evidence.

use std::collections::{BTreeMap, BTreeSet};

use crate::rollup::{Cells, Key, Mode, PlaceKind, slot};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    Gateway,
    Aggregate,
    Basic,
    Platform,
    Other,
}

impl Layer {
    pub const ALL: [Layer; 5] = [Layer::Gateway, Layer::Aggregate, Layer::Basic, Layer::Platform, Layer::Other];

    pub fn name(self) -> &'static str {
        match self {
            Layer::Gateway => "gateway",
            Layer::Aggregate => "aggregate",
            Layer::Basic => "basic",
            Layer::Platform => "platform",
            Layer::Other => "other",
        }
    }
}

/// A service's layer, and whether a file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub layer: Layer,
    pub told: bool,
}

pub type Layers = BTreeMap<String, Placed>;

/// Share of a gateway's entries that come from users, of a basic service's entries that call on, and of the
/// services that call a platform.
const FED_BY_USERS: f64 = 0.8;
const CALLS_ON: f64 = 0.05;
const CALLED_BY: f64 = 0.5;
/// Services below which nothing is called a platform.
const FEW_SERVICES: usize = 4;

/// By service name. `overrides` come from the configuration file and win.
pub fn layers(cells: &Cells, overrides: &BTreeMap<String, Layer>) -> Layers {
    let mut sums: BTreeMap<&str, Sums<'_>> = BTreeMap::new();
    for series in &cells.series {
        let Key::Edge { source, target, mode: Mode::Sync, .. } = &series.key else { continue };
        let calls = series.cells.values().map(|cell| cell.counts.get(slot::CALLS)).sum::<i64>() as f64;
        if target.kind == PlaceKind::Service && source != target {
            let sum = sums.entry(&target.name).or_default();
            sum.entries += calls;
            match source.kind {
                PlaceKind::User => sum.from_users += calls,
                PlaceKind::Service => {
                    sum.callers.insert(&source.name);
                }
                _ => {}
            }
            if source.kind == PlaceKind::Service {
                let sum = sums.entry(&source.name).or_default();
                sum.exits += calls;
                sum.callees.insert(&target.name);
            }
        }
    }
    let services = sums.len();
    let mut layers: Layers = sums
        .iter()
        .map(|(name, sum)| ((*name).to_owned(), Placed { layer: sum.layer(services), told: false }))
        .collect();
    layers.extend(overrides.iter().map(|(name, &layer)| (name.clone(), Placed { layer, told: true })));
    layers
}

#[derive(Default)]
struct Sums<'a> {
    entries: f64,
    from_users: f64,
    exits: f64,
    callers: BTreeSet<&'a str>,
    callees: BTreeSet<&'a str>,
}

impl Sums<'_> {
    fn layer(&self, services: usize) -> Layer {
        if self.entries == 0.0 {
            return Layer::Other;
        }
        if self.from_users / self.entries >= FED_BY_USERS && self.callees.len() >= 2 {
            return Layer::Gateway;
        }
        if services >= FEW_SERVICES && self.callers.len() as f64 >= CALLED_BY * (services - 1) as f64 {
            return Layer::Platform;
        }
        if self.callees.len() >= 2 && self.exits / self.entries >= 0.5 {
            return Layer::Aggregate;
        }
        if self.exits / self.entries <= CALLS_ON { Layer::Basic } else { Layer::Other }
    }
}
