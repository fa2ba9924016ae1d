//! VictoriaTraces (Jaeger's API of old, and LogsQL over spans) and VictoriaLogs (LogsQL).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::jaeger::tags;
use super::{Adapter, Ask, Totals, Unreadable, each, escaped, json, length, micros, millis, number, quoted};
use crate::Signal;
use crate::manifest::{LINES, Question, Rows, Search, TRACES, Window};

/// Asked at its root, such as `http://127.0.0.1:10428`.
pub(super) struct Traces;

impl Adapter for Traces {
    fn ask(&self, question: &Question, window: Window) -> Vec<Ask> {
        match question {
            Question::Trace(id) => vec![Ask::get(format!("/select/jaeger/api/traces/{}", escaped(id)))],
            Question::Traces(wanted) => vec![search(wanted, window)],
            Question::TagValues(key) => {
                let (start, end) = (nanos(window.from_ns), nanos(window.to_ns));
                let field = format!("span_attr:{key}");
                let range = [("start", start.as_str()), ("end", end.as_str())];
                let more = [("query", "*"), ("field", field.as_str()), ("limit", "100")];
                vec![Ask::query("/select/logsql/field_values", &[range.as_slice(), &more].concat())]
            }
            Question::Graph => {
                let (end, lookback) = (millis(window.to_ns), millis(window.to_ns - window.from_ns));
                let parameters = [("endTs", end.as_str()), ("lookback", lookback.as_str())];
                vec![Ask::query("/select/jaeger/api/dependencies", &parameters)]
            }
            Question::Red(service) => {
                let query = format!(
                    "{{\"resource_attr:service.name\"={}}} | stats by (status_code) count() calls, \
                     quantile(0.5, duration) p50, quantile(0.95, duration) p95, quantile(0.99, duration) p99",
                    quoted(service)
                );
                vec![logsql(&query, window, None)]
            }
            _ => Vec::new(),
        }
    }

    fn within(&self) -> bool {
        true
    }

    /// Parts in memory go to disk after 5 s (`-inmemoryDataFlushInterval`).
    fn pause(&self) -> Duration {
        Duration::from_secs(8)
    }

    fn found(&self, question: &Question, answers: &[Bytes]) -> Result<u64, Unreadable> {
        match question {
            Question::Trace(_) => length(&json(answers)?, "/data/0/spans"),
            Question::Traces(_) | Question::Graph => length(&json(answers)?, "/data"),
            Question::TagValues(_) => length(&json(answers)?, "/values"),
            Question::Red(_) => lines(answers),
            _ => Err(Unreadable("this was not asked".to_owned())),
        }
    }

    /// Spans alone: the store keeps an index of trace ids as rows of its own.
    fn totals(&self, signal: Signal, window: Window) -> Option<Ask> {
        let query = "span_id:* | stats by (\"resource_attr:service.name\") count() rows, \
                     count() if (status_code:=2) errors";
        (signal == Signal::Traces).then(|| logsql(query, window, None))
    }

    fn read_totals(&self, answer: &[u8]) -> Result<Totals, Unreadable> {
        totals(answer, "resource_attr:service.name")
    }

    fn flush(&self) -> Option<Ask> {
        Some(Ask::get("/internal/force_flush"))
    }
}

fn search(search: &Search, window: Window) -> Ask {
    let mut parameters = vec![
        ("service", search.service.clone().unwrap_or_else(|| search.within.clone())),
        ("start", micros(window.from_ns)),
        ("end", micros(window.to_ns)),
        ("limit", TRACES.to_string()),
    ];
    parameters.extend(search.operation.clone().map(|name| ("operation", name)));
    parameters.extend(search.longer_than_ms.map(|ms| ("minDuration", format!("{ms}ms"))));
    let tags = tags(search, "resource_attr:");
    if !tags.is_empty() {
        parameters.push(("tags", Value::Object(tags).to_string()));
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (*key, value.as_str())).collect();
    Ask::query("/select/jaeger/api/traces", &parameters)
}

/// Asked at its root, such as `http://127.0.0.1:9428`.
pub(super) struct Logs;

impl Adapter for Logs {
    fn ask(&self, question: &Question, window: Window) -> Vec<Ask> {
        match question {
            Question::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                vec![logsql(&words.join(" "), window, Some(LINES))]
            }
            Question::Phrase(phrase) => vec![logsql(&quoted(phrase), window, Some(LINES))],
            Question::CountByService => vec![logsql("* | stats by (service.name) count() rows", window, None)],
            _ => Vec::new(),
        }
    }

    /// Parts in memory go to disk after 5 s (`-inmemoryDataFlushInterval`).
    fn pause(&self) -> Duration {
        Duration::from_secs(8)
    }

    fn found(&self, question: &Question, answers: &[Bytes]) -> Result<u64, Unreadable> {
        match question {
            Question::Words(_) | Question::Phrase(_) | Question::CountByService => lines(answers),
            _ => Err(Unreadable("this was not asked".to_owned())),
        }
    }

    fn totals(&self, signal: Signal, window: Window) -> Option<Ask> {
        let query = "* | stats by (service.name) count() rows, count() if (severity:=ERROR) errors";
        (signal == Signal::Logs).then(|| logsql(query, window, None))
    }

    fn read_totals(&self, answer: &[u8]) -> Result<Totals, Unreadable> {
        totals(answer, "service.name")
    }

    fn flush(&self) -> Option<Ask> {
        Some(Ask::get("/internal/force_flush"))
    }
}

/// `limit` makes it return the newest rows.
fn logsql(query: &str, window: Window, limit: Option<u64>) -> Ask {
    let (start, end) = (nanos(window.from_ns), nanos(window.to_ns));
    let limit = limit.map(|limit| limit.to_string());
    let mut parameters = vec![("query", query), ("start", start.as_str()), ("end", end.as_str())];
    parameters.extend(limit.as_ref().map(|limit| ("limit", limit.as_str())));
    Ask::query("/select/logsql/query", &parameters)
}

/// Numbers of 19 digits are taken for ns.
fn nanos(ns: u64) -> String {
    ns.to_string()
}

/// Rows of an answer: one JSON object a line.
fn lines(answers: &[Bytes]) -> Result<u64, Unreadable> {
    answers.first().map_or(Ok(0), |answer| each(answer).map(|line| line.map(|_| 1)).sum())
}

fn totals(answer: &[u8], service: &str) -> Result<Totals, Unreadable> {
    let mut services = BTreeMap::new();
    for line in each(answer) {
        let line = line?;
        let name = line.get(service).and_then(Value::as_str).unwrap_or_default().to_owned();
        services.insert(name, Rows { rows: number(line.get("rows"))?, errors: number(line.get("errors"))? });
    }
    Ok(Totals { rows: services.values().map(|service| service.rows).sum(), services: Some(services) })
}
