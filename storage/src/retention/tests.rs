//! Judging against a naive judge of whole traces.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Row {
    trace: u8,
    span: u8,
    root: bool,
    start: i64,
    duration: i64,
    error: bool,
    service: u8,
    operation: u8,
    /// Number of the segment, in the order in which they come of age.
    segment: usize,
}

impl Row {
    fn evidence(&self, place: Place) -> Evidence<'static> {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        Evidence {
            trace: [self.trace; 16],
            span: [self.span; 8],
            root: self.root,
            start: self.start,
            duration: self.duration,
            error: self.error,
            service: NAMES[usize::from(self.service)],
            operation: NAMES[usize::from(self.operation)],
            place,
        }
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0u8..30, any::<bool>(), 0i64..50, 0i64..2_000, 0u8..12, 0u8..3, 0u8..3, 0usize..6);
    prop::collection::vec(row, 1..150).prop_map(|rows| {
        let numbered = rows.into_iter().enumerate();
        let row = |(span, (trace, root, start, duration, error, service, operation, segment))| Row {
            trace,
            span: span as u8,
            root,
            start,
            duration,
            error: error == 0,
            service,
            operation,
            segment,
        };
        numbered.map(row).collect()
    })
}

fn rules(slowest: &str, sample: &str) -> Retention {
    let share = |text: &str| text.parse().expect("a share");
    let keep = Keep { errors: true, slowest: share(slowest), sample: share(sample) };
    let after = Duration::from_secs(60);
    Retention {
        rules: vec![
            Rule { service: Some("b".to_owned()), after, keep: None },
            Rule { service: None, after, keep: Some(keep) },
        ],
        ..Retention::default()
    }
}

/// Traces that go when the segments of a group are judged, of rows that are still there.
fn judged(retention: &Retention, rule: usize, rows: &[Row], group: &[usize], done: &[usize]) -> HashSet<[u8; 16]> {
    let place = |row: &Row| match row.segment {
        segment if group.contains(&segment) => Place::Here,
        segment if done.contains(&segment) => Place::Kept,
        _ => Place::Open,
    };
    let mut judge = Judge::new(retention, rule);
    // In three shares, as a large group would be.
    for share in 0..3 {
        for here in [true, false] {
            for row in rows.iter().filter(|row| row.trace % 3 == share && (place(row) == Place::Here) == here) {
                judge.add(&row.evidence(place(row)));
            }
        }
        judge.end_share();
    }
    judge.end()
}

/// The same said plainly, of one trace after the other.
fn oracle(retention: &Retention, rule: usize, rows: &[Row], group: &[usize], done: &[usize]) -> HashSet<[u8; 16]> {
    let mut traces: BTreeMap<u8, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| traces.entry(row.trace).or_default().push(row));
    traces.retain(|_, spans| spans.iter().any(|span| group.contains(&span.segment)));
    let root = |spans: &[&Row]| {
        let least = |root: bool| {
            let of_kind = spans.iter().filter(|span| span.root == root).copied();
            of_kind.min_by_key(|span| (span.start, span.span)).cloned()
        };
        least(true).or_else(|| least(false)).expect("a trace has spans")
    };
    let covered = |root: &Row| retention.rule_of(root.evidence(Place::Here).service) == Some(rule);
    let rooted_here = |root: &Row| root.root && group.contains(&root.segment);
    let mut gone = HashSet::new();
    for (trace, spans) in &traces {
        let own = root(spans);
        if !covered(&own) || spans.iter().any(|span| done.contains(&span.segment)) {
            continue;
        }
        let Some(keep) = retention.rules[rule].keep else {
            gone.insert([*trace; 16]);
            continue;
        };
        if spans.iter().any(|span| span.error) || keep.sample.holds(&[*trace; 16]) {
            continue;
        }
        let mut peers: Vec<u16> = traces
            .values()
            .map(|spans| root(spans))
            .filter(|peer| rooted_here(peer) && (peer.service, peer.operation) == (own.service, own.operation))
            .map(|peer| bucket(peer.duration))
            .collect();
        peers.sort_unstable();
        let slowest = keep.slowest.of(peers.len() as u64) as usize;
        // Those of the edge's duration compete by another hash for the places that are left.
        let is_slow = slowest > 0 && {
            let edge = peers[peers.len() - slowest];
            let (above, equal) =
                (peers.iter().filter(|one| **one > edge).count(), peers.iter().filter(|one| **one == edge).count());
            let hash = xxhash_rust::xxh3::xxh3_64_with_seed(&[*trace; 16], 1);
            let place = ((u128::from(hash) * equal as u128) >> 64) as usize;
            bucket(own.duration) > edge || (bucket(own.duration) == edge && place < slowest - above)
        };
        let waits = keep.slowest > Share(0) && spans.iter().any(|span| span.root && !group.contains(&span.segment));
        if !(waits || (rooted_here(&own) && is_slow)) {
            gone.insert([*trace; 16]);
        }
    }
    gone
}

proptest! {
    #[test]
    fn judging_is_the_naive_judgement(rows in rows(), rule in 0usize..2, split in 0usize..6) {
        let retention = rules("20%", "10%");
        let (group, done): (Vec<usize>, Vec<usize>) = ((split..5).collect(), (0..split.min(2)).collect());
        let expected = oracle(&retention, rule, &rows, &group, &done);
        prop_assert_eq!(&judged(&retention, rule, &rows, &group, &done), &expected);
        let backwards: Vec<Row> = rows.into_iter().rev().collect();
        prop_assert_eq!(judged(&retention, rule, &backwards, &group, &done), expected, "whatever the order");
    }

    /// Group after group, by a rule for all: what is left of a trace is all of it or nothing, and what must
    /// stay stays.
    #[test]
    fn a_trace_has_one_fate_in_all_its_segments(rows in rows(), cut in 1usize..5) {
        let mut retention = rules("20%", "10%");
        retention.rules.remove(0);
        let keep = retention.rules[0].keep.expect("a rule that keeps");
        let mut left = rows.clone();
        for (group, done) in [((0..cut), 0..0), ((cut..6), 0..cut)] {
            let (group, done): (Vec<usize>, Vec<usize>) = (group.collect(), done.collect());
            let gone = judged(&retention, 0, &left, &group, &done);
            left.retain(|row| !(group.contains(&row.segment) && gone.contains(&[row.trace; 16])));
        }
        for trace in rows.iter().map(|row| row.trace) {
            let of = |rows: &[Row]| rows.iter().filter(|row| row.trace == trace).count();
            prop_assert!([0, of(&rows)].contains(&of(&left)), "trace {} is torn", trace);
            let must = keep.sample.holds(&[trace; 16]) || rows.iter().any(|row| row.trace == trace && row.error);
            prop_assert!(!must || of(&left) > 0, "trace {} is lost", trace);
        }
    }

    #[test]
    fn buckets_keep_the_order_and_are_narrow(a in 0i64..i64::MAX, b in 0i64..i64::MAX) {
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(bucket(low) <= bucket(high));
        if bucket(low) == bucket(high) && low > 64 {
            prop_assert!((high - low) as f64 <= low as f64 * 0.016, "{} {}", low, high);
        }
    }
}

#[test]
fn shares_are_percentages() {
    let share = |text: &str| text.parse::<Share>();
    assert_eq!(share("5%"), Ok(Share(50_000)));
    assert_eq!((share("0.25%"), share("100%")), (Ok(Share(2_500)), Ok(Share(WHOLE))));
    for wrong in ["5", "%", "101%", "-1%", "1.00001%", "5 %", "0x5%", ".5%", "100.1%"] {
        assert!(share(wrong).is_err(), "{wrong}");
    }
    assert_eq!((Share(10_000).of(1), Share(10_000).of(100), Share(10_000).of(101), Share(0).of(9)), (1, 1, 2, 0));
    let held = (0u32..10_000).filter(|number| Share(50_000).holds(&number.to_be_bytes())).count();
    assert!((400..600).contains(&held), "{held}");
}

#[test]
fn equal_durations_are_not_all_slow() {
    let counts = BTreeMap::from([(7, 1_000), (9, 4)]);
    let edge = Edge::of(&counts, Share(10_000));
    assert_eq!(edge, Edge { bucket: 7, wanted: 7, of: 1_000 });
    let slow = (0u128..1_000).filter(|trace| edge.is_slow(&trace.to_be_bytes(), 7)).count();
    assert!((1..30).contains(&slow), "{slow} of 1000, where 7 are wanted");
    assert!(edge.is_slow(&[0; 16], 9));
    assert_eq!(Edge::of(&counts, Share(0)).wanted, 0);
    assert!(!Edge::of(&counts, Share(0)).is_slow(&[0; 16], 9), "a share of nothing");
    assert!(Edge::of(&BTreeMap::from([(3, 1)]), Share(1)).is_slow(&[5; 16], 3), "one of one");
}

#[test]
fn rules_are_told_apart_by_all_that_they_say() {
    let two = rules("1%", "5%");
    let mut ids = vec![two.id(0), two.id(1), rules("2%", "5%").id(1), rules("1%", "6%").id(1)];
    let mut other = two.clone();
    other.rules[0].service = Some("c".to_owned());
    ids.push(other.id(1));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5, "a rule that covers others is another rule");
    assert_eq!((two.rule_of("b"), two.rule_of("z")), (Some(0), Some(1)));
    assert_eq!(rules("1%", "5%").id(1), two.id(1), "in every process the same");
}

#[test]
fn what_is_younger_is_never_judged() {
    let after = Duration::from_secs(3 * 86_400);
    let rule = Rule { service: None, after, keep: None };
    let day = 86_400_000_000_000i64;
    for now in [20_000 * day, 20_000 * day + 1, 20_000 * day + day / 7, -5, i64::MIN] {
        let cutoff = rule.cutoff(now);
        assert!(cutoff <= now.saturating_sub(3 * day) || now == i64::MIN, "{now}");
        assert!(now.saturating_sub(3 * day) - cutoff < 3_600_000_000_000 || now == i64::MIN);
    }
}
