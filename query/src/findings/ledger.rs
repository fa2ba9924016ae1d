//! What becomes of findings over time. Pure: no clock, no store.
//!
//! ```text
//!  seen ─▶ open ──accept──▶ accepted
//!           │ ◀──reopen──────┘ │
//!           └──── not seen for long enough ──▶ resolved ── seen again ─▶ open
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::judge::Verdict;
use super::model::{Draft, Severity, State};
use super::rules;

/// A finding with its past. Times are ns since the epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub id: String,
    pub rule_version: u32,
    pub state: State,
    /// The first time of all; that of this time.
    pub first_seen: i64,
    pub opened: i64,
    pub last_seen: i64,
    pub resolved: Option<i64>,
    pub accepted_by: Option<String>,
    pub accepted_note: Option<String>,
    pub history: Vec<Entry>,
    /// What an alert is named by.
    pub told: Told,
    /// As it was when it was last seen.
    pub last: Draft,
}

/// As it was when it opened: the end of an alert must bear the name that it began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub severity: Severity,
    pub service: String,
}

impl Told {
    fn of(draft: &Draft) -> Self {
        let service = draft.subject.services.first().cloned().unwrap_or_default();
        Self { severity: draft.severity, service }
    }
}

/// One step of its past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub at: i64,
    pub state: State,
    pub measured: Vec<(String, f64)>,
}

/// What someone may want to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Opened,
    Resolved,
    /// Nobody needs to know.
    Quiet,
    Forgotten,
}

pub type Ledger = BTreeMap<String, Finding>;

/// Steps of the past that are kept, the newest.
const MOST_HISTORY: usize = 50;
const HOUR: i64 = 3_600_000_000_000;
/// While it goes on, its figures are written down this often.
const NOTED: i64 = HOUR;
/// A finding whose rule cannot be judged for so long is resolved: nobody can say that it stands.
const BLIND: i64 = 24 * HOUR;
/// Findings kept, as far as resolved ones can go.
const MOST_FINDINGS: usize = 2_000;
/// Resolved findings are forgotten after this.
const KEPT: i64 = 30 * 24 * HOUR;

/// Takes the verdict on the window that ended at `now`; `quiet` ns without it resolve a finding. What changed.
pub fn advance(ledger: &mut Ledger, verdict: &Verdict, now: i64, quiet: i64) -> BTreeMap<String, Change> {
    let mut changes = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for draft in &verdict.found {
        let id = draft.id();
        if !seen.insert(id.clone()) {
            continue;
        }
        let change = match ledger.get_mut(&id) {
            Some(finding) => finding.see(draft, now),
            None => {
                ledger.insert(id.clone(), Finding::new(id.clone(), draft, now));
                Change::Opened
            }
        };
        changes.insert(id, change);
    }
    let blind: BTreeSet<&str> =
        verdict.unjudged.iter().filter(|unjudged| unjudged.blind).map(|unjudged| unjudged.rule.as_str()).collect();
    for (id, finding) in ledger.iter_mut().filter(|(id, _)| !seen.contains(*id)) {
        let unseen = now.saturating_sub(finding.last_seen);
        let patience = if blind.contains(finding.last.rule.as_str()) { BLIND } else { quiet };
        if finding.state != State::Resolved && unseen > patience {
            finding.resolve(now);
            changes.insert(id.clone(), Change::Resolved);
        } else if finding.state == State::Resolved && now.saturating_sub(finding.resolved.unwrap_or(now)) > KEPT {
            changes.insert(id.clone(), Change::Forgotten);
        }
    }
    forget_most(ledger, &mut changes);
    ledger.retain(|id, _| changes.get(id) != Some(&Change::Forgotten));
    changes
}

/// Where there are too many, those that have been over for longest go.
fn forget_most(ledger: &Ledger, changes: &mut BTreeMap<String, Change>) {
    let mut over: Vec<(i64, &String)> =
        ledger.iter().filter_map(|(id, finding)| Some((finding.resolved?, id))).collect();
    over.sort_unstable();
    let more = ledger.len().saturating_sub(MOST_FINDINGS);
    changes.extend(over.into_iter().take(more).map(|(_, id)| (id.clone(), Change::Forgotten)));
}

impl Finding {
    fn new(id: String, draft: &Draft, now: i64) -> Self {
        let mut finding = Self {
            id,
            rule_version: 0,
            state: State::Open,
            first_seen: now,
            opened: now,
            last_seen: now,
            resolved: None,
            accepted_by: None,
            accepted_note: None,
            history: Vec::new(),
            told: Told::of(draft),
            last: draft.clone(),
        };
        finding.rule_version = rules::get(&draft.rule).map_or(0, |rule| rule.version);
        finding.note(now);
        finding
    }

    fn see(&mut self, draft: &Draft, now: i64) -> Change {
        if now < self.last_seen {
            // An evaluation of the past tells when it began, and nothing of now.
            self.first_seen = self.first_seen.min(now);
            return Change::Quiet;
        }
        let shown = std::mem::take(&mut self.last.evidence);
        self.last = draft.clone();
        if self.last.evidence.is_empty() {
            self.last.evidence = shown;
        }
        self.last_seen = now;
        if self.state == State::Resolved {
            self.open(now);
            (self.opened, self.told) = (now, Told::of(draft));
            return Change::Opened;
        }
        if self.history.last().is_none_or(|entry| now.saturating_sub(entry.at) >= NOTED) {
            self.note(now);
        }
        Change::Quiet
    }

    fn resolve(&mut self, now: i64) {
        self.state = State::Resolved;
        self.resolved = Some(now);
        self.note(now);
    }

    /// Someone takes it as it is. False where it is over.
    pub fn accept(&mut self, by: &str, note: &str, now: i64) -> bool {
        if self.state == State::Resolved {
            return false;
        }
        self.state = State::Accepted;
        (self.accepted_by, self.accepted_note) = (Some(by.to_owned()), Some(note.to_owned()));
        self.note(now);
        true
    }

    /// It counts again. False where it is over.
    pub fn reopen(&mut self, now: i64) -> bool {
        if self.state != State::Accepted {
            return self.state == State::Open;
        }
        self.open(now);
        true
    }

    fn open(&mut self, now: i64) {
        self.state = State::Open;
        (self.resolved, self.accepted_by, self.accepted_note) = (None, None, None);
        self.note(now);
    }

    fn note(&mut self, at: i64) {
        self.history.push(Entry { at, state: self.state, measured: self.last.measured.clone() });
        let more = self.history.len().saturating_sub(MOST_HISTORY);
        self.history.drain(..more);
    }

    /// Whether any of its text holds this, evidence aside.
    pub(super) fn speaks_of(&self, text: &str) -> bool {
        let last = &self.last;
        let mut texts = [&last.subject.id, &last.claim.en, &last.claim.zh, &self.told.service]
            .into_iter()
            .chain(&last.subject.services);
        let accepted = [&self.accepted_by, &self.accepted_note].into_iter().flatten();
        texts.any(|held| held.contains(text)) || accepted.into_iter().any(|held| held.contains(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::findings::model::{Span, Subject, SubjectKind, Text, Unjudged};

    const MINUTE: i64 = 60_000_000_000;
    const QUIET: i64 = 10 * MINUTE;

    fn draft(number: u8) -> Draft {
        Draft {
            rule: "F9".to_owned(),
            severity: Severity::Warning,
            confidence: 1.0,
            subject: Subject::new(SubjectKind::Edge, format!("a → {number}"), &["a"]),
            window: Span { from: 0, to: 1 },
            claim: Text::new("it is", "是"),
            measured: Vec::new(),
            threshold: Vec::new(),
            baseline: None,
            n: 20,
            evidence: Vec::new(),
        }
    }

    fn verdict(found: &[u8], blind: bool) -> Verdict {
        let reason = Text::new("no spans", "没有");
        let unjudged = Unjudged { rule: "F9".to_owned(), blind: true, subject: None, reason };
        Verdict {
            found: found.iter().map(|&number| draft(number)).collect(),
            unjudged: if blind { vec![unjudged] } else { Vec::new() },
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Window { found: Vec<u8>, blind: bool, minutes: i64 },
        Accept(u8),
        Reopen(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let window = (proptest::collection::vec(0u8..3, 0..3), any::<bool>(), 1i64..8);
        prop_oneof![
            4 => window.prop_map(|(found, blind, minutes)| Step::Window { found, blind, minutes }),
            1 => (0u8..3).prop_map(Step::Accept),
            1 => (0u8..3).prop_map(Step::Reopen),
        ]
    }

    fn check(before: Option<&Finding>, after: &Finding, change: Change, seen: bool, now: i64) {
        let state = before.map(|finding| finding.state);
        match (state, seen, after.state) {
            (None | Some(State::Resolved), true, State::Open) => assert_eq!(change, Change::Opened),
            (Some(State::Open), true, State::Open) | (Some(State::Accepted), true, State::Accepted) => {
                assert_eq!(change, Change::Quiet);
            }
            (Some(State::Open | State::Accepted), false, State::Resolved) => {
                assert!(now - after.last_seen > QUIET, "too early");
                assert_eq!((change, after.resolved), (Change::Resolved, Some(now)));
            }
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn findings_go_their_way(steps in proptest::collection::vec(step(), 1..120)) {
            let (mut ledger, mut now) = (Ledger::new(), 0);
            for step in steps {
                let before = ledger.clone();
                let id = |number: u8| draft(number).id();
                match step {
                    Step::Window { found, blind, minutes } => {
                        now += minutes * MINUTE;
                        let changes = advance(&mut ledger, &verdict(&found, blind), now, QUIET);
                        for (id, change) in &changes {
                            let seen = found.iter().any(|&number| draft(number).id() == *id);
                            check(before.get(id), &ledger[id], *change, seen, now);
                        }
                        for (id, finding) in ledger.iter().filter(|(id, _)| !changes.contains_key(*id)) {
                            prop_assert_eq!(Some(finding), before.get(id));
                            let over = now - finding.last_seen > QUIET;
                            prop_assert!(finding.state == State::Resolved || !over || blind);
                        }
                    }
                    Step::Accept(number) => {
                        if let Some(finding) = ledger.get_mut(&id(number)) {
                            let open = finding.state != State::Resolved;
                            prop_assert_eq!(finding.accept("me", "known", now), open);
                        }
                    }
                    Step::Reopen(number) => {
                        if let Some(finding) = ledger.get_mut(&id(number)) {
                            let open = finding.state != State::Resolved;
                            prop_assert_eq!(finding.reopen(now), open);
                        }
                    }
                }
                for finding in ledger.values() {
                    prop_assert!(finding.history.len() <= MOST_HISTORY && !finding.history.is_empty());
                    prop_assert_eq!(finding.history.last().map(|entry| entry.state), Some(finding.state));
                    prop_assert!(finding.first_seen <= finding.opened && finding.opened <= finding.last_seen);
                    prop_assert_eq!(finding.resolved.is_some(), finding.state == State::Resolved);
                    prop_assert_eq!(finding.accepted_by.is_some() && finding.state == State::Open, false);
                }
            }
        }
    }

    #[test]
    fn what_is_long_over_is_forgotten() {
        let mut ledger = Ledger::new();
        advance(&mut ledger, &verdict(&[1], false), MINUTE, QUIET);
        advance(&mut ledger, &verdict(&[], false), 20 * MINUTE, QUIET);
        let late = advance(&mut ledger, &verdict(&[], false), KEPT + 30 * MINUTE, QUIET);
        assert_eq!((late.into_values().next(), ledger.len()), (Some(Change::Forgotten), 0));
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut ledger = Ledger::new();
        for number in 0..MOST_FINDINGS as i64 + 10 {
            let mut draft = draft(0);
            draft.subject.id = number.to_string();
            let verdict = Verdict { found: vec![draft], unjudged: Vec::new() };
            advance(&mut ledger, &verdict, number * 20 * MINUTE / 1_000, QUIET);
        }
        assert!(ledger.len() > MOST_FINDINGS - 10);
        advance(&mut ledger, &verdict(&[], false), 10 * HOUR * 20, QUIET);
        advance(&mut ledger, &verdict(&[], false), 10 * HOUR * 20 + 1, QUIET);
        assert_eq!(ledger.len(), MOST_FINDINGS);
    }

    #[test]
    fn a_blind_rule_resolves_after_a_day() {
        let mut ledger = Ledger::new();
        advance(&mut ledger, &verdict(&[1], false), 0, QUIET);
        assert!(advance(&mut ledger, &verdict(&[], true), 60 * MINUTE, QUIET).is_empty());
        assert_eq!(advance(&mut ledger, &verdict(&[], true), BLIND + 1, QUIET).len(), 1);
    }
}
