//! Questions about findings, and what people decide about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use storage::ids::TraceId;
use storage::store::DocumentChange;

use super::ledger::Finding;
use super::model::{Severity, State, Unjudged};
use super::observe::WINDOW;
use super::{Layer, Thresholds, store};
use crate::engine::{Engine, QueryError};
use crate::erase::{Rows, Selection};
use crate::model::Notes;
use crate::services::model::FindingCounts;

/// Which findings are asked for; None: all.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub rule: Option<String>,
    pub service: Option<String>,
    pub state: Option<State>,
    pub severity: Option<Severity>,
}

/// Findings, severest first, then by last seen; and what could not be judged.
#[derive(Clone, Debug)]
pub struct Report {
    pub findings: Vec<Finding>,
    pub unjudged: Vec<Unjudged>,
    /// End of the newest window that was judged, ns; None before the first.
    pub evaluated: Option<i64>,
    /// Length of a window, ns.
    pub window: i64,
    pub notes: Notes,
}

impl Engine {
    pub async fn findings(&self, asked: &Asked) -> Result<Report, QueryError> {
        let report = store::report(self.store()).await?;
        let mut findings: Vec<Finding> = store::ledger(self.store()).await?.into_values().collect();
        findings.retain(|finding| asked.matches(finding));
        findings.sort_by(|a, b| {
            b.last.severity.cmp(&a.last.severity).then(b.last_seen.cmp(&a.last_seen)).then(a.id.cmp(&b.id))
        });
        let of_rule = |unjudged: &Unjudged| asked.rule.as_ref().is_none_or(|rule| *rule == unjudged.rule);
        let unjudged = report.unjudged.into_iter().filter(of_rule).collect();
        let notes = Notes::of(&self.store().snapshot());
        Ok(Report { findings, unjudged, evaluated: report.evaluated, window: WINDOW, notes })
    }

    /// Open findings by the services that they speak of; None before the first evaluation.
    pub(crate) async fn finding_counts(&self) -> Result<Option<BTreeMap<String, FindingCounts>>, QueryError> {
        if store::report(self.store()).await?.evaluated.is_none() {
            return Ok(None);
        }
        let mut counts: BTreeMap<String, FindingCounts> = BTreeMap::new();
        let ledger = store::ledger(self.store()).await?;
        for finding in ledger.values().filter(|finding| finding.state == State::Open) {
            for service in &finding.last.subject.services {
                let count = counts.entry(service.clone()).or_default();
                match finding.last.severity {
                    Severity::Critical => count.critical += 1,
                    Severity::Warning => count.warning += 1,
                    Severity::Info => count.info += 1,
                }
            }
        }
        Ok(Some(counts))
    }

    /// Layers of services that the configuration file tells.
    pub fn file_layers(&self) -> Arc<BTreeMap<String, Layer>> {
        self.findings_desk().settings.layers.clone()
    }

    pub async fn finding(&self, id: &str) -> Result<Option<Finding>, QueryError> {
        Ok(store::ledger(self.store()).await?.remove(id))
    }

    /// Someone takes a finding as it is: it tells nobody while it lasts. None where there is no such finding.
    pub async fn accept_finding(&self, id: &str, by: &str, note: &str) -> Result<Option<Finding>, QueryError> {
        self.decide(id, |finding, now| finding.accept(by, note, now)).await
    }

    /// It counts again.
    pub async fn reopen_finding(&self, id: &str) -> Result<Option<Finding>, QueryError> {
        self.decide(id, Finding::reopen).await
    }

    async fn decide(
        &self,
        id: &str,
        decide: impl FnOnce(&mut Finding, i64) -> bool,
    ) -> Result<Option<Finding>, QueryError> {
        let _books = self.findings_desk().books.lock().await;
        let mut ledger = store::ledger(self.store()).await?;
        let Some(finding) = ledger.get_mut(id) else { return Ok(None) };
        if !decide(finding, self.store().settings().clock.now()) {
            return Err(QueryError::bad("the finding is resolved: there is nothing to accept or to reopen"));
        }
        store::put_findings(self.store(), &[store::change(&ledger, id)]).await?;
        Ok(ledger.remove(id))
    }

    /// Thresholds as they are in force.
    pub fn thresholds(&self) -> &Thresholds {
        &self.findings_desk().settings.thresholds
    }

    /// Takes what is to be erased out of the findings, before the rows go: the catalogue is written anew at
    /// the end of that. Nothing is evaluated meanwhile.
    pub(crate) async fn forget_in_findings(&self, selection: &Selection) -> Result<Forgetting<'_>, QueryError> {
        let desk = self.findings_desk();
        let (mut memory, books) = (desk.memory.lock().await, desk.books.lock().await);
        let (traces, text): (&[TraceId], Option<&str>) = match &selection.rows {
            Rows::Traces(ids) => (ids, None),
            Rows::Attribute { value, .. } => (&[], Some(value.as_str()).filter(|value| !value.is_empty())),
        };
        memory.windows.iter_mut().for_each(|window| window.forget(traces, text));
        let hex: Vec<String> = traces.iter().map(TraceId::to_string).collect();
        let mut changes: Vec<DocumentChange> = Vec::new();
        for (id, mut finding) in store::ledger(self.store()).await? {
            if text.is_some_and(|text| finding.speaks_of(text)) {
                changes.push((id, None));
                continue;
            }
            let before = finding.last.evidence.len();
            let holds =
                |why: &super::model::Text| text.is_some_and(|text| why.en.contains(text) || why.zh.contains(text));
            finding.last.evidence.retain(|one| !hex.contains(&one.trace_id) && !holds(&one.why));
            if finding.last.evidence.len() < before {
                let body = serde_json::to_string(&finding).map_err(|error| QueryError::Internal(error.to_string()))?;
                changes.push((id, Some(body)));
            }
        }
        store::put_findings(self.store(), &changes).await?;
        if let Some(text) = text {
            let mut report = store::report(self.store()).await?;
            let holds = |held: &str| held.contains(text);
            report.unjudged.retain(|one| !holds(&one.reason.en) && !one.subject.as_deref().is_some_and(holds));
            store::put_report(self.store(), report.evaluated, &report.unjudged).await?;
        }
        Ok(Forgetting { _memory: memory, _books: books })
    }
}

/// While it lives nothing is evaluated.
pub(crate) struct Forgetting<'a> {
    _memory: tokio::sync::MutexGuard<'a, super::keeper::Memory>,
    _books: tokio::sync::MutexGuard<'a, ()>,
}

impl Asked {
    fn matches(&self, finding: &Finding) -> bool {
        self.rule.as_ref().is_none_or(|rule| *rule == finding.last.rule)
            && self.service.as_ref().is_none_or(|service| finding.last.subject.services.contains(service))
            && self.state.is_none_or(|state| state == finding.state)
            && self.severity.is_none_or(|severity| severity == finding.last.severity)
    }
}
