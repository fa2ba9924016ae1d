//! Windows and cells in, findings and reasons out. Pure: the same input gives the same verdict.

use std::collections::{BTreeMap, BTreeSet};

use storage::rollup::{Cell, Minute, minute_of};

use super::layers::Layers;
use super::model::{Draft, Evidence, Severity, Span, Subject, Text, Unjudged};
use super::observe::{Family, Proof, Seen, Window};
use super::releases::Releases;
use super::rules::{self, Rule};
use super::thresholds::{CALLS, LOOK_BACK, PAIRED, TRACES, Threshold, Thresholds};
use crate::graph::aliases::Aliases;
use crate::rollup::{Cells, Key, Mode, Place, PlaceKind, slot};

mod edge;

pub(super) use edge::{Edge, count, outcome, proofs, shown};

/// Everything that the rules look at.
pub struct Case<'a> {
    /// Minutes without a gap, the newest last.
    pub windows: &'a [Window],
    /// Of the last hour.
    pub cells: &'a Cells,
    /// Of the last day; None while it is not known.
    pub day: Option<&'a Cells>,
    pub layers: &'a Layers,
    pub releases: &'a Releases,
    pub thresholds: &'a Thresholds,
    /// End of the newest window, ns.
    pub to: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub found: Vec<Draft>,
    pub unjudged: Vec<Unjudged>,
}

/// Reasons of one rule that are told one by one.
const MOST_REASONS: usize = 20;
/// Findings of one rule; the severest.
const MOST_FOUND: usize = 50;

/// Asks every rule.
pub fn judge(case: &Case<'_>) -> Verdict {
    let mut all = Verdict::default();
    for (rule, judge) in &rules::ALL {
        let mut verdict = Verdict::default();
        judge(case, &mut verdict);
        verdict.bound(rule);
        all.found.append(&mut verdict.found);
        all.unjudged.append(&mut verdict.unjudged);
    }
    all
}

impl Verdict {
    /// The rule cannot say anything of the subject, or at all.
    pub(super) fn skip(&mut self, rule: &Rule, subject: Option<&str>, en: impl Into<String>, zh: impl Into<String>) {
        let (rule, reason) = (rule.id.to_owned(), Text::new(en, zh));
        self.unjudged.push(Unjudged { rule, blind: subject.is_none(), subject: subject.map(str::to_owned), reason });
    }

    /// A part of what the rule looks at.
    fn partly(&mut self, rule: &Rule, en: String, zh: String) {
        self.unjudged.push(Unjudged {
            rule: rule.id.to_owned(),
            blind: false,
            subject: None,
            reason: Text::new(en, zh),
        });
    }

    /// Subjects without enough calls, as one reason.
    pub(super) fn few(&mut self, rule: &Rule, what: (&str, &str), subjects: &[String], case: &Case<'_>) {
        let Some(first) = subjects.first() else { return };
        let (count, least) = (subjects.len(), case.limit(&CALLS));
        self.partly(
            rule,
            format!("{count} {} had fewer than {least} calls, {first} among them", what.0),
            format!("有 {count} 个{}的调用数少于 {least}，例如 {first}", what.1),
        );
    }

    fn bound(&mut self, rule: &Rule) {
        self.found.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.n.cmp(&a.n)).then(a.subject.cmp(&b.subject)));
        self.found.dedup_by(|a, b| a.subject == b.subject);
        let more = self.found.len().saturating_sub(MOST_FOUND);
        self.found.truncate(MOST_FOUND);
        self.unjudged.sort();
        self.unjudged.dedup();
        let untold = self.unjudged.len().saturating_sub(MOST_REASONS);
        self.unjudged.truncate(MOST_REASONS);
        if more > 0 {
            self.partly(rule, format!("{more} more findings are not told"), format!("另有 {more} 个发现未列出"));
        }
        if untold > 0 {
            self.partly(
                rule,
                format!("{untold} more subjects could not be judged"),
                format!("另有 {untold} 个对象无法判断"),
            );
        }
    }
}

/// One subject of a family over the windows that are judged.
pub(super) struct Track {
    pub(super) parts: Vec<String>,
    pub(super) sum: Seen,
    /// (of, hits) of each window, the oldest first.
    pub(super) each: Vec<(u64, u64)>,
}

impl Track {
    pub(super) fn part(&self, at: usize) -> &str {
        self.parts.get(at).map_or("", String::as_str)
    }

    /// Whether two windows in a row satisfy the condition on (of, hits).
    pub(super) fn twice(&self, holds: impl Fn(u64, u64) -> bool) -> bool {
        self.each.windows(2).any(|pair| pair.iter().all(|&(of, hits)| holds(of, hits)))
    }

    pub(super) fn hit_twice(&self) -> bool {
        self.twice(|_, hits| hits > 0)
    }
}

impl<'a> Case<'a> {
    pub(super) fn limit(&self, threshold: &Threshold) -> f64 {
        self.thresholds.get(threshold)
    }

    /// The windows that are judged together.
    pub(super) fn recent(&self) -> &'a [Window] {
        let most = (self.limit(&LOOK_BACK) as usize).max(2);
        &self.windows[self.windows.len().saturating_sub(most)..]
    }

    /// The minutes of these windows.
    pub(super) fn minutes(&self) -> std::ops::Range<Minute> {
        let end = minute_of(self.to);
        end - (self.limit(&LOOK_BACK) as i64).max(2)..end
    }

    /// Every subject of a family over the windows that are judged, in order of key.
    pub(super) fn tracks(&self, family: Family) -> Vec<Track> {
        let windows = self.recent();
        let mut tracks: BTreeMap<Vec<String>, Track> = BTreeMap::new();
        for (number, window) in windows.iter().enumerate() {
            for (parts, seen) in window.family(family) {
                let parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
                let track = tracks.entry(parts).or_insert_with_key(|parts| Track {
                    parts: parts.clone(),
                    sum: Seen::default(),
                    each: vec![(0, 0); windows.len()],
                });
                track.sum.merge(seen);
                track.each[number] = (seen.of, seen.hits);
            }
        }
        tracks.into_values().collect()
    }

    /// Edges of these minutes of the last hour.
    pub(super) fn edges(&self, minutes: std::ops::Range<Minute>) -> Vec<Edge> {
        // A refused call names an address: whose it is, answered calls of the hour tell.
        let mut known = Aliases::default();
        self.cells.series.iter().for_each(|series| known.learn(&series.key));
        let mut edges: BTreeMap<(Place, Place, Mode), Edge> = BTreeMap::new();
        for series in &self.cells.series {
            let Key::Edge { source, target, alias, operation, mode, .. } = &series.key else { continue };
            let target = known.service(target).map_or_else(|| target.clone(), Place::service);
            for (minute, cell) in series.cells.range(minutes.clone()) {
                let key = (source.clone(), target.clone(), *mode);
                let edge = edges.entry(key).or_insert_with(|| Edge {
                    source: source.clone(),
                    target: target.clone(),
                    mode: *mode,
                    aliases: BTreeSet::new(),
                    operations: BTreeMap::new(),
                    minutes: BTreeMap::new(),
                    sum: Cell::default(),
                });
                if !alias.is_empty() {
                    edge.aliases.insert(alias.clone());
                }
                *edge.operations.entry(operation.clone()).or_default() += cell.counts.get(slot::CALLS);
                edge.minutes.entry(*minute).or_default().merge(cell, 1);
                edge.sum.merge(cell, 1);
            }
        }
        edges.into_values().collect()
    }

    /// Whether there is enough to judge a subject that shows something; says why not.
    pub(super) fn gate(&self, rule: &Rule, subject: &str, calls: u64, traces: u64, verdict: &mut Verdict) -> bool {
        let (least_calls, least_traces) = (self.limit(&CALLS), self.limit(&TRACES));
        if (calls as f64) < least_calls {
            verdict.skip(
                rule,
                Some(subject),
                format!("seen, but in {calls} calls only; {least_calls} are needed"),
                format!("已出现，但只有 {calls} 次调用，至少需要 {least_calls} 次"),
            );
            return false;
        }
        if (traces as f64) < least_traces {
            verdict.skip(
                rule,
                Some(subject),
                format!("seen, but in {traces} traces only; {least_traces} are needed"),
                format!("已出现，但只有 {traces} 条链路，至少需要 {least_traces} 条"),
            );
            return false;
        }
        true
    }

    /// Says that something was seen once and waits for the next window.
    pub(super) fn once(&self, rule: &Rule, subject: &str, verdict: &mut Verdict) {
        verdict.skip(
            rule,
            Some(subject),
            "seen in one window; it is a finding when the next one shows it too",
            "只在一个窗口中出现；下一个窗口再次出现才算发现",
        );
    }

    /// Share of the calls between services of which both sides are stored; None without calls.
    pub(super) fn paired(&self) -> Option<f64> {
        let edges = self.edges(self.minutes());
        let internal: BTreeSet<&str> = edges
            .iter()
            .flat_map(|edge| edge.aliases.iter().map(String::as_str).chain(service(&edge.target)))
            .collect();
        let (mut paired, mut all) = (0, 0);
        for edge in edges.iter().filter(|edge| edge.mode == Mode::Sync && edge.source.kind != PlaceKind::User) {
            let inside = edge.target.kind == PlaceKind::Service || internal.contains(edge.target.name.as_str());
            if inside && edge.target.kind != PlaceKind::Database {
                paired += count(&edge.sum, slot::PAIRED);
                all += edge.calls();
            }
        }
        (all > 0).then(|| paired as f64 / all as f64)
    }

    /// Whether there are spans at all, and both sides of enough calls; says why not.
    pub(super) fn two_sided(&self, rule: &Rule, verdict: &mut Verdict) -> bool {
        if !self.has_spans(rule, verdict) {
            return false;
        }
        let least = self.limit(&PAIRED);
        match self.paired() {
            Some(paired) if paired < least => {
                verdict.skip(
                    rule,
                    None,
                    format!(
                        "both sides are stored of {:.0} % of the calls; {:.0} % are needed",
                        paired * 100.0,
                        least * 100.0
                    ),
                    format!("只有 {:.0}% 的调用两侧都已存储，至少需要 {:.0}%", paired * 100.0, least * 100.0),
                );
                false
            }
            _ => true,
        }
    }

    pub(super) fn has_spans(&self, rule: &Rule, verdict: &mut Verdict) -> bool {
        let any = self.recent().iter().any(|window| window.spans > 0);
        if !any {
            let windows = self.limit(&LOOK_BACK);
            verdict.skip(
                rule,
                None,
                format!("no spans began in the last {windows} minutes"),
                format!("最近 {windows} 分钟没有 span"),
            );
        }
        any
    }

    /// A finding of what the judged windows show.
    pub(super) fn draft(&self, rule: &Rule, severity: Severity, subject: Subject, claim: Text) -> Draft {
        let from = self.recent().first().map_or(self.to, |window| window.from);
        Draft {
            rule: rule.id.to_owned(),
            severity,
            confidence: 0.9,
            subject,
            window: Span { from, to: self.to },
            claim,
            measured: Vec::new(),
            threshold: Vec::new(),
            baseline: None,
            n: 0,
            evidence: Vec::new(),
        }
    }
}

fn service(place: &Place) -> Option<&str> {
    (place.kind == PlaceKind::Service).then_some(place.name.as_str())
}

impl Draft {
    pub(super) fn n(mut self, n: u64) -> Self {
        self.n = n;
        self
    }

    pub(super) fn confident(mut self, confidence: f64) -> Self {
        self.confidence = confidence;
        self
    }

    pub(super) fn measure(mut self, name: &str, value: f64) -> Self {
        self.measured.push((name.to_owned(), round(value)));
        self
    }

    pub(super) fn against(mut self, threshold: &Threshold, case: &Case<'_>) -> Self {
        self.threshold.push((threshold.name.to_owned(), case.limit(threshold)));
        self
    }

    pub(super) fn before(mut self, name: &str, value: f64) -> Self {
        self.baseline.get_or_insert_default().push((name.to_owned(), round(value)));
        self
    }

    /// At most three traces, all for the same reason.
    pub(super) fn proven(mut self, proofs: &[Proof], why: Text) -> Self {
        for proof in proofs.iter().take(super::observe::MOST_PROOFS) {
            self.evidence.push(Evidence {
                trace_id: proof.trace.to_string(),
                span_ids: proof.spans.iter().map(ToString::to_string).collect(),
                why: why.clone(),
            });
        }
        self
    }
}

/// Four digits after the point: more would be noise.
fn round(value: f64) -> f64 {
    if value.is_finite() { (value * 1e4).round() / 1e4 } else { 0.0 }
}

#[cfg(test)]
pub(super) mod testing;
