//! Jaeger: the API v3 of its query service, in the parameter names that all its versions understand.
//!
//! It finds no traces without a service, so searches are asked within one; errors are the tag `error`, which
//! Jaeger derives from the span's status. It counts nothing, and its graph and metrics come from jobs and
//! servers of their own: for these there is the old API's `/api/dependencies` alone.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{Adapter, Ask, Unreadable, each, escaped, json, length, millis, otlp_spans};
use crate::manifest::{Question, Search, TRACES, Window};

pub(super) struct Jaeger;

impl Adapter for Jaeger {
    fn ask(&self, question: &Question, window: Window) -> Vec<Ask> {
        match question {
            Question::Trace(id) => vec![Ask::get(format!("/api/v3/traces/{}", escaped(id)))],
            Question::Traces(wanted) => vec![search(wanted, window)],
            Question::Graph => {
                let lookback = millis(window.to_ns - window.from_ns);
                let parameters = [("endTs", millis(window.to_ns)), ("lookback", lookback)];
                let parameters = parameters.each_ref().map(|(key, value)| (*key, value.as_str()));
                vec![Ask::query("/api/dependencies", &parameters)]
            }
            _ => Vec::new(),
        }
    }

    fn within(&self) -> bool {
        true
    }

    /// What it stores in is another product, which merges in its own time.
    fn pause(&self) -> Duration {
        Duration::from_secs(45)
    }

    fn found(&self, question: &Question, answers: &[Bytes]) -> Result<u64, Unreadable> {
        match question {
            Question::Trace(_) => answers.first().map_or(Ok(0), |answer| spans(answer)),
            Question::Traces(_) => answers.first().map_or(Ok(0), |answer| traces(answer)),
            Question::Graph => length(&json(answers)?, "/data"),
            _ => Err(Unreadable("this was not asked".to_owned())),
        }
    }
}

fn search(search: &Search, window: Window) -> Ask {
    let mut parameters = vec![
        ("query.service_name", search.service.clone().unwrap_or_else(|| search.within.clone())),
        ("query.start_time_min", rfc3339(window.from_ns)),
        ("query.start_time_max", rfc3339(window.to_ns)),
        ("query.search_depth", TRACES.to_string()),
        ("query.num_traces", TRACES.to_string()),
    ];
    parameters.extend(search.operation.clone().map(|name| ("query.operation_name", name)));
    parameters.extend(search.longer_than_ms.map(|ms| ("query.duration_min", format!("{ms}ms"))));
    let tags = tags(search, "");
    if !tags.is_empty() {
        parameters.push(("query.attributes", Value::Object(tags).to_string()));
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (*key, value.as_str())).collect();
    Ask::query("/api/v3/traces", &parameters)
}

/// Attributes as Jaeger's map of texts; those of the resource get a prefix.
pub(super) fn tags(search: &Search, resource_prefix: &str) -> Map<String, Value> {
    let mut tags = Map::new();
    for attribute in &search.attributes {
        let prefix = if attribute.resource { resource_prefix } else { "" };
        tags.insert(format!("{prefix}{}", attribute.key), attribute.value.clone().into());
    }
    if search.errors {
        tags.insert("error".to_owned(), "true".into());
    }
    tags
}

/// Of one trace or of several: newer versions send one object, older ones one after another.
fn spans(answer: &[u8]) -> Result<u64, Unreadable> {
    each(answer).map(|part| Ok(otlp_spans(part?.pointer("/result/resourceSpans")))).sum()
}

/// Distinct trace ids.
fn traces(answer: &[u8]) -> Result<u64, Unreadable> {
    let mut ids = std::collections::BTreeSet::new();
    for part in each(answer) {
        collect_ids(&part?, &mut ids);
    }
    Ok(ids.len() as u64)
}

fn collect_ids(value: &Value, ids: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|item| collect_ids(item, ids)),
        Value::Object(fields) => {
            for (key, field) in fields {
                match (key.as_str(), field) {
                    ("traceId", Value::String(id)) => drop(ids.insert(id.clone())),
                    // Links name other traces.
                    ("links", _) => {}
                    _ => collect_ids(field, ids),
                }
            }
        }
        _ => {}
    }
}

fn rfc3339(ns: u64) -> String {
    chrono::DateTime::from_timestamp_nanos(i64::try_from(ns).unwrap_or(i64::MAX)).to_rfc3339()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00+00:00");
        assert_eq!(rfc3339(951_782_400_000_000_001), "2000-02-29T00:00:00.000000001+00:00");
        assert_eq!(rfc3339(1_700_000_000_500_000_000), "2023-11-14T22:13:20.500+00:00");
    }
}
