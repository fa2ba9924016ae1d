//! What a supervisor and Prometheus ask: `/healthz`, `/readyz`, `/metrics`.

use std::fmt::Write;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use query::Engine;

use crate::error::{ApiError, Code};
use crate::state::{AppState, Counter, Kind};

/// The process lives.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// Data and questions are taken: from the start, which is after the store opened, until shutdown, unless
/// a store refuses data for the time being (disk full, flushing too slow).
pub(crate) async fn ready(State(state): State<AppState>) -> Result<&'static str, ApiError> {
    if state.is_closing() {
        return Err(ApiError::new(Code::Unavailable, "shutting down"));
    }
    for (tenant, engine) in state.engines.iter() {
        engine.store().accepting().map_err(|reason| {
            let whose = if tenant.is_default() { String::new() } else { format!("tenant {tenant}: ") };
            ApiError::new(Code::Unavailable, format!("{whose}{reason}"))
        })?;
    }
    Ok("ready\n")
}

/// Prometheus text format 0.0.4.
pub(crate) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    let mut samples = vec![build_info(&state)];
    for (tenant, engine) in state.engines.iter() {
        let label = (state.engines.count() > 1).then(|| ("tenant", tenant.to_string()));
        let labelled =
            |sample: Counter| Counter { labels: sample.labels.into_iter().chain(label.clone()).collect(), ..sample };
        samples.extend(store_samples(engine).into_iter().map(labelled));
    }
    samples.extend(state.counters());
    samples.sort_by(|a, b| a.name.cmp(&b.name)); // stable: samples of one name keep their order
    let text = exposition(&samples);
    (StatusCode::OK, [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

fn build_info(state: &AppState) -> Counter {
    Counter {
        name: "clew_build_info".to_owned(),
        help: "Always 1; the version is a label.".to_owned(),
        kind: Kind::Gauge,
        labels: vec![("version", state.about.version.clone())],
        value: 1.0,
    }
}

fn store_samples(engine: &Engine) -> Vec<Counter> {
    let stats = engine.store().stats();
    let sample = |name: &str, help: &str, kind, labels, value: u64| Counter {
        name: name.to_owned(),
        help: help.to_owned(),
        kind,
        labels,
        value: value as f64,
    };
    let gauge = |name, help, value| sample(name, help, Kind::Gauge, vec![], value);
    let rows = |table: &str, value| {
        sample("clew_store_rows", "Rows held, by table.", Kind::Gauge, vec![("table", table.to_owned())], value)
    };
    vec![
        rows("spans", stats.spans),
        rows("logs", stats.logs),
        rows("metrics", stats.metrics),
        gauge("clew_store_segments", "Segments of the store.", stats.segments),
        gauge("clew_store_bytes", "Bytes of segments and their indexes.", stats.bytes),
        gauge("clew_buffer_rows", "Rows that are in memory and in the write-ahead log only.", stats.buffer_rows),
        gauge("clew_buffer_bytes", "Bytes of those rows in memory.", stats.buffer_bytes),
        gauge("clew_wal_bytes", "Bytes of the write-ahead log.", stats.wal_bytes),
        sample(
            "clew_duplicate_requests_total",
            "Requests recognised as repeated.",
            Kind::Counter,
            vec![],
            stats.duplicates,
        ),
        sample(
            "clew_losses_total",
            "Places where acknowledged data was lost to damage of the disk, as losses.txt lists them.",
            Kind::Counter,
            vec![],
            stats.losses,
        ),
    ]
}

/// `# HELP` and `# TYPE` stand before the first sample of a name; samples of one name are neighbours.
fn exposition(samples: &[Counter]) -> String {
    let mut text = String::new();
    for (at, sample) in samples.iter().enumerate() {
        if at == 0 || samples[at - 1].name != sample.name {
            let kind = match sample.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            put(&mut text, format_args!("# HELP {0} {1}\n# TYPE {0} {2}\n", sample.name, sample.help, kind));
        }
        let labels: Vec<_> = sample.labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        match labels.is_empty() {
            true => put(&mut text, format_args!("{} {}\n", sample.name, sample.value)),
            false => put(&mut text, format_args!("{}{{{}}} {}\n", sample.name, labels.join(","), sample.value)),
        }
    }
    text
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a String takes every write");
}

/// Of a label value in the text format.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_share_a_head() {
        let sample = |name: &str, label: &str, value| Counter {
            name: name.to_owned(),
            help: "Help.".to_owned(),
            kind: Kind::Counter,
            labels: if label.is_empty() { vec![] } else { vec![("k", label.to_owned())] },
            value,
        };
        let text =
            exposition(&[sample("a_total", "x\"\n", 1.0), sample("a_total", "y", 2.5), sample("b_total", "", 1e15)]);
        assert_eq!(
            text,
            "# HELP a_total Help.\n# TYPE a_total counter\na_total{k=\"x\\\"\\n\"} 1\na_total{k=\"y\"} 2.5\n\
             # HELP b_total Help.\n# TYPE b_total counter\nb_total 1000000000000000\n"
        );
    }
}
