//! OTLP spans as Jaeger v1 shows them.
//!
//! The rules are those of OpenTelemetry's "OpenTelemetry to Jaeger Transformation", and the order of
//! tags is Jaeger's own.

use std::collections::HashMap;

use proto::jaeger::v1::{KeyValue, Log, Process, RefType, Reference, Span as V1Span, TagValue, Trace as V1Trace};
use query::model::{self, Span};
use storage::attrs::{Attributes, Event, Link, Value};
use storage::ids::TraceId;

use super::{kind_name, service_name, short_hex, span_name};
use crate::api::json::base64;

const STATUS_OK: i32 = 1;
const STATUS_ERROR: i32 = 2;

/// One trace; `warnings` are about the trace as a whole.
pub(super) fn trace(id: TraceId, spans: &[Span], warnings: &[String]) -> V1Trace {
    let mut processes = Processes::default();
    let spans = spans.iter().map(|span| one(span, processes.id(span))).collect();
    let warnings = (!warnings.is_empty()).then(|| warnings.to_vec());
    V1Trace { trace_id: short_hex(id), spans, processes: processes.by_id.into_iter().collect(), warnings }
}

/// The spans of several traces, each trace by its first appearance.
pub(super) fn traces(spans: Vec<Span>) -> Vec<V1Trace> {
    let mut numbers: HashMap<TraceId, usize> = HashMap::new();
    let mut groups: Vec<(TraceId, Vec<Span>)> = Vec::new();
    for span in spans {
        let number = *numbers.entry(span.trace_id).or_insert(groups.len());
        if number == groups.len() {
            groups.push((span.trace_id, Vec::new()));
        }
        groups[number].1.push(span);
    }
    groups.iter().map(|(id, spans)| trace(*id, spans, &[])).collect()
}

/// `p1`, `p2`, … by first appearance.
#[derive(Default)]
struct Processes {
    seen: HashMap<*const model::Resource, String>,
    by_text: HashMap<String, String>,
    by_id: Vec<(String, Process)>,
}

impl Processes {
    fn id(&mut self, span: &Span) -> String {
        let address = std::sync::Arc::as_ptr(&span.resource);
        if let Some(id) = self.seen.get(&address) {
            return id.clone();
        }
        let mut text = service_name(span).to_owned() + "\n";
        storage::attrs::write_object(&mut text, &span.resource.attributes);
        let by_id = &mut self.by_id;
        let id = self.by_text.entry(text).or_insert_with(|| {
            let id = format!("p{}", by_id.len() + 1);
            by_id.push((id.clone(), process(span)));
            id
        });
        self.seen.insert(address, id.clone());
        id.clone()
    }
}

fn process(span: &Span) -> Process {
    let others = span.resource.attributes.iter().filter(|(key, _)| key != "service.name");
    Process { service_name: service_name(span).to_owned(), tags: others.map(|(key, value)| tag(key, value)).collect() }
}

fn one(span: &Span, process_id: String) -> V1Span {
    let duration = span.end.saturating_sub(span.start);
    V1Span {
        trace_id: short_hex(span.trace_id),
        span_id: span.span_id.to_string(),
        parent_span_id: None,
        flags: span.flags & 1,
        operation_name: span_name(&span.name).to_owned(),
        references: references(span),
        start_time: span.start / 1_000,
        duration: duration / 1_000,
        tags: tags(span),
        logs: span.events.iter().map(log).collect(),
        process_id,
        process: None,
        warnings: warnings(span),
    }
}

fn warnings(span: &Span) -> Option<Vec<String>> {
    let mut warnings = Vec::new();
    if span.end < span.start {
        warnings.push(format!("the span ends {} ns before it starts", span.start - span.end));
    }
    for (count, what) in
        [(span.dropped_attributes, "attributes"), (span.dropped_events, "events"), (span.dropped_links, "links")]
    {
        if count > 0 {
            warnings.push(format!("the sender dropped {count} {what}"));
        }
    }
    (!warnings.is_empty()).then_some(warnings)
}

/// Scope, attributes, then what OTLP has fields for.
fn tags(span: &Span) -> Vec<KeyValue> {
    let mut tags = Vec::with_capacity(span.attributes.len() + 6);
    text_tag(&mut tags, "otel.scope.name", &span.scope.name);
    text_tag(&mut tags, "otel.scope.version", &span.scope.version);
    tags.extend(span.attributes.iter().map(|(key, value)| tag(key, value)));
    text_tag(&mut tags, "span.kind", kind_name(span.kind));
    match span.status_code {
        STATUS_OK => text_tag(&mut tags, "otel.status_code", "OK"),
        STATUS_ERROR => {
            text_tag(&mut tags, "otel.status_code", "ERROR");
            tags.push(KeyValue { key: "error".to_owned(), value: TagValue::Bool(true) });
        }
        _ => {}
    }
    text_tag(&mut tags, "otel.status_description", &span.status_message);
    text_tag(&mut tags, "w3c.tracestate", &span.trace_state);
    tags
}

fn text_tag(tags: &mut Vec<KeyValue>, key: &str, value: &str) {
    if !value.is_empty() {
        tags.push(KeyValue { key: key.to_owned(), value: TagValue::String(value.to_owned()) });
    }
}

fn tag(key: &str, value: &Value) -> KeyValue {
    let value = match value {
        Value::Bool(value) => TagValue::Bool(*value),
        Value::Int(value) => TagValue::Int64(*value),
        Value::Double(value) => TagValue::Float64(*value),
        Value::String(value) => TagValue::String(value.clone()),
        Value::Bytes(value) => TagValue::Binary(value.clone()),
        Value::Null => TagValue::String(String::new()),
        Value::Array(_) | Value::Map(_) => TagValue::String(plain(value).to_string()),
    };
    KeyValue { key: key.to_owned(), value }
}

/// A list or map as plain JSON: Jaeger has no types for them.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Double(value) if value.is_finite() => (*value).into(),
        Value::Double(value) => crate::api::json::non_finite(*value).into(),
        Value::String(value) => value.as_str().into(),
        Value::Bytes(value) => base64(value).into(),
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Map(pairs) => pairs.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
    }
}

/// The event's name is the field `event`, unless an attribute took that name.
fn log(event: &Event) -> Log {
    let named = event.attributes.iter().any(|(key, _)| key == "event");
    let mut fields = Vec::with_capacity(event.attributes.len() + 1);
    if !named {
        text_tag(&mut fields, "event", &event.name);
    }
    fields.extend(event.attributes.iter().map(|(key, value)| tag(key, value)));
    Log { timestamp: event.time / 1_000, fields }
}

/// The parent, then the links. A link to the parent only says how it is meant.
fn references(span: &Span) -> Vec<Reference> {
    let mut references = Vec::new();
    if let Some(parent) = span.parent_span_id {
        let (trace_id, span_id) = (short_hex(span.trace_id), parent.to_string());
        references.push(Reference { ref_type: RefType::ChildOf, trace_id, span_id });
    }
    for link in &span.links {
        let ref_type = link_type(&link.attributes);
        match (references.first_mut(), span.parent_span_id) {
            (Some(first), Some(parent)) if link.span_id == parent.0 && link.trace_id == span.trace_id.0 => {
                first.ref_type = ref_type;
            }
            _ => {
                references.push(Reference { ref_type, trace_id: link_trace(link), span_id: hex::encode(&link.span_id) })
            }
        }
    }
    references
}

fn link_trace(link: &Link) -> String {
    TraceId::try_from(link.trace_id.as_slice()).map_or_else(|_| hex::encode(&link.trace_id), short_hex)
}

/// The OpenTracing shim's semantic convention; follows-from by default.
fn link_type(attributes: &Attributes) -> RefType {
    let child = attributes.iter().any(|(key, value)| {
        key == "opentracing.ref_type" && matches!(value, Value::String(kind) if kind == "child_of")
    });
    if child { RefType::ChildOf } else { RefType::FollowsFrom }
}
