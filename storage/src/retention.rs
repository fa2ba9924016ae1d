//! What is kept for how long: rules, and how they judge traces. No I/O here.
//!
//! * **Age and size** drop whole segments, the oldest first.
//! * **A tail rule** thins what has come of age, by whole traces: it keeps those with an error, the slowest
//!   share of each (service, operation), and a share of the rest by hash of the trace id. Log records stay
//!   with their trace; where no span of it is stored, errors stay, and the same share of the rest.
//!
//! A trace is of the service and operation of its *root*: its first span without a parent or, where there
//! is none, its first span. The first rule in the list that names the service, or names none, is the
//! trace's rule; others leave it alone.
//!
//! Traces are judged in groups of segments. So that a trace that lies in several groups has one fate:
//!
//! * every stored span of it is evidence, wherever it lies;
//! * one that was kept before is kept again;
//! * slowness is measured among the traces whose root is in the group. A trace with a span without a parent
//!   that is yet to be judged is kept till then, and so kept for good; one without a root is not slow.
//!
//! What arrives after a trace was dropped is judged by what is left of it then.

use std::collections::BTreeMap;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

/// What a store keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Rows older than this go, a segment at a time. None: kept for ever.
    pub age: Option<Duration>,
    /// Of segments and their indexes. Where there is more, the oldest segments go.
    pub most_bytes: Option<u64>,
    /// In order: the first that covers a service is the one for it.
    pub rules: Vec<Rule>,
}

/// A tail rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// None: every service that no rule before it names.
    pub service: Option<String>,
    /// Age at which rows are judged.
    pub after: Duration,
    /// None: nothing.
    pub keep: Option<Keep>,
}

/// What a rule keeps of those it judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keep {
    pub errors: bool,
    pub slowest: Share,
    pub sample: Share,
}

/// A part of a whole, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Share(u32);

const WHOLE: u32 = 1_000_000;

impl std::str::FromStr for Share {
    type Err = String;

    /// `5%`, `0.25%`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no share: write a percentage such as 5% or 0.1%");
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || fraction.len() > 4 || !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let millionths: u32 = format!("{whole}{fraction:0<4}").parse().map_err(|_| wrong())?;
        if millionths <= WHOLE { Ok(Self(millionths)) } else { Err(wrong()) }
    }
}

impl Share {
    /// Whether something with this id is in the share: always, or never.
    pub fn holds(self, id: &[u8]) -> bool {
        xxhash_rust::xxh3::xxh3_64(id) % u64::from(WHOLE) < u64::from(self.0)
    }

    /// Of so many, rounded up.
    fn of(self, count: u64) -> u64 {
        (u128::from(count) * u128::from(self.0)).div_ceil(u128::from(WHOLE)) as u64
    }
}

impl Retention {
    /// The rule of a service.
    pub fn rule_of(&self, service: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule.service.as_deref().is_none_or(|named| named == service))
    }

    /// Names a rule for ever, with all that decides whom it covers: where one of that changes, segments are
    /// judged again.
    pub fn id(&self, rule: usize) -> u64 {
        let before: Vec<_> = self.rules[..rule].iter().map(|before| &before.service).collect();
        let Rule { service, after, keep } = &self.rules[rule];
        let keep = keep.map(|keep| (keep.errors, keep.slowest.0, keep.sample.0));
        let text = format!("{before:?} {service:?} {} {keep:?}", after.as_nanos());
        xxhash_rust::xxh3::xxh3_64(text.as_bytes())
    }
}

impl Rule {
    /// What ends before it is old enough, ns. It moves in steps, so that a group of some size comes of age
    /// at once and not every minute's rows by themselves.
    pub fn cutoff(&self, now: i64) -> i64 {
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let step = nanos(self.after / 8).clamp(1, nanos(LONGEST_STEP));
        now.saturating_sub(nanos(self.after)).div_euclid(step).saturating_mul(step)
    }
}

const LONGEST_STEP: Duration = Duration::from_secs(3600);

/// Where a span was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a segment that is being judged.
    Here,
    /// Not judged by this rule yet: in a younger segment, or in the live buffer.
    Open,
    /// In a segment that was thinned by this rule.
    Kept,
}

/// What judging looks at of a span.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    /// No parent.
    pub root: bool,
    /// ns.
    pub start: i64,
    pub duration: i64,
    pub error: bool,
    pub service: &'a str,
    pub operation: &'a str,
    pub place: Place,
}

/// Collects evidence, a share of the traces at a time, and judges.
pub struct Judge<'a> {
    retention: &'a Retention,
    rule: usize,
    /// Of the share that is being collected.
    facts: HashMap<[u8; 16], Facts>,
    origins: Origins,
    /// Traces whose fate is slowness, by what they are compared with.
    doubtful: Vec<([u8; 16], u32, u16)>,
    durations: HashMap<u32, BTreeMap<u16, u64>>,
    dropped: HashSet<[u8; 16]>,
}

struct Facts {
    /// Of the span that the trace is told by: whether it is no root, its start, its id. The least wins.
    first: (bool, i64, [u8; 8]),
    /// Where that span is; of several copies the one that is judged now.
    place: Place,
    origin: u32,
    covered: bool,
    duration: i64,
    error: bool,
    kept: bool,
    /// A span without a parent is yet to be judged.
    open_root: bool,
}

impl Facts {
    /// Every span comes before it.
    const UNKNOWN: Self = Self {
        first: (true, i64::MAX, [u8::MAX; 8]),
        place: Place::Here,
        origin: u32::MAX,
        covered: false,
        duration: 0,
        error: false,
        kept: false,
        open_root: false,
    };
}

impl<'a> Judge<'a> {
    pub fn new(retention: &'a Retention, rule: usize) -> Self {
        Self {
            retention,
            rule,
            facts: HashMap::new(),
            origins: Origins::default(),
            doubtful: Vec::new(),
            durations: HashMap::new(),
            dropped: HashSet::new(),
        }
    }

    /// Adds a span of a trace that is in the group: those found [`Place::Here`] come before all others.
    pub fn add(&mut self, span: &Evidence<'_>) {
        let first = (!span.root, span.start, span.span);
        if !self.facts.contains_key(&span.trace) && span.place != Place::Here {
            return;
        }
        let facts = self.facts.entry(span.trace).or_insert(Facts::UNKNOWN);
        facts.error |= span.error;
        facts.kept |= span.place == Place::Kept;
        facts.open_root |= span.root && span.place == Place::Open;
        if first <= facts.first && (first < facts.first || facts.origin == u32::MAX) {
            let covered = self.retention.rule_of(span.service) == Some(self.rule);
            facts.origin = self.origins.number(span.service, span.operation);
            (facts.first, facts.place, facts.covered, facts.duration) = (first, span.place, covered, span.duration);
        }
    }

    /// All evidence of a share of the traces is there.
    pub fn end_share(&mut self) {
        let keep = self.retention.rules[self.rule].keep;
        for (trace, facts) in self.facts.drain() {
            let rooted = !facts.first.0;
            if rooted && facts.place == Place::Here && facts.covered {
                let bucket = bucket(facts.duration);
                *self.durations.entry(facts.origin).or_default().entry(bucket).or_default() += 1;
            }
            if !facts.covered || facts.kept {
                continue;
            }
            let Some(keep) = keep else {
                self.dropped.insert(trace);
                continue;
            };
            if (keep.errors && facts.error) || keep.sample.holds(&trace) {
                continue;
            }
            if keep.slowest > Share(0) && facts.open_root {
                continue;
            }
            if keep.slowest > Share(0) && rooted {
                self.doubtful.push((trace, facts.origin, bucket(facts.duration)));
            } else {
                self.dropped.insert(trace);
            }
        }
    }

    /// Traces that go.
    pub fn end(mut self) -> HashSet<[u8; 16]> {
        let slowest = self.retention.rules[self.rule].keep.unwrap_or_default().slowest;
        let edges: HashMap<u32, Edge> =
            self.durations.iter().map(|(origin, counts)| (*origin, Edge::of(counts, slowest))).collect();
        for (trace, origin, bucket) in self.doubtful {
            if !edges.get(&origin).is_some_and(|edge| edge.is_slow(&trace, bucket)) {
                self.dropped.insert(trace);
            }
        }
        self.dropped
    }
}

/// Durations of one bucket differ by at most 1.6%.
pub fn bucket(duration: i64) -> u16 {
    const STEPS: u32 = 6; // 64 to a doubling
    let Some(duration) = u64::try_from(duration).ok().filter(|duration| *duration > 0) else { return 0 };
    let exponent = duration.ilog2();
    let rest = if exponent >= STEPS { duration >> (exponent - STEPS) } else { duration << (STEPS - exponent) };
    ((exponent << STEPS) + (rest as u32 & ((1 << STEPS) - 1)) + 1) as u16
}

/// Where the slowest share begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    bucket: u16,
    /// Of so many at the edge, as many as are still wanted: all durations may be equal.
    wanted: u64,
    of: u64,
}

impl Edge {
    fn of(counts: &BTreeMap<u16, u64>, slowest: Share) -> Self {
        let mut wanted = slowest.of(counts.values().sum());
        for (bucket, count) in counts.iter().rev() {
            if wanted <= *count {
                return Self { bucket: *bucket, wanted, of: *count };
            }
            wanted -= count;
        }
        Self { bucket: 0, wanted: 0, of: 1 }
    }

    fn is_slow(&self, trace: &[u8; 16], bucket: u16) -> bool {
        // Not by the hash of the sample, or both would keep the same traces.
        let hash = u128::from(xxhash_rust::xxh3::xxh3_64_with_seed(trace, 1));
        let place = (hash * u128::from(self.of)) >> 64;
        bucket > self.bucket || (bucket == self.bucket && (place as u64) < self.wanted)
    }
}

/// Pairs of service and operation that are told apart; what comes after is compared with each other.
const MOST_ORIGINS: usize = 100_000;

#[derive(Default)]
struct Origins(HashMap<u64, u32>);

impl Origins {
    /// By hash: names may be long, and what a clash does is to compare two operations with each other.
    fn number(&mut self, service: &str, operation: &str) -> u32 {
        let service = xxhash_rust::xxh3::xxh3_64(service.as_bytes());
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(operation.as_bytes(), service);
        let next = self.0.len() as u32;
        match self.0.get(&hash) {
            Some(number) => *number,
            None if self.0.len() >= MOST_ORIGINS => u32::MAX,
            None => *self.0.entry(hash).insert(next).get(),
        }
    }
}

#[cfg(test)]
mod tests;
