//! The questions in each product's query API, and how much its answers hold. No sockets here.

mod clew;
mod jaeger;
mod loki;
mod quickwit;
mod tempo;
mod traceql;
mod victoria;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::Signal;
use crate::manifest::{Question, Window};

/// A product that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Clew,
    Jaeger,
    Tempo,
    VictoriaTraces,
    VictoriaLogs,
    Quickwit,
    Loki,
}

impl Kind {
    pub(crate) fn adapter(self) -> &'static dyn Adapter {
        match self {
            Self::Clew => &clew::Clew,
            Self::Jaeger => &jaeger::Jaeger,
            Self::Tempo => &tempo::Tempo,
            Self::VictoriaTraces => &victoria::Traces,
            Self::VictoriaLogs => &victoria::Logs,
            Self::Quickwit => &quickwit::Quickwit,
            Self::Loki => &loki::Loki,
        }
    }
}

/// How a product is asked. Answers of status 404 hold nothing and are not handed to it.
pub(crate) trait Adapter: Send + Sync {
    /// Requests that together answer the question; none where the product's API cannot.
    fn ask(&self, question: &Question, window: Window) -> Vec<Ask>;

    /// How much the answers hold: spans of a trace, traces, values, edges, lines, services.
    fn found(&self, question: &Question, answers: &[Bytes]) -> Result<u64, Unreadable>;

    /// Whether it searches traces within a service only.
    fn within(&self) -> bool {
        false
    }

    /// How long it may sit still before it does what is left to do: writes, merges.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }

    /// Asks for the number of all rows, where the API can count.
    fn totals(&self, _signal: Signal, _window: Window) -> Option<Ask> {
        None
    }

    fn read_totals(&self, _answer: &[u8]) -> Result<Totals, Unreadable> {
        Err(Unreadable("this product counts nothing".to_owned()))
    }

    /// Makes it write what is in memory, so that compaction can come to its end.
    fn flush(&self) -> Option<Ask> {
        None
    }

    /// Asks for the bytes that are stored, where the product tells garbage that waits for deletion from data.
    fn stored(&self) -> Option<Ask> {
        None
    }

    fn read_stored(&self, _answer: &[u8]) -> Result<u64, Unreadable> {
        Err(Unreadable("this product tells no size".to_owned()))
    }
}

/// [`Adapter::pause`] of products that write or merge every 30 s.
const HALF_MINUTE_CYCLES: Duration = Duration::from_secs(45);

/// An HTTP request to a product's query address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// With the query.
    pub(crate) path: String,
    /// JSON to be posted; without it the request is a GET.
    pub(crate) body: Option<String>,
    pub(crate) post: bool,
}

impl Ask {
    fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), body: None, post: false }
    }

    /// A GET with parameters, which are escaped.
    fn query(path: &str, parameters: &[(&str, &str)]) -> Self {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        Self::get(format!("{path}?{query}"))
    }

    fn post(path: &str, body: &Value) -> Self {
        Self { path: path.to_owned(), body: Some(body.to_string()), post: true }
    }

    fn post_nothing(path: &str) -> Self {
        Self { path: path.to_owned(), body: None, post: true }
    }
}

/// What is stored, as a product counts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) rows: u64,
    /// Rows and errors by service, where the answer has them.
    pub(crate) services: Option<BTreeMap<String, crate::manifest::Rows>>,
}

/// An answer that is not of the documented form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(pub(crate) String);

/// The only answer there is to a question of one request, as JSON; null where there was none (404).
fn json(answers: &[Bytes]) -> Result<Value, Unreadable> {
    match answers {
        [] => Ok(Value::Null),
        [answer, ..] => parsed(answer),
    }
}

fn parsed(answer: &[u8]) -> Result<Value, Unreadable> {
    serde_json::from_slice(answer).map_err(|error| Unreadable(format!("{error}: {}", beginning(answer))))
}

/// Values one after another, as in streams of JSON.
fn each(answer: &[u8]) -> impl Iterator<Item = Result<Value, Unreadable>> {
    let values = serde_json::Deserializer::from_slice(answer).into_iter::<Value>();
    values.map(move |value| value.map_err(|error| Unreadable(format!("{error}: {}", beginning(answer)))))
}

fn beginning(answer: &[u8]) -> String {
    String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned()
}

/// Length of the list at a JSON pointer; an absent or null list is empty, as products leave empty ones out.
fn length(value: &Value, pointer: &str) -> Result<u64, Unreadable> {
    match value.pointer(pointer) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::Array(list)) => Ok(list.len() as u64),
        Some(other) => Err(Unreadable(format!("{pointer} is no list but {other}"))),
    }
}

/// Spans of OTLP JSON under `resourceSpans`.
fn otlp_spans(resource_spans: Option<&Value>) -> u64 {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let resources = resource_spans.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let scopes = resources.iter().flat_map(|resource| list(resource, "scopeSpans"));
    scopes.map(|scope| list(&scope, "spans").len() as u64).sum()
}

/// A number that may be written as a text.
fn number(value: Option<&Value>) -> Result<u64, Unreadable> {
    let read = |value: &Value| {
        value.as_u64().or_else(|| value.as_f64().map(|n| n as u64)).or_else(|| value.as_str()?.parse().ok())
    };
    value.and_then(read).ok_or_else(|| Unreadable(format!("{value:?} is no number")))
}

fn escaped(segment: &str) -> String {
    utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()
}

/// ns as a decimal number of µs, ms or s.
fn micros(ns: u64) -> String {
    (ns / 1_000).to_string()
}

fn millis(ns: u64) -> String {
    (ns / 1_000_000).to_string()
}

fn seconds(ns: u64) -> String {
    (ns / 1_000_000_000).to_string()
}

/// A text in double quotes, for query languages that escape as JSON does.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
