//! Zipkin v2 JSON spans, and what they are in OTLP.
//!
//! The rules are those of OpenTelemetry's Zipkin exporter read backwards (specification, "OpenTelemetry
//! to Zipkin Transformation"):
//!
//! | Zipkin | OTLP |
//! |---|---|
//! | `localEndpoint.serviceName` | resource `service.name` |
//! | other parts of `localEndpoint` | `network.local.address`, `network.local.port` |
//! | `remoteEndpoint` | `peer.service`, `network.peer.address`, `network.peer.port` |
//! | tags `otel.status_code`, `otel.status_description`, `error` | status; an `error` that says anything but `true` stays |
//! | tags `otel.scope.*`, `otel.library.*` | scope |
//! | other tags | text attributes |
//! | annotations, `"name": {…}` | events; attributes |
//! | `shared`, `debug`, a `timestamp` that was not sent | `zipkin.shared`, `zipkin.debug`, `zipkin.no_timestamp` |
//!
//! A span id that client and server share stays as it is: both have it, and the kind tells them apart.

use std::collections::BTreeMap;

mod protobuf;

pub use protobuf::list_of_spans;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::otlp::make::{Origin, SpanGroups, attribute, boolean, int, padded_id, text};
use crate::otlp::messages::common::v1::KeyValue;
use crate::otlp::messages::common::v1::any_value::Value;
use crate::otlp::messages::trace::v1::span::{Event, SpanKind};
use crate::otlp::messages::trace::v1::status::StatusCode;
use crate::otlp::messages::trace::v1::{ResourceSpans, Span as OtlpSpan};

/// A Zipkin v2 span; ids in hex, times in µs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    pub trace_id: String,
    pub id: String,
    pub parent_id: Option<String>,
    pub kind: Option<Kind>,
    pub name: Option<String>,
    /// µs since the epoch.
    pub timestamp: Option<u64>,
    /// µs.
    pub duration: Option<u64>,
    pub local_endpoint: Option<Endpoint>,
    pub remote_endpoint: Option<Endpoint>,
    pub annotations: Option<Vec<Annotation>>,
    /// Sorted, so that the same spans are always the same request.
    pub tags: Option<BTreeMap<String, String>>,
    pub debug: Option<bool>,
    pub shared: Option<bool>,
    /// Only version 1 has it.
    pub binary_annotations: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    Client,
    Server,
    Producer,
    Consumer,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    pub service_name: Option<String>,
    pub ipv4: Option<String>,
    pub ipv6: Option<String>,
    pub port: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Annotation {
    /// µs since the epoch.
    pub timestamp: u64,
    pub value: String,
}

/// Attributes for what OTLP has no field for.
pub const SHARED: &str = "zipkin.shared";
pub const DEBUG: &str = "zipkin.debug";
pub const NO_TIMESTAMP: &str = "zipkin.no_timestamp";

/// What a list of spans became.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Converted {
    pub resource_spans: Vec<ResourceSpans>,
    pub spans: usize,
    /// Why spans were left out, one line a span.
    pub rejected: Vec<String>,
}

/// Converts spans; one whose ids are not hex, or that is of version 1, is left out and said in `rejected`.
pub fn to_otlp(spans: &[Span]) -> Converted {
    let mut groups = SpanGroups::default();
    let mut converted = Converted::default();
    for sent in spans {
        match span(sent) {
            Ok((origin, span)) => {
                groups.push(origin, span);
                converted.spans += 1;
            }
            Err(reason) => converted.rejected.push(reason),
        }
    }
    converted.resource_spans = groups.finish();
    converted
}

/// An `ExportTraceServiceRequest` in protobuf.
pub fn request(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    use prost::Message;
    crate::otlp::messages::collector::trace::v1::ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn span(sent: &Span) -> Result<(Origin, OtlpSpan), String> {
    if sent.binary_annotations.is_some() {
        return Err(format!("span {:?}: Zipkin's version 1 is not read, only version 2", sent.id));
    }
    let wrong = |what: &str, id: &str| format!("span {:?}: {what} {id:?} is not hex", sent.id);
    let parent = sent.parent_id.as_deref().filter(|id| !id.is_empty());
    let annotations = sent.annotations.as_deref().unwrap_or_default();
    // A span that was never finished has annotations only.
    let start = sent.timestamp.or_else(|| annotations.iter().map(|a| a.timestamp).min()).unwrap_or(0);
    let start = start.saturating_mul(1_000);
    let mut out = OtlpSpan {
        trace_id: padded_id::<16>(&sent.trace_id).ok_or_else(|| wrong("trace id", &sent.trace_id))?,
        span_id: padded_id::<8>(&sent.id).ok_or_else(|| wrong("id", &sent.id))?,
        parent_span_id: match parent {
            Some(id) => padded_id::<8>(id).ok_or_else(|| wrong("parent id", id))?,
            None => Vec::new(),
        },
        name: sent.name.clone().unwrap_or_default(),
        kind: kind(sent.kind).into(),
        flags: sent.debug.unwrap_or(false).into(),
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(sent.duration.unwrap_or(0).saturating_mul(1_000)),
        events: annotations.iter().map(event).collect(),
        ..Default::default()
    };
    let mut origin = Origin::default();
    if let Some(local) = &sent.local_endpoint {
        origin.resource.extend(name_of(local).map(|name| text("service.name", name)));
        out.attributes.extend(address(local, "network.local.address", "network.local.port"));
    }
    if let Some(remote) = &sent.remote_endpoint {
        out.attributes.extend(name_of(remote).map(|name| text("peer.service", name)));
        out.attributes.extend(address(remote, "network.peer.address", "network.peer.port"));
    }
    let marks = [
        (SHARED, sent.shared == Some(true)),
        (DEBUG, sent.debug == Some(true)),
        (NO_TIMESTAMP, sent.timestamp.unwrap_or(0) == 0),
    ];
    out.attributes.extend(marks.into_iter().filter(|(_, is_so)| *is_so).map(|(key, _)| boolean(key, true)));
    sent.tags.iter().flatten().for_each(|(key, value)| apply(key, value, &mut out, &mut origin));
    Ok((origin, out))
}

fn kind(kind: Option<Kind>) -> SpanKind {
    match kind {
        Some(Kind::Client) => SpanKind::Client,
        Some(Kind::Server) => SpanKind::Server,
        Some(Kind::Producer) => SpanKind::Producer,
        Some(Kind::Consumer) => SpanKind::Consumer,
        None => SpanKind::Unspecified,
    }
}

fn name_of(endpoint: &Endpoint) -> Option<&str> {
    endpoint.service_name.as_deref().filter(|name| !name.is_empty())
}

fn address(endpoint: &Endpoint, address: &str, port: &str) -> impl Iterator<Item = KeyValue> {
    let ip = endpoint.ipv4.as_ref().or(endpoint.ipv6.as_ref()).map(|ip| text(address, ip));
    let port = endpoint.port.filter(|number| *number > 0).map(|number| int(port, number.into()));
    ip.into_iter().chain(port)
}

/// Puts a tag where OTLP has a field for it, else among the attributes.
fn apply(key: &str, value: &str, out: &mut OtlpSpan, origin: &mut Origin) {
    match (key, value) {
        ("otel.status_code", "OK") => out.status.get_or_insert_default().code = StatusCode::Ok.into(),
        ("otel.status_code", "ERROR") => out.status.get_or_insert_default().code = StatusCode::Error.into(),
        ("otel.status_description", message) => out.status.get_or_insert_default().message = message.to_owned(),
        ("error", message) => {
            // That the tag is there says that it failed. `error` is sorted before `otel.status_code`, which decides.
            out.status.get_or_insert_default().code = StatusCode::Error.into();
            if message != "true" {
                out.attributes.push(text(key, message));
            }
        }
        ("otel.scope.name" | "otel.library.name", name) => origin.scope_name = name.to_owned(),
        ("otel.scope.version" | "otel.library.version", version) => origin.scope_version = version.to_owned(),
        _ => out.attributes.push(text(key, value)),
    }
}

fn event(sent: &Annotation) -> Event {
    let time_unix_nano = sent.timestamp.saturating_mul(1_000);
    match named_event(&sent.value) {
        Some((name, attributes)) => Event { time_unix_nano, name, attributes, ..Default::default() },
        None => Event { time_unix_nano, name: sent.value.clone(), ..Default::default() },
    }
}

/// `"name": {attributes as JSON}`, as the exporter writes events that have attributes.
fn named_event(value: &str) -> Option<(String, Vec<KeyValue>)> {
    let mut event: serde_json::Map<String, Json> = serde_json::from_str(&format!("{{{value}}}")).ok()?;
    let (name, attributes) =
        if event.len() == 1 { std::mem::take(&mut event).into_iter().next()? } else { return None };
    let Json::Object(attributes) = attributes else { return None };
    Some((name, attributes.into_iter().map(|(key, value)| json_attribute(&key, value)).collect()))
}

fn json_attribute(key: &str, value: Json) -> KeyValue {
    match value {
        Json::String(value) => text(key, value),
        Json::Bool(value) => attribute(key, Value::BoolValue(value)),
        Json::Number(number) => match number.as_i64() {
            Some(value) => int(key, value),
            None => attribute(key, Value::DoubleValue(number.as_f64().unwrap_or(f64::NAN))),
        },
        other => text(key, other.to_string()),
    }
}

#[cfg(test)]
mod tests;
