//! What the traces and log records of one minute show: counts by subject, and a few traces that prove them.
//!
//! ```text
//!  spans ─▶ one trace at a time ─▶ cycles, repeats, timeouts, failures, path ─┐
//!  logs  ─▶ one record at a time ─▶ patterns, secrets ────────────────────────┴▶ Window
//! ```
//! A window adds up: the rules look at sums of several, and at each.

use hashbrown::HashMap;
use storage::ids::{SpanId, TraceId};
use storage::store::Snapshot;

use crate::engine::{Deadline, QueryError, Range};
use crate::graph::sketch::Sketch;
use crate::model::Notes;

mod chain;
mod failures;
mod logs;
mod path;
mod pattern;
mod repeats;
mod secrets;
mod spans;
mod timeouts;
mod trace;

pub use path::Sample;
pub(crate) use repeats::Repeats;

/// Length of a window, ns.
pub const WINDOW: i64 = 60_000_000_000;

/// What is counted. The parts of its keys stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Services around a cycle of synchronous calls, the least first.
    Cycle,
    /// Service, entry operation: `of` traces that ran it.
    Entries,
    /// `db` or `rpc`, service, entry operation, target, operation called again and again: `hits` traces.
    Chatty,
    /// Service and operation that a trace begins with: `values` are its synchronous hops.
    Depth,
    /// Caller, target, operation: `of` calls, `hits` retries.
    Retries,
    /// Services that retry below each other, the outermost first.
    RetryLayers,
    /// Caller, callee, operation: `of` paired calls, `hits` that the callee ended after the caller gave up.
    Abandoned,
    /// Caller, target, operation: `values` are durations (ns) of calls that timed out; `of` calls, `most` the longest.
    Limits,
    /// Service, target, operation: `of` failed calls under any entry, `hits` under an entry that went well.
    Swallowed,
    /// Service and operation that a failed trace began with, then kind and name of where it began to fail.
    Origin,
    /// Service and operation that a trace begins with: `of` traces, `hits` failed.
    Roots,
    /// Service, version, exception type.
    Exceptions,
    /// Client and server instance: `of` pairs; the server's clock is ahead by something in `low..=high` ns.
    Skew,
    /// Zones of caller and callee: `of` paired calls, `hits` failed.
    Zones,
    /// Service, severity, pattern of log records.
    Pattern,
    /// Service: records that speak of an open breaker.
    BreakerLog,
    /// Service, what kind of secret, where it stood: `of` texts that look like it, `hits` that are.
    Secret,
}

/// Between the parts of a key; no name holds it.
const SEPARATOR: char = '\u{1f}';

/// Keys of one family in one window; more are left out, and said.
const MOST_KEYS: usize = 5_000;
/// Traces kept to prove one subject.
pub const MOST_PROOFS: usize = 3;
/// Spans named of each.
const MOST_SPANS: usize = 12;

/// A trace that shows a subject; the heaviest are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub weight: u64,
    pub trace: TraceId,
    pub spans: Vec<SpanId>,
}

/// Counts of one subject; what they mean stands at its [`Family`].
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub of: u64,
    pub hits: u64,
    /// Traces with a hit.
    pub traces: u64,
    pub most: u64,
    pub low: i64,
    pub high: i64,
    pub values: Sketch,
    pub proofs: Vec<Proof>,
    last: Option<TraceId>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            of: 0,
            hits: 0,
            traces: 0,
            most: 0,
            low: i64::MIN,
            high: i64::MAX,
            values: Sketch::default(),
            proofs: Vec::new(),
            last: None,
        }
    }
}

impl Seen {
    /// One hit, shown by these spans; of several the heaviest prove it.
    pub fn hit(&mut self, weight: u64, trace: TraceId, spans: impl IntoIterator<Item = SpanId>) {
        self.hits += 1;
        self.prove(weight, trace, spans);
    }

    /// A trace that shows the subject, without a hit more.
    pub fn prove(&mut self, weight: u64, trace: TraceId, spans: impl IntoIterator<Item = SpanId>) {
        if self.last != Some(trace) {
            self.traces += 1;
            self.last = Some(trace);
        }
        let spans = spans.into_iter().take(MOST_SPANS).collect();
        self.keep(Proof { weight, trace, spans });
    }

    pub fn merge(&mut self, other: &Self) {
        self.of += other.of;
        self.hits += other.hits;
        self.traces += other.traces;
        self.most = self.most.max(other.most);
        self.low = self.low.max(other.low);
        self.high = self.high.min(other.high);
        self.values.merge(&other.values);
        other.proofs.iter().for_each(|proof| self.keep(proof.clone()));
    }

    fn keep(&mut self, proof: Proof) {
        match self.proofs.iter_mut().find(|known| known.trace == proof.trace) {
            Some(known) if known.weight >= proof.weight => {}
            Some(known) => *known = proof,
            None => self.proofs.push(proof),
        }
        self.proofs.sort_by(|a, b| b.weight.cmp(&a.weight).then(a.trace.cmp(&b.trace)));
        self.proofs.truncate(MOST_PROOFS);
    }

    /// Share of hits; 0 of nothing.
    pub fn share(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.hits as f64 / self.of as f64 }
    }
}

/// One minute.
#[derive(Clone, Debug, Default)]
pub struct Window {
    pub from: i64,
    pub to: i64,
    pub traces: u64,
    pub spans: u64,
    pub logs: u64,
    /// Of traces that begin here, by service and operation of the root.
    pub paths: HashMap<String, Vec<Sample>>,
    seen: HashMap<Family, HashMap<String, Seen>>,
    /// What is not in it, a sentence each.
    pub warnings: Vec<String>,
}

impl Window {
    /// Of a minute in which nothing happened yet.
    pub fn new(range: Range) -> Self {
        Self { from: range.from, to: range.to, ..Self::default() }
    }

    /// The counts of a subject. Where there are too many subjects, of a nameless one.
    pub fn seen(&mut self, family: Family, parts: &[&str]) -> &mut Seen {
        let subjects = self.seen.entry(family).or_default();
        let key = key(parts);
        if subjects.len() < MOST_KEYS || subjects.contains_key(&key) {
            return subjects.entry(key).or_default();
        }
        let warning = format!("{family:?}: only the first {MOST_KEYS} subjects of a minute are judged");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        subjects.entry(String::new()).or_default()
    }

    /// All subjects of a family with the parts of their keys, in no order.
    pub fn family(&self, family: Family) -> impl Iterator<Item = (Vec<&str>, &Seen)> {
        let subjects = self.seen.get(&family).into_iter().flatten();
        subjects.filter(|(key, _)| !key.is_empty()).map(|(key, seen)| (key.split(SEPARATOR).collect(), seen))
    }

    pub fn get(&self, family: Family, parts: &[&str]) -> Option<&Seen> {
        self.seen.get(&family)?.get(&key(parts))
    }

    /// Subjects of all families: what its memory grows with.
    pub fn size(&self) -> usize {
        let samples: usize = self.paths.values().map(Vec::len).sum();
        samples + self.seen.values().map(HashMap::len).sum::<usize>()
    }

    /// Forgets these traces, and subjects whose names hold the text.
    pub fn forget(&mut self, traces: &[TraceId], text: Option<&str>) {
        for subjects in self.seen.values_mut() {
            subjects.retain(|key, _| text.is_none_or(|text| !key.contains(text)));
            subjects.values_mut().for_each(|seen| seen.proofs.retain(|proof| !traces.contains(&proof.trace)));
        }
        self.paths.retain(|key, _| text.is_none_or(|text| !key.contains(text)));
        for samples in self.paths.values_mut() {
            samples.retain(|sample| !traces.contains(&sample.trace));
        }
    }
}

/// One text of the parts of a key.
pub(super) fn key(parts: &[&str]) -> String {
    parts.join("\u{1f}").replace('\0', "")
}

/// Reads the minute. What cannot be read stands in its warnings.
pub(crate) fn observe(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    repeats: Repeats,
) -> Result<Window, QueryError> {
    let (mut window, mut notes) = (Window::new(range), Notes::default());
    spans::look_through(snapshot, deadline, range, repeats, &mut notes, &mut window)?;
    logs::read(snapshot, deadline, range, &mut notes, &mut window)?;
    window.warnings.append(&mut notes.warnings);
    Ok(window)
}
