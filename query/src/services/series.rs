//! Numbers of a service by steps of time, by operation, and by whom it calls.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Span;

use storage::ids::{SpanId, TraceId};
use storage::rollup::{Cell, Minute};

use super::model::{Identity, Instance, OperationInfo, RedSeries, Version};
use super::view::{self, Of};
use crate::engine::QueryError;
use crate::model::{Edge, Notes};
use crate::rollup::{Key, Mode, Place, Series, slot};

/// Most steps of one answer.
pub const MOST_STEPS: u64 = 1000;

/// A window cut into steps of whole minutes; the last may reach past its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) from: Minute,
    /// Minutes.
    pub(crate) step: u64,
    pub(crate) count: usize,
}

impl Steps {
    /// Of so many minutes each, or as few as make no more than [`MOST_STEPS`].
    pub(crate) fn new(minutes: &Span<Minute>, step: Option<u64>) -> Result<Self, QueryError> {
        let length = minutes.end.abs_diff(minutes.start).max(1);
        let least = length.div_ceil(MOST_STEPS);
        let step = step.unwrap_or(least);
        if step < least {
            let told = format!("the window has more than {MOST_STEPS} steps: `step` must be at least {}s", least * 60);
            return Err(QueryError::bad(told));
        }
        Ok(Self { from: minutes.start, step, count: length.div_ceil(step) as usize })
    }

    fn of(&self, minute: Minute) -> Option<usize> {
        let step = minute.checked_sub(self.from)?.checked_div(i64::try_from(self.step).ok()?)?;
        usize::try_from(step).ok().filter(|step| *step < self.count)
    }

    /// The calls or spans of these series by step.
    pub(crate) fn counts<'a>(&self, series: impl IntoIterator<Item = &'a Series>) -> Vec<u64> {
        let mut counts = vec![0; self.count];
        for (minute, cell) in series.into_iter().flat_map(|series| &series.cells) {
            if let Some(step) = self.of(*minute) {
                counts[step] += view::count(cell, slot::CALLS);
            }
        }
        counts
    }
}

/// `served` are the calls of the service by the minute.
pub(crate) fn red<'a>(
    of: &Of<'_>,
    served: impl IntoIterator<Item = (&'a Minute, &'a Cell)>,
    steps: &Steps,
) -> RedSeries {
    let mut cells: BTreeMap<usize, Cell> = BTreeMap::new();
    for (minute, cell) in served {
        if let Some(step) = steps.of(*minute) {
            cells.entry(step).or_default().merge(cell, 1);
        }
    }
    let mut instances: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for series in &of.presence {
        let Key::Presence { instance, .. } = &series.key else { continue };
        let seen = series.cells.iter().filter(|(_, cell)| view::count(cell, slot::CALLS) > 0);
        for step in seen.filter_map(|(minute, _)| steps.of(*minute)).filter(|_| !instance.is_empty()) {
            instances.entry(step).or_default().insert(instance);
        }
    }
    let mut red = RedSeries {
        from: steps.from,
        step: steps.step,
        calls: vec![0; steps.count],
        errors: vec![0; steps.count],
        latency: vec![None; steps.count],
        outcomes: BTreeMap::new(),
        spans: steps.counts(of.presence.iter().copied()),
        instances: vec![0; steps.count],
    };
    for (step, cell) in cells {
        let totals = view::totals(&cell);
        (red.calls[step], red.errors[step], red.latency[step]) = (totals.calls, totals.errors, totals.latency);
        for (outcome, count) in totals.outcomes {
            red.outcomes.entry(outcome).or_insert_with(|| vec![0; steps.count])[step] = count;
        }
    }
    instances.into_iter().for_each(|(step, found)| red.instances[step] = found.len() as u64);
    red
}

/// Instances with their spans by step; where there are more than `most`, those seen last.
pub(crate) fn instances(
    of: &Of<'_>,
    steps: &Steps,
    instances: &[Instance],
    most: usize,
    notes: &mut Notes,
) -> Vec<(Instance, Vec<u64>)> {
    let mut shown: Vec<&Instance> = instances.iter().collect();
    if shown.len() > most {
        shown.sort_by_key(|instance| std::cmp::Reverse(instance.seen.last));
        shown.truncate(most);
        shown.sort_by(|a, b| a.name.cmp(&b.name));
        notes.warnings.push(format!("there are {} instances; the {most} seen last have a series", instances.len()));
    }
    let mut series: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    for one in &of.presence {
        if let Key::Presence { instance, .. } = &one.key {
            series.entry(instance).or_default().push(one);
        }
    }
    let counts = |name: &str| steps.counts(series.get(name).into_iter().flatten().copied());
    shown.into_iter().map(|instance| (instance.clone(), counts(&instance.name))).collect()
}

/// Versions with their spans by step; where there are more than `most`, the newest.
pub(crate) fn releases(
    of: &Of<'_>,
    steps: &Steps,
    versions: &[Version],
    most: usize,
    notes: &mut Notes,
) -> Vec<(Version, Vec<u64>)> {
    if versions.len() > most {
        notes.warnings.push(format!("there are {} versions; the {most} newest have a series", versions.len()));
    }
    let of_version =
        |series: &&&Series, wanted: &str| matches!(&series.key, Key::Presence { version, .. } if version == wanted);
    let counts = |name: &str| steps.counts(of.presence.iter().filter(|series| of_version(series, name)).copied());
    versions.iter().take(most).map(|version| (version.clone(), counts(&version.name))).collect()
}

/// Operations served, those with the most calls first.
pub(crate) fn operations(of: &Of<'_>) -> Vec<OperationInfo> {
    let mut sums: BTreeMap<(&str, &str), Cell> = BTreeMap::new();
    for series in &of.serves {
        let Key::Serve { operation, protocol, .. } = &series.key else { continue };
        sums.entry((operation, protocol)).or_default().merge(&series.sum(), 1);
    }
    let operation = |((name, protocol), cell): ((&str, &str), Cell)| OperationInfo {
        name: name.to_owned(),
        protocol: protocol.to_owned(),
        totals: view::totals(&cell),
        exemplars: exemplars(&cell),
    };
    let mut operations: Vec<OperationInfo> = sums.into_iter().map(operation).collect();
    operations.sort_by_key(|operation| std::cmp::Reverse(operation.totals.calls));
    operations
}

/// Edges between the same places in the same protocol as one, those with the most calls first.
pub(crate) fn dependencies(edges: &[view::Edge<'_>]) -> Vec<Edge> {
    let mut sums: BTreeMap<(Place, Place, &str, Mode), (Identity, Cell)> = BTreeMap::new();
    for edge in edges {
        let Key::Edge { protocol, mode, .. } = &edge.series.key else { continue };
        let target = Place::new(edge.target.kind, edge.target.name);
        let known = sums.entry((edge.source.clone(), target, protocol, *mode));
        let (identity, cell) = known.or_insert((edge.target.identity, Cell::default()));
        *identity = (*identity).min(edge.target.identity);
        cell.merge(&edge.series.sum(), 1);
    }
    let dependency =
        |((source, target, protocol, mode), (identity, cell)): ((Place, Place, &str, Mode), (Identity, Cell))| Edge {
            source: source.node_id(),
            target: target.node_id(),
            protocol: Some(protocol).filter(|protocol| !protocol.is_empty()).map(str::to_owned),
            operation: None,
            mode,
            identity,
            calls: view::count(&cell, slot::CALLS),
            errors: view::count(&cell, slot::ERRORS),
            paired: view::count(&cell, slot::PAIRED),
            client: view::quantiles(&cell, slot::CLIENT),
            server: view::quantiles(&cell, slot::SERVER),
            lag: view::quantiles(&cell, slot::LAG),
            outcomes: view::outcomes(&cell).into_iter().map(|(outcome, count)| (outcome.to_owned(), count)).collect(),
            exemplars: exemplars(&cell),
        };
    let mut dependencies: Vec<Edge> = sums.into_iter().map(dependency).collect();
    dependencies.sort_by_key(|dependency| std::cmp::Reverse(dependency.calls));
    dependencies
}

fn exemplars(cell: &Cell) -> Vec<(TraceId, SpanId)> {
    cell.exemplars.iter().map(|exemplar| (exemplar.trace, exemplar.span)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Made, Served, served, service, user};
    use super::super::view::View;
    use super::*;
    use crate::rollup::PlaceKind;

    #[test]
    fn steps_fit_the_window() {
        let steps = |minutes: Span<Minute>, step| Steps::new(&minutes, step).map(|steps| (steps.step, steps.count));
        assert_eq!(steps(0..60, None).expect("steps"), (1, 60));
        assert_eq!(steps(0..61, Some(7)).expect("steps"), (7, 9));
        assert_eq!(steps(0..1440, None).expect("steps"), (2, 720));
        assert_eq!(steps(5..5, None).expect("steps"), (1, 1));
        let error = steps(0..1440, Some(1)).expect_err("too many steps");
        assert!(error.to_string().contains("120s"), "{error}");
        let all = crate::rollup::minutes(crate::engine::Range::ALL);
        assert!(Steps::new(&all, None).expect("steps").count <= MOST_STEPS as usize);
    }

    #[test]
    fn calls_of_one_target_are_one_dependency() {
        let mut made = Made::default();
        made.presence(0, "shop", "1", "a", 1);
        made.presence(0, "cart", "1", "a", 1);
        made.edge(0, service("shop"), service("cart"), 5);
        made.edge(1, service("shop"), Place::new(PlaceKind::External, "cart"), 2);
        made.edge(1, service("shop"), Place::new(PlaceKind::External, "bank"), 9);
        made.edge(1, user(), service("shop"), 4);
        let cells = made.cells();
        let view = View::new(&cells);
        let told = |edges: &[view::Edge<'_>]| -> Vec<(String, String, Identity, u64, u64)> {
            let tell = |d: Edge| (d.source, d.target, d.identity, d.calls, d.paired);
            dependencies(edges).into_iter().map(tell).collect()
        };
        let edge = |source: &str, target: &str, identity, calls, paired| {
            (source.to_owned(), target.to_owned(), identity, calls, paired)
        };
        assert_eq!(
            told(&view.services["shop"].out),
            [edge("shop", ":external:bank", Identity::Virtual, 9, 0), edge("shop", "cart", Identity::Paired, 7, 5)]
        );
        assert_eq!(told(&view.services["shop"].into), [edge(":user", "shop", Identity::Virtual, 4, 0)]);
    }

    proptest! {
        #[test]
        fn the_series_adds_up_to_the_totals(
            calls in prop::collection::vec((0i64..60, 0u8..3, 1u64..50, 0u64..2, 1u64..1_000_000), 0..40),
            spans in prop::collection::vec((0i64..60, 0u8..3, 1u64..9), 1..20),
            step in 1u64..70,
        ) {
            let mut made = Made::default();
            for (minute, operation, calls, errors, duration) in &calls {
                let operation = format!("op{operation}");
                let errors = errors * calls / 2;
                made.serve(*minute, "cart", "1", Served { errors, ..served(&operation, *calls, *duration) });
            }
            for (minute, instance, spans) in &spans {
                made.presence(*minute, "cart", "1", &format!("i{instance}"), *spans);
            }
            let cells = made.cells();
            let view = View::new(&cells);
            let of = &view.services["cart"];
            let steps = Steps::new(&cells.minutes, Some(step)).expect("steps");
            let red = red(of, of.serves.iter().flat_map(|series| &series.cells), &steps);
            let totals = view::totals(&view::sum(of.serves.iter().copied()));
            let sum = |counts: &[u64]| counts.iter().sum::<u64>();
            prop_assert_eq!(red.calls.len(), 60usize.div_ceil(step as usize));
            prop_assert_eq!(sum(&red.calls), calls.iter().map(|call| call.2).sum::<u64>());
            prop_assert_eq!((sum(&red.calls), sum(&red.errors)), (totals.calls, totals.errors));
            let outcomes: u64 = red.outcomes.values().map(|counts| sum(counts)).sum();
            prop_assert_eq!(outcomes, totals.outcomes.values().sum::<u64>());
            prop_assert_eq!(sum(&red.spans), spans.iter().map(|one| one.2).sum::<u64>());
            prop_assert!(red.calls.iter().zip(&red.latency).all(|(calls, latency)| (*calls > 0) == latency.is_some()));
            let by_operation: u64 = operations(of).iter().map(|operation| operation.totals.calls).sum();
            prop_assert_eq!(by_operation, totals.calls);
        }
    }
}
