//! Tempo: traces by id, TraceQL searches and TraceQL metrics.
//!
//! Its service graph lives in a Prometheus beside it, and is not asked for here.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::traceql::spanset;
use super::{
    Adapter, Ask, HALF_MINUTE_CYCLES, Totals, Unreadable, escaped, json, length, otlp_spans, parsed, quoted, seconds,
};
use crate::Signal;
use crate::manifest::{Question, TRACES, Window};

pub(super) struct Tempo;

impl Adapter for Tempo {
    fn ask(&self, question: &Question, window: Window) -> Vec<Ask> {
        let (start, end) = (seconds(window.from_ns), seconds(window.to_ns));
        let range = [("start", start.as_str()), ("end", end.as_str())];
        match question {
            Question::Trace(id) => vec![Ask::get(format!("/api/v2/traces/{}", escaped(id)))],
            Question::Traces(search) => {
                // Without the hint it returns whichever traces it finds first.
                let q = format!("{} with (most_recent=true)", spanset(search));
                let limit = TRACES.to_string();
                vec![Ask::query("/api/search", &[&range[..], &[("q", q.as_str()), ("limit", limit.as_str())]].concat())]
            }
            Question::TagValues(key) => {
                let path = format!("/api/v2/search/tag/{}/values", escaped(&format!("span.{key}")));
                vec![Ask::query(&path, &range)]
            }
            Question::Red(service) => {
                let spans = format!("{{ resource.service.name = {} && kind = server }}", quoted(service));
                let metrics = ["rate() by (status)", "quantile_over_time(duration, .5, .95, .99)"];
                let ask = |metric: &str| {
                    let q = format!("{spans} | {metric}");
                    let more = [("q", q.as_str()), ("step", "60s")];
                    Ask::query("/api/metrics/query_range", &[&range[..], &more].concat())
                };
                metrics.map(ask).into()
            }
            _ => Vec::new(),
        }
    }

    /// Blocks are cut and compacted in cycles of 30 s.
    fn pause(&self) -> Duration {
        HALF_MINUTE_CYCLES
    }

    fn found(&self, question: &Question, answers: &[Bytes]) -> Result<u64, Unreadable> {
        let answer = json(answers)?;
        match question {
            Question::Trace(_) => Ok(otlp_spans(answer.pointer("/trace/resourceSpans"))),
            Question::Traces(_) => length(&answer, "/traces"),
            Question::TagValues(_) => length(&answer, "/tagValues"),
            Question::Red(_) => length(&answer, "/series"),
            _ => Err(Unreadable("this was not asked".to_owned())),
        }
    }

    fn totals(&self, signal: Signal, window: Window) -> Option<Ask> {
        let (start, end) = (seconds(window.from_ns), seconds(window.to_ns));
        let parameters = [("q", "{} | count_over_time()"), ("start", start.as_str()), ("end", end.as_str())];
        (signal == Signal::Traces).then(|| Ask::query("/api/metrics/query", &parameters))
    }

    fn read_totals(&self, answer: &[u8]) -> Result<Totals, Unreadable> {
        let answer = parsed(answer)?;
        let series = answer.get("series").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut rows = 0.0;
        for one in &series {
            // An instant query has one `value`; older versions have `samples`.
            let samples = one.get("samples").and_then(Value::as_array).cloned().unwrap_or_default();
            let sum: f64 = samples.iter().filter_map(|sample| sample.get("value")?.as_f64()).sum();
            rows += one.get("value").and_then(Value::as_f64).unwrap_or(sum);
        }
        Ok(Totals { rows: rows as u64, services: None })
    }

    fn flush(&self) -> Option<Ask> {
        Some(Ask::get("/flush"))
    }
}
