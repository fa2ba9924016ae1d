//! JSON forms of findings and rules.

use query::findings::rules::Rule;
use query::findings::thresholds::{COMMON, Threshold};
use query::findings::{Evaluated, Finding, Report, Thresholds, ledger, model};
use query::model::Notes as QueryNotes;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::{Notes, Ns, Window};

#[derive(Serialize, ToSchema)]
pub(crate) struct FindingList {
    findings: Vec<FindingJson>,
    /// What could not be judged, and why.
    not_evaluated: Vec<UnjudgedJson>,
    /// End of the newest minute that was judged.
    evaluated_ns: Option<Ns>,
    /// Length of a window.
    window_ns: i64,
    notes: Notes,
}

impl FindingList {
    pub(crate) fn of(report: Report) -> Self {
        Self {
            findings: report.findings.into_iter().map(FindingJson::of).collect(),
            not_evaluated: report.unjudged.into_iter().map(UnjudgedJson::of).collect(),
            evaluated_ns: report.evaluated.map(ns),
            window_ns: report.window,
            notes: report.notes.into(),
        }
    }
}

/// A sentence in English and in Chinese.
#[derive(Serialize, ToSchema)]
struct TextJson {
    en: String,
    zh: String,
}

impl From<model::Text> for TextJson {
    fn from(text: model::Text) -> Self {
        Self { en: text.en, zh: text.zh }
    }
}

impl From<model::Words> for TextJson {
    fn from(words: model::Words) -> Self {
        Self { en: words.en.to_owned(), zh: words.zh.to_owned() }
    }
}

#[derive(Serialize, ToSchema)]
struct UnjudgedJson {
    /// A rule, or `all`.
    rule: String,
    subject: Option<String>,
    reason: TextJson,
}

impl UnjudgedJson {
    fn of(unjudged: model::Unjudged) -> Self {
        Self { rule: unjudged.rule, subject: unjudged.subject, reason: unjudged.reason.into() }
    }
}

/// Numbers by name.
type Numbers = serde_json::Map<String, serde_json::Value>;

fn numbers(pairs: Vec<(String, f64)>) -> Numbers {
    pairs.into_iter().map(|(name, value)| (name, serde_json::Value::from(value))).collect()
}

fn ns(time: i64) -> Ns {
    Ns(time as u64)
}

#[derive(Serialize, ToSchema)]
struct SubjectJson {
    /// service, edge, database, topic, operation, instance or release.
    kind: &'static str,
    id: String,
    services: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct EvidenceJson {
    trace_id: String,
    span_ids: Vec<String>,
    why: TextJson,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FindingJson {
    /// The same for the same rule and subject, for ever.
    id: String,
    /// `F1` to `F20`.
    rule: String,
    name: &'static str,
    rule_version: u32,
    /// critical, warning or info.
    severity: &'static str,
    /// From 0 to 1.
    confidence: f64,
    /// open, accepted or resolved.
    state: &'static str,
    principle: &'static str,
    subject: SubjectJson,
    window: Window,
    claim: TextJson,
    #[schema(value_type = Object)]
    measured: Numbers,
    #[schema(value_type = Object)]
    threshold: Numbers,
    #[schema(value_type = Option<Object>)]
    baseline: Option<Numbers>,
    /// Calls, in F19 records, that it rests on.
    n: u64,
    evidence: Vec<EvidenceJson>,
    first_seen_ns: Ns,
    last_seen_ns: Ns,
    resolved_ns: Option<Ns>,
    accepted_by: Option<String>,
    accepted_note: Option<String>,
}

impl FindingJson {
    pub(crate) fn of(finding: Finding) -> Self {
        let last = finding.last;
        let rule = query::findings::rules::get(&last.rule);
        let evidence = last.evidence.into_iter().map(|one| EvidenceJson {
            trace_id: one.trace_id,
            span_ids: one.span_ids,
            why: one.why.into(),
        });
        Self {
            id: finding.id,
            name: rule.map_or("", |rule| rule.name),
            principle: rule.map_or("", |rule| rule.principle),
            rule: last.rule,
            rule_version: finding.rule_version,
            severity: last.severity.name(),
            confidence: last.confidence,
            state: finding.state.name(),
            subject: SubjectJson {
                kind: last.subject.kind.name(),
                id: last.subject.id,
                services: last.subject.services,
            },
            window: Window { from_ns: ns(last.window.from), to_ns: ns(last.window.to) },
            claim: last.claim.into(),
            measured: numbers(last.measured),
            threshold: numbers(last.threshold),
            baseline: last.baseline.map(numbers),
            n: last.n,
            evidence: evidence.collect(),
            first_seen_ns: ns(finding.first_seen),
            last_seen_ns: ns(finding.last_seen),
            resolved_ns: finding.resolved.map(ns),
            accepted_by: finding.accepted_by,
            accepted_note: finding.accepted_note,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct StepJson {
    at_ns: Ns,
    state: &'static str,
    #[schema(value_type = Object)]
    measured: Numbers,
}

impl StepJson {
    fn of(entry: ledger::Entry) -> Self {
        Self { at_ns: ns(entry.at), state: entry.state.name(), measured: numbers(entry.measured) }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FindingWithHistory {
    #[serde(flatten)]
    finding: FindingJson,
    /// Oldest first, the last 50.
    history: Vec<StepJson>,
}

impl FindingWithHistory {
    pub(crate) fn of(mut finding: Finding) -> Self {
        let history = std::mem::take(&mut finding.history).into_iter().map(StepJson::of).collect();
        Self { finding: FindingJson::of(finding), history }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RuleList {
    pub(crate) rules: Vec<RuleJson>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RuleJson {
    rule: &'static str,
    name: &'static str,
    principle: &'static str,
    severity: &'static str,
    title: TextJson,
    what: TextJson,
    guard: TextJson,
    /// Its own, then those of all rules.
    thresholds: Vec<ThresholdJson>,
}

#[derive(Serialize, ToSchema)]
struct ThresholdJson {
    name: &'static str,
    value: f64,
    default: f64,
    unit: &'static str,
    what: TextJson,
}

impl RuleJson {
    pub(crate) fn of(rule: &Rule, thresholds: &Thresholds) -> Self {
        let threshold = |threshold: &&'static Threshold| ThresholdJson {
            name: threshold.name,
            value: thresholds.get(threshold),
            default: threshold.default,
            unit: threshold.unit,
            what: threshold.what.into(),
        };
        Self {
            rule: rule.id,
            name: rule.name,
            principle: rule.principle,
            severity: rule.severity.name(),
            title: rule.title.into(),
            what: rule.what.into(),
            guard: rule.guard.into(),
            thresholds: rule.thresholds.iter().chain(COMMON).map(threshold).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EvaluatedJson {
    /// Minutes looked at; 0 where nothing new is settled, or another process of the lake evaluates.
    windows: usize,
    opened: usize,
    resolved: usize,
    /// End of the newest of them.
    to_ns: Option<Ns>,
    notes: Notes,
}

impl EvaluatedJson {
    pub(crate) fn of(evaluated: Evaluated) -> Self {
        let Evaluated { windows, opened, resolved, to, warnings } = evaluated;
        let notes = QueryNotes { warnings, ..QueryNotes::default() };
        Self { windows, opened, resolved, to_ns: to.map(ns), notes: notes.into() }
    }
}
