//! Which services there are, out of which instances and versions they run, and what they speak.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Span;

use storage::rollup::Minute;

use super::autonomy::Facts;
use super::layers::{self, Layer};
use super::model::{Coverage, Identity, Instance, LogCount, Seen, ServiceInfo, Version};
use super::view::{self, Edge, Of, View};
use crate::rollup::{Key, PlaceKind, Series};

/// An instance that was not seen for so many minutes, while its service goes on, is gone.
pub const GONE_MINUTES: Minute = 5;

/// Every service with spans or calls in the window, by name; logs are not counted here.
pub(crate) fn inventory(
    view: &View<'_>,
    minutes: &Span<Minute>,
    overrides: &BTreeMap<String, Layer>,
) -> Vec<ServiceInfo> {
    let describe = describe(view, minutes, overrides);
    view.services.iter().map(|(name, of)| describe(name, of)).collect()
}

/// Tells of one service of the view after the other.
pub(crate) fn describe(
    view: &View<'_>,
    minutes: &Span<Minute>,
    overrides: &BTreeMap<String, Layer>,
) -> impl Fn(&str, &Of<'_>) -> ServiceInfo {
    let (layers, facts) = (layers::of_view(view, overrides), Facts::new(view));
    move |name, of| ServiceInfo {
        layer: layers.get(name).copied(),
        autonomy: facts.autonomy(name, of),
        ..info(name, of, minutes)
    }
}

fn info(name: &str, of: &Of<'_>, minutes: &Span<Minute>) -> ServiceInfo {
    let (mut operations, mut protocols) = (BTreeSet::new(), BTreeSet::new());
    for series in &of.serves {
        if let Key::Serve { operation, protocol, .. } = &series.key {
            operations.insert(operation);
            protocols.insert(protocol.as_str());
        }
    }
    let (mut languages, mut environments, mut namespaces) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for series in &of.presence {
        if let Key::Presence { namespace, environment, language, .. } = &series.key {
            languages.insert(language.as_str());
            environments.insert(environment.as_str());
            namespaces.insert(namespace.as_str());
        }
    }
    ServiceInfo {
        name: name.to_owned(),
        span_count: of.presence.iter().map(|series| view::calls(series)).sum(),
        totals: view::totals(&view::sum(of.serves.iter().copied())),
        operations: operations.len() as u64,
        layer: None,
        languages: names(languages),
        protocols: names(protocols),
        environments: names(environments),
        namespaces: names(namespaces),
        instances: instances(of, minutes),
        versions: versions(of),
        autonomy: Default::default(),
        coverage: coverage(of),
        logs: LogCount::default(),
        findings: None,
    }
}

/// Those that say anything.
fn names(found: BTreeSet<&str>) -> Vec<String> {
    found.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The first and last minute that counts anything.
pub(crate) fn seen(series: &Series) -> Option<Seen> {
    let mut minutes = series.cells.iter().filter(|(_, cell)| view::count(cell, 0) > 0).map(|(minute, _)| *minute);
    let first = minutes.next()?;
    Some(Seen { first, last: minutes.next_back().unwrap_or(first) })
}

fn both(a: Seen, b: Seen) -> Seen {
    Seen { first: a.first.min(b.first), last: a.last.max(b.last) }
}

fn instances(of: &Of<'_>, minutes: &Span<Minute>) -> Vec<Instance> {
    let recent = minutes.end.saturating_sub(GONE_MINUTES);
    let goes_on = |series: &&Series| seen(series).is_some_and(|seen| seen.last >= recent);
    let goes_on = of.presence.iter().any(goes_on) || of.into.iter().any(|edge| goes_on(&edge.series));
    // The last minute comes first, so that the greatest is the newest.
    type Newest<'a> = (Minute, Minute, &'a str);
    let mut found: BTreeMap<&str, (Seen, u64, Newest<'_>)> = BTreeMap::new();
    for series in &of.presence {
        let Key::Presence { instance, version, .. } = &series.key else { continue };
        let Some(seen) = seen(series).filter(|_| !instance.is_empty()) else { continue };
        let newest = (seen.last, seen.first, version.as_str());
        let known = found.entry(instance).or_insert((seen, 0, newest));
        *known = (both(known.0, seen), known.1 + view::calls(series), known.2.max(newest));
    }
    let instance = |(name, (seen, spans, (_, _, version))): (&str, (Seen, u64, Newest<'_>))| Instance {
        name: name.to_owned(),
        version: version.to_owned(),
        seen,
        spans,
        gone: goes_on && seen.last < recent,
    };
    found.into_iter().map(instance).collect()
}

/// By the minute in which they were first seen, the newest first.
pub(crate) fn versions(of: &Of<'_>) -> Vec<Version> {
    let mut found: BTreeMap<&str, (Seen, u64)> = BTreeMap::new();
    for series in &of.presence {
        let Key::Presence { version, .. } = &series.key else { continue };
        let Some(seen) = seen(series) else { continue };
        let known = found.entry(version).or_insert((seen, 0));
        *known = (both(known.0, seen), known.1 + view::calls(series));
    }
    let all: u64 = found.values().map(|(_, spans)| spans).sum();
    let mut versions: Vec<Version> = found
        .into_iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, (seen, spans))| Version { name: name.to_owned(), seen, share: spans as f64 / all.max(1) as f64 })
        .collect();
    versions.sort_by(|a, b| (b.seen, &b.name).cmp(&(a.seen, &a.name)));
    versions
}

fn coverage(of: &Of<'_>) -> Coverage {
    let service = |kind| kind == PlaceKind::Service;
    let total = |edges: &[Edge<'_>], wanted: &dyn Fn(&Edge<'_>) -> bool| -> u64 {
        edges.iter().filter(|edge| wanted(edge)).map(|edge| edge.calls()).sum()
    };
    let orphans = total(&of.into, &|edge| edge.source.kind == PlaceKind::Unknown);
    let served: u64 = total(&of.into, &|edge| edge.target.identity != Identity::Inferred);
    let with_services = total(&of.out, &|edge| service(edge.target.kind))
        + total(&of.into, &|edge| service(edge.source.kind))
        + orphans;
    let whole = |edge: &Edge<'_>| edge.target.identity == Identity::Paired;
    let paired = total(&of.out, &whole) + total(&of.into, &whole);
    let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
    Coverage { paired: share(paired, with_services), orphans: share(orphans, served) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, database, served, service, user};
    use super::*;
    use crate::rollup::Place;

    fn told(made: &Made) -> Vec<ServiceInfo> {
        let cells = made.cells();
        inventory(&View::new(&cells), &cells.minutes, &BTreeMap::new())
    }

    #[test]
    fn a_service_is_what_its_spans_say() {
        let mut made = Made::default();
        made.presence(3, "cart", "1.0", "a", 10);
        made.presence(9, "cart", "1.1", "b", 30);
        made.presence(9, "cart", "", "", 10);
        made.serve(3, "cart", "1.0", served("load", 4, 1_000_000));
        made.serve(
            9,
            "cart",
            "1.1",
            super::super::testing::Served { errors: 2, outcome: "limited", ..served("save", 6, 9_000_000) },
        );
        let told = told(&made);
        let cart = &told[0];
        assert_eq!((told.len(), cart.name.as_str(), cart.span_count, cart.operations), (1, "cart", 50, 2));
        assert_eq!((cart.totals.calls, cart.totals.errors), (10, 2));
        assert_eq!(cart.totals.outcomes, BTreeMap::from([("limited", 2)]));
        assert!(cart.totals.latency.expect("calls").p95.abs_diff(9_000_000) <= 90_000);
        let list = |texts: &[String]| texts.join(",");
        assert_eq!(
            [list(&cart.languages), list(&cart.protocols), list(&cart.environments), list(&cart.namespaces)],
            ["go", "http", "prod", "shop"]
        );
        let versions: Vec<_> = cart.versions.iter().map(|v| (v.name.as_str(), v.seen.first, v.share)).collect();
        assert_eq!(versions, [("1.1", 9, 0.6), ("1.0", 3, 0.2)], "the newest first; a fifth says no version");
    }

    #[test]
    fn instances_come_and_go() {
        let mut made = Made::default();
        for minute in 0..50 {
            made.presence(minute, "cart", "1", "old", 1);
        }
        for minute in 40..60 {
            made.presence(minute, "cart", "2", "new", 2);
        }
        made.presence(10, "lone", "1", "x", 1);
        made.presence(10, "asked", "1", "y", 1);
        made.edge(58, user(), service("asked"), 3);
        let told = told(&made);
        let gone = |at: usize| -> Vec<(&str, bool)> {
            told[at].instances.iter().map(|one| (one.name.as_str(), one.gone)).collect()
        };
        assert_eq!(gone(1), [("new", false), ("old", true)]);
        assert_eq!(gone(0), [("y", true)], "it is called and does not answer");
        assert_eq!(gone(2), [("x", false)], "nothing says that it should be there");
        let old = &told[1].instances[1];
        assert_eq!((old.seen, old.spans, old.version.as_str()), (Seen { first: 0, last: 49 }, 50, "1"));
    }

    #[test]
    fn an_instance_that_is_upgraded_has_the_newest_version() {
        let mut made = Made::default();
        made.presence(1, "cart", "2", "pod", 1);
        made.presence(5, "cart", "10", "pod", 1);
        let told = told(&made);
        assert_eq!(told[0].instances.len(), 1);
        assert_eq!((told[0].instances[0].version.as_str(), told[0].instances[0].spans), ("10", 2));
    }

    #[test]
    fn coverage_counts_calls_between_services() {
        let mut made = Made::default();
        made.presence(0, "shop", "1", "a", 1);
        made.presence(0, "cart", "1", "a", 1);
        made.edge(0, service("shop"), service("cart"), 60);
        made.edge(0, service("shop"), Place::new(PlaceKind::External, "cart"), 20);
        made.edge(0, Place::new(PlaceKind::Unknown, ""), service("cart"), 20);
        made.edge(0, service("cart"), database("mysql://db"), 500);
        made.edge(0, user(), service("shop"), 7);
        let told = told(&made);
        assert_eq!(told[0].coverage, Coverage { paired: Some(0.6), orphans: Some(0.25) });
        assert_eq!(told[1].coverage, Coverage { paired: Some(0.75), orphans: Some(0.0) });
    }
}
