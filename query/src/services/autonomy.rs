//! How much a service stands on its own: database, release, instances.

use std::collections::{BTreeMap, BTreeSet};

use storage::rollup::Minute;

use super::inventory;
use super::model::{Autonomy, SharedDatabase};
use super::view::{self, Of, View};
use crate::rollup::{Key, PlaceKind};

/// Releases of two services within so many minutes go together.
pub const LOCKSTEP_MINUTES: Minute = 30;
/// So many of the last [`LOCKSTEP_LAST`] releases went together: the services are released as one.
pub const LOCKSTEP_RELEASES: usize = 3;
pub const LOCKSTEP_LAST: usize = 4;

/// What one must know of all services to judge one.
pub(crate) struct Facts<'a> {
    /// Callers of each database.
    callers: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Minutes of releases, ascending.
    releases: BTreeMap<&'a str, Vec<Minute>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(view: &View<'a>) -> Self {
        let mut callers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, of) in &view.services {
            for edge in of.out.iter().filter(|edge| edge.target.kind == PlaceKind::Database) {
                callers.entry(edge.target.name).or_default().insert(name);
            }
        }
        let releases = view.services.iter().map(|(name, of)| (*name, releases(of))).collect();
        Self { callers, releases }
    }

    pub(crate) fn autonomy(&self, name: &str, of: &Of<'_>) -> Autonomy {
        let (mut own_db, mut shared_db) = (Vec::new(), Vec::new());
        for (database, callers) in self.callers.iter().filter(|(_, callers)| callers.contains(name)) {
            let with: Vec<String> =
                callers.iter().filter(|caller| **caller != name).map(|&caller| caller.to_owned()).collect();
            match with.is_empty() {
                true => own_db.push((*database).to_owned()),
                false => shared_db.push(SharedDatabase { database: (*database).to_owned(), with }),
            }
        }
        Autonomy { own_db, shared_db, lockstep_with: self.lockstep(name), instances_at_once: at_once(of) }
    }

    fn lockstep(&self, name: &str) -> Vec<String> {
        let Some(mine) = self.releases.get(name) else { return Vec::new() };
        let last = &mine[mine.len().saturating_sub(LOCKSTEP_LAST)..];
        if last.len() < LOCKSTEP_RELEASES {
            return Vec::new();
        }
        let others = self.releases.iter().filter(|(other, _)| **other != name);
        let together = |theirs: &[Minute]| last.iter().filter(|release| has_near(theirs, **release)).count();
        others
            .filter(|(_, theirs)| together(theirs) >= LOCKSTEP_RELEASES)
            .map(|(other, _)| (*other).to_owned())
            .collect()
    }
}

fn has_near(sorted: &[Minute], minute: Minute) -> bool {
    let at = sorted.partition_point(|one| *one < minute.saturating_sub(LOCKSTEP_MINUTES));
    sorted.get(at).is_some_and(|one| *one <= minute.saturating_add(LOCKSTEP_MINUTES))
}

/// When versions were first seen. The oldest one may have been there before the window.
fn releases(of: &Of<'_>) -> Vec<Minute> {
    let mut first: Vec<Minute> = inventory::versions(of).iter().map(|version| version.seen.first).collect();
    first.sort_unstable();
    first.drain(..first.len().min(1));
    first
}

/// Most distinct instances within one minute.
fn at_once(of: &Of<'_>) -> u64 {
    let mut minutes: BTreeMap<Minute, BTreeSet<&str>> = BTreeMap::new();
    for series in &of.presence {
        let Key::Presence { instance, .. } = &series.key else { continue };
        if instance.is_empty() {
            continue;
        }
        for (minute, _) in series.cells.iter().filter(|(_, cell)| view::count(cell, 0) > 0) {
            minutes.entry(*minute).or_default().insert(instance);
        }
    }
    minutes.values().map(|instances| instances.len() as u64).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, database, service};
    use super::*;

    fn told(made: &Made, name: &str) -> Autonomy {
        let cells = made.cells();
        let view = View::new(&cells);
        Facts::new(&view).autonomy(name, &view.services[name])
    }

    #[test]
    fn a_database_is_own_or_shared() {
        let mut made = Made::default();
        for (name, db) in
            [("cart", "mysql://db:3306/cart"), ("cart", "redis://cache:6379"), ("stock", "redis://cache:6379")]
        {
            made.edge(0, service(name), database(db), 1);
            made.presence(0, name, "1", "a", 1);
        }
        let cart = told(&made, "cart");
        assert_eq!(cart.own_db, ["mysql://db:3306/cart"]);
        let shared = SharedDatabase { database: "redis://cache:6379".to_owned(), with: vec!["stock".to_owned()] };
        assert_eq!(cart.shared_db, [shared]);
        let stock = told(&made, "stock");
        assert_eq!((stock.own_db.len(), stock.shared_db[0].with.as_slice()), (0, ["cart".to_owned()].as_slice()));
    }

    /// Services that are released at these minutes of the hour, and run from its start.
    fn released(of: &[(&str, &[Minute])]) -> Made {
        let mut made = Made::default();
        for (name, minutes) in of {
            made.presence(0, name, "0", "a", 1);
            for (number, minute) in minutes.iter().enumerate() {
                made.presence(*minute, name, &format!("{}", number + 1), "a", 1);
            }
        }
        made
    }

    #[test]
    fn three_of_the_last_four_releases_together_are_lockstep() {
        let made = released(&[("a", &[1, 20, 40, 58]), ("b", &[2, 21, 41]), ("c", &[58]), ("d", &[])]);
        assert_eq!(told(&made, "a").lockstep_with, ["b"]);
        assert_eq!(told(&made, "b").lockstep_with, ["a"]);
        assert_eq!(told(&made, "c").lockstep_with, [""; 0], "one release is no habit");
        let apart = released(&[("a", &[1, 2, 3]), ("b", &[1, 34, 59])]);
        assert_eq!(told(&apart, "a").lockstep_with, ["b"], "a's releases all have one of b beside them");
        assert_eq!(told(&apart, "b").lockstep_with, [""; 0], "34 and 59 are more than 30 minutes after 3");
    }

    #[test]
    fn releases_before_the_last_four_do_not_count() {
        let minutes: Vec<Minute> = vec![1, 2, 3, 50, 51, 52, 53];
        let made = released(&[("a", &minutes), ("b", &[1, 2, 3])]);
        assert_eq!(told(&made, "a").lockstep_with, [""; 0]);
        assert_eq!(told(&made, "b").lockstep_with, ["a"]);
    }

    #[test]
    fn instances_count_by_the_minute() {
        let mut made = Made::default();
        for (minute, instance) in [(0, "a"), (1, "b"), (2, "c"), (2, "d"), (2, "c"), (3, "")] {
            made.presence(minute, "cart", "1", instance, 1);
        }
        assert_eq!(told(&made, "cart").instances_at_once, 2);
    }
}
