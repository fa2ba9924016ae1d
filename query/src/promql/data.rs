//! Counters out of spans: the service graph's by Tempo's rule, and its span metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use storage::store::Snapshot;

use super::{Labels, Selector};
use crate::engine::{Deadline, QueryError, Range};
use crate::graph::intern::{Name, Names};
use crate::graph::sides::{self, Side};
use crate::graph::tempo;
use crate::model::Notes;

/// Calls that one question holds: about 80 MB.
const MOST_EVENTS: usize = 2 << 20;
/// Series of one question.
const MOST_SERIES: usize = 50_000;

/// Upper bounds of buckets, s; as Tempo has them by default.
const GRAPH_BOUNDS: [f64; 8] = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8];
const SPAN_BOUNDS: [f64; 14] =
    [0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.02, 2.05, 4.10, 8.20, 16.4];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Graph,
    Spans,
}

/// A metric, or the three of a histogram.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
    of: Of,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Calls,
    Failed,
    /// Durations, s.
    Histogram(End),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Client,
    Server,
}

pub(super) const FAMILIES: [Family; 6] = [
    Family {
        name: "traces_service_graph_request_total",
        kind: "counter",
        help: "Requests between two nodes",
        of: Of::Graph,
        what: What::Calls,
    },
    Family {
        name: "traces_service_graph_request_failed_total",
        kind: "counter",
        help: "Of these, failed on either side",
        of: Of::Graph,
        what: What::Failed,
    },
    Family {
        name: "traces_service_graph_request_server_seconds",
        kind: "histogram",
        help: "Time between two nodes as seen from the server",
        of: Of::Graph,
        what: What::Histogram(End::Server),
    },
    Family {
        name: "traces_service_graph_request_client_seconds",
        kind: "histogram",
        help: "Time between two nodes as seen from the client",
        of: Of::Graph,
        what: What::Histogram(End::Client),
    },
    Family { name: "traces_spanmetrics_calls_total", kind: "counter", help: "Spans", of: Of::Spans, what: What::Calls },
    Family {
        name: "traces_spanmetrics_latency",
        kind: "histogram",
        help: "Duration of spans",
        of: Of::Spans,
        what: What::Histogram(End::Server),
    },
];

#[derive(Clone, Copy, Debug, PartialEq)]
struct Event {
    /// ns since the epoch.
    time: i64,
    /// s; not a number where that side is not stored.
    client: f64,
    server: f64,
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Counts {
    Calls,
    Failed,
    Observations(End),
    Sum(End),
    UpTo(End, f64),
}

/// One series.
pub(super) struct Counter {
    pub(super) labels: Labels,
    /// By time.
    events: Arc<Vec<Event>>,
    counts: Counts,
}

impl Counter {
    /// How much was counted from one time until before another, ns; None where nothing was.
    pub(super) fn increase(&self, from: i64, to: i64) -> Option<f64> {
        let begin = self.events.partition_point(|event| event.time < from);
        let end = self.events.partition_point(|event| event.time < to);
        let (mut seen, mut sum) = (false, 0.0);
        for event in self.events.get(begin..end).unwrap_or_default() {
            let duration = |end| if end == End::Client { event.client } else { event.server };
            let (is_seen, add) = match self.counts {
                Counts::Calls => (true, 1.0),
                Counts::Failed => (event.failed, f64::from(u8::from(event.failed))),
                Counts::Observations(end) => (!duration(end).is_nan(), 1.0),
                Counts::Sum(end) => (!duration(end).is_nan(), duration(end)),
                Counts::UpTo(end, most) => (!duration(end).is_nan(), f64::from(u8::from(duration(end) <= most))),
            };
            if is_seen {
                seen = true;
                sum += add;
            }
        }
        seen.then_some(sum)
    }
}

/// What a series of events is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Edge(Name, Name, tempo::Connection),
    /// Service, name, kind, status.
    Spans(Name, Name, i32, i32),
}

/// The counters whose names the selectors may ask for.
pub(super) fn load(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    selectors: &[Selector],
    notes: &mut Notes,
) -> Result<Vec<Counter>, QueryError> {
    let asked: Vec<(&Family, String)> = FAMILIES
        .iter()
        .flat_map(|family| names_of(family).into_iter().map(move |name| (family, name)))
        .filter(|(_, name)| selectors.iter().any(|selector| selector.may_be(name)))
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = |of: Of| asked.iter().any(|(family, _)| family.of == of);
    let mut names = Names::default();
    let events = events(snapshot, deadline, range, (wanted(Of::Graph), wanted(Of::Spans)), &mut names, notes)?;
    let mut counters = Vec::new();
    for (key, mut events) in events {
        deadline.check()?;
        events.sort_unstable_by_key(|event| event.time);
        let (of, labels) = labels(key, &names);
        let events = Arc::new(events);
        for (family, name) in asked.iter().filter(|(family, _)| family.of == of) {
            series(family, name, &labels, &events, |counter| {
                if selectors.iter().any(|selector| selector.matches(&counter.labels)) {
                    counters.push(counter);
                }
            });
        }
        if counters.len() > MOST_SERIES {
            return Err(QueryError::TooLarge(format!("it matches more than {MOST_SERIES} series")));
        }
    }
    counters.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(counters)
}

fn names_of(family: &Family) -> Vec<String> {
    match family.what {
        What::Histogram(_) => ["_bucket", "_sum", "_count"].iter().map(|end| format!("{}{end}", family.name)).collect(),
        _ => vec![family.name.to_owned()],
    }
}

fn events(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    (graph, spans): (bool, bool),
    names: &mut Names,
    notes: &mut Notes,
) -> Result<BTreeMap<Key, Vec<Event>>, QueryError> {
    let mut events: BTreeMap<Key, Vec<Event>> = BTreeMap::new();
    let mut count = 0;
    sides::each_trace(snapshot, deadline, range, names, notes, |trace, names| {
        if graph {
            for edge in tempo::edges(trace, names).iter().filter(|edge| range.contains(edge.time as i64)) {
                let event = Event {
                    time: edge.time as i64,
                    client: edge.client_duration.map_or(f64::NAN, seconds),
                    server: edge.server_duration.map_or(f64::NAN, seconds),
                    failed: edge.failed,
                };
                events.entry(Key::Edge(edge.client, edge.server, edge.connection)).or_default().push(event);
                count += 1;
            }
        }
        if spans {
            for side in trace.iter().filter(|side| range.contains(side.start as i64)) {
                let event = Event {
                    time: side.start as i64,
                    client: f64::NAN,
                    server: seconds(side.duration()),
                    failed: side.status == 2,
                };
                events.entry(of_span(side)).or_default().push(event);
                count += 1;
            }
        }
        match count > MOST_EVENTS {
            true => {
                Err(QueryError::TooLarge(format!("it counts more than {MOST_EVENTS} calls; ask for a shorter range")))
            }
            false => Ok(()),
        }
    })?;
    Ok(events)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn of_span(side: &Side) -> Key {
    Key::Spans(side.service, side.name, side.kind, side.status)
}

fn labels(key: Key, names: &Names) -> (Of, Labels) {
    let labels = |pairs: &[(&str, &str)]| {
        // An empty label is an absent one.
        let set = pairs.iter().filter(|(_, value)| !value.is_empty());
        set.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    match key {
        Key::Edge(client, server, connection) => {
            let (client, server) = (names.text(client), names.text(server));
            let pairs = [("client", client), ("server", server), ("connection_type", connection.label())];
            (Of::Graph, labels(&pairs))
        }
        Key::Spans(service, name, kind, status) => {
            let kind = match kind {
                1 => "SPAN_KIND_INTERNAL",
                2 => "SPAN_KIND_SERVER",
                3 => "SPAN_KIND_CLIENT",
                4 => "SPAN_KIND_PRODUCER",
                5 => "SPAN_KIND_CONSUMER",
                _ => "SPAN_KIND_UNSPECIFIED",
            };
            let status = match status {
                1 => "STATUS_CODE_OK",
                2 => "STATUS_CODE_ERROR",
                _ => "STATUS_CODE_UNSET",
            };
            let (service, name) = (names.text(service), names.text(name));
            let pairs = [("service", service), ("span_name", name), ("span_kind", kind), ("status_code", status)];
            (Of::Spans, labels(&pairs))
        }
    }
}

/// The series of one metric over some events.
fn series(family: &Family, name: &str, labels: &Labels, events: &Arc<Vec<Event>>, mut take: impl FnMut(Counter)) {
    let mut put = |counts, bound: Option<String>| {
        let mut labels = labels.clone();
        labels.insert("__name__".to_owned(), name.to_owned());
        labels.extend(bound.map(|bound| ("le".to_owned(), bound)));
        take(Counter { labels, events: events.clone(), counts });
    };
    match family.what {
        What::Calls => put(Counts::Calls, None),
        What::Failed => put(Counts::Failed, None),
        What::Histogram(end) if name.ends_with("_sum") => put(Counts::Sum(end), None),
        What::Histogram(end) if name.ends_with("_count") => put(Counts::Observations(end), None),
        What::Histogram(end) => {
            let bounds: &[f64] = if family.of == Of::Graph { &GRAPH_BOUNDS } else { &SPAN_BOUNDS };
            bounds.iter().for_each(|bound| put(Counts::UpTo(end, *bound), Some(bound.to_string())));
            put(Counts::UpTo(end, f64::INFINITY), Some("+Inf".to_owned()));
        }
    }
}
