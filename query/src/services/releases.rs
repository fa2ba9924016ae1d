//! Two versions of a service compared by the calls that they served.

use std::collections::{BTreeMap, BTreeSet};

use storage::rollup::Minute;

use super::model::{CompareMode, Comparison, OperationComparison, Release, ReleaseFindings, Verdict};
use super::stats::{self, EXPECTED, MIN_ERROR_CALLS, Sample};
use super::view::{self, Of};
use crate::engine::QueryError;
use crate::rollup::{Key, PlaceKind, slot};

/// The common minutes stand for both versions where they hold this share of the calls of the version
/// with fewer, or [`MIN_ERROR_CALLS`] of each.
pub const SIDE_BY_SIDE_SHARE: f64 = 0.5;

/// The two sides of a comparison.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    pub(crate) mode: CompareMode,
    /// None: all minutes count.
    pub(crate) minutes: Option<BTreeSet<Minute>>,
    pub(crate) base: (String, Sample),
    pub(crate) head: (String, Sample),
}

/// What spans and logs of the two versions say: by kind, how often in base and in head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    pub(crate) exceptions: BTreeMap<String, [u64; 2]>,
    pub(crate) patterns: BTreeMap<String, [u64; 2]>,
    pub(crate) edges: BTreeMap<((PlaceKind, String), String), [u64; 2]>,
    /// Not all spans or records were read: what seems to be new may not be.
    pub(crate) cut: bool,
}

/// What an exception is called that has only a message.
pub(crate) fn kind(kind: &str) -> String {
    if kind.is_empty() { "exception without a type" } else { kind }.to_owned()
}

/// The versions asked for; else the newest, and the newest but it.
pub(crate) fn pick(
    service: &str,
    of: &Of<'_>,
    base: Option<String>,
    head: Option<String>,
) -> Result<(String, String), QueryError> {
    let known: Vec<String> = super::inventory::versions(of).into_iter().map(|version| version.name).collect();
    let newest = |but: Option<&String>| known.iter().find(|name| Some(*name) != but).cloned();
    let head = head.or_else(|| newest(base.as_ref()));
    let base = base.or_else(|| newest(head.as_ref()));
    match (base, head) {
        (Some(base), Some(head)) if base != head => Ok((base, head)),
        (Some(_), Some(_)) => Err(QueryError::bad("`base` and `head` are the same version")),
        _ => {
            let told = known.first().map_or("no version".to_owned(), |name| format!("only the version {name}"));
            Err(QueryError::bad(format!("{service} has {told} in this window; ask for a longer one")))
        }
    }
}

/// The calls of both versions: those of the minutes that they share, if these tell enough.
pub(crate) fn sides(of: &Of<'_>, base: String, head: String) -> Sides {
    let minutes = |version: &str| -> BTreeMap<Minute, u64> {
        let mut minutes = BTreeMap::new();
        for (minute, cell) in of.serves.iter().filter(|series| of_version(&series.key, version)).flat_map(|s| &s.cells)
        {
            *minutes.entry(*minute).or_default() += view::count(cell, slot::CALLS);
        }
        minutes.retain(|_, calls| *calls > 0);
        minutes
    };
    let (old, new) = (minutes(&base), minutes(&head));
    let common: BTreeSet<Minute> = old.keys().filter(|minute| new.contains_key(minute)).copied().collect();
    let shared = |minutes: &BTreeMap<Minute, u64>| -> u64 {
        minutes.iter().filter(|(minute, _)| common.contains(minute)).map(|(_, calls)| calls).sum()
    };
    let all = |minutes: &BTreeMap<Minute, u64>| minutes.values().sum::<u64>();
    let fewer = if all(&old) < all(&new) { &old } else { &new };
    let enough = shared(&old).min(shared(&new)) >= MIN_ERROR_CALLS
        || shared(fewer) as f64 >= SIDE_BY_SIDE_SHARE * all(fewer) as f64;
    let minutes = Some(common).filter(|common| !common.is_empty() && enough);
    let sample = |version: String| {
        let sample = sample(of, &version, minutes.as_ref());
        (version, sample)
    };
    let mode = if minutes.is_some() { CompareMode::SideBySide } else { CompareMode::BeforeAfter };
    let (base, head) = (sample(base), sample(head));
    Sides { mode, base, head, minutes }
}

fn of_version(key: &Key, wanted: &str) -> bool {
    matches!(key, Key::Serve { version, .. } if version == wanted)
}

fn sample(of: &Of<'_>, version: &str, minutes: Option<&BTreeSet<Minute>>) -> Sample {
    let mut sample = Sample::default();
    for series in of.serves.iter().filter(|series| of_version(&series.key, version)) {
        let Key::Serve { operation, .. } = &series.key else { continue };
        let cells = series.cells.iter().filter(|(minute, _)| minutes.is_none_or(|minutes| minutes.contains(minute)));
        for (_, cell) in cells {
            sample.operations.entry(operation.clone()).or_default().merge(cell, 1);
        }
    }
    sample
}

/// The verdict, with what is new in the head.
pub(crate) fn compare(sides: Sides, events: Events) -> Comparison {
    let Sides { mode, base: (base_name, base), head: (head_name, head), .. } = sides;
    let calls = [base.calls(), head.calls()];
    let (mut verdict, mut reasons) = stats::judge(&base, &head);
    let mut findings = ReleaseFindings::default();
    for (kind, counts) in &events.exceptions {
        if counts[0] > 0 || counts[1] == 0 {
            continue;
        }
        findings.new_exceptions.push((kind.clone(), counts[1]));
        if !events.cut && is_new(counts[1], calls[0], calls[1]) {
            verdict = Verdict::Worse;
            reasons.push(format!("{kind} is new: {} times", counts[1]));
        }
    }
    let new = events.patterns.into_iter().filter(|(_, counts)| counts[0] == 0 && counts[1] > 0);
    findings.new_log_patterns = new.map(|(pattern, counts)| (pattern, counts[1])).collect();
    for (((kind, name), protocol), counts) in events.edges {
        let place = crate::rollup::Place::new(kind, name);
        if counts[0] == 0 && is_new(counts[1], calls[0], calls[1]) {
            findings.edges_added.push((place, protocol));
        } else if counts[1] == 0 && is_new(counts[0], calls[1], calls[0]) {
            findings.edges_removed.push((place, protocol));
        }
    }
    for list in [&mut findings.new_exceptions, &mut findings.new_log_patterns] {
        list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    }
    let names: BTreeSet<&String> = base.operations.keys().chain(head.operations.keys()).collect();
    let totals = |sample: &Sample, name: &str| sample.operations.get(name).map(view::totals).unwrap_or_default();
    let mut operations: Vec<OperationComparison> = names
        .into_iter()
        .map(|name| OperationComparison {
            name: name.clone(),
            base: totals(&base, name),
            head: totals(&head, name),
            verdict: stats::judge(&base.only(name), &head.only(name)).0,
        })
        .collect();
    operations.sort_by_key(|operation| std::cmp::Reverse(operation.base.calls + operation.head.calls));
    let release = |version, sample: &Sample| Release { version, totals: view::totals(&sample.sum()) };
    let (base, head) = (release(base_name, &base), release(head_name, &head));
    Comparison { mode, base, head, operations, verdict, reasons, findings }
}

/// Whether so many of one version would have shown in the calls of the other.
fn is_new(count: u64, calls_without: u64, calls_with: u64) -> bool {
    calls_with > 0 && count as f64 * calls_without as f64 / calls_with as f64 >= EXPECTED
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, Served, served};
    use super::super::view::View;
    use super::*;

    const MS: u64 = 1_000_000;

    fn compared(made: &Made, events: Events) -> Comparison {
        let cells = made.cells();
        let view = View::new(&cells);
        let of = &view.services["cart"];
        let (base, head) = pick("cart", of, None, None).expect("two versions");
        compare(sides(of, base, head), events)
    }

    fn bad(operation: &str, calls: u64, errors: u64) -> Served<'_> {
        Served { errors, ..served(operation, calls, MS) }
    }

    /// Version 1 in the first half hour, version 2 in the second.
    fn sequence() -> Made {
        let mut made = Made::default();
        for minute in 0..60 {
            let version = if minute < 30 { "1" } else { "2" };
            made.presence(minute, "cart", version, "a", 10);
            made.serve(minute, "cart", version, bad("load", 20, if minute < 30 { 0 } else { 2 }));
        }
        made
    }

    #[test]
    fn one_after_the_other() {
        let told = compared(&sequence(), Events::default());
        assert_eq!((told.mode, told.verdict), (CompareMode::BeforeAfter, Verdict::Worse));
        assert_eq!((told.base.version.as_str(), told.head.version.as_str()), ("1", "2"));
        assert_eq!((told.base.totals.errors, told.head.totals.errors, told.head.totals.calls), (0, 60, 600));
        assert_eq!((told.operations[0].name.as_str(), told.operations[0].verdict), ("load", Verdict::Worse));
        assert!(told.reasons[0].contains("10.00 %"), "{:?}", told.reasons);
    }

    #[test]
    fn a_canary_is_compared_in_the_minutes_that_it_shares() {
        let mut made = Made::default();
        for minute in 0..60 {
            made.presence(minute, "cart", "1", "a", 10);
            // An incident before the canary is none of its doing.
            made.serve(minute, "cart", "1", bad("load", 20, if minute < 30 { 10 } else { 0 }));
            if minute >= 40 {
                made.presence(minute, "cart", "2", "b", 10);
                made.serve(minute, "cart", "2", bad("load", 20, 0));
            }
        }
        let told = compared(&made, Events::default());
        assert_eq!((told.mode, told.verdict), (CompareMode::SideBySide, Verdict::Same));
        assert_eq!((told.base.totals.calls, told.base.totals.errors), (400, 0));
    }

    #[test]
    fn a_short_overlap_is_before_and_after() {
        let mut made = sequence();
        made.serve(30, "cart", "1", bad("load", 5, 0));
        assert_eq!(compared(&made, Events::default()).mode, CompareMode::BeforeAfter);
    }

    #[test]
    fn what_is_new_is_told_and_judged_only_where_the_base_would_have_shown_it() {
        let mut made = Made::default();
        for (minute, version) in [(0, "1"), (9, "2")] {
            made.presence(minute, "cart", version, "a", 1);
            made.serve(minute, "cart", version, bad("load", 300, 0));
        }
        let cart = (PlaceKind::Database, "mysql://db".to_owned());
        let mut events = Events {
            exceptions: BTreeMap::from([
                ("Boom".to_owned(), [0, 4]),
                ("Old".to_owned(), [1, 9]),
                ("Rare".to_owned(), [0, 2]),
            ]),
            patterns: BTreeMap::from([("a <n>".to_owned(), [0, 7]), ("b".to_owned(), [3, 3])]),
            edges: BTreeMap::from([
                ((cart.clone(), "mysql".to_owned()), [0, 300]),
                ((cart, "pg".to_owned()), [300, 0]),
            ]),
            cut: false,
        };
        let told = compared(&made, events.clone());
        assert_eq!(told.verdict, Verdict::Worse);
        assert_eq!(told.findings.new_exceptions, [("Boom".to_owned(), 4), ("Rare".to_owned(), 2)]);
        assert_eq!(told.findings.new_log_patterns, [("a <n>".to_owned(), 7)]);
        assert_eq!((told.findings.edges_added[0].1.as_str(), told.findings.edges_added.len()), ("mysql", 1));
        assert_eq!((told.findings.edges_removed[0].1.as_str(), told.findings.edges_removed.len()), ("pg", 1));
        assert!(told.reasons.iter().any(|reason| reason.contains("Boom")), "{:?}", told.reasons);
        assert!(!told.reasons.iter().any(|reason| reason.contains("Rare")), "two may be chance");
        events.cut = true;
        assert_eq!(compared(&made, events).verdict, Verdict::Same, "not all was read");
    }

    #[test]
    fn versions_are_picked() {
        let made = sequence();
        let cells = made.cells();
        let view = View::new(&cells);
        let of = &view.services["cart"];
        let pick = |base: Option<&str>, head: Option<&str>| {
            super::pick("cart", of, base.map(str::to_owned), head.map(str::to_owned)).map_err(|error| error.to_string())
        };
        let both = |base: &str, head: &str| Ok((base.to_owned(), head.to_owned()));
        assert_eq!(pick(None, None), both("1", "2"));
        assert_eq!(pick(Some("2"), None), both("2", "1"));
        assert_eq!(pick(None, Some("1")), both("2", "1"));
        assert_eq!(pick(Some("0"), None), both("0", "2"));
        assert!(pick(Some("1"), Some("1")).is_err());
        let mut one = Made::default();
        one.presence(0, "cart", "7", "a", 1);
        let cells = one.cells();
        let error = super::pick("cart", &View::new(&cells).services["cart"], None, None).expect_err("one version");
        assert!(error.to_string().contains("only the version 7"), "{error}");
    }
}
