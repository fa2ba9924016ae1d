//! Loki: LogQL. Words are parts of lines to it, found by reading.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{Adapter, Ask, HALF_MINUTE_CYCLES, Totals, Unreadable, json, length, number, parsed, quoted};
use crate::Signal;
use crate::manifest::{LINES, Question, Window};

pub(super) struct Loki;

/// Its OTLP receiver makes the service a label.
const ALL: &str = "{service_name=~\".+\"}";

impl Adapter for Loki {
    fn ask(&self, question: &Question, window: Window) -> Vec<Ask> {
        match question {
            Question::Words(words) => vec![lines(words, window)],
            Question::Phrase(phrase) => vec![lines(std::slice::from_ref(phrase), window)],
            Question::CountByService => vec![by_service(window)],
            _ => Vec::new(),
        }
    }

    /// Chunks are flushed in cycles of 30 s.
    fn pause(&self) -> Duration {
        HALF_MINUTE_CYCLES
    }

    fn found(&self, question: &Question, answers: &[Bytes]) -> Result<u64, Unreadable> {
        let answer = json(answers)?;
        match question {
            Question::CountByService => length(&answer, "/data/result"),
            _ => {
                let streams = answer.pointer("/data/result").and_then(Value::as_array).cloned().unwrap_or_default();
                streams.iter().map(|stream| length(stream, "/values")).sum()
            }
        }
    }

    fn totals(&self, signal: Signal, window: Window) -> Option<Ask> {
        (signal == Signal::Logs).then(|| by_service(window))
    }

    fn read_totals(&self, answer: &[u8]) -> Result<Totals, Unreadable> {
        let answer = parsed(answer)?;
        let series = answer.pointer("/data/result").and_then(Value::as_array).cloned().unwrap_or_default();
        let rows = series.iter().map(|one| number(one.pointer("/value/1"))).sum::<Result<u64, _>>()?;
        Ok(Totals { rows, services: None })
    }

    fn flush(&self) -> Option<Ask> {
        Some(Ask::post_nothing("/flush"))
    }
}

fn lines(words: &[String], window: Window) -> Ask {
    let filters: String = words.iter().map(|word| format!(" |= {}", quoted(word))).collect();
    let (query, limit) = (format!("{ALL}{filters}"), LINES.to_string());
    let (start, end) = (window.from_ns.to_string(), window.to_ns.to_string());
    let parameters = [
        ("query", query.as_str()),
        ("start", start.as_str()),
        ("end", end.as_str()),
        ("limit", limit.as_str()),
        ("direction", "backward"),
    ];
    Ask::query("/loki/api/v1/query_range", &parameters)
}

fn by_service(window: Window) -> Ask {
    let range = window.to_ns.saturating_sub(window.from_ns) / 1_000_000_000;
    let query = format!("sum by (service_name) (count_over_time({ALL}[{range}s]))");
    Ask::query("/loki/api/v1/query", &[("query", query.as_str()), ("time", window.to_ns.to_string().as_str())])
}
