//! Clew: `/api/v1`, its `docs/api.md`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use super::traceql::spanset;
use super::{Adapter, Ask, Totals, Unreadable, escaped, json, length, number, parsed, quoted};
use crate::Signal;
use crate::manifest::{LINES, Question, Rows, TRACES, Window};

pub(super) struct Clew;

impl Adapter for Clew {
    fn ask(&self, question: &Question, window: Window) -> Vec<Ask> {
        let (from, to) = (window.from_ns.to_string(), window.to_ns.to_string());
        let (traces, lines) = (TRACES.to_string(), LINES.to_string());
        let within = |path: &str, more: &[(&str, &str)]| {
            let range = [("from", from.as_str()), ("to", to.as_str())];
            Ask::query(path, &[&range, more].concat())
        };
        let logs = |q: &str| within("/api/v1/logs", &[("q", q), ("limit", lines.as_str())]);
        vec![match question {
            Question::Trace(id) => Ask::get(format!("/api/v1/traces/{id}")),
            Question::Skeleton(id) => Ask::get(format!("/api/v1/traces/{id}?view=skeleton")),
            Question::Traces(search) => {
                within("/api/v1/traces", &[("q", spanset(search).as_str()), ("limit", traces.as_str())])
            }
            Question::TagValues(key) => {
                within(&format!("/api/v1/tags/{}/values", escaped(key)), &[("table", "spans"), ("limit", "100")])
            }
            Question::Graph => within("/api/v1/graph", &[]),
            Question::Red(service) => within(&format!("/api/v1/services/{}", escaped(service)), &[]),
            Question::Words(words) => logs(&words.join(" ")),
            Question::Phrase(phrase) => logs(&quoted(phrase)),
            Question::CountByService => sql("SELECT service_name, count(*) FROM logs GROUP BY service_name"),
        }]
    }

    fn found(&self, question: &Question, answers: &[Bytes]) -> Result<u64, Unreadable> {
        let answer = json(answers)?;
        match question {
            Question::Trace(_) => length(&answer, "/spans"),
            Question::Skeleton(_) => length(&answer, "/id"),
            Question::Traces(_) => length(&answer, "/traces"),
            Question::TagValues(_) => length(&answer, "/values"),
            Question::Graph => length(&answer, "/edges"),
            Question::Red(_) => answer.pointer("/service/calls").map_or(Ok(0), |calls| number(Some(calls))),
            Question::Words(_) | Question::Phrase(_) => length(&answer, "/logs"),
            Question::CountByService => length(&answer, "/rows"),
        }
    }

    fn totals(&self, signal: Signal, _window: Window) -> Option<Ask> {
        let (table, failed) = match signal {
            Signal::Traces => ("spans", "status_code = 2"),
            Signal::Logs => ("logs", "severity_number >= 17"),
        };
        Some(sql(&format!(
            "SELECT service_name, count(*), sum(CASE WHEN {failed} THEN 1 ELSE 0 END) FROM {table} GROUP BY service_name"
        )))
    }

    fn read_totals(&self, answer: &[u8]) -> Result<Totals, Unreadable> {
        let answer = parsed(answer)?;
        let rows = answer.get("rows").and_then(Value::as_array);
        let rows = rows.ok_or_else(|| Unreadable(format!("no rows but {answer}")))?;
        let mut services = BTreeMap::new();
        for row in rows {
            let name = row.get(0).and_then(Value::as_str).unwrap_or_default().to_owned();
            services.insert(name, Rows { rows: number(row.get(1))?, errors: number(row.get(2))? });
        }
        Ok(Totals { rows: services.values().map(|service| service.rows).sum(), services: Some(services) })
    }

    fn flush(&self) -> Option<Ask> {
        Some(Ask::post_nothing("/api/v1/flush"))
    }

    fn stored(&self) -> Option<Ask> {
        Some(Ask::get("/api/v1/usage"))
    }

    /// Segments, indexes and catalogue; not the log, whose files are made in advance and filled again.
    fn read_stored(&self, answer: &[u8]) -> Result<u64, Unreadable> {
        let usage = parsed(answer)?;
        let mut sum = number(usage.get("catalog_bytes"))?;
        for table in usage.get("tables").and_then(Value::as_array).into_iter().flatten() {
            sum += number(table.get("parquet_bytes"))? + number(table.get("index_bytes"))?;
        }
        Ok(sum)
    }
}

fn sql(query: &str) -> Ask {
    Ask::post("/api/v1/sql", &serde_json::json!({ "query": query }))
}
