//! Quickwit: its search API over the indexes that its OTLP receiver makes.
//!
//! It searches documents, so a span is found and not a trace: of traces it is asked for those by id alone.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json as object;

use super::{Adapter, Ask, HALF_MINUTE_CYCLES, Totals, Unreadable, json, length, number, parsed, quoted};
use crate::Signal;
use crate::manifest::{LINES, Question, Window};

pub(super) struct Quickwit;

const LOGS: &str = "/api/v1/otel-logs-v0_*/search";
const TRACES: &str = "/api/v1/otel-traces-v0_*/search";
/// Of one trace; the product's own bound on hits.
const MOST_SPANS: u64 = 10_000;

impl Adapter for Quickwit {
    fn ask(&self, question: &Question, window: Window) -> Vec<Ask> {
        let logs = |query: String| search(LOGS, &query, window, LINES);
        match question {
            Question::Trace(id) => {
                let body = object!({ "query": format!("trace_id:{id}"), "max_hits": MOST_SPANS });
                vec![Ask::post(TRACES, &body)]
            }
            Question::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("body.message:{}", quoted(word))).collect();
                vec![logs(words.join(" AND "))]
            }
            Question::Phrase(phrase) => vec![logs(format!("body.message:{}", quoted(phrase)))],
            Question::CountByService => vec![by_service(LOGS, window)],
            _ => Vec::new(),
        }
    }

    /// Splits are committed after 30 s, and merged after that.
    fn pause(&self) -> Duration {
        HALF_MINUTE_CYCLES
    }

    fn found(&self, question: &Question, answers: &[Bytes]) -> Result<u64, Unreadable> {
        let answer = json(answers)?;
        match question {
            Question::CountByService => length(&answer, "/aggregations/services/buckets"),
            _ => length(&answer, "/hits"),
        }
    }

    fn totals(&self, signal: Signal, window: Window) -> Option<Ask> {
        Some(by_service(if signal == Signal::Logs { LOGS } else { TRACES }, window))
    }

    /// All hits; errors are not counted by it.
    fn read_totals(&self, answer: &[u8]) -> Result<Totals, Unreadable> {
        Ok(Totals { rows: number(parsed(answer)?.get("num_hits"))?, services: None })
    }
}

/// The newest first.
fn search(path: &str, query: &str, window: Window, hits: u64) -> Ask {
    let (start, end) = (window.from_ns / 1_000_000_000, window.to_ns / 1_000_000_000);
    let body = object!({
        "query": query, "max_hits": hits, "sort_by": "-timestamp_nanos", "start_timestamp": start, "end_timestamp": end,
    });
    Ask::post(path, &body)
}

fn by_service(path: &str, window: Window) -> Ask {
    let (start, end) = (window.from_ns / 1_000_000_000, window.to_ns / 1_000_000_000);
    let body = object!({
        "query": "*", "max_hits": 0, "start_timestamp": start, "end_timestamp": end,
        "aggs": { "services": { "terms": { "field": "service_name", "size": 1000 } } },
    });
    Ask::post(path, &body)
}
