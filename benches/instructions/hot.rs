//! The hot paths: what each span, line and query costs.

use bytes::Bytes;
use collector::normalise::Rules;
use collector::rows;
use query::Range;
use query::rollup::Summariser;
use query::search::TraceSearch;
use query::traceql::TraceQuery;
use storage::ids::TraceId;
use storage::rollup::Summarise as _;
use storage::schema::Table;
use storage::store::{Rows, Signal};

use crate::load::Load;
use crate::shop;
use crate::stored::{Opened, RECEIVED, START};
use crate::{Rounds, black_box};

/// One hot path. `run` prepares it and counts the work alone; it gives the units of one round.
pub(crate) struct Path {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) run: fn(Rounds) -> usize,
}

pub(crate) const PATHS: &[Path] = &[
    Path { name: "decode", unit: "span", run: |rounds| decode(rounds, Signal::Traces, &uniform(4)) },
    Path { name: "decode-shop", unit: "span", run: |rounds| decode(rounds, Signal::Traces, &shop::spans(4)) },
    Path { name: "decode-logs", unit: "line", run: |rounds| decode(rounds, Signal::Logs, &shop::logs(4)) },
    Path { name: "append", unit: "span", run: append },
    Path { name: "flush", unit: "span", run: |rounds| flush(rounds, Signal::Traces, &uniform(4)) },
    Path { name: "flush-logs", unit: "line", run: |rounds| flush(rounds, Signal::Logs, &shop::logs(4)) },
    Path { name: "count", unit: "span", run: count_calls },
    Path { name: "lookup", unit: "trace", run: lookup },
    Path {
        name: "search-operation",
        unit: "search",
        run: |rounds| search(rounds, |_| vec!["service:service-3 name:op-7".to_owned()]),
    },
    Path { name: "search-attribute", unit: "search", run: |rounds| search(rounds, by_attribute) },
    Path { name: "search-errors", unit: "search", run: |rounds| search(rounds, |_| vec!["error".to_owned()]) },
];

/// Spans or lines of a request.
pub(crate) const BATCH: usize = 510;

/// Requests of spans whose attributes repeat nowhere.
fn uniform(requests: usize) -> Vec<Bytes> {
    Load::new(requests * BATCH, 42, START).requests(BATCH)
}

fn by_attribute(load: &Load) -> Vec<String> {
    load.pairs(20).map(|(key, value)| format!("{key}={value}")).collect()
}

fn to_rows(signal: Signal, body: &[u8], rules: &Rules) -> Rows {
    rows::convert(signal, body, RECEIVED, rules).expect("a request of ours").into_rows()
}

fn decoded(signal: Signal, requests: &[Bytes]) -> Vec<Rows> {
    let rules = Rules::default();
    requests.iter().map(|body| to_rows(signal, body, &rules)).collect()
}

fn count(signal: Signal, requests: &[Bytes]) -> usize {
    requests.iter().map(|body| rows::count(signal, body).expect("a request of ours")).sum()
}

/// OTLP to Arrow.
fn decode(rounds: Rounds, signal: Signal, requests: &[Bytes]) -> usize {
    let rules = Rules::default();
    rounds.count(|_| requests.iter().for_each(|body| drop(black_box(to_rows(signal, body, &rules)))));
    count(signal, requests)
}

/// Arrow to the log and the live buffer.
fn append(rounds: Rounds) -> usize {
    let requests = uniform(48); // many, so that the log's own threads are a small share
    let rows = decoded(Signal::Traces, &requests);
    let opened = Opened::new();
    rounds.count(|round| opened.append(Signal::Traces, round, &requests, &rows));
    count(Signal::Traces, &requests)
}

/// The live buffer to a committed segment and its counts by the minute.
fn flush(rounds: Rounds, signal: Signal, requests: &[Bytes]) -> usize {
    let rows = decoded(signal, requests);
    let opened = Opened::new();
    opened.append(signal, 0, requests, &rows);
    rounds.count(|_| opened.flush());
    count(signal, requests)
}

/// Spans to cells of a minute.
fn count_calls(rounds: Rounds) -> usize {
    let requests = uniform(64);
    let rows = decoded(Signal::Traces, &requests).into_iter().flatten();
    let spans: Vec<_> = rows.filter(|(table, _)| *table == Table::Spans).map(|(_, rows)| rows).collect();
    rounds.count(|_| Summariser.summarise(&spans).expect("spans of ours"));
    count(Signal::Traces, &requests)
}

/// A trace by its id out of several segments.
fn lookup(rounds: Rounds) -> usize {
    const TRACES: usize = 16;
    let (opened, load) = several_segments();
    let traces: Vec<TraceId> = load.sample(TRACES).filter_map(|hex| hex.parse().ok()).collect();
    rounds.count(|_| {
        for trace in &traces {
            assert!(opened.wait(opened.engine.trace(*trace)).expect("an answer").is_some(), "a trace is missing");
        }
    });
    traces.len()
}

/// The newest 20 traces of several segments that the first query with an answer finds.
fn search(rounds: Rounds, queries: impl Fn(&Load) -> Vec<String>) -> usize {
    const SEARCHES: usize = 4;
    let (opened, load) = several_segments();
    let ask = |query: &str| {
        let query = TraceQuery::parse(query).expect("a query of ours");
        let page = opened.wait(opened.engine.search_traces(TraceSearch::new(query, Range::ALL, 20)));
        page.expect("an answer").items
    };
    let query = queries(&load).into_iter().find(|query| !ask(query).is_empty()).expect("a query that finds something");
    rounds.count(|_| (0..SEARCHES).for_each(|_| drop(black_box(ask(&query)))));
    SEARCHES
}

/// Fewer than are merged, with live rows on top.
fn several_segments() -> (Opened, Load) {
    let load = Load::new(10 * BATCH, 7, START);
    let requests = load.requests(BATCH);
    let rows = decoded(Signal::Traces, &requests);
    let opened = Opened::new();
    for (number, part) in (0..requests.len()).collect::<Vec<_>>().chunks(3).enumerate() {
        let part = part[0]..part[part.len() - 1] + 1;
        opened.append(Signal::Traces, number as u32, &requests[part.clone()], &rows[part.clone()]);
        if part.end < requests.len() {
            opened.flush();
        }
    }
    (opened, load)
}
