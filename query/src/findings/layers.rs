//! Layers as the rules need them: those that the services' page shows.

use std::collections::BTreeMap;

use crate::rollup::Cells;
use crate::services::layers as services;
pub use crate::services::layers::Layer;

/// A service's layer, and whether a file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub layer: Layer,
    pub told: bool,
}

pub type Layers = BTreeMap<String, Placed>;

/// By service name. `overrides` come from the configuration file and win.
pub fn layers(cells: &Cells, overrides: &BTreeMap<String, Layer>) -> Layers {
    let placed = |(layer, source)| Placed { layer, told: source == services::Source::File };
    services::layers(cells, overrides).into_iter().map(|(name, told)| (name, placed(told))).collect()
}
