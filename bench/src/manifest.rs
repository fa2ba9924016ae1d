//! `manifest.json`: what a data set holds, what to ask of it, and what the answers must contain.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::Compression;
use crate::{Failure, Signal};

/// Of the manifest's form; another one is refused.
pub(crate) const VERSION: u32 = 1;
pub(crate) const FILE: &str = "manifest.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) version: u32,
    pub(crate) shape: String,
    pub(crate) signal: Signal,
    pub(crate) seed: u64,
    /// Rows of a request; the last one may have fewer.
    pub(crate) batch: usize,
    pub(crate) compression: Compression,
    pub(crate) requests: u64,
    /// Of all requests as protobuf, and as they are sent.
    pub(crate) encoded_bytes: u64,
    pub(crate) sent_bytes: u64,
    /// When the first row begins and the last one has begun, ns since the epoch.
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) content: Content,
    /// Traces (or lines) drawn evenly from all, each of which must be there whole.
    pub(crate) sample: Vec<Asked>,
    pub(crate) groups: Vec<Group>,
}

/// What there is to count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Spans or log records.
    pub(crate) rows: u64,
    pub(crate) traces: u64,
    pub(crate) errors: u64,
    pub(crate) services: BTreeMap<String, Rows>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rows {
    pub(crate) rows: u64,
    /// Spans with the status error; log records of severity error and above.
    pub(crate) errors: u64,
}

/// Questions of one kind, whose times are put together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) questions: Vec<Asked>,
}

/// A question, and how much must be found at least (spans of a trace, hits, values, edges, services).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) at_least: u64,
}

impl Asked {
    /// `Err` says what is wrong with an answer that holds this much. A trace must have exactly its spans, and one
    /// that was never sent none; of the rest there may be more. `within`: searches were asked within a service.
    pub(crate) fn judge(&self, found: u64, within: bool) -> Result<(), String> {
        let (exact, wanted) = match &self.question {
            Question::Trace(_) | Question::Skeleton(_) => (true, self.at_least),
            Question::Traces(search) if within => (false, search.within_at_least),
            _ => (false, self.at_least),
        };
        let enough = if exact { found == wanted } else { found >= wanted };
        if enough { Ok(()) } else { Err(format!("{found} found instead of {wanted}")) }
    }
}

/// What every product is asked, in nobody's query language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    /// A trace by its id, in hex; nothing is found of one that was never sent.
    Trace(String),
    /// The columns of a trace that a waterfall draws.
    Skeleton(String),
    /// The newest [`TRACES`] traces that match.
    Traces(Search),
    TagValues(String),
    /// Who calls whom, of 24 h.
    Graph,
    /// Rate, errors and durations of a service.
    Red(String),
    /// The newest [`LINES`] lines that have all of these words.
    Words(Vec<String>),
    Phrase(String),
    /// Lines by service.
    CountByService,
}

/// Results of one page.
pub(crate) const TRACES: u64 = 20;
pub(crate) const LINES: u64 = 100;

/// What one span of a trace must be; all conditions hold for the same span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) service: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) longer_than_ms: Option<u64>,
    pub(crate) errors: bool,
    /// A service that has such spans, for products that must be told one, and what they must find at least.
    pub(crate) within: String,
    pub(crate) within_at_least: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    /// Of the resource, or of the span.
    pub(crate) resource: bool,
    pub(crate) key: String,
    pub(crate) value: String,
    /// An integer, not a text.
    pub(crate) number: bool,
}

impl Manifest {
    pub(crate) fn read(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(FILE);
        let text = std::fs::read(&path).map_err(Failure::at(&path))?;
        let manifest: Self = serde_json::from_slice(&text).map_err(Failure::at(&path))?;
        if manifest.version != VERSION {
            let reason = format!("version {} is not {VERSION}: generate the data anew", manifest.version);
            return Err(Failure::at(&path)(reason));
        }
        Ok(manifest)
    }

    pub(crate) fn write(&self, dir: &Path) -> Result<(), Failure> {
        let path = dir.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(Failure::at(&path))?;
        std::fs::write(&path, text).map_err(Failure::at(&path))
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let Content { rows, traces, errors, services } = &self.content;
        let what = match self.signal {
            Signal::Traces => format!("{rows} spans in {traces} traces"),
            Signal::Logs => format!("{rows} log lines"),
        };
        format!(
            "shape {}, {what} of {} services, {errors} errors, {} B a row as OTLP, {} requests of {}, {}",
            self.shape,
            services.len(),
            self.encoded_bytes / (*rows).max(1),
            self.requests,
            self.batch,
            self.compression.encoding().unwrap_or("uncompressed"),
        )
    }

    /// What queries ask about: all rows, a minute more at the end, and at the beginning what makes it 24 h.
    pub(crate) fn window(&self) -> Window {
        let to_ns = self.end_ns + 60_000_000_000;
        Window { from_ns: self.start_ns.min(to_ns.saturating_sub(86_400_000_000_000)), to_ns }
    }
}

/// A range of time, ns since the epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
}

impl Window {
    /// It begins so many seconds earlier, when there was nothing: the same answer, but none that a cache has.
    pub(crate) fn earlier(self, seconds: u64) -> Self {
        Self { from_ns: self.from_ns.saturating_sub(seconds * 1_000_000_000), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_exactly_its_spans_and_a_search_at_least_what_was_sent() {
        let trace = |at_least| Asked { question: Question::Trace("00".to_owned()), at_least };
        assert!(trace(3).judge(3, false).is_ok() && trace(0).judge(0, true).is_ok());
        assert!(trace(3).judge(2, false).is_err() && trace(3).judge(4, false).is_err());
        assert!(trace(0).judge(1, false).is_err());
        let search = Search { within_at_least: 2, ..Search::default() };
        let search = Asked { question: Question::Traces(search), at_least: 3 };
        assert!(search.judge(4, false).is_ok() && search.judge(2, true).is_ok());
        assert!(search.judge(2, false).is_err() && search.judge(1, true).is_err());
    }
}
