//! When a version of a service was first seen: kept for longer than cells are looked at.

use std::collections::BTreeMap;

use storage::rollup::NANOS_PER_MINUTE;

use crate::rollup::{Cells, Key};

/// First minute (ns) of each version, by service.
pub type Releases = BTreeMap<String, BTreeMap<String, i64>>;

/// Versions kept of a service, the newest.
const MOST_VERSIONS: usize = 40;

/// Adds what the cells show; the services that changed.
pub fn learn(releases: &mut Releases, cells: &Cells) -> Vec<String> {
    let mut changed = Vec::new();
    for series in &cells.series {
        let Key::Presence { service, version, .. } = &series.key else { continue };
        let Some(first) = series.cells.keys().next().filter(|_| !version.is_empty()) else { continue };
        let at = first.saturating_mul(NANOS_PER_MINUTE);
        let versions = releases.entry(service.clone()).or_default();
        if versions.get(version).is_none_or(|&known| at < known) {
            versions.insert(version.clone(), at);
            changed.push(service.clone());
        }
        while versions.len() > MOST_VERSIONS {
            let oldest = versions.iter().min_by_key(|(_, at)| **at).map(|(version, _)| version.clone());
            oldest.and_then(|version| versions.remove(&version));
        }
    }
    changed.sort();
    changed.dedup();
    changed
}

/// (when, version) of a service's releases, oldest first: all but the version that it was first seen with.
pub fn changes<'a>(releases: &'a Releases, service: &str) -> Vec<(i64, &'a str)> {
    let versions = releases.get(service).into_iter().flatten();
    let mut changes: Vec<(i64, &str)> = versions.map(|(version, &at)| (at, version.as_str())).collect();
    changes.sort_unstable();
    changes.drain(..changes.len().min(1));
    changes
}

/// Whether a service released something in the time before.
pub fn released_within(releases: &Releases, service: &str, to: i64, time: i64) -> Option<String> {
    let found = changes(releases, service).into_iter().rev().find(|&(at, _)| at <= to && to.saturating_sub(at) <= time);
    found.map(|(_, version)| version.to_owned())
}
