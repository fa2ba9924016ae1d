//! What a finding is: who, what, by how much, and the traces that show it.

use serde::{Deserialize, Serialize};

/// The same sentence in English and in Chinese.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Text {
    pub en: String,
    pub zh: String,
}

impl Text {
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }
}

/// A [`Text`] that is written in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    pub en: &'static str,
    pub zh: &'static str,
}

impl From<Words> for Text {
    fn from(words: Words) -> Self {
        Self::new(words.en, words.zh)
    }
}

/// Ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Open,
    /// Someone knows of it: it tells nobody, and ends by itself.
    Accepted,
    Resolved,
}

impl State {
    pub const ALL: [State; 3] = [State::Open, State::Accepted, State::Resolved];

    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Accepted => "accepted",
            State::Resolved => "resolved",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    Service,
    Edge,
    Database,
    Topic,
    Operation,
    Instance,
    Release,
}

impl SubjectKind {
    pub fn name(self) -> &'static str {
        match self {
            SubjectKind::Service => "service",
            SubjectKind::Edge => "edge",
            SubjectKind::Database => "database",
            SubjectKind::Topic => "topic",
            SubjectKind::Operation => "operation",
            SubjectKind::Instance => "instance",
            SubjectKind::Release => "release",
        }
    }
}

/// Whom a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    pub kind: SubjectKind,
    /// The same for as long as the fault lasts.
    pub id: String,
    /// Services that it touches, the first most.
    pub services: Vec<String>,
}

impl Subject {
    pub fn new(kind: SubjectKind, id: impl Into<String>, services: &[&str]) -> Self {
        let mut named: Vec<String> = Vec::new();
        for service in services {
            if !service.is_empty() && !named.iter().any(|known| known == service) {
                named.push((*service).to_owned());
            }
        }
        Self { kind, id: id.into(), services: named }
    }
}

/// A trace that shows it. Ids are hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub trace_id: String,
    pub span_ids: Vec<String>,
    pub why: Text,
}

/// ns since the epoch, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

/// What a rule found, without history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub rule: String,
    pub severity: Severity,
    /// 0 to 1.
    pub confidence: f64,
    pub subject: Subject,
    pub window: Span,
    pub claim: Text,
    /// By name; the names end in their unit.
    pub measured: Vec<(String, f64)>,
    pub threshold: Vec<(String, f64)>,
    pub baseline: Option<Vec<(String, f64)>>,
    /// Calls that it rests on; log records in F19.
    pub n: u64,
    pub evidence: Vec<Evidence>,
}

impl Draft {
    /// The same for the same rule and subject, for ever.
    pub fn id(&self) -> String {
        id(&self.rule, &self.subject)
    }
}

/// A rule that could not say anything, of one subject or at all, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unjudged {
    pub rule: String,
    /// Nothing at all could be judged: what was found before neither stands nor falls.
    pub blind: bool,
    pub subject: Option<String>,
    pub reason: Text,
}

/// Of a rule and a subject: 64 bits of FNV-1a in hex. It is stored and given to people: never change it.
pub(super) fn id(rule: &str, subject: &Subject) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for part in [rule, subject.kind.name(), &subject.id] {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_change() {
        let subject = Subject::new(SubjectKind::Database, "mysql://db:3306/shop", &["a", "b", "a"]);
        assert_eq!(subject.services, ["a", "b"]);
        let other = Subject { services: vec!["c".to_owned()], ..subject.clone() };
        assert_eq!(id("F2", &subject), id("F2", &other), "services come and go");
        assert_ne!(id("F2", &subject), id("F20", &subject));
        assert_eq!(id("F2", &subject).len(), 16);
    }
}
