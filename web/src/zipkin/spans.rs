//! Stored spans as Zipkin has them: what was sent to it comes back as it was.
//!
//! The rules are those of OpenTelemetry's Zipkin exporter (specification, "OpenTelemetry to Zipkin
//! Transformation"), with the attributes that `proto::zipkin` sets for what OTLP has no field for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proto::zipkin::{DEBUG, NO_TIMESTAMP, SHARED};
use query::model::{self, Trace};
use serde::Serialize;
use storage::attrs::{self, Attributes, Event, Value};

/// Ids in hex, times in µs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    pub(super) trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_id: Option<String>,
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) timestamp: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) duration: u64,
    #[serde(skip_serializing_if = "Endpoint::is_empty")]
    pub(super) local_endpoint: Endpoint,
    #[serde(skip_serializing_if = "Endpoint::is_empty")]
    pub(super) remote_endpoint: Endpoint,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) annotations: Vec<Annotation>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) debug: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) shared: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Endpoint {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) service_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ipv4: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ipv6: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Annotation {
    pub(super) timestamp: u64,
    pub(super) value: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Endpoint {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The spans of a trace, by start.
pub(super) fn of(trace: &Trace) -> Vec<Span> {
    trace.spans.iter().map(one).collect()
}

fn one(span: &model::Span) -> Span {
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in span.resource.attributes.iter().filter(|(key, _)| key != "service.name") {
        tags.insert(key.clone(), text(value));
    }
    tags.extend(span.attributes.iter().map(|(key, value)| (key.clone(), text(value))));
    let mut mark = |key| tags.remove(key).is_some();
    let (shared, debug, no_timestamp) = (mark(SHARED), mark(DEBUG), mark(NO_TIMESTAMP));
    let local_endpoint = Endpoint {
        service_name: span.service.to_lowercase(),
        ..address(&mut tags, "network.local.address", "network.local.port")
    };
    let remote_endpoint = Endpoint {
        service_name: remote_name(&mut tags, span.kind).to_lowercase(),
        ..address(&mut tags, "network.peer.address", "network.peer.port")
    };
    status(span, &mut tags);
    let mut say = |key: &str, text: &str| {
        if !text.is_empty() {
            tags.insert(key.to_owned(), text.to_owned());
        }
    };
    say("otel.scope.name", &span.scope.name);
    say("otel.scope.version", &span.scope.version);
    let trace_id = span.trace_id.to_string();
    Span {
        trace_id: trace_id.strip_prefix("0000000000000000").map(str::to_owned).unwrap_or(trace_id),
        parent_id: span.parent_span_id.map(|id| id.to_string()),
        id: span.span_id.to_string(),
        kind: match span.kind {
            2 => Some("SERVER"),
            3 => Some("CLIENT"),
            4 => Some("PRODUCER"),
            5 => Some("CONSUMER"),
            _ => None,
        },
        name: span.name.to_lowercase(),
        timestamp: if no_timestamp { 0 } else { span.start / 1_000 },
        duration: duration(span.end.saturating_sub(span.start)),
        local_endpoint,
        remote_endpoint,
        annotations: span.events.iter().map(annotation).collect(),
        tags,
        debug,
        shared,
    }
}

/// What took less than a µs took one: 0 would be no duration.
fn duration(ns: u64) -> u64 {
    if ns == 0 { 0 } else { (ns / 1_000).max(1) }
}

/// The other end's name. `peer.service` says nothing else and goes; other attributes stay tags.
fn remote_name(tags: &mut BTreeMap<String, String>, kind: i32) -> String {
    if let Some(name) = tags.remove("peer.service").filter(|name| !name.is_empty()) {
        return name;
    }
    // The address of a server is its own.
    let named = matches!(kind, 3 | 4).then(|| ["server.address", "db.namespace", "db.name"].iter());
    let named = named.into_iter().flatten().find_map(|key| tags.get(*key).filter(|name| !name.is_empty()));
    named.cloned().unwrap_or_default()
}

/// What is no IP address stays a tag.
fn address(tags: &mut BTreeMap<String, String>, address: &str, port: &str) -> Endpoint {
    let mut endpoint = Endpoint::default();
    match tags.get(address).and_then(|text| text.parse::<IpAddr>().ok()) {
        Some(IpAddr::V4(ip)) => endpoint.ipv4 = Some(ip.to_string()),
        Some(IpAddr::V6(ip)) => endpoint.ipv6 = Some(ip.to_string()),
        None if tags.contains_key(address) => return endpoint,
        None => {}
    }
    endpoint.port = tags.get(port).and_then(|text| text.parse().ok()).filter(|port| *port > 0);
    tags.remove(address);
    if endpoint.port.is_some() {
        tags.remove(port);
    }
    endpoint
}

fn status(span: &model::Span, tags: &mut BTreeMap<String, String>) {
    let message = &span.status_message;
    match span.status_code {
        1 => {
            tags.insert("otel.status_code".to_owned(), "OK".to_owned());
        }
        2 if message.is_empty() => {
            tags.entry("error".to_owned()).or_insert_with(|| "true".to_owned());
        }
        2 => {
            tags.insert("otel.status_code".to_owned(), "ERROR".to_owned());
            tags.entry("error".to_owned()).or_insert_with(|| message.clone());
        }
        _ => {}
    }
}

fn annotation(event: &Event) -> Annotation {
    let value = match event.attributes.is_empty() {
        true => event.name.clone(),
        false => format!("{}: {}", text_json(&event.name), object(&event.attributes)),
    };
    Annotation { timestamp: event.time / 1_000, value }
}

fn text_json(text: &str) -> String {
    let mut out = String::new();
    attrs::push_string(&mut out, text);
    out
}

fn object(attributes: &Attributes) -> String {
    let mut out = String::new();
    attrs::write_object(&mut out, attributes);
    out
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut out = String::new();
            attrs::push_value(&mut out, other);
            out
        }
    }
}
